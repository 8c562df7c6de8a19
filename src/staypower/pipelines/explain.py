"""Explain accounts: score them now and at an earlier cutoff with one model, and say what lies between."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from staypower.config.settings import Settings
from staypower.cutoffs import DAY, before, instant_of, text_of
from staypower.errors import Problem, UsageError
from staypower.explanation.changes import compare_explanations
from staypower.pipelines.account_story import shown
from staypower.pipelines.actions import actions_of
from staypower.pipelines.explanations import Explanations
from staypower.pipelines.loading import load_tables, refuse_errors
from staypower.pipelines.score import scores_of
from staypower.portfolio.building import has_a_past
from staypower.progress import Progress
from staypower.scoring.scores import Scores
from staypower.tables import Tables
from staypower.writing import read_table

__all__ = ["nearest_accounts", "run_explain"]

_ONE_MOMENT = "the tables tell of one moment only, so nothing can have changed"
_MANY = 20_000
_NEAR = 0.6


def run_explain(
    settings: Settings,
    *,
    progress: Progress,
    accounts: tuple[str, ...] = (),
    cutoff: str | None = None,
    model: str | None = None,
    previous: Path | None = None,
    tables: Tables | None = None,
) -> Explanations:
    """Explain accounts, or what moved the risk of the whole portfolio.

    Both cutoffs are scored by the same model from the same tables, so that every change of a score is the exact sum of its
    features' changes. A file of earlier scores gives its cutoff and nothing else.
    """
    if tables is None:
        tables, findings = load_tables(settings, progress=progress)
        refuse_errors(findings)
    asked = tuple(dict.fromkeys(accounts))
    _require_known(asked, tables)
    # an action is given under a capacity that all accounts share
    listed = settings.playbook is not None
    whom = () if listed else asked
    now = scores_of(settings, progress=progress, cutoff=cutoff, model=model, accounts=whom, tables=tables)
    at = _earlier_cutoff(previous, now.cutoff, settings)
    earlier: Scores | None = None
    notes: tuple[str, ...] = (_ONE_MOMENT,)
    if previous is not None or has_a_past(tables):
        earlier, notes = _score_before(settings, progress, at, model, asked, tables, strict=previous is not None)
    actions = actions_of(settings, progress=progress, cutoff=cutoff, model=model, tables=tables, scores=now) if listed else None
    chosen = _only(now, asked) if asked and listed else now
    changes = None if earlier is None else compare_explanations(earlier.explanation, chosen.explanation)
    if previous is not None and earlier is not None:
        notes = (*notes, *_differs(previous, earlier))
    table = None if actions is None else actions.table
    return Explanations(chosen, changes, earlier, asked, table, notes, settings.output.reasons)


def nearest_accounts(account: str, known: Sequence[str], count: int = 3) -> list[str]:
    """Return the ids nearest to one that is not known.

    >>> nearest_accounts("a-0001", ["A-0001", "A-0002", "B"], count=1)
    ['A-0001']
    >>> nearest_accounts("A000025", [f"A{number:07d}" for number in range(600)])[0]
    'A0000025'
    """
    candidates: Iterable[str] = known
    if len(known) > _MANY:
        # comparing every id letter by letter would take minutes: those that share an end are the likely slips
        begin, end = account[:3].casefold(), account[-3:].casefold()
        candidates = [one for one in known if one[:3].casefold() == begin or one[-3:].casefold() == end][:_MANY]
    wrong = account.strip().casefold()
    found = []
    for one in candidates:
        folded = one.strip().casefold()
        matcher = difflib.SequenceMatcher(None, folded, wrong)
        if matcher.quick_ratio() >= _NEAR and matcher.ratio() >= _NEAR:
            # of ids that are equally near: a slip of the finger leaves both ends as they were
            ends = _shared(folded, wrong) + _shared(folded[::-1], wrong[::-1])
            found.append((-matcher.ratio(), -ends, one))
    return [one for _, _, one in sorted(found)[:count]]


def _shared(one: str, other: str) -> int:
    """Count the letters that two texts begin with alike."""
    pairs = zip(one, other, strict=False)
    return next((number for number, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _require_known(asked: Sequence[str], tables: Tables) -> None:
    if not asked:
        return
    known = tables.account_ids
    there = set(known)
    problems = []
    for account in asked:
        if account not in there:
            near = [shown(f"`{one}`") for one in nearest_accounts(account, known)]
            fix = f"write {' or '.join(near)}" if near else f"write an id as the tables have it, such as `{shown(known[0])}`"
            problems.append(Problem("unknown account", shown(account), fix))
    if problems:
        raise UsageError(problems)


def _earlier_cutoff(previous: Path | None, now: int, settings: Settings) -> int:
    if previous is None:
        return now - settings.cutoffs.every * DAY
    scores = read_table(previous, ("cutoff",))
    found = sorted(set(scores["cutoff"].astype(str))) if "cutoff" in scores else []
    if len(found) != 1:
        value = f"{previous}: {len(found)} cutoffs"
        raise UsageError.of("not the scores of one cutoff", value, "give a file that `staypower score` wrote")
    at = instant_of(found[0])
    if not before(np.array([at]), now).all():
        value = f"{previous}: {found[0]}, now {text_of(now)}"
        raise UsageError.of("the previous scores are not the earlier ones", value, "give scores of an earlier cutoff")
    return at


def _score_before(
    settings: Settings,
    progress: Progress,
    at: int,
    model: str | None,
    accounts: tuple[str, ...],
    tables: Tables,
    *,
    strict: bool,
) -> tuple[Scores | None, tuple[str, ...]]:
    try:
        told = scores_of(settings, progress=progress, cutoff=text_of(at), model=model, accounts=accounts, tables=tables)
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


def _differs(previous: Path, earlier: Scores) -> tuple[str, ...]:
    """Say when the file holds other probabilities than this model gives at its cutoff."""
    written = read_table(previous, ("account_id", "churn_probability"))
    if "account_id" not in written or "churn_probability" not in written:
        return ()
    both = earlier.table[["account_id", "churn_probability"]].merge(written, on="account_id", suffixes=("", "_written"))
    apart = (both["churn_probability"] - both["churn_probability_written"]).abs() > 1e-6
    if not apart.any():
        return ()
    return (
        f"{int(apart.sum()):,} probabilities in {previous} are not those of this model at that cutoff (another model, or "
        "rows that arrived later): what changed is told of this model at both cutoffs",
    )
