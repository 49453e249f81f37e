"""Scores of a folder of image pairs: one number a metric and pair, with its chance level."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from tempgen._version import __version__
from tempgen.data.image_pairs import ImagePairs, find_image_pairs, read_image_pairs
from tempgen.errors import ResultsError
from tempgen.files import whole_file
from tempgen.metrics import Suite
from tempgen.metrics.resizing import resize_images
from tempgen.workflow.places import is_done
from tempgen.workflow.recording import Say
from tempgen.workflow.suites import (
    ScoringOptions,
    score_line,
    suite_attrs,
    suite_recipe,
)

PAIR_SCORES_FORMAT = 1
"""Changes when older scores of pairs can no longer be read."""


def score_pairs(folder: Path, *, seen: Path | None, options: ScoringOptions) -> xr.Dataset:
    """Score pairs; parameters, result and errors as of `tempgen.workflow.score_reconstructions`."""
    out, say = options.out, options.say
    chosen = options.suite_for("images")
    own_sizes = all(metric.image_size is not None for metric in chosen.metrics)
    pairs = read_image_pairs(find_image_pairs(folder, seen=seen), fit=_fit(chosen), folders_differ=own_sizes)
    recipe = {"pairs": pairs.fingerprint, "scoring": suite_recipe(chosen)}
    if out is not None and out.exists():
        there = _open(out)
        if is_done(
            json.loads(there.attrs["recipe"]),
            recipe,
            what=out,
            overwrite=options.overwrite,
            remake="tempgen score",
        ):
            say(f"{out} is done")
            _say_scores(there, chosen, say)
            return there
    say(f"{folder}: {len(pairs.names)} pairs of {len(pairs.seen)} distinct seen images, suite {chosen.name}")
    images = options.beside(pairs.seen, chosen)
    scores = images.score(pairs.reconstructed, target_images={"seen": pairs.image_of})
    variables: dict[str, Any] = {}
    for metric in images.metrics:
        variables[metric.name] = ("trial", scores.score[metric.name][0], metric.attrs())
        chance = {"long_name": f"{metric.long_name} with images of other pairs", "units": "1"}
        variables[f"{metric.name}_chance"] = ((), np.float32(scores.chance[metric.name]), chance)
    result = xr.Dataset(
        variables,
        coords={
            "name": ("trial", np.array(pairs.names, dtype=object)),
            "image_id": ("trial", pairs.image_of, {"long_name": "distinct seen images, from 0"}),
        },
        attrs=_attrs(folder, seen, pairs, chosen)
        | {"recipe": json.dumps(recipe, sort_keys=True), "metrics": ",".join(chosen.metric_names)},
    )
    _say_scores(result, chosen, say)
    if out is not None:
        with whole_file(out) as temporary:
            result.to_netcdf(temporary, engine="h5netcdf")
        say(f"wrote {out}")
    return result


def _fit(suite: Suite) -> Any:
    """The suite's own resize, so that images of any size can be held together; None where it has none."""
    size = suite.image_size
    if size is None:
        return None
    return lambda images: resize_images(images, size, antialias=suite.antialias)


def _attrs(folder: Path, seen: Path | None, pairs: ImagePairs, suite: Suite) -> dict[str, Any]:
    attrs = suite_attrs(suite, image_size=pairs.seen.shape[1])
    return {
        "title": f"tempgen: {folder.resolve().name}",
        "pair_scores_format": PAIR_SCORES_FORMAT,
        "tempgen_version": __version__,
        "reconstructions": str(folder),
        **({"seen": str(seen)} if seen is not None else {}),
        "n_pairs": len(pairs.names),
        "n_images": len(pairs.seen),
        **attrs,
        "size_before_resize": ", ".join(pairs.source_sizes),
    }


def _open(path: Path) -> xr.Dataset:
    try:
        scores = xr.load_dataset(path, engine="h5netcdf")
    except (OSError, ValueError, KeyError) as error:
        raise ResultsError(
            f"{path} is in the way and holds no scores of pairs ({error}): choose another name."
        ) from error
    if scores.attrs.get("pair_scores_format") != PAIR_SCORES_FORMAT:
        raise ResultsError(
            f"{path} is in the way and holds no scores of pairs that this version reads: choose another name."
        )
    return scores


def _say_scores(scores: xr.Dataset, suite: Suite, say: Say) -> None:
    for name in suite.metric_names:
        say("  " + score_line(scores[name], chance=float(scores[f"{name}_chance"])))
