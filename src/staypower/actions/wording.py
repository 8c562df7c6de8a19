"""The action list in words and tables."""

from __future__ import annotations

from typing import Any

import pandas as pd

from staypower.actions.action_list import ActionList
from staypower.cutoffs import text_of
from staypower.portfolio.attributes import called
from staypower.results.numbers import count, money, percent, plural
from staypower.results.result import Block, Head, Heading, Items, TableBlock

__all__ = ["blocks", "brief_blocks"]


def blocks(result: ActionList) -> list[Block]:
    """Return the summary of a list: how much, by action, capacity, why others have none, measured effects, whom first."""
    return [
        *_head(result),
        *_by_action(result),
        *_capacity(result),
        *_left_out(result),
        Heading("Effects"),
        *result.effects.blocks(),
        *_first(result, 5),
    ]


def brief_blocks(result: ActionList) -> list[Block]:
    """Return a list in a few lines: how much, and whom first."""
    return [*_head(result)[:1], *_first(result, 3)]


def _head(result: ActionList) -> list[Block]:
    parts = [f"{plural(len(result.to_do), 'action')} for {plural(result.scored, 'scored account')} at {text_of(result.cutoff)}"]
    if len(result.to_do) and result.to_do["expected_value"].notna().any():
        parts[0] += f", expected to bring {money(result.expected_value)}"
        if (result.places["left"] == 0).any():
            parts.append(f"The same capacity spent on the highest risks first would bring {money(result.by_risk)}")
    if result.settings.holdout:
        parts.append(
            f"Held back at random, not to be acted on: {plural(int(result.table['holdout'].sum()), 'account')} (each with a "
            f"chance of {percent(result.settings.holdout)}, seed {result.settings.seed})"
        )
    notes = [_no_value(result)] if result.without_value else []
    notes += [f"{note[0].upper()}{note[1:]}" for note in result.notes]
    return [". ".join(parts) + ".", *([Items([f"{note}." for note in notes])] if notes else [])]


def _no_value(result: ActionList) -> str:
    if result.without_value == result.scored:
        return "No account has a monetary value: accounts are ranked by the reduction in churn probability; costs are ignored"
    have = "account has" if result.without_value == 1 else "accounts have"
    ranked = "ranked after the others, by the reduction in churn probability"
    return f"{count(result.without_value)} {have} no monetary value: {ranked}"


def _by_action(result: ActionList) -> list[Block]:
    found = result.actions()
    found = found[(found["accounts"] > 0) | (found["held_back"] > 0)]
    rows = [
        [row["action"], row["owner"], count(row["accounts"]), count(row["held_back"]), money(row["expected_value"])]
        for row in found.to_dict("records")
    ]
    heads = ("action", Head("owner", "left"), "accounts", "held back", "expected value")
    return [TableBlock(heads, rows, title="Actions")] if rows else []


def _capacity(result: ActionList) -> list[Block]:
    rows = []
    for row in result.places.to_dict("records"):
        limited = not pd.isna(row["capacity"])
        if limited or row["used"]:
            who = row["owner"] if row["owner"] == row["owners"] else f"{row['owner']} ({row['owners']})"
            rows.append(
                [who, count(row["used"]), *((count(row["capacity"]), count(row["left"])) if limited else ("no limit", ""))]
            )
    return [TableBlock(["owner", "used", "capacity", "left"], rows, title="Capacity")] if rows else []


def _left_out(result: ActionList) -> list[Block]:
    lines = [f"{plural(number, 'account')}: {words}" for words, number in result.left_out.items()]
    lines += [f"action {name}: `{measure}` is not available" for name, measure in result.unanswerable.items()]
    return [Heading("Without an action"), Items(lines)] if lines else []


def _first(result: ActionList, number: int) -> list[Block]:
    rows = result.to_do.head(number).to_dict("records")
    return [Heading("First on the list"), Items([_line(row) for row in rows])] if rows else []


def _line(row: dict[Any, Any]) -> str:
    brings = "" if pd.isna(row["expected_value"]) else f", expected value {money(row['expected_value'])}"
    reason = f": {row['reason']}" if isinstance(row["reason"], str) else ""
    return f"{called(row)}: {row['action']} ({row['owner']}{brings}){reason}"
