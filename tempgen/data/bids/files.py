"""The runs of BOLD in a BIDS dataset, found by their file names.

Source: BIDS specification 1.10, "Common principles" (file names) and "Derivatives"; fMRIPrep documentation, "Outputs".
"""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path

from tempgen.errors import ConfigError, SourceDataError

_DERIVED = ("space", "res", "den", "desc")
"""Entities that name what was made of a run, not the run."""
_VARIANTS = ("echo", "part", "rec")
"""Entities of several files of the same run."""
NATIVE_SPACE = "func"
"""FMRIPrep's name of the runs' own space, whose files have no ``space-``."""


@dataclass(frozen=True)
class BidsRun:
    """One run of BOLD among the files of a dataset.

    Attributes
    ----------
    bold_path : Path
        Raw or preprocessed.
    entities : dict of str to str
        Key-value pairs of its name, in their order.
    name : str
        Those that tell the run from the subject's others: ``"ses-01_run-01"``.
    session, run : int
        The dataset's own numbers, 1 where it has none; the rank, from 1, where it has words.
    """

    bold_path: Path
    entities: dict[str, str]
    name: str
    session: int
    run: int

    def beside(self, suffix: str, *, desc: str, without: tuple[str, ...] = ("desc",)) -> Path:
        """Another derivative of this run, in the same folder; ``without`` names the entities that it does not have."""
        pairs = [f"{key}-{value}" for key, value in self.entities.items() if key not in without]
        return self.bold_path.with_name("_".join([*pairs, f"desc-{desc}", suffix]))

    @property
    def confounds_path(self) -> Path | None:
        """FMRIPrep's confounds of this run, under the newer name or the one before version 20."""
        names = ("timeseries.tsv", "regressors.tsv")
        paths = (self.beside(name, desc="confounds", without=_DERIVED) for name in names)
        return next((path for path in paths if path.is_file()), None)

    @property
    def mask_path(self) -> Path:
        """FMRIPrep's brain mask of this run, in the same space."""
        return self.beside("mask.nii.gz", desc="brain")


def entities_of(path: Path) -> dict[str, str]:
    """Key-value pairs of a BIDS file name.

    Examples
    --------
    >>> entities_of(Path("sub-01_task-objects_run-02_bold.nii.gz"))
    {'sub': '01', 'task': 'objects', 'run': '02'}
    """
    parts = path.name.split(".", 1)[0].split("_")[:-1]
    return {key: value for key, _, value in (part.partition("-") for part in parts)}


def find_runs(
    root: Path,
    subject: str,
    *,
    task: str | None,
    session: str | None,
    space: str | None,
    derivatives: Path | None,
) -> list[BidsRun]:
    """Runs of one subject and task, sorted by session and run.

    Parameters
    ----------
    root : Path
        The raw dataset.
    subject, task, session : str
        Labels, with or without ``sub-``, ``task-``, ``ses-``. None for the only task, or for all sessions.
    space : str or None
        Space of the derivatives, ``T1w``, ``func`` (the runs' own) or, with a resolution, ``MNI152NLin6Asym:res-2``;
        None for the only one.
    derivatives : Path or None
        Folder of preprocessed runs (``desc-preproc``); None for raw ones.

    Raises
    ------
    ConfigError
        If a space is given without derivatives.
    SourceDataError
        If there is no such folder, subject, session, task or space, if there are several and none is chosen, or if several
        files hold the same run.
    """
    if space is not None and derivatives is None:
        raise ConfigError(
            f"space={space!r} came without derivatives: raw BOLD has no space. Give the fMRIPrep folder too."
        )
    folder = root if derivatives is None else derivatives
    subject = subject.removeprefix("sub-")
    paths = _bold_files(folder, subject, preprocessed=derivatives is not None)
    paths = _choose(paths, "ses", _label(session, "ses-"), f"session of sub-{subject}", several_allowed=True)
    paths = _choose(paths, "task", _label(task, "task-"), f"task of sub-{subject}")
    if derivatives is not None:
        label, _, resolution = (_label(space, "space-") or "").partition(":")
        paths = _choose(paths, "space", label or None, f"space of sub-{subject} in {folder}")
        paths = _choose(
            paths, "res", resolution.removeprefix("res-") or None, "resolution (space: SPACE:res-LABEL)"
        )
    runs: dict[tuple[tuple[str, str], ...], Path] = {}
    for path in paths:
        identity = tuple((k, v) for k, v in entities_of(path).items() if k not in (*_DERIVED, *_VARIANTS))
        if identity in runs:
            raise SourceDataError(
                f"{runs[identity].name} and {path.name} hold the same run; one file a run is needed. Keep one of them "
                "(echoes are combined by fMRIPrep, for instance)."
            )
        runs[identity] = path
    return _numbered(list(runs.values()))


def _bold_files(folder: Path, subject: str, *, preprocessed: bool) -> list[Path]:
    from nilearn.interfaces.bids import get_bids_files

    if not (folder / f"sub-{subject}").is_dir():
        there = sorted(path.name for path in folder.glob("sub-*") if path.is_dir())
        raise SourceDataError(
            f"There is no subject sub-{subject} in {folder}; there {'are: ' + ', '.join(there) if there else 'is none at all'}. "
            "Give the folder that holds the sub-* folders, and a label without 'sub-'."
        )
    names = get_bids_files(
        glob.escape(str(folder)), file_tag="bold", file_type="nii*", sub_label=subject, modality_folder="func"
    )
    paths = [path for path in map(Path, names) if path.name.endswith((".nii", ".nii.gz"))]
    paths = [path for path in paths if entities_of(path).get("part", "mag") == "mag"]
    paths = [path for path in paths if (entities_of(path).get("desc") == "preproc") == preprocessed]
    if not paths:
        wanted = "*_desc-preproc_bold.nii.gz" if preprocessed else "*_bold.nii.gz"
        raise SourceDataError(
            f"sub-{subject} has no {wanted} below {folder / f'sub-{subject}'} (func/ or ses-*/func/). Check the download."
        )
    return paths


def _choose(
    paths: list[Path], entity: str, label: str | None, meaning: str, *, several_allowed: bool = False
) -> list[Path]:
    """Files whose entity has this label; without one, all, if they agree."""
    absent = NATIVE_SPACE if entity == "space" else f"(no {entity}-)"
    label_of = {path: entities_of(path).get(entity, absent) for path in paths}
    labels = ", ".join(sorted(set(label_of.values())))
    if label is None:
        if len(set(label_of.values())) > 1 and not several_allowed:
            raise SourceDataError(f"There is more than one {meaning}: {labels}. Choose one.")
        return paths
    chosen = [path for path in paths if label_of[path] == label]
    if not chosen:
        raise SourceDataError(f"There is no {meaning} {label!r}; there are: {labels}. Choose among them.")
    return chosen


def _label(text: str | None, prefix: str) -> str | None:
    return None if text is None else text.removeprefix(prefix)


def _numbered(paths: list[Path]) -> list[BidsRun]:
    entities = [entities_of(path) for path in paths]
    session_of = _numbers([pairs.get("ses", "") for pairs in entities])
    run_of = _numbers([pairs.get("run", "") for pairs in entities])
    runs = []
    for path, pairs in zip(paths, entities, strict=True):
        identity = {k: v for k, v in pairs.items() if k not in ("sub", "task", *_DERIVED, *_VARIANTS)}
        name = "_".join(f"{key}-{value}" for key, value in identity.items()) or "run-01"
        runs.append(
            BidsRun(path, pairs, name, session_of[pairs.get("ses", "")], run_of[pairs.get("run", "")])
        )
    return sorted(runs, key=lambda run: (run.session, run.run, run.name))


def _numbers(labels: list[str]) -> dict[str, int]:
    """Number of each label: itself if all are numbers (1 where a file has none), else its rank from 1."""
    ordered = sorted(set(labels))
    if all(label.isdecimal() for label in ordered if label):
        return {label: int(label or 1) for label in ordered}
    return {label: rank for rank, label in enumerate(ordered, start=1)}
