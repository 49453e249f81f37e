"""A result in a line for each metric, for the terminal."""

from __future__ import annotations

import xarray as xr

from tempgen.results import metrics_of


def headline(results: xr.Dataset) -> list[str]:
    """Where General and Specialized decoders are furthest above chance, with the score and the chance level there.

    Parameters
    ----------
    results : Dataset
        See :mod:`tempgen.results`.

    Returns
    -------
    list of str
        One line a metric: ``"pixcorr: General peaks at delta 0 (0.53, chance 0.20), Specialized at delta 2 (0.55, ...)"``.
    """
    general_delta = int(results.attrs.get("general_delta", 0))
    targets = [str(name) for name in results["target"].to_numpy()]
    target = "current" if "current" in targets else targets[0]
    lines = []
    for metric in metrics_of(results):
        mean = results[metric].sel(target=target).mean("trial")
        chance = results[f"{metric}_chance"]
        own_lag = mean.train_delta == mean.test_delta
        peaks = {
            "General": mean.where(mean.train_delta == general_delta),
            "Specialized": mean.where(own_lag),
        }
        sign = -1 if results[metric].attrs.get("direction") == "lower is better" else 1
        described = [
            f"{name} peaks at {_peak(scores, chance, sign)}"
            for name, scores in peaks.items()
            if scores.notnull().any()
        ]
        if described:
            of_target = "" if target == "current" else f" ({target} image)"
            lines.append(f"{metric}{of_target}: {', '.join(described)}")
    return lines


def _peak(scores: xr.DataArray, chance: xr.DataArray, sign: int) -> str:
    # better than chance, not as it stands: a decoder that found nothing draws the mean image, which scores well by itself
    best = (sign * (scores - chance)).argmax(["train_delta", "test_delta"])
    at = {dim: int(scores[dim][position]) for dim, position in best.items()}
    return f"delta {at['test_delta']} ({float(scores.isel(best)):.3f}, chance {float(chance.sel(at)):.3f})"
