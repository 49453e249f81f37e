"""The drift that a store's BOLD is without: what is regressed on it, or fitted to it, must lose the same."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.data.preprocess import DRIFT_CUTOFF_S, Drift, drift_basis

__all__ = ["USUAL_DRIFT", "StoreDrift"]


@dataclass(frozen=True)
class StoreDrift:
    """How a store was prepared, as in :func:`tempgen.data.preprocess.clean_run`.

    Attributes
    ----------
    kind : {"cosine", "linear", "none"}
    cutoff_s : float
        Shortest period taken for drift; for cosines only.
    """

    kind: Drift = "cosine"
    cutoff_s: float = DRIFT_CUTOFF_S

    @classmethod
    def of(cls, store: xr.Dataset) -> Self:
        """As the store's recipe says; that of `clean_run`'s defaults where it says nothing.

        Parameters
        ----------
        store : Dataset
            See :mod:`tempgen.data.store`.
        """
        cleaned = json.loads(store.attrs.get("recipe", "{}")).get("preprocess", {})
        return cls(cleaned.get("drift", "cosine"), float(cleaned.get("drift_cutoff_s", DRIFT_CUTOFF_S)))

    def basis(self, n_volumes: int, *, tr_s: float) -> NDArray[np.float64]:
        """Orthonormal mean and drift of a run, shape (n_volumes, 1 + n_drift)."""
        constant = np.full((n_volumes, 1), n_volumes**-0.5)
        drift = drift_basis(self.kind, n_tr=n_volumes, tr_s=tr_s, cutoff_s=self.cutoff_s)
        return np.concatenate([constant, drift], axis=1)


USUAL_DRIFT = StoreDrift()
"""That of `clean_run`'s defaults."""
