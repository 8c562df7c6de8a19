"""Check 6: accounts that are in the data only because they churned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.auditing.case import Case
from staypower.auditing.report import Check
from staypower.auditing.separation import FEWEST
from staypower.checking.leaks import SEPARATION
from staypower.cutoffs import MISSING, before
from staypower.tables import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["find_presence"]

_BY_CHANCE = 1e-6


@dataclass(frozen=True)
class _Question:
    """Something an account has or has not, whenever: whether that gives the outcome away.

    `grows`: it comes with time, so that who left early may lack it without any leak. `seen`: by features, at some cutoff.
    """

    words: str
    has: NDArray[np.bool_]
    cause: str
    grows: bool = False
    seen: bool = True


def find_presence(case: Case) -> Check:
    """Look whether having rows, ever, gives the outcome away.

    An account counts as a leaver when it churned in the outcome of any cutoff of the plan. It fails when presence alone ranks
    leavers and stayers with an AUROC of 0.95, or when all accounts that have it share one outcome and that is less likely by
    chance than one in a million. Rows come with time: that all who lack them left is no problem, and that all who have them
    stayed is one only if features see such rows.
    """
    dataset = case.dataset
    accounts, place = np.unique(dataset.matrix.accounts.astype(str), return_inverse=True)
    left = np.bincount(place, weights=dataset.y) > 0
    tables = [table for name, table in case.tables.items() if name != "accounts" and name not in case.hidden]
    if not tables:
        return Check("presence", "not applicable", ("there is no table but `accounts`: every account has its row",))
    counted = f"{len(tables)} table{'' if len(tables) == 1 else 's'}"
    looked = f"{counted}, {len(accounts):,} accounts of which {int(left.sum()):,} churned"
    if min(left.sum(), (~left).sum()) < FEWEST:
        return Check("presence", "unproven", (f"{looked}: under {FEWEST} of one outcome, too few to tell",))
    problems = [problem for question in _questions(case, tables, accounts) for problem in _judge(question, left)]
    if problems:
        return Check("presence", "failed", (*problems, looked), {"problems": problems})
    evidence = f"{looked}: having rows, a sign-up date or rows before it tells leavers and stayers apart nowhere"
    return Check("presence", "passed", (evidence,), {"problems": []})


def _judge(question: _Question, left: NDArray[np.bool_]) -> Iterator[str]:
    """Say how having or lacking something gives the outcome away, if it does."""
    has = question.has
    more = float(has[left].mean() - has[~left].mean())
    # the AUROC of a yes or no: half the difference of its shares from one half
    area = 0.5 + abs(more) / 2
    reasons = [f"an AUROC of {area:.3f}"] if area >= SEPARATION and (more > 0 or question.seen) else []
    for group, words, grown in ((has, "with", False), (~has, "without", question.grows)):
        for outcome, said in ((True, "left"), (False, "stayed")):
            same = group.any() and (left[group] == outcome).all() and not grown
            if same and (left == outcome).mean() ** int(group.sum()) < _BY_CHANCE and (outcome or question.seen):
                reasons.append(f"all {int(group.sum()):,} {words} it {said}")
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
        cause = f"`{table.name}` was exported after the fact, or is filled or cleared because an account leaves: leave it out"
        seen = f"features see rows of {visible:,} accounts" if visible else "no row lies before a cutoff: not seen yet"
        yield _Question(f"a row in `{table.name}`", has, f"{cause} ({seen})", grows=True, seen=visible > 0)
    cause = "the list of accounts was put together by their outcome"
    yield _Question("a row in any event table", anywhere, cause, grows=True)
    signed_up = _sign_ups(case, accounts)
    if signed_up is not None:
        cause = "sign-ups are filled in, or removed, because an account leaves"
        yield _Question("a sign-up date", signed_up != MISSING, cause)
        yield _Question("a row before its sign-up", _early(tables, accounts, signed_up), "sign-ups are written over afterwards")


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
