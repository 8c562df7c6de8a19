"""Choose actions for accounts that are scored: values, past outreach and measures come together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import pyarrow as pa

from staypower.actions.action_list import ActionList
from staypower.actions.choosing import choose_actions
from staypower.actions.effects import measure_effects
from staypower.actions.playbook import ACCOUNT_OWNER, Playbook
from staypower.config.playbooks import DEFAULT_PLAYBOOK, load_playbook
from staypower.config.settings import Settings
from staypower.models.bundle import Bundle
from staypower.pipelines.account_facts import ORDERED, gather_facts
from staypower.portfolio.customer_value import account_values, monthly_revenue
from staypower.progress import Progress
from staypower.scoring.scores import ScoredParts, Scores
from staypower.tables import BucketedTables

__all__ = ["USED_COLUMNS", "action_columns", "choose_for", "choose_from"]

USED_COLUMNS = frozenset(
    {
        "account_id",
        "status",
        "churn_probability",
        "p_involuntary",
        "expected_days_to_churn",
        "tier",
        "never_invited",
        "quadrant",
    }
    | {"mrr", "clv", "value_at_risk", "satisfaction", "satisfaction_age_days", "asked_unanswered"}
    | {"model_name", "model_version", "run_id"}
)
"""The columns of the scored list that are used, besides those that begin with `reason_`, `lever_` and `contribution_`."""


def action_columns(
    settings: Settings, scores: Scores | ScoredParts, tables: BucketedTables, *, bundle: Bundle
) -> pa.Table | None:
    """Return the columns that a playbook puts beside the scores."""
    if settings.playbook is None:
        return None
    playbook = load_playbook(settings)
    rows = _rows_of(scores, settings.output.reasons, ("lever", "contribution"))
    chosen = choose_for(settings, rows, tables, playbook=playbook, cutoff=scores.cutoff, bundle=bundle)
    return pa.Table.from_pandas(chosen.table[["account_id", "action", "holdout"]], preserve_index=False)


def choose_from(
    settings: Settings, bundle: Bundle, tables: BucketedTables, scores: Scores | ScoredParts, *, progress: Progress
) -> ActionList:
    """Choose actions for scores by the playbook that the settings name."""
    playbook = load_playbook(settings)
    with progress.step("choosing actions"):
        rows = _rows_of(scores, settings.output.reasons, ("reason", "lever", "contribution"))
        return choose_for(settings, rows, tables, playbook=playbook, cutoff=scores.cutoff, bundle=bundle)


def _rows_of(scores: Scores | ScoredParts, reasons: int, parts: Sequence[str]) -> pd.DataFrame:
    """Return what is used of the scores: of those in files only the columns that are."""
    if isinstance(scores, Scores):
        return scores.frame()
    numbered = [f"{part}_{n}" for part in parts for n in range(1, reasons + 1)]
    return scores.frame([*sorted(USED_COLUMNS), *numbered])


def choose_for(
    settings: Settings,
    scores: pd.DataFrame,
    tables: BucketedTables,
    *,
    playbook: Playbook,
    cutoff: int,
    bundle: Bundle,
) -> ActionList:
    """Choose actions for accounts that are scored."""
    facts = gather_facts(settings, tables, playbook=playbook, cutoff=cutoff, bundle=bundle)
    table, past = facts.beside(scores.reset_index(drop=True))
    table, notes = _with_values(table, settings, float(bundle.metadata["base_rate"]))
    if ACCOUNT_OWNER in playbook.owners and "owner" not in table:
        notes.append("no account's own owner is known: `accounts.owner` must have `valid_from` or be declared `static`")
    if settings.playbook in (None, DEFAULT_PLAYBOOK):
        notes.append("the packaged playbook: its costs, effects and values are assumptions; copy it and write your own")
    effects = measure_effects(playbook, facts.outcomes)
    chosen = choose_actions(
        table, playbook, settings.actions, cutoff=cutoff, team=settings.capacity, past=past, effects=effects
    )
    return replace(chosen, notes=tuple(notes))


def _with_values(table: pd.DataFrame, settings: Settings, base_rate: float) -> tuple[pd.DataFrame, list[str]]:
    """Put lifetime value and value at risk beside the scores where they are not there yet, and say what they are."""
    monthly = monthly_revenue(*(table[name].to_numpy() if name in table else None for name in ("mrr", ORDERED)))
    found = account_values(
        monthly,
        table["churn_probability"].to_numpy(),
        base_rate=base_rate,
        horizon_days=settings.label.horizon,
        margin=settings.portfolio.margin,
        discount_rate=settings.portfolio.discount_rate,
        average=settings.costs.clv,
    )
    notes = []
    scored = (table["status"] == "scored").to_numpy()
    averaged = int((scored & ~found.own).sum())
    if settings.costs.clv is not None and averaged:
        notes.append(f"{averaged:,} accounts without revenue of their own have the average value `costs.clv`")
    if found.own.any() and settings.portfolio.margin == 1:
        notes.append("values are of revenue, not of margin: set `portfolio.margin`")
    if "value_at_risk" not in table or "clv" not in table:
        table = table.assign(clv=found.clv, value_at_risk=found.value_at_risk)
    return table, notes
