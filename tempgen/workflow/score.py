"""Score reconstructions that are there: a store that ``tempgen reconstruct`` kept, or anybody's folder of image pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from tempgen.errors import ConfigError, ResultsError
from tempgen.metrics import Comparison
from tempgen.metrics.feature_cache import FeatureCache
from tempgen.workflow.recording import Say
from tempgen.workflow.scored_pairs import score_pairs
from tempgen.workflow.scored_store import score_store
from tempgen.workflow.suites import ScoringOptions

SUFFIXES = (".nc", ".zarr")


def score_reconstructions(
    reconstructions: Path | str,
    *,
    suite: str | None = None,
    seen: Path | str | None = None,
    metrics: Sequence[str] | None = None,
    identification: Comparison | None = None,
    segmentation: str | None = None,
    out: Path | str | None = None,
    device: str | None = None,
    feature_cache: Path | str | None = None,
    say: Say = print,
    overwrite: bool = False,
) -> xr.Dataset:
    """Score a store of reconstructions, or a folder of image pairs, by the metrics of ``tempgen evaluate``.

    Images of a store count as its bytes say: `evaluate` scores them before they are rounded to bytes, which changes PixCorr
    and SSIM of a trial by less than 0.005 and their means by less than 0.0002 (measured on ridge to pixels, whose
    reconstructions are pale; tested). Reconstructions of a store are identified among the seen images that it holds, those of
    its trials and of their neighbours; where all test trials were kept these are the images that `evaluate` uses.

    Parameters
    ----------
    reconstructions : Path or str
        A store (zarr) of ``tempgen reconstruct`` or the folder of an analysis that has one; a folder that holds
        ``seen/NAME.png`` and ``reconstructed/NAME.png`` (or other formats); a folder of reconstructions, with ``seen``.
    suite : str, optional
        By default ``scenes`` for the reconstructions of a simulated subject, ``pixels`` for others.
    seen : Path or str, optional
        Folder of the seen images, of the same names as the reconstructions.
    metrics : sequence of str, optional
        Of the suite, or registered; by default all of the suite.
    identification : {"reconstruction-to-seen", "seen-to-reconstruction"}, optional
        By default the suite's.
    segmentation : str, optional
        Another ADE20K segmentation model for mIoU, ``REPOSITORY@COMMIT`` or a folder; by default the suite's.
    out : Path or str, optional
        Where to write the scores, whole or not at all: ``.nc``, for a store also ``.zarr``. Scores that are there are kept
        if they were made of the same images in the same way. Of a store, a stopped command goes on with the cells that are
        missing. Nothing is written unless given.
    device : str, optional
        Of networks; by default a GPU where there is one.
    feature_cache : Path or str, optional
        Folder that keeps features, see `tempgen.metrics.feature_cache`.
    overwrite : bool
        Replace other scores at ``out``.

    Returns
    -------
    xarray.Dataset
        Of a store: a result as of `evaluate` (see :mod:`tempgen.results`). Of pairs: METRIC (trial) and METRIC_chance for
        each metric, ``name`` and ``image_id`` of each pair.

    Raises
    ------
    SourceDataError
        If files are missing, unpaired or no images that can be compared.
    ResultsError
        If the store is unfinished or lacks what a result needs.
    MetricError
        If a suite or metric is unknown, a network cannot be opened, or images do not suit a metric.
    ConfigError
        If ``out`` holds something else, or has another suffix.
    """
    path, out = Path(reconstructions), None if out is None else Path(out)
    is_store = _is_store(path)
    if is_store and seen is not None:
        raise ConfigError(f"{path} is a store and holds its seen images: leave out --seen.")
    if not path.exists():
        raise ResultsError(
            f"There is no {path}: name a store of 'tempgen reconstruct' or a folder of image pairs."
        )
    allowed = SUFFIXES if is_store else SUFFIXES[:1]
    if out is not None and out.suffix not in allowed:
        raise ConfigError(
            f"Scores of {path} cannot be written to {out}: its name has to end in {' or '.join(allowed)}."
        )
    options = ScoringOptions(
        suite=suite,
        metrics=metrics,
        identification=identification,
        segmentation=segmentation,
        device=device,
        cache=None if feature_cache is None else FeatureCache(feature_cache),
        out=out,
        overwrite=overwrite,
        say=say,
    )
    if is_store:
        return score_store(path, options=options)
    return score_pairs(path, seen=None if seen is None else Path(seen), options=options)


def _is_store(path: Path) -> bool:
    """Whether this is a store of reconstructions, finished or not, or an analysis that has one."""
    inside = path / "reconstructions.zarr"
    return path.suffix == ".zarr" or any(
        there.exists() for there in (path / "zarr.json", inside, inside.with_name(inside.name + ".partial"))
    )
