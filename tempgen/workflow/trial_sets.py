"""What an analysis trains and tests on: the window on its store's grid, the split, the inputs, the targets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, overload

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.config import Analysis
from tempgen.config.decoder import training_recipe
from tempgen.data.betas import refuse_volumes_without_betas
from tempgen.data.decoder_inputs import DecoderInputs
from tempgen.data.repetitions import AveragedWindows, EvaluatedWindows, evaluated_trials
from tempgen.data.splits import Role, Split, split_trials
from tempgen.data.store import has_images, label_names_of, trials_of
from tempgen.data.window_dataset import WindowDataset
from tempgen.errors import ConfigError
from tempgen.windows import Window


@dataclass(frozen=True)
class TrialSets:
    """A store cut into training and test trials by an analysis."""

    analysis: Analysis
    store: xr.Dataset
    window: Window
    split: Split
    inputs: DecoderInputs

    @classmethod
    def of(cls, analysis: Analysis, store: xr.Dataset) -> TrialSets:
        """Quantize the window and assign the trials; the same trials serve every lag of the analysis.

        Raises
        ------
        ConfigError
            If the store holds single-trial betas and the windows anything else.
        """
        window = analysis.window.on_grid(float(store.attrs["tr_s"]))
        if analysis.inputs.kind == "bold":
            refuse_volumes_without_betas(store, window.offsets(analysis.all_deltas))
        split = split_trials(
            trials_of(store),
            analysis.split,
            window=window,
            deltas=analysis.all_deltas,
            with_images=has_images(store),
            label_names=label_names_of(store),
        )
        if store.attrs.get("signal") == "betas":
            split = _of_whole_runs(split, store["trial_run"].values)
        return cls(analysis, store, window, split, DecoderInputs.of(store, analysis.inputs))

    @overload
    def windows(self, role: Literal["train"]) -> WindowDataset: ...

    @overload
    def windows(self, role: Literal["test"]) -> EvaluatedWindows: ...

    def windows(self, role: Role) -> EvaluatedWindows:
        """Windows of the ``"train"`` trials, or of the ``"test"`` trials that are evaluated."""
        if role == "train":
            return self.windows_of(self.split.train)
        return self.tested_windows(self.evaluated())

    def windows_of(self, trials: NDArray[np.bool_]) -> WindowDataset:
        """Windows of trials, array of bool (n_trials_of_store,)."""
        return WindowDataset(self.store, trials, self.window, self.inputs)

    def tested_windows(self, evaluated: NDArray[np.bool_]) -> EvaluatedWindows:
        """Windows to decode of evaluated trials, array of bool (n_trials_of_store,): theirs, or the mean of their image's."""
        if self.analysis.evaluation.repetitions != "average":
            return self.windows_of(evaluated)
        image_ids = self._image_ids
        presentations = self.split.test & np.isin(image_ids, image_ids[evaluated])
        return AveragedWindows(self.windows_of(presentations), evaluated)

    def evaluated(self, n_trials: int | None = None) -> NDArray[np.bool_]:
        """Test trials that are scored, or at most ``n_trials`` of them: see `evaluated_trials`."""
        return evaluated_trials(self._image_ids, self.split.test, self.analysis.evaluation, n_trials=n_trials)

    @property
    def _image_ids(self) -> NDArray[np.int64]:
        return np.asarray(self.store["trial_image_id"].values)

    @property
    def predicts(self) -> str:
        """What decoders of this analysis give: ``"pixels"``, ``"labels"``, ``"tokens"`` or ``"images"``.

        Raises
        ------
        ConfigError
            If images are asked of a store without images, or labels of one without labels.
        """
        config = self.analysis.decoder
        with_images = has_images(self.store)
        if config.kind != "ridge":
            if not with_images:
                raise ConfigError(
                    f"decoder.kind is {config.kind}, which reconstructs images, and this store has labels: use ridge."
                )
            return "images"
        kind = config.target if config.target != "auto" else ("pixels" if with_images else "labels")
        if (kind == "labels") == with_images:
            there = "images" if with_images else "labels"
            raise ConfigError(f"decoder.target is {kind}, this store has {there}: use decoder.target: auto.")
        return kind

    def recipe(self) -> dict[str, Any]:
        """What determines a decoder and its test trials beside its lag, as plain values."""
        inputs = self.inputs.recipe(self.analysis.inputs)
        return {
            "store": self.store.attrs["fingerprint"],
            "window": {"start_tr": self.window.start_tr, "n_tr": self.window.n_tr, "tr_s": self.window.tr_s},
            **({"inputs": inputs} if inputs else {}),
            "split": {**self.analysis.split.recipe(), "trials": self.split.fingerprint},
            "decoder": training_recipe(self.analysis.decoder),
        }

    def training_recipe(self) -> dict[str, Any]:
        """What determines a decoder beside its lag: the recipe without ``split.test_where``.

        A condition on the test trials chooses among those that were held out, which no decoder has seen: the same decoder
        is tested on one group of them and on another. Where the General decoder starts elsewhere than the others, its lag
        counts too, unless it is 0.
        """
        recipe = self.recipe()
        split = {name: value for name, value in recipe["split"].items() if name != "test_where"}
        general = self.analysis.training.general_delta if _general_starts_elsewhere(self.analysis) else 0
        return {
            **recipe,
            "split": {**split, "trials": self.split.training_fingerprint},
            **({"general_delta": general} if general else {}),
        }


def _general_starts_elsewhere(analysis: Analysis) -> bool:
    """Whether a decoder starts otherwise as the General one than as a Specialized one."""
    config = analysis.decoder
    if config.kind != "dynadiff":
        return False
    return (config.warm_start, config.specialized_from) not in (("none", "scratch"), ("ridge", "ridge"))


def _of_whole_runs(split: Split, runs: NDArray[np.int64]) -> Split:
    """The split with the volumes counted that betas were estimated from: all of their run."""
    n_sharing = int(np.isin(runs[split.train], runs[split.test]).sum())
    return replace(split, counts=split.counts | {"n_train_sharing_volumes": n_sharing})
