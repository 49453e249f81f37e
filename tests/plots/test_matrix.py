"""The generalization matrix: cells, colours and marks."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection, QuadMesh
from matplotlib.patches import Rectangle

from tempgen.errors import ResultsError
from tempgen.generalization import generalization_matrix
from tempgen.plots import plot_matrix


def _mesh(ax):
    return next(artist for artist in ax.collections if isinstance(artist, QuadMesh))


def _colour(ax, value):
    mesh = _mesh(ax)
    return np.array(mesh.cmap(mesh.norm(value))[:3])


def _labels(ax):
    return [text.get_text() for text in ax.figure.legends[0].get_texts()]


@pytest.fixture(scope="module")
def matrix(plant):
    return generalization_matrix(plant(), "identification")


def test_training_lags_go_up_and_test_lags_to_the_right(matrix):
    ax = plot_matrix(matrix)
    np.testing.assert_array_equal(_mesh(ax).get_array().reshape(matrix.shape), matrix)
    assert ax.get_xlim() == ax.get_ylim() == (-0.5, 15.5)
    assert ax.get_aspect() == 1
    assert ax.get_ylabel().startswith("training")
    assert ax.get_xlabel().startswith("test")
    # at cells of whole seconds
    assert [label.get_text() for label in ax.get_xticklabels()] == ["8", "12", "16", "20", "24", "28"]
    np.testing.assert_allclose(matrix.lag_s[ax.get_xticks()], [8, 12, 16, 20, 24, 28])


def test_chance_is_white_and_equal_distances_are_equally_strong(matrix):
    ax = plot_matrix(matrix)
    assert _colour(ax, 0.5).min() > 0.93
    red, blue = _colour(ax, 0.6), _colour(ax, 0.4)
    assert red[0] > red[2]
    assert blue[2] > blue[0]
    assert abs(red.sum() - blue.sum()) < 0.25
    assert _mesh(ax).get_clim() == (float(matrix.min()), float(matrix.max()))


def test_chance_is_marked_on_the_colour_bar_by_name(matrix):
    bar = plot_matrix(matrix).child_axes[0]
    assert "chance\n0.5" in [label.get_text() for label in bar.get_xticklabels()]
    assert bar.get_xlabel() == "Two-way identification"


def test_scores_above_chance_are_centred_on_zero(plant, text_faults):
    matrix = generalization_matrix(plant(), "pixcorr", above_chance=True)
    ax = plot_matrix(matrix)
    assert _colour(ax, 0.0).min() > 0.93
    bar = ax.child_axes[0]
    assert "chance\n0" in [label.get_text() for label in bar.get_xticklabels()]
    assert bar.get_xlabel() == "PixCorr above chance"
    assert text_faults(ax.figure) == []


def test_colours_reach_down_to_chance_when_all_scores_are_above_it(matrix):
    ax = plot_matrix(matrix + 0.3, chance=0.5)
    assert _mesh(ax).get_clim()[0] == 0.5
    assert "below chance" not in _labels(ax)


def test_cells_below_chance_bear_a_minus_sign_for_grey_print(matrix):
    ax = plot_matrix(matrix)
    (marks,) = [line for line in ax.lines if line.get_marker() == "_" and len(line.get_xdata())]
    reach = max(float(matrix.max()) - 0.5, 0.5 - float(matrix.min()))
    rows, columns = np.nonzero(matrix.to_numpy() < 0.5 - 0.05 * reach)  # nearer to chance they look white
    assert rows.size
    np.testing.assert_array_equal(marks.get_xydata(), np.stack([columns, rows], axis=1))
    assert "below chance" in _labels(ax)


def test_without_a_known_chance_colours_are_sequential(matrix):
    ax = plot_matrix(matrix.assign_attrs(chance=np.nan))
    assert _mesh(ax).cmap.name == "viridis"
    assert "below chance" not in _labels(ax)


def test_colour_limits_can_be_shared_between_figures(matrix):
    assert _mesh(plot_matrix(matrix, limits=(0.2, 1.0))).get_clim() == (0.2, 1.0)


def test_border_separates_windows_that_share_volumes(matrix):
    ax = plot_matrix(matrix)
    (border,) = [artist for artist in ax.collections if isinstance(artist, LineCollection)]
    shares = matrix.shares_volumes.to_numpy()
    expected = np.count_nonzero(shares[1:] != shares[:-1]) + np.count_nonzero(shares[:, 1:] != shares[:, :-1])
    assert len(border.get_segments()) == expected
    for (x0, y0), (x1, y1) in border.get_segments():
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        half = (0.0, 0.5) if y0 == y1 else (0.5, 0.0)
        beyond, before = (shares[int(y + s * half[1]), int(x + s * half[0])] for s in (1, -1))
        assert beyond != before


def test_general_row_and_specialized_diagonal_are_marked(matrix):
    ax = plot_matrix(matrix)
    (row,) = [
        patch for patch in ax.patches if isinstance(patch, Rectangle) and patch.get_label() == "General"
    ]
    assert (row.get_xy(), row.get_width(), row.get_height()) == ((-0.5, 1.5), 16, 1)
    (diagonal,) = [line for line in ax.lines if line.get_label() == "Specialized"]
    np.testing.assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())


def test_cells_that_were_not_computed_are_hatched_and_named(plant):
    partial = generalization_matrix(plant(matrix=False), "identification")
    ax = plot_matrix(partial)
    np.testing.assert_array_equal(
        np.ma.getmaskarray(_mesh(ax).get_array()).reshape(partial.shape), partial.isnull()
    )
    (ground,) = [patch for patch in ax.patches if patch.get_hatch()]
    assert ground.get_label() in _labels(ax)


def test_a_matrix_may_have_few_training_lags(plant, text_faults):
    few = generalization_matrix(plant().sel(train_delta=[0, 6]), "identification")
    ax = plot_matrix(few)
    assert text_faults(ax.figure) == []
    (diagonal,) = [line for line in ax.lines if line.get_label() == "Specialized"]
    np.testing.assert_array_equal(diagonal.get_xydata(), [[2, 0], [8, 1]])
    assert diagonal.get_linestyle() == "None"  # a line would run through cells of other decoders


def test_figures_are_as_high_as_their_square_cells_need(plant):
    ax = plot_matrix(generalization_matrix(plant(), "identification"))
    ax.figure.draw_without_rendering()
    place = ax.get_position(original=True).transformed(ax.figure.transFigure)
    cells = ax.get_window_extent()
    assert cells.width == pytest.approx(cells.height, abs=0.5)
    assert place.height == pytest.approx(cells.height, rel=0.02)
    assert place.width == pytest.approx(cells.width, rel=0.02)


def test_a_matrix_may_have_few_test_lags(plant, text_faults):
    few = generalization_matrix(plant().sel(test_delta=[0, 6]), "identification")
    ax = plot_matrix(few)
    assert text_faults(ax.figure) == []
    cells = ax.get_window_extent()
    assert cells.height == pytest.approx(1.5 * cells.width, rel=0.02)


@pytest.mark.parametrize("deltas", [range(-2, 14), (-3, 0, 3), [0], range(-9, 25)], ids=str)
def test_no_word_is_cut_off_or_hidden(plant, text_faults, deltas):
    assert text_faults(plot_matrix(generalization_matrix(plant(deltas), "pixcorr")).figure) == []


def test_given_axes_are_used(matrix):
    _, ax = plt.subplots()
    assert plot_matrix(matrix, ax=ax) is ax
    assert len(plt.get_fignums()) == 1
    assert ax.get_title("right") == "simulated data, subj01"


def test_a_matrix_that_cannot_be_drawn_is_refused(matrix):
    with pytest.raises(ResultsError, match=r"got \('test_delta', 'train_delta'\)"):
        plot_matrix(matrix.T)
    with pytest.raises(ResultsError, match="lacks shares_volumes"):
        plot_matrix(matrix.drop_vars("shares_volumes"))
    with pytest.raises(ResultsError, match="no score in any cell"):
        plot_matrix(matrix * np.nan)
