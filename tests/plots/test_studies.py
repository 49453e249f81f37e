"""Figures of several subjects and variants: what they show, and that they can be read."""

import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot as plt

from tempgen.errors import ResultsError
from tempgen.plots import plot_lag_curves, plot_row
from tempgen.plots.ablations import plot_differences
from tempgen.plots.durations import plot_duration_curves, plot_durations
from tempgen.plots.style import figure_style
from tempgen.plots.tables import plot_table, table_text

METRICS = {"pixcorr": "PixCorr", "identification": "Two-way identification", "efficientnet": "EffNet-B"}
ATTRS = {
    "data_kind": "simulated",
    "subject": "subjects 1, 2, 5, 7",
    "tr_s": 4 / 3,
    "interval": "± SEM over 4 subjects",
    "sem_of": "SEM over 4 subjects",
    "reference": "full",
}


def of_metrics():
    return {
        "metric": list(METRICS),
        "long_name": ("metric", list(METRICS.values())),
        "direction": ("metric", ["higher is better", "higher is better", "lower is better"]),
        "fixed_chance": ("metric", [np.nan, 0.5, np.nan]),
    }


def durations(n_tr=(1, 2, 3, 4, 5, 6), n_subjects=4) -> xr.Dataset:
    rng = np.random.default_rng(0)
    mean = np.linspace(0.2, 0.8, len(n_tr))[:, np.newaxis] + np.zeros(3)
    cells = ("variant", "metric")
    return xr.Dataset(
        {
            "mean": (cells, mean),
            "sem": (cells, np.full_like(mean, 0.02)),
            "low": (cells, mean - 0.02),
            "high": (cells, mean + 0.02),
            "chance": (cells, np.full_like(mean, 0.1)),
            "subject_mean": (
                ("variant", "subject", "metric"),
                mean[:, np.newaxis] + rng.normal(0, 0.03, (len(n_tr), n_subjects, 3)),
            ),
        },
        coords={
            "variant": [f"{n} TRs" for n in n_tr],
            "subject": [str(k) for k in range(n_subjects)],
            "n_tr": ("variant", list(n_tr)),
            "duration_s": ("variant", np.array(n_tr) * 4 / 3),
            **of_metrics(),
        },
        attrs=ATTRS,
    )


def differences() -> xr.Dataset:
    names = ["TRs aggregated first", "frozen diffusion", "hidden size 256"]
    value = np.array([[-0.2, -0.1, 0.2], [0.01, 0.0, 0.0], [0.1, 0.1, -0.2]])
    cells = ("variant", "metric")
    return xr.Dataset(
        {
            "difference": (cells, value),
            "low": (cells, value - 0.05),
            "high": (cells, value + 0.05),
            "subject_difference": (
                ("variant", "subject", "metric"),
                np.stack([value - 0.03, value + 0.03], axis=1),
            ),
        },
        coords={"variant": names, "subject": ["1", "2"], **of_metrics()},
        attrs=ATTRS,
    )


def table(n_rows=2) -> xr.Dataset:
    ours = durations().isel(variant=slice(n_rows)).rename(variant="row")[["mean", "sem"]]
    theirs = ours.assign_coords(row=["Brain-Diffuser", "Dynadiff"]).assign(sem=ours["sem"] * np.nan)
    both = xr.concat([ours, theirs], "row", coords="minimal", compat="override")
    best = np.zeros((4, 3), dtype=bool)
    best[1] = True
    return (
        both.assign(best=(("row", "metric"), best))
        .assign_coords(group=("row", ["this study"] * 2 + ["NSD, published"] * 2))
        .assign_attrs(
            ATTRS
            | {
                "compared": "within each group",
                "other_recording": 1,
                "published_source": "A paper, arXiv:2505.14556",
            }
        )
    )


def labels(figure):
    figure.draw_without_rendering()
    legends = figure.legends or [ax.get_legend() for ax in figure.axes]
    return [text.get_text() for legend in legends for text in legend.get_texts()]


def several(plant):
    from tempgen.generalization.subjects import subject_curve

    subjects = {str(k): plant(deltas=range(-2, 6), seed=k) for k in range(3)}
    return {
        name.capitalize(): subject_curve(subjects, "pixcorr", decoder=name)
        for name in ("general", "specialized")
    }


def test_a_curve_of_several_subjects_shows_each_of_them_and_names_its_band(plant):
    ax = plot_lag_curves(several(plant))
    thin = [line for line in ax.lines if line.get_linewidth() == 0.5 and len(line.get_xdata()) == 8]
    assert len(thin) == 6
    assert {"± SEM over 3 subjects", "single subjects"} <= set(labels(ax.figure))
    assert ax.get_title("right") == "simulated data, subjects 0, 1, 2"


def test_scores_stand_at_the_duration_of_their_windows():
    ax = plot_durations(durations().sel(metric="pixcorr"))
    (drawn,) = [line for line in ax.lines if line.get_label() == "General at its own lag"]
    np.testing.assert_allclose(drawn.get_xdata(), np.arange(1, 7) * 4 / 3)
    assert "± SEM over 4 subjects" in labels(ax.figure)


def test_windows_of_one_duration_are_refused():
    with pytest.raises(ResultsError, match="2 different durations"):
        plot_durations(durations(n_tr=(6,)).sel(metric="pixcorr"))
    with pytest.raises(ResultsError, match="2 different durations"):
        plot_durations(durations(n_tr=(6, 6)).sel(metric="pixcorr"))


def test_curves_of_durations_stand_at_the_end_of_their_windows(plant):
    curve = several(plant)["General"]
    shorter = curve.assign_coords(lag_s=curve.lag_s - 4).assign_attrs(n_tr=3)
    ax = plot_duration_curves({"6 TRs": curve, "3 TRs": shorter})
    drawn = {line.get_label(): line for line in ax.lines}
    np.testing.assert_allclose(drawn["3 TRs"].get_xdata(), curve.lag_s - 4)
    assert not np.allclose(drawn["3 TRs"].get_color(), drawn["6 TRs"].get_color())


def test_a_difference_is_named_better_or_worse_by_the_direction_of_its_metric():
    ax = plot_differences(differences().sel(metric="efficientnet"))
    places = {line.get_label(): list(line.get_ydata()) for line in ax.lines if line.get_label()[0] != "_"}
    assert places["worse"] == [0]
    assert places["interval holds 0"] == [1]
    assert places["better than the reference"] == [2]
    assert "lower is better" in ax.get_xlabel()
    assert ax.yaxis_inverted()


def test_a_verdict_that_no_variant_has_is_not_in_the_legend():
    ax = plot_differences(differences().isel(variant=[1]).sel(metric="pixcorr"))
    assert not {"worse", "better than the reference"} & set(labels(ax.figure))


def test_the_best_of_a_table_is_bold_and_published_rows_have_no_error():
    ax = plot_table(table())
    bold = [text.get_text() for text in ax.texts if text.get_fontweight() == "bold"]
    assert bold == ["0.320", "32.00", "0.320"]
    assert sum(text.get_text().startswith("±") for text in ax.texts) == 6
    words = " ".join(text.get_text() for text in ax.texts).replace("\n", " ")
    assert "EffNet-B ↓" in words
    assert "they are not compared" in words
    assert "arXiv:2505.14556" in words


def test_a_table_as_text_says_the_same():
    text = table_text(table())
    assert text.loc[("this study", "2 TRs"), "PixCorr ↑"] == "*0.320 ± 0.020*"
    assert text.loc[("NSD, published", "Dynadiff"), "Two-way identification (%) ↑"] == "32.00"


def test_more_metrics_than_a_page_takes_are_refused():
    many = xr.concat([table()] * 5, "metric", coords="minimal", compat="override")
    with pytest.raises(ResultsError, match="15 metrics came, a page has room for 10"):
        plot_table(many)


def figures(plant):
    curve = several(plant)["General"]
    curves = {
        f"{n} TRs": curve.assign_coords(lag_s=curve.lag_s - 6 + n).assign_attrs(n_tr=n) for n in range(1, 7)
    }
    yield plot_row(plot_durations, {name: durations().sel(metric=name) for name in METRICS})
    yield plot_durations(durations(n_subjects=1).sel(metric="pixcorr")).figure
    yield plot_row(plot_duration_curves, {str(k): curves for k in range(3)})
    yield plot_duration_curves(curves).figure
    yield plot_row(plot_differences, {name: differences().sel(metric=name) for name in METRICS})
    yield plot_differences(differences().sel(metric="identification")).figure
    yield plot_table(table()).figure
    yield plot_table(table().isel(row=[0, 1])).figure


def test_no_word_leaves_a_figure_or_lies_on_another(plant, text_faults):
    with figure_style():
        assert [fault for figure in figures(plant) for fault in text_faults(figure)] == []
    plt.close("all")
