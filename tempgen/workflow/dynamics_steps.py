"""What each method makes of a subject: matrices of BOLD and of deconvolved BOLD, separability, the static null; and its finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from tempgen.config.dynamics import DynamicsConfig
from tempgen.config.split import SplitConfig
from tempgen.data.deconvolution import (
    VoxelHrf,
    choose_hrf,
    deconvolve_in_memory,
    describe_hrf,
    fit_deconvolution,
    hrf_warnings,
)
from tempgen.data.deconvolution.precision import KNOWN_S
from tempgen.data.splits import Split, split_trials
from tempgen.data.store import has_images, label_names_of, trials_of
from tempgen.errors import SplitError
from tempgen.generalization.separability import separability_test
from tempgen.generalization.static_null import (
    METRIC,
    Finding,
    LagDecoders,
    judge_deconvolved,
    judge_null,
    judge_raw,
    judge_separability,
    static_null,
    strong_lags,
)
from tempgen.generalization.static_null.strong_lags import RESAMPLING
from tempgen.generalization.summaries import dynamics_index
from tempgen.windows import Window
from tempgen.workflow.signal import hrf_library

__all__ = ["DynamicsSubject", "index_of", "judge_method"]


@dataclass(frozen=True)
class DynamicsSubject:
    """A recording, the features of its images and its split, the same trials for every method.

    Attributes
    ----------
    store : Dataset
        Of BOLD, with the voxels that are looked at.
    features : DataFrame
        By ``image_id``.
    rules : DynamicsConfig
    split_by : SplitConfig
    """

    store: xr.Dataset
    features: pd.DataFrame
    rules: DynamicsConfig
    split_by: SplitConfig

    @cached_property
    def window(self) -> Window:
        """From image onset on."""
        return Window(start_tr=0, n_tr=self.rules.n_tr, tr_s=float(self.store.attrs["tr_s"]))

    @cached_property
    def split(self) -> Split:
        """Training and test trials, by run.

        Raises
        ------
        SplitError
            If the split is not by run: test runs may not choose HRFs.
        """
        if self.split_by.kind != "time-resolved":
            raise SplitError(
                f"split.kind is {self.split_by.kind}; the dynamics of a code need time-resolved."
            )
        return split_trials(
            trials_of(self.store),
            self.split_by,
            window=self.window,
            deltas=self.rules.all_deltas,
            with_images=has_images(self.store),
            label_names=label_names_of(self.store),
        )

    @cached_property
    def training_runs(self) -> list[int]:
        """Runs without a test trial: HRFs and noise levels are learned from them."""
        tested = self.store["trial_run"].values[self.split.held_out]
        return [int(run) for run in np.setdiff1d(np.arange(self.store.sizes["run"]), tested)]

    def decoders(self, deltas: Sequence[int]) -> LagDecoders:
        """Decoders of the features at these lags."""
        image_ids = trials_of(self.store)["image_id"]
        return LagDecoders(
            self.store,
            self.features.loc[image_ids].to_numpy(dtype=np.float64),
            train=self.split.train,
            test=self.split.test,
            window=self.window,
            deltas=deltas,
        )

    def bold_matrix(self) -> xr.Dataset:
        """Scores of all decoders on BOLD."""
        results, _ = self.decoders(self.rules.bold_deltas).results(_bold_of(self.store))
        return results.assign_attrs(self._attrs("bold"))

    def deconvolved_matrix(self, hrf: VoxelHrf | None = None) -> xr.Dataset:
        """Scores of all decoders on deconvolved BOLD.

        Parameters
        ----------
        hrf : VoxelHrf, optional
            Given; chosen on training runs unless.
        """
        if hrf is None:
            hrf = choose_hrf(
                self.store,
                self.training_runs,
                hrf_library(self.rules.signal),
                duration_s=self.rules.duration_s,
                seed=self.rules.seed,
            )
        activity = deconvolve_in_memory(self.store, fit_deconvolution(self.store, self.training_runs, hrf))
        results, _ = self.decoders(self.rules.deconvolved_deltas).results(_bold_of(activity))
        error_s = hrf.standard_error_s
        known = {"hrf_standard_error_s": float(np.median(error_s))} if np.isfinite(error_s).any() else {}
        return results.assign_attrs(
            self._attrs("deconvolved")
            | known
            | {
                "hrf": "\n".join(line.strip() for line in describe_hrf(hrf)),
                "caution": " ".join(hrf_warnings(hrf)),
            }
        )

    def separability(self) -> xr.Dataset:
        """The separability test of all runs."""
        rules = self.rules
        return separability_test(
            self.store,
            self.features,
            lags=range(rules.n_lags),
            n_bootstrap=rules.n_bootstrap,
            alpha=rules.alpha,
            seed=rules.seed,
            progress=True,
        )

    def static_null(self) -> xr.Dataset:
        """The dynamics index on BOLD beside that of a static code."""
        rules = self.rules
        null = static_null(
            self.decoders(rules.bold_deltas),
            self.store,
            self.features,
            lags=range(rules.n_lags),
            n_surrogates=rules.n_surrogates,
            min_separation=rules.min_separation,
            seed=rules.seed,
            progress=True,
        )
        return null.assign_attrs(self._attrs("bold"))

    def _attrs(self, signal: str) -> dict[str, Any]:
        attrs = self.store.attrs
        trials = trials_of(self.store)
        gaps = trials.groupby("run")["onset_s"].diff().dropna()
        return {
            "title": "tempgen: dynamics",
            "subject": str(attrs["subject"]),
            "data_kind": str(attrs["data_kind"]),
            **{key: value for key, value in attrs.items() if str(key).startswith("note_")},
            "decoder": "ridge",
            "decoder_target": "features",
            "signal": signal,
            "metrics": METRIC,
            "general_delta": self.rules.general_bold_delta
            if signal == "bold"
            else self.rules.general_deconvolved_delta,
            "tr_s": self.window.tr_s,
            "native_tr_s": float(attrs.get("native_tr_s", self.window.tr_s)),
            "n_tr": self.window.n_tr,
            "start_tr": self.window.start_tr,
            "stimulus_duration_s": float(trials["duration_s"].median()),
            "soa_s": float(gaps.median()) if len(gaps) else float("nan"),
            "n_features": self.features.shape[1],
            "n_voxels": self.store.sizes["voxel"],
            "n_runs": self.store.sizes["run"],
            **self.split.counts,
        }


def judge_method(method: str, made: xr.Dataset, rules: DynamicsConfig) -> Finding:
    """What a method's dataset says."""
    if method == "separability":
        return judge_separability(made)
    if method == "static_null":
        return judge_null(made, alpha=rules.alpha, negligible=rules.negligible)
    index = index_of(made, rules)
    if method == "raw":
        return judge_raw(index, static_below=rules.static_below)
    return judge_deconvolved(
        index,
        static_below=rules.static_below,
        dynamic_above=rules.dynamic_above,
        hrf_error_s=made.attrs.get("hrf_standard_error_s"),
        known_s=KNOWN_S,
        caution=str(made.attrs["caution"]),
    )


def index_of(made: xr.Dataset, rules: DynamicsConfig) -> xr.Dataset:
    """The dynamics index of a matrix, over pairs of strong lags."""
    apart = max(2, rules.n_tr) if rules.min_separation is None else rules.min_separation
    return dynamics_index(made, METRIC, min_separation=apart, mask=strong_lags(made), resampling=RESAMPLING)


def _bold_of(store: xr.Dataset) -> NDArray[np.float32]:
    """All of a store's BOLD, 0 after the end of a shorter run."""
    return np.nan_to_num(store["bold"].values.astype(np.float32, copy=False))
