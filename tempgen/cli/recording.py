"""The commands that make a recording's files: simulated subjects, and the store of a prepared recording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tempgen.cli.options import AnalysisFile, Assignments, Jobs, Overwrite, load


def simulate(
    out: Annotated[Path, typer.Argument(help="Folder that gets NSD's layout.")],
    subjects: Annotated[str, typer.Option(help="Which of NSD's eight: 1, 1,2 or 1..4.")] = "1",
    assignments: Assignments = None,
) -> None:
    """Write simulated subjects, with a known answer, in NSD's own layout.

    Example: tempgen simulate outputs/twins --subjects 1,2 --set code=static --set snr=0.5
    """
    from tempgen.config import validate
    from tempgen.config.files import parse_assignments
    from tempgen.config.simulation import SimulationConfig
    from tempgen.data.simulate import simulate_nsd
    from tempgen.windows import parse_deltas

    config = validate(SimulationConfig, parse_assignments(assignments or []), origin="the simulation (--set)")
    simulate_nsd(out, config, subjects=parse_deltas(subjects))
    typer.echo(f"SIMULATED subjects {subjects} with a {config.code} code: {out}")


def prepare(
    analysis: AnalysisFile = None,
    assignments: Assignments = None,
    jobs: Jobs = None,
    overwrite: Overwrite = False,
) -> None:
    """Clean and z-score a recording (NSD, BIDS or simulated) into a store.

    Example: tempgen prepare --set data.source=bids --set data.path=ds000105 --set data.subject=1
    """
    from tempgen.workflow import prepare_recording

    loaded = load(analysis, assignments)
    prepare_recording(loaded, say=typer.echo, n_jobs=jobs, overwrite=overwrite, recheck=True)
