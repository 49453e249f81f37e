"""Tests of tempgen.models.backbone.loading: hub, cache, folders, and what is said when something lacks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from tempgen.errors import BackboneError
from tempgen.models.backbone import load_backbone
from tempgen.models.backbone.loading import folder_kind
from tempgen.models.backbone.versatile import REVISION, SCHEDULER
from tests.models.backbone.tiny_versatile import N_TOKENS, TOKEN_DIM, old_name, save_tiny_versatile


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache, empty, on a machine without a connection."""
    from huggingface_hub import constants

    folder = tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return folder


def snapshot(cache: Path, revision: str = REVISION) -> Path:
    folder = cache / "models--shi-labs--versatile-diffusion" / "snapshots" / revision
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("old_vae_names", [False, True], ids=["new VAE names", "old VAE names"])
@pytest.mark.parametrize("safe", [False, True], ids=["bin", "safetensors"])
def test_weights_saved_in_the_hubs_format_come_back_to_the_bit(
    tmp_path: Path, safe: bool, old_vae_names: bool
) -> None:
    saved = save_tiny_versatile(tmp_path, safe=safe, old_vae_names=old_vae_names)

    backbone = load_backbone(tmp_path)

    suffixes = {path.suffix for path in tmp_path.rglob("*") if path.suffix in (".bin", ".safetensors")}
    assert suffixes == {".safetensors" if safe else ".bin"}
    for name, part in saved.items():
        loaded = getattr(backbone, name).state_dict()
        assert loaded.keys() == part.state_dict().keys()
        for key, value in part.state_dict().items():
            torch.testing.assert_close(loaded[key], value, rtol=0, atol=0)


def test_the_old_names_are_really_others(tmp_path: Path) -> None:
    saved = save_tiny_versatile(tmp_path, safe=False, old_vae_names=True)

    written = torch.load(tmp_path / "vae" / "diffusion_pytorch_model.bin", weights_only=True)

    assert (
        len(written.keys() - saved["vae"].state_dict().keys()) == 16
    )  # 2 attentions, 4 layers, weight and bias
    assert old_name("decoder.mid_block.attentions.0.to_out.0.bias") in written


def test_spec_is_read_from_the_configurations(tmp_path: Path) -> None:
    save_tiny_versatile(tmp_path)

    spec = load_backbone(tmp_path, parts=()).spec

    assert (spec.name, spec.image_size, spec.latent_shape) == ("versatile-diffusion", 16, (4, 8, 8))
    assert (spec.n_tokens, spec.token_dim) == (N_TOKENS, TOKEN_DIM)


def test_the_hubs_cache_is_used_at_the_pinned_revision_without_a_connection(cache: Path) -> None:
    saved = save_tiny_versatile(snapshot(cache), safe=False, old_vae_names=True)

    backbone = load_backbone("versatile-diffusion")

    assert backbone.spec.revision == REVISION
    weight = saved["unet"].conv_in.weight
    torch.testing.assert_close(backbone.unet.conv_in.weight, weight.detach(), rtol=0, atol=0)


def test_another_revision_is_another_backbone(cache: Path) -> None:
    save_tiny_versatile(snapshot(cache, "a" * 40))

    assert load_backbone("versatile-diffusion", revision="a" * 40, parts=()).spec.revision == "a" * 40
    with pytest.raises(BackboneError, match=REVISION):
        load_backbone("versatile-diffusion")


def test_only_the_parts_that_are_named_are_loaded_and_needed(tmp_path: Path) -> None:
    save_tiny_versatile(tmp_path)
    whole = load_backbone(tmp_path)
    (tmp_path / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    (tmp_path / "image_encoder" / "model.safetensors").unlink()

    backbone = load_backbone(tmp_path, parts=("unet",))

    assert backbone.vae is None
    assert backbone.image_encoder is None
    assert backbone.spec == whole.spec  # so that decoders trained without the VAE load beside it
    with pytest.raises(BackboneError, match="without its vae.*parts="):
        backbone.encode(torch.zeros(1, 3, 16, 16))


def test_without_a_connection_the_error_names_repository_subfolders_command_and_folder(cache: Path) -> None:
    with pytest.raises(BackboneError) as caught:
        load_backbone("versatile-diffusion", parts=("unet", "vae"))

    text = str(caught.value)
    assert "shi-labs/versatile-diffusion" in text
    assert "image_unet" in text
    assert "hf download shi-labs/versatile-diffusion" in text
    assert f"--revision {REVISION}" in text
    assert "image_unet/diffusion_pytorch_model.bin" in text
    assert "image_encoder/pytorch_model.bin" not in text  # not asked for
    assert "--local-dir FOLDER" in text


def test_a_hub_that_does_not_answer_is_the_same_error(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # the hub's client tries again for 23 s

    with pytest.raises(BackboneError, match="hf download shi-labs/versatile-diffusion"):
        load_backbone("versatile-diffusion")


def test_a_download_that_was_broken_off_is_named_file_by_file(cache: Path) -> None:
    folder = snapshot(cache)
    save_tiny_versatile(folder)
    (folder / "image_unet" / "diffusion_pytorch_model.safetensors").unlink()

    with pytest.raises(BackboneError, match="missing: image_unet/diffusion_pytorch_model.*`hf download"):
        load_backbone("versatile-diffusion")


@pytest.mark.parametrize(
    ("subfolder", "needed"),
    [
        ("vae", "missing: vae/config.json, vae/diffusion_pytorch_model"),
        ("image_encoder", "missing: image_encoder/config.json, image_encoder/model"),
    ],
)
def test_a_folder_without_a_part_says_which(tmp_path: Path, subfolder: str, needed: str) -> None:
    save_tiny_versatile(tmp_path)
    shutil.rmtree(tmp_path / subfolder)

    with pytest.raises(BackboneError, match=needed) as caught:
        load_backbone(tmp_path)

    assert str(tmp_path) in str(caught.value)


def test_a_folder_that_holds_no_backbone_says_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="holds no backbone: needed are the subfolders vae, image_unet"):
        load_backbone(tmp_path)


def test_a_name_that_is_neither_backbone_nor_folder_lists_the_names() -> None:
    with pytest.raises(BackboneError, match="'versatile-difusion' is neither a backbone .scenes, versatile"):
        load_backbone("versatile-difusion")


def test_an_unknown_part_or_a_revision_of_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="unknown parts of a backbone: text_encoder; known are vae"):
        load_backbone(tmp_path, parts=("unet", "text_encoder"))
    with pytest.raises(BackboneError, match="only versatile-diffusion from the hub has revisions"):
        load_backbone(tmp_path, revision="main")


def test_a_scenes_folder_is_told_apart_by_its_backbone_json(tmp_path: Path) -> None:
    save_tiny_versatile(tmp_path)
    assert folder_kind(tmp_path) == "versatile-diffusion"

    (tmp_path / "backbone.json").write_text(json.dumps({"name": "scenes"}))
    assert folder_kind(tmp_path) == "scenes"

    (tmp_path / "backbone.json").write_text(json.dumps({"name": "rooms"}))
    with pytest.raises(BackboneError, match="names the backbone 'rooms'"):
        folder_kind(tmp_path)


@pytest.mark.parametrize("safe", [False, True], ids=["bin", "safetensors"])
@pytest.mark.parametrize("part", ["image_unet", "image_encoder"])
def test_truncated_weights_are_one_error_that_names_the_folder(tmp_path: Path, part: str, safe: bool) -> None:
    save_tiny_versatile(tmp_path, safe=safe)
    (weights,) = (path for path in (tmp_path / part).iterdir() if path.suffix in (".bin", ".safetensors"))
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])

    with pytest.raises(BackboneError, match=f"cannot load .*{part}.*{weights.name}.*fetch them again"):
        load_backbone(tmp_path)


@pytest.mark.parametrize("change", ["missing", "unexpected"])
@pytest.mark.parametrize("part", ["vae", "image_unet"])
def test_weights_that_lack_keys_or_have_others_are_refused(tmp_path: Path, part: str, change: str) -> None:
    save_tiny_versatile(tmp_path, safe=False)
    path = tmp_path / part / "diffusion_pytorch_model.bin"
    state = torch.load(path, weights_only=True)
    name = "decoder.conv_in.weight" if part == "vae" else "conv_in.weight"
    if change == "missing":
        del state[name]
    else:
        state["conv_in.strange"] = state[name]
    torch.save(state, path)

    with pytest.raises(
        BackboneError, match=f"1 {change}: {name if change == 'missing' else 'conv_in.strange'}"
    ):
        load_backbone(tmp_path)


def test_parts_that_do_not_fit_each_other_are_refused(tmp_path: Path) -> None:
    save_tiny_versatile(tmp_path)
    path = tmp_path / "image_encoder" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "projection_dim": 10}))

    with pytest.raises(BackboneError, match="tokens of 10 values and the UNet takes 12"):
        load_backbone(tmp_path)


def test_the_noise_schedule_is_that_of_the_training_whatever_the_folder_leaves_out(tmp_path: Path) -> None:
    save_tiny_versatile(tmp_path)
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    expected = torch.cumprod(1 - betas, 0).float()

    with_file = load_backbone(tmp_path, parts=())
    shutil.rmtree(tmp_path / "scheduler")
    without = load_backbone(tmp_path, parts=())

    for backbone in (with_file, without):
        torch.testing.assert_close(backbone.alphas_cumprod, expected, rtol=1e-4, atol=1e-7)
        assert {key: backbone.scheduler.config[key] for key in SCHEDULER} == SCHEDULER


def test_the_folders_schedule_counts_and_one_that_predicts_something_else_is_refused(tmp_path: Path) -> None:
    save_tiny_versatile(tmp_path)
    path = tmp_path / "scheduler" / "scheduler_config.json"

    path.write_text(json.dumps({"_class_name": "PNDMScheduler", "beta_end": 0.02, "skip_prk_steps": True}))
    assert load_backbone(tmp_path, parts=()).scheduler.config.beta_end == 0.02

    path.write_text(json.dumps({"prediction_type": "v_prediction"}))
    with pytest.raises(BackboneError, match="'v_prediction'; needed is a UNet that predicts 'epsilon'"):
        load_backbone(tmp_path, parts=())


def test_dtype_and_device_reach_every_part(tmp_path: Path) -> None:
    save_tiny_versatile(tmp_path)

    backbone = load_backbone(tmp_path, dtype=torch.bfloat16, device="cpu")

    assert {parameter.dtype for parameter in backbone.parameters()} == {torch.bfloat16}
    assert backbone.device == torch.device("cpu")
    assert backbone.alphas_cumprod.dtype == torch.float32  # in bfloat16 the first thirty would be equal
    images = torch.rand(1, 3, 16, 16)
    moments = backbone.encode(images)
    assert moments.mean.dtype == torch.float32
    assert backbone.decode(moments.mean).dtype == torch.float32
    assert backbone.denoise(moments.mean, 5, backbone.tokens(images)).dtype == torch.float32
