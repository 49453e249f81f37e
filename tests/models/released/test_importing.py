import os
import pickle
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from tempgen.config.adapters import AdapterConfig
from tempgen.errors import DecoderError
from tempgen.models.adapters import adapter_state, add_adapter, load_adapter_state
from tempgen.models.adapters.slot import adapter_parameters
from tempgen.models.backbone.dual_guided import image_unet_name
from tempgen.models.released import (
    brain_module_from_released,
    deepspeed_to_safetensors,
    import_released_decoder,
)
from tempgen.models.released.names import factor_name
from tempgen.models.released.pickled import Placeholder, load_pickled
from tests.models.released.checkpoints import (
    BRAIN,
    N_TR,
    N_VOXELS,
    PREFIX,
    TOKEN_DIM,
    ReleasedBrainModule,
    released_weights,
    tiny_unet,
    write_checkpoint,
)

SUBJECTS = ("subj01",)


class Released:
    """What a tiny checkpoint was made from."""

    def __init__(self, n_subjects: int = 1):
        torch.manual_seed(3)
        self.brain = ReleasedBrainModule(n_subjects).eval()
        unet = tiny_unet()
        frozen_unet = tiny_unet()
        add_adapter(unet, AdapterConfig())
        self.adapter = {name: torch.randn(p.shape) for name, p in adapter_parameters(unet).items()}
        load_adapter_state(unet, self.adapter)
        self.unet = unet
        self.trained, self.frozen = released_weights(self.adapter, self.brain, frozen_unet)


@pytest.fixture
def released():
    return Released()


@pytest.mark.parametrize("n_processes", [1, 3])
@pytest.mark.parametrize("padded", [False, True])
def test_a_deepspeed_checkpoint_gives_the_decoder_that_wrote_it(tmp_path, released, n_processes, padded):
    folder = write_checkpoint(
        tmp_path / "sub01" / "checkpoint",
        released.trained,
        released.frozen,
        n_processes=n_processes,
        padded=padded,
    )
    unet = tiny_unet()
    add_adapter(unet, AdapterConfig())

    brain_state, adapter = import_released_decoder(folder, subjects=SUBJECTS, unet=unet)

    module = brain_module_from_released(brain_state, token_dim=TOKEN_DIM)
    windows = torch.randn(4, N_TR, N_VOXELS)
    torch.testing.assert_close(module(windows, "subj01"), released.brain(windows.transpose(1, 2), 0))
    load_adapter_state(unet, adapter)
    latents, tokens = torch.randn(2, 4, 8, 8), torch.randn(2, 5, TOKEN_DIM)
    assert torch.equal(unet(latents, 10, tokens).sample, released.unet(latents, 10, tokens).sample)
    assert all(value.dtype == torch.float32 for value in (*brain_state.values(), *adapter.values()))


def test_the_module_can_be_trained_further(tmp_path, released):
    folder = write_checkpoint(tmp_path / "c", released.trained, released.frozen)
    module = brain_module_from_released(
        import_released_decoder(folder, subjects=SUBJECTS).brain_state, token_dim=TOKEN_DIM
    )
    module.train()(torch.randn(2, N_TR, N_VOXELS), "subj01").sum().backward()
    assert all(parameter.grad is not None for parameter in module.parameters())


def test_shards_win_over_the_model_files_half_precision(tmp_path, released):
    folder = write_checkpoint(tmp_path / "c", released.trained, released.frozen)
    name = BRAIN + "lin1.weight"
    exact = import_released_decoder(folder, subjects=SUBJECTS).brain_state["output.weight"]
    assert torch.equal(exact, released.trained[name])
    for shard in folder.glob("*_optim_states.pt"):
        shard.unlink()
    rounded = import_released_decoder(folder, subjects=SUBJECTS).brain_state["output.weight"]
    assert torch.equal(rounded, released.trained[name].half().float())
    assert not torch.equal(rounded, exact)


@pytest.mark.parametrize("wrapper", ["", "_forward_module.model.", "module."])
def test_prefixes_of_wrappers_do_not_matter(tmp_path, released, wrapper):
    trained = type(released.trained)(
        (wrapper + name.removeprefix(PREFIX), value) for name, value in released.trained.items()
    )
    folder = write_checkpoint(tmp_path / "c", trained, {})
    assert import_released_decoder(folder, subjects=SUBJECTS).adapter_state.keys() == released.adapter.keys()


def test_a_folder_above_and_a_latest_file_lead_to_the_checkpoint(tmp_path, released):
    write_checkpoint(tmp_path / "last.ckpt" / "checkpoint", released.trained, released.frozen)
    assert (
        import_released_decoder(tmp_path, subjects=SUBJECTS).adapter_state.keys() == released.adapter.keys()
    )
    write_checkpoint(tmp_path / "step_2", released.trained, released.frozen)
    with pytest.raises(DecoderError, match="2 DeepSpeed checkpoints; name one: .*step_2"):
        import_released_decoder(tmp_path, subjects=SUBJECTS)
    (tmp_path / "latest").write_text("step_2\n")
    assert (
        import_released_decoder(tmp_path, subjects=SUBJECTS).adapter_state.keys() == released.adapter.keys()
    )


@pytest.mark.parametrize("kind", ["safetensors", "state dict", "lightning"])
def test_a_single_file_is_read_too(tmp_path, released, kind):
    weights = {**released.trained, **released.frozen}
    path = tmp_path / ("weights.safetensors" if kind == "safetensors" else "weights.pt")
    if kind == "safetensors":
        save_file(weights, path)
    else:
        torch.save(weights if kind == "state dict" else {"state_dict": weights, "epoch": 3}, path)
    brain_state, adapter = import_released_decoder(path, subjects=SUBJECTS)
    assert torch.equal(brain_state["output.bias"], released.brain.lin1.bias)
    assert all(torch.equal(adapter[name], value) for name, value in released.adapter.items())


def test_subjects_get_the_layers_in_their_order(tmp_path):
    released = Released(n_subjects=2)
    folder = write_checkpoint(tmp_path / "c", released.trained, released.frozen)
    module = brain_module_from_released(
        import_released_decoder(folder, subjects=("subj05", "subj02")).brain_state, token_dim=TOKEN_DIM
    )
    windows = torch.randn(4, N_TR, N_VOXELS)
    for row, subject in enumerate(("subj05", "subj02")):
        torch.testing.assert_close(module(windows, subject), released.brain(windows.transpose(1, 2), row))
    with pytest.raises(DecoderError, match=r"\(2, 11, 8\), .*; 1 names were given: subj01"):
        import_released_decoder(folder, subjects=SUBJECTS)


def test_converted_shards_hold_the_same_decoder(tmp_path, released):
    folder = write_checkpoint(tmp_path / "c", released.trained, released.frozen)
    path = tmp_path / "decoder.safetensors"
    written = deepspeed_to_safetensors(folder, path)
    converted = load_file(path)
    assert set(written) == converted.keys() == released.trained.keys()
    assert all(torch.equal(converted[name], value) for name, value in released.trained.items())
    first, second = (import_released_decoder(source, subjects=SUBJECTS) for source in (folder, path))
    assert all(torch.equal(second.brain_state[k], v) for k, v in first.brain_state.items())
    assert all(torch.equal(second.adapter_state[k], v) for k, v in first.adapter_state.items())


def test_wrong_names_are_listed_and_not_ignored(tmp_path, released):
    trained = released.trained
    trained[BRAIN + "lin9.bias"] = trained.pop(BRAIN + "lin1.bias")
    trained["model.brain_modules.blurry.lin0.bias"] = torch.zeros(2)
    trained["model.unet.conv_in.bias"] = torch.zeros(8)  # trained, so not the backbone's
    lost = next(name for name in trained if "transformers.0" in name and "lora_B" in name)
    del trained[lost]
    folder = write_checkpoint(tmp_path / "c", trained, {})
    with pytest.raises(DecoderError) as refused:
        import_released_decoder(folder, subjects=SUBJECTS)
    missing, unexpected = str(refused.value).split("; unexpected: ")
    assert "brain_modules.clip_image.lin1.bias" in missing
    assert image_unet_name(factor_name(lost.removeprefix("model."))) in missing
    for name in (
        "brain_modules.clip_image.lin9.bias",
        "model.brain_modules.blurry.lin0.bias",
        "model.unet.conv_in.bias",
    ):
        assert name in unexpected


def test_names_may_be_left_out_knowingly(tmp_path, released):
    released.trained["model.extra.weight"] = torch.zeros(2)
    folder = write_checkpoint(tmp_path / "c", released.trained, released.frozen)
    with pytest.raises(DecoderError, match="unexpected: model.extra.weight"):
        import_released_decoder(folder, subjects=SUBJECTS)
    imported = import_released_decoder(folder, subjects=SUBJECTS, leave_out=("model.extra.",))
    assert imported.adapter_state.keys() == released.adapter.keys()


def test_layers_that_the_unet_lacks_or_has_more_of_are_listed(tmp_path, released):
    folder = write_checkpoint(tmp_path / "c", released.trained, released.frozen)
    unet = tiny_unet()
    add_adapter(unet, AdapterConfig(kind="linear-lora"))
    with pytest.raises(DecoderError, match=r"missing: .*attn1\.to_k\.lora_A\.weight"):
        import_released_decoder(folder, subjects=SUBJECTS, unet=unet)


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_missing_shard_is_named(tmp_path, released, lost):
    folder = write_checkpoint(tmp_path / "c", released.trained, released.frozen)
    (folder / f"zero_pp_rank_{lost}_mp_rank_00_optim_states.pt").unlink()
    with pytest.raises(
        DecoderError, match=rf"saved by 3 processes, but has 2 shards .*processes \[{lost}\] are missing"
    ):
        import_released_decoder(folder, subjects=SUBJECTS)


def test_a_shard_of_another_checkpoint_is_refused(tmp_path, released):
    folder = write_checkpoint(tmp_path / "c", released.trained, released.frozen)
    short = type(released.trained)(list(released.trained.items())[:-2])
    other = write_checkpoint(tmp_path / "d", short, released.frozen)
    name = "zero_pp_rank_1_mp_rank_00_optim_states.pt"
    shutil.copy(other / name, folder / name)
    with pytest.raises(DecoderError, match="cut short or of another checkpoint"):
        import_released_decoder(folder, subjects=SUBJECTS)


def test_a_truncated_file_is_refused_by_name(tmp_path, released):
    folder = write_checkpoint(tmp_path / "c", released.trained, released.frozen)
    path = folder / "mp_rank_00_model_states.pt"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DecoderError, match=r"mp_rank_00_model_states\.pt cannot be read"):
        import_released_decoder(folder, subjects=SUBJECTS)


def test_a_brain_module_whose_sizes_contradict_each_other_is_refused(tmp_path, released):
    released.trained[BRAIN + "lin0.bias"] = torch.zeros(5)
    folder = write_checkpoint(tmp_path / "c", released.trained, released.frozen)
    with pytest.raises(DecoderError, match=r"lin0.bias \(5,\) instead of \(48,\)"):
        import_released_decoder(folder, subjects=SUBJECTS)


@pytest.mark.parametrize("content", ["nothing", "stage 3"])
def test_a_folder_without_a_readable_checkpoint_says_what_is_lacking(tmp_path, content):
    if content == "stage 3":
        (tmp_path / "zero_pp_rank_0_mp_rank_00_model_states.pt").touch()
    message = {"nothing": "no mp_rank_00_model_states.pt", "stage 3": "ZeRO stage 3"}[content]
    with pytest.raises(DecoderError, match=message):
        import_released_decoder(tmp_path, subjects=SUBJECTS)


def test_files_hold_objects_that_torch_refuses_and_that_are_passed_over(tmp_path, released):
    folder = write_checkpoint(tmp_path / "c", released.trained, released.frozen)
    path = folder / "zero_pp_rank_0_mp_rank_00_optim_states.pt"
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)
    state = load_pickled(path)["optimizer_state_dict"]
    assert isinstance(state["loss_scaler"], Placeholder)
    assert state["zero_stage"].args == (2,)
    assert all(isinstance(part, torch.Tensor) for part in state["single_partition_of_fp32_groups"])
    with pytest.raises(pickle.UnpicklingError):  # trust ends with the reading
        torch.load(path, weights_only=True)


def mkpath(path):
    os.mkdir(path)


class Malicious:
    """Makes a folder when it is unpickled by a reader that trusts it."""

    def __init__(self, function, path):
        self.function, self.path = function, path

    def __reduce__(self):
        return (self.function, (str(self.path),))


@pytest.mark.parametrize("function", [os.mkdir, mkpath], ids=["blocked by torch", "replaced"])
def test_code_in_a_file_is_never_run(tmp_path, released, function):
    trap = tmp_path / "trap"
    weights = {**released.trained, "model.extra": Malicious(function, trap)}
    torch.save({"state_dict": weights}, tmp_path / "weights.pt")
    with pytest.raises(DecoderError, match=r"it calls posix\.mkdir|unexpected: model\.extra"):
        import_released_decoder(tmp_path / "weights.pt", subjects=SUBJECTS)
    assert not trap.exists()
    torch.load(tmp_path / "weights.pt", weights_only=False)
    assert trap.exists()  # it would have


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.attn2.to_q.lora_A.default.weight", "a.attn2.to_q.lora_A.weight"),
        ("a.attn2.to_out.0.lora_B.weight", "a.attn2.to_out.0.lora_B.weight"),
        ("a.attn2.to_k.lora.down.weight", "a.attn2.to_k.lora_A.weight"),
        ("a.attn2.to_k.lora.up.weight", "a.attn2.to_k.lora_B.weight"),
        ("a.attn2.to_v.lora_down.weight", "a.attn2.to_v.lora_A.weight"),
        ("a.attn2.processor.to_out_lora.up.weight", "a.attn2.to_out.0.lora_B.weight"),
        ("a.attn2.to_q.base_layer.weight", None),
        ("a.attn2.to_q.weight", None),
    ],
)
def test_names_of_factors_become_those_that_peft_saves(name, expected):
    assert factor_name(name) == expected


def test_imported_names_are_those_of_a_full_size_unet():
    from diffusers import UNet2DConditionModel

    with torch.device("meta"):
        unet = UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8)
    add_adapter(unet, AdapterConfig())
    # a name from the released checkpoint's listing, in the dual-guided UNet
    name = (
        "down_blocks.1.attentions.0.transformers.0.transformer_blocks.0.attn2.to_out.0.lora_B.default.weight"
    )
    assert image_unet_name(factor_name(name)) in adapter_state(unet)
