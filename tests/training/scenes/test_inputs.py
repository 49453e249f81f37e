import pytest
import torch

from tempgen.models.backbone.scenes import arguments_of
from tempgen.training.scenes.inputs import fit_readout


@pytest.fixture
def tokens():
    rng = torch.Generator().manual_seed(0)
    return torch.randn(400, 5, 12, generator=rng) + 3 * torch.randn(5, 12, generator=rng)


def read(tokens, readout, latents):
    return arguments_of(latents, tokens, readout)["sample"][:, latents.shape[1] :]


def test_a_linear_relation_between_tokens_and_latents_is_found(tokens):
    planted = torch.randn(4, 12, 3 * 16, generator=torch.Generator().manual_seed(1))
    blank = torch.zeros(400, 3, 8, 8)
    latents = read(tokens, planted, blank)
    found = fit_readout(latents, tokens)
    assert found.shape == planted.shape
    torch.testing.assert_close(read(tokens, found, blank), latents, rtol=0.02, atol=0.05)


def test_of_latents_that_tokens_do_not_tell_only_the_mean_is_read(tokens):
    rng = torch.Generator().manual_seed(2)
    latents = torch.randn(400, 3, 8, 8, generator=rng) + 1
    found = read(tokens, fit_readout(latents, tokens), torch.zeros_like(latents))
    assert float((found - 1).square().mean()) < 0.1
    assert float((found - latents).square().mean()) > 0.8


def test_the_readout_survives_half_precision(tokens):
    readout = fit_readout(torch.randn(400, 3, 8, 8), tokens)
    assert torch.equal(readout.half().float(), readout)
