"""The figure of the separability test says what the result does."""

import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot as plt

from tempgen.errors import ResultsError
from tempgen.generalization.separability.summary import summarize_regions
from tempgen.plots.separability import VERDICT_LINES, plot_separability


@pytest.fixture
def result():
    """Thirty voxels of a region that is dynamic, thirty of one that is static, ten that do not respond."""
    rng = np.random.default_rng(0)
    gain = np.concatenate([rng.normal(0.03, 0.01, 30), rng.normal(-0.01, 0.003, 30), np.full(10, np.nan)])
    null = rng.normal(-0.01, 0.003, (199, 70))
    regions = {name: np.arange(70) // 30 == k for k, name in enumerate(("front", "back", "rest"))}
    summary = summarize_regions(
        gain,
        null,
        r2_rank1=np.full(70, 0.2),
        regions=regions,
        significant=gain > 0,
        alpha=0.05,
        negligible=0.02,
    )
    voxels = {
        "gain": ("voxel", np.nan_to_num(gain)),
        "p_corrected": ("voxel", np.where(gain > 0, 0.005, 1.0)),
        "responsive": ("voxel", np.isfinite(gain).astype(float)),
    }
    return summary.assign(voxels).assign_attrs(alpha=0.05, data_kind="simulated", subject="1")


def test_each_region_has_its_mean_in_the_look_of_its_verdict(result):
    axes = plot_separability(result)
    means = {line.get_label(): line for line in axes.lines if line.get_label().startswith("mean: ")}
    assert set(means) == {"mean: dynamic", "mean: static", "mean: undecided"}
    assert means["mean: dynamic"].get_color() == VERDICT_LINES["dynamic"].colour
    np.testing.assert_allclose(means["mean: dynamic"].get_xdata(), result["mean_gain"].sel(roi="front"))
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["front (30)", "back (30)", "rest (0)"]
    assert axes.get_title("right") == "simulated data, subject 1"
    plt.close(axes.figure)


def test_every_responsive_voxel_is_a_dot_and_no_other(result):
    axes = plot_separability(result)
    dots = np.concatenate([line.get_xdata() for line in axes.lines if line.get_marker() == "."])
    np.testing.assert_allclose(np.sort(dots), np.sort(result["gain"].values[:60]))
    plt.close(axes.figure)


def test_axes_that_are_given_are_drawn_into(result):
    _, axes = plt.subplots()
    assert plot_separability(result, ax=axes, legend=False) is axes
    assert axes.get_legend() is None
    plt.close(axes.figure)


def test_another_dataset_is_refused():
    with pytest.raises(ResultsError, match="tempgen separability"):
        plot_separability(xr.Dataset())
