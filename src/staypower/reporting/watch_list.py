"""The watch list: its columns, its first rows for readers without scripts, and all rows for the page to sort."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from staypower.actions.action_list import ActionList
from staypower.cutoffs import DAY, text_of
from staypower.portfolio.settings import QUADRANTS
from staypower.results.numbers import count, money, percent, plural

__all__ = [
    "ACT",
    "FIRST_ROWS",
    "MOST_LISTED",
    "WATCH_COLUMNS",
    "WatchCell",
    "WatchColumn",
    "WatchList",
    "PageLinks",
    "EACH",
    "lay_out",
    "ranked_accounts",
]

FIRST_ROWS = 25
EACH = 100  # accounts in one file of the folder of pages
MOST_LISTED = 10_000


@dataclass(frozen=True)
class WatchColumn:
    """A column of the watch list."""

    key: str  # column of the scores
    label: str
    kind: Literal["text", "number"] = "text"  # how it is sorted and aligned
    format: Literal["", "percent", "money"] = ""
    search: bool = False  # whether the search looks into it
    aside: bool = False  # whether it is not shown, only saved and offered as a filter
    choose: bool = False  # whether the page offers its values to choose from; they are stored once


WATCH_COLUMNS = (
    WatchColumn("account_id", "Account", search=True),
    WatchColumn("name", "Name", search=True),
    WatchColumn("to_do", "To do", choose=True),
    WatchColumn("owner", "By", search=True, choose=True),
    WatchColumn("churn_probability", "Risk", "number", "percent"),
    WatchColumn("value_at_risk", "Value at risk", "number", "money"),
    WatchColumn("renewal", "Renewal"),
    WatchColumn("reason_1", "Why", search=True),
    WatchColumn("action", "Action", search=True, choose=True),
    WatchColumn("expected_value", "Expected value", "number", "money"),
    WatchColumn("churn_risk_band", "Band", choose=True, aside=True),
    WatchColumn("tier", "Tier", choose=True, aside=True),
    WatchColumn("quadrant", "Quadrant", choose=True, aside=True),
    WatchColumn("mrr", "MRR", "number", "money"),
)
ACT, HELD_BACK, NOTHING = "act", "held back", "no action"


@dataclass(frozen=True)
class WatchCell:
    """The content of a cell."""

    text: str
    link: str = ""


@dataclass(frozen=True)
class PageLinks:
    """Where the page of each account is, by its number in the list: on the same page, or in a file of a folder.

    >>> links = PageLinks(2, folder="pages")
    >>> links.of(2), links.of(250), PageLinks(2).of(3)
    ('#account-2', 'pages/00003.html#account-250', '')
    """

    here: int  # accounts that have their page in the report
    folder: str = ""  # the address of the folder with the others; empty without one
    home: str = ""  # the address of the report, for pages outside it

    def of(self, number: int) -> str:
        """Return the address of a page; empty when there is none."""
        if number <= self.here:
            return f"{self.home}#account-{number}"
        return f"{self.folder}/{-(-number // EACH):05d}.html#account-{number}" if self.folder else ""


@dataclass(frozen=True)
class WatchList:
    """The watch list, ready for the page."""

    columns: tuple[WatchColumn, ...]  # those that are shown
    first: list[list[WatchCell]]
    rows: list[list[Any]]  # every row as plain values; the columns to choose from as positions
    filters: list[tuple[str, str, list[tuple[str, str]]]]  # column, label, and pairs of value and words
    described: list[dict[str, Any]]  # the columns as the page's script reads them
    words: str

    def data(self, links: PageLinks) -> dict[str, Any]:
        """Return what the page's script reads."""
        pages = {"pages": links.here, "folder": links.folder, "home": links.home, "each": EACH}
        return {"columns": self.described, "rows": self.rows, **pages}


def ranked_accounts(scores: pd.DataFrame, chosen: ActionList) -> pd.DataFrame:
    """Return the scored accounts: those to act on first, best expected value first, then the others by risk."""
    scored = scores[scores["status"] == "scored"]
    listed = chosen.frame()
    value = [name for name in ("value_at_risk",) if name in listed and name not in scored]
    added = listed[["account_id", "owner", "rank", "expected_value", *value]].assign(
        action=listed["action"].str.replace("_", " "),
        to_do=np.where(listed["holdout"].astype(bool), HELD_BACK, ACT),
    )
    scored = scored.drop(columns=["action", "owner"], errors="ignore").merge(added, on="account_id", how="left")
    why = scored["account_id"].map(chosen.passed_over.astype("str"))
    scored["action"] = scored["action"].fillna("(" + why.astype("str") + ")")
    scored["to_do"] = scored["to_do"].fillna(NOTHING)
    if "days_to_renewal" in scored:
        days = scored["days_to_renewal"].dropna()
        scored.loc[days.index, "renewal"] = [text_of(chosen.cutoff + round(each * DAY))[:10] for each in days]
    scored["place"] = scored["rank"].where(scored["to_do"] == ACT)
    order = ["place", "churn_probability", "account_id"]
    if "reason_1" in scored:
        scored["reason_1"] = scored["reason_1"].str.removesuffix(" (raises the risk)")  # which is what the column is about
    ranked = scored.sort_values(order, ascending=[True, False, True], na_position="last")
    return ranked[[column.key for column in WATCH_COLUMNS if column.key in ranked]].reset_index(drop=True)


def lay_out(watch: pd.DataFrame, links: PageLinks) -> WatchList:
    """Lay the watch list out.

    >>> scores = pd.DataFrame({"account_id": ["a", "b"], "churn_probability": [0.5, 0.1], "tier": ["passive", "passive"]})
    >>> laid = lay_out(scores, PageLinks(1))
    >>> laid.rows, laid.first[0][1].text
    ([['a', 0.5, 0], ['b', 0.1, 0]], '50.0%')
    """
    columns = tuple(column for column in WATCH_COLUMNS if column.key in watch and watch[column.key].notna().any())
    made = [_values(watch[column.key], column) for column in columns]
    rows = [list(row) for row in zip(*(values for values, _ in made), strict=True)]
    described: list[dict[str, Any]] = []
    filters = []
    for column, (_, choices) in zip(columns, made, strict=True):
        entry: dict[str, Any] = {"key": column.key, "label": column.label, "kind": column.kind, "format": column.format}
        entry |= {"search": column.search, "aside": column.aside}
        if choices:
            entry |= {"values": choices, "words": [_words(column, each) for each in choices]}
            filters.append((column.key, column.label, [(each, _words(column, each)) for each in choices]))
        described.append(entry)
    first = [_first(row, columns, described, links.of(number)) for number, row in enumerate(rows[:FIRST_ROWS], 1)]
    to_act = int((watch["to_do"] == ACT).sum()) if "to_do" in watch else 0
    head = f"{plural(to_act, 'account')} to act on, best expected value first; then the others" if to_act else "Listed"
    there = len(rows) if links.folder else min(links.here, len(rows))
    pages = "Each has a page of its" if there == len(rows) else f"{count(there)} have a page of their"
    more = f" {pages} own." if there else ""
    words = f"{head} by risk, {plural(len(rows), 'scored account')} in all.{more}"
    shown = tuple(column for column in columns if not column.aside)
    return WatchList(shown, first, rows, filters, described, words)


def _values(column: pd.Series, what: WatchColumn) -> tuple[list[Any], list[str]]:
    if what.kind == "number":
        digits = 4 if what.format == "percent" else 0
        return [_number(value, digits) for value in column.astype("float64").tolist()], []
    texts = [None if pd.isna(value) else str(value) for value in column.tolist()]
    if not what.choose:
        return texts, []
    choices = _ordered({text for text in texts if text is not None}, what)
    places = {text: place for place, text in enumerate(choices)}
    return [None if text is None else places[text] for text in texts], choices


def _number(value: float, digits: int) -> float | int | None:
    if not math.isfinite(value):
        return None
    return round(value, digits) if digits else round(value)


def _ordered(found: set[str], what: WatchColumn) -> list[str]:
    known: Sequence[str] = {
        "quadrant": list(QUADRANTS),
        "churn_risk_band": ["low", "medium", "high"],
        "to_do": [ACT, HELD_BACK, NOTHING],
    }.get(what.key, [])
    return [*(each for each in known if each in found), *sorted(found - set(known))]


def _words(column: WatchColumn, value: str) -> str:
    return QUADRANTS.get(value, value) if column.key == "quadrant" else value


def _first(
    row: list[Any], columns: Sequence[WatchColumn], described: Sequence[Mapping[str, Any]], link: str
) -> list[WatchCell]:
    made = []
    for value, column, entry in zip(row, columns, described, strict=True):
        if column.aside:
            continue
        if value is None:
            made.append(WatchCell(""))
        elif "words" in entry:
            made.append(WatchCell(entry["words"][value]))
        elif column.format == "percent":
            made.append(WatchCell(percent(value)))
        elif column.format == "money":
            made.append(WatchCell(money(value)))
        else:
            made.append(WatchCell(str(value), link if column.key == "account_id" else ""))
    return made
