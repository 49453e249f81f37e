"""Without a notebook there is a figure."""

from tempgen.exploration import explore, open_entries
from tempgen.exploration.drawing import draw_view
from tests.exploration.conftest import planted_trials
from tests.plots.conftest import text_faults  # noqa: F401  (a fixture)


def test_outside_a_notebook_a_figure_comes_and_says_what_to_do(monkeypatch, capsys):
    monkeypatch.setattr("tempgen.exploration.show.find_spec", lambda name: object())
    figure = explore(planted_trials())
    assert len(figure.axes) >= 3
    assert "JupyterLab" in capsys.readouterr().out


def test_missing_widgets_are_named_with_what_installs_them(monkeypatch, capsys):
    monkeypatch.setattr(
        "tempgen.exploration.show.find_spec", lambda name: None if name == "plotly" else object()
    )
    explore(planted_trials())
    said = capsys.readouterr().out
    assert "plotly not installed (pip install 'tempgen[explore]')" in said


def test_the_figure_shows_the_chosen_lag_and_no_word_leaves_it(exploration, text_faults):  # noqa: F811
    exploration.choose_lag(3)
    figure = draw_view(exploration)
    words = " ".join(text.get_text() for sub in figure.subfigs for text in sub.texts)
    words += " ".join(sub.get_suptitle() for sub in figure.subfigs)
    assert "tested at delta 3" in words
    assert not text_faults(figure)


def test_a_result_without_trials_of_its_own_still_has_curves():
    results = planted_trials().drop_vars(["run", "onset_tr"])
    (entry,) = open_entries(results)
    assert entry.labels["subject"] == "subj01"
    assert explore(results).axes
