"""A real recording through the same steps: Haxby et al. 2001, subject 1, eight categories in blocks."""

import json

import numpy as np
import pytest
import xarray as xr

from tempgen.config import validate
from tempgen.config.analysis import Analysis
from tempgen.results import open_results
from tempgen.workflow import draw_figures, run_analysis
from tests.haxby import HAXBY, convert_haxby, haxby_mask
from tests.workflow.conftest import silent

pytestmark = pytest.mark.skipif(not HAXBY.is_dir(), reason="the Haxby recording is not on this machine")

N_RUNS = 12
BEFORE_ONSET = list(range(-6, 0))  # one-volume windows: delta -1 ends where the labelled onset begins


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Every run tests once: twelve folds of one test run, trials pooled (96 blocks)."""
    folder = tmp_path_factory.mktemp("haxby")
    bids = convert_haxby(HAXBY, folder / "bids")
    folds = []
    for fold in range(N_RUNS):
        content = {
            "name": "haxby",
            "folder": folder / f"fold-{fold}",
            "data": {
                "source": "bids",
                "path": bids,
                "subject": "01",
                "bids": {"mask": haxby_mask(bids)},
                # drift regression is acausal: on 22.5 s blocks it carries them into the volumes before their onset
                "preprocess": {"drift": "none"},
            },
            "window": {"start_tr": 0, "n_tr": 1},
            "split": {"n_test_runs": 1, "fold": fold},
            "training": {"deltas": "-6..12"},
        }
        analysis = validate(Analysis, content, origin="the test")
        folds.append(run_analysis(analysis, say=silent, with_figures=False))
    return xr.concat(
        folds,
        dim="trial",
        combine_attrs="drop_conflicts",
        data_vars="minimal",
        coords="minimal",
        compat="override",
    )


def accuracy(results: xr.Dataset) -> xr.DataArray:
    """Of the Specialized decoders by delta."""
    means = results["accuracy"].sel(target="current").mean("trial")
    return xr.concat(
        [means.sel(train_delta=delta, test_delta=delta) for delta in results.train_delta.values], "delta"
    ).assign_coords(delta=results.train_delta.values)


def test_figures_are_drawn_of_labels_and_a_single_test_run(results, tmp_path_factory):
    folder = next(
        path for path in tmp_path_factory.getbasetemp().glob("haxby*") if (path / "fold-0").exists()
    )
    attrs = json.loads(open_results(folder / "fold-0").attrs["analysis"])
    figures = draw_figures(validate(Analysis, attrs, origin="the test"), say=silent)
    assert {path.stem for path in figures} == {
        "general_vs_specialized",
        "previous_current_next",
        "generalization_matrix",
    }


def test_every_block_is_tested_once(results):
    assert results.sizes["trial"] == 96
    assert results.attrs["data_kind"] == "real"
    assert results["accuracy"].attrs["chance"] == 0.125


def test_categories_are_decoded_at_the_peak(results):
    assert accuracy(results).max() > 0.5


def test_windows_before_the_labelled_onsets_are_at_chance(results):
    before = accuracy(results).sel(delta=BEFORE_ONSET)
    assert abs(float(before.mean()) - 0.125) <= 0.05
    np.testing.assert_array_less(np.abs(before - 0.125), 0.05)
