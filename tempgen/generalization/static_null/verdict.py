"""Static, dynamic or undecided: by each method, and by all together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
import xarray as xr

__all__ = ["Finding", "judge_deconvolved", "judge_null", "judge_raw", "judge_separability", "judge_together"]

Word = Literal["static", "dynamic", "undecided"]


class Finding(NamedTuple):
    """What a method says.

    Attributes
    ----------
    verdict : str
        ``"static"``, ``"dynamic"`` or ``"undecided"``.
    reason : str
    statistic, low, high : float
        What was judged; NaN where there is none.
    p : float
        NaN of a method without a test.
    """

    verdict: Word
    reason: str
    statistic: float = np.nan
    low: float = np.nan
    high: float = np.nan
    p: float = np.nan


def judge_raw(index: xr.Dataset, *, static_below: float) -> Finding:
    """An index of BOLD: low ones speak for a static code, high ones for nothing.

    Parameters
    ----------
    index : Dataset
        From `tempgen.generalization.summaries.dynamics_index`, of BOLD.
    """
    value, low, high = (float(index[name]) for name in ("dynamics", "dynamics_low", "dynamics_high"))
    if not np.isfinite(value):
        return Finding("undecided", str(index.attrs["reason"]))
    if value <= static_below:
        return Finding("static", f"index {value:.2f}, overlap would only raise it", value, low, high)
    why = f"index {value:.2f}: overlap and differing HRFs alone can make it so high"
    return Finding("undecided", why, value, low, high)


def judge_deconvolved(
    index: xr.Dataset,
    *,
    static_below: float,
    dynamic_above: float,
    hrf_error_s: float | None,
    known_s: float,
    caution: str = "",
) -> Finding:
    """An index of deconvolved BOLD, if the HRFs are known.

    Parameters
    ----------
    index : Dataset
        From `tempgen.generalization.summaries.dynamics_index`, of deconvolved BOLD.
    hrf_error_s : float or None
        Standard error of the times to peak, median over voxels; None: HRFs were given.
    known_s : float
        Up to which a static code stays static.
    caution : str
        What else is wrong with the HRFs; then no code counts as dynamic.
    """
    value, low, high = (float(index[name]) for name in ("dynamics", "dynamics_low", "dynamics_high"))
    if not np.isfinite(value):
        return Finding("undecided", str(index.attrs["reason"]))
    if value <= static_below:
        # a wrong HRF makes a static code look dynamic, not the reverse
        return Finding("static", f"index {value:.2f}, not above {static_below:g}", value, low, high)
    if hrf_error_s is not None and hrf_error_s > known_s:
        why = f"index {value:.2f}, but HRFs are known to {hrf_error_s:.2f} s only, {known_s:g} s is needed"
        return Finding("undecided", why, value, low, high)
    if value >= dynamic_above and caution:
        return Finding("undecided", f"index {value:.2f}, but {caution}", value, low, high)
    if value >= dynamic_above:
        return Finding("dynamic", f"index {value:.2f}, not below {dynamic_above:g}", value, low, high)
    return Finding(
        "undecided", f"index {value:.2f}, between {static_below:g} and {dynamic_above:g}", value, low, high
    )


def judge_null(null: xr.Dataset, *, alpha: float, negligible: float) -> Finding:
    """The observed index beside that of a static code.

    Static: the index exceeds the null's mean by less than ``negligible``, with confidence 1 - alpha. Dynamic: p <= alpha and not
    that. Else undecided.

    Parameters
    ----------
    null : Dataset
        From `static_null`.
    """
    if null.attrs["reason"]:
        return Finding("undecided", str(null.attrs["reason"]))
    drawn = null["null"].to_numpy()
    excess = float(null["observed"]) - drawn.mean()
    below, above = (float(np.quantile(drawn, q)) - float(drawn.mean()) for q in (alpha, 1 - alpha))
    p = float(null["p"])
    numbers = (excess, excess - above, excess - below, p)
    said = f"index {float(null['observed']):.2f}, static codes give {drawn.mean():.2f}"
    if excess - below < negligible:
        return Finding("static", f"{said}: {excess - below:.2f} more at most, p = {p:.2g}", *numbers)
    if p <= alpha:
        return Finding("dynamic", f"{said}, p = {p:.2g}", *numbers)
    return Finding("undecided", f"{said}, p = {p:.2g}: more runs or better features would tell", *numbers)


def judge_separability(tested: xr.Dataset, roi: str = "all") -> Finding:
    """What `tempgen.generalization.separability.separability_test` found in a region."""
    of_roi = tested.sel(roi=roi)
    names = ("relative_gain", "relative_gain_low", "relative_gain_high", "p_mean_gain")
    verdict: Word = str(of_roi["verdict"].item())  # type: ignore[assignment]
    return Finding(verdict, str(of_roi["reason"].item()), *(float(of_roi[name]) for name in names))


def judge_together(findings: Mapping[str, Finding]) -> Finding:
    """Of the methods that can tell; where they contradict each other nothing is decided.

    Parameters
    ----------
    findings : mapping of method to Finding
        The raw index, which cannot tell, is left out.
    """
    told = {
        name: one.verdict for name, one in findings.items() if name != "raw" and one.verdict != "undecided"
    }
    if not told:
        return Finding("undecided", "no method could tell")
    if len(set(told.values())) > 1:
        said = ", ".join(f"{name} says {word}" for name, word in told.items())
        return Finding("undecided", f"the methods disagree: {said}")
    agreed = f"{', '.join(told)} agree" if len(told) > 1 else f"{next(iter(told))} says so"
    silent = [name for name in findings if name != "raw" and name not in told]
    cannot = f"; {', '.join(silent)} cannot tell" if silent else ""
    return Finding(next(iter(told.values())), agreed + cannot)
