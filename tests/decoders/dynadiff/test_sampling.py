"""Sampling against an obvious loop over images, and what its noise depends on."""

import diffusers
import numpy as np
import pytest
import torch

from tempgen.config.sampling import SamplingConfig
from tempgen.decoders.dynadiff import initial_noise, sample_images
from tempgen.errors import DecoderError
from tests.tiny_backbone import SPEC

N = 5


@pytest.fixture
def tokens():
    return torch.randn(N, SPEC.n_tokens, SPEC.token_dim, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def noise():
    return initial_noise(SPEC, seed=0, image_ids=range(N), repetitions=[0] * N)


@torch.no_grad()
def _one_by_one(backbone, tokens, noise, *, name, n_steps, guidance):
    """What diffusers' own pipelines do, an image and a branch at a time."""
    images = []
    for condition, latents in zip(tokens, noise, strict=True):
        scheduler = getattr(diffusers, name).from_config(backbone.scheduler.config)
        scheduler.set_timesteps(n_steps)
        latents = latents[None] * scheduler.init_noise_sigma
        for t in scheduler.timesteps:
            scaled = scheduler.scale_model_input(latents, t)
            given = backbone.unet(scaled, t, encoder_hidden_states=condition[None]).sample
            free = backbone.unet(scaled, t, encoder_hidden_states=torch.zeros_like(condition[None])).sample
            latents = scheduler.step(free + guidance * (given - free), t, latents).prev_sample
        images.append(backbone.decode(latents)[0])
    return torch.stack(images)


@pytest.mark.parametrize(
    "name",
    [
        "DDIMScheduler",
        "DPMSolverMultistepScheduler",
        "EulerDiscreteScheduler",
        "UniPCMultistepScheduler",
        "PNDMScheduler",
    ],
)
def test_it_equals_a_loop_over_images_with_diffusers_scheduler(backbone, tokens, noise, name):
    config = SamplingConfig(scheduler=name, n_steps=5, guidance=2.5, batch_size=2)
    sampled = sample_images(backbone, tokens, noise=noise, config=config)
    expected = _one_by_one(backbone, tokens, noise, name=name, n_steps=5, guidance=2.5)
    assert sampled.shape == (N, 3, 16, 16)
    torch.testing.assert_close(sampled, expected, atol=2e-4, rtol=0)
    assert sampled.std() > 0.05  # not a constant


def test_guidance_of_one_is_the_conditional_model_alone(backbone, tokens, noise):
    config = SamplingConfig(n_steps=5, guidance=1.0)
    calls = []
    backbone.unet.register_forward_pre_hook(
        lambda module, args, given: calls.append(len(args[0] if args else given["sample"])), with_kwargs=True
    )
    sampled = sample_images(backbone, tokens, noise=noise, config=config)
    assert calls == [N] * 5
    expected = _one_by_one(backbone, tokens, noise, name="DDIMScheduler", n_steps=5, guidance=1.0)
    torch.testing.assert_close(sampled, expected, atol=2e-4, rtol=0)


@pytest.mark.parametrize(
    "name", ["DDIMScheduler", "DDPMScheduler", "EulerAncestralDiscreteScheduler", "LCMScheduler"]
)
def test_an_image_does_not_depend_on_its_batch_or_on_random_state(backbone, tokens, noise, name):
    images = []
    for seed, batch_size, order in ((0, 5, [0, 1, 2, 3, 4]), (1, 2, [3, 0, 4, 1, 2])):
        torch.manual_seed(seed)
        config = SamplingConfig(scheduler=name, n_steps=4, batch_size=batch_size)
        sampled = sample_images(backbone, tokens[order], noise=noise[order], config=config)
        images.append(sampled[np.argsort(order)])
    torch.testing.assert_close(*images, atol=2e-4, rtol=0)


def test_noise_depends_on_seed_image_and_repetition():
    def noise(seed=0, image=7, repetition=1):
        return initial_noise(SPEC, seed=seed, image_ids=[3, image], repetitions=[0, repetition])[1]

    alone = initial_noise(SPEC, seed=0, image_ids=[7], repetitions=[1])[0]
    assert torch.equal(noise(), alone)
    for other in (noise(seed=1), noise(image=8), noise(repetition=2)):
        assert (other != alone).all()
    with pytest.raises(DecoderError, match="2 image_ids and 1 repetitions"):
        initial_noise(SPEC, seed=0, image_ids=[1, 2], repetitions=[0])


def test_progress_counts_images(backbone, tokens, noise):
    done = []
    config = SamplingConfig(n_steps=1, batch_size=2)
    sample_images(backbone, tokens, noise=noise, config=config, progress=done.append)
    assert done == [2, 4, 5]


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("DDIM", "no scheduler 'DDIM'"),
        ("UNet2DConditionModel", "no scheduler"),
        ("FlowMatchEulerDiscreteScheduler", "predicts noise"),
        ("DDIMInverseScheduler", "predicts noise"),
    ],
)
def test_a_scheduler_that_is_none_or_of_another_kind_is_refused(backbone, tokens, noise, name, match):
    with pytest.raises(DecoderError, match=match):
        sample_images(backbone, tokens, noise=noise, config=SamplingConfig(scheduler=name))


def test_tokens_and_noise_of_another_backbone_are_refused(backbone, tokens, noise):
    for wrong in ({"tokens": tokens[:, 1:]}, {"noise": noise[1:]}, {"noise": noise[:, 1:]}):
        given = {"tokens": tokens, "noise": noise} | wrong
        with pytest.raises(DecoderError, match="tiny needs"):
            sample_images(backbone, given["tokens"], noise=given["noise"], config=SamplingConfig())


def test_bf16_changes_images_little(backbone, tokens, noise):
    exact, rounded = (
        sample_images(
            backbone, tokens, noise=noise, config=SamplingConfig(n_steps=4, mixed_precision=precision)
        )
        for precision in ("no", "bf16")
    )
    assert 0 < (exact - rounded).abs().mean() < 0.02
