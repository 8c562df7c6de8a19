"""What the report shows, as plain values: nothing here knows how it is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

if TYPE_CHECKING:
    from staypower.auditing import AuditReport
    from staypower.monitoring import Drift
    from staypower.portfolio_metrics import Portfolio

__all__ = ["AccountPage", "Lane", "Mark", "Report", "Said", "Timeline"]

Tone = Literal["risk", "good", "plain"]


@dataclass(frozen=True)
class Said:
    """One reason, or one change, said in words.

    Parameters
    ----------
    words : str
    contribution : float
        Log-odds; above 0 it raises the risk.
    lever : str, default ""

    Examples
    --------
    >>> Said("No export in 41 days", 0.4, "adoption").tone
    'risk'
    """

    words: str
    contribution: float
    lever: str = ""

    @property
    def tone(self) -> Tone:
        """Whether it raises or lowers the risk."""
        return "risk" if self.contribution > 0 else "good" if self.contribution < 0 else "plain"


@dataclass(frozen=True)
class Mark:
    """Something that happened at an instant.

    Parameters
    ----------
    at : int
        Instant.
    words : str
    tone : {"risk", "good", "plain"}, default "plain"
    """

    at: int
    words: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Lane:
    """One row of a timeline.

    Parameters
    ----------
    name : str
    counts : sequence of int, default empty
        How often something happened in each week, oldest first; drawn as bars.
    marks : sequence of Mark, default empty
        Single happenings; drawn as dots.
    """

    name: str
    counts: Sequence[int] = ()
    marks: Sequence[Mark] = ()


@dataclass(frozen=True)
class Timeline:
    """The weeks before a cutoff.

    Parameters
    ----------
    start, cutoff : int
        Instants; whole weeks apart.
    lanes : sequence of Lane
    """

    start: int
    cutoff: int
    lanes: Sequence[Lane]


@dataclass(frozen=True)
class AccountPage:
    """Everything about one watched account.

    Parameters
    ----------
    account : str
    facts : sequence of tuple of str
        Label and value.
    reasons, changes : sequence of Said
        Why the score is what it is; what moved it since the previous cutoff.
    waterfall : sequence of tuple of str and float
        Name and contribution, in log-odds; with `base` they add up to `raw`.
    base, raw : float
        Log-odds.
    timeline : Timeline or None
    action : str, default ""
        What to do next.
    change_words : str, default ""
        What the changes add up to.
    no_action : str, default ""
        Why there is nothing to do.
    """

    account: str
    facts: Sequence[tuple[str, str]]
    reasons: Sequence[Said]
    changes: Sequence[Said]
    waterfall: Sequence[tuple[str, float]]
    base: float
    raw: float
    timeline: Timeline | None
    action: str = ""
    change_words: str = ""
    no_action: str = ""


@dataclass(frozen=True)
class Report:
    """The whole report.

    Parameters
    ----------
    name : str
        Of the company or question.
    cutoff : str
        Instant of knowledge, as text.
    facts : sequence of tuple of str
        Label and value: model, version, horizon.
    statuses : mapping of str to int
    watch : DataFrame
        One row for every scored account, highest risk first; columns of `WATCH_COLUMNS` that are there.
    quadrants : DataFrame
        What `quadrants.sizes_of` returns.
    portfolio : Portfolio or None
    movement : DataFrame or None
        `before, now, accounts`: who moved between quadrants.
    levers : sequence of Said
        Why the portfolio moved: the mean change of the score by lever.
    lever_words : str
        What they add up to.
    quality : mapping or None
        What `quality_of` returned for the model when it was tested.
    drift : Drift or None
    audit : AuditReport or None
    accounts : sequence of AccountPage
    notes : sequence of str, default empty
        What a reader must know first.
    version : str, default ""
        Of the program that made it.
    """

    name: str
    cutoff: str
    facts: Sequence[tuple[str, str]]
    statuses: Mapping[str, int]
    watch: pd.DataFrame
    quadrants: pd.DataFrame
    portfolio: Portfolio | None = None
    movement: pd.DataFrame | None = None
    levers: Sequence[Said] = ()
    lever_words: str = ""
    quality: Mapping[str, Any] | None = None
    drift: Drift | None = None
    audit: AuditReport | None = None
    accounts: Sequence[AccountPage] = ()
    notes: Sequence[str] = field(default=())
    version: str = ""
