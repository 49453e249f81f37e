"""What a control says: a verdict, and the rules by which an interval becomes one.

Two kinds of effects are judged, each with three outcomes:

- one that should be **absent** (motion, windows before onset): *failed* if it is above 0, *passed* if it is not and the
  interval ends below ``tolerance`` times the decoder's own effect, or below ``negligible`` times it in any case; *not
  decided* if the interval is too wide to say;
- one that should be **present** (each region, trials after a blank): *passed* if it is above 0 and not negligible,
  *failed* if it is negligible, or is not above 0 and the interval ends below ``tolerance`` times the effect that it is
  compared with, *not decided* between.

That an effect is not significant is thus never taken for its absence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tempgen.config.controls import ControlsConfig

__all__ = ["Estimate", "Verdict", "VerdictWord", "judge_absence", "judge_presence", "undecided"]

VerdictWord = Literal["passed", "failed", "not decided"]


@dataclass(frozen=True)
class Estimate:
    """A mean over trials with its bootstrap interval.

    Attributes
    ----------
    mean, low, high : float
        In units of the metric, above chance, signed so that better is larger; NaN where there is too little to say.
    n_trials, n_units : int
        Trials in the mean, and units (images, runs) that were drawn.
    level : float
        Of the interval.
    """

    mean: float
    low: float
    high: float
    n_trials: int
    n_units: int
    level: float

    @property
    def is_known(self) -> bool:
        """Whether mean and interval are there."""
        return all(math.isfinite(value) for value in (self.mean, self.low, self.high))

    def __str__(self) -> str:
        """Mean and interval, for a sentence.

        Examples
        --------
        >>> print(Estimate(0.3114, 0.27, 0.35, 100, 80, 0.95))
        0.311 (95 % interval 0.270 to 0.350)
        """
        if not math.isfinite(self.mean):
            return "unknown (no trial was scored)"
        if not self.is_known:
            return f"{self.mean:.3f} (no interval over {self.n_units} unit)"
        return f"{self.mean:.3f} ({100 * self.level:g} % interval {self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class Verdict:
    """The outcome of one control.

    Attributes
    ----------
    name : str
        ``"motion"``, ``"rois:early"``.
    question : str
        What it asks.
    verdict : {"passed", "failed", "not decided"}
    statement : str
        The answer in one sentence with numbers.
    statistic, low, high : float
        What was judged, with its interval; NaN where there is none.
    p : float
        Of a test, where one was made, else NaN.
    reference : float
        Effect that it was compared with, else NaN.
    n_trials, n_units : int
    """

    name: str
    question: str
    verdict: VerdictWord
    statement: str
    statistic: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    reference: float = math.nan
    n_trials: int = 0
    n_units: int = 0

    @classmethod
    def of(
        cls,
        name: str,
        question: str,
        verdict: VerdictWord,
        statement: str,
        estimate: Estimate,
        *,
        reference: Estimate | None = None,
        p: float = math.nan,
    ) -> Verdict:
        """A verdict on an estimate."""
        return cls(
            name,
            question,
            verdict,
            statement,
            statistic=estimate.mean,
            low=estimate.low,
            high=estimate.high,
            p=p,
            reference=math.nan if reference is None else reference.mean,
            n_trials=estimate.n_trials,
            n_units=estimate.n_units,
        )

    def line(self) -> str:
        """For the terminal."""
        return f"{self.verdict:11}  {self.name}: {self.statement}"

    def plain(self) -> dict[str, Any]:
        """Text and numbers, None for NaN, as JSON takes them."""
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in asdict(self).items()
        }

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Verdict:
        """The verdict of :meth:`plain`.

        Raises
        ------
        TypeError
            If a field is missing or unknown.
        """
        known: dict[str, Any] = {key: math.nan if value is None else value for key, value in values.items()}
        return cls(**known)


def undecided(name: str, question: str, reason: str) -> Verdict:
    """The verdict of a control that cannot be run on these data; ``reason`` is a sentence."""
    return Verdict(name, question, "not decided", reason)


def judge_absence(
    effect: Estimate, reference: Estimate, rules: ControlsConfig, *, p: float = math.nan
) -> VerdictWord:
    """Whether an effect is absent, beside that of the decoder itself.

    Parameters
    ----------
    effect, reference : Estimate
        Above chance.
    p : float
        Of a test of the effect against chance; it decides about "above 0" where it is given, else the interval does.
    """
    if not effect.is_known:
        return "not decided"
    if _is_small(effect, reference, rules.negligible):
        return "passed"
    if p <= rules.alpha if math.isfinite(p) else effect.low > 0:
        return "failed"
    return "passed" if _is_small(effect, reference, rules.tolerance) else "not decided"


def judge_presence(effect: Estimate, reference: Estimate, rules: ControlsConfig) -> VerdictWord:
    """Whether an effect is there, beside one that it is compared with."""
    if not effect.is_known:
        return "not decided"
    if _is_small(effect, reference, rules.negligible):
        return "failed"
    if effect.low > 0:
        return "passed"
    return "failed" if _is_small(effect, reference, rules.tolerance) else "not decided"


def _is_small(effect: Estimate, reference: Estimate, share: float) -> bool:
    """Whether an interval ends below a share of an effect that is itself above 0."""
    return reference.is_known and reference.low > 0 and effect.high <= share * reference.mean
