"""What events of the widgets do, without a browser."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("ipywidgets", reason="the interactive view needs the extra explore")
pytest.importorskip("anywidget", reason="the interactive view needs the extra explore")

from ipywidgets.widgets import widget

from tempgen.exploration.view import ExplorationView


@pytest.fixture
def view(exploration, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return ExplorationView(exploration)


def point(x: float, y: float = 0.0, trials: tuple[int, ...] = ()) -> SimpleNamespace:
    return SimpleNamespace(xs=[x], ys=[y], point_inds=list(trials))


def test_figures_are_complete_when_they_are_made(view):
    assert len(view._curves.data) == 6
    np.testing.assert_allclose(view._curves.data[2].y, view.exploration.curves()["general"]["mean"])
    np.testing.assert_allclose(view._matrix.data[0].z, view.exploration.matrix())
    assert len(view._strip.data[0].x) == view.exploration.results.sizes["trial"]


def test_the_first_message_of_a_figure_holds_all_that_it_shows(exploration, monkeypatch):
    opened, create = [], widget.comm.create_comm

    def noted(**message):
        opened.append(message["data"]["state"])
        return create(**message)

    monkeypatch.setattr(widget.comm, "create_comm", noted)
    ExplorationView(exploration)
    figures = [state for state in opened if "_widget_data" in state]
    assert [len(state["_widget_data"]) for state in figures] == [6, 1, 1]
    assert all(state["_widget_layout"] for state in figures)


def test_a_click_on_a_curve_chooses_its_decoder_and_lag(view):
    lag_s = float(view.exploration.results["lag_s"].sel(test_delta=3))
    view._click_curve("specialized", point(lag_s))
    assert view.exploration.selection.cell == (3, 3)
    assert view._menus["decoder"].value == "specialized"
    assert view._curves.layout.shapes[0].x0 == pytest.approx(lag_s)
    np.testing.assert_allclose(view._strip.data[0].x, view.exploration.scores((3, 3)))


def test_hovering_shows_another_cell_and_chooses_nothing(view):
    before = view._trials.value
    lag_s = float(view.exploration.results["lag_s"].sel(test_delta=2))
    view._hover_curve("general", point(lag_s))
    assert "Looking at" in view._title.value
    assert view._trials.value != before
    assert view.exploration.selection.cell == (0, 0)
    view._show_trials()
    assert view._trials.value == before


def test_another_metric_draws_new_figures(view):
    before = view._curves
    view._menus["metric"].value = "pixcorr"
    assert view._curves is not before
    assert view._curves.layout.yaxis.title.text == "PixCorr"
    assert view._above.children == (view._curves, view._matrix)


def test_selected_trials_are_listed_alone(view):
    view._only_kept.value = False
    view._select(point(0.0, trials=(3, 9)))
    assert "of 2 trials" in view._title.value
    assert view._strip.data[0].selectedpoints == (3, 9)


def test_what_cannot_be_chosen_is_said_and_changes_nothing(view):
    view.exploration.results["identification"][0, 3] = np.nan
    view.exploration._cells.clear()
    lags = (view.exploration.results[name].to_numpy() for name in ("lag_s", "train_lag_s"))
    view._click_matrix(point(next(lags)[3], next(lags)[0]))
    assert "evaluate --matrix" in view._said.value
    assert view.exploration.selection.cell == (0, 0)


def test_saved_files_are_named_and_hold_the_view(view, tmp_path):
    view._save_png()
    view._save_csv()
    png, csv = sorted(tmp_path.glob("explore_*"), key=lambda path: path.suffix, reverse=True)
    assert str(csv) in view._said.value
    assert png.stat().st_size > 10_000
    assert len(csv.read_text().splitlines()) == 1 + len(view.exploration.trials())
