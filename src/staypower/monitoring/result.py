"""The result of monitoring: whether the model still fits, and whether to train again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil, hypot
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from staypower.cutoffs import text_of
from staypower.errors import ExitCode
from staypower.evaluation.resampling import Estimate
from staypower.monitoring.expected import FIGURES, Expected
from staypower.results.numbers import decimal, percent, plural
from staypower.results.result import Result

if TYPE_CHECKING:
    from staypower.gate.report import GateReport
    from staypower.models.age import ModelAge
    from staypower.monitoring.drift import Drift

__all__ = ["Month", "Monitoring"]

# what came true is worse than expected when it misses by half more than the 95% interval is wide; AUROC by more than this, too
_SURE, _RANKING, _RATE, _SIGMAS = 1.5, 0.03, 0.15, 1.96
# so few of the features move by themselves in some month
_OF_FEATURES = 0.01
_NAMED = 3


@dataclass(frozen=True)
class Month:
    """What was expected of the accounts scored at one cutoff, and what came true once it is known; by slice, too."""

    cutoff: int
    all: Expected
    slices: Mapping[str, Expected] = field(default_factory=dict)


@dataclass(frozen=True)
class Monitoring(Result, shown_by="staypower.monitoring.wording", drawn_by="staypower.monitoring.drawing"):
    """A model at one cutoff.

    Parameters
    ----------
    cutoff : int
        Instant.
    version : str
        Of the model.
    age : ModelAge
        What the model was trained on.
    now : Month
        What is expected of the accounts scored at the cutoff.
    mature : tuple of Month
        Earlier cutoffs, oldest first, whose outcomes the model did not know and that are complete by now.
    drift : Drift or None
        What the model sees against its last training cutoff; None where there is nothing to compare.
    gate : GateReport or None
        The data against those of training.
    evaluated : Estimate or None
        AUROC at the test, with its interval.
    history : tuple of mapping
        Entries of this and earlier runs, oldest first.
    """

    cutoff: int
    version: str
    age: ModelAge
    now: Month
    mature: tuple[Month, ...]
    drift: Drift | None
    gate: GateReport | None = None
    evaluated: Estimate | None = None
    history: tuple[Mapping[str, Any], ...] = ()

    def with_history(self, history: Sequence[Mapping[str, Any]]) -> Monitoring:
        """Return the result with what was kept of earlier runs."""
        return replace(self, history=tuple(history))

    @property
    def data_reasons(self) -> tuple[str, ...]:
        """Why the data must be repaired first."""
        return () if self.gate is None else tuple(self.gate.lines)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the model should be trained again; none where it fits."""
        return (*self._drifted(), *self._missed(), *self._ranking())

    def _drifted(self) -> Iterator[str]:
        if self.drift is None:
            return
        names, few = list(self.drift.moved["feature"]), ceil(_OF_FEATURES * len(self.drift.features))
        if len(names) >= few:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            yield f"{plural(len(names), 'feature')} moved since {self.drift.then}: {', '.join(names[:_NAMED])}{more}"
        for segment, own in self.drift.moved_in_segments.items():
            if len(own) < few:
                continue
            more = f" and {len(own) - _NAMED} more" if len(own) > _NAMED else ""
            yield f"in {segment}, {plural(len(own), 'feature')} moved: {', '.join(own[:_NAMED])}{more}"
        if self.drift.score["verdict"].iloc[0] == "moved":
            yield f"the score moved since {self.drift.then} (PSI {decimal(self.drift.score['psi'].iloc[0])})"

    def _missed(self) -> Iterator[str]:
        """Say where the latest outcomes are worse than was expected."""
        if not self.mature or self.mature[-1].all.observed is None:
            return
        month, found = self.mature[-1], self.mature[-1].all
        observed, at = found.observed or {}, text_of(month.cutoff)
        ranking, rate = found.figures["auroc"], found.figures["churn_rate"]
        # what is expected rests on the test, which is no surer than its own interval
        tested = self.evaluated.value - self.evaluated.low if self.evaluated is not None and self.evaluated.bounded else 0.0
        width = hypot(ranking.value - ranking.low, tested)
        if observed["auroc"] < ranking.value - max(_SURE * width, _RANKING):
            yield f"AUROC at {at} came out at {decimal(observed['auroc'])}, {decimal(ranking.value)} was expected"
        # the churn rate of a company moves by about as much from quarter to quarter, besides what chance does
        widths = [hypot(end - rate.value, _SIGMAS * _RATE * rate.value) for end in (rate.low, rate.high)]
        if not -_SURE * widths[0] <= observed["churn_rate"] - rate.value <= _SURE * widths[1]:
            yield f"{percent(observed['churn_rate'])} churned after {at}, {percent(rate.value)} were expected"

    def _ranking(self) -> Iterator[str]:
        """Say when the model is expected to rank worse than at its test."""
        expected, test = self.now.all.figures["auroc"], self.evaluated
        if test is None or not expected.known:
            return
        floor = test.low if test.bounded else test.value
        if expected.value < min(floor, test.value - _RANKING):
            yield f"AUROC {decimal(expected.value)} is expected now, {decimal(test.value)} was measured at the test"

    @property
    def retrain(self) -> bool:
        """Whether to train again: not on data that must be repaired first."""
        return bool(self.reasons) and not self.data_reasons

    @property
    def headline(self) -> str:
        """Whether to train again, and why."""
        if self.data_reasons:
            return f"Retrain: no, because the data must be repaired first ({plural(len(self.data_reasons), 'limit')} broken)"
        if self.reasons:
            return f"Retrain: yes, because {'; '.join(self.reasons)}"
        known = f" and outcomes until {text_of(self.mature[-1].cutoff)} are as expected" if self.mature else ""
        return f"Retrain: no, because nothing moved that matters{known}"

    @property
    def exit_code(self) -> ExitCode:
        """1 when something was found against the data or the model."""
        return ExitCode.FOUND if self.reasons or self.data_reasons else ExitCode.DONE

    def frame(self) -> pd.DataFrame:
        """Return one row per cutoff, slice and figure: what is expected, with its interval, and what came true."""
        rows = []
        for month in (*self.mature, self.now):
            for name, each in {"all": month.all, **month.slices}.items():
                for figure, expected in each.figures.items():
                    observed = np.nan if each.observed is None else each.observed[figure]
                    rows.append(
                        {
                            "cutoff": text_of(month.cutoff),
                            "slice": name,
                            "figure": figure,
                            "accounts": each.accounts,
                            "expected": expected.value,
                            "low": expected.low,
                            "high": expected.high,
                            "observed": observed,
                        }
                    )
        return pd.DataFrame(rows)

    def metrics(self) -> dict[str, float]:
        """Return the figures for tracking."""
        found = {f"expected_{name}": self.now.all.figures[name].value for name in FIGURES}
        if self.mature and self.mature[-1].all.observed is not None:
            found |= {f"observed_{name}": value for name, value in self.mature[-1].all.observed.items()}
        if self.drift is not None:
            found |= {"score_psi": float(self.drift.score["psi"].iloc[0]), "features_moved": float(len(self.drift.moved))}
        return {**found, "retrain": float(self.retrain)}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "cutoff": text_of(self.cutoff),
            "version": self.version,
            "retrain": self.retrain,
            "headline": self.headline,
            "reasons": list(self.reasons),
            "data": None if self.gate is None else self.gate.to_dict(),
            "trained": self.age.to_dict(),
            "now": _plain(self.now),
            "mature": [_plain(month) for month in self.mature],
            "drift": None if self.drift is None else self.drift.to_dict(),
            "history": [dict(entry) for entry in self.history],
        }


def _plain(month: Month) -> dict[str, Any]:
    slices = {name: each.to_dict() for name, each in month.slices.items()}
    return {"cutoff": text_of(month.cutoff), "all": month.all.to_dict(), "slices": slices}
