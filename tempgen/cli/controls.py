"""The command that asks whether something else than the image explains an analysis' scores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tempgen.cli.options import AnalysisFile, Assignments, Overwrite, load

_PREFIX = "controls."


def controls(
    analysis: Annotated[
        Path | None, typer.Argument(help="Analysis file; default: tempgen.yaml.", show_default=False)
    ] = None,
    file: AnalysisFile = None,
    only: Annotated[
        str | None,
        typer.Option(
            help="Some of them, joined by commas, e.g. motion,repetition; default: all.",
            show_default=False,
            metavar="NAMES",
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            help="Metric that is judged; default: identification, else the first.", show_default=False
        ),
    ] = None,
    assignments: Assignments = None,
    overwrite: Overwrite = False,
) -> None:
    """Run the controls of an analysis: one line, with a verdict, for each.

    Each trains and scores a small change of the analysis in a folder of its own below the analysis' and on its store. Stopped
    and started again, it goes on where it was.

    --set takes the keys of the analysis, and those of the controls below controls: -s controls.tolerance=0.25,
    -s "controls.rois.early=streams == 1".

    Example: tempgen controls analyses/controls.yaml --only motion,before_onset
    """
    from tempgen.config import validate
    from tempgen.config.controls import ControlsConfig
    from tempgen.config.files import parse_assignments, set_dotted
    from tempgen.workflow.controls import run_controls

    of_rules = [text for text in assignments or [] if text.strip().startswith(_PREFIX)]
    loaded = load(analysis or file, [text for text in assignments or [] if text not in of_rules])
    given: dict[str, Any] = {}
    for key, value in parse_assignments(of_rules).items():
        set_dotted(given, key.removeprefix(_PREFIX), value)
    if only is not None:
        given["only"] = tuple(name.strip() for name in only.split(","))
    if metric is not None:
        given["metric"] = metric
    rules = validate(ControlsConfig, given, origin="the controls (--only, --metric, --set)")
    run_controls(loaded, rules, say=typer.echo, overwrite=overwrite)
