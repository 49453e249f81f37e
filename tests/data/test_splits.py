import numpy as np
import pandas as pd
import pytest

from tempgen.config.analysis import SplitConfig
from tempgen.data.splits import split_trials
from tempgen.errors import SplitError
from tempgen.windows import Window

WINDOW = Window(2, 6, 4 / 3)
DELTAS = tuple(range(-2, 14))


def table(n_runs: int = 24, *, n_images: int = 500, seed: int = 0) -> pd.DataFrame:
    """Trials as NSD has them: every third volume from 9 on, each image three times in random order."""
    onsets = np.arange(9, 210, 3)
    images = np.random.default_rng(seed).permutation(np.resize(np.arange(n_images), n_runs * len(onsets)))
    return pd.DataFrame(
        {
            "run": np.repeat(np.arange(n_runs), len(onsets)),
            "onset_tr": np.tile(onsets, n_runs),
            "run_length": 225,
            "image_id": images,
            "shared1000": images < n_images // 10,
        }
    )


def split(trials: pd.DataFrame, *, with_images: bool = True, **config: object):
    return split_trials(
        trials, SplitConfig.model_validate(config), window=WINDOW, deltas=DELTAS, with_images=with_images
    )


def test_no_run_serves_training_and_test():
    trials = table()
    made = split(trials, n_test_runs=4)
    assert not set(trials["run"][made.train]) & set(trials["run"][made.test])
    assert made.counts["n_test_runs"] == 4
    assert made.counts["n_train_sharing_volumes"] == 0


def test_no_image_serves_training_and_test_by_default():
    trials = table()
    made = split(trials, n_test_runs=4)
    assert not set(trials["image_id"][made.train]) & set(
        trials["image_id"][trials["run"].isin(trials["run"][made.test])]
    )
    assert made.counts["n_left_out_image"] > 0


def test_split_of_the_paper_keeps_repeated_images():
    trials = table()
    made = split(trials, n_test_runs=4, image_disjoint=False)
    assert set(trials["image_id"][made.train]) & set(trials["image_id"][made.test])
    assert made.counts["n_left_out_image"] == 0


def test_counts_add_up_to_all_trials():
    trials = table()
    counts = split(trials, n_test_runs=4).counts
    given_up = counts["n_left_out_window"] + counts["n_left_out_image"]
    assert counts["n_train"] + counts["n_test"] + given_up == counts["n_trials"] == len(trials)


def test_trials_whose_late_windows_leave_the_run_are_left_out_everywhere():
    trials = table()
    made = split(trials, n_test_runs=4)
    last_volume = trials["onset_tr"] + WINDOW.start_tr + max(DELTAS) + WINDOW.n_tr
    assert (last_volume[made.train | made.test] <= 225).all()
    assert made.counts["n_left_out_window"] == int((last_volume > 225).sum()) > 0


def test_successive_trials_share_a_split_only_when_split_by_run():
    trials = table()
    by_run = split(trials, n_test_runs=4, image_disjoint=False)
    by_image = split(trials, kind="nsd-standard")
    neighbours = (trials["run"] == trials["run"].shift(-1)).to_numpy()[:-1]
    mixed = [(made.train[:-1] & made.test[1:] & neighbours).any() for made in (by_run, by_image)]
    assert mixed == [False, True]
    assert by_image.counts["n_train_sharing_volumes"] > 0


def test_standard_split_tests_on_the_shared_images_only():
    trials = table()
    made = split(trials, kind="nsd-standard")
    assert trials["shared1000"][made.test].all()
    assert not trials["shared1000"][made.train].any()


def test_seed_chooses_the_runs_and_nothing_else_does():
    trials = table()
    assert split(trials, seed=1).fingerprint == split(trials, seed=1).fingerprint
    assert split(trials, seed=1).fingerprint != split(trials, seed=2).fingerprint


def test_default_fraction_is_that_of_the_paper():
    assert split(table(480, n_images=9000), image_disjoint=False).counts["n_test_runs"] == 45


def test_labels_cannot_be_image_disjoint_and_are_not():
    made = split(table(n_images=8), n_test_runs=4, with_images=False)
    assert not made.image_disjoint
    assert made.counts["n_left_out_image"] == 0


def test_folds_test_every_run_once():
    trials = table()
    tested = [set(trials["run"][split(trials, n_test_runs=4, fold=fold).test]) for fold in range(6)]
    assert sorted(run for runs in tested for run in runs) == list(range(24))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"n_test_runs": 4, "fold": 6}, "folds 0 to 5"),
        ({"n_test_runs": 24}, "24 test runs were asked for"),
        ({"n_test_runs": 12}, "No training trial is left"),
    ],
)
def test_split_without_trials_is_refused_with_the_reason(config, message):
    with pytest.raises(SplitError, match=message):
        split(table(n_images=8), **config)


def test_standard_split_needs_the_shared_images():
    with pytest.raises(SplitError, match="time-resolved"):
        split(table().assign(shared1000=False), kind="nsd-standard")
