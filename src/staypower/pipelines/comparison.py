"""What was found when a challenger was measured beside the champion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from staypower.cutoffs import text_of
from staypower.errors import UsageError
from staypower.evaluation.resampling import Estimate

__all__ = ["DECISIVE", "LABELS", "Comparison", "problems_of", "not_compared"]

LABELS: Mapping[str, str] = {
    "log_loss": "log loss",
    "auroc": "AUROC",
    "average_precision": "average precision",
    "calibration_error": "calibration error",
}
"""The metrics that are compared, by name, and what they are called."""

DECISIVE = "log_loss"
"""The metric that decides: it judges the ranking and the probabilities at once, and cannot be won by luck at one cut."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two versions on the same rows.

    >>> not_compared("2", "1", "no later cutoffs").wins
    False
    """

    challenger: str  # versions
    champion: str  # versions
    obstacle: str = ""  # why they could not be compared, with what to do; empty when they were
    cutoffs: tuple[int, ...] = ()  # instants, later than anything that either has learned from
    rows: int = 0  # what they were compared on; `churned` counts rows
    accounts: int = 0  # what they were compared on; `churned` counts rows
    churned: int = 0  # what they were compared on; `churned` counts rows
    # for each metric that of the champion and that of the challenger
    values: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    # for each metric challenger minus champion, with the interval of a paired bootstrap over accounts
    differences: Mapping[str, Estimate] = field(default_factory=dict)
    too_little: str = ""  # what there is too little of for a decision; empty when there is enough

    @property
    def wins(self) -> bool:
        """Whether the challenger's log loss is lower by more than chance: the whole interval lies below 0."""
        if self.obstacle or self.too_little:
            return False
        found = self.differences[DECISIVE]
        return found.excludes(0.0) and found.value < 0

    @property
    def verdict(self) -> str:
        """What was found, in one sentence."""
        who, other = f"version {self.challenger}", f"the champion, version {self.champion}"
        if self.obstacle:
            return f"{who} was not compared with {other}: {self.obstacle}"
        if self.too_little:
            return f"{who} is not shown to be better than {other}: {self.too_little}"
        found = self.differences[DECISIVE]
        told = f"log loss {found.value:+.4f} ({found.low:+.4f} to {found.high:+.4f}) on later cutoffs"
        if self.wins:
            return f"{who} is better than {other}: {told}"
        if found.excludes(0.0):
            return f"{who} is worse than {other}: {told}"
        return f"{who} is not shown to be better than {other}: {told}, and the interval holds 0"

    @property
    def outlook(self) -> str:
        """What `staypower models promote` would do now."""
        command = f"`staypower models promote {self.challenger}`"
        return f"{command} would make it the champion" if self.wins else f"{command} would refuse it"

    def frame(self) -> pd.DataFrame:
        """Return one row a metric: champion, challenger, and the difference with its interval."""
        rows = [
            {
                "metric": name,
                "champion": self.values[name][0],
                "challenger": self.values[name][1],
                "difference": found.value,
                "low": found.low,
                "high": found.high,
            }
            for name, found in self.differences.items()
        ]
        return pd.DataFrame(rows, columns=["metric", "champion", "challenger", "difference", "low", "high"])

    def text(self) -> str:
        """Return the verdict and the table."""
        if not self.differences:
            return self.verdict
        dates = [text_of(cutoff) for cutoff in self.cutoffs]
        when = dates[0] if len(dates) == 1 else f"{len(dates)} cutoffs, {dates[0]} to {dates[-1]}"
        lines = [
            self.verdict,
            f"the same {self.rows:,} rows of {self.accounts:,} accounts at {when}; {self.churned:,} churned",
            f"{'':<18}{'version ' + self.champion:>12}{'version ' + self.challenger:>12}   difference (95 %, over accounts)",
        ]
        for name, found in self.differences.items():
            champion, challenger = self.values[name]
            interval = f" ({found.low:+.4f} to {found.high:+.4f})" if found.bounded else ""
            decides = "  decides" if name == DECISIVE else ""
            label = LABELS[name]
            lines.append(f"{label:<18}{champion:>12.4f}{challenger:>12.4f}   {found.value:+.4f}{interval}{decides}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        measured = {
            name: {"champion": self.values[name][0], "challenger": self.values[name][1], "difference": _plain(found)}
            for name, found in self.differences.items()
        }
        return {
            "challenger": self.challenger,
            "champion": self.champion,
            "wins": self.wins,
            "verdict": self.verdict,
            "cutoffs": [text_of(cutoff) for cutoff in self.cutoffs],
            "rows": self.rows,
            "accounts": self.accounts,
            "churned": self.churned,
            "decisive": DECISIVE,
            "metrics": measured,
        }


def _plain(found: Estimate) -> dict[str, float | None]:
    return {name: value if np.isfinite(value) else None for name, value in asdict(found).items()}


def not_compared(challenger: str, champion: str, obstacle: str) -> Comparison:
    """Return a comparison that could not be made, and why."""
    return Comparison(challenger=challenger, champion=champion, obstacle=obstacle)


def problems_of(error: UsageError) -> str:
    """Say every problem in one line, to stand within a sentence.

    >>> problems_of(UsageError.of("no such version", "acme 9", "train it"))
    'no such version: acme 9. Fix: train it'
    """
    return "; ".join(str(problem).rstrip(".") for problem in error.problems)
