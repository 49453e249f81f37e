"""The stages of pretraining: each by itself, resumed, trained anew, and the folder that they end in."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tempgen.config.sampling import SamplingConfig
from tempgen.data.scenes import CATEGORIES, SEGMENTATION_CLASSES
from tempgen.decoders.dynadiff.sampling import images_of_tokens
from tempgen.errors import ConfigError, TrainingError
from tempgen.models.backbone import load_backbone
from tempgen.models.scene_classifier import load_scene_classifier
from tempgen.models.scene_segmenter import load_scene_segmenter
from tempgen.training.scenes import STAGES, pretrain_scenes
from tempgen.training.scenes import pretrain as module
from tests.training.scenes.tiny import N_SCENES, keep_pictures, tiny_pretraining

ROOT = Path(__file__).parents[3]


def weights_of(folder, stage):
    """Of a stage's last checkpoint."""
    (checkpoint,) = (folder / stage / "checkpoints").glob("step-*")
    return load_file(checkpoint / "weights.safetensors")


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture
def folder(tmp_path, pictures, held_out):
    keep_pictures(tmp_path / "run", pictures, held_out)
    return tmp_path / "run"


@pytest.fixture(scope="module")
def finished(tmp_path_factory, pictures, held_out):
    """A run of all stages in one call; read only."""
    folder = tmp_path_factory.mktemp("pretraining") / "run"
    keep_pictures(folder, pictures, held_out)
    assert pretrain_scenes(tiny_pretraining(), folder, say=lambda line: None) == folder / "scenes"
    return folder


@pytest.fixture
def copied(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "copied")


def test_unknown_stages_are_refused_with_those_that_there_are(tmp_path):
    with pytest.raises(
        ConfigError, match=r"no stages \['decoder'\] .* autoencoder, encoder, classifier, segmenter, unet"
    ):
        pretrain_scenes(tiny_pretraining(), tmp_path, stages=("encoder", "decoder"))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("done", [(), ("autoencoder",)])
def test_the_unet_is_not_trained_before_what_it_needs(folder, done):
    config = tiny_pretraining()
    assert pretrain_scenes(config, folder, stages=done, say=lambda line: None) is None
    needed = "encoder" if done else "autoencoder"
    with pytest.raises(ConfigError, match=f"trained on the {needed}'s output, .*: run that stage first"):
        pretrain_scenes(config, folder, stages=("unet",), say=lambda line: None)


@pytest.mark.slow
def test_two_processes_train_the_same_weights_as_one(folder, finished):
    code = (
        "import sys; from pathlib import Path; from tests.training.scenes.tiny import tiny_pretraining; "
        "from tempgen.training.scenes import pretrain_scenes; "
        "print('made', pretrain_scenes(tiny_pretraining(), Path(sys.argv[1])))"
    )
    script = folder.parent / "two.py"
    script.write_text(code)
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", script, folder]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "ACCELERATE_USE_CPU": "true",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        env={**environment, "CUDA_VISIBLE_DEVICES": ""},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f"made {folder / 'scenes'}") == 2
    assert done.stdout.count(": the backbone") == 1  # one process writes
    for stage in STAGES:
        (state,) = (folder / stage / "checkpoints").glob("step-*/state.json")
        assert json.loads(state.read_text())["n_processes"] == 2
        one, two = weights_of(finished, stage), weights_of(folder, stage)
        error = sum(float((one[name] - two[name]).square().sum()) for name in one)
        size = sum(float(value.square().sum()) for value in one.values())
        assert error / size < 1e-4


def test_the_run_ends_in_a_backbone_that_encodes_decodes_and_samples(finished, pictures):
    backbone = load_backbone(finished / "scenes")
    spec = backbone.spec
    assert (spec.name, spec.n_tokens, spec.token_dim) == ("scenes", 17, 96)
    assert spec.latent_shape == (24, 8, 8)
    images = pictures.pixels(slice(0, 40))
    tokens = backbone.tokens(images)
    latents = backbone.encode(images).mean
    shown = backbone.decode(latents)
    assert float((shown - images).square().mean()) < 0.02  # starts as principal components
    sampled = images_of_tokens(backbone, tokens[:3].numpy(), config=SamplingConfig(n_steps=2))
    assert sampled.shape == (3, 64, 64, 3)
    assert np.isfinite(sampled).all()
    size = sum(path.stat().st_size for path in (finished / "scenes").rglob("*.safetensors"))
    assert size < 10e6


def test_the_saved_parts_are_those_that_were_trained(finished):
    backbone = load_backbone(finished / "scenes")
    trained = weights_of(finished, "autoencoder")
    for name, value in backbone.vae.state_dict().items():
        torch.testing.assert_close(value, trained[f"vae.{name}"], rtol=1e-3, atol=1e-4)
    trained = weights_of(finished, "encoder")
    for name, value in backbone.image_encoder.named_parameters():
        torch.testing.assert_close(value, trained[f"encoder.{name}"], rtol=1e-3, atol=1e-4)
    (checkpoint,) = (finished / "unet" / "checkpoints").glob("step-*")
    average = load_file(checkpoint / "average.safetensors")
    for name, value in backbone.unet.state_dict().items():
        torch.testing.assert_close(value, average[f"unet.{name}"], rtol=1e-3, atol=1e-4)
    last = weights_of(finished, "unet")
    assert any(not torch.equal(average[name], last[name]) for name in average)


def test_latents_and_tokens_of_training_scenes_are_standardized(finished, pictures):
    backbone = load_backbone(finished / "scenes")
    inputs = load_file(finished / "unet" / "inputs.safetensors")
    tokens = inputs["tokens"] - backbone.image_encoder.position
    for values, dims in ((inputs["latents"], (0, 2, 3)), (tokens, (0,))):
        assert float(values.mean(dim=dims).abs().max()) < 0.01
        spread = values.std(dim=dims)
        torch.testing.assert_close(spread.median(), torch.tensor(1.0), rtol=0.02, atol=0)
    images = pictures.pixels(slice(None))
    close = {"rtol": 0.05, "atol": 0.05}  # half precision, scaled
    torch.testing.assert_close(backbone.encode(images).mean, inputs["latents"], **close)
    difference = (backbone.tokens(images) - inputs["tokens"]).abs()
    assert float(difference.median()) < 0.02
    assert len(inputs["held_out_latents"]) == len(inputs["held_out_tokens"]) == 50


def test_the_classifier_is_saved_with_the_readout_of_the_categories(finished, pictures):
    classifier = load_scene_classifier(finished / "scene_classifier")
    assert classifier.categories == CATEGORIES
    trained = weights_of(finished, "classifier")
    run = module._Run(tiny_pretraining(), finished, lambda line: None)
    run.classifier_module.load_state_dict(trained, strict=False)  # but the unused mean and scale
    images = pictures.pixels(slice(0, 8))
    with torch.no_grad():
        expected = run.classifier_module.category_logits(images)
    torch.testing.assert_close(classifier(images), expected, rtol=0.02, atol=0.02)


def test_the_segmenter_is_saved_as_it_was_trained(finished):
    segmenter = load_scene_segmenter(finished / "scene_segmenter")
    assert segmenter.classes == SEGMENTATION_CLASSES
    trained = weights_of(finished, "segmenter")
    for name, value in segmenter.state_dict().items():
        torch.testing.assert_close(value, trained[f"segmenter.{name}"], rtol=1e-3, atol=1e-4)
    size = sum((finished / judge / "model.safetensors").stat().st_size for judge in module.JUDGES.values())
    assert size < 2e6


def test_a_judge_is_written_as_soon_as_its_stage_is_done(folder):
    config = tiny_pretraining()
    assert pretrain_scenes(config, folder, stages=("segmenter",), say=lambda line: None) is None
    assert load_scene_segmenter(folder / "scene_segmenter").classes == SEGMENTATION_CLASSES
    assert not (folder / "scene_classifier").exists()
    assert not (folder / "scenes").exists()


def test_a_backbone_does_not_wait_for_the_segmenter_and_gets_the_classifier_of_an_earlier_call(copied):
    shutil.rmtree(copied / "segmenter")
    for made in ("scenes", "scene_classifier", "scene_segmenter"):
        shutil.rmtree(copied / made)
    made = pretrain_scenes(tiny_pretraining(), copied, stages=("unet",), say=lambda line: None)
    assert made == copied / "scenes"
    assert load_scene_classifier(copied / "scene_classifier").categories == CATEGORIES
    assert not (copied / "scene_segmenter").exists()


def test_the_folder_says_how_it_was_made(finished):
    description = json.loads((finished / "scenes" / "backbone.json").read_text())
    assert description["pretraining"]["n_scenes"] == N_SCENES
    assert tuple(description["stages"]) == module.BACKBONE
    for stage in description["stages"].values():
        assert stage["n_steps"] == 4
        assert stage["loss"] > 0
    assert "psnr_db" in description["stages"]["autoencoder"]["scores"]


class StoppedError(Exception):
    pass


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_that_was_stopped_and_resumed_equals_an_uninterrupted_one(
    folder, finished, stage, monkeypatch
):
    config = tiny_pretraining()
    if stage == "unet":
        for needed in ("autoencoder", "encoder"):
            shutil.copytree(finished / needed, folder / needed)
    tasks = {
        "autoencoder": module.AutoencoderTask,
        "segmenter": module.SegmenterTask,
        "unet": module.DenoiserTask,
    }
    kind = tasks.get(stage, module.EncoderTask)
    make = kind.batch

    def stop_at_step_3(self, rows, step):
        if step == 3 and self.name == stage:
            raise StoppedError
        return make(self, rows, step)

    with monkeypatch.context() as patched:
        patched.setattr(kind, "batch", stop_at_step_3)
        with pytest.raises(StoppedError):
            pretrain_scenes(config, folder, stages=(stage,), say=lambda line: None)
    assert not (folder / stage / "done.json").exists()
    said = []
    pretrain_scenes(config, folder, stages=(stage,), say=said.append)
    assert any("goes on after step 2 of 4" in line for line in said)
    assert same(weights_of(folder, stage), weights_of(finished, stage))


def test_what_is_done_is_kept(copied, monkeypatch):
    monkeypatch.setattr(module, "unet_inputs", None)  # nothing is computed again
    before = {stage: (copied / stage / "done.json").read_text() for stage in STAGES}
    said = []
    assert pretrain_scenes(tiny_pretraining(), copied, say=said.append) == copied / "scenes"
    assert before == {stage: (copied / stage / "done.json").read_text() for stage in STAGES}
    assert not any("step" in line for line in said)


def test_another_configuration_of_a_stage_is_refused_with_the_difference(copied):
    config = tiny_pretraining(clean=0.5)
    with pytest.raises(TrainingError, match=r"task\.clean: 0\.25 -> 0\.5"):
        pretrain_scenes(config, copied, stages=("unet",), say=lambda line: None)


def test_stages_are_trained_anew_once_and_others_are_left(copied, finished):
    said = []
    made = pretrain_scenes(tiny_pretraining(), copied, stages=("unet",), say=said.append, overwrite=True)
    assert made == copied / "scenes"
    trained = [line.split(":")[0] for line in said if "step 4, held-out" in line]
    assert trained == ["unet"]
    for stage in STAGES:
        assert same(weights_of(copied, stage), weights_of(finished, stage))


def test_a_new_autoencoder_takes_what_the_unet_learned_from_the_old_one_along(copied):
    config = tiny_pretraining()
    made = pretrain_scenes(config, copied, stages=("autoencoder",), say=lambda line: None, overwrite=True)
    assert made is None
    assert not (copied / "unet").exists()
    assert (copied / "encoder" / "done.json").is_file()


@pytest.mark.slow
def test_everything_trained_anew_is_trained_once_and_the_same(copied, finished):
    said = []
    pretrain_scenes(tiny_pretraining(), copied, say=said.append, overwrite=True)
    trained = [line.split(":")[0] for line in said if "step 4, held-out" in line]
    assert trained == list(STAGES)
    for stage in STAGES:
        assert same(weights_of(copied, stage), weights_of(finished, stage))
