"""Any rows and columns of the matrix can be scored; they are those of the whole."""

import shutil

import pytest
import xarray as xr
from typer.testing import CliRunner

import tempgen
from tempgen.cli.app import app
from tempgen.config import load_analysis
from tempgen.errors import ConfigError
from tempgen.workflow import Places, evaluate_decoders
from tests.workflow.conftest import changed, silent


@pytest.fixture
def decoded(rotating, tmp_path):
    """The analysis that all tests share with its decoders in another folder, its store and its result."""
    analysis, whole = rotating
    shutil.copytree(analysis.folder / "decoders", tmp_path / "decoders")
    elsewhere = analysis.model_copy(update={"folder": tmp_path})
    return elsewhere, tempgen.open_store(Places(analysis).store), whole


def test_rows_and_columns_are_those_of_the_whole_matrix(decoded):
    analysis, store, whole = decoded
    for delta in (1, 2, 4, 5, 6):
        shutil.rmtree(Places(analysis).decoder(delta))  # not needed for these rows
    rows = changed(analysis, evaluation={"train_deltas": (-1, 3), "deltas": (-4, 2, 6)})
    part = evaluate_decoders(rows, store=store, say=silent)
    assert part["pixcorr"].notnull().any("trial").sel(target="current").all()
    expected = whole.sel(train_delta=[-1, 3], test_delta=[-4, 2, 6])
    xr.testing.assert_allclose(part["pixcorr"], expected["pixcorr"], atol=1e-5)
    xr.testing.assert_allclose(part["identification"], expected["identification"], atol=0.02)


def test_one_row_without_the_matrix_is_the_cell_on_the_diagonal(decoded):
    analysis, store, _ = decoded
    said: list[str] = []
    row = changed(analysis, evaluation={"train_deltas": (3,), "matrix": False})
    part = evaluate_decoders(row, store=store, say=said.append)
    computed = part["pixcorr"].sel(target="current").notnull().any("trial")
    assert computed.sel(test_delta=3).all()
    assert computed.sum() == 1
    assert any("Specialized peaks at delta 3" in line and "General" not in line for line in said)


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        ({"evaluation.train_deltas": "0,9"}, "decoders at lags 9, trained are those at -1..3"),
        ({"evaluation.train_deltas": "3", "evaluation.deltas": "-2..2"}, "set evaluation.matrix: true"),
    ],
)
def test_rows_that_nobody_trains_or_that_hold_no_cell_are_refused(tmp_path, overrides, complaint):
    path = tmp_path / "a.yaml"
    path.write_text("training: {deltas: -1..3}\n")
    with pytest.raises(ConfigError, match=complaint):
        load_analysis(path, overrides)


def test_command_takes_the_rows(monkeypatch):
    met = []
    monkeypatch.setattr("tempgen.workflow.evaluate_decoders", lambda analysis, **_: met.append(analysis))
    given = ["evaluate", "--matrix", "--train-delta", "0,3", "--delta", "-2..5"]
    assert CliRunner().invoke(app, given).exit_code == 0
    assert met[0].evaluated_train_deltas == (0, 3)
    assert met[0].evaluated_deltas == tuple(range(-2, 6))
