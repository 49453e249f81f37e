"""Trials are chosen by rule and by nothing else."""

import numpy as np
import pytest
import xarray as xr

from tempgen.errors import ResultsError
from tempgen.generalization.exemplar_images import exemplar_images, exemplar_pairs
from tempgen.generalization.exemplars import choose_exemplars

DELTAS = np.array([-1, 0, 1])


def planted_scores(own, *, previous=None, direction="higher is better"):
    """Result in which trial t has ``own[t]`` in the General cell; other cells would be chosen otherwise."""
    own = np.asarray(own, dtype=np.float32)
    scores = np.tile(-own, (3, 3, 3, 1))
    scores[1, 1, 1] = own
    scores[1, 1, 0] = np.nan if previous is None else previous
    scores[1, 1, 2] = np.nan
    return xr.Dataset(
        {
            "m": (
                ("train_delta", "test_delta", "target", "trial"),
                scores,
                {"long_name": "M", "direction": direction},
            )
        },
        coords={
            "train_delta": DELTAS,
            "test_delta": DELTAS,
            "target": ["previous", "current", "next"],
            "run": ("trial", np.arange(len(own)) // 3),
            "onset_tr": ("trial", np.arange(len(own)) % 3),
        },
        attrs={"general_delta": 0, "data_kind": "simulated", "subject": "1"},
    )


def planted_reconstructions(results, *, order=None, computed=None):
    """Kept reconstructions of the result's trials, in any order; red is the trial, green the cell."""
    n_trials = results.sizes["trial"]
    order = np.arange(n_trials) if order is None else np.asarray(order)
    images = np.zeros((3, 3, len(order), 2, 2, 3), dtype=np.uint8)
    images[..., 0] = order[:, np.newaxis, np.newaxis]
    images[..., 1] = np.arange(9).reshape(3, 3, 1, 1, 1)
    seen = np.zeros((n_trials, 2, 2, 3), dtype=np.uint8)
    seen[..., 2] = np.arange(n_trials)[:, np.newaxis, np.newaxis]
    pixels = ("row", "column", "rgb")
    return xr.Dataset(
        {
            "reconstruction": (("train_delta", "test_delta", "trial", *pixels), images),
            "seen": (("image", *pixels), seen),
            "computed": (
                ("train_delta", "test_delta"),
                np.ones((3, 3), bool) if computed is None else computed,
            ),
        },
        coords={
            "train_delta": DELTAS,
            "test_delta": DELTAS,
            "lag_s": ("test_delta", DELTAS * 2.0),
            "image_of": ("image", np.arange(n_trials)),
            "image_id": ("trial", order),
            "previous_image": ("trial", order - 1),
            "next_image": ("trial", np.where(order + 1 < n_trials, order + 1, -1)),
            "run": ("trial", order // 3),
            "onset_tr": ("trial", order % 3),
        },
        attrs={"general_delta": 0},
    )


def chosen_trials(own, **options):
    results = planted_scores(own, **{k: options.pop(k) for k in ("previous", "direction") if k in options})
    kept = planted_reconstructions(results, order=options.pop("order", None))
    chosen = choose_exemplars(kept, results, "m", **options)
    return kept["image_id"].values[chosen["position"].values].tolist(), chosen


def test_best_median_and_worst_are_by_rank():
    trials, chosen = chosen_trials([0.3, 0.9, 0.5, 0.1, 0.7])
    assert trials == [1, 2, 3]
    assert chosen["rank"].values.tolist() == [1, 3, 5]
    assert chosen["score"].values.tolist() == pytest.approx([0.9, 0.5, 0.1])


def test_of_a_metric_of_errors_the_lowest_is_best():
    assert chosen_trials([0.3, 0.9, 0.5, 0.1, 0.7], direction="lower is better")[0] == [3, 2, 1]


def test_equal_scores_stand_in_the_order_of_trials_however_they_were_kept():
    for order in ([0, 1, 2, 3, 4, 5], [5, 3, 1, 0, 2, 4]):
        trials, chosen = chosen_trials([1.0] * 6, order=order, n_each=2)
        assert trials == [0, 1, 2, 3, 4, 5]
        assert chosen["rank"].values.tolist() == [1, 2, 3, 4, 5, 6]


def test_trials_that_were_not_kept_are_not_ranked():
    trials, chosen = chosen_trials([0.3, 0.9, 0.5, 0.1, 0.7], order=[0, 2, 4])
    assert trials == [4, 2, 0]
    assert chosen.attrs["n_ranked"] == 3


def test_only_trials_with_both_neighbours_where_that_is_asked_for():
    trials, chosen = chosen_trials([0.9, 0.3, 0.5, 0.7, 0.1], with_neighbours=True)
    assert trials == [3, 2, 1]
    assert (
        "3 kept test trials with both neighbours by M of the General decoder at delta 0"
        in chosen.attrs["rule"]
    )


def test_trials_that_show_a_neighbour_are_found_by_their_gain():
    trials, chosen = chosen_trials(
        [0.5, 0.5, 0.5, 0.5], previous=[0.4, 0.9, 0.6, 0.5], rules=["neighbour"], n_each=3
    )
    assert trials == [1, 2]
    assert chosen["closest"].values.tolist() == ["previous", "previous"]


def test_no_trial_is_chosen_twice():
    trials, _ = chosen_trials([0.1, 0.5, 0.9], previous=[0.8, 0.0, 0.0], rules=["worst", "neighbour"])
    assert trials == [0]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"rules": ["nicest"]}, "best, median, worst, neighbour; got"),
        ({"n_each": 2}, "2 trials of each of the rules best, median, worst were asked for; 5 scored"),
    ],
)
def test_what_cannot_be_chosen_is_refused(options, complaint):
    with pytest.raises(ResultsError, match=complaint):
        chosen_trials([0.3, 0.9, 0.5, 0.1, 0.7], **options)


def test_pairs_hold_the_chosen_trials_images():
    results = planted_scores([0.3, 0.9, 0.5, 0.1], previous=[0.0, 0.0, 0.0, 0.8])
    kept = planted_reconstructions(results, order=[3, 2, 1, 0])
    pairs = exemplar_pairs(kept, choose_exemplars(kept, results, "m", rules=["best", "worst"]))
    assert pairs["reconstruction"][:, 0, 0].values.tolist() == [[1, 4, 0], [3, 4, 0]]
    assert pairs["seen"][:, 0, 0, 2].values.tolist() == [1, 3]
    assert pairs["closest_image"][:, 0, 0, 2].values.tolist() == [1, 2]


def test_images_by_lag_are_of_both_decoders_at_the_lags_that_both_have():
    results = planted_scores([0.3, 0.9, 0.5])
    computed = np.array([[False, False, False], [True, True, True], [False, False, True]])
    kept = planted_reconstructions(results, computed=computed)
    images = exemplar_images(kept, choose_exemplars(kept, results, "m"))
    assert list(images) == ["General", "Specialized"]
    assert images["General"]["reconstruction"][:, 0, 0, 0, 1].values.tolist() == [4, 5]
    assert images["Specialized"]["reconstruction"][:, 0, 0, 0, 1].values.tolist() == [4, 8]
    assert images["General"]["label"].values.tolist() == [
        "best\nrank 1\n0.90",
        "median\nrank 2\n0.50",
        "worst\nrank 3\n0.30",
    ]


def test_without_specialized_decoders_the_general_one_stands_alone():
    results = planted_scores([0.3, 0.9, 0.5])
    computed = np.array([[False] * 3, [True] * 3, [False] * 3])
    kept = planted_reconstructions(results, computed=computed)
    assert list(exemplar_images(kept, choose_exemplars(kept, results, "m"))) == ["General"]
