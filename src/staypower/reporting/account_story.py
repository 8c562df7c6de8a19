"""One account explained: its score, the reasons, what changed, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from staypower.explanation.changes import Change
from staypower.explanation.reasons import Reason, lever_words
from staypower.results.blocks import Block, Heading, Items, printable
from staypower.results.numbers import chance, decimal, signed

__all__ = ["AccountStory", "standing"]

_NO_SCORE = {
    "not_active": "not an active customer",
    "notice_given": "had given notice",
    "too_new": "too new",
    "no_history": "no history",
    "invalid": "unusable data",
}


@dataclass(frozen=True)
class AccountStory:
    """One account explained."""

    account: str
    # its row of the scores: `status, churn_probability, churn_risk_band, tier, quadrant`, ... where they are known
    facts: Mapping[str, Any]
    base: float  # log-odds; NaN when the account has no score
    raw_score: float  # log-odds; NaN when the account has no score
    reasons: tuple[Reason, ...]
    levers: Mapping[str, float]  # sum of contributions by lever; with the base they add up to the raw score
    # the same facts at the earlier cutoff; empty when nothing is compared
    before: Mapping[str, Any] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()  # what changed the score since then
    change: float = float("nan")  # change of the raw score; NaN when there is none at one of the cutoffs
    # what the playbook asks for: `action, step, owner, holdout`; empty when the account is not on the list
    action: Mapping[str, Any] = field(default_factory=dict)

    def blocks(self) -> list[Block]:
        """Return the account's score, its reasons, what changed and what to do."""
        shown: list[Block] = [Heading(printable(f"{self.account}: {standing(self.facts)}"))]
        if self.reasons:
            shown += ["Reasons, in log-odds:", _contributions(self.reasons), self._levers()]
        if self.before:
            shown.append(printable(f"Before: {standing(self.before)}"))
        if self.changes:
            shown += [f"What changed ({_moved(self.change)} in total):", _contributions(self.changes)]
        if self.action:
            held = " Held back at random: do not act on this account." if self.action.get("holdout") else ""
            shown.append(printable(f"Action: {self.action['step']} ({self.action['owner']}){held}"))
        return shown

    def _levers(self) -> str:
        sums = sorted(self.levers.items(), key=lambda one: -abs(one[1]))
        parts = ", ".join(f"{lever_words(name)} {_moved(value)}" for name, value in sums)
        return f"By lever: {parts}. With the base {decimal(self.base, 2)} they add up to {decimal(self.raw_score, 2)}."

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "account_id": self.account,
            **self.facts,
            "base": self.base,
            "raw_score": self.raw_score,
            "reasons": [_plain(one, usual=one.typical, value=one.value) for one in self.reasons],
            "levers": dict(self.levers),
            "before": dict(self.before) or None,
            "change": self.change,
            "changes": [_plain(one, before=one.before, after=one.after) for one in self.changes],
            "action": dict(self.action) or None,
        }


def _moved(log_odds: float) -> str:
    return signed(log_odds, lambda value: decimal(value, 2))


def _contributions(parts: Sequence[Reason | Change]) -> Items:
    return Items(
        [printable(f"{_moved(one.contribution)} {one.sentence}{f' [{one.lever}]' if one.lever else ''}") for one in parts]
    )


def standing(facts: Mapping[str, Any]) -> str:
    """Return an account's probability, band, tier and quadrant in words, or why it has no score.

    >>> standing({"status": "scored", "churn_probability": 0.2, "churn_risk_band": "high", "horizon_days": 90})
    '20% within 90 days (high risk)'
    >>> standing({"status": "too_new"})
    'no score (too new)'
    """
    if facts.get("status") != "scored":
        return f"no score ({_NO_SCORE.get(str(facts.get('status')), 'status not recorded')})"
    known = [f"{facts['churn_risk_band']} risk", *(str(facts[name]) for name in ("tier", "quadrant") if facts.get(name))]
    return f"{chance(facts['churn_probability'])} within {facts['horizon_days']} days ({', '.join(known)})"


def _plain(one: Reason | Change, **more: float) -> dict[str, Any]:
    return {
        "sentence": one.sentence,
        "lever": one.lever,
        "contribution": one.contribution,
        "topic": one.topic,
        "feature": one.feature,
        **more,
    }
