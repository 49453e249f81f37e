"""A rotating code is found dynamic, static and sustained ones are not, whatever the HRFs."""

import numpy as np
import pytest

from tempgen.errors import ConfigError
from tempgen.generalization.separability import run_statistics, separability_test
from tempgen.generalization.separability.summary import summarize_regions
from tempgen.generalization.separability.testing import family_wise_p
from tests.generalization.separability.small_subjects import made_subject


def result_of(code, **options):
    return separability_test(*made_subject(code, **options), n_bootstrap=39)


@pytest.fixture(scope="module")
def results():
    return {code: result_of(code) for code in ("static", "sustained", "rotating")}


def test_a_rotating_code_is_dynamic_and_a_static_one_is_not(results):
    verdicts = {code: str(result["verdict"].sel(roi="all").item()) for code, result in results.items()}
    assert verdicts == {"static": "static", "sustained": "static", "rotating": "dynamic"}
    assert float(results["rotating"]["share_significant"].sel(roi="all")) > 0.5
    assert float(results["rotating"]["relative_gain_low"].sel(roi="all")) > 0.05


@pytest.mark.parametrize("code", ["static", "sustained"])
def test_voxels_of_a_static_code_are_rejected_at_rate_alpha(results, code):
    result = results[code]
    assert (result["p"] <= 0.05).mean() <= 0.15
    assert (result["p"] <= 0.5).mean() == pytest.approx(0.5, abs=0.25)
    assert (result["p_corrected"] <= 0.05).mean() <= 0.05
    assert (result["p_corrected"] >= result["p"] - 1e-9).all()


def test_regions_are_those_of_the_atlas_by_name(results):
    result = results["rotating"]
    assert list(result["roi"].values)[:2] == ["all", "early"]
    assert set(result["verdict"].values[1:]) <= {"dynamic", "undecided"}
    np.testing.assert_array_equal(result["in_roi"].sel(roi="early"), result["streams"] == 1)
    assert result["signal"].item() == "bold"
    assert {"n_bootstrap", "seed", "lags", "features", "alphas", "alpha", "correction"} <= set(result.attrs)


def test_explained_variance_is_in_the_order_of_the_truth(results):
    static, rotating = (results[code].mean("voxel") for code in ("static", "rotating"))
    assert static["r2_rank1"] > static["r2_rank2"] > static["r2_free"] > 0.1
    assert rotating["r2_rank2"] > rotating["r2_rank1"]
    gain = results["static"]["r2_rank2"] - results["static"]["r2_rank1"]
    np.testing.assert_allclose(results["static"]["gain"], gain, atol=1e-12)


def test_nothing_is_said_of_voxels_that_do_not_respond():
    result = result_of("rotating", snr=0.0)
    assert result["verdict"].sel(roi="early").item() == "undecided"
    assert "voxels respond to the features" in result["reason"].sel(roi="early").item()
    assert (result["p_corrected"] <= 0.05).mean() <= 0.05


def test_the_same_seed_gives_the_same_result(results):
    again = result_of("static")
    np.testing.assert_array_equal(again["mean_gain_null"], results["static"]["mean_gain_null"])


def summary_of(gain, null, **options):
    everywhere = np.ones(len(gain), dtype=bool)
    return summarize_regions(
        gain,
        null,
        r2_rank1=np.full(len(gain), 0.2),
        regions={"all": everywhere, **options},
        significant=~everywhere,
        alpha=0.05,
        negligible=0.02,
    ).sel(roi="all")


def test_a_verdict_is_undecided_when_noise_leaves_both_possible():
    null = np.random.default_rng(0).normal(-0.01, 0.02, (199, 1)).repeat(10, axis=1)
    one = summary_of(np.full(10, -0.005), null)
    assert one["verdict"].item() == "undecided"
    assert "may add up to" in one["reason"].item()


def test_a_gain_that_is_certain_but_negligible_is_static_and_not_dynamic():
    null = np.random.default_rng(0).normal(-0.01, 0.0001, (199, 10))
    one = summary_of(np.full(10, -0.008), null)
    assert float(one["p_mean_gain"]) == pytest.approx(0.005)
    assert float(one["relative_gain"]) == pytest.approx(0.01, abs=0.001)
    assert one["verdict"].item() == "static"


def test_a_region_that_is_no_mask_of_the_voxels_is_refused():
    with pytest.raises(ConfigError, match="region 'v1' is"):
        summary_of(np.zeros(3), np.zeros((39, 3)), v1=np.array([0, 1]))


def test_too_few_runs_or_surrogates_are_refused():
    store, features = made_subject("static")
    with pytest.raises(ConfigError, match="7 runs came"):
        separability_test(store, features, runs=range(7))
    with pytest.raises(ConfigError, match="19 or more"):
        separability_test(store, features, n_bootstrap=10)


def test_more_features_than_memory_has_room_for_are_refused(monkeypatch):
    monkeypatch.setattr(run_statistics, "LARGEST_BYTES", 4 * 336 * 40 * 5)
    with pytest.raises(ConfigError, match="leave memory for 5 groups of runs"):
        separability_test(*made_subject("static"))


def test_the_largest_of_many_voxels_is_no_false_alarm_however_few_surrogates():
    rng = np.random.default_rng(0)
    smallest = [
        family_wise_p(rng.standard_normal(1000), rng.standard_normal((19, 1000))).min() for _ in range(60)
    ]
    assert np.mean(np.array(smallest) <= 0.05) < 0.15


def test_a_voxel_far_beyond_its_surrogates_is_found_among_many():
    rng = np.random.default_rng(0)
    gain, null = rng.standard_normal(1000), rng.standard_normal((199, 1000))
    gain[3] = 20
    p = family_wise_p(gain, null)
    assert p[3] == p.min() == 1 / 200


def test_a_constant_voxel_has_no_p():
    store, features = made_subject("static", n_runs=8)
    store["bold"][:, :, 4] = 0
    result = separability_test(store, features, lags=range(6), n_folds=3, n_bootstrap=19)
    for name in ("gain", "p", "p_corrected"):
        np.testing.assert_array_equal(np.isnan(result[name]), np.arange(40) == 4)


def test_betas_are_no_time_series():
    store, features = made_subject("static", n_runs=8)
    with pytest.raises(ConfigError, match="no time series"):
        separability_test(store.assign_attrs(signal="betas"), features)
