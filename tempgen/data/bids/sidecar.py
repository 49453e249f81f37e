"""Metadata of a BIDS run: files inherited from the folders above it, and the TR on which all sources must agree.

Source: BIDS specification 1.10, "The inheritance principle"; for RepetitionTime, "Task (including resting state) imaging data".
"""

from __future__ import annotations

import glob
import json
from pathlib import Path
from typing import Any

from tempgen.data.bids.files import BidsRun, entities_of
from tempgen.errors import SourceDataError

TR_TOLERANCE_S = 1e-3
"""TRs this close are the same: scanners give whole milliseconds, so each of two rounded values may be off by half of one."""


def inherited_files(run: BidsRun, root: Path, *, base: Path, suffix: str, extension: str) -> list[Path]:
    """Files that apply to a run by the inheritance principle, the most general first.

    Those of the folders from ``root`` down to the run's own whose suffix and extension fit and whose entities the run
    has all.

    Parameters
    ----------
    root : Path
        Dataset to look in.
    base : Path
        Dataset that the run lies in: its folder below ``base`` is looked for below ``root``.
    suffix, extension : str
        ``"bold"`` and ``"json"``, or ``"events"`` and ``"tsv"``.
    """
    from nilearn.interfaces.bids import get_bids_files

    folders = [root]
    for part in run.bold_path.parent.relative_to(base).parts:
        folders.append(folders[-1] / part)
    found: list[Path] = []
    for folder in folders:
        pattern = glob.escape(str(folder))
        names = get_bids_files(pattern, file_tag=suffix, file_type=extension, sub_folder=False)
        paths = [path for path in map(Path, names) if path.name.split(".")[0].split("_")[-1] == suffix]
        applicable = [path for path in paths if entities_of(path).items() <= run.entities.items()]
        found += sorted(applicable, key=lambda path: (len(entities_of(path)), path.name))
    return found


def read_sidecar(run: BidsRun, *, root: Path, derivatives: Path | None) -> dict[str, Any]:
    """Metadata of a run: its JSON files merged, nearer ones over more general ones, derivatives over raw.

    Raises
    ------
    SourceDataError
        If a file is no JSON object.
    """
    base = root if derivatives is None else derivatives
    paths = inherited_files(run, root, base=base, suffix="bold", extension="json")
    if derivatives is not None:
        paths += inherited_files(run, derivatives, base=base, suffix="bold", extension="json")
    metadata: dict[str, Any] = {}
    for path in paths:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SourceDataError(f"{path} cannot be read as JSON: {error}. Repair this sidecar.") from error
        if not isinstance(content, dict):
            raise SourceDataError(
                f"{path} holds a {type(content).__name__}; a sidecar is one JSON object. Repair it."
            )
        metadata |= content
    return metadata


def agreed_tr_s(
    run: BidsRun, *, header_tr_s: float | None, sidecar: dict[str, Any], claimed_tr_s: float | None
) -> float:
    """The TR of a run, if all who name one agree to within ``TR_TOLERANCE_S``.

    Parameters
    ----------
    header_tr_s : float or None
        Of the NIfTI header; None where it has no unit of time.
    sidecar : dict
        With ``RepetitionTime`` in seconds, by BIDS.
    claimed_tr_s : float or None
        The user's.

    Returns
    -------
    float
        Seconds: the user's, else the sidecar's, else the header's.

    Raises
    ------
    SourceDataError
        If two differ, none is given, or the sidecar's is no positive number.
    """
    of_sidecar = sidecar.get("RepetitionTime")
    if of_sidecar is not None and not (isinstance(of_sidecar, int | float) and of_sidecar > 0):
        raise SourceDataError(
            f"The sidecar of {run.bold_path} says RepetitionTime {of_sidecar!r}; positive seconds are needed. Repair it."
        )
    claims = [float(tr) for tr in (claimed_tr_s, of_sidecar, header_tr_s) if tr is not None]
    if not claims:
        irregular = (
            " (VolumeTiming is there: sparsely sampled runs cannot be windowed)"
            if "VolumeTiming" in sidecar
            else ""
        )
        raise SourceDataError(
            f"Nothing says the TR of {run.bold_path}{irregular}: its header has none and no bold.json gives RepetitionTime. "
            "Add it to the sidecar, or give tr_s."
        )
    if max(claims) - min(claims) > TR_TOLERANCE_S:
        raise SourceDataError(
            f"The TR of {run.bold_path} is contradictory: header {_seconds(header_tr_s)}, sidecar (RepetitionTime) "
            f"{_seconds(of_sidecar)}, you (tr_s) {_seconds(claimed_tr_s)}. Find out which is right and correct the others."
        )
    return claims[0]


def _seconds(value: float | None) -> str:
    return "none" if value is None else f"{value:g} s"
