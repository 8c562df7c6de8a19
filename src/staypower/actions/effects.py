"""Measured effects: accounts acted on against accounts held back at random, and what that makes of an assumption."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import numpy as np
import pandas as pd

from staypower.actions.account_facts import Outcomes
from staypower.actions.playbook import Playbook
from staypower.results.numbers import UNKNOWN, count, interval, percent, plain, plural
from staypower.results.result import Block, Items, Result, TableBlock

__all__ = ["LEAST_ACCOUNTS", "LEAST_CHURNERS", "Effect", "Effects", "assumed_effects", "measure_effects", "relative_cut"]

LEAST_ACCOUNTS = 30  # that each side must have before a measured effect is used
LEAST_CHURNERS = 5  # churned accounts that both sides must have together

_WIDTH = 1.959963984540054
_HEADS = ("action", "used", "assumed", "measured", "95% interval", "churned, acted on", "churned, held back")


@dataclass(frozen=True, kw_only=True)
class Effect:
    """The effect of one action: the relative reduction in churn probability."""

    action: str
    assumed: float | None  # what the playbook assumes; None for an action with a value, or one that the playbook does not know
    treated: int = 0  # accounts acted on whose outcome is known
    held: int = 0  # accounts held back whose outcome is known
    treated_churned: int = 0
    held_churned: int = 0
    waiting: int = 0  # accounts whose outcome is not complete yet
    mixed: int = 0  # accounts left out because another action was listed at nearly the same time
    # 1 - churn of those acted on / churn of those held back, and its 95% interval; NaN where a side is empty
    measured: float = math.nan
    low: float = math.nan
    high: float = math.nan
    weight: float = 0.0  # how much of `used` is measured, 0 to 1; the rest is assumed
    used: float | None = None  # what expected values are computed with

    @property
    def source(self) -> str:
        """`measured` once measurements count, else `assumed`."""
        return "measured" if self.weight > 0 else "assumed"

    @property
    def tried(self) -> bool:
        """Whether the table `outreach` holds the action."""
        return not math.isnan(self.measured) or self.waiting > 0 or self.mixed > 0

    @property
    def note(self) -> str:
        """What limits the measurement, in one line; empty when nothing does."""
        compared = not math.isnan(self.measured)
        parts = (
            ["too few accounts to use the measured effect"] if compared and self.used is not None and not self.weight else []
        )
        parts += [f"{plural(self.waiting, 'outcome')} not complete yet"] if self.waiting else []
        parts += [f"{count(self.mixed)} left out because another action overlapped"] if self.mixed else []
        return f"{self.action}: {', '.join(parts)}" if parts else ""


@dataclass(frozen=True)
class Effects(Result, drawn_by="staypower.actions.drawing"):
    """The effect of every action.

    >>> Effects({"call": Effect(action="call", assumed=0.1, used=0.1)}).used
    {'call': 0.1}
    """

    effects: Mapping[str, Effect]  # by action: those of the playbook first, then others that were tried
    problem: str | None = None  # why nothing was measured

    @property
    def used(self) -> dict[str, float]:
        """What expected values are computed with, by action."""
        return {name: effect.used for name, effect in self.effects.items() if effect.used is not None}

    def frame(self) -> pd.DataFrame:
        """Return one row per action, with the fields of `Effect` and `source`."""
        rows = [{**asdict(effect), "source": effect.source} for effect in self.effects.values()]
        frame = pd.DataFrame(rows, columns=[*Effect.__dataclass_fields__, "source"])
        return frame.astype(dict.fromkeys(("assumed", "measured", "low", "high", "weight", "used"), np.float64))

    def blocks(self) -> list[Block]:
        """Return a row for every action that was tried, or why nothing was measured."""
        tried = [effect for effect in self.effects.values() if effect.tried]
        if not tried:
            return [f"Every effect is assumed: {self.problem or 'no past outreach'}."]
        notes = [effect.note for effect in tried if effect.note]
        return [TableBlock(_HEADS, [_row(effect) for effect in tried]), *([Items(notes)] if notes else [])]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        actions = [{**asdict(effect), "source": effect.source} for effect in self.effects.values()]
        return cast("dict[str, Any]", plain({"problem": self.problem, "actions": actions}))

    def __repr__(self) -> str:
        return f"Effects of {len(self.effects)} actions, {sum(effect.tried for effect in self.effects.values())} tried"


def assumed_effects(playbook: Playbook) -> Effects:
    """Return the effects that a playbook assumes.

    >>> entry = {"lever": "any", "quadrant": "any", "step": "Call.", "owner": "sales", "cost": 5, "effect": 0.2}
    >>> assumed_effects(Playbook.model_validate({"actions": {"call": entry}})).used
    {'call': 0.2}
    """
    return Effects({name: Effect(action=name, assumed=a.effect, used=a.effect) for name, a in playbook.actions.items()})


def relative_cut(treated_churned: int, treated: int, held_churned: int, held: int) -> tuple[float, float, float, float]:
    """Estimate the relative reduction in churn from two sides of a trial.

    With half a churned account added to each side, and half an account, the ratio of shares and its error stay finite when none
    churned:
    log ratio = log((a + 1/2) / (n + 1/2)) - log((b + 1/2) / (m + 1/2)), variance = 1/(a + 1/2) - 1/(n + 1/2) + 1/(b + 1/2) -
    1/(m + 1/2) (Walter 1975, "The distribution of Levin's measure of attributable risk", Biometrika 62(2)).

    >>> [round(value, 3) for value in relative_cut(80, 1000, 10, 100)]
    [0.23, -0.417, 0.581, 0.311]
    """
    share = np.array([treated_churned + 0.5, held_churned + 0.5])
    whole = np.array([treated + 0.5, held + 0.5])
    logs = np.log(share / whole)
    ratio, error = float(logs[0] - logs[1]), float(np.sqrt((1 / share - 1 / whole).sum()))
    ends = (ratio, ratio + _WIDTH * error, ratio - _WIDTH * error)
    measured, low, high = (1.0 - math.exp(end) for end in ends)
    return measured, low, high, error


def measure_effects(playbook: Playbook, outcomes: Outcomes) -> Effects:
    """Measure every action that was tried, and decide which effect is used.

    Intention to treat: every account that was to be acted on counts as acted on. A measured effect needs 30 accounts on each
    side and 5 churned accounts. It is then averaged with the assumption, each weighted by the inverse of its variance; an
    assumed cut e is taken as log(1 - e) with an error of that size. So a small trial moves an assumption a little, a large one
    replaces it, and chance in a small one does not put an action at the top of the list.

    >>> entry = {"lever": "any", "quadrant": "any", "step": "Call.", "owner": "sales", "cost": 5, "effect": 0.2}
    >>> playbook = Playbook.model_validate({"actions": {"call": entry}})
    >>> call = np.array(["call"] * 4000, dtype=object)
    >>> held = np.arange(4000) >= 2000
    >>> nobody_is_helped = Outcomes(call, held, np.arange(4000) % 5 == 0)
    >>> effect = measure_effects(playbook, nobody_is_helped).effects["call"]
    >>> round(effect.measured, 3), round(effect.weight, 2), round(effect.used, 3)
    (0.0, 0.93, 0.016)
    """
    tried = dict.fromkeys(
        [*playbook.actions, *sorted({str(name) for name in outcomes.action} | set(outcomes.open) | set(outcomes.mixed))]
    )
    effects = {}
    for name in tried:
        mine = outcomes.action == name
        held, churned = outcomes.held[mine], outcomes.churned[mine]
        counts = (int((churned & ~held).sum()), int((~held).sum()), int((churned & held).sum()), int(held.sum()))
        assumed = playbook.actions[name].effect if name in playbook.actions else None
        effects[name] = _measured(name, assumed, counts, outcomes.open.get(name, 0), outcomes.mixed.get(name, 0))
    return Effects(effects, outcomes.problem)


def _measured(name: str, assumed: float | None, counts: tuple[int, int, int, int], waiting: int, mixed: int) -> Effect:
    treated_churned, treated, held_churned, held = counts
    found = Effect(
        action=name,
        assumed=assumed,
        treated=treated,
        held=held,
        treated_churned=treated_churned,
        held_churned=held_churned,
        waiting=waiting,
        mixed=mixed,
        used=assumed,
    )
    if not treated or not held:
        return found
    measured, low, high, error = relative_cut(treated_churned, treated, held_churned, held)
    found = replace(found, measured=measured, low=low, high=high)
    enough = min(treated, held) >= LEAST_ACCOUNTS and treated_churned + held_churned >= LEAST_CHURNERS
    if assumed is None or not enough:
        return found
    # an assumption may be wrong by its own size; a cut of 100% is read as one of 99%
    prior = math.log(max(1.0 - assumed, 0.01))
    weight = prior**2 / (prior**2 + error**2)
    used = 1.0 - math.exp(weight * math.log(1.0 - measured) + (1.0 - weight) * prior)
    return replace(found, used=used, weight=weight)


def _row(effect: Effect) -> list[str]:
    used, assumed = (UNKNOWN if share is None else _whole(share) for share in (effect.used, effect.assumed))
    return [
        effect.action,
        used,
        assumed,
        _whole(effect.measured),
        interval(effect.low, effect.high, _whole),
        f"{count(effect.treated_churned)} of {count(effect.treated)}",
        f"{count(effect.held_churned)} of {count(effect.held)}",
    ]


def _whole(share: float) -> str:
    return percent(share, 0)
