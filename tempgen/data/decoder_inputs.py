"""What a decoder sees of each volume of a store: its voxels, some of them, or the motion of the head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.config.expression import evaluate_condition
from tempgen.config.files import fingerprint
from tempgen.config.inputs import InputsConfig
from tempgen.errors import ConfigError, StoreError

_KEY = "inputs.voxels_where"


@dataclass(frozen=True)
class DecoderInputs:
    """A time series of the store, and which of its columns.

    Attributes
    ----------
    series : str
        ``"bold"`` (run, volume, voxel) or ``"motion"`` (run, volume, parameter).
    columns : array of bool, shape (n_columns,), or None
        Which voxels; None: all columns.
    """

    series: str = "bold"
    columns: NDArray[np.bool_] | None = None

    @classmethod
    def of(cls, store: xr.Dataset, config: InputsConfig) -> DecoderInputs:
        """What an analysis asks for.

        Raises
        ------
        StoreError
            If the store holds no motion parameters.
        ConfigError
            If ``voxels_where`` is no condition on the store's voxels (the columns are listed), or chooses none.
        """
        if config.kind == "motion":
            if "motion" not in store:
                raise StoreError(
                    "inputs.kind is motion, this store holds no motion parameters: run 'tempgen prepare' with the same "
                    "analysis, which adds them."
                )
            return cls("motion")
        return cls("bold", None if config.voxels_where is None else _voxels(store, config.voxels_where))

    def recipe(self, config: InputsConfig) -> dict[str, Any]:
        """What of it determines a decoder, as plain values; nothing for all voxels."""
        recipe = config.recipe()
        if self.columns is not None:
            recipe["voxels"] = {
                "n": int(self.columns.sum()),
                "fingerprint": fingerprint(np.packbits(self.columns).tobytes().hex()),
            }
        return recipe

    def describe(self) -> str:
        """One line for the terminal."""
        if self.series == "motion":
            return "inputs: motion parameters in the place of BOLD"
        if self.columns is None:
            return "inputs: BOLD of all voxels"
        return f"inputs: BOLD of {int(self.columns.sum())} of {len(self.columns)} voxels"


def voxel_columns(store: xr.Dataset) -> dict[str, NDArray[Any]]:
    """Columns that a condition on voxels may name: the store's atlases and the voxels' coordinates, each (n_voxels,)."""
    there = {str(name): store[name].values for name in store.coords if store[name].dims == ("voxel",)}
    places = ("i", "j", "k", "x_mm", "y_mm", "z_mm")
    return {name: there[name] for name in sorted(there, key=lambda name: (name in places, name))}


def _voxels(store: xr.Dataset, condition: str) -> NDArray[np.bool_]:
    chosen = evaluate_condition(condition, voxel_columns(store), key=_KEY, items="voxels")
    if not chosen.any():
        raise ConfigError(
            f"{_KEY} is {condition!r}: none of the store's {len(chosen)} voxels is such a voxel."
        )
    return chosen
