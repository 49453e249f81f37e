"""The command that makes a store of neural activity, or of single-trial betas, of a store of BOLD."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tempgen.cli.options import AnalysisFile, Assignments, Jobs, Overwrite, load

if TYPE_CHECKING:
    import xarray as xr


def deconvolve(
    file: AnalysisFile = None,
    store: Annotated[
        Path | None,
        typer.Option("--store", help="A store of BOLD, instead of an analysis.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The store to write (with --store).", show_default=False)
    ] = None,
    runs: Annotated[
        str | None,
        typer.Option(
            "--training-runs",
            help="Runs to learn HRFs and noise from, from 0, e.g. 0..29 (with --store); default: all.",
            show_default=False,
            metavar="RUNS",
        ),
    ] = None,
    hrf: Annotated[
        str | None,
        typer.Option(
            "--hrf", help="library, canonical or a file of HRFs; default: library.", show_default=False
        ),
    ] = None,
    duration: Annotated[
        str | None,
        typer.Option(
            "--duration",
            help="Assumed seconds of activity, or estimated; default: as long as the images.",
            show_default=False,
            metavar="SECONDS",
        ),
    ] = None,
    betas: Annotated[
        str | None,
        typer.Option(
            "--betas",
            help="Single-trial betas instead: lsa, lss or ridge.",
            show_default=False,
            metavar="METHOD",
        ),
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option("--figure", help="Where to draw the HRFs' times to peak.", show_default=False),
    ] = None,
    assignments: Assignments = None,
    jobs: Jobs = None,
    overwrite: Overwrite = False,
) -> None:
    """Estimate each voxel's HRF and deconvolve the BOLD: store in, store out.

    Of an analysis, HRFs and noise come from the runs without test trials, and training and evaluation use the new store if
    signal.kind says so in its file. Times to peak, their standard errors and the noise are told, and a caution where HRFs are not known
    well enough. Windows of deconvolved activity start at the onset: window.t0_s: 0.

    Example: tempgen deconvolve --store outputs/demo/store.zarr --out outputs/demo/deconvolved.zarr --training-runs 0..17
    """
    from tempgen.config.files import read_yaml
    from tempgen.errors import ConfigError

    given: dict[str, Any] = {
        "kind": "deconvolved" if betas is None else "betas",
        "hrf": hrf,
        "duration_s": None if duration is None else read_yaml(duration),
        "method": betas,
    }
    given = {key: value for key, value in given.items() if value is not None}
    if store is None:
        if out is not None or runs is not None:
            raise ConfigError(
                "--out and --training-runs go with --store; an analysis has a place and a split of its own."
            )
        made = _of_analysis(file, assignments, given, jobs=jobs, overwrite=overwrite)
    else:
        if out is None:
            raise ConfigError("--store needs --out, the store to write.")
        if file is not None or assignments:
            raise ConfigError("--store takes no analysis and no --set: use --hrf, --duration and --betas.")
        made = _of_store(store, out, runs, given, overwrite=overwrite)
    if figure is not None:
        from tempgen.plots.hrf import plot_hrf_choice

        drawn = plot_hrf_choice(made).get_figure(root=True)
        if drawn is not None:
            drawn.savefig(figure)
        typer.echo(f"drew {figure}")


def _of_analysis(
    file: Path | None,
    assignments: list[str] | None,
    given: dict[str, Any],
    *,
    jobs: int | None,
    overwrite: bool,
) -> xr.Dataset:
    """The store of an analysis' signal, with the settings that were given in the place of its file's."""
    from tempgen.workflow import prepare_recording

    as_written = load(file, assignments)
    if "method" not in given and as_written.signal.kind != "bold":
        given = {key: value for key, value in given.items() if key != "kind"}
    loaded = load(file, assignments, **{f"signal__{key}": value for key, value in given.items()})
    return prepare_recording(loaded, say=typer.echo, n_jobs=jobs, overwrite=overwrite)


def _of_store(
    store: Path, out: Path, runs: str | None, given: dict[str, Any], *, overwrite: bool
) -> xr.Dataset:
    """The store that is made of another one, at ``out``."""
    from tempgen.config import validate
    from tempgen.config.signal import SignalConfig
    from tempgen.data.store import open_store
    from tempgen.errors import ConfigError
    from tempgen.windows import parse_deltas
    from tempgen.workflow.signal import make_signal_store

    if store.resolve().is_relative_to(out.resolve()) or out.resolve().is_relative_to(store.resolve()):
        raise ConfigError(f"--out {out} would take the place of {store}, or lie in it: choose another place.")
    if out.exists() and not overwrite:
        raise ConfigError(f"{out} exists: choose another place, or --overwrite.")
    opened = open_store(store)
    chosen = list(range(opened.sizes["run"])) if runs is None else list(parse_deltas(runs))
    if runs is None:
        typer.echo(
            "HRFs and noise from all runs: name those without test trials (--training-runs) to keep them apart"
        )
    config = validate(SignalConfig, given, origin="the signal (--hrf, --duration, --betas)")
    return make_signal_store(opened, out, config, chosen, say=typer.echo)
