"""The results of a study: one for each variant and subject, opened when they are first needed.

Subjects were tested on other trials and have their own level of chance, and windows of another width end at other times,
so that the results stay apart: what is compared or averaged is computed within each and put together afterwards
(:mod:`tempgen.generalization.subjects`, :mod:`tempgen.generalization.variants`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import xarray as xr

from tempgen.errors import ResultsError
from tempgen.generalization.study_dataset import combine_results
from tempgen.results import STUDY_FILE, open_results

__all__ = ["StudyResults", "open_study"]

STUDY_FORMAT = 1
"""Changes when an older list of analyses can no longer be read."""
UNCONFIRMED = "unconfirmed"
"""Key of a listed analysis whose result was there before, of another analysis, and was not looked at since."""
ONLY_VARIANT = "base"
"""Of a study without variants, and of a single result."""


@dataclass(frozen=True)
class StudyResults:
    """Results of the analyses of a study.

    Attributes
    ----------
    name : str
    reference : str
        Variant that the others are compared with.
    folders : mapping of (variant, subject) to Path
        All analyses of the study, in its order, with or without a result.
    """

    name: str
    reference: str
    folders: Mapping[tuple[str, str], Path]
    _opened: dict[tuple[str, str], xr.Dataset] = field(default_factory=dict, repr=False, compare=False)

    @property
    def there(self) -> dict[tuple[str, str], Path]:
        """Analyses that have a result."""
        return {
            member: folder
            for member, folder in self.folders.items()
            if member in self._opened or (folder / "results.zarr").exists()
        }

    @property
    def variants(self) -> list[str]:
        """Variants of which at least one subject has a result."""
        return list(dict.fromkeys(variant for variant, _ in self.there))

    @property
    def subjects(self) -> list[str]:
        """Subjects of whom at least one variant has a result."""
        return list(dict.fromkeys(subject for _, subject in self.there))

    def result(self, variant: str, subject: str) -> xr.Dataset:
        """One ordinary result, see `tempgen.results`; opened once.

        Raises
        ------
        ResultsError
            If there is none of this variant and subject.
        """
        member = (variant, subject)
        if member not in self.there:
            raise ResultsError(
                f"The study {self.name!r} has no result of {variant!r}, subject {subject}; there are: "
                f"{', '.join(f'{one} (subject {other})' for one, other in self.there) or 'none'}."
            )
        if member not in self._opened:
            self._opened[member] = open_results(self.folders[member])
        return self._opened[member]

    def of_subjects(self, variant: str | None = None) -> dict[str, xr.Dataset]:
        """Results of a variant by subject; of the reference unless a variant is given.

        Raises
        ------
        ResultsError
            If none of its subjects has a result.
        """
        variant = self.reference if variant is None else variant
        subjects = [subject for one, subject in self.there if one == variant]
        if not subjects:
            self.result(variant, "any")
        return {subject: self.result(variant, subject) for subject in subjects}

    def describe(self) -> str:
        """A few lines on what there is, for the top of a notebook."""
        first = self.result(*next(iter(self.there)))
        lacking = [member for member in self.folders if member not in self.there]
        return "\n".join(
            [
                f"study {self.name}: {len(self.there)} of {len(self.folders)} analyses have a result",
                f"{str(first.attrs['data_kind']).upper()} data, subjects {', '.join(self.subjects)}",
                f"variants: {'; '.join(self.variants)}",
                *(
                    [f"lacking: {'; '.join(f'{one}, subject {two}' for one, two in lacking)}"]
                    if lacking
                    else []
                ),
            ]
        )

    def combined(self) -> xr.Dataset:
        """All results as one dataset, for one's own analyses in xarray.

        Returns
        -------
        xarray.Dataset
            Variables of a result with the dims ``variant`` and ``subject`` in front. ``trial`` counts the trials of each
            variant and subject from 0, so that their coordinates have dims (variant, subject, trial); scores are NaN beyond a
            subject's trials, at lags that a variant was not tested at, and where there is no result. Lags in seconds have the dim
            ``variant``. Attributes on which all agree; ``differing_attrs`` holds the others as JSON.

        Raises
        ------
        ResultsError
            If there is no result.
        """
        if not self.there:
            raise ResultsError(f"The study {self.name!r} has no result yet: run it with 'tempgen run'.")
        return combine_results({member: self.result(*member) for member in self.there})


def open_study(path: Path | str | xr.Dataset) -> StudyResults:
    """Open the results of a study; those that are there.

    Parameters
    ----------
    path : Path, str or Dataset
        The folder of a study that ``tempgen run`` made. The folder of one analysis, or its result, is a study of one.

    Raises
    ------
    ResultsError
        If there is nothing of the kind, another version wrote it, or no analysis of the study has a result; or a run that was
        to make other results of the same study again was stopped, so that old and new ones lie side by side.
    """
    if isinstance(path, xr.Dataset):
        member = (ONLY_VARIANT, str(path.attrs.get("subject", "1")))
        title = str(path.attrs.get("title", "a result"))
        return StudyResults(title.removeprefix("tempgen: "), ONLY_VARIANT, {member: Path()}, {member: path})
    path = Path(path)
    listed = path / STUDY_FILE
    if not listed.exists():
        return open_study(open_results(path))
    try:
        content = json.loads(listed.read_text(encoding="utf-8"))
        found = content["study_format"]
        members = {(one["variant"], one["subject"]): path / one["folder"] for one in content["analyses"]}
        study = StudyResults(content["name"], content["reference"], members)
        old = [
            member for member, one in zip(members, content["analyses"], strict=True) if one.get(UNCONFIRMED)
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise ResultsError(f"{listed} is no list of analyses of tempgen ({error!r}).") from error
    if found != STUDY_FORMAT:
        raise ResultsError(f"{listed} has format {found}, this version reads {STUDY_FORMAT}: run it again.")
    if not study.there:
        raise ResultsError(f"The study in {path} has no result yet: run it with 'tempgen run'.")
    if old := [member for member in old if member in study.there]:
        raise ResultsError(
            f"{len(old)} of {len(study.there)} results of the study in {path} are of an earlier version of it: "
            f"{'; '.join(f'{variant}, subject {subject}' for variant, subject in old)}. Make them again: 'tempgen run --overwrite' "
            "goes on where it was stopped; or run the earlier analysis file, which keeps what is as it says."
        )
    return study
