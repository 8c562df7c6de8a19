"""Pictures of an action list and of measured effects."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from matplotlib.ticker import PercentFormatter

from staypower.actions.action_list import ActionList
from staypower.actions.effects import Effects
from staypower.results.pictures import Picture

__all__ = ["pictures"]

# Okabe and Ito's colours differ for every kind of colour vision
_BLUE, _ORANGE, _GREY = "#0072B2", "#D55E00", "#595959"


def pictures(result: ActionList | Effects) -> dict[str, Callable[[], Picture]]:
    """Return what draws each picture of a result."""
    if isinstance(result, ActionList):
        return {"actions": partial(_draw_list, result)}
    return {"effects": partial(_draw_effects, result)}


def _draw_list(actions: ActionList) -> Picture:
    """Draw the cumulative expected value down the list, and the accounts of each action."""
    picture = Picture(figsize=(10, 4), layout="constrained")
    left, right = picture.subplots(1, 2)
    cumulative = np.nancumsum(actions.to_do["expected_value"].to_numpy(dtype=np.float64))
    left.plot(np.arange(1, len(cumulative) + 1), cumulative, color=_BLUE, label="best first")
    left.axhline(actions.by_risk, color=_ORANGE, linestyle="--", label="same capacity, highest risk first")
    left.set(title="Cumulative expected value", xlabel="accounts acted on", ylabel="money")
    left.legend(loc="lower right")
    found = actions.actions()
    found = found[found["accounts"] > 0].sort_values(["accounts", "action"])
    # a name that begins and ends with $ would be set as mathematics
    names = [str(name).replace("_", " ").replace("$", r"\$") for name in found["action"]]
    right.barh(names, found["accounts"], color=_BLUE)
    right.set(title="Accounts by action", xlabel="accounts")
    return picture


def _draw_effects(effects: Effects) -> Picture:
    """Draw every measured effect with its interval, next to what was assumed and what is used."""
    frame = effects.frame()
    found = frame[frame["measured"].notna()].iloc[::-1]
    picture = Picture(figsize=(8, 1.6 + 0.5 * len(found)), layout="constrained")
    axes = picture.subplots()
    rows = np.arange(len(found))
    wings = np.abs(found[["low", "high"]].to_numpy() - found[["measured"]].to_numpy()).T
    axes.errorbar(found["measured"], rows, xerr=wings, fmt="o", color=_BLUE, label="measured, 95% interval")
    axes.plot(found["assumed"], rows, "x", color=_ORANGE, label="assumed")
    axes.plot(found["used"], rows, "|", color=_GREY, markersize=14, label="used")
    axes.axvline(0.0, color=_GREY, linewidth=0.8)
    axes.set_yticks(rows, [str(name).replace("_", " ").replace("$", r"\$") for name in found["action"]])
    axes.set_ylim(-0.6, len(found) - 0.4)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set(title="Measured effects", xlabel="relative reduction in churn")
    axes.legend(loc="best")
    return picture
