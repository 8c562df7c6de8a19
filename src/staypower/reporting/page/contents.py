"""What the report shows, as plain values: nothing here knows how it is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

if TYPE_CHECKING:
    from staypower.auditing.report import AuditReport
    from staypower.monitoring import Drift
    from staypower.portfolio.result import Portfolio

__all__ = ["AccountPage", "Lane", "Mark", "Report", "Said", "Timeline"]

Tone = Literal["risk", "good", "plain"]


@dataclass(frozen=True)
class Said:
    """One reason, or one change, said in words.

    >>> Said("No export in 41 days", 0.4, "adoption").tone
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
    """Something that happened at an instant."""

    at: int  # instant
    words: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Lane:
    """One row of a timeline."""

    name: str
    counts: Sequence[int] = ()  # how often something happened in each week, oldest first; drawn as bars
    marks: Sequence[Mark] = ()  # single happenings; drawn as dots


@dataclass(frozen=True)
class Timeline:
    """The weeks before a cutoff."""

    start: int  # instants; whole weeks apart
    cutoff: int  # instants; whole weeks apart
    lanes: Sequence[Lane]


@dataclass(frozen=True)
class AccountPage:
    """Everything about one watched account."""

    account: str
    facts: Sequence[tuple[str, str]]  # label and value
    reasons: Sequence[Said]  # why the score is what it is; what moved it since the previous cutoff
    changes: Sequence[Said]  # why the score is what it is; what moved it since the previous cutoff
    waterfall: Sequence[tuple[str, float]]  # name and contribution, in log-odds; with `base` they add up to `raw`
    base: float  # log-odds
    raw: float  # log-odds
    timeline: Timeline | None
    action: str = ""  # what to do next
    change_words: str = ""  # what the changes add up to
    no_action: str = ""  # why there is nothing to do


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
    levers: Sequence[Said] = ()  # why the portfolio moved: the mean change of the score by lever
    lever_words: str = ""  # what they add up to
    quality: Mapping[str, Any] | None = None  # what `quality_of` returned for the model when it was tested
    drift: Drift | None = None
    audit: AuditReport | None = None
    accounts: Sequence[AccountPage] = ()
    notes: Sequence[str] = field(default=())  # what a reader must know first
    version: str = ""  # of the program that made it
