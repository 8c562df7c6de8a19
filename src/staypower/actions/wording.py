"""The action list as plain text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from staypower.cutoffs import text_of

if TYPE_CHECKING:
    from staypower.actions.result import ActionList

__all__ = ["brief_of_list", "text_of_list"]


def text_of_list(actions: ActionList, *, first: int = 5) -> str:
    """Write the summary of a list."""
    parts = [_head(actions), _actions(actions), _places(actions), _left_out(actions), _effects(actions), _first(actions, first)]
    return "\n\n".join("\n".join(part) for part in parts if part)


def brief_of_list(actions: ActionList, *, first: int = 3) -> str:
    """Write a list in a few lines: how much, and whom first."""
    return "\n".join([*_head(actions)[:3], *_first(actions, first)])


def _head(actions: ActionList) -> list[str]:
    held = int(actions.table["holdout"].sum())
    lines = [f"{len(actions.to_do):,} actions for {actions.scored:,} scored accounts at {text_of(actions.cutoff)}"]
    if len(actions.to_do) and actions.to_do["expected_value"].notna().any():
        lines[0] += f", expected to bring {actions.expected_value:,.0f}"
        if _limited(actions):
            lines.append(f"the same places given to the highest risks first: {actions.by_risk:,.0f}")
    if actions.settings.holdout:
        share = f"{100 * actions.settings.holdout:g} %"
        lines.append(
            f"held back at random, not to be acted on: {held:,} (each account with {share}, seed {actions.settings.seed})"
        )
    if actions.without_value:
        lines.append(_no_value(actions))
    return [*lines, *actions.notes]


def _limited(actions: ActionList) -> bool:
    return bool((actions.places["left"] == 0).any())


def _no_value(actions: ActionList) -> str:
    if actions.without_value == actions.scored:
        return "no account has a value in money: ranked by the churn probability that is saved, costs not looked at"
    return f"{actions.without_value:,} accounts have no value in money: ranked after the others by the probability saved"


def _actions(actions: ActionList) -> list[str]:
    found = actions.actions()
    found = found[(found["accounts"] > 0) | (found["held_back"] > 0)]
    if not len(found):
        return []
    width = max(len(name) for name in found["action"])
    lines = ["actions:"]
    for row in found.to_dict("records"):
        brings = "" if math.isnan(row["expected_value"]) else f", expected {row['expected_value']:,.0f}"
        held = f", {row['held_back']:,} held back" if row["held_back"] else ""
        lines.append(f"  {row['action']:<{width}}  {row['accounts']:>5,}  {row['owner']}{brings}{held}")
    return lines


def _places(actions: ActionList) -> list[str]:
    lines = ["capacity:"]
    for row in actions.places.to_dict("records"):
        if pd.isna(row["capacity"]) and not row["used"]:
            continue
        who = row["owner"] if row["owner"] == row["owners"] else f"{row['owner']} ({row['owners']})"
        limit = "no limit" if pd.isna(row["capacity"]) else f"{row['left']:,} of {row['capacity']:,} left"
        lines.append(f"  {who}: {row['used']:,} used, {limit}")
    return lines if len(lines) > 1 else []


def _left_out(actions: ActionList) -> list[str]:
    lines = [f"  {count:,} {words}" for words, count in actions.left_out.items()]
    lines += [f"  action {name}: nothing tells `{measure}`" for name, measure in actions.unanswerable.items()]
    return ["left out:", *lines] if lines else []


def _effects(actions: ActionList) -> list[str]:
    lines = actions.effects.text().splitlines()
    return [f"effects: {lines[0]}"] if len(lines) == 1 else ["effects:", *(f"  {line}" for line in lines)]


def _first(actions: ActionList, count: int) -> list[str]:
    lines = []
    for row in actions.to_do.head(count).to_dict("records"):
        brings = "" if pd.isna(row["expected_value"]) else f", expected {row['expected_value']:,.0f}"
        lines.append(f"  {row['account_id']}: {row['action']} ({row['owner']}{brings})")
        if isinstance(row["reason"], str):
            lines.append(f"      {row['reason']}")
    return ["first on the list:", *lines] if lines else []
