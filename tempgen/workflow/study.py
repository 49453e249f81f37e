"""Run a study: the analyses of all its variants and subjects, each in a folder of its own.

Folders below the study's::

    study.json                       which analyses there are
    recordings/SUBJECT/store.zarr    one for all variants whose data section is the same
    VARIANT/SUBJECT/                 decoders and results of each; a link to decoders that an earlier variant trained
    figures/                         of the notebook that the study names
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tempgen._version import __version__
from tempgen.config import differences, fingerprint
from tempgen.config.files import packaged_file
from tempgen.config.study import Member, Study, load_study
from tempgen.errors import TempgenError
from tempgen.files import whole_file
from tempgen.generalization.study import STUDY_FORMAT, UNCONFIRMED, StudyResults, open_study
from tempgen.results import STUDY_FILE, open_results
from tempgen.workflow.evaluation import evaluate_decoders
from tempgen.workflow.figures import draw_notebook
from tempgen.workflow.places import Places
from tempgen.workflow.recording import Say, prepare_recording
from tempgen.workflow.shared_decoders import find_decoders
from tempgen.workflow.training import train_decoders

_CHANGE_NO_RESULT = ("name", "folder", "figures")
"""Keys of an analysis."""


def run_study(
    study: Study,
    *,
    say: Say = print,
    n_jobs: int | None = None,
    overwrite: bool = False,
    with_figures: bool = True,
) -> StudyResults:
    """Run the analyses of a study one after another, skipping what is done.

    Parameters
    ----------
    study : Study
    n_jobs : int or None
        Runs of a recording prepared at a time.
    overwrite : bool
        Make again what another study made in the same folder.
    with_figures : bool
        Execute the study's notebook at the end.

    Returns
    -------
    StudyResults
        As `tempgen.open_study` gives them.

    Raises
    ------
    TempgenError
        As the steps of an analysis raise it, with the variant and the subject in front.
    """
    say(study.summary())
    members = study.members()
    write_study(study)
    for member in members:
        say(f"--- {member.label}")
        run_member(member, say=say, n_jobs=n_jobs, overwrite=overwrite)
        _confirm(study, member)
    if with_figures and study.notebook is not None:
        draw_study(study, say=say, overwrite=overwrite)
    return open_study(study.output_folder)


def run_member(
    member: Member, *, say: Say = print, n_jobs: int | None = None, overwrite: bool = False
) -> None:
    """Run one analysis of a study on the store that it shares with others; what is there is kept."""
    analysis = member.analysis
    try:
        store = prepare_recording(
            analysis.model_copy(update={"folder": member.recording}),
            say=say,
            n_jobs=n_jobs,
            overwrite=overwrite,
        )
        find_decoders(analysis, member.trained_in, overwrite=overwrite)
        train_decoders(analysis, analysis.fitted_deltas, store=store, say=say, overwrite=overwrite)
        evaluate_decoders(analysis, store=store, say=say, overwrite=overwrite)
    except TempgenError as error:
        raise type(error)(f"{member.label}: {error}") from error


def write_study(study: Study) -> Path:
    """Write which analyses a study has, so that its folder can be opened, as soon as one has a result.

    A result that another analysis made is marked, until `run_study` has kept it or made it again: a study of both is not
    opened.
    """
    path, members = study.output_folder / STUDY_FILE, study.members()
    listed = {(one["variant"], one["subject"]): one for one in _listed(path).get("analyses", ())}
    content: dict[str, Any] = {
        "study_format": STUDY_FORMAT,
        "tempgen_version": __version__,
        "name": study.name,
        "reference": study.compared_with,
        "analyses": [
            {
                "variant": member.variant,
                "subject": member.subject,
                "folder": Path(
                    os.path.relpath(member.analysis.output_folder, study.output_folder)
                ).as_posix(),
                "changes": dict(member.changes),
                "analysis": fingerprint(_determines(member.analysis.model_dump(mode="json"))),
            }
            for member in members
        ],
    }
    for member, one in zip(members, content["analyses"], strict=True):
        if _is_unconfirmed(member, one, listed.get((member.variant, member.subject), {})):
            one[UNCONFIRMED] = True
    return _write(path, content)


def _confirm(study: Study, member: Member) -> None:
    """Say that a result is of the analysis that the study lists."""
    path = study.output_folder / STUDY_FILE
    content = _listed(path)
    for one in content["analyses"]:
        if (one["variant"], one["subject"]) == (member.variant, member.subject):
            one.pop(UNCONFIRMED, None)
    _write(path, content)


def _listed(path: Path) -> dict[str, Any]:
    """The list of a study's analyses; empty if there is none yet, or it is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _is_unconfirmed(member: Member, now: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Whether a member's result is of another analysis than the list will say, as far as is known."""
    results = Places(member.analysis).results
    if not results.exists():
        return False
    if before.get("analysis") == now["analysis"]:
        return bool(before.get(UNCONFIRMED))
    made_with = json.loads(open_results(results).attrs.get("analysis", "{}"))
    wanted = json.loads(member.analysis.model_dump_json())
    return bool(differences(_determines(made_with), _determines(wanted)))


def _determines(analysis: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in analysis.items() if key not in _CHANGE_NO_RESULT}


def _write(path: Path, content: Mapping[str, Any]) -> Path:
    text = json.dumps(content, indent=2, default=str) + "\n"
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return path  # figures are drawn again where the list is newer than they are
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def draw_study(study: Study, *, say: Say = print, overwrite: bool = False) -> list[Path]:
    """Execute the study's notebook; figures and the executed notebook land in its figures folder.

    Figures that are newer than all results and the list of analyses, and were drawn with the same settings, are kept.

    Raises
    ------
    ConfigError
        If the notebook does not exist or papermill is not installed.
    ResultsError
        If there is no result yet, or the notebook stops on it.
    """
    results = open_study(study.output_folder)
    figures = study.output_folder / "figures"
    config = study.members()[0].analysis.figures
    parameters = {
        "results": str(study.output_folder.resolve()),
        "figures": str(figures.resolve()),
        "metrics": list(config.metrics or ()),
        "n_draws": config.n_draws,
        "level": config.level,
        "formats": list(config.formats),
    }
    sources = [
        study.output_folder / STUDY_FILE,
        *(folder / "results.zarr" for folder in results.there.values()),
    ]
    return draw_notebook(
        f"{study.notebook}.ipynb", figures, parameters, sources=sources, say=say, overwrite=overwrite
    )


def example_study(
    name: str,
    folder: Path | str | None = None,
    *,
    overrides: Mapping[str, object] | None = None,
    say: Say = print,
) -> StudyResults:
    """Results of a packaged study of small simulated subjects, made within a minute if they are not there.

    For notebooks that want something to show: simulated data, and named so in every figure.

    Parameters
    ----------
    name : str
        A file of ``analyses``, without ``.yaml``.
    folder : Path or str, optional
        Where they are, or are made; ``outputs/NAME`` unless given.
    """
    folder = Path("outputs") / name if folder is None else Path(folder)
    study = load_study(
        packaged_file("analyses", f"{name}.yaml"), {"folder": str(folder), **(overrides or {})}
    )
    say(f"No results were given: a study of small SIMULATED subjects is made in {folder} (a minute or two).")
    return run_study(study, say=say, with_figures=False)
