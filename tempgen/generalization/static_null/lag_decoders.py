"""The matrix of linear decoders of image features, quick enough to be made again for many surrogates of a recording.

At each lag a ridge regression decodes the features of the image from the window of BOLD; decoder i at lag j scores the mean over
features of the correlation, over test trials, of what it decodes with what was shown. All decoders of a lag share one
factorization, and no decoder is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from tempgen.data.store import trials_of
from tempgen.errors import DecoderError
from tempgen.generalization.evaluate import lag_coords
from tempgen.results import SCORE_DIMS
from tempgen.windows import Window

__all__ = ["ALPHAS", "METRIC", "LagDecoders"]

METRIC = "feature_correlation"
ALPHAS = (0.01, 0.1, 1.0, 10.0)
"""Penalties, in units of the mean diagonal of a window's Gram matrix. Source: house choice; on simulated subjects the best lie inside."""

_N_FOLDS = 3  # of training runs
_SMALLEST_SD = 1e-12


class LagDecoders:
    """Train and test trials, windows and targets of a matrix; each call scores the decoders of another recording of them.

    Parameters
    ----------
    store : Dataset
        Trials and runs of all recordings; see :mod:`tempgen.data.store`.
    features : array, shape (n_trials, n_features)
        Of the image of each trial of the store.
    train, test : array of bool, shape (n_trials,)
        Trials whose windows lie inside their runs at all lags.
    window : Window
        The unshifted window, of any width.
    deltas : sequence of int
        Lags (TRs), at each of which a decoder is trained and tested.
    alphas : sequence of float
        Penalties to choose from, on held-out training runs, for each lag.

    Raises
    ------
    DecoderError
        If there are no trials to train or test on, runs too few to choose a penalty, or a penalty is not positive.
    """

    def __init__(
        self,
        store: xr.Dataset,
        features: NDArray[np.float64],
        *,
        train: NDArray[np.bool_],
        test: NDArray[np.bool_],
        window: Window,
        deltas: Sequence[int],
        alphas: Sequence[float] = ALPHAS,
    ) -> None:
        trials = trials_of(store)
        self.window, self.deltas, self.alphas = window, tuple(sorted(set(deltas))), tuple(alphas)
        if not train.any() or not test.any():
            raise DecoderError(
                f"{train.sum()} training and {test.sum()} test trials: one or more of each are needed."
            )
        if not alphas or min(alphas) <= 0:
            raise DecoderError(f"alphas={list(alphas)}: one or more positive numbers are needed.")
        self._train, self._test = (trials[chosen] for chosen in (train, test))
        runs = np.unique(self._train["run"])
        if len(self.alphas) > 1 and len(runs) < _N_FOLDS:
            raise DecoderError(
                f"{len(runs)} training runs: {_N_FOLDS} are needed to choose a penalty, or give one alpha."
            )
        self._fold = np.searchsorted(runs, self._train["run"].to_numpy()) % _N_FOLDS
        mean = features[train].mean(axis=0)
        self._targets = (features[train] - mean).astype(np.float32)
        shown = features[test] - features[test].mean(axis=0)
        sd = shown.std(axis=0)
        self._shown = np.divide(shown, sd, out=np.zeros_like(shown), where=sd > _SMALLEST_SD).astype(
            np.float32
        )

    def matrix(self, bold: NDArray[np.float32], penalties: Mapping[int, float]) -> NDArray[np.float64]:
        """Mean scores of all decoders at all lags, shape (n_lags, n_lags): trained at, tested at.

        Parameters
        ----------
        bold : array, shape (n_runs, n_volumes, n_voxels)
            Of all runs of the store.
        penalties : mapping of lag to penalty
            From `results`.
        """
        side_by_side = np.concatenate(self._fit(bold, penalties)[0], axis=1)
        score = np.empty((len(self.deltas),) * 2)
        for column, delta in enumerate(self.deltas):
            seen = self._windows(bold, self._test, delta)
            decoded = (seen - seen.mean(axis=0)) @ side_by_side  # (n_trials, n_lags * n_features)
            sd = np.sqrt(np.einsum("nf,nf->f", decoded, decoded) / len(seen))
            by_lag = decoded.reshape(len(seen), len(self.deltas), -1)
            product = np.einsum("nlf,nf->lf", by_lag, self._shown) / len(seen)
            sd = sd.reshape(product.shape)
            score[:, column] = np.divide(
                product, sd, out=np.zeros_like(product), where=sd > _SMALLEST_SD
            ).mean(axis=1)
        return score

    def results(self, bold: NDArray[np.float32]) -> tuple[xr.Dataset, dict[int, float]]:
        """Scores of every trial, as a result (:mod:`tempgen.results`), and the penalties.

        A trial scores the mean over features of the product of what is decoded and what was shown, both standardized over the test
        trials, so that the mean over trials is the correlation.
        """
        coefficients, chosen = self._fit(bold, None)
        n_lags = len(self.deltas)
        scores = np.empty((n_lags, n_lags, 1, len(self._test)), dtype=np.float32)
        for column, delta in enumerate(self.deltas):
            scores[:, column, 0] = self._scores(bold, coefficients, delta)
        attrs = {
            "long_name": "correlation of decoded and seen features",
            "units": "1",
            "higher_is_better": 1,
            "description": "mean over features of the correlation over test trials",
        }
        results = xr.Dataset(
            {
                METRIC: (SCORE_DIMS, scores, attrs),
                f"{METRIC}_chance": (SCORE_DIMS[:2], np.zeros((n_lags, n_lags), dtype=np.float32)),
            },
            coords=lag_coords(self._test, ("current",), self.deltas, self.deltas, self.window),
        )
        attributes = {"tr_s": self.window.tr_s, "n_tr": self.window.n_tr, "start_tr": self.window.start_tr}
        return results.assign_attrs(attributes), chosen

    def _fit(
        self, bold: NDArray[np.float32], chosen: Mapping[int, float] | None
    ) -> tuple[list[NDArray[np.float32]], dict[int, float]]:
        """Coefficients of each lag, shape (n_tr * n_voxels, n_features), and the penalties."""
        coefficients, used = [], {}
        for delta in self.deltas:
            seen = self._windows(bold, self._train, delta)
            seen -= seen.mean(axis=0)
            used[delta] = self._best(seen) if chosen is None else chosen[delta]
            coefficients.append(_ridge(seen, self._targets, (used[delta],))[0])
        return coefficients, used

    def _best(self, seen: NDArray[np.float32]) -> float:
        """Penalty with the least squared error on runs that are held out."""
        if len(self.alphas) == 1:
            return self.alphas[0]
        error = np.zeros(len(self.alphas))
        for fold in range(_N_FOLDS):
            out = self._fold == fold
            for k, coefficients in enumerate(_ridge(seen[~out], self._targets[~out], self.alphas)):
                error[k] += float(((seen[out] @ coefficients - self._targets[out]) ** 2).sum())
        return self.alphas[int(error.argmin())]

    def _scores(
        self, bold: NDArray[np.float32], coefficients: Sequence[NDArray[np.float32]], delta: int
    ) -> NDArray[np.float64]:
        """Scores of the test trials at a lag, by all decoders, shape (n_lags, n_trials)."""
        seen = self._windows(bold, self._test, delta)
        seen -= seen.mean(axis=0)
        scores = np.empty((len(coefficients), len(seen)))
        for row, of_lag in enumerate(coefficients):
            decoded = seen @ of_lag
            sd = decoded.std(axis=0)
            decoded = np.divide(decoded, sd, out=np.zeros_like(decoded), where=sd > _SMALLEST_SD)
            scores[row] = (decoded * self._shown).mean(axis=1)
        return scores

    def _windows(self, bold: NDArray[np.float32], trials: pd.DataFrame, delta: int) -> NDArray[np.float32]:
        """Windows of trials at a lag, shape (n_trials, n_tr * n_voxels)."""
        run, onset_tr = trials["run"].to_numpy(), trials["onset_tr"].to_numpy()
        volumes = onset_tr[:, np.newaxis] + np.array(self.window.offsets([delta]))
        return bold[run[:, np.newaxis], volumes].reshape(len(run), -1)


def _ridge(
    seen: NDArray[np.float32], targets: NDArray[np.float32], alphas: Sequence[float]
) -> list[NDArray[np.float32]]:
    """Coefficients for each penalty; in the smaller of the spaces of columns and of trials."""
    is_primal = seen.shape[1] <= len(seen)
    gram = seen.T @ seen if is_primal else seen @ seen.T
    right = seen.T @ targets if is_primal else targets
    scale = float(np.trace(gram)) / len(gram)
    if len(alphas) == 1:
        gram[np.diag_indices(len(gram))] += alphas[0] * scale
        solutions = [cho_solve(cho_factor(gram, overwrite_a=True, check_finite=False), right)]
    else:
        values, axes = np.linalg.eigh(gram)
        along = axes.T @ right
        solutions = [axes @ (along / (values.clip(min=0)[:, np.newaxis] + alpha * scale)) for alpha in alphas]
    return solutions if is_primal else [seen.T @ solution for solution in solutions]
