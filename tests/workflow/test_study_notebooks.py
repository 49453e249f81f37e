"""The notebooks of studies run on small simulated subjects, as they stand, and through `tempgen run`."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tempgen.config.study import load_study
from tempgen.workflow.study import draw_study, run_study
from tests.workflow.conftest import silent

papermill = pytest.importorskip("papermill")

ROOT = Path(__file__).parents[2]
FIGURES = {
    "window_duration": {"window_duration", "window_duration_by_lag", "window_duration_differences"},
    "ablations": {"ablations", "ablations_table"},
    "benchmark_table": {"benchmark_table_single", "benchmark_table_averaged", "benchmark_table_betas"},
}


def outputs(notebook: Path) -> list[dict]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [output for cell in cells for output in cell.get("outputs", [])]


def printed(notebook: Path) -> str:
    return "".join("".join(output.get("text", "")) for output in outputs(notebook))


def check_figures(folder: Path, names: set[str]) -> None:
    assert {path.stem for path in folder.glob("*.svg")} == names
    for name in names:
        with Image.open(folder / f"{name}.png") as image:
            assert 80 <= image.width / 300 * 25.4 <= 181, "print size: a column to a page"
            assert len(image.convert("L").getcolors()) > 10, f"{name} is blank"
        assert "simulated data" in (folder / f"{name}.svg").read_text(encoding="utf-8")


def warnings_of(notebook: Path) -> list[dict]:
    return [output for output in outputs(notebook) if output.get("name") == "stderr"]


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_notebook_as_it_stands_makes_a_small_simulated_study_and_says_so(name, tmp_path):
    executed = tmp_path / "out.ipynb"
    papermill.execute_notebook(
        str(ROOT / "notebooks" / f"{name}.ipynb"),
        str(executed),
        cwd=str(tmp_path),
        parameters={"n_draws": 200},
        progress_bar=False,
    )
    assert "small SIMULATED subjects" in printed(executed)
    assert warnings_of(executed) == []
    check_figures(tmp_path / "outputs" / "figures", FIGURES[name])


@pytest.mark.slow
def test_a_study_of_several_subjects_is_drawn_once_by_the_notebook_that_it_names(tmp_path):
    fewer = {
        "folder": str(tmp_path / "out"),
        "subjects": "1,2",
        "training.deltas": "0..3",
        "evaluation.deltas": "-1..3",
        "figures.n_draws": 100,
    }
    study = load_study(ROOT / "analyses" / "general_vs_specialized-small.yaml", fewer)
    run_study(study, say=silent)
    folder = tmp_path / "out" / "figures"
    executed = folder / "general_vs_specialized.ipynb"
    assert "the first of 2 subjects: 1, 2" in printed(executed)
    assert warnings_of(executed) == []
    check_figures(folder, {"general_vs_specialized", "previous_current_next", "generalization_matrix"})
    assert "SEM over 2 subjects" in (folder / "general_vs_specialized.svg").read_text(encoding="utf-8")
    said = []
    draw_study(study, say=said.append)
    assert said == [f"{folder} is done"]
