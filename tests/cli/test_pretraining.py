"""What `tempgen pretrain-scenes` makes of its options; the training itself is in tests/workflow/test_pretraining.py."""

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tempgen.cli.app import app, main
from tempgen.config.scenes_pretraining import ScenesPretraining
from tempgen.training.scenes import STAGES


@pytest.fixture
def asked(monkeypatch):
    """What the command asks the workflow for, in place of an hour of training."""
    calls = []

    def make(config, out, **options):
        calls.append((config, out, options))

    monkeypatch.setattr("tempgen.workflow.pretraining.make_scenes_backbone", make)
    return calls


@pytest.fixture
def refused(asked, monkeypatch, tmp_path, capsys):
    """The error of the command with these options, as one reads it; nothing is asked for or written then."""

    def error_of(*options: str) -> str:
        monkeypatch.setattr(sys, "argv", ["tempgen", "pretrain-scenes", str(tmp_path / "out"), *options])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code == 1
        assert asked == []
        assert not any(tmp_path.iterdir())
        return capsys.readouterr().err

    return error_of


def test_all_stages_are_trained_with_the_defaults_unless_told_otherwise(asked):
    assert CliRunner().invoke(app, ["pretrain-scenes", "outputs/scenes"]).exit_code == 0
    ((config, out, options),) = asked
    assert config == ScenesPretraining()
    assert out == Path("outputs/scenes")
    assert options["stages"] == tuple(STAGES)
    assert options["overwrite"] is False


def test_stages_and_dotted_keys_replace_the_defaults_and_nothing_else(asked):
    command = ["pretrain-scenes", "out", "--stages", "encoder, unet", "--overwrite"]
    command += ["--set", "unet.n_steps=200", "-s", "unet_channels=[8, 16]", "-s", "seed=5"]
    assert CliRunner().invoke(app, command).exit_code == 0
    ((config, _, options),) = asked
    assert options["stages"] == ("encoder", "unet")
    assert options["overwrite"] is True
    default = ScenesPretraining()
    assert config.unet == default.unet.model_copy(update={"n_steps": 200})
    assert (config.unet_channels, config.seed) == ((8, 16), 5)
    assert default.model_copy(update={"unet": config.unet, "unet_channels": (8, 16), "seed": 5}) == config


@pytest.mark.parametrize(
    ("key", "nearest"), [("unet.n_stepps", "n_steps"), ("n_scnes", "n_scenes"), ("unit.n_steps", "unet")]
)
def test_an_unknown_key_is_one_error_that_names_the_nearest_one(refused, key, nearest):
    error = refused("--set", f"{key}=200")
    assert error.startswith("ConfigError: the pretraining (--set) has 1 problem(s):\n")
    assert len(error.strip().splitlines()) == 2
    assert key.removesuffix(".n_steps") in error
    assert nearest in error.split("=200")[-1].replace(key, "")
    assert "Traceback" not in error


def test_a_value_that_does_not_fit_is_named_with_its_key(refused):
    error = refused("-s", "dropped=1.5")
    assert "dropped: " in error
    assert "less than or equal to 1" in error


def test_an_assignment_without_a_value_is_refused(refused):
    assert "unet.n_steps" in refused("--set", "unet.n_steps")
