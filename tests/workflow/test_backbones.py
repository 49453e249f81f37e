"""Where the backbone of an analysis goes and in which precision; nothing is loaded."""

from importlib.util import find_spec
from types import SimpleNamespace

import pytest
import torch

from tempgen.errors import ConfigError
from tempgen.workflow.backbones import check_installed, check_training_device, device_of, open_backbone
from tests.workflow.conftest import analysis_of


@pytest.fixture
def loaded(monkeypatch):
    """What backbones are asked for."""
    calls = []

    def load(name, **options):
        calls.append((name, options))
        return SimpleNamespace(unet=f"UNet in {options.get('dtype')}")

    monkeypatch.setattr("tempgen.models.backbone.load_backbone", load)
    return calls


def sets_of(folder, *, device=None, **decoder):
    """As much of an analysis' trials as the choice needs."""
    analysis = analysis_of(folder, decoder=decoder, training={"deltas": "0..1", "device": device})
    return SimpleNamespace(analysis=analysis)


def dynadiff(folder, precision, device=None):
    return sets_of(folder, device=device, kind="dynadiff", optimization={"mixed_precision": precision})


@pytest.mark.parametrize("there", [False, True])
def test_a_gpu_is_used_where_there_is_one_unless_the_analysis_says_otherwise(tmp_path, monkeypatch, there):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert device_of(dynadiff(tmp_path, "no")) == ("cuda" if there else "cpu")
    assert device_of(dynadiff(tmp_path, "no", device="cpu")) == "cpu"
    assert device_of(dynadiff(tmp_path, "no", device="cuda:1")) == "cuda:1"


@pytest.mark.parametrize(
    ("device", "precision", "dtype"), [("cuda", "bf16", torch.bfloat16), ("cuda:1", "fp16", torch.float16)]
)
def test_the_unet_is_halved_on_a_gpu_and_what_is_computed_once_stays_exact(
    tmp_path, loaded, device, precision, dtype
):
    backbone = open_backbone(dynadiff(tmp_path, precision, device))
    assert loaded == [
        ("scenes", {"device": device, "parts": ("vae", "image_encoder")}),
        ("scenes", {"device": device, "dtype": dtype, "parts": ("unet",)}),
    ]
    assert backbone.unet == f"UNet in {dtype}"


@pytest.mark.parametrize(("device", "precision"), [("cuda", "no"), ("cpu", "bf16"), ("cpu", "no")])
def test_all_weights_are_in_full_precision_elsewhere(tmp_path, loaded, device, precision):
    open_backbone(dynadiff(tmp_path, precision, device))
    assert loaded == [("scenes", {"device": device})]


@pytest.mark.parametrize(
    ("there", "kept_off", "device", "refused"),
    [
        (False, "", "cpu", False),
        (False, "", "cuda", True),
        (True, "", "cpu", True),
        (True, "true", "cpu", False),
        (True, "", "cuda:0", False),
        (True, "", None, False),
    ],
)
def test_a_device_on_which_accelerate_does_not_train_is_refused(
    monkeypatch, there, kept_off, device, refused
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.setenv("ACCELERATE_USE_CPU", kept_off)
    if refused:
        with pytest.raises(ConfigError, match=f"training.device is {device}, but Accelerate trains"):
            check_training_device(device)
    else:
        assert check_training_device(device) is None


def test_what_ridge_decodes_is_shown_by_a_backbone_in_full_precision(tmp_path, loaded, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    open_backbone(sets_of(tmp_path, kind="ridge", target="tokens", backbone="versatile-diffusion"))
    assert loaded == [("versatile-diffusion", {"device": "cuda"})]


def test_a_folder_of_a_backbone_goes_before_its_name(tmp_path, loaded):
    folder = tmp_path / "mine"
    open_backbone(sets_of(tmp_path, device="cpu", kind="dynadiff", backbone_folder=folder))
    ((given, _),) = loaded
    assert given == folder


def test_what_lacks_is_refused_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name in ("peft", "torch") else find_spec(name)
    )
    with pytest.raises(ConfigError, match=r"needs torch, peft, .* pip install 'tempgen\[diffusion\]'"):
        check_installed()


def test_only_what_a_decoder_needs_has_to_be_there(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: find_spec(name) if name == "torch" else None)
    check_installed(("torch",))
    with pytest.raises(ConfigError, match="needs diffusers, transformers, peft, accelerate, which"):
        check_installed()
