"""Explain accounts: score them now and at an earlier cutoff with one model, and say what lies between."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from staypower.actions.action_list import ActionList
from staypower.actions.choosing import choose_for
from staypower.config.playbooks import load_action_options
from staypower.config.settings import Settings
from staypower.cutoffs import DAY, before, instant_of, text_of
from staypower.errors import UsageError
from staypower.explanation.changes import compare_explanations
from staypower.models.bundle import Bundle, read_bundle
from staypower.models.champion import BundlePlace, find_bundle
from staypower.pipelines.arguments import (
    AccountIds,
    Moment,
    Previous,
    PreviousScores,
    SettingsLike,
    TablesLike,
    accounts_from,
    instant_from,
    model_from,
    previous_from,
    progress_from,
    settings_from,
    tables_from,
)
from staypower.pipelines.explanations import Explanations
from staypower.pipelines.loading import opened, rows_for
from staypower.pipelines.preparing import score_tables
from staypower.portfolio.building import has_a_past
from staypower.progress import Progress
from staypower.scoring.scores import Scores
from staypower.tables import Tables

__all__ = ["explain", "explain_tables"]

_ONE_MOMENT = "the tables tell of one moment only, so nothing can have changed"


def explain(
    settings: SettingsLike,
    tables: TablesLike = None,
    *,
    accounts: AccountIds = None,
    cutoff: Moment = None,
    model: str | int | Path | None = None,
    previous: Previous = None,
    progress: Progress | None = None,
) -> Explanations:
    """Say why accounts score as they do, or what moved the risk of the whole portfolio; as `staypower explain`.

    Both cutoffs are scored by the same model from the same tables, so that every change of a score is the exact sum of its
    features' changes. Earlier scores that are given say which cutoff to compare with, and nothing else.

    Parameters
    ----------
    settings : Settings, str, Path or mapping
        From `load_config`, or what it takes.
    tables : Tables, or mapping of str to table, optional
        From `read_tables`, or pandas, polars or Arrow tables by the names that `source` gives; by default the sources are read.
    accounts : str or list of str, optional
        Whom to explain; without any, what moved all accounts.
    cutoff : str, date or datetime, optional
        Instant of knowledge; by default the midnight UTC after everything that was observed.
    model : str, int or Path, optional
        A version or the folder of a bundle; the champion by default.
    previous : str, Path, ScoreResult or table, optional
        Scores of an earlier cutoff to compare with; by default accounts are scored one step earlier.
    progress : Progress, optional
        Announces the steps; quiet by default.

    Returns
    -------
    Explanations
        Shows itself in a notebook; `.to_shap()` plugs into `shap.plots`.
    """
    settings, progress = settings_from(settings), progress_from(progress)
    asked, at, compared = accounts_from(accounts), instant_from("cutoff", cutoff), previous_from(previous)
    place = find_bundle(settings.models_path, settings.name, model_from(model))
    bundle = read_bundle(place.folder, digest=place.digest)
    given = tables_from(settings, tables, progress)
    with opened(settings, given, name="explain", progress=progress) as found:
        rows = rows_for(settings, found.tables, asked)
        return explain_tables(settings, bundle, place, rows, accounts=asked, cutoff=at, previous=compared, progress=progress)


def explain_tables(
    settings: Settings,
    bundle: Bundle,
    place: BundlePlace,
    tables: Tables,
    *,
    progress: Progress,
    accounts: tuple[str, ...] = (),
    cutoff: int | None = None,
    previous: PreviousScores | None = None,
) -> Explanations:
    """Explain accounts of tables in memory."""
    # an action is given under a capacity that all accounts share
    listed = settings.playbook is not None
    whom = () if listed else accounts
    now = score_tables(settings, bundle, place, tables, progress=progress, cutoff=cutoff, accounts=whom)
    at = _earlier_cutoff(previous, now.cutoff, settings)
    earlier: Scores | None = None
    notes: tuple[str, ...] = (_ONE_MOMENT,)
    if previous is not None or has_a_past(tables):
        earlier, notes = _score_before(settings, bundle, place, tables, at, accounts, progress, strict=previous is not None)
    actions = _actions(settings, bundle, tables, now, progress) if listed else None
    chosen = _only(now, accounts) if accounts and listed else now
    changes = None if earlier is None else compare_explanations(earlier.explanation, chosen.explanation)
    if previous is not None and earlier is not None:
        notes = (*notes, *_differs(previous, earlier))
    table = None if actions is None else actions.table
    return Explanations(chosen, changes, earlier, accounts, table, notes, settings.output.reasons)


def _actions(settings: Settings, bundle: Bundle, tables: Tables, scores: Scores, progress: Progress) -> ActionList:
    with progress.step("choosing actions"):
        return choose_for(scores.table, tables, load_action_options(settings), cutoff=scores.cutoff, bundle=bundle)


def _earlier_cutoff(previous: PreviousScores | None, now: int, settings: Settings) -> int:
    if previous is None:
        return now - settings.cutoffs.every * DAY
    scores = previous.table
    found = sorted(set(scores["cutoff"].astype(str))) if "cutoff" in scores else []
    if len(found) != 1:
        value = f"{previous.name}: {len(found)} cutoffs"
        raise UsageError.of("not the scores of one cutoff", value, "give a file that `staypower score` wrote")
    at = instant_of(found[0])
    if not before(np.array([at]), now).all():
        value = f"{previous.name}: {found[0]}, now {text_of(now)}"
        raise UsageError.of("the previous scores are not the earlier ones", value, "give scores of an earlier cutoff")
    return at


def _score_before(
    settings: Settings,
    bundle: Bundle,
    place: BundlePlace,
    tables: Tables,
    at: int,
    accounts: tuple[str, ...],
    progress: Progress,
    *,
    strict: bool,
) -> tuple[Scores | None, tuple[str, ...]]:
    try:
        told = score_tables(settings, bundle, place, tables, progress=progress, cutoff=at, accounts=accounts)
    except UsageError as error:
        if strict:
            raise
        return None, (f"nothing to compare with at {text_of(at)}: {error.problems[0].problem}",)
    return told, ()


def _only(scores: Scores, accounts: Sequence[str]) -> Scores:
    """Keep the rows of some accounts."""
    rows = np.flatnonzero(pd.Index(scores.explanation.accounts).isin(accounts))
    table = scores.table[scores.table["account_id"].isin(accounts)].reset_index(drop=True)
    return Scores(table, scores.explanation.take(rows), scores.cutoff)


def _differs(previous: PreviousScores, earlier: Scores) -> tuple[str, ...]:
    """Say when the file holds other probabilities than this model gives at its cutoff."""
    written = previous.table
    if "account_id" not in written or "churn_probability" not in written:
        return ()
    both = earlier.table[["account_id", "churn_probability"]].merge(
        written[["account_id", "churn_probability"]], on="account_id", suffixes=("", "_written")
    )
    apart = (both["churn_probability"] - both["churn_probability_written"]).abs() > 1e-6
    if not apart.any():
        return ()
    return (
        f"{int(apart.sum()):,} probabilities in {previous.name} are not those of this model at that cutoff (another model, or "
        "rows that arrived later): what changed is told of this model at both cutoffs",
    )
