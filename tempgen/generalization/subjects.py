"""Several subjects as one curve or matrix: the mean over subjects, and how sure it is.

With two subjects or more the uncertainty is that over subjects (SEM); of one it is that over the images that were tested.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from tempgen.errors import ResultsError
from tempgen.generalization.curve import lag_curve
from tempgen.generalization.matrix import generalization_matrix
from tempgen.generalization.selection import Decoder
from tempgen.generalization.summaries import Resampling, summary_table
from tempgen.generalization.summaries.resampling import DEFAULT_RESAMPLING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["sem_over_subjects", "subject_curve", "subject_matrix", "subject_summaries"]

_OF_ONE_SUBJECT = ("interval_method", "interval_unit", "interval_level", "n_draws", "seed", "n_images")


def subject_curve(
    results: Mapping[str, xr.Dataset],
    metric: str,
    *,
    decoder: Decoder,
    target: str = "current",
    n_draws: int = 2000,
    level: float = 0.95,
    unit: str = "image_id",
    above_chance: bool = False,
) -> xr.Dataset:
    """Mean score of a decoder by test lag, over subjects.

    Parameters
    ----------
    results : mapping of str to Dataset
        Subject to its result, see `tempgen.results`.
    metric, decoder, target, n_draws, level, unit, above_chance
        See `tempgen.generalization.lag_curve`; the draws and the level are of the interval of a single subject.

    Returns
    -------
    Dataset
        As of `lag_curve`. Of two subjects or more: ``mean`` over subjects of their means over trials, ``low`` and ``high``
        one standard error of the mean over subjects (SEM) away, ``chance`` averaged likewise, and ``subject_mean`` (subject,
        test_delta), at the lags that all subjects have. Attribute ``interval`` says which.

    Raises
    ------
    ResultsError
        As of `lag_curve`, with the subject in front; if there is no result, or the subjects share no lag or have other
        windows.
    """
    curves = {}
    for subject, result in results.items():
        try:
            curves[subject] = lag_curve(
                result,
                metric,
                decoder=decoder,
                target=target,
                n_draws=n_draws if len(results) == 1 else 1,
                level=level,
                unit=unit,
                above_chance=above_chance,
            )
        except ResultsError as error:
            raise ResultsError(f"Subject {subject}: {error}") from error
    if not curves:
        raise ResultsError("No subject came: give at least one result.")
    first = next(iter(curves.values()))
    if len(curves) == 1:
        return first
    _check_windows({subject: curve.attrs for subject, curve in curves.items()})
    means, chances = (
        _stacked({subject: curve[name] for subject, curve in curves.items()}) for name in ("mean", "chance")
    )
    if means.sizes["test_delta"] == 0:
        raise ResultsError(f"The subjects {', '.join(curves)} share no test lag.")
    mean, sem = means.mean("subject", skipna=False), sem_over_subjects(means)
    attrs = {name: value for name, value in first.attrs.items() if name not in _OF_ONE_SUBJECT}
    return xr.Dataset(
        {
            "mean": mean,
            "low": mean - sem,
            "high": mean + sem,
            "chance": chances.mean("subject", skipna=False),
            "subject_mean": means,
        },
        attrs=attrs | _of_several(curves) | {"interval_unit": "subject"},
    )


def subject_matrix(
    results: Mapping[str, xr.Dataset], metric: str, *, target: str = "current", above_chance: bool = False
) -> xr.DataArray:
    """Mean score of every decoder at every test lag, over subjects.

    Parameters
    ----------
    results : mapping of str to Dataset
        Subject to its result.
    metric, target, above_chance
        See `tempgen.generalization.generalization_matrix`.

    Returns
    -------
    DataArray, dims (train_delta, test_delta)
        As of `generalization_matrix`; of several subjects the mean of their matrices, NaN where one lacks the cell.

    Raises
    ------
    ResultsError
        As of `generalization_matrix`; if there is no result or the subjects have other windows.
    """
    if not results:
        raise ResultsError("No subject came: give at least one result.")
    matrices = {
        subject: generalization_matrix(result, metric, target=target, above_chance=above_chance)
        for subject, result in results.items()
    }
    first = next(iter(matrices.values()))
    if len(matrices) == 1:
        return first
    _check_windows({subject: matrix.attrs for subject, matrix in matrices.items()})
    values = _stacked({subject: matrix.drop_vars("chance") for subject, matrix in matrices.items()})
    chance = _stacked({subject: matrix["chance"].drop_vars("chance") for subject, matrix in matrices.items()})
    mean = values.mean("subject", skipna=False).assign_coords(chance=chance.mean("subject", skipna=False))
    known = mean["chance"].to_numpy()[np.isfinite(mean["chance"].to_numpy())]
    level = {"chance": float(known.mean()) if known.size else np.nan}
    mean.attrs = (
        first.attrs | {"subject": f"subjects {', '.join(matrices)}", "n_subjects": len(matrices)} | level
    )
    return mean


def subject_summaries(
    results: Mapping[str, xr.Dataset],
    metrics: Sequence[str] | None = None,
    *,
    target: str = "current",
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> pd.DataFrame:
    """Peak, onset, fall, width and gain of every subject's decoders, with their intervals over images.

    Parameters
    ----------
    results : mapping of str to Dataset
        Subject to its result.
    metrics, target, resampling
        See `tempgen.generalization.summary_table`.

    Returns
    -------
    DataFrame
        As of `summary_table`, with ``subject`` as the first level of the index.

    Raises
    ------
    ResultsError
        As of `summary_table`.
    """
    import pandas as pd

    tables = {
        subject: summary_table(result, metrics, target=target, resampling=resampling)
        for subject, result in results.items()
    }
    return pd.concat(tables, names=["subject"])


def sem_over_subjects(values: xr.DataArray) -> xr.DataArray:
    """Standard error of the mean over the dim ``subject``: SD (n - 1) / sqrt(n); NaN of a single subject or where one lacks.

    Examples
    --------
    >>> float(sem_over_subjects(xr.DataArray([1.0, 3.0], dims="subject")))
    1.0
    """
    n_subjects = values.sizes["subject"]
    if n_subjects < 2:
        return values.isel(subject=0, drop=True) * np.nan
    return values.std("subject", ddof=1, skipna=False) / np.sqrt(n_subjects)


def _of_several(curves: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    return {
        "subject": f"subjects {', '.join(curves)}",
        "n_subjects": len(curves),
        "n_units": len(curves),
        "n_trials": sum(int(curve.attrs["n_trials"]) for curve in curves.values()),
        "interval": f"\N{PLUS-MINUS SIGN} SEM over {len(curves)} subjects",
    }


def _stacked(of_subjects: Mapping[str, xr.DataArray]) -> xr.DataArray:
    """Dims (subject, ...), at the lags that all have."""
    names = xr.DataArray(np.array(list(of_subjects), dtype=object), dims="subject", name="subject")
    return xr.concat(
        list(of_subjects.values()),
        names,
        join="inner",
        coords="minimal",
        compat="override",
        combine_attrs="override",
    )


def _check_windows(of_subjects: Mapping[str, Mapping[str, Any]]) -> None:
    windows = {
        tuple(float(attrs[name]) for name in ("start_tr", "n_tr", "tr_s") if name in attrs)
        for attrs in of_subjects.values()
    }
    if len(windows) > 1:
        raise ResultsError(
            f"The subjects {', '.join(of_subjects)} were decoded from windows of {len(windows)} kinds (start_tr, n_tr, tr_s): "
            f"{sorted(windows)}. Average over subjects with one window."
        )
