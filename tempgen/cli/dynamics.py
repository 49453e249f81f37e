"""The command that asks whether a code changes with time, or haemodynamic responses overlap."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tempgen.cli.options import AnalysisFile, Assignments, Overwrite, load

_PREFIX = "dynamics."


def dynamics(
    analysis: Annotated[
        Path | None, typer.Argument(help="Analysis file; default: tempgen.yaml.", show_default=False)
    ] = None,
    file: AnalysisFile = None,
    assignments: Assignments = None,
    overwrite: Overwrite = False,
) -> None:
    """Dynamic code or overlap of responses? Four methods on one recording, a verdict of each and of all.

    The matrix of BOLD, which cannot tell; that of deconvolved BOLD, if the HRFs are known; separability and the static null, which
    need no HRF. Linear decoders of image features at single volumes, each method's dataset in the folder dynamics below the
    analysis' own. Stopped and started again, it goes on where it was.

    --set takes the keys of the analysis, and those of the methods below dynamics: -s dynamics.n_surrogates=199,
    -s dynamics.features=clip.csv.

    Example: tempgen dynamics analyses/dynamic_or_overlap.yaml
    """
    from tempgen.config import validate
    from tempgen.config.dynamics import DynamicsConfig
    from tempgen.config.files import parse_assignments, set_dotted
    from tempgen.workflow.dynamics import run_dynamics

    of_rules = [text for text in assignments or [] if text.strip().startswith(_PREFIX)]
    loaded = load(analysis or file, [text for text in assignments or [] if text not in of_rules])
    given: dict[str, Any] = {}
    for key, value in parse_assignments(of_rules).items():
        set_dotted(given, key.removeprefix(_PREFIX), value)
    rules = validate(DynamicsConfig, given, origin="dynamics (--set)")
    run_dynamics(loaded, rules, say=typer.echo, overwrite=overwrite)
