"""Tests of the backbone's interface on a tiny Versatile Diffusion, against direct calls of its parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from tempgen.errors import BackboneError
from tempgen.models.backbone import Backbone, LatentMoments, load_backbone
from tempgen.models.backbone.versatile import CLIP_MEAN, CLIP_STD, clip_pixels
from tests.models.backbone.tiny_versatile import N_TOKENS, TOKEN_DIM, save_tiny_versatile


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    folder: Path = tmp_path_factory.mktemp("versatile")
    save_tiny_versatile(folder, safe=False, old_vae_names=True)
    return load_backbone(folder)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def test_encode_is_the_vaes_posterior_times_the_scale(backbone: Backbone, images: Tensor) -> None:
    moments = backbone.encode(images)

    posterior = backbone.vae.encode(images * 2 - 1).latent_dist
    torch.testing.assert_close(moments.mean, posterior.mean * 0.18215)
    torch.testing.assert_close(moments.logvar.exp().sqrt(), posterior.std * 0.18215)
    assert moments.mean.shape == (2, *backbone.spec.latent_shape)


def test_sampled_moments_have_the_posteriors_mean_and_spread() -> None:
    moments = LatentMoments(
        mean=torch.full((1, 1, 100, 100), 3.0), logvar=torch.full((1, 1, 100, 100), 0.25).log()
    )

    sampled = moments.sample(torch.randn(1, 1, 100, 100, generator=torch.Generator().manual_seed(0)))

    assert sampled.mean() == pytest.approx(3, abs=0.02)
    assert sampled.std() == pytest.approx(0.5, abs=0.02)


def test_decode_undoes_the_scale_and_stays_in_zero_to_one(
    backbone: Backbone, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    posterior = backbone.vae.encode(images * 2 - 1).latent_dist

    decoded = backbone.decode(backbone.encode(images).mean)

    direct = (backbone.vae.decode(posterior.mean).sample / 2 + 0.5).clamp(0, 1)
    torch.testing.assert_close(decoded, direct)
    monkeypatch.setattr(backbone, "from_vae", lambda values: 1e3 * values)
    extreme = backbone.decode(torch.randn(2, *backbone.spec.latent_shape))
    assert extreme.min() == 0
    assert extreme.max() == 1


def test_encode_resizes_images_of_another_size(backbone: Backbone) -> None:
    gray = torch.full((1, 3, 40, 40), 0.3)

    torch.testing.assert_close(backbone.encode(gray).mean, backbone.encode(gray[..., :16, :16]).mean)


def test_tokens_are_projected_states_over_the_length_of_the_first(backbone: Backbone, images: Tensor) -> None:
    encoder = backbone.image_encoder

    tokens = backbone.tokens(images)

    mean, std = (torch.tensor(values).reshape(3, 1, 1) for values in (CLIP_MEAN, CLIP_STD))
    output = encoder((images - mean) / std)
    assert tokens.shape == (2, N_TOKENS, TOKEN_DIM)
    # The class token is CLIP's own image embedding, of length 1.
    pooled = output.image_embeds
    torch.testing.assert_close(tokens[:, 0], pooled / pooled.norm(dim=-1, keepdim=True))
    # The patches are projected in the same way and share its divisor.
    patches = encoder.visual_projection(encoder.vision_model.post_layernorm(output.last_hidden_state[:, 1:]))
    torch.testing.assert_close(tokens[:, 1:] * pooled.norm(dim=-1)[:, None, None], patches)
    assert not torch.allclose(tokens[:, 1:].norm(dim=-1), torch.ones(()), atol=1e-2)


@pytest.mark.parametrize("size", [(425, 425), (300, 451), (100, 90)])
def test_clip_pixels_equal_transformers_preprocessing(size: tuple[int, int]) -> None:
    from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

    # Smooth bytes: of noise, PIL's rounding between its two passes is the larger difference.
    coarse = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC)
    reference = transformers_clip_pixels(image)

    found = clip_pixels(torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 255, side=224)

    assert found.shape == (1, 3, 224, 224)
    assert (tuple(OPENAI_CLIP_MEAN), tuple(OPENAI_CLIP_STD)) == (CLIP_MEAN, CLIP_STD)
    in_bytes = (found[0] - reference).abs() * torch.tensor(CLIP_STD).reshape(3, 1, 1) * 255
    assert in_bytes.max() < 1.6


def transformers_clip_pixels(image: Image.Image) -> Tensor:
    """As VersatileDiffusion's image_feature_extractor does it, with PIL."""
    import transformers

    extractor = getattr(transformers, "CLIPImageProcessorPil", transformers.CLIPImageProcessor)
    return extractor()(images=image, return_tensors="pt")["pixel_values"][0]


def test_denoise_is_the_unets_prediction_and_gradients_reach_the_tokens(backbone: Backbone) -> None:
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(2, *backbone.spec.latent_shape, generator=generator)
    tokens = torch.randn(2, N_TOKENS, TOKEN_DIM, generator=generator).requires_grad_()
    timesteps = torch.tensor([3, 900])

    predicted = backbone.denoise(latents, timesteps, tokens)
    predicted.square().mean().backward()

    direct = backbone.unet(latents, timesteps, encoder_hidden_states=tokens).sample
    torch.testing.assert_close(predicted, direct)
    assert tokens.grad is not None
    assert tokens.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in backbone.parameters())


def test_null_tokens_are_zeros(backbone: Backbone) -> None:
    torch.testing.assert_close(backbone.null_tokens(3), torch.zeros(3, N_TOKENS, TOKEN_DIM))


def test_the_backbone_is_frozen_and_stays_in_evaluation_mode(backbone: Backbone) -> None:
    torch.nn.ModuleList([backbone]).train()

    assert not any(module.training for module in backbone.modules())
    assert not any(parameter.requires_grad for parameter in backbone.parameters())


@pytest.mark.parametrize(
    ("images", "needed"),
    [
        (torch.zeros(2, 16, 16, 3), "move the channels first"),
        (torch.zeros(3, 16, 16), "needed is .n, 3, height, width"),
        (torch.zeros(2, 3, 16, 20), "needed are squares"),
        (torch.zeros(2, 3, 16, 16, dtype=torch.uint8), "divide bytes by 255"),
    ],
)
def test_what_is_no_batch_of_images_is_refused(backbone: Backbone, images: Tensor, needed: str) -> None:
    with pytest.raises(BackboneError, match=needed):
        backbone.encode(images)


def test_latents_and_tokens_of_another_backbone_are_refused(backbone: Backbone) -> None:
    with pytest.raises(BackboneError, match=r"latents have shape \(1, 16, 8, 8\).*\(n, 4, 8, 8\)"):
        backbone.decode(torch.zeros(1, 16, 8, 8))
    with pytest.raises(BackboneError, match=r"condition has shape \(1, 17, 96\).*takes \(1, 17, 12\)"):
        backbone.denoise(torch.zeros(1, 4, 8, 8), 0, torch.zeros(1, 17, 96))
