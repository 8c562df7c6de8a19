"""What is told of one account: the score, why it is so, what changed, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from staypower.explanation.changes import Change
from staypower.explanation.reasons import NO_LEVER, Reason

__all__ = ["AccountStory", "shown", "standing"]

_NO_SCORE = {
    "not_active": "not a customer then",
    "notice_given": "had given notice",
    "too_new": "too new",
    "no_history": "not known yet",
    "invalid": "unusable data",
}


@dataclass(frozen=True)
class AccountStory:
    """One account."""

    account: str
    # its row of the scores: `status, churn_probability, churn_risk_band, tier, quadrant`, ... where they are told
    facts: Mapping[str, Any]
    base: float  # log-odds; NaN when the account has no score
    raw_score: float  # log-odds; NaN when the account has no score
    reasons: tuple[Reason, ...]
    levers: Mapping[str, float]  # sum of contributions by lever; with the base they add up to the raw score
    # the same facts at the earlier cutoff; empty when nothing is compared
    before: Mapping[str, Any] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()  # what moved the score since then
    change: float = float("nan")  # change of the raw score; NaN when there is none at one of the cutoffs
    # what the playbook asks for: `action, step, owner, holdout`; empty when the account is not on the list
    action: Mapping[str, Any] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """Return the account as lines of text, safe to print whatever its name."""
        told = [shown(f"{self.account}: {standing(self.facts)}")]
        if self.reasons:
            told += ["  why:", *(_pushed(one.sentence, one.contribution, one.lever) for one in self.reasons)]
            sums = sorted(self.levers.items(), key=lambda one: -abs(one[1]))
            parts = [f"{_lever(name)} {value:+.2f}" for name, value in sums]
            told.append(f"  levers: {', '.join(parts)}; with the base {self.base:+.2f} they make {self.raw_score:+.2f}")
        if self.before:
            told.append(shown(f"  before: {standing(self.before)}"))
        if self.changes:
            told.append(f"  changed ({self.change:+.2f} together):")
            told += [_pushed(one.sentence, one.contribution, one.lever) for one in self.changes]
        if self.action:
            held = "; held back at random: leave it alone" if self.action.get("holdout") else ""
            told.append(shown(f"  action: {self.action['step']} ({self.action['owner']}){held}"))
        return told

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


def shown(text: str) -> str:
    r"""Return a text that a terminal can only print: what would steer it is written as its escape.

    >>> shown("a" + chr(27) + "[2J")
    'a\\x1b[2J'
    """
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _pushed(sentence: str, contribution: float, lever: str | None) -> str:
    return shown(f"    {contribution:+.2f}  {sentence}" + (f" [{lever}]" if lever else ""))


def _lever(name: str) -> str:
    return "what nobody can pull on" if name == NO_LEVER else name


def standing(facts: Mapping[str, Any]) -> str:
    """Return an account's probability, band, tier and quadrant in words, or why it has no score.

    >>> standing({"status": "scored", "churn_probability": 0.2, "churn_risk_band": "high", "horizon_days": 90})
    '20 % within 90 days (high risk)'
    >>> standing({"status": "too_new"})
    'no score (too new)'
    """
    if facts.get("status") != "scored":
        return f"no score ({_NO_SCORE.get(str(facts.get('status')), 'unknown')})"
    chance = facts["churn_probability"]
    risk = ">99 %" if chance > 0.99 else "<1 %" if chance < 0.01 else f"{100 * chance:.0f} %"
    told = [f"{facts['churn_risk_band']} risk", *(str(facts[name]) for name in ("tier", "quadrant") if facts.get(name))]
    return f"{risk} within {facts['horizon_days']} days ({', '.join(told)})"


def _plain(one: Reason | Change, **more: float) -> dict[str, Any]:
    return {
        "sentence": one.sentence,
        "lever": one.lever,
        "contribution": one.contribution,
        "topic": one.topic,
        "feature": one.feature,
        **more,
    }
