"""The contents of the report as plain values; drawing them is done elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from staypower.cutoffs import text_of
from staypower.models.age import ModelAge
from staypower.results.numbers import count, plural
from staypower.scoring.scores import NONE_SCORED, ONE_SNAPSHOT, outcome_words

if TYPE_CHECKING:
    from staypower.auditing.report import AuditReport
    from staypower.models.bundle import Bundle
    from staypower.monitoring import Drift
    from staypower.portfolio.result import Portfolio

__all__ = ["AccountPage", "AccountTimeline", "Lane", "Mark", "Report", "Sentence", "report_facts", "report_notes"]

Tone = Literal["risk", "good", "plain"]


@dataclass(frozen=True)
class Sentence:
    """One reason, or one change, in words.

    >>> Sentence("No export in 41 days", 0.4, "adoption").tone
    'risk'
    """

    words: str
    contribution: float  # log-odds; above 0 it raises the risk
    lever: str = ""

    @property
    def tone(self) -> Tone:
        """Whether it raises or lowers the risk."""
        return "risk" if self.contribution > 0 else "good" if self.contribution < 0 else "plain"


@dataclass(frozen=True)
class Mark:
    """One event."""

    at: int  # instant
    words: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Lane:
    """One row of a timeline."""

    name: str
    counts: Sequence[int] = ()  # events in each week, oldest first; drawn as bars
    marks: Sequence[Mark] = ()  # single events; drawn as dots


@dataclass(frozen=True)
class AccountTimeline:
    """The weeks before a cutoff."""

    start: int  # instants; whole weeks apart
    cutoff: int  # instants; whole weeks apart
    lanes: Sequence[Lane]


@dataclass(frozen=True)
class AccountPage:
    """Everything about one watched account."""

    account: str
    facts: Sequence[tuple[str, str]]  # label and value
    reasons: Sequence[Sentence]  # why the score is what it is
    changes: Sequence[Sentence]  # what changed it since the previous cutoff
    waterfall: Sequence[tuple[str, float]]  # name and contribution, in log-odds; with `base` they add up to `raw`
    base: float  # log-odds
    raw: float  # log-odds
    timeline: AccountTimeline | None
    action: str = ""  # what to do next
    change_words: str = ""  # what the changes add up to
    no_action: str = ""  # why there is none


@dataclass(frozen=True)
class Report:
    """The whole report."""

    name: str  # of the company or question
    cutoff: str  # instant of knowledge, as text
    facts: Sequence[tuple[str, str]]  # label and value: model, version, horizon
    statuses: Mapping[str, int]
    watch: pd.DataFrame  # one row for every scored account, highest risk first; columns of `WATCH_COLUMNS` that are there
    quadrants: pd.DataFrame  # what `quadrants.sizes_of` returns
    portfolio: Portfolio | None = None
    movement: pd.DataFrame | None = None  # `before, now, accounts`: who moved between quadrants
    levers: Sequence[Sentence] = ()  # why the risk of the portfolio changed: the mean change of the score by lever
    lever_words: str = ""  # what they add up to
    quality: Mapping[str, Any] | None = None  # what `quality_of` returned for the model when it was tested
    drift: Drift | None = None
    audit: AuditReport | None = None
    accounts: Sequence[AccountPage] = ()
    notes: Sequence[str] = field(default=())  # what a reader must know first
    version: str = ""  # of the program that made it


def report_facts(
    scores: pd.DataFrame, bundle: Bundle, name: str, version: str, horizon: int | None, *, cutoff: int
) -> list[tuple[str, str]]:
    """Return the facts at the head of a report."""
    scored = scores.loc[scores["status"] == "scored", "churn_probability"]
    expected = f"{count(scored.sum())} of {count(len(scored))}" if len(scored) else "no account scored"
    age = ModelAge.of(bundle)
    newest = [("newest outcome known", said.removeprefix("newest outcome known: "))] if (said := age.at(cutoff)) else []
    twin = [("evaluated on a twin trained on data up to", text_of(age.evaluated_until))] if age.has_twin else []
    at = str(bundle.learned.get("usual", {}).get("at", ""))
    typical = [("typical values are of", at)] if at and at != text_of(cutoff) else []
    first = ("accounts expected to churn", f"{expected} {outcome_words(horizon)}")
    if horizon is None:
        first = ("accounts that carry the flag", f"{count((scores['status'] == 'left').sum())} of {count(len(scores))}")
    return [
        first,
        ("high risk", plural(int((scores["churn_risk_band"] == "high").sum()), "account")),
        ("model", f"{bundle.metadata.get('name', name)}{f', version {version}' if version else ''}"),
        ("trained on data up to", text_of(age.trained_until)),
        *twin,
        *newest,
        *typical,
    ]


def report_notes(statuses: Mapping[str, int], listed: int, *, one_snapshot: bool = False) -> list[str]:
    """Return what a reader must know first: that there is no time, that no account is scored, or that not all are listed."""
    notes = [ONE_SNAPSHOT] if one_snapshot else []
    scored = statuses.get("scored", 0)
    if not scored:
        return [*notes, NONE_SCORED]
    if listed < scored:
        first = f"The list shows the {count(listed)} accounts with the highest risk, of {count(scored)} scored."
        notes.append(f"{first} `staypower score` lists all.")
    return notes
