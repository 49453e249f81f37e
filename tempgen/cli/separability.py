"""The command that tells a code that changes with latency from one whose HRFs differ."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tempgen.cli.options import AnalysisFile, Assignments, Overwrite, load

_PREFIX = "separability."


def separability(
    analysis: Annotated[
        Path | None, typer.Argument(help="Analysis file; default: tempgen.yaml.", show_default=False)
    ] = None,
    file: AnalysisFile = None,
    store: Annotated[
        Path | None, typer.Option(help="A store, instead of an analysis.", show_default=False)
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(help="pixels, tokens, truth, or a .csv, .npz or .npy file.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The .nc file to write; default: separability.nc of the analysis.", show_default=False
        ),
    ] = None,
    assignments: Assignments = None,
    overwrite: Overwrite = False,
) -> None:
    """Test, without knowing any HRF, whether voxels' responses are a time course times a tuning.

    A static code makes them so, whatever the HRFs; one that changes with latency does not. Prints a verdict for each region:
    dynamic, static or undecided. The store must be prepared.

    --set takes the keys of the analysis, and those of the test below separability: -s separability.n_components=40,
    -s separability.n_bootstrap=999.

    Example: tempgen separability --store outputs/demo/store.zarr --features pixels --out separability.nc
    """
    from tempgen.config import validate
    from tempgen.config.files import parse_assignments, set_dotted
    from tempgen.config.separability import SeparabilityConfig
    from tempgen.errors import ConfigError
    from tempgen.workflow.separability import run_separability

    of_test = [text for text in assignments or [] if text.strip().startswith(_PREFIX)]
    others = [text for text in assignments or [] if text not in of_test]
    given: dict[str, Any] = {} if features is None else {"features": features}
    for key, value in parse_assignments(of_test).items():
        set_dotted(given, key.removeprefix(_PREFIX), value)
    config = validate(SeparabilityConfig, given, origin="the separability test (--features, --set)")
    if store is not None and (analysis or file or others):
        raise ConfigError("--store takes the place of an analysis: give one or the other.")
    source = store if store is not None else load(analysis or file, others)
    run_separability(source, config, out=out, say=typer.echo, overwrite=overwrite)
