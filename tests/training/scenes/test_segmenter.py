"""The segmentation network's task: what it sees, what it minimizes, how it is measured."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from tempgen.config.optimization import OptimizationConfig
from tempgen.data.scenes import SEGMENTATION_CLASSES
from tempgen.models.scene_segmenter import SceneSegmenter, in_blocks
from tempgen.training.scenes.segmenter import (
    CLEAN,
    N_PIXELS,
    SegmenterModule,
    SegmenterTask,
    as_reconstructed,
    blur,
    disturbed,
    overlap,
)


@pytest.fixture
def task(pictures, masks, held_out, held_out_masks):
    torch.manual_seed(0)
    module = SegmenterModule(SceneSegmenter(SEGMENTATION_CLASSES, channels=(16, 16)))
    return SegmenterTask(pictures, masks, held_out, held_out_masks, module, OptimizationConfig(seed=3), {})


def test_overlap_agrees_with_a_loop_over_classes():
    rng = np.random.default_rng(0)
    masks = rng.integers(0, 6, (5, 16, 16)).astype(np.uint8)
    masks[masks == 4] = 3  # a class that no scene shows
    labels = np.where(rng.random(masks.shape) < 0.6, masks, rng.integers(0, 4, masks.shape)).astype(np.uint8)
    masks[0] = labels[0] = 2

    def ious(found, true):
        scores = {}
        for each in range(6):
            either = ((found == each) | (true == each)).sum()
            if either:
                scores[each] = ((found == each) & (true == each)).sum() / either
        return list(scores.values())

    scores = overlap(torch.from_numpy(labels), torch.from_numpy(masks), n_classes=6)
    in_scenes = [np.mean(ious(*pair)) for pair in zip(labels, masks, strict=True)]
    assert in_scenes[0] == 1
    assert scores["pixel_accuracy"] == pytest.approx((labels == masks).mean())
    assert scores["mean_iou"] == pytest.approx(np.mean(in_scenes))
    assert scores["class_iou"] == pytest.approx(np.mean(ious(labels, masks)))


def test_maps_agree_with_themselves_and_not_with_others(masks):
    maps = torch.from_numpy(masks[:20])
    assert set(overlap(maps, maps, n_classes=20).values()) == {1.0}
    assert set(overlap((maps + 1) % 20, 0 * maps, n_classes=20).values()) == {0.0} or (maps == 19).any()
    assert overlap(maps.flip(0), maps, n_classes=20)["mean_iou"] < 0.5


def test_blur_is_that_of_scipy_away_from_the_edges():
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    blurred = blur(images, torch.tensor([0.0, 2.0]))
    torch.testing.assert_close(blurred[0], images[0])
    expected = np.stack([gaussian_filter(plane, 2.0, truncate=8) for plane in images[1].numpy()])
    inner = slice(20, 44)
    np.testing.assert_allclose(blurred[1, :, inner, inner], expected[:, inner, inner], atol=1e-4)
    flat = blur(torch.full((1, 3, 64, 64), 0.3), torch.tensor([3.0]))
    torch.testing.assert_close(flat, torch.full_like(flat, 0.3))


def test_about_the_share_of_clean_images_is_left_and_the_others_stay_in_range(pictures):
    images = pictures.pixels(slice(None))
    result = disturbed(images, seed=0, keys=[(5, row) for row in range(200)])
    left = (result == images).flatten(1).all(dim=1).float().mean()
    assert float(left) == pytest.approx(CLEAN, abs=0.1)
    assert 0 <= float(result.min()) <= float(result.max()) <= 1
    assert float((result - images).abs().mean()) < 0.1  # they are still those scenes


def test_an_image_is_disturbed_by_its_key_and_not_by_its_neighbours(pictures):
    images = pictures.pixels(slice(0, 12))
    keys = [(5, row) for row in range(12)]
    every = disturbed(images, seed=0, keys=keys)
    some = disturbed(images[4:9], seed=0, keys=keys[4:9])
    torch.testing.assert_close(some, every[4:9])
    other = disturbed(images, seed=0, keys=[(6, row) for row in range(12)])
    assert not torch.allclose(other, every)


def test_disturbed_held_out_scenes_are_the_same_each_time(pictures):
    images = pictures.pixels(slice(0, 4))
    once = as_reconstructed(images)
    assert torch.equal(once, as_reconstructed(images))
    assert all(not torch.allclose(a, b, atol=0.01) for a, b in zip(once, images, strict=True))


def test_a_batch_has_the_classes_of_a_few_pixels_of_each_block(task, masks):
    rows = np.array([7, 3, 11])
    batch = task.batch(rows, 4)
    assert batch["images"].shape == (3, 3, 64, 64)
    assert batch["masks"].shape == (3, 16, 16, N_PIXELS)
    pixels = batch["pixels"][0]
    assert len(set(pixels.tolist())) == N_PIXELS
    assert batch["pixels"].eq(pixels).all()
    assert torch.equal(batch["masks"], in_blocks(torch.from_numpy(masks[rows]))[..., pixels])
    drawn = {tuple(task.batch(rows, step)["pixels"][0].tolist()) for step in range(5)}
    assert len(drawn) > 1  # other pixels at other steps


def test_a_row_of_a_batch_does_not_depend_on_the_others(task):
    together, alone = task.batch(np.array([7, 3, 11]), 4), task.batch(np.array([3]), 4)
    for name, values in alone.items():
        torch.testing.assert_close(values, together[name][1:2])


def test_training_lowers_the_loss(task):
    optimizer = torch.optim.Adam(task.module.parameters(), lr=1e-2)
    batch = task.batch(np.arange(16), 0)
    losses = []
    for _ in range(25):
        optimizer.zero_grad()
        loss = task.module(**batch)["loss"]
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[0] == pytest.approx(np.log(len(SEGMENTATION_CLASSES)), abs=0.7)  # knows nothing yet
    assert losses[-1] < 0.7 * losses[0]


@torch.no_grad()
def test_validation_is_the_agreement_with_the_true_maps_of_held_out_scenes(task, held_out, held_out_masks):
    module = task.module.eval()
    scores = task.validate(module)
    labels = module.segmenter.labels(held_out.pixels(slice(None)))
    expected = overlap(labels, torch.from_numpy(held_out_masks), n_classes=20)
    assert {name: scores[name] for name in expected} == pytest.approx(expected)
    assert scores["monitor"] == -scores["mean_iou"]
    assert 0 <= scores["mean_iou_disturbed"] < 1
