"""Without a notebook there is a figure."""

from tempgen.exploration import Entry, Exploration, ShownImages, explore, open_entries
from tempgen.exploration.drawing import draw_view
from tempgen.exploration.panel import trials_html
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


def test_labels_are_named_and_no_reconstruction_is_missed(planted, text_faults):  # noqa: F811
    results = planted.results.assign_attrs(decoder_target="labels")
    labels = planted.results["image_id"].to_numpy() % 8
    results = results.assign_coords(image_id=("trial", labels))
    exploration = Exploration([Entry(planted.labels, results, ShownImages())], n_draws=50)
    table, pictures = exploration.page()
    assert pictures[0].names["current"] == f"label {labels[0]}"
    page = trials_html(table, pictures, target="current", reconstructed=not exploration.decodes_labels)
    assert "reconstruction" not in page
    assert "label 1" in page
    figure = draw_view(exploration)
    words = " ".join(sub.get_suptitle() for sub in figure.subfigs)
    words += " ".join(text.get_text() for ax in figure.subfigs[1].axes for text in ax.texts)
    assert "decoded label beside the current label" in words
    assert "reconstruction" not in words
    assert not text_faults(figure)


def test_a_result_without_trials_of_its_own_still_has_curves():
    results = planted_trials().drop_vars(["run", "onset_tr"])
    (entry,) = open_entries(results)
    assert entry.labels["subject"] == "subj01"
    assert explore(results).axes
