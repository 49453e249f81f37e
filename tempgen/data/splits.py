"""Which trials train and which test.

By run (the time-resolved split), so that successive trials share a split and no volume serves both; by default without
any training trial of an image that occurs in the test runs. Or NSD's standard split by image. Or, as a control only, trial
by trial across all runs (interleaved): neighbours then share volumes, and what a decoder gains by that is leakage.

Conditions on the trials table (``train_where``, ``test_where``) narrow each side further.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempgen.config.files import fingerprint
from tempgen.config.split import WHERE_KEYS, SplitConfig
from tempgen.data.trial_selection import trials_where
from tempgen.errors import SplitError
from tempgen.windows import Window, usable_trials

Role = Literal["train", "test"]


@dataclass(frozen=True)
class Split:
    """The role of every trial of a store.

    Attributes
    ----------
    train, test : array of bool, shape (n_trials,)
        Disjoint; trials that are neither were left out, and ``counts`` says why.
    held_out : array of bool, shape (n_trials,)
        The trials kept from training to test on; ``test`` are those of them that ``test_where`` chooses, or all.
    counts : dict of str to int
        Trials, runs and what was given up: ``n_train``, ``n_test``, ``n_train_runs``, ``n_test_runs``,
        ``n_left_out_window`` (a window at a requested delta would leave the run), ``n_left_out_image`` (training trials of
        images that occur in test runs), ``n_left_out_where`` (trials that ``train_where`` or ``test_where`` does not
        choose), ``n_train_sharing_volumes`` (training trials with a volume in a test window).
    kind : str
        ``"time-resolved"``, ``"nsd-standard"`` or ``"interleaved"``.
    image_disjoint : bool
        Whether no image serves both training and test.
    """

    train: NDArray[np.bool_]
    test: NDArray[np.bool_]
    held_out: NDArray[np.bool_]
    counts: dict[str, int]
    kind: str
    image_disjoint: bool

    @property
    def fingerprint(self) -> str:
        """Changes with any trial's role."""
        return _fingerprint(self.train, self.test)

    @property
    def training_fingerprint(self) -> str:
        """Changes with the trials that train or that are held out: decoders can be tested on any part of the latter."""
        return _fingerprint(self.train, self.held_out)

    def describe(self) -> str:
        """What the split costs, for the terminal."""
        counts = self.counts
        lines = [
            f"{self.kind} split: {counts['n_train']} training trials ({counts['n_train_runs']} runs), "
            f"{counts['n_test']} test trials ({counts['n_test_runs']} runs)",
            f"  left out: {counts['n_left_out_window']} trials whose windows leave their run, "
            f"{counts['n_left_out_image']} training trials of images that occur in test {self._tested}"
            + (f", {counts['n_left_out_where']} by condition" if counts["n_left_out_where"] else ""),
        ]
        if counts["n_train_sharing_volumes"]:
            lines.append(
                f"  caution: {counts['n_train_sharing_volumes']} training trials share volumes with test windows; "
                "a split by run (time-resolved) has none"
            )
        if not self.image_disjoint:
            lines.append("  images may occur in training and test")
        return "\n".join(lines)

    @property
    def _tested(self) -> str:
        return "runs" if self.kind == "time-resolved" else "trials"


def split_trials(
    trials: pd.DataFrame,
    config: SplitConfig,
    *,
    window: Window,
    deltas: tuple[int, ...],
    with_images: bool,
    label_names: Sequence[str] = (),
) -> Split:
    """Assign every trial to training, test or neither.

    Parameters
    ----------
    trials : DataFrame
        From :func:`tempgen.data.store.trials_of`.
    config : SplitConfig
    window, deltas : Window and tuple of int
        A trial is used only if its windows at all ``deltas`` lie inside its run.
    with_images : bool
        Whether trials show images; a store of mere labels (eight categories, say) cannot be image-disjoint.
    label_names : sequence of str
        Names of a store's labels, for conditions that name them.

    Raises
    ------
    SplitError
        If no training or no test trial is left, more runs are asked for than there are, or NSD's standard split is asked
        of data without the shared images.
    ConfigError
        If ``train_where`` or ``test_where`` is no condition on these trials.
    """
    usable = usable_trials(trials["onset_tr"], run_length=trials["run_length"], window=window, deltas=deltas)
    if config.kind == "nsd-standard":
        in_test = trials["shared1000"].to_numpy(dtype=bool)
        if not in_test.any():
            raise SplitError("No trial shows one of NSD's shared images: use split.kind: time-resolved.")
        disjoint = True
        repeats = np.zeros(len(trials), dtype=bool)
    else:
        in_test = _drawn_for_test(trials, config)
        disjoint = config.image_disjoint and with_images
        repeats = (
            ~in_test & np.isin(trials["image_id"], trials["image_id"][in_test])
            if disjoint
            else np.zeros_like(in_test)
        )
    train_where, test_where = (
        trials_where(trials, getattr(config, key), key=f"split.{key}", label_names=label_names)
        for key in WHERE_KEYS
    )
    held_out = usable & in_test
    train, test = usable & ~in_test & ~repeats & train_where, held_out & test_where
    for role, chosen in (("training", train), ("test", test)):
        if not chosen.any():
            raise SplitError(_nothing_left(role, config, usable, repeats, deltas))
    counts = {
        "n_trials": len(trials),
        "n_train": int(train.sum()),
        "n_test": int(test.sum()),
        "n_train_runs": int(trials["run"][train].nunique()),
        "n_test_runs": int(trials["run"][test].nunique()),
        "n_left_out_window": int((~usable).sum()),
        "n_left_out_image": int((usable & repeats).sum()),
        "n_left_out_where": int((usable & ~repeats & ~train & ~test).sum()),
        "n_train_sharing_volumes": _n_sharing_volumes(trials, train, test, window, deltas),
    }
    return Split(train, test, held_out, counts, config.kind, disjoint)


def _fingerprint(*roles: NDArray[np.bool_]) -> str:
    return fingerprint(*(np.packbits(role).tobytes().hex() for role in roles))


def _nothing_left(
    role: str,
    config: SplitConfig,
    usable: NDArray[np.bool_],
    repeats: NDArray[np.bool_],
    deltas: tuple[int, ...],
) -> str:
    """Why a split leaves no trial of a role, and what to do."""
    condition = config.train_where if role == "training" else config.test_where
    message = (
        f"No {role} trial is left of {len(usable)}: {int((~usable).sum())} have windows that leave their run at deltas "
        f"{deltas[0]}..{deltas[-1]}, {int(repeats.sum())} show an image of the test runs. "
        "Ask for fewer shifts, more runs, or set split.image_disjoint: false."
    )
    if condition is None:
        return message
    return (
        f"{message} Of the rest none fulfils {condition!r}: choose more test runs or others (split.test_fraction, "
        "split.seed), or another condition."
    )


def _drawn_for_test(trials: pd.DataFrame, config: SplitConfig) -> NDArray[np.bool_]:
    """Trials that were drawn for the test, with the whole of their run or one by one."""
    if config.kind != "interleaved":
        return np.isin(trials["run"], _test_runs(trials, config))
    n_test = max(1, round(config.test_fraction * len(trials)))
    drawn = _fold(np.arange(len(trials)), config, n_test=n_test, items_name="trials")
    return np.isin(np.arange(len(trials)), drawn)


def _test_runs(trials: pd.DataFrame, config: SplitConfig) -> NDArray[np.int64]:
    runs = np.unique(trials["run"])
    n_test = (
        config.n_test_runs
        if config.n_test_runs is not None
        else max(1, round(config.test_fraction * len(runs)))
    )
    if n_test >= len(runs):
        raise SplitError(
            f"{n_test} test runs were asked for, there are {len(runs)} and training needs at least one."
        )
    return np.sort(_fold(runs, config, n_test=n_test, items_name="runs"))


def _fold(
    items: NDArray[np.int64], config: SplitConfig, *, n_test: int, items_name: str
) -> NDArray[np.int64]:
    """The fold's ``n_test`` of the items in their seeded order."""
    n_folds = len(items) // n_test
    if config.fold >= n_folds:
        raise SplitError(
            f"Fold {config.fold} was asked for; {len(items)} {items_name} give folds 0 to {n_folds - 1} of {n_test} test "
            f"{items_name}."
        )
    first = config.fold * n_test
    return np.random.default_rng(config.seed).permutation(items)[first : first + n_test]


def _n_sharing_volumes(
    trials: pd.DataFrame,
    train: NDArray[np.bool_],
    test: NDArray[np.bool_],
    window: Window,
    deltas: tuple[int, ...],
) -> int:
    """Training trials of which some window, at any delta, contains a volume of a test window."""
    offsets = np.array(window.offsets(deltas))
    length = int(trials["run_length"].max())

    def volumes(chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        return (
            np.asarray(trials["run"])[chosen, None] * length
            + np.asarray(trials["onset_tr"])[chosen, None]
            + offsets
        )

    tested = np.zeros((int(trials["run"].max()) + 1) * length, dtype=bool)
    tested[volumes(test)] = True
    return int(tested[volumes(train)].any(axis=1).sum())
