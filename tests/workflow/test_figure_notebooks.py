"""The notebooks on images, on a recording and on regions run as they stand, and on what they are given."""

import json
from pathlib import Path

import pytest
from PIL import Image

import tempgen
from tempgen.errors import ResultsError
from tempgen.workflow.regions import open_regions

papermill = pytest.importorskip("papermill")

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """One working folder, so that what one notebook made serves the next."""
    return tmp_path_factory.mktemp("notebooks")


@pytest.fixture(scope="module")
def execute(here):
    """Run a notebook; returns what it printed and the figures that it wrote, by name."""

    def run(name, **parameters):
        folder = here / f"figures-{name}-{len(list(here.iterdir()))}"
        out = here / f"{folder.name}.ipynb"
        papermill.execute_notebook(
            str(NOTEBOOKS / f"{name}.ipynb"),
            str(out),
            cwd=str(here),
            parameters={"figures": str(folder), **parameters},
            progress_bar=False,
        )
        outputs = [
            output
            for cell in json.loads(out.read_text(encoding="utf-8"))["cells"]
            for output in cell.get("outputs", [])
        ]
        warned = ["".join(o["text"]) for o in outputs if o.get("name") == "stderr"]
        assert not [text for text in warned if "Warning" in text]
        printed = "".join("".join(output.get("text", "")) for output in outputs)
        return printed, {path.stem: path for path in folder.glob("*.png")}, folder

    return run


def check_figures(found, folder, widths_mm):
    assert set(found) == set(widths_mm)
    for name, path in found.items():
        with Image.open(path) as image:
            assert image.width == pytest.approx(widths_mm[name] / 25.4 * 300, abs=2)
            assert len(image.convert("L").getcolors()) > 10, f"{path} is blank"
        assert "simulated data, subject 1" in (folder / f"{name}.svg").read_text(encoding="utf-8")


@pytest.mark.slow
def test_reconstructions_over_time_and_qualitative_as_they_stand(execute):
    printed, found, folder = execute("reconstructions_over_time")
    assert "a small SIMULATED subject is made" in printed
    assert "best, median, worst of" in printed
    check_figures(found, folder, {"reconstructions_over_time": 180})
    printed, found, folder = execute("qualitative")
    assert "reconstructions.zarr is done" in printed
    found.pop("shown_neighbours", None)  # only where a trial shows one
    check_figures(found, folder, {"best_and_worst": 180})


@pytest.mark.slow
def test_data_quality_as_it_stands(execute, here):
    printed, found, folder = execute("data_quality")
    assert "a small SIMULATED subject is made" in printed
    assert "SIMULATED data, subject 1: 24 runs in 2 sessions" in printed
    check_figures(found, folder, {"runs": 85, "evoked_response": 85, "noise_ceiling": 85, "temporal_snr": 85})


@pytest.mark.slow
def test_where_and_when_as_it_stands_and_on_a_folder_of_results(execute, here):
    printed, found, folder = execute("where_and_when", n_draws=200)
    assert "a study of small SIMULATED subjects is made" in printed
    names = {"regions_by_lag": 85, "region_latencies": 85, "regions_on_the_brain": 85}
    check_figures(found, folder, names)
    made = here / "outputs" / "where_and_when-small"
    assert list(open_regions(made).results) == [
        "all voxels", "early", "midventral", "midlateral", "midparietal", "ventral", "lateral", "parietal",
    ]  # fmt: skip
    # the same, as controls lay their regions: one folder a result, the store beside them
    controls = here / "analysis" / "controls"
    controls.mkdir(parents=True)
    for name in ("early", "ventral"):
        (controls / f"roi-{name}").symlink_to(made / name / "subject-1")
    (controls / "home").symlink_to(made / "all-voxels" / "subject-1")
    (controls.parent / "store.zarr").symlink_to(made / "recordings" / "subject-1" / "store.zarr")
    regions = open_regions(controls)
    assert list(regions.results) == ["early", "ventral"]
    assert regions.store.sizes["voxel"] == 500


def test_a_result_without_regions_is_refused(tmp_path):
    with pytest.raises(ResultsError, match="no result of a region.*where_and_when.yaml"):
        open_regions(tmp_path)


def test_full_scale_analyses_have_small_twins_that_can_be_read():
    from tempgen.config.study import load_study

    for name in ("reconstructions_over_time", "reconstructions_over_time-small", "data_quality-small"):
        analysis = tempgen.load_analysis(NOTEBOOKS.parent / "analyses" / f"{name}.yaml")
        assert (analysis.data.source == "simulated") == name.endswith("-small")
    for name in ("where_and_when", "where_and_when-small"):
        study = load_study(NOTEBOOKS.parent / "analyses" / f"{name}.yaml")
        assert study.notebook == "where_and_when"
        sees = {member.variant: member.analysis.inputs.voxels_where for member in study.members()}
        assert [condition is None for condition in sees.values()] == [True, *[False] * 7]
