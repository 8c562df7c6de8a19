"""Checks 4 and 6: single features, or merely having rows, that give the outcome away."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from staypower.auditing.report import Case, Check
from staypower.checking.leaks import SEPARATION, leak_suspects, suspicious_name
from staypower.cutoffs import MISSING, before
from staypower.features.definition import Definition, Feature
from staypower.features.streams.making import source_of
from staypower.results.numbers import decimal, plural
from staypower.tables import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["find_presence", "find_separation", "one_row_each"]

_FEWEST = 10
_BY_CHANCE = 1e-6
_NAMED = 8
_CERTAIN = 5.0
_HEAD = "looks like a leak: "


def find_separation(case: Case) -> Check:
    """Look for a feature that alone ranks leavers and stayers too well, or whose missingness does.

    One training row is drawn per account, so that chance is counted in accounts. Attributes are also compared with whether
    the account ever churned. The rules are those of `staypower check`: an AUROC of 0.95 or more in either direction, or one
    outcome for all accounts with, or without, a value. The AUROC counts only where enough accounts have a value: five standard
    deviations from chance. One outcome counts only if no row of the other accounts contradicts it: the rows drawn of accounts
    that churned early are of young accounts, which lack what comes with time.
    """
    dataset = case.dataset
    chosen = one_row_each(dataset.matrix.accounts, dataset.rows("training", "calibration"), seed=case.seed)
    y = dataset.y[chosen]
    frame = _frame(case, chosen)
    rarer = int(min(y.sum(), len(y) - y.sum()))
    drawn = ((name, problem) for name, problem in _separating(frame, y) if not _contradicted(case, name, problem))
    suspects = {**_separating_ever(case), **dict(drawn)} if rarer >= _FEWEST else {}
    found = [f"`{name}`: {_words(case, name, problem)}" for name, problem in suspects.items()]
    named = _named(case)
    looked = f"{frame.shape[1]} features on one training row per account ({len(y):,} accounts, {int(y.sum()):,} churned)"
    if rarer < _FEWEST:
        evidence = (f"{looked}: fewer than {_FEWEST} of one outcome, too few to test", *named)
        return Check("too good to be true", "unproven", evidence, {"suspects": [], "names": named})
    if found:
        more = [f"and {len(found) - _NAMED} more"] if len(found) > _NAMED else []
        evidence = (f"{len(found)} of {looked}", *found[:_NAMED], *more, *named)
        return Check("too good to be true", "failed", evidence, {"suspects": found, "names": named})
    evidence = (f"{looked}: none separates the outcomes with an AUROC of 0.95 or by being missing", *named)
    return Check("too good to be true", "unproven" if named else "passed", evidence, {"suspects": [], "names": named})


def one_row_each(accounts: NDArray[np.object_], eligible: NDArray[np.bool_], *, seed: int) -> NDArray[np.int64]:
    """Draw one of the eligible rows of each account.

    >>> rows = one_row_each(np.array(["a", "a", "b"], dtype=object), np.array([True, True, False]), seed=0)
    >>> len(rows), rows[0] in (0, 1)
    (1, True)
    """
    place = np.random.default_rng(seed).permutation(np.flatnonzero(eligible))
    _, first = np.unique(accounts[place].astype(str), return_index=True)
    return np.sort(place[first])


def _frame(case: Case, chosen: NDArray[np.int64]) -> pd.DataFrame:
    frame = case.dataset.X.iloc[chosen].reset_index(drop=True)
    for name in case.dataset.matrix.categories:
        # a code is a word, not a size
        words = frame[name].map(lambda code: f"code {code:g}", na_action="ignore")
        frame[name] = words.astype(object)
    return frame


def _separating(frame: pd.DataFrame, y: NDArray[np.int8]) -> list[tuple[str, str]]:
    # neutral names: the names of our own features are no evidence
    neutral = [f"f{position}" for position in range(frame.shape[1])]
    tested = frame.set_axis(neutral, axis=1)
    for name in neutral:
        there = tested[name].notna()
        if not _enough(y[there.to_numpy()]):
            # with few values, only whether there is one is tested
            tested[name] = there.map({True: 1.0, False: np.nan})
    suspects = leak_suspects(tested, y, table="features")
    return [(str(frame.columns[neutral.index(finding.column)]), finding.problem.removeprefix(_HEAD)) for finding in suspects]


def _contradicted(case: Case, name: str, problem: str) -> bool:
    """Say whether rows that were not drawn contradict one outcome for all accounts with, or without, a value."""
    if not problem.startswith("all "):
        return False
    dataset = case.dataset
    _, place = np.unique(dataset.matrix.accounts.astype(str), return_inverse=True)
    churned = (np.bincount(place, weights=dataset.y) > 0)[place]
    missing = dataset.X[name].isna().to_numpy()
    alike = (missing if " is missing " in problem else ~missing) & dataset.rows("training", "calibration")
    return bool((churned[alike] != problem.endswith(" left")).any())


def _separating_ever(case: Case) -> dict[str, str]:
    """Compare attributes with whether their account ever churned: their values are those of the day of the export."""
    dataset = case.dataset
    attributes = [
        definition.name
        for definition in dataset.catalogue.definitions
        if isinstance(definition, Feature) and source_of(definition.table) == "accounts"
    ]
    if not attributes:
        return {}
    accounts, place = np.unique(dataset.matrix.accounts.astype(str), return_inverse=True)
    churned = (np.bincount(place, weights=dataset.y) > 0).astype(np.int8)
    last = np.zeros(len(accounts), dtype=np.int64)
    last[place] = np.arange(len(place))
    found = _separating(_frame(case, last)[attributes], churned)
    return {name: f"compared with whether the account ever churned, {problem}" for name, problem in found}


def _enough(y: NDArray[np.int8]) -> bool:
    """Say whether an AUROC of 0.95 on these outcomes lies five standard deviations from chance."""
    left = int(y.sum())
    stayed = len(y) - left
    if not left or not stayed:
        return False
    deviation = math.sqrt((left + stayed + 1) / (12 * left * stayed))
    return _CERTAIN * deviation <= SEPARATION - 0.5


def _words(case: Case, name: str, problem: str) -> str:
    return f"{problem}; likely cause: {_cause(case.dataset.catalogue[name])}"


def _cause(definition: Definition) -> str:
    if not isinstance(definition, Feature):
        return f"it is derived from {' and '.join(f'`{name}`' for name in definition.inputs)}: check those"
    table = source_of(definition.table)
    if table == "accounts":
        return f"`accounts.{definition.column}` is written or filled in after the outcome: leave it out of `static`"
    column = f" or `{definition.column}`" if definition.column else ""
    return f"rows of `{table}`{column} are created because an account leaves, and dated earlier than they were known"


def _named(case: Case) -> list[str]:
    """Name attributes whose name suggests the outcome."""
    found = []
    for definition in case.dataset.catalogue.definitions:
        if isinstance(definition, Feature) and definition.table == "accounts" and definition.column:
            word = suspicious_name(definition.column)
            if word is not None:
                found.append(
                    f"`accounts.{definition.column}` has `{word}` in its name: it may have been recorded after the outcome"
                )
    return found


@dataclass(frozen=True)
class _Question:
    """Something that an account has or lacks, at any time, and that may give the outcome away."""

    words: str
    has: NDArray[np.bool_]
    cause: str
    grows: bool = False  # it comes with time, so accounts that left early may lack it without any leak
    seen: bool = True  # by features, at some cutoff


def find_presence(case: Case) -> Check:
    """Look whether having rows, at any time, gives the outcome away.

    An account counts as churned when it churned in the outcome of any cutoff of the plan. The check fails when presence alone
    ranks the outcomes with an AUROC of 0.95, or when all accounts that have it share one outcome and the chance of that is
    below one in a million. Rows come with time: that all accounts without them churned is no problem, and that all accounts
    with them stayed is one only if features see such rows.
    """
    dataset = case.dataset
    accounts, place = np.unique(dataset.matrix.accounts.astype(str), return_inverse=True)
    left = np.bincount(place, weights=dataset.y) > 0
    tables = [table for name, table in case.tables.items() if name != "accounts" and name not in case.hidden]
    if not tables:
        return Check("presence", "not applicable", ("there is no table but `accounts`, which has a row per account",))
    looked = f"{plural(len(tables), 'table')}, {plural(len(accounts), 'account')}, {int(left.sum()):,} churned"
    if min(left.sum(), (~left).sum()) < _FEWEST:
        return Check("presence", "unproven", (f"{looked}: fewer than {_FEWEST} of one outcome, too few to test",))
    problems = [problem for question in _questions(case, tables, accounts) for problem in _giveaways(question, left)]
    if problems:
        return Check("presence", "failed", (*problems, looked), {"problems": problems})
    evidence = f"{looked}: having rows, a sign-up date, or rows before it does not separate the outcomes"
    return Check("presence", "passed", (evidence,), {"problems": []})


def _giveaways(question: _Question, left: NDArray[np.bool_]) -> Iterator[str]:
    """Say how having or lacking something gives the outcome away, if it does."""
    has = question.has
    more = float(has[left].mean() - has[~left].mean())
    # the AUROC of a yes-or-no value: one half plus half the difference of its shares
    area = 0.5 + abs(more) / 2
    reasons = [f"an AUROC of {decimal(area)}"] if area >= SEPARATION and (more > 0 or question.seen) else []
    for group, words, grown in ((has, "with", False), (~has, "without", question.grows)):
        for outcome, verb in ((True, "left"), (False, "stayed")):
            same = group.any() and (left[group] == outcome).all() and not grown
            if same and (left == outcome).mean() ** int(group.sum()) < _BY_CHANCE and (outcome or question.seen):
                reasons.append(f"all {int(group.sum()):,} {words} it {verb}")
    if reasons:
        shares = [f"{int(left[group].sum()):,} of {int(group.sum()):,}" for group in (has, ~has)]
        counts = f"{shares[0]} accounts with it churned, {shares[1]} without"
        yield f"{question.words}: {counts} ({'; '.join(reasons)}); likely cause: {question.cause}"


def _questions(case: Case, tables: list[Table], accounts: NDArray[np.str_]) -> Iterator[_Question]:
    anywhere = np.zeros(len(accounts), dtype=bool)
    for table in tables:
        numbers = _numbers(table, accounts)
        has = _present(numbers, len(accounts))
        anywhere |= has
        visible = _visible(case, table, numbers, accounts)
        cause = f"`{table.name}` was exported afterwards, or is filled or cleared because an account leaves: leave it out"
        seen = f"features see rows of {plural(visible, 'account')}" if visible else "features do not see it yet"
        yield _Question(f"a row in `{table.name}`", has, f"{cause} ({seen})", grows=True, seen=visible > 0)
    cause = "accounts were selected by their outcome"
    yield _Question("a row in any event table", anywhere, cause, grows=True)
    signed_up = _sign_ups(case, accounts)
    if signed_up is not None:
        cause = "sign-ups are filled in or removed because an account leaves"
        yield _Question("a sign-up date", signed_up != MISSING, cause)
        yield _Question("a row before its sign-up", _early(tables, accounts, signed_up), "sign-ups are overwritten later")


def _visible(case: Case, table: Table, numbers: NDArray[np.int64], accounts: NDArray[np.str_]) -> int:
    """Count the accounts of which features see rows at the last cutoff of each."""
    own, matrix = table.own_instants(), case.dataset.matrix
    last = np.zeros(len(accounts), dtype=np.int64)
    np.maximum.at(last, np.searchsorted(accounts, matrix.accounts.astype(str)), matrix.cutoffs)
    seen = np.zeros(len(table), dtype=bool)
    for cutoff in np.unique(last):
        which = (numbers >= 0) & (np.append(last, MISSING)[numbers] == cutoff)
        seen[which] = before(own[which], int(cutoff))
    return len(np.unique(numbers[seen]))


def _numbers(table: Table, accounts: NDArray[np.str_]) -> NDArray[np.int64]:
    found = pc.index_in(
        table.data.column("account_id").combine_chunks().cast(pa.string()), value_set=pa.array(accounts.tolist(), pa.string())
    )
    return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False), dtype=np.int64)


def _present(numbers: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    return np.bincount(numbers[numbers >= 0], minlength=count) > 0


def _sign_ups(case: Case, accounts: NDArray[np.str_]) -> NDArray[np.int64] | None:
    table = case.tables["accounts"]
    if not table.has("signed_up_at") or table.derived:
        return None
    numbers = _numbers(table, accounts)
    found = np.full(len(accounts), MISSING, dtype=np.int64)
    np.maximum.at(found, numbers[numbers >= 0], table.midnights("signed_up_at")[numbers >= 0])
    return found


def _early(tables: list[Table], accounts: NDArray[np.str_], signed_up: NDArray[np.int64]) -> NDArray[np.bool_]:
    found = np.zeros(len(accounts), dtype=bool)
    for table in tables:
        numbers, own = _numbers(table, accounts), table.own_instants()
        rows = (numbers >= 0) & (own != MISSING)
        start = signed_up[numbers[rows]]
        found[numbers[rows][(start != MISSING) & (own[rows] < start)]] = True
    return found
