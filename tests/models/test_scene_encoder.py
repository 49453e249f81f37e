import pytest
import torch
from torch.nn import functional

from tempgen.models.scene_encoder import SceneEncoder, position_code


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return SceneEncoder(channels=(8, 8, 16), token_dim=12, grid_side=2).eval()


@torch.no_grad()
def test_images_become_one_token_of_the_whole_and_one_of_each_place(encoder):
    tokens = encoder(torch.rand(3, 3, 32, 32))
    assert tokens.shape == (3, 5, 12)
    assert (encoder.n_tokens, encoder.image_size) == (5, 32)
    assert (SceneEncoder().n_tokens, SceneEncoder().image_size) == (17, 64)


@torch.no_grad()
def test_an_images_tokens_do_not_depend_on_its_batch(encoder):
    images = torch.rand(4, 3, 32, 32)
    torch.testing.assert_close(encoder(images)[2:3], encoder(images[2:3]), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_grids_tokens_are_in_reading_order(encoder):
    images = torch.rand(2, 3, 32, 32)
    features = encoder.body(functional.pixel_unshuffle(images * 2 - 1, 4))
    tokens = encoder.raw_tokens(images)
    for row in range(2):
        for column in range(2):
            expected = encoder.to_grid(features)[:, :, row, column]
            torch.testing.assert_close(tokens[:, 1 + 2 * row + column], expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_tokens_are_standardized_by_the_stored_mean_and_scale(encoder):
    images = torch.rand(2, 3, 32, 32)
    raw = encoder.raw_tokens(images)
    assert torch.equal(encoder(images), raw + encoder.position)
    encoder.token_mean.fill_(0.5)
    encoder.token_scale.fill_(4)
    torch.testing.assert_close(encoder(images), (raw - 0.5) / 4 + encoder.position)


def test_positions_are_orthogonal_and_of_mean_square_1():
    code = position_code(17, 96)
    torch.testing.assert_close(code @ code.T / 96, torch.eye(17), rtol=0, atol=1e-5)
    assert float(code.mean(dim=1).abs().max()) < 1e-5


def test_mean_and_scale_are_saved_with_the_weights(encoder):
    encoder.token_mean.fill_(0.5)
    again = SceneEncoder(**{**encoder.config, "channels": tuple(encoder.config["channels"])})
    again.load_state_dict(encoder.state_dict())
    assert again.token_mean.eq(0.5).all()
