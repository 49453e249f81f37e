"""Panels side by side: what they share is said once, and everything can be read."""

import pytest
from matplotlib.text import Text

from tempgen.errors import ResultsError
from tempgen.generalization import generalization_matrix, lag_curve
from tempgen.plots import plot_lag_curves, plot_matrix, plot_row, plot_targets

METRICS = ("pixcorr", "identification", "ssim")


@pytest.fixture(scope="module")
def results(plant):
    planted = plant()
    similar = (0.2 + planted.pixcorr / 10).assign_attrs(planted.pixcorr.attrs | {"long_name": "SSIM"})
    return planted.assign(ssim=similar, ssim_chance=0.2 + planted.pixcorr_chance / 10)


def _curves(results, n_panels=3):
    return {
        metric: {
            name.capitalize(): lag_curve(results, metric, decoder=name, n_draws=20)
            for name in ("general", "specialized")
        }
        for metric in METRICS[:n_panels]
    }


def _targets(results, n_panels=3):
    return {
        metric: {
            f"{target} image": lag_curve(results, metric, decoder="general", target=target, n_draws=20)
            for target in ("previous", "current", "next")
        }
        for metric in METRICS[:n_panels]
    }


def _matrices(results, n_panels=3):
    return {
        metric: generalization_matrix(results, metric, above_chance=True) for metric in METRICS[:n_panels]
    }


KINDS = [(plot_lag_curves, _curves), (plot_targets, _targets), (plot_matrix, _matrices)]
kinds = pytest.mark.parametrize(("plot", "panels"), KINDS, ids=["curves", "targets", "matrix"])


def _words(figure):
    figure.draw_without_rendering()
    return [text.get_text() for text in figure.findobj(Text) if text.get_visible() and text.get_text()]


def _legend(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


@kinds
@pytest.mark.parametrize(("n_panels", "width_mm"), [(1, 85), (2, 120), (3, 180)])
def test_no_word_is_cut_off_or_hidden_at_the_width_of_a_page(
    results, text_faults, plot, panels, n_panels, width_mm
):
    figure = plot_row(plot, panels(results, n_panels))
    assert figure.get_figwidth() * 25.4 == pytest.approx(width_mm)
    assert figure.get_figheight() * 25.4 < 125
    assert text_faults(figure) == []


@kinds
def test_there_is_one_legend_without_duplicates_and_one_stamp(results, plot, panels):
    figure = plot_row(plot, panels(results))
    labels = _legend(figure)
    assert len(labels) == len(set(labels))
    assert all(ax.get_legend() is None for ax in figure.axes)
    assert _words(figure).count("simulated data, subj01") == 1


def test_levels_of_chance_share_one_entry_and_the_band_is_named(results):
    assert _legend(plot_row(plot_lag_curves, _curves(results))) == [
        "General",
        "Specialized",
        "chance (fixed, or images of other trials)",
        "95 % bootstrap interval over images",
        "seen image on the screen",
        "images of other trials",
    ]
    alone = _legend(plot_row(plot_lag_curves, _curves(results, 1)))
    assert alone[2] == "chance (images of other trials)"


def test_shared_labels_are_written_once(results):
    words = _words(plot_row(plot_lag_curves, _curves(results)))
    for word in ("time from image onset to the window's end (s)", "shift of the window, delta (TRs)"):
        assert words.count(word) == 1
    for metric in ("PixCorr", "Two-way identification", "SSIM"):
        assert words.count(metric) == 1
    words = _words(plot_row(plot_matrix, _matrices(results)))
    assert words.count("test lag: onset to window's end (s)") == 1
    assert words.count("training lag: onset\nto window's end (s)") == 1


def test_labels_that_differ_stay_with_their_panels(results):
    few = results.sel(train_delta=[0, 3, 6])
    figure = plot_row(
        plot_matrix, {k: generalization_matrix(r, "pixcorr") for k, r in {"all": results, "few": few}.items()}
    )
    assert [bool(ax.get_ylabel()) for ax in figure.subfigs[0].axes[:2]] == [True, True]


def test_panels_bear_bold_letters_unless_there_is_only_one(results):
    figure = plot_row(plot_lag_curves, _curves(results))
    letters = [text for text in figure.findobj(Text) if text.get_text() in ("a", "b", "c")]
    assert [text.get_text() for text in letters] == ["a", "b", "c"]
    assert {text.get_fontweight() for text in letters} == {"bold"}
    figure.draw_without_rendering()
    assert len({round(text.get_window_extent().y1) for text in letters}) == 1
    assert "a" not in _words(plot_row(plot_lag_curves, _curves(results, 1)))


def test_more_than_three_panels_continue_in_the_next_row(results, text_faults):
    matrices = {f"{k}": matrix for k, matrix in enumerate([*_matrices(results).values()] * 2)}
    figure = plot_row(plot_matrix, dict(list(matrices.items())[:5]))
    assert figure.get_figwidth() * 25.4 == pytest.approx(180)
    assert text_faults(figure) == []
    bottoms = [round(ax.get_position().y0, 2) for ax in figure.subfigs[0].axes[:5]]
    assert bottoms[0] == bottoms[1] == bottoms[2] > bottoms[3] == bottoms[4]


def test_cells_of_a_narrow_matrix_are_square(results):
    figure = plot_row(plot_matrix, _matrices(results))
    figure.draw_without_rendering()
    for ax in figure.subfigs[0].axes[:3]:
        cells = ax.get_window_extent()
        assert cells.width == pytest.approx(cells.height, rel=0.01)
        assert cells.width == pytest.approx(
            ax.get_position(original=True).width * figure.bbox.width, rel=0.02
        )


def test_a_row_without_panels_is_refused():
    with pytest.raises(ResultsError, match="no panel"):
        plot_row(plot_lag_curves, {})
