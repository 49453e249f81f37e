"""Curves by lag: what is drawn where, and that it can be read."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.collections import FillBetweenPolyCollection

from tempgen.errors import ResultsError
from tempgen.generalization import lag_curve
from tempgen.plots import DECODER_LINES, TARGET_LINES, figure_style, plot_lag_curves, plot_targets

TARGETS = ("previous", "current", "next")


def _decoder_curves(results, metric="identification", **options):
    return {
        "General": lag_curve(results, metric, decoder="general", n_draws=50, **options),
        "Specialized": lag_curve(results, metric, decoder="specialized", n_draws=50, **options),
    }


def _target_curves(results, metric="identification"):
    return {
        f"{target} image": lag_curve(results, metric, decoder="general", target=target, n_draws=50)
        for target in TARGETS
    }


def _labels(ax):
    legend = ax.get_legend() or ax.figure.legends[0]
    return [text.get_text() for text in legend.get_texts()]


def _bars_s(ax):
    """Start of each stimulus bar, in seconds: those polygons whose height is a share of the axes."""
    bars = [
        c
        for c in ax.collections
        if isinstance(c, FillBetweenPolyCollection) and c.get_transform() != ax.transData
    ]
    bars = [bar for bar in bars if bar.get_zorder() == 1 and bar.get_alpha() is None]
    return sorted(float(bar.get_paths()[0].vertices[:, 0].min()) for bar in bars)


@pytest.fixture(scope="module")
def results(plant):
    return plant()


def test_curves_are_drawn_at_the_seconds_of_the_windows_end(results):
    curves = _decoder_curves(results)
    ax = plot_lag_curves(curves)
    drawn = {line.get_label(): line for line in ax.lines}
    for label, curve in curves.items():
        np.testing.assert_allclose(drawn[label].get_xdata(), curve.lag_s)
        np.testing.assert_allclose(drawn[label].get_ydata(), curve["mean"])
    assert ax.get_xlabel() == "time from image onset to the window's end (s)"
    assert ax.get_ylabel() == "Two-way identification"


def test_legend_names_curves_chance_and_band(results):
    ax = plot_lag_curves(_decoder_curves(results, level=0.9))
    assert _labels(ax) == ["General", "Specialized", "chance", "90 % bootstrap interval over images"]


def test_chance_is_one_line_or_that_of_each_curve(results):
    fixed = plot_lag_curves(_decoder_curves(results))
    (line,) = [line for line in fixed.lines if line.get_label() == "chance"]
    np.testing.assert_array_equal(line.get_ydata(), 0.5)
    curves = _decoder_curves(results, "pixcorr")
    measured = plot_lag_curves(curves)
    assert "chance (images of other trials)" in _labels(measured)
    heights = [line.get_ydata() for line in measured.lines]
    for curve in curves.values():
        assert any(np.array_equal(height, curve.chance) for height in heights)


def test_chance_that_all_curves_share_is_one_grey_line(results):
    rising = results.assign(pixcorr_chance=results.pixcorr_chance + 0.01 * results.test_delta)
    curves = _target_curves(rising, "pixcorr")
    ax = plot_targets(curves)
    levels = [line for line in ax.lines if np.array_equal(line.get_ydata(), curves["current image"].chance)]
    (line,) = levels
    assert line.get_color() == "0.25"
    assert line.get_label() == "chance (images of other trials)"


def test_without_a_known_chance_none_is_drawn(results):
    unknown = {
        name: curve.assign(chance=curve.chance * np.nan) for name, curve in _decoder_curves(results).items()
    }
    assert not [label for label in _labels(plot_lag_curves(unknown)) if "chance" in label]


def test_bars_show_the_image_and_its_neighbours_when_they_are_on_the_screen(results):
    ax = plot_lag_curves(_decoder_curves(results))
    np.testing.assert_allclose(_bars_s(ax), np.arange(-1, 8) * 4.0)
    words = {text.get_text(): text.xy[0] for text in ax.texts}
    assert words == {"prev.": -2.5, "seen": 1.5, "next": 5.5}


def test_no_data_lie_behind_the_bars(results):
    curves = _decoder_curves(results)
    ax = plot_lag_curves(curves)
    low, high = ax.get_ylim()
    lowest = min(float(curve.low.min()) for curve in curves.values())
    assert (lowest - low) / (high - low) > 0.1


def test_a_distant_previous_image_does_not_squeeze_the_data(results):
    slow = results.assign_attrs(soa_s=36.0, stimulus_duration_s=22.5)
    ax = plot_lag_curves(_decoder_curves(slow))
    assert ax.get_xlim()[0] > -5
    assert _bars_s(ax) == [0.0]


def test_unknown_stimulus_times_draw_no_bars(results):
    unknown = results.assign_attrs(soa_s=np.nan)
    del unknown.attrs["stimulus_duration_s"]
    ax = plot_lag_curves(_decoder_curves(unknown))
    assert _bars_s(ax) == []
    assert ax.get_xlim()[0] < 0


def test_upper_axis_counts_the_shift_in_volumes(results):
    ax = plot_lag_curves(_decoder_curves(results))
    ax.figure.canvas.draw()
    (shift,) = ax.child_axes
    assert shift.get_xlabel() == "shift of the window, delta (TRs)"
    np.testing.assert_array_equal(shift.get_xticks(), [0, 3, 6, 9, 12])
    np.testing.assert_allclose(np.array(shift.get_xlim()), np.array(ax.get_xlim()) / (4 / 3) - 8, atol=1e-6)


def test_a_lag_without_neighbours_still_shows_its_interval(plant):
    curves = _decoder_curves(plant([0]))
    ax = plot_lag_curves(curves)
    bars = [
        c for c in ax.collections if isinstance(c, mpl.collections.LineCollection) and len(c.get_segments())
    ]
    segment = bars[0].get_segments()[0]
    np.testing.assert_allclose(segment[:, 1], [curves["General"].low[0], curves["General"].high[0]])


def test_targets_are_drawn_in_their_own_lines(results):
    curves = _target_curves(results)
    ax = plot_targets(curves)
    drawn = {line.get_label(): line for line in ax.lines}
    for target in TARGETS:
        assert drawn[f"{target} image"].get_color() == TARGET_LINES[target].colour
    previous, current, following = (
        float(curve.lag_s[curve["mean"].argmax("test_delta")]) for curve in curves.values()
    )
    assert previous < current < following


@pytest.mark.parametrize("lines", [DECODER_LINES, TARGET_LINES], ids=["decoders", "targets"])
def test_lines_differ_in_dashes_and_marker_and_not_only_in_colour(lines):
    for attribute in ("colour", "dashes", "marker"):
        assert len({getattr(line, attribute) for line in lines.values()}) == len(lines)


def test_curves_of_other_kinds_get_lines_of_their_own(results):
    curve = _decoder_curves(results)["General"]
    others = {name: curve.assign_attrs(decoder=name) for name in ("V1", "V4", "IT")}
    colours = [line.get_color() for line in plot_lag_curves(others).lines if line.get_label() in others]
    assert len(set(colours)) == 3


@pytest.mark.parametrize("deltas", [range(-2, 14), (-3, 0, 3), [0], range(-9, 25)], ids=str)
def test_no_word_is_cut_off_or_hidden(plant, text_faults, deltas):
    planted = plant(deltas)
    assert text_faults(plot_lag_curves(_decoder_curves(planted, "pixcorr")).figure) == []
    assert text_faults(plot_targets(_target_curves(planted)).figure) == []


def test_two_panels_on_a_page_have_no_hidden_words(results, text_faults):
    with figure_style():
        figure, axes = plt.subplots(1, 2, figsize=(6.85, 3.4))
        plot_lag_curves(_decoder_curves(results), ax=axes[0])
        plot_targets(_target_curves(results), ax=axes[1])
    assert text_faults(figure) == []


def test_figure_says_whether_data_are_simulated(results):
    assert plot_lag_curves(_decoder_curves(results)).get_title("right") == "simulated data, subj01"
    real = results.assign_attrs(data_kind="real")
    assert plot_lag_curves(_decoder_curves(real)).get_title("right") == "real data, subj01"
    numbered = results.assign_attrs(subject="1")
    assert plot_lag_curves(_decoder_curves(numbered)).get_title("right") == "simulated data, subject 1"


def test_given_axes_are_used_and_settings_are_left_alone(results):
    before = dict(mpl.rcParams)
    _, ax = plt.subplots()
    assert plot_lag_curves(_decoder_curves(results), ax=ax) is ax
    plot_targets(_target_curves(results))
    assert dict(mpl.rcParams) == before


def test_narrow_panels_name_the_bars_in_the_legend_and_leave_room_for_dashes(results):
    with figure_style():
        _, axes = plt.subplots(1, 3, figsize=(7.1, 3.4))
        ax = plot_lag_curves(_decoder_curves(results), ax=axes[0])
    assert _labels(ax)[-2:] == ["seen image on the screen", "images of other trials"]
    for line in ax.lines[:2]:
        marked_s = line.get_xdata()[line.get_markevery()]
        np.testing.assert_allclose(np.diff(marked_s), 2 * 4 / 3)
        assert np.isclose(marked_s, 32 / 3).any()  # delta 0


def test_a_legend_can_be_left_to_the_figure(results):
    _, ax = plt.subplots()
    plot_lag_curves(_decoder_curves(results), ax=ax, legend=False)
    assert ax.get_legend() is None
    assert ax.get_legend_handles_labels()[1] == [
        "General",
        "Specialized",
        "chance",
        "95 % bootstrap interval over images",
    ]


def test_curves_that_cannot_be_drawn_are_refused(results):
    curves = _decoder_curves(results)
    with pytest.raises(ResultsError, match="no curve"):
        plot_lag_curves({})
    with pytest.raises(ResultsError, match="'General' lacks high"):
        plot_lag_curves({"General": curves["General"].drop_vars("high")})
    with pytest.raises(ResultsError, match="lacks tr_s, start_tr, n_tr, interval, long_name"):
        plot_lag_curves({"General": curves["General"].drop_attrs()})
    with pytest.raises(ResultsError, match="PixCorr and Two-way identification"):
        plot_lag_curves({"a": curves["General"], "b": _decoder_curves(results, "pixcorr")["General"]})
