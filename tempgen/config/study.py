"""The typed model of a study: several analyses that belong together, described by what they share and how they differ.

Subjects and variants (window durations, parts of a decoder left out, other decoders) make a grid; each cell is an analysis
of its own, with a folder of its own below the study's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from tempgen.config.analysis import Analysis
from tempgen.config.files import apply_overrides, is_study, read_mapping, validate
from tempgen.config.section import Section
from tempgen.errors import ConfigError

BASE = "base"
"""Name of the only variant of a study that has none."""
RECORDINGS = "recordings"
"""Folder of the stores, below the study's."""
_NAME = r"^[A-Za-z0-9][A-Za-z0-9 ,.()+_-]*$"
_OF_THE_STUDY = ("name", "folder")
"""Keys of an analysis that the study gives to each of its own."""


def _as_labels(subjects: Any) -> Any:
    """Labels of subjects, of a list (``[1, 2]``), one value, or text (``1,2``)."""
    given = subjects.split(",") if isinstance(subjects, str) else subjects
    given = given if isinstance(given, list | tuple) else [given]
    return tuple(str(subject).strip() for subject in given)


class Study(Section):
    """Several analyses: each variant of each subject.

    Raises
    ------
    pydantic.ValidationError
        If a key is unknown, or a name occurs twice or cannot name a folder.

    Examples
    --------
    >>> study = Study(subjects=[1, 2], variants={"short": {"window.n_tr": 1}, "long": {"window": {"n_tr": 6}}})
    >>> [(member.variant, member.subject, member.analysis.window.n_tr) for member in study.members()]
    [('short', '1', 1), ('short', '2', 1), ('long', '1', 6), ('long', '2', 6)]
    """

    name: str = Field(
        "study", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="Names the study. Source: convention."
    )
    folder: Path | None = Field(
        None,
        description="Where everything is written; null: outputs/NAME of the current folder. Source: off unless given.",
    )
    notebook: str | None = Field(
        None,
        pattern=r"^[a-z0-9_]+$",
        description="The notebook that draws it, without .ipynb; null: none. Source: off unless given.",
    )
    reference: str | None = Field(
        None,
        description="Variant that the others are compared with; null: the first. Source: off unless given.",
    )
    subjects: Annotated[tuple[str, ...], BeforeValidator(_as_labels)] = Field(
        (), description="Subjects of the recording; none: that of the base. Source: Dynadiff: 1, 2, 5 and 7."
    )
    base: dict[str, Any] = Field(
        {}, description="What all of them share: sections of an analysis. Source: those of an analysis."
    )
    variants: dict[str, dict[str, Any] | None] = Field(
        {},
        description=(
            "Name of each variant to what is other in it: sections, or dotted keys (window.n_tr: 3); none: the base alone. "
            "Source: off unless given."
        ),
    )

    @field_validator("variants")
    @classmethod
    def _names_of_folders(cls, variants: dict[str, Any]) -> dict[str, Any]:
        wrong = [name for name in variants if not re.match(_NAME, name)]
        if wrong:
            raise ValueError(
                f"{wrong[0]!r} names a folder and a line of a figure: use letters, digits, blanks and , . ( ) + - _"
            )
        folders = [_folder_name(name) for name in variants]
        same = [name for name, folder in zip(variants, folders, strict=True) if folders.count(folder) > 1]
        if same:
            raise ValueError(
                f"the names {' and '.join(map(repr, same))} differ in blanks or signs alone: rename one"
            )
        return variants

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if len(set(self.subjects)) < len(self.subjects):
            raise ValueError(f"subjects names one twice: {', '.join(self.subjects)}")
        if self.reference is not None and self.reference not in self.variants:
            raise ValueError(
                f"reference is {self.reference!r}; the variants are {', '.join(self.variants) or 'none'}"
            )
        for key in _OF_THE_STUDY:
            if key in self.base:
                raise ValueError(f"base.{key} is the study's own: write {key} beside base, not in it")
        if self.subjects and isinstance(self.base.get("data"), dict) and "subject" in self.base["data"]:
            raise ValueError("base.data.subject would not be used beside subjects: remove it")
        return self

    @property
    def output_folder(self) -> Path:
        """Where everything is written."""
        return self.folder if self.folder is not None else Path("outputs") / self.name

    @property
    def compared_with(self) -> str:
        """The variant that the others are compared with."""
        return self.reference or next(iter(self.variants), BASE)

    def members(self) -> list[Member]:
        """All analyses, the subjects of a variant after one another.

        Raises
        ------
        ConfigError
            If one cannot be made; names its variant.
        """
        members: list[Member] = []
        for variant, changes in (self.variants or {BASE: None}).items():
            for subject in self.subjects or (None,):
                member = self._member(variant, changes or {}, subject)
                member = replace(member, recording=self._recording(member, members))
                same = (one.trained_in for one in members if _same_decoders(one, member))
                members.append(replace(member, trained_in=next(same, member.trained_in)))
        return members

    def _recording(self, member: Member, before: list[Member]) -> Path:
        """Folder of a member's store: that of one before it with the same data section, if its signal can lie there."""
        of_subject = [one for one in before if one.subject == member.subject]
        for folder in dict.fromkeys(one.recording for one in of_subject):
            there = [one.analysis for one in of_subject if one.recording == folder]
            if there[0].data == member.analysis.data and all(
                _share_signal(one, member.analysis) for one in there
            ):
                return folder
        own = f"{_folder_name(member.variant)}-" if of_subject else ""
        return self.output_folder / RECORDINGS / f"{own}subject-{member.subject}"

    def _member(self, variant: str, changes: Mapping[str, Any], subject: str | None) -> Member:
        content, own = deepcopy(self.base), _dotted(changes)
        origin = f"variant {variant!r}" if self.variants else "base"
        fixed = [key for key in own if key in _OF_THE_STUDY or key == "data.subject"]
        if fixed:
            raise ConfigError(f"{origin} sets {fixed[0]}, which the study itself does: remove it.")
        try:
            apply_overrides(content, {**own, **({} if subject is None else {"data.subject": subject})})
        except ConfigError as error:
            raise ConfigError(f"{origin}: {error}") from error
        analysis = validate(Analysis, content, origin=origin)
        subject = analysis.data.subject
        parts = [_folder_name(variant)] if self.variants else []
        folder = self.output_folder.joinpath(*parts, f"subject-{subject}")
        named = {"name": "-".join([self.name, *parts, f"subject-{subject}"]), "folder": folder}
        return Member(variant, subject, analysis.model_copy(update=named), own, folder, folder)

    def summary(self) -> str:
        """One line for the terminal."""
        n_variants, n_subjects = max(1, len(self.variants)), max(1, len(self.subjects))
        return (
            f"study {self.name!r}: {n_variants} variant{'s' * (n_variants > 1)} of {n_subjects} "
            f"subject{'s' * (n_subjects > 1)}, {n_variants * n_subjects} analyses in {self.output_folder}"
        )


@dataclass(frozen=True)
class Member:
    """One analysis of a study.

    Attributes
    ----------
    variant, subject : str
    analysis : Analysis
        With a name and a folder of its own.
    changes : mapping of dotted key to value
        What is other than in the base.
    recording : Path
        Folder of the store, which members with the same data section (and, unless they decode BOLD, the same signal and
        split) share.
    trained_in : Path
        Folder of the analysis that trains its decoders: its own, or that of one before it that differs in the evaluation alone.
    """

    variant: str
    subject: str
    analysis: Analysis
    changes: Mapping[str, Any]
    recording: Path
    trained_in: Path

    @property
    def label(self) -> str:
        """Names it in messages."""
        return (
            f"subject {self.subject}"
            if self.variant == BASE and not self.changes
            else (f"{self.variant}, subject {self.subject}")
        )


def load_study(path: Path, overrides: Mapping[str, Any] | None = None) -> Study:
    """Read a study and check all of its analyses.

    Parameters
    ----------
    path : Path
    overrides : mapping of dotted key to value
        Of the study (``{"subjects": "1,2"}``), or of a section of the analyses, which then holds for all (``{"data.path": ...}``).

    Raises
    ------
    ConfigError
        If the file is missing or no study, has an unknown or unused key, an analysis cannot be made, or a variant sets what
        an override asks for.
    """
    content = read_mapping(path)
    if not is_study(content):
        raise ConfigError(f"{path} describes one analysis: a study has variants or subjects.")
    own = {key: value for key, value in (overrides or {}).items() if key in Study.model_fields}
    of_base = {key: value for key, value in (overrides or {}).items() if key not in own}
    base = content.get("base") or {}
    if isinstance(base, dict):
        apply_overrides(base, of_base)
    study = validate(Study, {**content, "base": base, **own}, origin=str(path))
    try:
        members = study.members()
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    for member in members:
        set_twice = sorted(set(of_base) & set(member.changes))
        if set_twice:
            raise ConfigError(
                f"{set_twice[0]} cannot be set for all of {path}: the variant {member.variant!r} sets it itself."
            )
    return study


def _share_signal(one: Analysis, other: Analysis) -> bool:
    """Whether two analyses of one recording can keep what they decode in one folder, which holds a store of each kind.

    BOLD serves all; another signal is estimated on the training runs, which follow from the split.
    """
    if one.signal.kind == "bold" or one.signal.kind != other.signal.kind:
        return True
    return one.signal == other.signal and one.split == other.split


def _same_decoders(one: Member, other: Member) -> bool:
    """Whether two members train the same decoders on the same trials, which follow from all of their lags."""
    sections = ("data", "inputs", "window", "split", "signal", "decoder", "training")
    return (
        one.recording == other.recording
        and one.analysis.all_deltas == other.analysis.all_deltas
        and all(getattr(one.analysis, name) == getattr(other.analysis, name) for name in sections)
    )


def _dotted(changes: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{"window": {"n_tr": 3}}`` to ``{"window.n_tr": 3}``."""
    flat: dict[str, Any] = {}
    for key, value in changes.items():
        if isinstance(value, Mapping):
            flat |= _dotted(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _folder_name(variant: str) -> str:
    """A name without blanks and signs, e.g. ``1-TR`` of ``1 TR``."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", variant).strip("-")
