"""The contents of the report as plain values; drawing them is done elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from staypower.cutoffs import text_of
from staypower.models.age import ModelAge
from staypower.results.numbers import count, money, percent, plural
from staypower.scoring.scores import NONE_SCORED, ONE_SNAPSHOT, outcome_words

if TYPE_CHECKING:
    from staypower.actions.action_list import ActionList
    from staypower.auditing.report import AuditReport
    from staypower.models.bundle import Bundle
    from staypower.monitoring.drift import Drift
    from staypower.portfolio.result import Portfolio
    from staypower.reporting.drivers import Drivers

__all__ = [
    "STAKE_COLUMNS",
    "AccountPage",
    "AccountTimeline",
    "Lane",
    "Mark",
    "Report",
    "Sentence",
    "Stake",
    "model_words",
    "report_facts",
    "report_notes",
    "stakes_of",
]

STAKE_COLUMNS = ("account_id", "status", "churn_probability", "churn_risk_band", "mrr")

Tone = Literal["risk", "good", "plain"]
_MOST_OWNERS = 8


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
    name: str = ""  # how people call the account


@dataclass(frozen=True)
class Stake:
    """One of the few figures that a manager reads first."""

    title: str
    figure: str
    words: Sequence[str]


@dataclass(frozen=True)
class Report:
    """The whole report."""

    name: str  # of the company or question
    cutoff: str  # instant of knowledge, as text
    facts: Sequence[tuple[str, str]]  # label and value
    statuses: Mapping[str, int]
    # one row for every scored account, those to act on first; columns of `WATCH_COLUMNS` that are there
    watch: pd.DataFrame
    quadrants: pd.DataFrame  # what `quadrants.sizes_of` returns
    week: Sequence[Stake] = ()  # what a manager reads first
    portfolio: Portfolio | None = None
    movement: pd.DataFrame | None = None  # `before, now, accounts`: who moved between quadrants
    levers: Sequence[Sentence] = ()  # why the risk of the portfolio changed: the mean change of the score by lever
    lever_words: str = ""  # what they add up to
    drivers: Drivers | None = None  # what drives risk here, of a sample of accounts
    quality: Mapping[str, Any] | None = None  # what `quality_of` returned for the model when it was tested
    drift: Drift | None = None
    months: Sequence[Mapping[str, Any]] = ()  # what `staypower monitor` kept of this model's cutoffs, oldest first
    audit: AuditReport | None = None
    accounts: Sequence[AccountPage] = ()
    notes: Sequence[str] = field(default=())  # what a reader must know first
    beyond: Sequence[str] = ()  # features of which some accounts lie beyond the training range
    model: str = ""  # which model this is, how old it is, and on what it was tested
    version: str = ""  # of the program that made it


def report_facts(scores: pd.DataFrame, horizon: int | None) -> list[tuple[str, str]]:
    """Return the facts at the head of a report."""
    scored = scores.loc[scores["status"] == "scored", "churn_probability"]
    expected = f"{count(scored.sum())} of {count(len(scored))}" if len(scored) else "no account scored"
    first = ("accounts expected to churn", f"{expected} {outcome_words(horizon)}")
    if horizon is None:
        first = ("accounts that carry the flag", f"{count((scores['status'] == 'left').sum())} of {count(len(scores))}")
    return [
        first,
        ("high risk", plural(int((scores["churn_risk_band"] == "high").sum()), "account")),
    ]


def model_words(bundle: Bundle, name: str, version: str, *, cutoff: int) -> str:
    """Say once which model this is, how old it is, and on what it was tested."""
    age, at = ModelAge.of(bundle), str(bundle.learned.get("usual", {}).get("at", ""))
    which = f"Model {bundle.metadata.get('name', name)}{f', version {version}' if version else ''}"
    parts = (f"{which}, trained on data up to {text_of(age.trained_until)}", age.at(cutoff))
    trained = "; ".join(part for part in parts if part)
    typical = f" Typical values are of {at}." if at and at != text_of(cutoff) else ""
    quality = bundle.metadata.get("quality")
    if not quality:
        return f"{trained}.{typical}"
    rows = f"{plural(quality['rows'], 'row')} of {plural(quality['accounts'], 'account')}"
    where = "the same snapshot that it was not trained on" if quality["split"] == "snapshot" else "later data"
    twin = f" (evaluated on a twin trained on data up to {text_of(age.evaluated_until)})" if age.has_twin else ""
    return f"{trained}. Tested on {rows} of {where}{twin}.{typical}"


def report_notes(statuses: Mapping[str, int], listed: int, *, one_snapshot: bool = False) -> list[str]:
    """Return what a reader must know first: that there is no time, that no account is scored, or that not all are listed."""
    notes = [ONE_SNAPSHOT] if one_snapshot else []
    scored = statuses.get("scored", 0)
    if not scored:
        return [*notes, NONE_SCORED]
    if listed < scored:
        first = f"The list shows {count(listed)} of {count(scored)} scored accounts: those to act on, then the highest risks."
        notes.append(f"{first} `staypower score` lists all.")
    return notes


def stakes_of(scores: pd.DataFrame, earlier: pd.DataFrame | None, chosen: ActionList, horizon: int | None) -> list[Stake]:
    """Return what is at stake, whom to act on, and what moved since the earlier scores.

    The interval is that of chance alone: accounts leave or stay independently, with the probabilities that are shown.
    """
    scored = scores[scores["status"] == "scored"]
    if not len(scored):
        return []
    found = [_at_stake(scored, None if earlier is None else earlier[earlier["status"] == "scored"], horizon)]
    to_do = chosen.to_do
    by_owner = to_do["owner"].value_counts().sort_index()
    owners = ", ".join(f"{owner} {count(number)}" for owner, number in by_owner.head(_MOST_OWNERS).items())
    words = [f"Expected to bring {money(chosen.expected_value)} after costs."] if chosen.expected_value > 0 else []
    words += [f"By: {owners}{', ...' if len(by_owner) > _MOST_OWNERS else ''}."] if owners else []
    if held := int(chosen.frame()["holdout"].sum()):
        words.append(f"{plural(held, 'account')} held back to measure what actions bring: do not contact.")
    found.append(Stake("To act on", plural(len(to_do), "account"), words))
    if earlier is not None and "churn_risk_band" in earlier:
        found.append(_moved(scored, earlier))
    return found


def _at_stake(scored: pd.DataFrame, earlier: pd.DataFrame | None, horizon: int | None) -> Stake:
    risk = scored["churn_probability"].to_numpy(dtype=np.float64)
    paid = scored["mrr"].to_numpy(dtype=np.float64, na_value=np.nan) if "mrr" in scored else np.full(len(risk), np.nan)
    in_money = bool(np.isfinite(paid).any()) and horizon is not None
    weight, write = (np.nan_to_num(paid), money) if in_money else (np.ones(len(risk)), count)
    expected, spread = float(risk @ weight), 1.96 * float(np.sqrt((risk * (1 - risk)) @ weight**2))
    low, high = max(0.0, expected - spread), min(float(weight.sum()), expected + spread)
    words = [f"By chance alone between {write(low)} and {write(high)} (95%)."]
    if in_money:
        words.append(
            f"{percent(expected / float(weight.sum()))} of MRR; {count(float(risk.sum()))} of {count(len(risk))} accounts."
        )
    if in_money and earlier is not None and "mrr" in earlier and len(earlier):
        before = float((earlier["churn_probability"] * earlier["mrr"]).sum())
        words.append(f"At the previous cutoff: {money(before)}.")
    what = "MRR" if in_money else "Accounts"
    outcome = "to carry the flag" if horizon is None else f"to churn {outcome_words(horizon)}"
    return Stake(f"{what} expected {outcome}", write(expected), words)


def _moved(scored: pd.DataFrame, earlier: pd.DataFrame) -> Stake:
    before = set(earlier.loc[earlier["churn_risk_band"] == "high", "account_id"])
    now = set(scored.loc[scored["churn_risk_band"] == "high", "account_id"])
    known = set(scored["account_id"])
    words = [
        f"{plural(len((before - now) & known), 'account')} no longer at high risk.",
        f"{plural(len(before - known), 'account')} at high risk then, no longer scored.",
    ]
    return Stake("Newly at high risk", plural(len(now - before), "account"), words)
