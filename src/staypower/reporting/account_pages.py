"""The pages of the accounts of highest risk, their timelines, and what changed in the portfolio since the previous cutoff."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from staypower.actions.account_facts import owners_of
from staypower.actions.action_list import ActionList
from staypower.auditing.hiding import hide_future
from staypower.cutoffs import DAY, MISSING, text_of
from staypower.explanation.changes import Change, RiskChanges
from staypower.explanation.reasons import Explanation, Reason, lever_words
from staypower.features.settings import FeatureSettings
from staypower.features.streams.making import make_stream
from staypower.portfolio.settings import QUADRANTS
from staypower.reporting.contents import AccountPage, AccountTimeline, Lane, Mark, Sentence, Tone
from staypower.reporting.explanations import Explanations
from staypower.results.numbers import count, money, percent, plural
from staypower.scoring.scores import outcome_words
from staypower.tables import BucketedTables, Table, Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["WEEKS", "account_pages", "changed_levers", "changed_words", "timelines_of"]

WEEKS = 52
_WEEK = 7 * DAY
_MOST_MARKS = 60
_BAD_ANSWER, _GOOD_ANSWER = 0.5, 0.8
_Rows = Mapping[str, Any]


def timelines_of(
    tables: BucketedTables, accounts: Sequence[str], cutoff: int, settings: FeatureSettings
) -> dict[str, AccountTimeline]:
    """Return what happened to some accounts in the year before the cutoff.

    >>> from staypower.schemas import SCHEMAS
    >>> at = pa.array([20 * _WEEK, 40 * _WEEK], pa.timestamp("us", "UTC"))
    >>> usage = Table(SCHEMAS["usage"], pa.table({"account_id": ["a", "a"], "at": at}))
    >>> people = Table(SCHEMAS["accounts"], pa.table({"account_id": ["a"]}))
    >>> made = timelines_of(Tables({"accounts": people, "usage": usage}, 60 * _WEEK), ["a"], 30 * _WEEK, FeatureSettings())
    >>> made["a"].lanes[0].name, sum(made["a"].lanes[0].counts)
    ('usage', 1)
    """
    known = hide_future(tables.rows_of(accounts), cutoff, how="deleted").tables
    known = _arrived(known, cutoff)
    start = cutoff - WEEKS * _WEEK
    lanes: dict[str, list[Lane]] = {account: [] for account in accounts}
    for name in ("usage", "orders"):
        if name in known:
            for account, counts in _weekly(known[name], accounts, start, cutoff).items():
                lanes[account].append(Lane(name, counts=counts))
    for name, describe in _DESCRIBED.items():
        if name in known:
            # only surveys need what their stream adds: the answer on a common scale
            stream = make_stream(name, known, settings) if name == "surveys" else known[name]
            marks = _marks(stream, describe, start, cutoff)
            for account in accounts:
                lanes[account].append(Lane(name, marks=marks.get(account, ())))
    return {account: AccountTimeline(start, cutoff, lanes[account]) for account in accounts}


def _arrived(tables: Tables, cutoff: int) -> Tables:
    """Leave out what had happened but not arrived."""
    return hide_future(tables, cutoff, how="deleted", arrival=True).tables


def _weekly(table: Table, accounts: Sequence[str], start: int, cutoff: int) -> dict[str, list[int]]:
    place = {account: number for number, account in enumerate(accounts)}
    numbers = np.array([place[str(account)] for account in table.texts("account_id")], dtype=np.int64)
    at = table.own_instants()
    week = (at - start) // _WEEK
    # what is left of the tables lies before the cutoff: only what is older than the drawing is left out
    inside = (at != MISSING) & (week >= 0) & (week < WEEKS)
    counts = np.bincount(numbers[inside] * WEEKS + week[inside], minlength=len(accounts) * WEEKS)
    return {account: counts[number * WEEKS : (number + 1) * WEEKS].tolist() for account, number in place.items()}


_Describer = Callable[[Table, _Rows, int], Iterator[tuple[int, str, Tone]]]


def _marks(stream: Table, describe: _Describer, start: int, cutoff: int) -> dict[str, tuple[Mark, ...]]:
    rows: dict[str, Any] = {name: stream.texts(name) for name in stream.data.column_names if _is_text(stream, name)}
    rows |= {name: stream.numbers(name) for name in stream.data.column_names if _is_number(stream, name)}
    rows |= {name: _instants(stream, name) for name in stream.data.column_names if _is_time(stream, name)}
    found: dict[str, list[Mark]] = {}
    for row in range(len(stream)):
        for at, words, tone in describe(stream, rows, row):
            if at != MISSING and 0 <= (at - start) // _WEEK < WEEKS:
                found.setdefault(str(rows["account_id"][row]), []).append(Mark(int(at), words, tone))
    return {account: _latest(marks) for account, marks in found.items()}


def _latest(marks: list[Mark]) -> tuple[Mark, ...]:
    # versions of one subscription repeat its start
    return tuple(sorted(set(marks), key=lambda mark: (mark.at, mark.words))[-_MOST_MARKS:])


def _kind(stream: Table, name: str) -> pa.DataType:
    kind = stream.data.schema.field(name).type
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_text(stream: Table, name: str) -> bool:
    return bool(pa.types.is_string(_kind(stream, name)) or pa.types.is_large_string(_kind(stream, name)))


def _is_time(stream: Table, name: str) -> bool:
    return bool(pa.types.is_timestamp(_kind(stream, name)))


def _is_number(stream: Table, name: str) -> bool:
    kind = _kind(stream, name)
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind))


def _instants(stream: Table, name: str) -> NDArray[np.int64]:
    return stream.instants(name)


def _time(rows: _Rows, name: str, row: int) -> int:
    return int(rows[name][row]) if name in rows else MISSING


def _text(rows: _Rows, name: str, row: int) -> str:
    value = rows[name][row] if name in rows else None
    return "" if value is None else str(value)


def _number(rows: _Rows, name: str, row: int) -> float:
    return float(rows[name][row]) if name in rows else math.nan


def _tickets(_: Table, rows: _Rows, row: int) -> Iterator[tuple[int, str, Tone]]:
    about = ", ".join(filter(None, (_text(rows, "priority", row), _text(rows, "category", row))))
    solved = _time(rows, "resolved_at", row)
    after = "" if solved == MISSING else f", resolved after {(solved - _time(rows, 'opened_at', row)) / DAY:.1f} days"
    urgent = _text(rows, "priority", row).casefold() in {"high", "urgent", "critical"}
    yield _time(rows, "opened_at", row), f"ticket{f' ({about})' if about else ''}{after}", "risk" if urgent else "plain"


def _surveys(_: Table, rows: _Rows, row: int) -> Iterator[tuple[int, str, Tone]]:
    instrument = _text(rows, "instrument", row).upper() or "survey"
    value, answered = _number(rows, "value", row), _time(rows, "answered_at", row)
    if answered == MISSING or math.isnan(value):
        yield _time(rows, "sent_at", row), f"{instrument} sent, no answer", "plain"
        return
    share = _number(rows, "answer", row)
    bad = _number(rows, "detractor", row) == 1.0 or share < _BAD_ANSWER
    yield answered, f"{instrument} {value:g}", "risk" if bad else "good" if share >= _GOOD_ANSWER else "plain"


def _payments(_: Table, rows: _Rows, row: int) -> Iterator[tuple[int, str, Tone]]:
    status, amount = _text(rows, "status", row).casefold(), _number(rows, "amount", row)
    paid = "" if math.isnan(amount) else f" ({amount:,.2f})"
    if status == "failed":
        yield _time(rows, "at", row), f"payment failed{paid}", "risk"
    yield _time(rows, "refunded_at", row), f"refunded{paid}", "plain"


def _subscriptions(_: Table, rows: _Rows, row: int) -> Iterator[tuple[int, str, Tone]]:
    what = _text(rows, "product", row) or _text(rows, "plan", row) or "subscription"
    yield _time(rows, "started_at", row), f"{what} started", "good"
    yield _time(rows, "cancel_requested_at", row), f"{what}: notice given", "risk"
    yield _time(rows, "ended_at", row), f"{what} ended", "risk"


def _outreach(_: Table, rows: _Rows, row: int) -> Iterator[tuple[int, str, Tone]]:
    yield _time(rows, "at", row), f"outreach: {_text(rows, 'action', row) or 'contacted'}", "plain"


def _advocacy(_: Table, rows: _Rows, row: int) -> Iterator[tuple[int, str, Tone]]:
    yield _time(rows, "at", row), _text(rows, "kind", row) or "advocacy", "good"


_DESCRIBED: Mapping[str, _Describer] = {
    "tickets": _tickets,
    "surveys": _surveys,
    "payments": _payments,
    "subscriptions": _subscriptions,
    "advocacy": _advocacy,
    "outreach": _outreach,
}

_FACTS: tuple[tuple[str, str], ...] = (
    ("churn_risk_band", "risk band"),
    ("tier", "loyalty tier"),
    ("quadrant", "quadrant"),
    ("mrr", "MRR"),
    ("value_at_risk", "value at risk"),
)


# what the model saw of an account, of the features that are there: label, and how the value is written
_SEEN: tuple[tuple[str, str, Callable[[float, int], str]], ...] = (
    ("tenure_days", "customer since", lambda days, cutoff: _day(cutoff, -days)),
    ("days_to_renewal", "next renewal", lambda days, cutoff: _day(cutoff, days)),
    ("seats_now", "seats", lambda seats, _: count(seats)),
    ("days_since_last_use", "last use", lambda days, cutoff: _day(cutoff, -days)),
    ("days_since_last_order", "last order", lambda days, cutoff: _day(cutoff, -days)),
    ("nps_last", "last NPS answer", lambda share, _: count(10 * share)),
    ("csat_last", "last CSAT answer", lambda share, _: percent(share, 0)),
)


def _day(cutoff: int, days: float) -> str:
    return text_of(cutoff + round(days * DAY))[:10]


def _seen(explanation: Explanation, row: int, cutoff: int) -> list[tuple[str, str]]:
    """Return what the model saw of an account: its attributes, dates and size."""
    codes = explanation.catalogue
    values = dict(zip(map(str, explanation.features.columns), explanation.matrix[row].tolist(), strict=True))
    found = [
        (name.removeprefix("account_").removesuffix("_now").replace("_", " "), codes.text_of(name, values[name]))
        for name in codes.categories
        if math.isfinite(values.get(name, math.nan))
    ]
    for name, label, write in _SEEN:
        if math.isfinite(values.get(name, math.nan)):
            found.append((label, write(values[name], cutoff)))
    return found


def changed_levers(changes: RiskChanges | None) -> list[Sentence]:
    """Return the levers that changed the risk of all accounts, strongest first."""
    if changes is None or not len(changes):
        return []
    return [
        Sentence(
            f"{lever_words(row['lever'])}: raised the risk of {plural(row['raised'], 'account')}, lowered it for "
            f"{count(row['lowered'])}",
            float(row["mean_change"]),
        )
        for row in changes.portfolio().to_dict("records")
        if row["raised"] or row["lowered"]
    ]


def changed_words(explained: Explanations) -> str:
    """Summarise the changes since the earlier cutoff, or say why there are none."""
    changes, earlier = explained.risk, explained.earlier
    if changes is None or earlier is None:
        return " ".join(f"{note[0].upper()}{note[1:]}." for note in explained.notes)
    then = text_of(earlier.cutoff)
    if not len(changes):
        return f"No account has a score both at {then} and now."
    moved = changes.score_changes
    return (
        f"Since {then} the risk rose for {count(int((moved > 0).sum()))} and fell for {count(int((moved < 0).sum()))} of "
        f"{plural(len(changes), 'account')} with a score at both times. New: {count(len(changes.appeared))}; no longer scored: "
        f"{count(len(changes.gone))}. The levers that changed the average risk most come first."
    )


def account_pages(
    explained: Explanations, tables: BucketedTables, accounts: Sequence[str], chosen: ActionList
) -> Iterator[AccountPage]:
    """Make the pages of some accounts, each when it is asked for."""
    explanation, cutoff = explained.scores.explanation, explained.scores.cutoff
    place = {str(account): number for number, account in enumerate(explanation.accounts)}
    timelines = timelines_of(tables, accounts, cutoff, explanation.catalogue.settings)
    actions = {str(row["account_id"]): _next_step(row) for row in chosen.frame().to_dict("records")}
    owners = owners_of(tables.rows_of(accounts), accounts, cutoff=cutoff)
    for number, account in enumerate(accounts):
        own = [] if owners is None or owners[number] is None else [("owner", str(owners[number]))]
        story = explained.story(account)
        yield AccountPage(
            account=account,
            facts=[*_facts(story.facts), *own, *_seen(explanation, place[account], cutoff)],
            reasons=_sentences(story.reasons),
            changes=_sentences(story.changes),
            waterfall=explanation.waterfall(place[account]),
            base=story.base,
            raw=story.raw_score,
            timeline=timelines[account],
            action=actions.get(account, ""),
            change_words=_change_words(story.before, story.facts),
            no_action=str(chosen.passed_over.get(account, "")),
            name=story.facts.get("name") or "",
        )


def _sentences(parts: Sequence[Reason | Change]) -> list[Sentence]:
    return [Sentence(each.sentence, each.contribution, each.lever or "") for each in parts]


def _next_step(row: Mapping[Any, Any]) -> str:
    """Write the action of an account, and that nothing is to be done where it is held back."""
    expected = "" if pd.isna(row["expected_value"]) else f"; expected value {money(row['expected_value'])}"
    effect = ""
    if not pd.isna(row["effect"]):
        effect = f"; cost {money(row['cost'])}; effect {percent(row['effect'], 0)} less risk, {row['effect_source']}"
    held = "Do nothing: held back at random to measure the effect of actions. Otherwise: " if row["holdout"] else ""
    return f"{held}{row['step']} ({row['owner']}{effect}{expected})"


def _change_words(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    if not before:
        return ""
    then, risk = before.get("churn_probability"), float(now["churn_probability"])
    if then is None:
        return "It had no score at the previous cutoff."
    verb = "rose" if risk > then else "fell"
    old, new = percent(then), percent(risk)
    return f"The risk stayed at {new}." if old == new else f"The risk {verb} from {old} to {new}."


def _facts(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = [(f"risk {outcome_words(row['horizon_days'])}", percent(row["churn_probability"]))]
    for name, label in _FACTS:
        if row.get(name) is not None:
            found.append((label, _written(name, row[name])))
    return found


def _written(name: str, value: Any) -> str:
    if name == "quadrant":
        return QUADRANTS.get(value, str(value))
    return money(value) if isinstance(value, float | int) else str(value)
