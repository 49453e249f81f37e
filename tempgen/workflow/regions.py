"""Results of decoders that saw one region each, and the store whose voxels the regions are made of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from tempgen.data.store import open_store
from tempgen.errors import ResultsError
from tempgen.generalization.regions import region_condition
from tempgen.generalization.study import StudyResults, open_study
from tempgen.results import STUDY_FILE, open_results

__all__ = ["Regions", "open_regions"]


@dataclass(frozen=True)
class Regions:
    """Results by region, of one subject.

    Attributes
    ----------
    results : dict of str to Dataset
    store : Dataset or None
        That they were made of, where it was found.
    """

    results: dict[str, xr.Dataset]
    store: xr.Dataset | None


def open_regions(path: Path | str, *, subject: str = "", store: Path | str = "") -> Regions:
    """Open the results of one subject's regions.

    Parameters
    ----------
    path : Path or str
        The folder of a study whose variants are regions (``inputs.voxels_where``), or a folder of folders with one result
        each, as below ``controls``; of the latter those whose decoders saw some of the voxels.
    subject : str
        Of a study; its first unless given.
    store : Path or str
        The store, where it does not lie where the study or the analysis put it.

    Raises
    ------
    ResultsError
        If there is no result of a region, or none of the subject.
    StoreError
        If ``store`` is given and no store.
    """
    path = Path(path)
    if (path / STUDY_FILE).exists():
        study = open_study(path)
        subject = subject or study.subjects[0]
        results = _of_study(study, subject)
        places = [path / "recordings" / f"subject-{subject}" / "store.zarr"]
    else:
        results = _of_folder(path)
        places = [path / "store.zarr", path.parent / "store.zarr"]
    if not results:
        raise ResultsError(
            f"{path} has no result of a region of subject {subject or 'any'}: run a study whose variants set inputs.voxels_where, as "
            "analyses/where_and_when.yaml does."
        )
    found = [Path(store)] if store else [place for place in places if place.exists()]
    return Regions(results, open_store(found[0]) if found else None)


def _of_study(study: StudyResults, subject: str) -> dict[str, xr.Dataset]:
    there = [variant for variant, of in study.there if of == subject]
    results = {variant: study.result(variant, subject) for variant in there}
    return {variant: each for variant, each in results.items() if _sees_voxels(each)}


def _of_folder(path: Path) -> dict[str, xr.Dataset]:
    folders = sorted(one.parent for one in path.glob("*/results.zarr"))
    results = {folder.name.removeprefix("roi-"): open_results(folder) for folder in folders}
    return {name: each for name, each in results.items() if region_condition(each) is not None}


def _sees_voxels(results: xr.Dataset) -> bool:
    inputs = json.loads(str(results.attrs["analysis"]))["inputs"]
    return str(inputs["kind"]) == "bold"
