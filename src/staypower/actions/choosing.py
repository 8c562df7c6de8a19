"""From scores and a playbook to a list: who gets which action, and why the others get none."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from staypower.actions.account_facts import Outreach, gather_facts
from staypower.actions.action_list import ActionList, list_rows
from staypower.actions.effects import Effects, assumed_effects, measure_effects
from staypower.actions.playbook import ACCOUNT_OWNER, ActionSettings, Playbook
from staypower.actions.ranking import (
    NO_LIMIT,
    Candidates,
    Fit,
    Places,
    assign_owners,
    expected_values,
    fit_actions,
    held_back,
    select,
    values_at_risk,
)
from staypower.errors import UsageError
from staypower.explanation.topics import TOTALS
from staypower.features.settings import FeatureSettings
from staypower.labels.settings import LabelSettings
from staypower.models.bundle import Bundle
from staypower.portfolio.customer_value import ORDERED, account_values, monthly_revenue
from staypower.results.numbers import plural
from staypower.tables import BucketedTables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ActionOptions", "choose_actions", "choose_for", "used_columns"]

_USED = (
    *("account_id", "name", "status", "churn_probability", "p_involuntary", "expected_days_to_churn", "tier", "never_invited"),
    *("quadrant", "mrr", "clv", "value_at_risk", "satisfaction", "satisfaction_age_days", "asked_unanswered"),
    *("model_name", "model_version", "run_id"),
)

# how far a pair of account and action got
_NO_FIT, _CONDITIONS, _COOLING, _DOES_NOT_PAY, _NO_PLACE, _LISTED = range(6)
_WHY = {
    _NO_FIT: "no action for their levers and quadrant",
    _CONDITIONS: "conditions not met",
    _COOLING: "cooling down after an earlier action",
    _DOES_NOT_PAY: "acting would cost more than it is expected to bring",
    _NO_PLACE: "no capacity left",
}
# the same for one account, short enough for a table
_WHY_NOT = ("no fitting action", "conditions not met", "cooling down", "costs more than it brings", "no capacity left")


@dataclass(frozen=True)
class ActionOptions:
    """What decides on actions besides scores and tables."""

    playbook: Playbook
    label: LabelSettings  # what counts as churn after past outreach
    settings: ActionSettings = field(default_factory=ActionSettings)
    features: FeatureSettings = field(default_factory=FeatureSettings)  # windows and service level of measures
    packaged: bool = False  # whether the playbook is the packaged one
    team: int | None = None  # capacity that owners without one of their own share
    margin: float = 1.0  # share of revenue that is margin
    discount_rate: float = 0.01  # per month
    average: float | None = None  # lifetime value of accounts without revenue of their own
    threads: int = 2


def used_columns(reasons: int, *, sentences: bool = True) -> list[str]:
    """Return the columns of the scores that choosing uses; without sentences, the list gives no reasons.

    >>> used_columns(1, sentences=False)[-2:]
    ['lever_1', 'contribution_1']
    """
    parts = ("reason", "lever", "contribution") if sentences else ("lever", "contribution")
    return [*_USED, *TOTALS, *(f"{part}_{number}" for part in parts for number in range(1, reasons + 1))]


def choose_for(
    scores: pd.DataFrame, tables: BucketedTables, options: ActionOptions, *, cutoff: int, bundle: Bundle
) -> ActionList:
    """Choose actions for scored accounts: their values, measures and past outreach come from the tables."""
    playbook = options.playbook
    facts = gather_facts(
        tables,
        playbook,
        cutoff=cutoff,
        bundle=bundle,
        label=options.label,
        features=options.features,
        threads=options.threads,
    )
    table, past = facts.added_to(scores.reset_index(drop=True))
    table, notes = _with_values(table, options, float(bundle.metadata["base_rate"]))
    if ACCOUNT_OWNER in playbook.owners and "owner" not in table:
        notes.append("no account owner is known: `accounts.owner` needs `valid_from`, or must be declared `static`")
    if options.packaged:
        notes.append("this is the packaged playbook: its costs, effects and values are assumptions; copy it and write your own")
    effects = measure_effects(playbook, facts.outcomes)
    chosen = choose_actions(table, playbook, options.settings, cutoff=cutoff, team=options.team, past=past, effects=effects)
    return replace(chosen, notes=tuple(notes))


def _with_values(table: pd.DataFrame, options: ActionOptions, base_rate: float) -> tuple[pd.DataFrame, list[str]]:
    """Add lifetime value and value at risk where the scores do not have them, and say where they come from."""
    monthly = monthly_revenue(*(table[name].to_numpy() if name in table else None for name in ("mrr", ORDERED)))
    found = account_values(
        monthly,
        table["churn_probability"].to_numpy(),
        base_rate=base_rate,
        horizon_days=options.label.outcome_days,
        margin=options.margin,
        discount_rate=options.discount_rate,
        average=options.average,
    )
    notes = []
    averaged = int(((table["status"] == "scored").to_numpy() & ~found.own).sum())
    if options.average is not None and averaged:
        notes.append(f"{plural(averaged, 'account')} without revenue of their own: the average value `costs.clv` is used")
    if found.own.any() and options.margin == 1:
        notes.append("values are revenue, not margin: set `portfolio.margin`")
    if "value_at_risk" not in table or "clv" not in table:
        table = table.assign(clv=found.clv, value_at_risk=found.value_at_risk)
    return table, notes


def choose_actions(
    scores: pd.DataFrame,
    playbook: Playbook,
    settings: ActionSettings | None = None,
    *,
    cutoff: int,
    team: int | None = None,
    past: Outreach | None = None,
    effects: Effects | None = None,
) -> ActionList:
    """Choose one action at most for each account, those expected to bring most first.

    expected value = value_at_risk x effect - cost, or value - cost for an action that does not lower the risk. Pairs that are
    not expected to bring more than they cost are left out. An account without a value is ranked by the probability that is
    saved, churn_probability x effect, after everything with a value in money; where no account has a value, before it.

    >>> entry = {"lever": "any", "quadrant": "any", "step": "Call.", "owner": "sales", "cost": 50, "effect": 0.2}
    >>> playbook = Playbook.model_validate({"actions": {"call": entry}})
    >>> scores = pd.DataFrame({"account_id": ["a", "b", "c"], "status": "scored", "churn_probability": [0.9, 0.3, 0.2],
    ...                        "quadrant": "leaving", "value_at_risk": [180.0, 900.0, 500.0]})
    >>> chosen = choose_actions(scores, playbook, ActionSettings(holdout=0), cutoff=0)
    >>> chosen.frame()[["account_id", "action", "expected_value"]].to_dict("records")
    [{'account_id': 'b', 'action': 'call', 'expected_value': 130.0},
     {'account_id': 'c', 'action': 'call', 'expected_value': 50.0}]
    """
    settings = settings or ActionSettings()
    effects = effects or assumed_effects(playbook)
    table, past = _in_order(scores, past or Outreach.none(cutoff))
    fit = fit_actions(playbook, table)
    stage = _stages(fit, playbook, past)
    account, action = (part.astype(np.int64) for part in np.nonzero(stage == _NO_PLACE))
    values = expected_values(table, playbook, effects.used, account, action)
    pays = values.rank > 0
    stage[account[~pays], action[~pays]] = _DOES_NOT_PAY
    owners = assign_owners(table, playbook, settings, team)
    pairs = Candidates(account, action, values.group, values.rank, owners.positions(account, action))
    held = held_back(table["account_id"], share=settings.holdout, seed=settings.seed)
    order = pairs.order()
    best = order[pays[order]]
    chosen = _chosen(pairs, owners.places, held, best)
    stage[account[chosen], action[chosen]] = _LISTED
    listed = list_rows(table, playbook, effects, fit, values, owners, pairs, chosen, held, cutoff)
    return ActionList(
        table=listed,
        cutoff=cutoff,
        playbook=playbook,
        settings=settings,
        effects=effects,
        places=_places(owners.places, pairs.place[chosen], held[account[chosen]]),
        left_out=_left_out(table, stage),
        unanswerable=fit.unanswerable,
        by_risk=_by_risk(table, pairs, owners.places, held, best, values.expected),
        without_value=int(((table["status"] == "scored") & np.isnan(values_at_risk(table))).sum()),
        scored=int((table["status"] == "scored").sum()),
        passed_over=_passed_over(table, stage),
    )


def _in_order(scores: pd.DataFrame, past: Outreach) -> tuple[pd.DataFrame, Outreach]:
    """Return the scores sorted by account, and the past with its positions moved along."""
    if "account_id" not in scores:
        return scores, past  # reported with everything else that is missing
    ids = scores["account_id"]
    twice = ids[ids.duplicated()].unique()
    if len(twice):
        raise UsageError.of("duplicate account in the scores", ", ".join(map(str, twice[:10])), "give one row per account")
    if ids.is_monotonic_increasing:
        return scores.reset_index(drop=True), past
    order = np.argsort(ids.to_numpy(dtype=object), kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return scores.iloc[order].reset_index(drop=True), replace(past, account=place[past.account])


def _stages(fit: Fit, playbook: Playbook, past: Outreach) -> NDArray[np.int8]:
    """Find how far each pair gets before value and capacity are considered."""
    stage = np.where(fit.placed, np.int8(_CONDITIONS), np.int8(_NO_FIT))
    stage[fit.meets] = _NO_PLACE
    if len(past):
        accounts = len(stage)
        resting = past.recent(accounts, playbook.pause)
        for number, (name, action) in enumerate(playbook.actions.items()):
            cooling = resting | past.recent(accounts, action.cooldown, name)
            stage[fit.meets[:, number] & cooling, number] = _COOLING
    return stage


def _chosen(pairs: Candidates, places: Places, held: NDArray[np.bool_], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the pairs taken, in the order in which they are ranked."""
    taken = select(pairs, places, held, order)
    mine = np.zeros(len(pairs), dtype=bool)
    mine[taken[taken >= 0]] = True
    return order[mine[order]]


def _by_risk(
    table: pd.DataFrame,
    pairs: Candidates,
    places: Places,
    held: NDArray[np.bool_],
    best: NDArray[np.int64],
    expected: NDArray[np.float64],
) -> float:
    """Return the expected value of the same places if they went to the highest risks first."""
    probability = table["churn_probability"].to_numpy(dtype=np.float64, na_value=np.nan)
    order = best[np.argsort(-probability[pairs.account[best]], kind="stable")]
    chosen = _chosen(pairs, places, held, order)
    return float(np.nansum(expected[chosen[~held[pairs.account[chosen]]]]))


def _places(places: Places, taken: NDArray[np.int64], held: NDArray[np.bool_]) -> pd.DataFrame:
    """Count the places that are used and left."""
    used = np.bincount(taken[~held], minlength=len(places.names))
    limit = [None if most == NO_LIMIT else int(most) for most in places.limits]
    shared = {name: ", ".join(owner for owner, place in places.of.items() if place == n) for n, name in enumerate(places.names)}
    return pd.DataFrame(
        {
            "owner": list(places.names),
            "owners": [shared[name] for name in places.names],
            "capacity": pd.array(limit, dtype="Int64"),
            "used": used,
            "left": pd.array(
                [None if most is None else most - int(n) for most, n in zip(limit, used, strict=True)], dtype="Int64"
            ),
        }
    )


def _passed_over(table: pd.DataFrame, stage: NDArray[np.int8]) -> pd.Series:
    """Return why each scored account without an action has none."""
    nearest = stage.max(axis=1, initial=_NO_FIT)
    without = np.flatnonzero((table["status"] == "scored").to_numpy(dtype=bool) & (nearest != _LISTED))
    why = pd.Categorical.from_codes(nearest[without], categories=pd.Index(_WHY_NOT))  # one byte per account
    return pd.Series(why, index=pd.Index(table["account_id"].iloc[without], name="account_id"), name="why")


def _left_out(table: pd.DataFrame, stage: NDArray[np.int8]) -> dict[str, int]:
    """Count the accounts without an action by reason."""
    scored = (table["status"] == "scored").to_numpy(dtype=bool)
    nearest = stage.max(axis=1)
    counts = {words: int((scored & (nearest == code)).sum()) for code, words in _WHY.items()}
    statuses = table["status"][~scored].value_counts().sort_index()
    counts |= {f"not scored: {status}": int(count) for status, count in statuses.items()}
    return {words: count for words, count in counts.items() if count}
