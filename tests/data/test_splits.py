import numpy as np
import pandas as pd
import pytest

from tempgen.config.split import SplitConfig
from tempgen.data.splits import split_trials
from tempgen.errors import ConfigError, SplitError
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


def test_interleaved_split_draws_trials_one_by_one_and_says_how_many_share_volumes():
    trials = table(n_images=10_000)
    made = split(trials, kind="interleaved", test_fraction=0.25)
    assert made.counts["n_test_runs"] == made.counts["n_train_runs"] == 24
    usable = len(trials) - made.counts["n_left_out_window"]
    assert made.counts["n_test"] == pytest.approx(0.25 * usable, rel=0.1)
    # windows of 16 lags reach over 21 volumes: with 3 volumes from trial to trial, nearly every trial has a tested neighbour
    assert made.counts["n_train_sharing_volumes"] > 0.95 * made.counts["n_train"]
    assert "caution" in made.describe()
    assert not split(trials, n_test_runs=6).counts["n_train_sharing_volumes"]


def test_interleaved_folds_test_every_trial_once():
    trials = table()
    folds = [
        split(trials, kind="interleaved", test_fraction=0.25, fold=fold, image_disjoint=False)
        for fold in range(4)
    ]
    usable = folds[0].train | folds[0].test
    np.testing.assert_array_equal(sum(made.test.astype(int) for made in folds), usable)
    with pytest.raises(SplitError, match="folds 0 to 3 of 402 test trials"):
        split(trials, kind="interleaved", test_fraction=0.25, fold=4)


@pytest.mark.parametrize("disjoint", [True, False])
def test_interleaved_split_keeps_images_apart_unless_told_otherwise(disjoint):
    trials = table()
    made = split(trials, kind="interleaved", test_fraction=0.25, image_disjoint=disjoint)
    shared = set(trials["image_id"][made.train]) & set(trials["image_id"][made.test])
    assert bool(shared) is not disjoint
    assert (made.counts["n_left_out_image"] > 0) is disjoint


def test_interleaved_split_follows_its_seed():
    trials = table()
    drawn = [split(trials, kind="interleaved", seed=seed).fingerprint for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_conditions_narrow_training_and_test_within_their_runs():
    trials = table().assign(session=np.repeat([1, 2, 3, 4], len(table()) // 4))
    whole = split(trials, n_test_runs=8)
    made = split(trials, n_test_runs=8, train_where="session <= 2", test_where="session > 2")
    np.testing.assert_array_equal(made.train, whole.train & (trials["session"] <= 2))
    np.testing.assert_array_equal(made.test, whole.test & (trials["session"] > 2))
    assert 0 < made.counts["n_train"] < whole.counts["n_train"]
    counts = made.counts
    given_up = counts["n_left_out_window"] + counts["n_left_out_image"] + counts["n_left_out_where"]
    assert counts["n_train"] + counts["n_test"] + given_up == counts["n_trials"]
    assert whole.counts["n_left_out_where"] == 0


def test_condition_on_the_test_leaves_the_decoders_as_they_are():
    trials = table()
    whole = split(trials, n_test_runs=8)
    tested, trained = (
        split(trials, n_test_runs=8, **{key: "image_id < 250"}) for key in ("test_where", "train_where")
    )
    assert whole.fingerprint == whole.training_fingerprint == tested.training_fingerprint
    assert tested.fingerprint != whole.fingerprint
    assert trained.training_fingerprint != whole.training_fingerprint


def test_condition_that_leaves_no_test_trial_says_so():
    trials = table()
    training_run = trials["run"][split(trials, n_test_runs=4).train].iloc[0]
    with pytest.raises(SplitError, match=rf"No test trial is left.*none fulfils 'run == {training_run}'"):
        split(trials, n_test_runs=4, test_where=f"run == {training_run}")


def test_split_cannot_be_conditioned_on_what_the_trials_do_not_have():
    with pytest.raises(
        ConfigError, match=r"split\.test_where.*no column after_blank. Columns: run, position_in_run"
    ):
        split(table(), n_test_runs=4, test_where="after_blank")
