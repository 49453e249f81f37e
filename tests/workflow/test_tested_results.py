"""What an evaluation stores is what the statistics need: they reject where there is signal, and not without."""

import shutil

import numpy as np
import pytest
import xarray as xr

import tempgen
from tempgen.errors import ConfigError
from tempgen.generalization.permutations import PERMUTED
from tempgen.generalization.statistics import cluster_test, max_statistic_test
from tempgen.results import export_netcdf, metrics_of, recipe_of
from tempgen.workflow import evaluate_decoders
from tempgen.workflow.scored_cells import ScoredCells
from tests.workflow.conftest import changed, silent


@pytest.fixture(scope="module")
def null(run_small):
    return run_small("null", simulate={"snr": 0})[1]


@pytest.fixture(scope="module")
def weak(run_small):
    return run_small("weak", simulate={"snr": 0.5})


@pytest.mark.parametrize("metric", ["pixcorr", "ssim", "identification"])
@pytest.mark.parametrize("decoder", ["general", "specialized", "matrix"])
def test_cluster_test_finds_signal_and_nothing_without(null, weak, metric, decoder):
    options = {"decoder": decoder, "n_permutations": 500, "seed": 0}
    assert not cluster_test(null, metric, **options)["mask"].any()
    found = cluster_test(weak[1], metric, **options)["mask"]
    peak = found.sel(test_delta=0)
    assert peak.sel(train_delta=0) if decoder == "matrix" else peak
    if decoder != "specialized":  # each of these lags has a decoder that finds something
        assert not found.sel(test_delta=-4).all()


@pytest.mark.parametrize("metric", ["pixcorr", "identification"])
@pytest.mark.parametrize("decoder", ["general", "specialized", "matrix"])
def test_max_statistic_test_finds_signal_and_nothing_without(null, weak, metric, decoder):
    assert not max_statistic_test(null, metric, decoder=decoder)["mask"].any()
    tests = max_statistic_test(weak[1], metric, decoder=decoder)
    peak = tests.sel(test_delta=0, **({"train_delta": 0} if decoder == "matrix" else {}))
    assert peak["mask"]
    assert peak["p"] == tests.attrs["smallest_p"] == 1 / 1001
    assert tests.attrs["seed"] == 0


def test_without_signal_scores_have_the_mean_of_their_baseline(null):
    for metric in metrics_of(null):
        above = (null[metric].sel(target="current") - null[f"{metric}_baseline"]).mean("trial")
        spread = (null[metric].sel(target="current") - null[f"{metric}_baseline"]).std("trial")
        z = above / (spread / np.sqrt(null.sizes["trial"]))
        assert abs(float(z.mean())) < 1
        assert float(np.abs(z).max()) < 5


def test_every_scored_trial_has_a_baseline_and_every_cell_its_permutations(weak):
    _, results = weak
    for metric in metrics_of(results):
        scored = results[metric].sel(target="current").notnull()
        np.testing.assert_array_equal(results[f"{metric}_baseline"].notnull(), scored)
    for metric in ("pixcorr", "identification"):
        null = results[f"{metric}_null"]
        assert null.sizes["permutation"] == 1000
        assert null.notnull().all()
        assert null.attrs["permuted"] == PERMUTED
        np.testing.assert_allclose(
            null.mean("permutation").max(), results[f"{metric}_chance"].max(), atol=0.05
        )
    assert "ssim_null" not in results
    assert recipe_of(results)["permutations"] == {"n": 1000, "seed": 0}
    assert results.attrs["native_tr_s"] == results.attrs["tr_s"]


def test_baseline_and_permutations_survive_zarr_and_netcdf(weak, tmp_path):
    analysis, results = weak
    again = tempgen.open_results(analysis.folder)
    mailed = tempgen.open_results(export_netcdf(again, tmp_path / "weak.nc"))
    for name in ("pixcorr_null", "identification_null", "pixcorr_baseline", "ssim_baseline"):
        assert again[name].dtype == mailed[name].dtype == np.float32
        xr.testing.assert_identical(again[name], results[name])
        xr.testing.assert_equal(mailed[name], results[name])
        assert mailed[name].attrs == results[name].attrs


def test_results_of_before_there_were_baselines_still_open(weak, tmp_path):
    _, results = weak
    older = results.drop_vars([name for name in results if name.endswith(("_baseline", "_null"))])
    opened = tempgen.open_results(export_netcdf(older, tmp_path / "older.nc"))
    assert metrics_of(opened) == metrics_of(results)
    assert cluster_test(opened, "pixcorr", against="chance", n_permutations=200)["mask"].any()


@pytest.fixture
def copied(weak, tmp_path):
    """The same subject and decoders in a folder of its own."""
    analysis, results = weak
    folder = tmp_path / "out"
    shutil.copytree(analysis.folder, folder)
    return analysis.model_copy(update={"folder": folder}), results


def test_a_stopped_evaluation_goes_on_with_what_its_cells_had(copied, monkeypatch):
    analysis, results = copied
    again = changed(analysis, evaluation={"matrix": False})
    kept, write = [], ScoredCells.write

    def stop_after_five(self, cell, scores):
        write(self, cell, scores)
        kept.append(cell)
        if len(kept) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(ScoredCells, "write", stop_after_five)
    with pytest.raises(KeyboardInterrupt):
        evaluate_decoders(again, say=silent, overwrite=True)
    monkeypatch.setattr(ScoredCells, "write", write)
    whole = evaluate_decoders(again, say=silent, overwrite=True)
    for name in ("pixcorr_null", "identification_baseline", "ssim_baseline"):
        xr.testing.assert_identical(whole[name].sel(train_delta=0), results[name].sel(train_delta=0))


def test_other_permutations_are_another_evaluation_and_none_can_be_asked_for(copied):
    analysis, results = copied
    none = changed(analysis, evaluation={"matrix": False, "n_permutations": 0})
    without = evaluate_decoders(none, say=silent, overwrite=True)
    assert "pixcorr_null" not in without
    xr.testing.assert_identical(
        without["pixcorr_baseline"].sel(train_delta=0), results["pixcorr_baseline"].sel(train_delta=0)
    )
    few = changed(none, evaluation={"n_permutations": 20, "seed": 3})
    with pytest.raises(ConfigError, match=r"permutations\.n: 0 -> 20"):
        evaluate_decoders(few, say=silent)
    null = evaluate_decoders(few, say=silent, overwrite=True)["identification_null"]
    assert null.sizes["permutation"] == null.attrs["n_permutations"] == 20
    assert null.attrs["seed"] == 3
    assert (null.sel(train_delta=0) != results["identification_null"].sel(train_delta=0)[:20]).any()
