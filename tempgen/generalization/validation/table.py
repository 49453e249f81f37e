"""A calibration as tables to read and to print in the documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import xarray as xr

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["calibration_tables", "markdown_table"]


def calibration_tables(summary: xr.Dataset) -> dict[str, pd.DataFrame]:
    """The three things that a calibration says.

    Parameters
    ----------
    summary : Dataset
        From `calibrate`, with a dimension ``condition``, a coordinate ``snr`` along it and the attribute ``alpha``.

    Returns
    -------
    dict of str to DataFrame
        ``"rejection"``: a row for each condition, test, decoder and metric, with ``rate``, ``low``, ``high``, ``n`` and, without
        signal (and before onset) alone, ``contains_alpha``, which is None elsewhere. ``"coverage"``: of each interval, mean over
        lags. ``"latency"``: ``true_s``, ``bias_s`` with its interval, ``rmse_s``, ``found`` and ``coverage`` of each latency. Rows that
        rest on nothing are left out.
    """
    alpha = float(summary.attrs["alpha"])
    rejection = _frame(
        summary, {"rejection": "rate", "rejection_low": "low", "rejection_high": "high", "rejection_n": "n"}
    )
    null = (rejection["snr"] == 0) | (rejection["test"] == "cluster_before_onset")
    contains = (rejection["low"] <= alpha) & (alpha <= rejection["high"])
    rejection["contains_alpha"] = contains.astype(object).where(null, None)
    coverage = _frame(
        summary,
        {
            "mean_coverage": "coverage",
            "mean_coverage_low": "low",
            "mean_coverage_high": "high",
            "mean_coverage_n": "n",
        },
    )
    latency = _frame(
        summary,
        {
            "latency_true_mean_s": "true_s",
            "latency_bias_s": "bias_s",
            "latency_bias_s_low": "bias_low_s",
            "latency_bias_s_high": "bias_high_s",
            "latency_rmse_s": "rmse_s",
            "latency_found": "found",
            "latency_coverage": "coverage",
            "latency_bias_s_n": "n",
        },
    )
    return {"rejection": rejection, "coverage": coverage, "latency": latency}


def _frame(summary: xr.Dataset, columns: dict[str, str]) -> pd.DataFrame:
    chosen = summary[list(columns)].rename(columns)
    if "test_delta" in chosen.coords:
        chosen = chosen.drop_vars(["test_delta", "lag_s"], errors="ignore")
    frame = chosen.to_dataframe().reset_index()
    frame = frame[frame["n"] > 0].reset_index(drop=True)
    frame["n"] = frame["n"].astype(int)
    return frame


def markdown_table(frame: pd.DataFrame, *, digits: int = 3) -> str:
    """A table in Markdown, numbers rounded.

    Examples
    --------
    >>> import pandas as pd
    >>> print(markdown_table(pd.DataFrame({"test": ["cluster"], "rate": [0.04567]})))
    | test | rate |
    | --- | --- |
    | cluster | 0.046 |
    """

    def told(value: object) -> str:
        if value is None or value != value:
            return ""
        return f"{value:.{digits}f}" if isinstance(value, float) else str(value)

    lines = [
        "| " + " | ".join(map(str, frame.columns)) + " |",
        "| " + " | ".join("---" for _ in frame) + " |",
    ]
    lines += ["| " + " | ".join(map(told, row)) + " |" for row in frame.itertuples(index=False)]
    return "\n".join(lines)
