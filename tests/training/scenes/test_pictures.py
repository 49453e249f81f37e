import numpy as np
import pytest
import torch

from tempgen.data.scenes import BACKGROUNDS, CATEGORIES, COLOURS, render_scene
from tempgen.training.scenes import pictures as module
from tempgen.training.scenes.pictures import Pictures, draw_masks, draw_pictures


def test_content_says_what_each_scene_shows(pictures):
    assert pictures.content.shape == (200, len(BACKGROUNDS) + len(CATEGORIES) + len(COLOURS) + 3)
    for row in (0, 57, 199):
        scene = render_scene(row, seed=7)
        np.testing.assert_array_equal(pictures.images[row], scene.image)
        shown = {CATEGORIES[k] for k in np.flatnonzero(pictures.categories[row])}
        assert shown == {CATEGORIES[thing.category] for thing in scene.objects}
        assert pictures.content[row, : len(BACKGROUNDS)].argmax() == scene.background
        assert pictures.content[row, : len(BACKGROUNDS)].sum() == 1


def test_pixels_are_channels_first_in_0_1(pictures):
    rows = np.array([3, 1, 3])
    pixels = pictures.pixels(rows)
    assert pixels.shape == (3, 3, 64, 64)
    assert pixels.dtype == torch.float32
    assert float(pixels[1, 2, 5, 6]) == pytest.approx(pictures.images[1, 5, 6, 2] / 255)
    assert torch.equal(pixels[0], pixels[2])
    assert torch.equal(pictures.pixels(slice(1, 2))[0], pixels[1])


@pytest.mark.slow
def test_scenes_are_drawn_once_and_in_their_order_whatever_the_chunks(tmp_path, pictures, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 15)
    monkeypatch.setattr(module.os, "cpu_count", lambda: 2)
    path = tmp_path / "run" / "pictures.npz"
    drawn = draw_pictures(path, n_scenes=40, seed=7)
    np.testing.assert_array_equal(drawn.images, pictures.images[:40])
    np.testing.assert_array_equal(drawn.content, pictures.content[:40])
    monkeypatch.setattr(module, "ProcessPoolExecutor", None)  # nothing is drawn again
    again = draw_pictures(path, n_scenes=40, seed=7)
    np.testing.assert_array_equal(again.images, drawn.images)
    assert [each.name for each in path.parent.iterdir()] == ["pictures.npz"]


def test_scenes_in_a_file_are_taken_from_it(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ProcessPoolExecutor", None)
    kept = Pictures(np.full((2, 64, 64, 3), 9, np.uint8), np.zeros((2, 31), np.float32))
    np.savez(tmp_path / "kept.npz", images=kept.images, content=kept.content)
    assert np.array_equal(draw_pictures(tmp_path / "kept.npz", n_scenes=2, seed=0).images, kept.images)


def test_masks_are_the_segmentation_of_the_same_scenes(pictures, masks):
    assert masks.shape == (200, 64, 64)
    assert masks.dtype == np.uint8
    for row in (0, 57, 199):
        scene = render_scene(row, seed=7)
        np.testing.assert_array_equal(masks[row], scene.segmentation)
        np.testing.assert_array_equal(pictures.images[row], scene.image)


@pytest.mark.slow
def test_masks_lie_in_a_file_of_their_own_and_are_drawn_once(tmp_path, masks, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 15)
    monkeypatch.setattr(module.os, "cpu_count", lambda: 2)
    path = tmp_path / "masks.npz"
    np.testing.assert_array_equal(draw_masks(path, n_scenes=40, seed=7), masks[:40])
    monkeypatch.setattr(module, "ProcessPoolExecutor", None)  # nothing is drawn again
    np.testing.assert_array_equal(draw_masks(path, n_scenes=40, seed=7), masks[:40])
    assert [each.name for each in tmp_path.iterdir()] == ["masks.npz"]
