"""Results to choose from: each an ordinary result with the words that tell it from the others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import xarray as xr

from tempgen.errors import ResultsError
from tempgen.exploration.pictures import ShownImages
from tempgen.results import SCORE_DIMS, decoder_name, metrics_of, open_results

__all__ = ["Entry", "Results", "open_entries"]

Results = Path | str | xr.Dataset
"""A result, or where one is."""
SIGNALS = {"bold": "raw BOLD"}
"""Words for the signal that a result was made from; others speak for themselves."""


@dataclass(frozen=True)
class Entry:
    """One ordinary result.

    Attributes
    ----------
    labels : mapping of str to str
        What it is told by: ``subject``, ``algorithm``, ``region``, ``signal`` and further dimensions of the result.
    results : Dataset
        Dims (train_delta, test_delta, target, trial).
    images : ShownImages
        What was seen and reconstructed, as far as it is known.
    """

    labels: dict[str, str]
    results: xr.Dataset
    images: ShownImages


def open_entries(
    results: Results | Sequence[Results], *, folder: Path | str | None = None
) -> tuple[Entry, ...]:
    """Open results to explore.

    Parameters
    ----------
    results : path, Dataset or sequence of them
        Results as `tempgen.open_results` takes them; or datasets, which may have further dimensions (``region``, say) or
        trials of several subjects: each combination becomes an entry.
    folder : path, optional
        Folder of the analysis whose store and reconstructions show the images; by default that of each path.

    Returns
    -------
    tuple of Entry
        Told apart by their labels; where they are not, by the further label ``analysis``.

    Raises
    ------
    ResultsError
        If there is no result.
    """
    given = [results] if isinstance(results, (Path, str, xr.Dataset)) else list(results)
    entries = [entry for one in given for entry in _entries_of(one, folder)]
    if not entries:
        raise ResultsError("There is no result to explore; give at least one.")
    for name, source in (("analysis", _title), ("number", None)):
        if len({tuple(sorted(entry.labels.items())) for entry in entries}) < len(entries):
            for k, entry in enumerate(entries):
                entry.labels[name] = str(k + 1) if source is None else source(entry.results)
    return tuple(entries)


def _entries_of(given: Results, folder: Path | str | None) -> Iterator[Entry]:
    if isinstance(given, xr.Dataset):
        results, home = given, folder
    else:
        results = open_results(given)
        path = Path(given)
        home = folder or (path if (path / "results.zarr").exists() else path.parent)
    images = ShownImages() if home is None else ShownImages.beside(Path(home))
    for labels, ordinary in _ordinary(results):
        yield Entry(_labels(ordinary) | labels, ordinary, images)


def _ordinary(results: xr.Dataset) -> Iterator[tuple[dict[str, str], xr.Dataset]]:
    """Results with the dimensions of a result alone: one for each place on further dimensions, and for each subject."""
    scores = [variable for variable in results.data_vars.values() if set(SCORE_DIMS) <= set(variable.dims)]
    further = list(
        dict.fromkeys(dim for variable in scores for dim in variable.dims if dim not in SCORE_DIMS)
    )
    for place in product(*(range(results.sizes[dim]) for dim in further)):
        one = results.isel(dict(zip(further, place, strict=True)))
        labels = {
            str(dim): str(results[dim].to_numpy()[k] if dim in results.coords else k + 1)
            for dim, k in zip(further, place, strict=True)
        }
        subjects = _subjects_of_trials(one)
        if len(set(subjects)) < 2:
            yield labels, one
        for subject in dict.fromkeys(subjects) if len(set(subjects)) > 1 else ():
            mine = one.isel(trial=[k for k, whose in enumerate(subjects) if whose == subject])
            yield labels | {"subject": subject}, mine.assign_attrs(subject=subject)


def _subjects_of_trials(results: xr.Dataset) -> list[str]:
    if "subject" not in results.coords or results["subject"].dims != ("trial",):
        return []
    return [str(subject) for subject in results["subject"].to_numpy()]


def _labels(results: xr.Dataset) -> dict[str, str]:
    attrs = results.attrs
    analysis = json.loads(attrs.get("analysis", "{}"))
    metrics_of(results)  # refuses what is no result
    region = analysis.get("inputs", {}).get("voxels_where") or analysis.get("data", {}).get("roi")
    labels = {
        "subject": str(attrs.get("subject", "")),
        "algorithm": decoder_name(results) if {"decoder", "decoder_target"} <= attrs.keys() else "",
        "region": str(results["region"].item()) if _is_scalar(results, "region") else str(region or ""),
        "signal": SIGNALS.get(str(attrs.get("signal", "")), str(attrs.get("signal", ""))),
    }
    if _is_scalar(results, "signal"):
        signal = str(results["signal"].item())
        labels["signal"] = SIGNALS.get(signal, signal)
    return {name: value for name, value in labels.items() if value}


def _is_scalar(results: xr.Dataset, name: str) -> bool:
    return name in results.coords and results.coords[name].ndim == 0


def _title(results: xr.Dataset) -> str:
    return str(results.attrs.get("title", "")).removeprefix("tempgen: ")
