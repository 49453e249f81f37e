"""Run the controls of an analysis: derive, train and score the variants that they need, and judge them.

Folders below the analysis' own::

    controls/NAME/            decoders and results of a variant, made once and kept
    controls.json             the verdicts, written whole when all controls are through
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import xarray as xr
from tqdm.auto import tqdm

from tempgen._version import __version__
from tempgen.config import Analysis, load_analysis, validate
from tempgen.config.controls import ControlsConfig
from tempgen.config.files import packaged_file
from tempgen.errors import ResultsError
from tempgen.files import whole_file
from tempgen.generalization.controls import Verdict, metric_of_verdicts, verdict_dataset
from tempgen.workflow.control_steps import ControlRunner, judged
from tempgen.workflow.control_variants import Variants
from tempgen.workflow.recording import Say, prepare_recording

FILE = "controls.json"


def run_controls(
    analysis: Analysis,
    rules: ControlsConfig | None = None,
    *,
    store: xr.Dataset | None = None,
    say: Say = print,
    overwrite: bool = False,
) -> xr.Dataset:
    """Run the controls of an analysis and write their verdicts; variants that are there are kept.

    Parameters
    ----------
    analysis : Analysis
    rules : ControlsConfig, optional
        Which controls, and how they are judged.
    store : Dataset, optional
        The analysis' store; prepared if None.
    overwrite : bool
        Make again what another analysis made in the same folders.

    Returns
    -------
    Dataset, dims (control,)
        See :func:`tempgen.generalization.controls.verdict_dataset`.
    """
    rules = rules or ControlsConfig()
    given = store is not None
    if store is None:
        store = prepare_recording(analysis, say=say, overwrite=overwrite)
    runner = ControlRunner(Variants(analysis, store, rules), store_is_given=given, overwrite=overwrite)
    verdicts: list[Verdict] = []
    for name in tqdm(rules.names, desc="controls", unit="control", disable=None):
        for verdict in judged(runner, name):
            verdicts.append(verdict)
            say(verdict.line())
    home = runner.home
    attrs = {
        "title": f"tempgen: controls of {analysis.name}",
        "tempgen_version": __version__,
        "subject": str(store.attrs["subject"]),
        "data_kind": str(store.attrs["data_kind"]),
        "metric": metric_of_verdicts(home, rules),
        "long_name": str(home[metric_of_verdicts(home, rules)].attrs.get("long_name", "")),
        "rules": rules.model_dump_json(),
    }
    path = analysis.output_folder / FILE
    with whole_file(path) as temporary:
        content = {
            **attrs,
            "rules": json.loads(attrs["rules"]),
            "verdicts": [one.plain() for one in verdicts],
        }
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    say(f"{path}: {', '.join(_counted(verdicts))}")
    return verdict_dataset(verdicts, attrs)


def open_controls(path: Path | str) -> xr.Dataset:
    """Verdicts that :func:`run_controls` wrote.

    Parameters
    ----------
    path : Path or str
        ``controls.json`` or the folder of an analysis.

    Raises
    ------
    ResultsError
        If there are none, or the file is not of this kind.
    """
    path = Path(path)
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise ResultsError(f"There are no verdicts {path}: make them with 'tempgen controls'.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        verdicts = [Verdict.from_plain(one) for one in content.pop("verdicts")]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ResultsError(f"{path} holds no verdicts of tempgen ({error}).") from error
    return verdict_dataset(verdicts, content | {"rules": json.dumps(content["rules"])})


def example_controls(
    folder: Path | str | None = None, *, only: Sequence[str] = (), say: Say = print
) -> xr.Dataset:
    """Verdicts on a simulated subject, made within minutes if they are not there.

    For the notebook, which wants something to show: simulated data, and named so.

    Parameters
    ----------
    folder : Path or str, optional
        Where they are, or are made; ``outputs/controls`` unless given.
    only : sequence of str
        Names of controls; all if empty.
    """
    folder = Path("outputs") / "controls" if folder is None else Path(folder)
    analysis = load_analysis(packaged_file("analyses", "controls.yaml"), {"folder": str(folder)})
    rules = validate(ControlsConfig, {"only": tuple(only) or None}, origin="the controls")
    say(f"No verdicts were given: those of a SIMULATED subject are made in {folder} (minutes).")
    return run_controls(analysis, rules, say=say)


def _counted(verdicts: list[Verdict]) -> Iterator[str]:
    for word in ("passed", "failed", "not decided"):
        yield f"{sum(one.verdict == word for one in verdicts)} {word}"
