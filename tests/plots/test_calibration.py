"""Figures of a calibration show what they should: every rate with its interval, and the level beside them."""

import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot as plt

from tempgen.plots.calibration import plot_coverage, plot_latency_bias, plot_power, plot_rejection_rates

CONDITIONS = {"none": 0.0, "weak": 0.2, "strong": 0.5, "isolated": 0.5}


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


@pytest.fixture
def summary():
    """A calibration whose rates are the numbers of their conditions, in tenths; nothing of the matrix."""
    dims = {
        "condition": list(CONDITIONS),
        "test": ["cluster", "band"],
        "decoder": ["general", "specialized", "matrix"],
        "metric": ["m"],
        "interval": ["percentile"],
        "curve": ["general", "specialized"],
        "latency": ["peak", "onset", "fall"],
    }

    def by(*names):
        shape = tuple(len(dims[name]) for name in names)
        rate = np.arange(len(CONDITIONS)).reshape(-1, *(1,) * (len(shape) - 1)) / 10
        return xr.DataArray(
            np.broadcast_to(rate, shape).copy(), dims=names, coords={name: dims[name] for name in names}
        )

    made = {}
    of = {
        "rejection": by("condition", "test", "decoder", "metric"),
        "mean_coverage": by("condition", "interval", "curve", "metric"),
        "latency_bias_s": by("condition", "latency", "curve", "metric"),
    }
    for name, rate in of.items():
        made |= {name: rate, f"{name}_low": rate - 0.05, f"{name}_high": rate + 0.05}
        made[f"{name}_n"] = xr.full_like(rate, 100, dtype=int)
    made["rejection_n"].loc[{"decoder": "matrix"}] = 0
    return xr.Dataset(
        made,
        coords={
            "snr": ("condition", list(CONDITIONS.values())),
            "code": ("condition", np.array(["static"] * 4, dtype=object)),
            "soa_slots": ("condition", [1, 1, 1, 8]),
            "hrf_spread_s": ("condition", [3.0] * 4),
        },
        attrs={"alpha": 0.05, "level": 0.95, "data_kind": "simulated"},
    )


def vertical(ax):
    return [line.get_xdata()[0] for line in ax.lines if list(line.get_ydata()) == [0, 1]]


def test_false_positive_rates_are_of_conditions_without_signal_beside_alpha(summary):
    ax = plot_rejection_rates(summary, "m")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["none, cluster", "none, band"]
    assert vertical(ax) == [0.05]
    intervals = [
        tuple(line.get_xdata())
        for line in ax.lines
        if len(line.get_xdata()) == 2 and line.get_ydata()[0] == line.get_ydata()[1]
    ]
    assert len(intervals) == 4  # two tests of two decoders; the matrix was not tested
    np.testing.assert_allclose(intervals, [(-0.05, 0.05)] * 4)
    assert "simulated data" in ax.get_title(loc="right")


def test_power_is_drawn_over_signal_of_overlapping_trials_alone(summary):
    ax = plot_power(summary, "m", code="static")
    lines = {line.get_label(): line for line in ax.lines}
    np.testing.assert_allclose(lines["General"].get_xdata(), [0.2, 0.5])
    np.testing.assert_allclose(lines["General"].get_ydata(), [0.1, 0.2])
    assert "Matrix" not in lines


def test_coverage_has_a_row_for_each_condition_beside_the_level(summary):
    ax = plot_coverage(summary, "m")
    assert [label.get_text() for label in ax.get_yticklabels()] == list(CONDITIONS)
    assert vertical(ax) == [0.95]


@pytest.mark.parametrize("latency", ["peak", "onset", "fall"])
def test_latencies_are_drawn_beside_no_error(summary, latency):
    ax = plot_latency_bias(summary, "m", latency=latency)
    assert latency.capitalize() in ax.get_xlabel()
    assert vertical(ax) == [0]


def test_a_latency_that_was_never_found_leaves_an_empty_figure(summary):
    summary["latency_bias_s_n"][:] = 0
    assert not plot_latency_bias(summary, "m", latency="peak").get_yticklabels()


def test_intervals_and_reference_lines_are_named_in_the_legend(summary):
    for ax, names in (
        (plot_rejection_rates(summary, "m"), {"exact 95 % interval", "level of the tests"}),
        (plot_power(summary, "m", code="static"), {"exact 95 % interval", "level of the test"}),
        (plot_coverage(summary, "m"), {"95 % interval over data sets", "level of the intervals"}),
        (plot_latency_bias(summary, "m", latency="peak"), {"95 % interval over data sets", "no bias"}),
    ):
        assert names <= {text.get_text() for text in ax.figure.legends[0].get_texts()}
