"""Runs one by one, and the evoked response."""

import json

import numpy as np
import pytest
import xarray as xr

from tempgen.errors import ResultsError
from tempgen.plots.quality import plot_evoked, plot_run_quality


def planted_quality(n_runs=24, n_regions=8):
    rng = np.random.default_rng(0)
    time_s = np.arange(19) * 4 / 3
    response = np.exp(-(((time_s - 6) / 3) ** 2)) - 0.2
    strength = np.linspace(1, 0.4, n_regions)
    names = ["all voxels", *(f"region {k}" for k in range(1, n_regions))]
    return xr.Dataset(
        {
            "n_trials": ("run", np.full(n_runs, 63)),
            "n_blanks": ("run", np.full(n_runs, 5)),
            "tsnr_of_run": ("run", rng.normal(40, 2, n_runs)),
            "displacement_mm": (("run", "volume"), rng.gamma(2, 0.1, (n_runs, 10))),
            "displacement_median_mm": ("run", np.full(n_runs, 0.15)),
            "displacement_p95_mm": ("run", np.full(n_runs, 0.4)),
            "evoked": (("region", "time_s"), np.outer(strength, response)),
            "evoked_se": (("region", "time_s"), np.full((n_regions, 19), 0.05)),
            "n_voxels": ("region", np.r_[500, np.full(n_regions - 1, 50)]),
        },
        coords={"session": ("run", np.arange(n_runs) // 12), "region": names, "time_s": time_s},
        attrs={
            "soa_s": 4.0,
            "stimulus_duration_s": 3.0,
            "data_kind": "simulated",
            "subject": "1",
            "missing": json.dumps({}),
        },
    )


def test_panels_without_data_are_left_out():
    quality = planted_quality()
    assert [ax.get_ylabel() for ax in plot_run_quality(quality)] == [
        "count",
        "temporal SNR",
        "frame-wise\ndisplacement (mm)",
    ]
    assert len(plot_run_quality(quality.drop_vars(["tsnr_of_run", "displacement_mm"]))) == 1


def test_a_line_parts_the_sessions():
    ax = plot_run_quality(planted_quality())[0]
    assert [line.get_xdata()[0] for line in ax.get_lines()] == [12.5]


def test_each_region_has_its_curve_and_its_band():
    ax = plot_evoked(planted_quality())
    legend = [text.get_text() for text in ax.figure.legends[0].get_texts()]
    assert legend[:2] == ["all voxels (500 voxels)", "region 1 (50)"]
    assert "\N{PLUS-MINUS SIGN} SE (jackknife over runs)" in legend


@pytest.mark.parametrize("n_runs", [2, 480])
def test_words_of_runs_neither_leave_the_page_nor_lie_on_one_another(n_runs, text_faults):
    assert text_faults(plot_run_quality(planted_quality(n_runs))[0].figure) == []


@pytest.mark.parametrize("n_regions", [1, 8])
def test_words_of_the_response_neither_leave_the_page_nor_lie_on_one_another(n_regions, text_faults):
    assert text_faults(plot_evoked(planted_quality(n_regions=n_regions)).figure) == []


def test_what_cannot_be_drawn_is_refused():
    from matplotlib import pyplot as plt

    with pytest.raises(ResultsError, match="no evoked response"):
        plot_evoked(planted_quality().drop_vars("evoked"))
    with pytest.raises(ResultsError, match="make it with store_quality"):
        plot_run_quality(planted_quality().drop_vars("n_trials"))
    with pytest.raises(ResultsError, match="3 panels to draw and 1 axes"):
        plot_run_quality(planted_quality(), axes=[plt.subplots()[1]])
