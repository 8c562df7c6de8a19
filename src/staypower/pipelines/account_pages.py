"""The pages of watched accounts, and what changed since the previous cutoff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from staypower.config.settings import Settings
from staypower.cutoffs import text_of
from staypower.explanation.changes import Changes
from staypower.explanation.reasons import NO_LEVER
from staypower.pipelines.explanations import Explanations
from staypower.portfolio.settings import QUADRANTS
from staypower.reporting.page.contents import AccountPage, Said
from staypower.reporting.page.history import timelines_of
from staypower.tables import Tables

__all__ = ["account_pages", "moved_levers", "moved_words"]

_FACTS: tuple[tuple[str, str], ...] = (
    ("churn_risk_band", "risk band"),
    ("tier", "loyalty tier"),
    ("quadrant", "quadrant"),
    ("mrr", "MRR"),
    ("value_at_risk", "value at risk"),
)


def moved_levers(changes: Changes | None) -> list[Said]:
    """Return the levers that moved the risk of all accounts, strongest first."""
    if changes is None or not len(changes):
        return []
    return [
        Said(
            f"{_lever_name(row['lever'])}: {row['mean_change']:+.3f} log-odds on average, "
            f"up for {row['raised']:,} accounts, down for {row['lowered']:,}",
            float(row["mean_change"]),
        )
        for row in changes.portfolio().to_dict("records")
        if row["raised"] or row["lowered"]
    ]


def moved_words(explained: Explanations) -> str:
    """Say what the changes since the earlier cutoff add up to, or why there are none."""
    changes, earlier = explained.changes, explained.earlier
    if changes is None or earlier is None:
        return " ".join(explained.notes)
    then = text_of(earlier.cutoff)
    if not len(changes):
        return f"No account has a score both at {then} and now."
    mean = float(changes.score_changes.mean())
    rose, fell = int((changes.score_changes > 0).sum()), int((changes.score_changes < 0).sum())
    return (
        f"Since {then} the raw score of {len(changes):,} accounts moved by {mean:+.3f} log-odds on average: "
        f"it rose for {rose:,} and fell for {fell:,}. "
        f"{len(changes.appeared):,} accounts appeared, {len(changes.gone):,} are gone. "
        "The parts below add up to the average exactly."
    )


def _lever_name(lever: str) -> str:
    return "what nobody can pull on" if lever == NO_LEVER else lever


def account_pages(
    settings: Settings,
    explained: Explanations,
    tables: Tables,
    accounts: Sequence[str],
    *,
    actions: Mapping[str, str],
    without: Mapping[str, str],
) -> list[AccountPage]:
    """Make the pages of accounts."""
    explanation, cutoff = explained.explanation, explained.scores.cutoff
    place = {str(account): number for number, account in enumerate(explanation.accounts)}
    timelines = timelines_of(tables, accounts, cutoff, explanation.catalogue.settings)
    made = []
    for account in accounts:
        story = explained.story(account)
        made.append(
            AccountPage(
                account=account,
                facts=_facts(story.facts, settings.label.horizon),
                reasons=[Said(each.sentence, each.contribution, each.lever or "") for each in story.reasons],
                changes=[Said(each.sentence, each.contribution, each.lever or "") for each in story.changes],
                waterfall=explanation.waterfall(place[account]),
                base=explanation.base,
                raw=story.raw_score,
                timeline=timelines[account],
                action=actions.get(account, ""),
                change_words=_change_words(story.before, story.facts),
                no_action=str(without.get(account, "")),
            )
        )
    return made


def _change_words(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    if not before:
        return ""
    then, risk = before.get("churn_probability"), float(now["churn_probability"])
    if then is None:
        return "It had no score at the previous cutoff."
    verb = "rose" if risk > then else "fell"
    old, new = f"{100 * then:.1f} %", f"{100 * risk:.1f} %"
    return f"The risk stayed at {new}." if old == new else f"The risk {verb} from {old} to {new}."


def _facts(row: Mapping[str, Any], horizon: int) -> list[tuple[str, str]]:
    told = [(f"risk within {horizon} days", f"{100 * row['churn_probability']:.1f} %")]
    for name, label in _FACTS:
        if row.get(name) is not None:
            told.append((label, _said(name, row[name])))
    return told


def _said(name: str, value: Any) -> str:
    if name == "quadrant":
        return QUADRANTS.get(value, str(value))
    return f"{value:,.0f}" if isinstance(value, float | int) else str(value)
