import copy

import pytest
import torch
from diffusers import UNet2DConditionModel

from tempgen.config.adapters import AdapterConfig
from tempgen.errors import DecoderError
from tempgen.models.adapters import adapter_state, add_adapter, load_adapter_state
from tempgen.models.adapters.slot import adapter_parameters

KINDS = ("none", "cross-attention-lora", "linear-lora", "cross-attention-full", "full")


def tiny_unet(seed: int = 0) -> UNet2DConditionModel:
    torch.manual_seed(seed)
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        norm_num_groups=4,
        cross_attention_dim=12,
        attention_head_dim=2,
    ).eval()


def denoised(unet, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    latents = torch.randn(2, 4, 8, 8, generator=generator)
    tokens = torch.randn(2, 5, 12, generator=generator)
    return unet(latents.to(unet.dtype), 500, tokens.to(unet.dtype)).sample


def filled(unet, seed: int) -> dict[str, torch.Tensor]:
    """Weights for the adapter that change the output."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: 0.3 * torch.randn(p.shape, generator=generator) for name, p in adapter_parameters(unet).items()
    }


def full_size_unet() -> UNet2DConditionModel:
    with torch.device("meta"):
        return UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8)


def n_trainable(unet) -> int:
    return sum(parameter.numel() for parameter in unet.parameters() if parameter.requires_grad)


def test_on_the_full_size_unet_the_papers_lora_has_397_824_parameters():
    unet = full_size_unet()
    n_before = sum(parameter.numel() for parameter in unet.parameters())
    assert n_before == 859_520_964
    names = add_adapter(unet, AdapterConfig())
    assert n_trainable(unet) == 397_824
    assert len(names) == 16 * 4 * 2
    assert {name.split(".attn2.")[1].split(".lora_")[0] for name in names} == {
        "to_q",
        "to_k",
        "to_v",
        "to_out.0",
    }


@pytest.mark.parametrize("kind", KINDS)
def test_exactly_the_named_parameters_are_trainable_in_float32(kind):
    unet = tiny_unet().to(torch.bfloat16)
    before = {name for name, _ in unet.named_parameters()}
    linear = [m for m in unet.modules() if isinstance(m, torch.nn.Linear)]

    names = add_adapter(unet, AdapterConfig(kind=kind))

    parameters = dict(unet.named_parameters())
    assert [name for name, p in parameters.items() if p.requires_grad] == names
    assert all(parameters[name].dtype == torch.float32 for name in names)
    assert all(p.dtype == torch.bfloat16 for name, p in parameters.items() if name not in names)
    expected = {
        "none": set(),
        "cross-attention-lora": {name for name in parameters if ".attn2." in name and ".lora_" in name},
        "linear-lora": {name for name in parameters if ".lora_" in name},
        "cross-attention-full": {name for name in before if ".attn2." in name},
        "full": before,
    }[kind]
    assert set(names) == expected
    assert bool(names) == (kind != "none")
    if kind == "linear-lora":
        assert len(names) == 2 * len(linear)


@pytest.mark.parametrize("kind", ["cross-attention-lora", "linear-lora"])
def test_a_new_lora_leaves_the_unets_output_unchanged(kind):
    unet = tiny_unet()
    before = denoised(unet)
    add_adapter(unet, AdapterConfig(kind=kind))
    assert torch.equal(denoised(unet), before)
    load_adapter_state(unet, filled(unet, 1))
    assert not torch.allclose(denoised(unet), before)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "none"])
def test_gradients_reach_all_and_only_the_adapters_parameters(kind):
    unet = tiny_unet()
    names = add_adapter(unet, AdapterConfig(kind=kind))
    if kind.endswith("lora"):
        load_adapter_state(unet, filled(unet, 1))  # in a new one, the gradient of lora_A is zero
    denoised(unet).square().sum().backward()
    reached = {name for name, p in unet.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert reached == set(names)


def test_an_adapter_loaded_into_another_unet_gives_the_same_images():
    first, second = tiny_unet(), tiny_unet()
    for unet in (first, second):
        add_adapter(unet, AdapterConfig())
    load_adapter_state(first, filled(first, 1))
    assert not torch.equal(denoised(second), denoised(first))
    load_adapter_state(second, adapter_state(first))
    assert torch.equal(denoised(second), denoised(first))


def test_the_state_is_a_copy_that_later_switching_leaves_alone():
    unet = tiny_unet()
    add_adapter(unet, AdapterConfig())
    state = adapter_state(unet)
    name = next(iter(state))
    kept = state[name].clone()
    load_adapter_state(unet, filled(unet, 1))
    assert torch.equal(state[name], kept)
    assert not torch.equal(adapter_state(unet)[name], kept)


def test_switching_keeps_parameters_their_place_and_whether_they_train():
    unet = tiny_unet()
    add_adapter(unet, AdapterConfig())
    unet.requires_grad_(False)
    before = {name: (id(p), p.data_ptr()) for name, p in unet.named_parameters()}
    load_adapter_state(unet, filled(unet, 1))
    assert {name: (id(p), p.data_ptr()) for name, p in unet.named_parameters()} == before
    assert n_trainable(unet) == 0


def test_a_copy_of_the_unet_has_an_adapter_of_its_own():
    unet = tiny_unet()
    add_adapter(unet, AdapterConfig())
    before = adapter_state(unet)
    other = copy.deepcopy(unet)
    load_adapter_state(other, filled(other, 1))
    assert all(torch.equal(value, before[name]) for name, value in adapter_state(unet).items())
    assert not torch.equal(denoised(other), denoised(unet))


def test_a_compiled_layer_follows_a_switch_without_compiling_again():
    unet = tiny_unet()
    add_adapter(unet, AdapterConfig())
    n_compiled = 0

    def backend(graph, _inputs):
        nonlocal n_compiled
        n_compiled += 1
        return graph.forward

    attention = unet.mid_block.attentions[0].transformer_blocks[0].attn2
    compiled = torch.compile(attention, backend=backend)
    hidden, tokens = torch.randn(2, 16, 16), torch.randn(2, 5, 12)
    with torch.no_grad():
        before = compiled(hidden, tokens)
        n_first = n_compiled
        load_adapter_state(unet, filled(unet, 1))
        after = compiled(hidden, tokens)
        assert not torch.allclose(after, before)
        torch.testing.assert_close(after, attention(hidden, tokens))
    assert n_compiled == n_first > 0


def test_a_compiled_unet_is_switched_like_a_plain_one():
    unet = tiny_unet()
    add_adapter(unet, AdapterConfig())
    wrapped = torch.compile(unet)  # compiles at the first call only
    state = filled(unet, 1)
    load_adapter_state(wrapped, state)
    assert adapter_state(wrapped).keys() == adapter_state(unet).keys()
    name = next(iter(state))
    assert torch.equal(adapter_state(unet)[name], state[name])


def test_diffusers_reads_the_saved_names(tmp_path):
    from safetensors.torch import save_file

    unet = tiny_unet()
    add_adapter(unet, AdapterConfig())
    load_adapter_state(unet, filled(unet, 1))
    save_file(adapter_state(unet), tmp_path / "pytorch_lora_weights.safetensors")
    other = tiny_unet()
    other.load_lora_adapter(str(tmp_path), prefix=None, use_safetensors=True)
    torch.testing.assert_close(denoised(other), denoised(unet))


def test_missing_and_unexpected_names_are_listed_and_nothing_is_changed():
    unet = tiny_unet()
    add_adapter(unet, AdapterConfig())
    before = adapter_state(unet)
    state = filled(unet, 1)
    lost = next(iter(state))
    state["conv_in.weight"] = state.pop(lost)
    with pytest.raises(DecoderError) as refused:
        load_adapter_state(unet, state)
    assert f"missing: {lost};" in str(refused.value)
    assert "unexpected: conv_in.weight" in str(refused.value)
    assert all(torch.equal(value, before[name]) for name, value in adapter_state(unet).items())


def test_another_rank_is_refused_with_the_shapes_and_nothing_is_changed():
    unet, other = tiny_unet(), tiny_unet()
    add_adapter(unet, AdapterConfig())
    add_adapter(other, AdapterConfig(rank=2, alpha=2))
    before = adapter_state(unet)
    with pytest.raises(DecoderError, match=r"lora_A.weight \(2, 8\) instead of \(4, 8\)"):
        load_adapter_state(unet, adapter_state(other))
    assert all(torch.equal(value, before[name]) for name, value in adapter_state(unet).items())


def test_alpha_over_rank_scales_the_update():
    plain, doubled = tiny_unet(), tiny_unet()
    add_adapter(plain, AdapterConfig())
    add_adapter(doubled, AdapterConfig(alpha=8))
    state = filled(plain, 1)
    load_adapter_state(plain, state)
    load_adapter_state(doubled, {k: v / 2 if ".lora_B." in k else v for k, v in state.items()})
    torch.testing.assert_close(denoised(doubled), denoised(plain))


def test_a_unet_without_or_with_an_adapter_is_refused_where_that_is_wrong():
    unet = tiny_unet()
    with pytest.raises(DecoderError, match="no adapter yet"):
        adapter_state(unet)
    add_adapter(unet, AdapterConfig(kind="none"))
    assert adapter_state(unet) == {}
    load_adapter_state(unet, {})
    with pytest.raises(DecoderError, match="already has an adapter"):
        add_adapter(unet, AdapterConfig())


@pytest.mark.parametrize("kind", ["cross-attention-lora", "cross-attention-full"])
def test_a_model_without_cross_attention_is_refused(kind):
    with pytest.raises(DecoderError, match=f"no layer for an adapter of kind '{kind}'"):
        add_adapter(torch.nn.Sequential(torch.nn.Linear(3, 3)), AdapterConfig(kind=kind))
