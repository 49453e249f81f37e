"""What an analysis trains and tests on: the window on its store's grid, the split, the targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.config import Analysis
from tempgen.data.splits import Role, Split, split_trials
from tempgen.data.store import has_images, label_names_of, read_seen_images, trials_of
from tempgen.data.window_dataset import WindowDataset
from tempgen.decoders import TargetSpec, one_hot, pixel_targets
from tempgen.errors import ConfigError
from tempgen.windows import Window


@dataclass(frozen=True)
class TrialSets:
    """A store cut into training and test trials by an analysis."""

    analysis: Analysis
    store: xr.Dataset
    window: Window
    split: Split

    @classmethod
    def of(cls, analysis: Analysis, store: xr.Dataset) -> TrialSets:
        """Quantize the window and assign the trials; the same trials serve every lag of the analysis."""
        window = analysis.window.on_grid(float(store.attrs["tr_s"]))
        split = split_trials(
            trials_of(store),
            analysis.split,
            window=window,
            deltas=analysis.all_deltas,
            with_images=has_images(store),
        )
        return cls(analysis, store, window, split)

    def windows(self, role: Role) -> WindowDataset:
        """Windows of the ``"train"`` or the ``"test"`` trials."""
        return WindowDataset(self.store, getattr(self.split, role), self.window)

    @property
    def target_spec(self) -> TargetSpec:
        """What the decoder's outputs mean.

        Raises
        ------
        ConfigError
            If pixels are asked of a store without images, or labels of one without labels.
        """
        config = self.analysis.decoder
        with_images = has_images(self.store)
        kind = config.target if config.target != "auto" else ("pixels" if with_images else "labels")
        if (kind == "pixels") != with_images:
            there = "images" if with_images else "labels"
            raise ConfigError(f"decoder.target is {kind}, this store has {there}: use decoder.target: auto.")
        if kind == "labels":
            return TargetSpec(kind="labels", names=label_names_of(self.store))
        return TargetSpec(kind="pixels", size=config.target_size, image_size=self.store.sizes["row"])

    def train_targets(self, windows: WindowDataset) -> NDArray[np.float32]:
        """What the decoder learns to predict: shape (n_trials, n_targets)."""
        image_ids = windows.table["image_id"].to_numpy()
        spec = self.target_spec
        if spec.kind == "labels":
            return one_hot(image_ids, len(spec.names))
        distinct, inverse = np.unique(image_ids, return_inverse=True)
        return pixel_targets(read_seen_images(self.store, distinct), self.analysis.decoder.target_size)[
            inverse
        ]

    def recipe(self) -> dict[str, Any]:
        """What determines a decoder beside its lag, as plain values."""
        return {
            "store": self.store.attrs["fingerprint"],
            "window": {"start_tr": self.window.start_tr, "n_tr": self.window.n_tr, "tr_s": self.window.tr_s},
            "split": {**self.analysis.split.model_dump(mode="json"), "trials": self.split.fingerprint},
            "decoder": self.analysis.decoder.model_dump(mode="json"),
        }
