"""The analyses that controls are made of: each a small change of one analysis, in a folder of its own, on the same store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from tempgen.config import Analysis, fingerprint, validate
from tempgen.config.controls import ControlsConfig
from tempgen.config.expression import MAX_LENGTH
from tempgen.data.splits import split_trials
from tempgen.data.store import has_images, label_names_of, trials_of
from tempgen.errors import ConfigError, SplitError
from tempgen.windows import Window

FOLDER = "controls"
"""Below the analysis' own folder."""
_ALL_TARGETS = ("previous", "current", "next")


@dataclass(frozen=True)
class Variants:
    """One analysis and its store, and what controls make of them.

    Attributes
    ----------
    analysis : Analysis
    store : Dataset
    rules : ControlsConfig
    """

    analysis: Analysis
    store: xr.Dataset
    rules: ControlsConfig

    @property
    def general_delta(self) -> int:
        """Lag of the General decoder, at which most controls train and test."""
        return self.analysis.training.general_delta

    @property
    def window(self) -> Window:
        """The window on the store's grid."""
        return self.analysis.window.on_grid(float(self.store.attrs["tr_s"]))

    @property
    def trials(self) -> pd.DataFrame:
        """The trials table of the store."""
        return trials_of(self.store)

    @property
    def shift(self) -> int:
        """From one onset to the next (TRs), the median within runs; 0 where runs have one trial."""
        gaps = self.trials.groupby("run")["onset_tr"].diff().dropna()
        return round(float(gaps.median())) if len(gaps) else 0

    def part(self, name: str, **sections: Mapping[str, Any]) -> Analysis:
        """The analysis with other values of some sections, in the folder of a control.

        Without others of ``training`` and ``evaluation`` it trains and tests at ``general_delta`` alone, and keeps neither
        reconstructions nor permutations. It scores single presentations, which have neighbours, where the analysis averages them.

        Raises
        ------
        ConfigError
            If the sections cannot be combined.
        """
        here = (self.general_delta,)
        base: dict[str, dict[str, Any]] = {
            "training": {"deltas": here},
            "evaluation": {
                "deltas": here,
                "train_deltas": None,
                "matrix": False,
                "n_permutations": 0,
                "keep_reconstructions": "none",
            },
        }
        if self.analysis.evaluation.repetitions == "average":
            base["evaluation"]["repetitions"] = "all"
        update: dict[str, Any] = {}
        for section in {**base, **sections}:
            old = getattr(self.analysis, section)
            values = {**old.model_dump(), **base.get(section, {}), **sections.get(section, {})}
            update[section] = validate(type(old), values, origin=f"control {name!r}, {section}")
        return self.analysis.model_copy(
            update={
                **update,
                "name": f"{self.analysis.name}-{name}",
                "folder": self.analysis.output_folder / FOLDER / name,
            }
        )

    def home(self) -> Analysis:
        """The analysis itself at ``general_delta`` alone."""
        return self.part("home", evaluation={"n_permutations": self.analysis.evaluation.n_permutations})

    def matrix(self) -> Analysis:
        """The analysis with its whole matrix; the analysis itself where it has that."""
        evaluation = self.analysis.evaluation
        if evaluation.matrix and evaluation.train_deltas is None:
            return self.analysis
        lags = {"deltas": evaluation.deltas, "matrix": True}
        return self.part("matrix", training={"deltas": self.analysis.training.deltas}, evaluation=lags)

    def before_deltas(self) -> tuple[int, ...]:
        """Lags whose windows end before onset: those asked for, else the two latest.

        Raises
        ------
        ConfigError
            If the window of one that was asked for ends later.
        """
        latest = -(self.window.start_tr + self.window.n_tr)
        before = self.rules.before_deltas or (latest - 1, latest)
        if max(before) > latest:
            raise ConfigError(
                f"controls.before_deltas has {max(before)}, whose window ends after onset; the latest is {latest}."
            )
        return before

    def before_onset(self) -> Analysis:
        """Decoders of lags before onset and the General one, tested there and at home."""
        before = self.before_deltas()
        tested = {*before, self.general_delta}
        if self._back >= min(before):  # costs no trial
            tested.add(self._back)
        return self.part(
            "before_onset",
            training={"deltas": before},
            evaluation={"deltas": tuple(sorted(tested)), "targets": _ALL_TARGETS},
        )

    def previous_image(self) -> Analysis:
        """The General decoder tested one trial back; among the lags before onset where that costs no trial."""
        if self._back >= min(self.before_deltas()):
            return self.before_onset()
        lags = {"deltas": (self._back, self.general_delta), "targets": _ALL_TARGETS}
        return self.part("previous_image", evaluation=lags)

    @property
    def _back(self) -> int:
        return self.general_delta - self.shift

    def permuted(self, number: int) -> tuple[Analysis, xr.Dataset]:
        """Home on a store whose images are permuted among the trials of each run."""
        trials = self.trials
        rng = np.random.default_rng([self.rules.seed, number])
        order = np.arange(len(trials))
        for places in trials.groupby("run").indices.values():
            order[places] = rng.permutation(places)
        shown = ("image_id", "repetition", "shared1000")
        changed = {
            f"trial_{name}": (self.store[f"trial_{name}"].dims, self.store[f"trial_{name}"].values[order])
            for name in shown
        }
        mark = fingerprint(
            str(self.store.attrs["fingerprint"]), "permuted within runs", self.rules.seed, number
        )
        return self.part(f"permuted-{number}"), self.store.assign(changed).assign_attrs(fingerprint=mark)

    def repeated_images(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Two halves of the test images that other trials of the training runs show."""
        test, candidates = self._roles(self._with_repeats())
        shown = self.trials["image_id"].to_numpy()
        both = np.intersect1d(shown[test], shown[candidates])
        order = np.random.default_rng(self.rules.seed).permutation(both)
        return np.sort(order[::2]), np.sort(order[1::2])

    def without(self, images: NDArray[np.int64], name: str) -> Analysis:
        """Home trained on what the split by run allows where images may recur, but for some of them.

        Raises
        ------
        SplitError
            If they are more than a condition can name.
        """
        split = self._with_repeats()
        condition = f"image_id not in ({', '.join(str(image) for image in images)},)"
        if len(condition) > MAX_LENGTH:
            raise SplitError(
                f"{len(images)} repeated images are more than a condition can name: test on fewer runs (split.n_test_runs)."
            )
        own = self.analysis.split.train_where
        return self.part(
            name, split=split | {"train_where": f"({own}) and {condition}" if own else condition}
        )

    def other_split(self) -> Analysis:
        """Home split by trial where the analysis splits by run, and by run where it splits by trial."""
        split = self.analysis.split
        if split.kind == "interleaved":
            return self.part("by_run", split={"kind": "time-resolved"})
        test, train = self._roles(split.model_dump())
        share = (
            float(test.sum() / (test | train).sum()) if split.kind == "nsd-standard" else self._test_share()
        )
        values = {"kind": "interleaved", "test_fraction": share, "n_test_runs": None, "fold": 0}
        return self.part("by_trial", split=values)

    def motion(self) -> Analysis:
        """Home on motion parameters."""
        return self.part("motion", inputs={"kind": "motion", "voxels_where": None})

    def rois(self) -> dict[str, str]:
        """Regions and their conditions: those asked for, else the labels above 0 of the store's first atlas."""
        if self.rules.rois is not None:
            return self.rules.rois
        atlas = next((name for name in self.analysis.data.atlases if name in self.store.coords), None)
        if atlas is None:
            return {}
        labels = np.unique(self.store[atlas].values)
        return {f"{atlas}-{label}": f"{atlas} == {label}" for label in labels[labels > 0].tolist()}

    def roi(self, name: str, condition: str) -> Analysis:
        """Home on the voxels of a region."""
        own = self.analysis.inputs.voxels_where
        both = f"({own}) and ({condition})" if own else condition
        return self.part(f"roi-{name}", inputs={"kind": "bold", "voxels_where": both})

    def _with_repeats(self) -> dict[str, Any]:
        """A split by run in which images may recur, as plain values."""
        values = self.analysis.split.model_dump()
        kind = {"kind": "time-resolved"} if values["kind"] != "time-resolved" else {}
        return values | kind | {"image_disjoint": False}

    def _test_share(self) -> float:
        split, runs = self.analysis.split, self.trials["run"].nunique()
        return split.test_fraction if split.n_test_runs is None else split.n_test_runs / runs

    def _roles(self, split: Mapping[str, Any]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which trials a split tests and trains on at ``general_delta``."""
        config = validate(type(self.analysis.split), split, origin="the split of a control")
        found = split_trials(
            self.trials,
            config,
            window=self.window,
            deltas=(self.general_delta,),
            with_images=has_images(self.store),
            label_names=label_names_of(self.store),
        )
        return found.test, found.train
