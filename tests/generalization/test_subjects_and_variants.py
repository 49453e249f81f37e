"""Several subjects and several variants: what is averaged, what is paired, what is compared."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tempgen.errors import ResultsError
from tempgen.generalization import generalization_matrix, lag_curve
from tempgen.generalization.benchmark import benchmark_table, protocol_table, published_scores
from tempgen.generalization.study import StudyResults, open_study
from tempgen.generalization.subjects import subject_curve, subject_matrix, subject_summaries
from tempgen.generalization.variants import variant_differences, variant_scores
from tests.plots.conftest import planted_results

METRICS = ["identification", "pixcorr"]


def planted(*, seed=0, better=0.0, subject="1", **attrs) -> xr.Dataset:
    results = planted_results(deltas=range(-2, 4), seed=seed)
    results = results.assign_coords(onset_tr=("trial", 9 + 3 * (np.arange(results.sizes["trial"]) % 60)))
    moved = {name: (results[name] + better).assign_attrs(results[name].attrs) for name in METRICS}
    return results.assign(moved).assign_attrs(subject=subject, metrics="identification,pixcorr", **attrs)


def study_of(results, reference="full") -> StudyResults:
    return StudyResults("planted", reference, dict.fromkeys(results, Path()), results)


@pytest.fixture(scope="module")
def subjects():
    return {name: planted(seed=k, subject=name) for k, name in enumerate(("1", "2", "5"))}


@pytest.fixture(scope="module")
def study(subjects):
    results = {("full", name): result for name, result in subjects.items()}
    results |= {
        ("less", name): planted(seed=k, better=-0.125, subject=name) for k, name in enumerate(subjects)
    }
    return study_of(results)


def test_the_curve_of_several_subjects_is_the_mean_of_theirs_with_its_standard_error(subjects):
    curve = subject_curve(subjects, "pixcorr", decoder="general")
    alone = np.stack(
        [lag_curve(one, "pixcorr", decoder="general", n_draws=1)["mean"] for one in subjects.values()]
    )
    sem = alone.std(axis=0, ddof=1) / np.sqrt(3)
    np.testing.assert_allclose(curve["mean"], alone.mean(axis=0))
    np.testing.assert_allclose(curve["low"], alone.mean(axis=0) - sem)
    np.testing.assert_allclose(curve["high"], alone.mean(axis=0) + sem)
    np.testing.assert_allclose(curve["subject_mean"], alone)
    assert curve.attrs["interval"] == "± SEM over 3 subjects"
    assert curve.attrs["subject"] == "subjects 1, 2, 5"


def test_the_curve_of_one_subject_has_its_interval_over_images(subjects):
    one = {"1": subjects["1"]}
    expected = lag_curve(subjects["1"], "pixcorr", decoder="specialized", n_draws=50)
    xr.testing.assert_identical(subject_curve(one, "pixcorr", decoder="specialized", n_draws=50), expected)


def test_lags_that_one_subject_lacks_are_left_out(subjects):
    fewer = subjects | {"2": subjects["2"].sel(test_delta=slice(0, 3))}
    assert subject_curve(fewer, "pixcorr", decoder="general").test_delta.values.tolist() == [0, 1, 2, 3]


def test_subjects_with_other_windows_are_not_averaged(subjects):
    with pytest.raises(ResultsError, match="windows of 2 kinds"):
        subject_curve({"1": subjects["1"], "2": planted(n_tr=3)}, "pixcorr", decoder="general")


def test_an_error_in_one_subject_says_whose_it_is(subjects):
    with pytest.raises(ResultsError, match="Subject 2: .*no metric"):
        subject_curve(
            {"1": subjects["1"], "2": subjects["2"].drop_vars("pixcorr")}, "pixcorr", decoder="general"
        )


def test_the_matrix_of_several_subjects_is_the_mean_of_theirs(subjects):
    matrix = subject_matrix(subjects, "pixcorr", above_chance=True)
    alone = [generalization_matrix(one, "pixcorr", above_chance=True).to_numpy() for one in subjects.values()]
    np.testing.assert_allclose(matrix, np.mean(alone, axis=0))


def test_summaries_of_subjects_stand_under_one_another(subjects):
    from tempgen.generalization import Resampling

    two = {name: subjects[name] for name in ("1", "5")}
    table = subject_summaries(two, ["pixcorr"], resampling=Resampling(n_draws=20))
    assert table.index.names == ["subject", "metric", "decoder"]
    assert table.index.get_level_values("subject").unique().tolist() == ["1", "5"]


def test_scores_of_variants_are_of_the_general_decoder_at_its_own_lag(study, subjects):
    scores = variant_scores(study)
    expected = [
        float(one["pixcorr"].sel(train_delta=0, test_delta=0, target="current").mean())
        for one in subjects.values()
    ]
    found = scores.sel(variant="full", metric="pixcorr")
    np.testing.assert_allclose(found["subject_mean"], expected, rtol=1e-5)
    np.testing.assert_allclose(found["mean"], np.mean(expected), rtol=1e-5)
    np.testing.assert_allclose(found["sem"], np.std(expected, ddof=1) / np.sqrt(3), rtol=1e-3)
    assert float(found["duration_s"]) == pytest.approx(8.0)


def test_a_single_subject_has_its_standard_error_over_images(subjects):
    scores = variant_scores(open_study(subjects["1"]), n_draws=400)
    values = subjects["1"]["pixcorr"].sel(train_delta=0, test_delta=0, target="current")
    of_images = values.groupby("image_id").mean().to_numpy()
    assert float(scores["sem"].sel(metric="pixcorr")[0]) == pytest.approx(
        of_images.std(ddof=1) / 10, rel=0.15
    )
    assert scores.attrs["sem_of"] == "SE over images"


def test_differences_are_paired_so_that_what_trials_have_in_common_drops_out(study):
    differences = variant_differences(study, n_draws=100)
    assert differences.variant.values.tolist() == ["less"]
    for name in ("difference", "low", "high"):
        np.testing.assert_allclose(differences[name].sel(variant="less"), -0.125, atol=1e-6)
    assert differences.attrs["interval"] == "95 % bootstrap interval over images of 3 subjects"
    assert int(differences["n_trials"].item()) == 900


def test_only_trials_that_both_decoded_are_compared(subjects):
    full = subjects["1"]
    shuffled = full.isel(trial=np.random.default_rng(0).permutation(200))
    differences = variant_differences(study_of({("full", "1"): full, ("late", "1"): shuffled}), n_draws=20)
    np.testing.assert_allclose(differences["difference"], 0, atol=1e-6)
    assert int(differences["n_trials"].item()) == 200


def test_the_interval_over_images_covers_a_planted_difference(subjects):
    rng = np.random.default_rng(0)
    noisy = {}
    for name, one in subjects.items():
        of_image = rng.normal(0.05, 0.1, 100)[one["image_id"].to_numpy()]
        noisy["more", name] = one.assign(
            pixcorr=(one["pixcorr"] + xr.DataArray(of_image, dims="trial")).assign_attrs(one["pixcorr"].attrs)
        )
    study = study_of({("full", name): one for name, one in subjects.items()} | noisy)
    found = variant_differences(study, ["pixcorr"], n_draws=500).sel(variant="more", metric="pixcorr")
    assert float(found["low"]) < 0.05 < float(found["high"])
    assert float(found["low"]) > 0
    assert float(found["high"] - found["low"]) == pytest.approx(2 * 1.96 * 0.1 / np.sqrt(300), rel=0.3)


def test_a_reference_without_a_result_is_named(subjects):
    with pytest.raises(ResultsError, match="no result of 'full'"):
        variant_differences(study_of({("less", "1"): subjects["1"]}))


def test_published_scores_are_those_of_the_paper():
    published = published_scores()
    dynadiff = published["mean"].sel(row="Dynadiff")
    expected = [0.34, 0.21, 0.9582, 0.9820, 0.9353, 0.9130, 0.68, 0.36, 0.0850, 0.5252]
    np.testing.assert_allclose(dynadiff, expected)
    assert published["row"].values.tolist() == ["WAVE", "Brain-Diffuser", "MindEye1", "MindEye2", "Dynadiff"]
    assert "2505.14556" in published.attrs["source"]
    with pytest.raises(ResultsError, match="no published table 'mine'"):
        published_scores("mine")


def fake_scores(means, *, data_kind, data_source="nsd"):
    metrics = ["pixcorr", "efficientnet", "miou"]
    return xr.Dataset(
        {"mean": (("variant", "metric"), means), "sem": (("variant", "metric"), np.full((2, 3), 0.01))},
        coords={
            "variant": ["a", "b"],
            "metric": metrics,
            "long_name": ("metric", metrics),
            "direction": ("metric", ["higher is better", "lower is better", "higher is better"]),
            "fixed_chance": ("metric", [np.nan] * 3),
        },
        attrs={
            "data_kind": data_kind,
            "data_source": data_source,
            "sem_of": "SEM over 2 subjects",
            "subject": "subjects 1, 2",
        },
    )


def best_of(table):
    return {
        (str(metric), str(row))
        for metric in table["metric"].values
        for row in table["row"].values[table["best"].sel(metric=metric).to_numpy()]
    }


def test_the_best_of_real_data_is_the_best_of_all_rows_but_for_metrics_that_are_made_otherwise():
    scores = fake_scores([[0.5, 0.6, 0.01], [0.1, 0.9, 0.02]], data_kind="real")
    table = benchmark_table(scores, published=published_scores())
    assert best_of(table) == {("pixcorr", "a"), ("efficientnet", "a"), ("miou", "b"), ("miou", "Dynadiff")}
    assert table.attrs["compared"] == "with all rows"


def test_simulated_data_are_not_compared_with_published_scores():
    scores = fake_scores([[0.9, 0.1, 0.5], [0.8, 0.2, 0.4]], data_kind="simulated")
    table = benchmark_table(scores, published=published_scores())
    assert ("pixcorr", "MindEye1") in best_of(table)
    assert ("pixcorr", "a") in best_of(table)
    assert table.attrs["compared"] == "within each group"
    assert np.isnan(table["sem"].sel(row="Dynadiff")).all()


def test_real_data_of_another_recording_are_not_compared_with_published_scores():
    scores = fake_scores([[0.9, 0.1, 0.5], [0.8, 0.2, 0.4]], data_kind="real", data_source="bids")
    table = benchmark_table(scores, published=published_scores())
    assert {("pixcorr", "MindEye1"), ("pixcorr", "a")} <= best_of(table)
    assert table.attrs["compared"] == "within each group"


@pytest.mark.parametrize(
    ("direction", "best"),
    [("seen-to-reconstruction", {"a"}), ("reconstruction-to-seen", {"a", "Dynadiff"})],
)
def test_identification_is_compared_with_published_scores_of_the_same_direction_alone(direction, best):
    scores = fake_scores([[0.99, 0.6, 0.01], [0.5, 0.9, 0.02]], data_kind="real")
    scores = scores.assign_coords(
        metric=["clip_12", "efficientnet", "miou"], fixed_chance=("metric", [0.5, np.nan, np.nan])
    )
    scores.attrs["identification_direction"] = direction
    table = benchmark_table(scores, published=published_scores())
    assert {row for metric, row in best_of(table) if metric == "clip_12"} == best


def test_a_variant_that_one_subject_lacks_has_no_mean_difference(study, subjects):
    fewer = study_of({member: study.result(*member) for member in study.there if member != ("less", "5")})
    differences = variant_differences(fewer, n_draws=20)
    assert differences[["difference", "low", "high"]].to_array().isnull().all()
    np.testing.assert_allclose(differences["subject_difference"].sel(subject="2"), -0.125, atol=1e-6)


def test_without_published_scores_a_table_has_our_rows_alone():
    table = benchmark_table(fake_scores([[0.5, 0.6, 0.1], [0.5, 0.9, 0.2]], data_kind="real"))
    assert table["row"].values.tolist() == ["a", "b"]
    assert {("pixcorr", "a"), ("pixcorr", "b")} <= best_of(table)  # a tie


def test_the_protocols_stand_side_by_side(subjects):
    said = {
        "signal": "bold",
        "split": "time-resolved",
        "n_evaluated": 300,
        "image_size": 32,
        "identification_direction": "reconstruction-to-seen",
    }
    study = study_of({("full", name): one.assign_attrs(said) for name, one in subjects.items()})
    table = protocol_table(study, published=published_scores())
    assert table.columns.tolist() == ["this study", "NSD, published"]
    assert table.loc["two-way identification"].tolist() == [
        "reconstruction-to-seen",
        "seen-to-reconstruction (its released code)",
    ]
    assert table.loc["recording", "this study"] == "simulated data, subjects 1, 2, 5"
