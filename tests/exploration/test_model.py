"""What is chosen and what follows from it, without a widget."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from tempgen.errors import ResultsError
from tempgen.exploration import Entry, Exploration, ShownImages, open_entries
from tempgen.exploration.model import PAGE
from tempgen.exploration.panel import trials_html
from tests.exploration.conftest import KEPT, planted_trials


def test_the_first_view_is_the_general_decoder_at_its_own_lag(exploration):
    chosen = exploration.selection
    assert (chosen.decoder, chosen.cell, chosen.target, chosen.metric) == (
        "general",
        (0, 0),
        "current",
        "identification",
    )


def test_trials_behind_a_cell_have_the_scores_of_that_cell(exploration):
    exploration.choose(only_kept=False)
    exploration.choose_cell(2, 3)
    expected = exploration.results["identification"].sel(train_delta=2, test_delta=3, target="current")
    np.testing.assert_array_equal(exploration.trials()["score"], expected)
    assert exploration.trials()["score"].mean() == pytest.approx(
        float(
            exploration.matrix().sel(train_delta=2, test_delta=3)
            + exploration.matrix()["chance"].sel(train_delta=2, test_delta=3)
            + exploration.chance()
        )
    )


def test_a_lag_of_the_specialized_decoder_is_its_own_cell(exploration):
    exploration.choose(decoder="specialized")
    exploration.choose_lag(3)
    assert exploration.selection.cell == (3, 3)
    exploration.choose(decoder="general")
    assert exploration.selection.cell == (0, 3)


def test_reconstructions_of_another_lag_are_shown_after_it_was_chosen(exploration):
    exploration.choose_lag(2)
    table, pictures = exploration.page()
    assert table.index.tolist() == list(KEPT)
    assert {int(one.reconstruction[0, 0, 0]) for one in pictures} == {102}
    exploration.choose_lag(-1)
    assert {int(one.reconstruction[0, 0, 0]) for one in exploration.page()[1]} == {99}


def test_images_before_and_after_belong_to_the_trial(exploration):
    _, pictures = exploration.page()
    image_id = int(exploration.results["image_id"][KEPT[0]])
    shown = {target: int(image[0, 0, 0]) for target, image in pictures[0].seen.items()}
    assert shown == {"previous": image_id - 1, "current": image_id, "next": image_id + 1}


def test_where_nothing_was_kept_all_trials_are_listed_and_say_so(exploration):
    exploration.choose_cell(3, 3)
    table, pictures = exploration.page()
    assert len(exploration.trials()) == exploration.results.sizes["trial"]
    assert len(table) == PAGE
    assert not any(one.reconstruction is not None for one in pictures)
    assert "not kept" in trials_html(table, pictures, target="current")


def test_brushed_trials_stay_when_the_lag_changes(exploration):
    exploration.choose(only_kept=False)
    exploration.brush([7, 3, 7])
    exploration.choose_lag(4)
    assert exploration.trials().index.tolist() == [3, 7]
    exploration.brush(None)
    assert len(exploration.trials()) == exploration.results.sizes["trial"]


def test_best_first_is_lowest_first_where_lower_is_better(exploration):
    exploration.choose(only_kept=False, order="best first")
    assert exploration.trials()["score"].is_monotonic_decreasing
    exploration.results["identification"].attrs["direction"] = "lower is better"
    assert exploration.trials()["score"].is_monotonic_increasing


def test_pages_end_with_the_last_trial(exploration):
    exploration.choose(only_kept=False)
    exploration.turn(1000)
    table, _ = exploration.page()
    assert table.index[-1] == exploration.results.sizes["trial"] - 1
    exploration.turn(-1000)
    assert exploration.selection.first == 0


def test_the_table_tells_its_own_view(exploration):
    exploration.choose_lag(3)
    table = exploration.table()
    assert table["test_delta"].unique().tolist() == [3]
    assert table["data_kind"].unique().tolist() == ["simulated"]
    assert table["kept"].all()
    assert exploration.stem == "explore_identification_current_train+00_test+03"


@pytest.mark.parametrize(
    "choice",
    [{"metric": "beauty"}, {"target": "third"}, {"region": "V1"}],
    ids=lambda choice: next(iter(choice)),
)
def test_what_is_not_there_cannot_be_chosen(exploration, choice):
    with pytest.raises(ResultsError, match="there are"):
        exploration.choose(**choice)


def test_a_cell_without_scores_is_refused(exploration):
    with pytest.raises(ResultsError, match="evaluate --matrix"):
        exploration.choose_cell(0, 99)


def test_a_result_with_regions_and_subjects_becomes_one_entry_for_each():
    results = planted_trials()
    halves = np.where(np.arange(results.sizes["trial"]) < 150, "1", "2")
    results = results.assign_coords(subject=("trial", halves.astype(object)))
    both = xr.concat([results, results + 0.1], xr.Variable("region", ["V1", "IT"]), combine_attrs="override")
    both["identification_chance"] = both["pixcorr_chance"]
    exploration = Exploration(open_entries(both))
    assert exploration.options["region"] == ["V1", "IT"]
    assert exploration.options["subject"] == ["1", "2"]
    exploration.choose(metric="pixcorr")
    before = exploration.scores()
    exploration.choose(region="IT")
    np.testing.assert_allclose(exploration.scores(), before + 0.1, atol=1e-6)
    exploration.choose(subject="2")
    assert exploration.entry.labels["region"] == "IT"
    assert exploration.results.sizes["trial"] == 150


def test_results_that_nothing_tells_apart_are_numbered():
    entries = open_entries([planted_trials(), planted_trials()])
    assert [entry.labels["number"] for entry in entries] == ["1", "2"]


def test_the_choice_is_kept_where_the_other_result_has_it(planted):
    other = Entry({"subject": "subj02", "algorithm": "Ridge to pixels"}, planted.results, ShownImages())
    exploration = Exploration([planted, other], n_draws=50)
    exploration.choose(metric="pixcorr", target="next")
    exploration.choose_lag(3)
    exploration.choose(subject="subj02")
    chosen = exploration.selection
    assert (chosen.entry, chosen.metric, chosen.target, chosen.cell) == (1, "pixcorr", "next", (0, 3))


def test_words_of_a_result_are_escaped(exploration):
    table, pictures = exploration.page()
    pictures[0].names["previous"] = "<script>"
    pictures[0].seen["previous"] = None
    page = trials_html(table, pictures, target="current")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_averaged_presentations_say_so_and_have_no_neighbours(planted):
    counts = np.where(np.arange(planted.results.sizes["trial"]) % 2, 3, 2)
    averaged = planted.results.assign_coords(n_repetitions=("trial", counts))
    table, pictures = Exploration([replace(planted, results=averaged)], n_draws=50).page()
    assert (table[["previous_image", "next_image"]] == -1).all(axis=None)
    page = trials_html(table, pictures, target="current")
    assert "mean of 2 presentations" in page
    assert "mean of 3 presentations" in page
