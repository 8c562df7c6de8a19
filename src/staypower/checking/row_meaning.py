"""What rows and words mean, where they can be read in two ways: days without use, contracts that move, numbers as text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from staypower.cutoffs import DAY, MISSING, text_of
from staypower.results.numbers import count, percent, plural
from staypower.schemas import SCHEMAS
from staypower.sources.advice import Values, as_numbers, written_name
from staypower.sources.findings import Finding
from staypower.sources.settings import TableSource
from staypower.sources.values import DECIMAL_COMMA
from staypower.tables import LARGEST_SUM, Table, Tables, numbered

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["RowFigures", "doubtful_attributes", "doubtful_rows"]

# a roll-up: this share of the accounts that were seen for four weeks have a row on every day in between
_EVERY_DAY, _LONG_ENOUGH, _FEWEST_ACCOUNTS = 0.9, 28, 10
# fewer rows without use change little
_MANY_ZEROS = 0.01
# a migration: at least so many ends on one day, and at least half of all that a new start undid
_MIGRATION, _HALF = 10, 0.5
_FEWEST_WORDS, _FEWEST_NUMBERS, _SAME, _DIFFERENT = 20, 3, 0.99, 0.5
_FAR = 10_000_000
# a scale is questioned with so many answers, where so much of it is never used
_FEWEST_ANSWERS, _UNUSED, _UNUSED_BELOW = 50, 0.2, 0.5
_SUMMED: Mapping[str, tuple[str, ...]] = {"usage": ("quantity",), "orders": ("amount", "quantity"), "payments": ("amount",)}
_ONLY_ACTIVE = "read only rows with activity: `where: COLUMN > 0`, with the column that counts it"
# what could be a column; a mapping may give an expression as well
_COLUMN = re.compile(r"[\w .-]+")
_WORD = "given_word"
_CODE = re.compile(r"\D*0\d")  # what has a leading zero is no number
_PLAIN = re.compile(r"[+-]?\d+(\.\d+)?")


@dataclass(frozen=True)
class RowFigures:
    """What the rows of some accounts show; those of several buckets add up."""

    zeros: Counter[str] = field(default_factory=Counter)  # rows of each table with a quantity of 0
    blanks: Counter[str] = field(default_factory=Counter)  # and without a quantity
    long_enough: Counter[str] = field(default_factory=Counter)  # accounts of each table that were seen for four weeks
    every_day: Counter[str] = field(default_factory=Counter)  # those of them with a row on every day in between
    undone: Counter[int] = field(default_factory=Counter)  # ends that a new start undid, by day number
    sizes: dict[tuple[str, str], float] = field(default_factory=dict)  # largest sum of what a column of one bucket holds
    answers: Counter[tuple[str, float, float, float]] = field(default_factory=Counter)  # by instrument, scale, value

    @classmethod
    def of(cls, tables: Tables, grace: int | None) -> RowFigures:
        """Look at the rows of some accounts; `grace` is that of a label of contracts."""
        found = cls()
        for name, table in tables.items():
            if name not in SCHEMAS or name == "usage":
                found.every_day[name], found.long_enough[name] = _rows_on_every_day(table)
        if tables.has("usage", "quantity"):
            quantity = tables["usage"].numbers("quantity")
            found.zeros["usage"] = int((quantity == 0).sum())
            found.blanks["usage"] = int(np.isnan(quantity).sum())
        if grace is not None and tables.has("subscriptions", "started_at", "ended_at"):
            found.undone.update(_undone_ends(tables["subscriptions"], grace))
        for name, column in ((name, column) for name, columns in _SUMMED.items() for column in columns):
            if tables.has(name, column):
                with np.errstate(over="ignore"):
                    found.sizes[name, column] = float(np.nansum(np.abs(tables[name].numbers(column))))
        if tables.has("surveys", "value", "instrument", "low", "high"):
            found.answers.update(_answers(tables["surveys"]))
        return found

    def __add__(self, other: RowFigures) -> RowFigures:
        return RowFigures(
            self.zeros + other.zeros,
            self.blanks + other.blanks,
            self.long_enough + other.long_enough,
            self.every_day + other.every_day,
            self.undone + other.undone,
            {key: max(self.sizes.get(key, 0.0), other.sizes.get(key, 0.0)) for key in self.sizes | other.sizes},
            self.answers + other.answers,
        )


def _answers(surveys: Table) -> dict[tuple[str, float, float, float], int]:
    """Count the answers by instrument, lower and upper end of the scale, and value."""
    names = ["instrument", "low", "high", "value"]
    counted = surveys.data.select(names).group_by(names).aggregate([([], "count_all")])
    rows = zip(*(counted.column(name).to_pylist() for name in (*names, "count_all")), strict=True)
    return {(str(instrument), *numbers): number for instrument, *numbers, number in rows if None not in numbers}


def _days(table: Table, column: str | None = None) -> NDArray[np.int64]:
    """Return the day number of each row, `MISSING` where it has none."""
    times = table.own_instants() if column is None else table.instants(column)
    return np.where(times == MISSING, MISSING, times // DAY)


def _rows_on_every_day(table: Table) -> tuple[int, int]:
    """Count the accounts with a row on every day from their first to their last, and those that were seen long enough."""
    days = _days(table)
    there = days != MISSING
    if not there.any():
        return 0, 0
    account = numbered(table.data.column("account_id"))[0].astype(np.int64)[there]
    day = days[there] - days[there].min()
    span = int(day.max()) + 1
    pairs = np.unique(account * span + day)
    start = np.unique(pairs // span, return_index=True)[1]
    distinct = np.diff(np.append(start, len(pairs)))
    last = pairs[start + distinct - 1]
    length = last - pairs[start] + 1
    seen = length >= _LONG_ENOUGH
    return int((seen & (distinct == length)).sum()), int(seen.sum())


def _undone_ends(table: Table, grace: int) -> Counter[int]:
    """Count, by day, the ends of everything that an account had which a new start followed within the grace."""
    if table.has("valid_from") or not len(table):
        return Counter()
    account = numbered(table.data.column("account_id"))[0].astype(np.int64)
    start, end = _days(table, "started_at"), _days(table, "ended_at")
    known = start != MISSING
    account, start = account[known], start[known]
    end = np.where(end[known] == MISSING, _FAR - 1, end[known])
    order = np.lexsort((end, start, account))
    account, start, end = account[order], start[order], end[order]
    # accounts lie far apart, so one running maximum serves them all
    reached = np.maximum.accumulate(account * _FAR + end) - account * _FAR
    hole = start[1:] - reached[:-1]
    undone = (account[1:] == account[:-1]) & (hole >= 0) & (hole <= grace)
    return Counter(reached[:-1][undone].tolist())


def doubtful_rows(
    figures: RowFigures,
    empty: Tables,
    rows: Mapping[str, int],
    sources: Mapping[str, Sequence[TableSource]],
    grace: int | None,
) -> Iterator[Finding]:
    """Name rows that stand for days, and ends that are none."""
    zeros = figures.zeros["usage"]
    many = zeros >= max(_MANY_ZEROS * rows.get("usage", 0), 1)
    if many:
        share = zeros / rows["usage"]
        fix = f"read only rows with use, {_where(sources.get('usage', ()), blanks=figures.blanks['usage'])}"
        fix += f"; {count(rows['usage'] - zeros)} of {plural(rows['usage'], 'row')} are left"
        meaning = "a daily roll-up writes them: as rows they count as use in recency, active days and trends"
        yield Finding("warning", "usage", "quantity", zeros, f"{percent(share)} of the rows have a quantity of 0", meaning, fix)
    for name, seen in figures.long_enough.items():
        share = figures.every_day[name] / seen if seen else 0.0
        if seen < _FEWEST_ACCOUNTS or share < _EVERY_DAY or (name == "usage" and many):
            continue
        problem = f"{percent(share)} of the accounts have a row on every day"
        meaning = "if a row stands for a day and not for a use, recency and active days say nothing"
        fix = "map the column that counts the use as `quantity`: `check` then names the `where` that fits"
        if empty.has(name, "quantity"):
            yield Finding("note", name, "", 0, problem, "all of them with use: recency and active days say little")
        else:
            yield Finding("warning", name, "", 0, problem, meaning, fix if name == "usage" else _ONLY_ACTIVE)
    yield from _undone(figures.undone, grace)
    for (name, column), total in figures.sizes.items():
        if total >= LARGEST_SUM:
            fix = "map the column in a larger unit"
            yield Finding(
                "error", name, column, 0, "numbers too large to be summed exactly", "no feature can be built of it", fix
            )
    yield from _scales(figures.answers)


def _scales(answers: Counter[tuple[str, float, float, float]]) -> Iterator[Finding]:
    """Question scales whose ends no answer touches, or of which a good part is never used."""
    for instrument, low, high in dict.fromkeys(key[:3] for key in answers):
        values = {value: number for (*scale, value), number in answers.items() if scale == [instrument, low, high]}
        number, least, most = sum(values.values()), min(values), max(values)
        below, above = (least - low) / (high - low), (high - most) / (high - low)
        # customers who are never quite unhappy are common, customers who never give the best answer are not
        odd = (least > low and most < high) or above >= _UNUSED or below >= _UNUSED_BELOW
        if number < _FEWEST_ANSWERS or not odd or least == most:
            continue
        problem = f"{plural(number, 'answer')} of {instrument} between {least:g} and {most:g}, on a scale of {low:g}-{high:g}"
        meaning = "if another scale was asked, every answer is read as better or worse than it was"
        fix = f"write `scale: {least:g}-{most:g}` if that is what was asked"
        if instrument == "nps" and (least, most) not in ((0, 10), (1, 10)):
            fix += ", and `instrument: csat`, since NPS is asked on 0-10 or 1-10"
        yield Finding("warning", "surveys", "value", number, problem, meaning, fix)


def _where(sources: Sequence[TableSource], *, blanks: int) -> str:
    """Write the `where` of each source that leaves out rows without use."""
    made = []
    for number, source in enumerate(sources or [TableSource()]):
        given = str(source.mapping.get("quantity", "quantity"))
        name = written_name(given) if _COLUMN.fullmatch(given) else f"({given})"
        rule = f"{name} is null or {name} <> 0" if blanks else f"{name} <> 0"
        if source.where:
            rule = f"({source.where}) and ({rule})"
        place = f" in `tables.usage[{number}]`" if len(sources) > 1 else " in `tables.usage`"
        made.append(f"`where: {rule}`{place}")
    return ", ".join(made)


def _undone(undone: Counter[int], grace: int | None) -> Iterator[Finding]:
    total = sum(undone.values())
    if not total:
        return
    problem = f"{plural(total, 'end')} followed by a new start within the grace of {grace} days"
    fix = "nothing, if contracts are renewed or changed this way; else write a shorter `label.grace`"
    yield Finding("note", "subscriptions", "ended_at", total, problem, "not churn: the account stays a customer", fix)
    day, most = undone.most_common(1)[0]
    if most >= max(_MIGRATION, _HALF * total):
        problem = f"{count(most)} of the ends that a new start undid lie on {text_of(day * DAY)}: a migration"
        meaning = "nobody left, but on that day each contract begins anew: its age, term and plan change say nothing"
        fix = "join the two rows of each contract at the source: the first start, the last end"
        yield Finding("warning", "subscriptions", "ended_at", most, problem, meaning, fix)


def doubtful_attributes(
    attributes: pd.DataFrame, used: Collection[str], sources: Sequence[TableSource], *, label: Collection[str] = ()
) -> Iterator[Finding]:
    """Name attributes whose words are numbers with signs, nearly all different, or nearly all the same."""
    every = any(source.static == "all" for source in sources)
    decimal = next((source.decimal for source in sources), ".")
    mapping = {name: str(value) for source in sources for name, value in source.mapping.items()}
    for name in (str(name) for name in attributes if str(name) in used and str(name) not in label):
        known = attributes[name].dropna()
        counts = known.value_counts()
        own = mapping.get(name, name)
        leave = f"write `leave_out: [{own}]`" if every else f"take `{name}` out of `static`"
        text = not (pd.api.types.is_numeric_dtype(known) or pd.api.types.is_datetime64_any_dtype(known))
        if (
            text
            and len(known) >= _FEWEST_NUMBERS
            and (way := _as_number(own, words := [str(word) for word in counts.index], decimal))
        ):
            meaning = "each is a word of its own: 9 and 10 are as different as 9 and 900"
            fix = f"write `{name}: {way}`"
            yield Finding("warning", "accounts", name, len(known), "numbers written as text", meaning, fix, tuple(words[:3]))
        elif len(known) < _FEWEST_WORDS:
            continue
        elif counts.iloc[0] >= _SAME * len(known):
            problem = f"{percent(counts.iloc[0] / len(known))} of the accounts have the same value, `{counts.index[0]}`"
            yield Finding("note", "accounts", name, 0, problem, "nothing can be learned from it", leave)
        elif text and len(counts) > _DIFFERENT * len(known):
            problem = f"words that are nearly all different: {count(len(counts))} in {plural(len(known), 'account')}"
            yield Finding("note", "accounts", name, 0, problem, "it names accounts, not groups of them", leave)


def _as_number(own: str, words: Sequence[str], decimal: str) -> str:
    """Write the expression that makes numbers of words of which some have signs; empty where they are none, or codes."""
    plain = re.compile(DECIMAL_COMMA) if decimal == "," else _PLAIN
    code = any(_CODE.match(word) for word in words)
    if not words or code or all(plain.fullmatch(word.strip()) for word in words):
        return ""
    with duckdb.connect() as connection:
        connection.register("words", pa.table({_WORD: list(words)}))
        way = as_numbers(Values(connection, _WORD, "text", f"SELECT {_WORD} FROM words", decimal), money=True)
    return way.replace(_WORD, written_name(own) if _COLUMN.fullmatch(own) else f"({own})")
