import numpy as np
import pytest
import torch
from torch.nn import functional

from tempgen.config.optimization import OptimizationConfig
from tempgen.models.backbone.scenes import UNSHUFFLE, rotate, rotate_back
from tempgen.training.scenes.autoencoder import (
    LATENT_CHANNELS,
    AutoencoderModule,
    AutoencoderTask,
    PatchBasis,
)


@pytest.fixture(scope="module")
def basis(pictures):
    return PatchBasis.of(pictures)


@pytest.fixture(scope="module")
def module(basis):
    torch.manual_seed(0)
    return AutoencoderModule(basis).eval()


def blocks_of(pictures):
    """Blocks of 8 x 8 pixels in [-1, 1] as rows (n, 192), cut out by a loop."""
    pixels = pictures.images.astype(np.float64) / 255 * 2 - 1
    rows = [
        scene[top : top + 8, left : left + 8].transpose(2, 0, 1).ravel()
        for scene in pixels
        for top in range(0, 64, 8)
        for left in range(0, 64, 8)
    ]
    return np.stack(rows)


def test_the_basis_is_that_of_a_singular_value_decomposition(pictures, basis):
    rows = blocks_of(pictures)
    np.testing.assert_allclose(basis.mean.numpy(), rows.mean(axis=0), atol=1e-5)
    _, values, directions = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    for rank in range(5):
        column = basis.basis[:, -1 - rank].double().numpy()
        expected = directions[rank] / (values[rank] / len(rows) ** 0.5)
        np.testing.assert_allclose(column * np.sign(column @ expected), expected, rtol=1e-2, atol=1e-3)


def test_rotated_blocks_have_variance_1_where_scenes_vary(pictures, basis):
    blocks = functional.pixel_unshuffle(pictures.pixels(slice(None)) * 2 - 1, UNSHUFFLE)
    rotated = rotate(blocks, mean=basis.mean, basis=basis.basis)
    spread = rotated.std(dim=(0, 2, 3))
    torch.testing.assert_close(spread[-LATENT_CHANNELS:], torch.ones(LATENT_CHANNELS), rtol=1e-2, atol=0)
    assert float(spread.max()) < 1.01  # the faintest are not blown up
    assert float(rotated.mean(dim=(0, 2, 3)).abs().max()) < 1e-2


def test_rotating_back_gives_the_pixels_again(pictures, basis):
    blocks = functional.pixel_unshuffle(pictures.pixels(slice(0, 5)) * 2 - 1, UNSHUFFLE)
    inverse = torch.linalg.inv(basis.basis)
    again = rotate_back(rotate(blocks, mean=basis.mean, basis=basis.basis), mean=basis.mean, inverse=inverse)
    assert float((again - blocks).abs().max()) < 1e-3
    assert float((rotate(blocks, mean=basis.mean, basis=basis.basis) - blocks).abs().max()) > 1


def test_an_untrained_vae_reconstructs_as_well_as_principal_components(pictures, module):
    rows = blocks_of(pictures)
    centred = rows - rows.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)

    def error_of(n_components):
        kept = directions[:n_components]
        return float(np.mean((centred - centred @ kept.T @ kept) ** 2))

    pixels = pictures.pixels(slice(None)) * 2 - 1
    with torch.no_grad():
        latents = module.vae.encode(module.blocks(pixels)).latent_dist.mean
        error = float((module.decode(latents) - pixels).square().mean())
    assert latents.shape == (200, LATENT_CHANNELS, 8, 8)
    # the norms bend the line a little, so that it is not quite as good
    assert error_of(LATENT_CHANNELS) * 0.99 < error < error_of(LATENT_CHANNELS // 2)


def test_its_latents_are_the_largest_components(pictures, module):
    blocks = module.blocks(pictures.pixels(slice(0, 50)) * 2 - 1)
    with torch.no_grad():
        latents = module.vae.encode(blocks).latent_dist.mean
    largest = blocks.flip(1)[:, :LATENT_CHANNELS]
    for channel in range(LATENT_CHANNELS):
        pair = torch.stack([latents[:, channel].flatten(), largest[:, channel].flatten()])
        assert float(torch.corrcoef(pair)[0, 1]) > 0.95, channel


def test_the_loss_falls_with_the_error_and_gradients_reach_all_weights(pictures, basis):
    torch.manual_seed(0)
    module = AutoencoderModule(basis)
    images = pictures.pixels(slice(0, 4))
    noise = torch.zeros(4, LATENT_CHANNELS, 8, 8)
    outcome = module(images=images, noise=noise)
    outcome["loss"].backward()
    assert all(parameter.grad is not None for parameter in module.parameters())
    noisy = module(images=images, noise=noise + 20)
    assert noisy["loss"] > outcome["loss"]
    assert noisy["squared_error"] > outcome["squared_error"]


def test_a_batch_is_keyed_by_step_and_scene(pictures, held_out, module):
    task = AutoencoderTask(pictures, held_out, module, OptimizationConfig(), {"stage": "autoencoder"})
    batch, other = task.batch(np.array([4, 9]), 3), task.batch(np.array([9]), 3)
    assert torch.equal(batch["noise"][1], other["noise"][0])
    assert not torch.equal(batch["noise"][1], task.batch(np.array([9]), 4)["noise"][0])
    assert torch.equal(batch["images"][1], pictures.pixels(np.array([9]))[0])


@torch.no_grad()
def test_validation_is_the_peak_signal_to_noise_ratio(pictures, held_out, module):
    task = AutoencoderTask(pictures, held_out, module, OptimizationConfig(), {"stage": "autoencoder"})
    scores = task.validate(module)
    seen = held_out.pixels(slice(None))
    latents = module.vae.encode(module.blocks(seen * 2 - 1)).latent_dist.mean
    shown = (module.decode(latents).clamp(-1, 1) + 1) / 2
    each = [
        10 * np.log10(1 / np.mean((a - b) ** 2)) for a, b in zip(shown.numpy(), seen.numpy(), strict=True)
    ]
    assert scores["psnr_db"] == pytest.approx(np.mean(each), abs=1e-3)
    assert scores["monitor"] == -scores["psnr_db"]
