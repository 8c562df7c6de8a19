"""Why accounts leave: the terms of the log-odds by lever, and the true cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from staypower.simulation.parameters import Parameters
from staypower.simulation.state import State, sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Whole = NDArray[np.int64]

__all__ = ["LEVERS", "decline", "failure_chance", "leave_log_odds", "lever_terms", "recovery_chance", "removal_effects"]

LEVERS = ("onboarding", "adoption", "engagement", "support", "satisfaction", "billing", "value", "relationship")

#: Typical log(1 + effort): the support term is zero there.
_USUAL_EFFORT = 0.45


def decline(state: State, who: Whole | slice) -> Floats:
    """Return by how much engagement lies below the account's own usual: 0 when it does not, at most 1.3."""
    return 1.3 * np.tanh(np.maximum(state.usual[who] - state.engagement[who], 0.0) / 1.3)


def lever_terms(state: State, day: int, who: Whole | slice, parameters: Parameters) -> dict[str, Floats]:
    """Return what each lever adds to the log-odds of leaving at a monthly renewal."""
    p = parameters
    tenure = (day - state.first_day[who]) / 7
    behind = np.maximum(np.minimum(tenure / 9, 1.0) - state.steps[who] / 4, 0.0)
    falling = decline(state, who)
    value = state.value[who]
    strain = np.log1p(state.effort[who]) - _USUAL_EFFORT
    dearer = (day >= state.discount_ends[who]) & (day < state.discount_ends[who] + 90)
    return {
        "onboarding": p.lever_onboarding * behind * np.clip(1.25 - tenure / 52, 0.25, 1.0),
        "adoption": -p.lever_adoption * state.adoption[who],
        "engagement": p.lever_engagement * falling,
        "support": p.lever_support * strain * np.where((value < -0.2) & (strain > 0), 1.5, 1.0),
        "satisfaction": -p.lever_satisfaction * state.satisfaction[who],
        "billing": p.lever_billing * np.maximum(state.tight[who], dearer / 1.5),
        "value": -p.lever_value * value,
        "relationship": p.lever_relationship * ~state.champion[who] * (1 + 0.7 * falling),
    }


def leave_log_odds(state: State, day: int, who: Whole | slice, parameters: Parameters) -> Floats:
    """Return the log-odds of leaving by choice at the renewal that is being decided."""
    terms = lever_terms(state, day, who, parameters)
    total = np.full_like(terms["value"], parameters.leave_base)
    for term in terms.values():
        total += term
    total += state.annual[who] * parameters.leave_annual
    total += ~state.auto_renew[who] * parameters.leave_auto_renew_off
    return total


def failure_chance(state: State, month: int, who: Whole | slice, parameters: Parameters) -> Floats:
    """Return the chance that an invoice of this month fails at once."""
    ordinary = parameters.failure_base + parameters.failure_tight * state.tight[who]
    return np.where(state.card_month[who] < month, 1.0, ordinary)


def recovery_chance(state: State, who: Whole | slice, parameters: Parameters) -> Floats:
    """Return the chance that a retry of a failed payment succeeds."""
    log_odds = parameters.recovery_base + 0.8 * state.engagement[who] + 0.6 * state.champion[who]
    return sigmoid(log_odds - 0.9 * state.tight[who])


def removal_effects(
    state: State, day: int, month: int, renewals: Floats, parameters: Parameters, horizon: int
) -> dict[str, Floats]:
    """Return by how much each lever raises the coming hazard: its log, less the log when the lever is set to typical.

    The hazard is a first-order one from the state at the cutoff: renewals x P(leave) + P(a payment fails) x P(no retry
    succeeds).
    """
    everyone = slice(None)
    terms = lever_terms(state, day, everyone, parameters)
    log_odds = leave_log_odds(state, day, everyone, parameters)
    invoices = np.where(state.annual & state.prepaid, renewals, horizon / 30.4)
    lost = (1 - recovery_chance(state, everyone, parameters)) ** 3
    expiring = (state.card_month - month) * 30.4 < horizon
    usual_failure = np.minimum(invoices * parameters.failure_base, 1.0)
    failure = np.where(expiring, 0.3, invoices * (parameters.failure_base + parameters.failure_tight * state.tight))
    failure = np.where(state.dunning > 0, 1.0, np.minimum(failure, 1.0))
    often = np.maximum(renewals, 0.1)
    total = np.log(often * sigmoid(log_odds) + failure * lost)
    effects = {}
    for lever, term in terms.items():
        paying = usual_failure if lever == "billing" else failure
        effects[lever] = total - np.log(often * sigmoid(log_odds - term) + paying * lost)
    return effects
