"""Variants of a study side by side in one cell: scores with their uncertainty, and paired differences from the reference.

The cell is the General decoder at its own lag: what a decoder makes of the window it was trained on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from tempgen.errors import ResultsError
from tempgen.generalization.selection import (
    UNIT_PLURALS,
    cell_chance,
    mean_over_trials,
    scores_of,
    unit_of_trials,
)
from tempgen.generalization.statistics.bootstrap import bootstrap_means, percentile_interval
from tempgen.generalization.study import StudyResults
from tempgen.generalization.subjects import sem_over_subjects
from tempgen.results import metrics_of

__all__ = ["variant_differences", "variant_scores"]

_TRIAL_KEYS = ("run", "onset_tr")
"""What tells the trials of a subject apart."""
_COPIED = ("data_kind", "tr_s", "stimulus_duration_s", "soa_s", "identification_direction")


def variant_scores(
    study: StudyResults,
    metrics: Sequence[str] | None = None,
    *,
    target: str = "current",
    n_draws: int = 2000,
    level: float = 0.95,
    unit: str = "image_id",
    seed: int = 0,
) -> xr.Dataset:
    """Mean score of each variant's General decoder at its own lag, over subjects.

    Parameters
    ----------
    study : StudyResults
        From `tempgen.open_study`.
    metrics : sequence of str or None
        Score variables; None: those of the reference.
    target : str
        Image that reconstructions are compared with.
    n_draws, level, unit, seed
        Of the bootstrap interval of a single subject: draws, coverage, and the coordinate of the trials that is drawn.

    Returns
    -------
    Dataset, dims (variant, metric)
        ``mean`` over subjects of their means over trials, ``sem`` (over subjects; of a single subject over draws of its
        images), ``low`` and ``high`` (one SEM away; of a single subject the bootstrap interval), ``chance``; and
        ``subject_mean`` (variant, subject, metric). Coordinates ``n_tr``, ``duration_s`` and ``lag_s`` of the variants'
        windows, what they decode (``signal``, ``repetitions``), ``long_name``, ``direction`` and ``fixed_chance`` of the metrics. NaN where nothing was scored.

    Raises
    ------
    ResultsError
        If there is no result, or one lacks the metric, the target or the cell.
    """
    names = _metrics(study, metrics)
    variants, subjects = study.variants, study.subjects
    shape = (len(variants), len(subjects), len(names))
    means, chances, errors, lows, highs = (np.full(shape, np.nan) for _ in range(5))
    single = len(subjects) == 1
    for variant, subject in study.there:
        at = (variants.index(variant), subjects.index(subject))
        result = study.result(variant, subject)
        values, units = _cell(result, names, target=target, unit=unit)
        means[at] = mean_over_trials(values)
        delta = int(result.attrs.get("general_delta", 0))
        chances[at] = [
            float(cell_chance(result, name).sel(train_delta=delta, test_delta=delta))
            if name in result
            else np.nan
            for name in names
        ]
        if single:
            drawn = bootstrap_means(values, units, n_draws=n_draws, seed=seed)
            errors[at] = drawn.std(axis=0, ddof=1)
            lows[at], highs[at] = percentile_interval(drawn, level=level)
    dims = ("variant", "subject", "metric")
    by_subject = xr.DataArray(means, dims=dims)
    if single:
        mean, sem, low, high = means[:, 0], errors[:, 0], lows[:, 0], highs[:, 0]
        interval = f"{100 * level:g} % bootstrap interval over {UNIT_PLURALS.get(unit, f'values of {unit}')}"
        sem_of = f"SE over {UNIT_PLURALS.get(unit, f'values of {unit}')}"
    else:
        mean, sem = (
            by_subject.mean("subject", skipna=False).to_numpy(),
            sem_over_subjects(by_subject).to_numpy(),
        )
        low, high = mean - sem, mean + sem
        interval = f"\N{PLUS-MINUS SIGN} SEM over {len(subjects)} subjects"
        sem_of = f"SEM over {len(subjects)} subjects"
    cells = ("variant", "metric")
    return xr.Dataset(
        {
            "mean": (cells, mean),
            "sem": (cells, sem),
            "low": (cells, low),
            "high": (cells, high),
            "chance": (cells, chances.mean(axis=1)),
            "subject_mean": by_subject,
        },
        coords=_coords(study, names) | {"subject": np.array(subjects, dtype=object)},
        attrs=_attrs(study, target)
        | {"interval": interval, "sem_of": sem_of, "n_draws": n_draws, "seed": seed},
    )


def variant_differences(
    study: StudyResults,
    metrics: Sequence[str] | None = None,
    *,
    target: str = "current",
    n_draws: int = 2000,
    level: float = 0.95,
    unit: str = "image_id",
    seed: int = 0,
) -> xr.Dataset:
    """What each variant scores more than the reference, on the same trials: of General decoders at their own lag.

    Differences are taken trial by trial, averaged within a subject, then over subjects. The interval is over images:
    each draw takes images with replacement, the same for all subjects, variants and metrics; it speaks about these
    subjects and these trained decoders.

    Parameters
    ----------
    study : StudyResults
        From `tempgen.open_study`.
    metrics : sequence of str or None
        Score variables; None: those of the reference.
    target : str
        Image that reconstructions are compared with.
    n_draws, level, unit, seed
        Of the bootstrap: draws, coverage, and the coordinate of the trials that is drawn.

    Returns
    -------
    Dataset, dims (variant, metric)
        ``difference`` (variant - reference), ``low``, ``high``; ``subject_difference`` (variant, subject, metric); ``n_trials`` that
        both decoded, over all subjects. Coordinates as of `variant_scores`. Without the reference itself. NaN, but for
        ``subject_difference``, where a subject of the reference lacks the variant: a mean of fewer subjects is another mean.

    Raises
    ------
    ResultsError
        If the reference has no result, no variant stands beside it, or a result lacks the metric, the target or the cell.
    """
    names = _metrics(study, metrics)
    references = study.of_subjects()
    variants = [variant for variant in study.variants if variant != study.reference]
    if not variants:
        raise ResultsError(f"The study {study.name!r} has no result beside that of {study.reference!r}.")
    subjects = list(references)
    n_curves = len(subjects) * len(names)
    columns: dict[str, list[NDArray[Any]]] = {
        name: [] for name in ("difference", "low", "high", "subject_difference", "n_trials")
    }
    for variant in variants:
        there = study.of_subjects(variant)
        pairs = {
            one: _paired(there[one], references[one], names, target=target, unit=unit)
            for one in subjects
            if one in there
        }
        n_trials = sum(len(units) for _, units in pairs.values())
        if not n_trials:
            raise ResultsError(f"{variant!r} and {study.reference!r} have no test trial in common.")
        curves = np.full((n_curves, n_trials), np.nan)
        start = 0
        for subject, (values, units) in pairs.items():
            row = subjects.index(subject) * len(names)
            curves[row : row + len(names), start : start + len(units)] = values
            start += len(units)
        by_subject = mean_over_trials(curves).reshape(len(subjects), len(names))
        units = np.concatenate([units for _, units in pairs.values()])
        drawn = bootstrap_means(curves, units, n_draws=n_draws, seed=seed)
        of_draws = drawn.reshape(n_draws, len(subjects), len(names)).transpose(0, 2, 1)
        bounds = percentile_interval(mean_over_trials(of_draws), level=level)
        mean = by_subject.mean(axis=0)
        low, high = (np.where(np.isnan(mean), np.nan, bound) for bound in bounds)
        found = (mean, low, high, by_subject, np.array(n_trials))
        for column, value in zip(columns.values(), found, strict=True):
            column.append(value)
    cells = ("variant", "metric")
    dims = dict.fromkeys(columns, cells) | {
        "subject_difference": ("variant", "subject", "metric"),
        "n_trials": ("variant",),
    }
    people = f" of {len(subjects)} subjects" if len(subjects) > 1 else ""
    return xr.Dataset(
        {name: (dims[name], np.stack(values)) for name, values in columns.items()},
        coords=_coords(study, names, variants=variants) | {"subject": np.array(subjects, dtype=object)},
        attrs=_attrs(study, target)
        | {
            "interval": f"{100 * level:g} % bootstrap interval over {UNIT_PLURALS.get(unit, f'values of {unit}')}{people}",
            "reference": study.reference,
            "n_draws": n_draws,
            "seed": seed,
        },
    )


def _metrics(study: StudyResults, metrics: Sequence[str] | None) -> list[str]:
    return list(metrics) if metrics else metrics_of(next(iter(study.of_subjects().values())))


def _cell(
    result: xr.Dataset, metrics: Sequence[str], *, target: str, unit: str
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Scores (n_metrics, n_trials) of the General decoder at its own lag, and the unit of each trial."""
    delta = int(result.attrs.get("general_delta", 0))
    for axis in ("train_delta", "test_delta"):
        if delta not in result[axis]:
            raise ResultsError(
                f"{result.attrs.get('title', 'A result')} has no {axis} {delta}, the lag of the General decoder: evaluate it there."
            )
    scores = [scores_of(result, name, target).sel(train_delta=delta, test_delta=delta) for name in metrics]
    return np.stack([one.to_numpy().astype(np.float64) for one in scores]), unit_of_trials(scores[0], unit)


def _paired(
    result: xr.Dataset, reference: xr.Dataset, metrics: Sequence[str], *, target: str, unit: str
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Differences (n_metrics, n_trials) at the trials that both have, and the unit of each."""
    ours, units = _cell(result, metrics, target=target, unit=unit)
    theirs, _ = _cell(reference, metrics, target=target, unit=unit)
    keys = [
        pd.MultiIndex.from_arrays([one[name].to_numpy() for name in _TRIAL_KEYS])
        for one in (result, reference)
    ]
    place = keys[1].get_indexer(keys[0])
    both = np.flatnonzero(place >= 0)
    return ours[:, both] - theirs[:, place[both]], units[both]


def _coords(
    study: StudyResults, metrics: Sequence[str], *, variants: Sequence[str] | None = None
) -> dict[str, Any]:
    variants = study.variants if variants is None else variants
    firsts = [next(iter(study.of_subjects(variant).values())) for variant in variants]
    reference = next(iter(study.of_subjects().values()))
    n_tr = [int(one.attrs["n_tr"]) for one in firsts]
    tr_s = [float(one.attrs["tr_s"]) for one in firsts]
    end_tr = [
        int(one.attrs["start_tr"]) + int(one.attrs["n_tr"]) + int(one.attrs.get("general_delta", 0))
        for one in firsts
    ]
    of_metrics = [scores_of(reference, name, str(reference["target"].values[0])).attrs for name in metrics]
    return {
        "variant": np.array(variants, dtype=object),
        "metric": np.array(metrics, dtype=object),
        "n_tr": ("variant", n_tr),
        "duration_s": ("variant", np.multiply(n_tr, tr_s), {"units": "s"}),
        "lag_s": ("variant", np.multiply(end_tr, tr_s), {"units": "s"}),
        "signal": ("variant", [str(one.attrs.get("signal", "bold")) for one in firsts]),
        "repetitions": ("variant", [str(one.attrs.get("repetitions", "all")) for one in firsts]),
        "long_name": (
            "metric",
            [str(attrs.get("long_name", name)) for name, attrs in zip(metrics, of_metrics, strict=True)],
        ),
        "direction": ("metric", [str(attrs.get("direction", "")) for attrs in of_metrics]),
        "fixed_chance": ("metric", [float(attrs.get("chance", np.nan)) for attrs in of_metrics]),
    }


def _attrs(study: StudyResults, target: str) -> dict[str, Any]:
    first = next(iter(study.of_subjects().values()))
    many = "s" * (len(study.subjects) > 1)
    analysis = json.loads(str(first.attrs.get("analysis", "{}")))
    return {name: first.attrs[name] for name in _COPIED if name in first.attrs} | {
        "title": study.name,
        "data_source": str(analysis.get("data", {}).get("source", "")),
        "subject": f"subject{many} {', '.join(study.subjects)}",
        "target": target,
        "reference": study.reference,
    }
