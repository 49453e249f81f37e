"""Options of the commands that train and evaluate: where their tasks run, and what each of them gets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

Launcher = Annotated[
    str | None,
    typer.Option(
        "--launcher",
        help="Where tasks run: local (this process), processes (of this machine) or slurm; default: local.",
        show_default=False,
        metavar="NAME",
    ),
]
Resources = Annotated[
    list[str] | None,
    typer.Option(
        "--resources",
        "-r",
        help="What a task gets: a YAML file, or gpus=1, cpus=4, memory_gb=16, minutes=90, partition=long, max_at_once=8...",
        show_default=False,
        metavar="FILE|KEY=VALUE",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print which tasks would run, and why; run none.")]


def launch(
    analyses: Sequence[Any],
    launcher: str | None,
    resources: list[str] | None,
    *,
    dry_run: bool,
    overwrite: bool,
    **tasks: Any,
) -> bool:
    """Run analyses as a sweep if the options ask for one; ``tasks`` are options of `sweep_analyses`.

    Returns
    -------
    bool
        Whether the command goes on in this process: to do the work, or to finish what the sweep has done.
    """
    from tempgen.config.launcher import load_launcher

    config = load_launcher(launcher, resources or [])
    if dry_run:
        from tempgen.workflow.sweep import describe_sweep

        typer.echo(describe_sweep(analyses, config, **tasks))
        return False
    if config.launcher == "local":
        return True
    from tempgen.workflow.sweep import sweep_analyses

    return sweep_analyses(analyses, config, say=typer.echo, overwrite=overwrite, **tasks)
