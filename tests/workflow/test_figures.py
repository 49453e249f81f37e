"""The notebook runs on any result, and as it stands."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from tempgen.errors import ResultsError
from tempgen.workflow import Places, draw_figures
from tests.workflow.conftest import analysis_of, silent

papermill = pytest.importorskip("papermill")

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "general_vs_specialized.ipynb"
FIGURES = ("general_vs_specialized", "previous_current_next", "generalization_matrix")


def cells(notebook: Path) -> list[dict]:
    return json.loads(notebook.read_text(encoding="utf-8"))["cells"]


def printed(notebook: Path) -> str:
    outputs = [output for cell in cells(notebook) for output in cell.get("outputs", [])]
    return "".join("".join(output.get("text", "")) for output in outputs)


@pytest.mark.parametrize("notebook", sorted(NOTEBOOK.parent.glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebook_is_stripped_short_and_defines_nothing(notebook):
    code = [cell for cell in cells(notebook) if cell["cell_type"] == "code"]
    assert len(cells(notebook)) <= 12
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
    assert not any(
        re.search(r"^\s*(def|class|for|while)\b.*:\s*$", "".join(cell["source"]), re.MULTILINE)
        for cell in code
    )
    assert [cell["metadata"].get("tags") for cell in code].count(["parameters"]) == 1


def test_figures_of_an_analysis_are_written_as_png_and_svg(rotating):
    analysis, _ = rotating
    figures = draw_figures(analysis, say=silent)
    assert sorted(path.name for path in figures) == sorted(
        f"{name}.{suffix}" for name in FIGURES for suffix in ("png", "svg")
    )
    for path in figures:
        if path.suffix == ".png":
            with Image.open(path) as image:
                assert image.width >= 1000
                assert len(image.convert("L").getcolors()) > 10, f"{path} is blank"
        else:
            assert "simulated data" in path.read_text(encoding="utf-8")
    assert "SIMULATED data, subject 1: code rotating" in printed(Places(analysis).figures / NOTEBOOK.name)
    before = [path.stat().st_mtime_ns for path in figures]
    assert [path.stat().st_mtime_ns for path in draw_figures(analysis, say=silent)] == before


def test_notebook_as_it_stands_makes_a_small_simulated_result_and_says_so(tmp_path):
    papermill.execute_notebook(
        str(NOTEBOOK),
        str(tmp_path / "out.ipynb"),
        cwd=str(tmp_path),
        parameters={"n_draws": 200},
        progress_bar=False,
    )
    assert "a small SIMULATED subject is made" in printed(tmp_path / "out.ipynb")
    assert {path.stem for path in (tmp_path / "outputs" / "figures").glob("*.png")} == set(FIGURES)


@pytest.mark.slow
def test_notebook_on_dynadiff_as_it_stands_makes_a_small_simulated_result(tmp_path):
    papermill.execute_notebook(
        str(NOTEBOOK.with_name("dynadiff.ipynb")),
        str(tmp_path / "out.ipynb"),
        cwd=str(tmp_path),
        parameters={"n_draws": 200},
        progress_bar=False,
    )
    assert "a small SIMULATED subject is made" in printed(tmp_path / "out.ipynb")
    assert "reconstructions" in {path.stem for path in (tmp_path / "outputs" / "figures").glob("*.png")}


def test_figures_before_a_result_say_which_command_makes_it(tmp_path):
    with pytest.raises(ResultsError, match="tempgen evaluate"):
        draw_figures(analysis_of(tmp_path / "nothing"), say=silent)
