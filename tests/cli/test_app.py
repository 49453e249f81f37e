import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from tempgen.cli.app import app, main

STORY = [
    "init",
    "simulate",
    "prepare",
    "deconvolve",
    "train-general",
    "train-specialized",
    "evaluate",
    "reconstruct",
    "score",
    "figures",
    "export",
    "run",
    "validate",
    "import-released",
    "pretrain-scenes",
]


def tempgen(*arguments: str, cwd) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-c", "from tempgen.cli import main; main()", *arguments]
    return subprocess.run(call, cwd=cwd, capture_output=True, text=True, check=False)


def test_help_tells_the_commands_in_the_order_of_an_analysis():
    text = CliRunner().invoke(app, ["--help"]).output
    positions = [text.index(f"│ {command} ") for command in STORY]
    assert positions == sorted(positions)


@pytest.mark.parametrize("command", STORY)
def test_help_of_each_command_has_an_example_of_itself(command):
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"Example: tempgen {command}" in " ".join(result.output.split())


@pytest.mark.parametrize("command", STORY)
def test_example_of_each_command_is_read_by_its_own_parser(command):
    group = typer.main.get_command(app)
    help_text = group.commands[command].help
    words = help_text.split("Example: tempgen ")[1].split("\n")[0].split()
    assert words[0] == command
    context = group.commands[command].make_context(command, words[1:])
    assert context.params


def test_errors_are_one_message_without_a_traceback(tmp_path):
    result = tempgen("run", "missing.yaml", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith("ConfigError: There is no analysis file missing.yaml")
    assert "Traceback" not in result.stderr


def test_decoder_that_is_named_without_a_file_is_that_of_its_demo(monkeypatch, tmp_path):
    met = []
    monkeypatch.setattr(
        "tempgen.workflow.train_decoders", lambda analysis, deltas, **_: met.append((analysis, deltas))
    )
    monkeypatch.chdir(tmp_path)
    command = ["train-general", "--decoder", "dynadiff", "--backbone", "versatile-diffusion"]
    assert CliRunner().invoke(app, command).exit_code == 0
    ((analysis, deltas),) = met
    assert (analysis.name, analysis.decoder.kind) == ("dynadiff_demo", "dynadiff")
    assert (analysis.decoder.backbone, list(deltas)) == ("versatile-diffusion", [0])


def test_some_lags_of_an_analysis_are_reconstructed_as_part_of_it(monkeypatch, tmp_path):
    met = []
    monkeypatch.setattr("tempgen.workflow.reconstruct_images", lambda *given, **_: met.append(given))
    monkeypatch.chdir(tmp_path)
    for lags, kept in (("-3..3", "all"), ("20", "5")):
        assert CliRunner().invoke(app, ["reconstruct", "--delta", lags, "--keep", kept]).exit_code == 0
    (part, some), (other, one) = met
    assert some == (-3, -2, -1, 0, 1, 2, 3)
    assert part.evaluated_deltas == tuple(range(-4, 14))
    assert (one, other.evaluated_deltas) == ((20,), (20,))
    assert (part.evaluation.keep_reconstructions, other.evaluation.keep_reconstructions) == ("all", 5)


def test_suite_of_the_command_line_is_that_of_the_analysis(monkeypatch, tmp_path):
    met = []
    monkeypatch.setattr("tempgen.workflow.evaluate_decoders", lambda analysis, **_: met.append(analysis))
    monkeypatch.chdir(tmp_path)
    for given in ([], ["--suite", "paper"]):
        assert CliRunner().invoke(app, ["evaluate", *given]).exit_code == 0
    assert [analysis.evaluation.suite for analysis in met] == ["pixels", "paper"]  # the demo needs no torch


def test_score_takes_its_options_to_the_library(monkeypatch):
    met = []
    monkeypatch.setattr(
        "tempgen.workflow.score_reconstructions", lambda path, **options: met.append((path, options))
    )
    command = (
        "score mine --seen theirs --suite paper --metrics ssim,swav --out x.nc --cache kept --device cpu"
    )
    direction = ["--direction", "seen-to-reconstruction"]
    assert CliRunner().invoke(app, [*command.split(), *direction]).exit_code == 0
    ((path, options),) = met
    assert (str(path), str(options["seen"]), str(options["out"])) == ("mine", "theirs", "x.nc")
    assert (options["suite"], options["metrics"]) == ("paper", ["ssim", "swav"])
    assert (options["identification"], options["device"]) == ("seen-to-reconstruction", "cpu")
    assert str(options["feature_cache"]) == "kept"


def test_unreadable_lags_are_refused_with_advice(tmp_path):
    result = tempgen("train-specialized", "--delta", "13..-2", cwd=tmp_path)
    assert result.returncode == 1
    assert "write it upwards, -2..13" in result.stderr
    assert not any(tmp_path.iterdir())


def test_init_writes_a_file_that_run_accepts(tmp_path):
    assert tempgen("init", cwd=tmp_path).returncode == 0
    assert (tmp_path / "tempgen.yaml").is_file()
    again = tempgen("init", cwd=tmp_path)
    assert again.returncode == 1
    assert "left as it is" in again.stderr


def test_nsd_that_is_not_there_is_named(tmp_path):
    (tmp_path / "mine.yaml").write_text("data: {source: nsd, path: nowhere}\n")
    result = tempgen("prepare", "-a", "mine.yaml", cwd=tmp_path)
    assert "No design of subj01 below nowhere" in result.stderr


@pytest.fixture
def exit_code_of_run(tmp_path, monkeypatch):
    """Let ``tempgen run`` meet an error; returns the exit status."""

    def stopped_by(error: BaseException) -> int:
        def fail(*_, **__):
            raise error

        monkeypatch.setattr("tempgen.workflow.run_analysis", fail)
        monkeypatch.setattr(sys, "argv", ["tempgen", "run"])
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SystemExit) as stopped:
            main()
        return stopped.value.code

    return stopped_by


def test_interrupted_command_says_that_it_can_go_on(exit_code_of_run, capsys):
    assert exit_code_of_run(KeyboardInterrupt()) == 130
    assert "goes on from there" in capsys.readouterr().err


@pytest.mark.slow
def test_train_specialized_works_as_written_without_any_file(tmp_path):
    result = tempgen("train-specialized", "--delta", "-2..13", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "SIMULATED subject" in result.stdout.splitlines()[0]
    decoders = sorted((tmp_path / "outputs" / "demo" / "decoders" / "ridge").iterdir())
    assert len(decoders) == 16
    assert all((folder / "model.safetensors").is_file() for folder in decoders)
    assert result.stderr == ""  # no progress bars where nobody watches
    again = tempgen("train-specialized", "--delta", "5", cwd=tmp_path)
    assert "decoders at lags 5 are there" in again.stdout


def test_full_disk_is_one_message_without_a_traceback(exit_code_of_run, capsys):
    assert exit_code_of_run(OSError(28, "No space left on device", "outputs/demo")) == 1
    assert "No space left on device: 'outputs/demo'" in capsys.readouterr().err
