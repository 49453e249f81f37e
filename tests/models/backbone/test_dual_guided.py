"""The plain image UNet against the dual-guided one, built as diffusers' own pipeline builds it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from tempgen import models as models  # before diffusers
from tempgen.models.backbone.dual_guided import image_unet_name
from tests.models.backbone.tiny_versatile import N_TOKENS, TOKEN_DIM, UNET

N_TEXT_TOKENS = 5


def image_and_text_unets() -> tuple[torch.nn.Module, torch.nn.Module]:
    from diffusers import UNet2DConditionModel

    torch.manual_seed(0)
    return tuple(UNet2DConditionModel(**UNET).double().eval() for _ in range(2))  # type: ignore[return-value]


def dual_guided(
    image_unet: torch.nn.Module, text_unet: torch.nn.Module, *, text_weight: float
) -> torch.nn.Module:
    """The image UNet with each attention block paired with the text UNet's, mixed by diffusers' own class."""
    from diffusers.models.transformers.dual_transformer_2d import DualTransformer2DModel
    from diffusers.models.transformers.transformer_2d import Transformer2DModel

    dual = copy.deepcopy(image_unet)
    names = [name for name, module in dual.named_modules() if isinstance(module, Transformer2DModel)]
    assert len(names) == 4
    for name in names:
        image, text = dual.get_submodule(name), text_unet.get_submodule(name)
        pair = DualTransformer2DModel(
            num_attention_heads=image.config.num_attention_heads,
            attention_head_dim=image.config.attention_head_dim,
            in_channels=image.config.in_channels,
            norm_num_groups=image.config.norm_num_groups,
            cross_attention_dim=image.config.cross_attention_dim,
        )
        pair.transformers[0], pair.transformers[1] = image, copy.deepcopy(text)
        # The first tokens are the text's and belong to the second transformer.
        pair.condition_lengths, pair.transformer_index_for_condition = [N_TEXT_TOKENS, N_TOKENS], [1, 0]
        pair.mix_ratio = text_weight
        # The one patch: its forward has no such argument, though the UNet passes it; so the pipeline cannot run.
        pair.register_forward_pre_hook(without_encoder_mask, with_kwargs=True)
        parent, index = name.rsplit(".", 1)
        dual.get_submodule(parent)[int(index)] = pair
    return dual


def without_encoder_mask(
    module: torch.nn.Module, args: Any, kwargs: dict[str, Any]
) -> tuple[Any, dict[str, Any]]:
    return args, {name: value for name, value in kwargs.items() if name != "encoder_attention_mask"}


def predict(unet: torch.nn.Module, tokens: Tensor) -> Tensor:
    latents = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        return unet(latents, torch.tensor([10, 700]), encoder_hidden_states=tokens).sample


@pytest.fixture
def text_tokens() -> Tensor:
    return torch.randn(2, N_TEXT_TOKENS, TOKEN_DIM, dtype=torch.float64)


@pytest.fixture
def image_tokens() -> Tensor:
    return torch.randn(2, N_TOKENS, TOKEN_DIM, dtype=torch.float64)


def test_plain_image_unet_equals_the_dual_guided_one_with_text_weight_zero(
    text_tokens: Tensor, image_tokens: Tensor
) -> None:
    dual = dual_guided(*image_and_text_unets(), text_weight=0.0)

    predicted = predict(dual, torch.cat([text_tokens, image_tokens], dim=1))

    from diffusers import UNet2DConditionModel

    plain = UNet2DConditionModel(**UNET).double().eval()
    weights = {image_unet_name(name): weight for name, weight in dual.state_dict().items()}
    del weights[None]  # the text's branches
    plain.load_state_dict(weights, strict=True)
    # The mixture adds and subtracts the block's input: equal up to rounding.
    torch.testing.assert_close(predict(plain, image_tokens), predicted, rtol=0, atol=1e-12)


def test_with_a_text_weight_they_differ(text_tokens: Tensor, image_tokens: Tensor) -> None:
    image_unet, text_unet = image_and_text_unets()
    dual = dual_guided(image_unet, text_unet, text_weight=0.5)

    predicted = predict(dual, torch.cat([text_tokens, image_tokens], dim=1))

    assert (predict(image_unet, image_tokens) - predicted).abs().max() > 1e-3


def test_the_texts_half_is_dropped_and_nothing_else() -> None:
    image_unet, text_unet = image_and_text_unets()
    state = dual_guided(image_unet, text_unet, text_weight=0.0).state_dict()

    dropped = [name for name in state if image_unet_name(name) is None]

    assert len(state) - len(dropped) == len(image_unet.state_dict())
    assert len(dropped) == sum(".attentions." in name for name in text_unet.state_dict())
    assert all(".transformers.1." in name for name in dropped)
