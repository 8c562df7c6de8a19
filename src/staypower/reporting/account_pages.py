"""The pages of the accounts of highest risk, and what changed in the portfolio since the previous cutoff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from staypower.actions.action_list import ActionList
from staypower.cutoffs import text_of
from staypower.explanation.changes import Change, Changes
from staypower.explanation.reasons import Reason, lever_words
from staypower.portfolio.settings import QUADRANTS
from staypower.reporting.contents import AccountPage, Sentence
from staypower.reporting.explanations import Explanations
from staypower.reporting.timelines import timelines_of
from staypower.results.numbers import count, money, percent, plural, signed
from staypower.tables import Tables

__all__ = ["account_pages", "changed_levers", "changed_words"]

_FACTS: tuple[tuple[str, str], ...] = (
    ("churn_risk_band", "risk band"),
    ("tier", "loyalty tier"),
    ("quadrant", "quadrant"),
    ("mrr", "MRR"),
    ("value_at_risk", "value at risk"),
)


def changed_levers(changes: Changes | None) -> list[Sentence]:
    """Return the levers that changed the risk of all accounts, strongest first."""
    if changes is None or not len(changes):
        return []
    return [
        Sentence(
            f"{lever_words(row['lever'])}: {signed(row['mean_change'])} log-odds on average, "
            f"up for {plural(row['raised'], 'account')}, down for {count(row['lowered'])}",
            float(row["mean_change"]),
        )
        for row in changes.portfolio().to_dict("records")
        if row["raised"] or row["lowered"]
    ]


def changed_words(explained: Explanations) -> str:
    """Write what the changes since the earlier cutoff add up to, or why there are none."""
    changes, earlier = explained.changes, explained.earlier
    if changes is None or earlier is None:
        return " ".join(f"{note[0].upper()}{note[1:]}." for note in explained.notes)
    then = text_of(earlier.cutoff)
    if not len(changes):
        return f"No account has a score both at {then} and now."
    moved = changes.score_changes
    return (
        f"Since {then} the raw score of {plural(len(changes), 'account')} changed by {signed(float(moved.mean()))} log-odds on "
        f"average: it rose for {count(int((moved > 0).sum()))} and fell for {count(int((moved < 0).sum()))}. "
        f"{plural(len(changes.appeared), 'account')} appeared, {count(len(changes.gone))} are gone. "
        "The levers below add up to the average exactly."
    )


def account_pages(
    explained: Explanations, tables: Tables, accounts: Sequence[str], chosen: ActionList, *, horizon: int
) -> list[AccountPage]:
    """Make the pages of some accounts."""
    explanation, cutoff = explained.explanation, explained.scores.cutoff
    place = {str(account): number for number, account in enumerate(explanation.accounts)}
    timelines = timelines_of(tables, accounts, cutoff, explanation.catalogue.settings)
    actions = {str(row["account_id"]): _next_step(row) for row in chosen.frame().to_dict("records")}
    made = []
    for account in accounts:
        story = explained.story(account)
        made.append(
            AccountPage(
                account=account,
                facts=_facts(story.facts, horizon),
                reasons=_sentences(story.reasons),
                changes=_sentences(story.changes),
                waterfall=explanation.waterfall(place[account]),
                base=explanation.base,
                raw=story.raw_score,
                timeline=timelines[account],
                action=actions.get(account, ""),
                change_words=_change_words(story.before, story.facts),
                no_action=str(chosen.passed_over.get(account, "")),
            )
        )
    return made


def _sentences(parts: Sequence[Reason | Change]) -> list[Sentence]:
    return [Sentence(each.sentence, each.contribution, each.lever or "") for each in parts]


def _next_step(row: Mapping[Any, Any]) -> str:
    """Write the action of an account, and that nothing is to be done where it is held back."""
    expected = "" if pd.isna(row["expected_value"]) else f", expected value {money(row['expected_value'])}"
    held = "Do nothing: held back at random, to measure what acting changes. Otherwise: " if row["holdout"] else ""
    return f"{held}{row['step']} ({row['owner']}{expected})"


def _change_words(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    if not before:
        return ""
    then, risk = before.get("churn_probability"), float(now["churn_probability"])
    if then is None:
        return "It had no score at the previous cutoff."
    verb = "rose" if risk > then else "fell"
    old, new = percent(then), percent(risk)
    return f"The risk stayed at {new}." if old == new else f"The risk {verb} from {old} to {new}."


def _facts(row: Mapping[str, Any], horizon: int) -> list[tuple[str, str]]:
    found = [(f"risk within {horizon} days", percent(row["churn_probability"]))]
    for name, label in _FACTS:
        if row.get(name) is not None:
            found.append((label, _written(name, row[name])))
    return found


def _written(name: str, value: Any) -> str:
    if name == "quadrant":
        return QUADRANTS.get(value, str(value))
    return money(value) if isinstance(value, float | int) else str(value)
