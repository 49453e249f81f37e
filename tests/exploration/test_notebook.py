"""The notebook opens any result, and as it stands one that it makes itself."""

import json
from pathlib import Path

import pytest

papermill = pytest.importorskip("papermill")

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "explore.ipynb"


def outputs_of(notebook: Path) -> list[dict]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [output for cell in cells for output in cell.get("outputs", [])]


@pytest.mark.slow
def test_the_notebook_as_it_stands_makes_a_small_simulated_result_with_reconstructions(tmp_path):
    executed = tmp_path / "out.ipynb"
    papermill.execute_notebook(
        str(NOTEBOOK), str(executed), cwd=str(tmp_path), parameters={"keep": 4}, progress_bar=False
    )
    outputs = outputs_of(executed)
    said = "".join("".join(output.get("text", "")) for output in outputs)
    assert "a small SIMULATED subject is made" in said
    assert (tmp_path / "outputs" / "explore_example" / "reconstructions.zarr").is_dir()
    shown = [kind for output in outputs for kind in output.get("data", {})]
    assert "application/vnd.jupyter.widget-view+json" in shown or "image/png" in shown
    assert not [output for output in outputs if output.get("name") == "stderr" and "Warning" in str(output)]
