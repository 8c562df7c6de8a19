"""What choosing actions needs besides the scores: measures that are features, owners, past outreach and its outcomes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from staypower.actions.playbook import ACCOUNT_OWNER, Playbook
from staypower.cutoffs import DAY, before, exit_after
from staypower.features.builder import build_matrix
from staypower.features.catalogue import Catalogue
from staypower.features.declaring import declare
from staypower.features.settings import FeatureSettings
from staypower.labels.churn import find_labels
from staypower.labels.settings import LabelSettings
from staypower.models.bundle import Bundle
from staypower.portfolio.attributes import texts_known
from staypower.portfolio.customer_value import ORDERED
from staypower.spells import instants_or_missing, number_accounts
from staypower.tables import BucketedTables, Table, Tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["AccountFacts", "Outcomes", "Outreach", "action_name", "find_outcomes", "gather_facts", "owners_of", "read_outreach"]


def action_name(written: str) -> str:
    """Write the name of an action as a playbook does, whatever its case and what separates its words.

    >>> action_name("Payment recovery ")
    'payment_recovery'
    """
    return re.sub(r"[\W_]+", "_", written.strip()).strip("_").casefold()


@dataclass(frozen=True)
class Outreach:
    """Actions of the past.

    >>> Outreach.none().__len__()
    0
    """

    account: NDArray[np.int64]  # shape (n,): position in the list of accounts
    instant: NDArray[np.int64]  # shape (n,): when; all before the cutoff
    action: NDArray[np.object_]  # shape (n,): names as in a playbook; None where there is none
    holdout: NDArray[np.int8]  # shape (n,): 1 held back, 0 acted on, -1 not recorded
    cutoff: int  # instant

    def __len__(self) -> int:
        return len(self.account)

    @classmethod
    def none(cls, cutoff: int = 0) -> Outreach:
        """Return the outreach of a company that recorded none."""
        nothing = np.empty(0, dtype=np.int64)
        return cls(nothing, nothing, np.empty(0, dtype=object), np.empty(0, dtype=np.int8), cutoff)

    @classmethod
    def together(cls, parts: Sequence[Outreach]) -> Outreach:
        """Put parts together that are numbered by the same list of accounts and read at the same cutoff."""
        return cls(
            np.concatenate([part.account for part in parts]),
            np.concatenate([part.instant for part in parts]),
            np.concatenate([part.action for part in parts]),
            np.concatenate([part.holdout for part in parts]),
            parts[0].cutoff,
        )

    def take(self, chosen: NDArray[np.bool_], account: NDArray[np.int64]) -> Outreach:
        """Return the rows where the mask holds, with other positions of their accounts."""
        return Outreach(account[chosen], self.instant[chosen], self.action[chosen], self.holdout[chosen], self.cutoff)

    def recent(self, accounts: int, days: int, action: str | None = None) -> NDArray[np.bool_]:
        """Say which accounts had an action, or any, in the days before the cutoff; being held back counts as well.

        >>> from staypower.cutoffs import DAY
        >>> one = np.array([1])
        >>> past = Outreach(one, one * DAY, np.array(["call"], dtype=object), one.astype(np.int8), 5 * DAY)
        >>> past.recent(2, 5).tolist(), past.recent(2, 3).tolist(), past.recent(2, 5, "mail").tolist()
        ([False, True], [False, False], [False, False])
        """
        within = exit_after(self.instant, np.array([self.cutoff], dtype=np.int64), days) == 1
        if action is not None:
            within &= self.action == action
        found = np.zeros(accounts, dtype=bool)
        found[self.account[within]] = True
        return found


def read_outreach(tables: Tables, accounts: Sequence[str], *, cutoff: int) -> Outreach:
    """Read the outreach that is known at a cutoff.

    >>> len(read_outreach(Tables({}, 0), ["a"], cutoff=9))
    0
    """
    if "outreach" not in tables:
        return Outreach.none(cutoff)
    table = tables["outreach"]
    account, at = number_accounts(table, accounts), table.own_instants()
    arrived = np.maximum(at, instants_or_missing(table, "known_at"))
    seen = (account >= 0) & before(at, cutoff) & before(arrived, cutoff)
    written = table.texts("action") if table.has("action") else np.full(len(table), None, dtype=object)
    named = {word: action_name(word) or None for word in {each for each in written.tolist() if each is not None}}
    action = np.array([named.get(word) for word in written[seen].tolist()], dtype=object)
    flags = table.numbers("holdout") if table.has("holdout") else np.full(len(table), np.nan)
    holdout = np.where(np.isnan(flags), -1, flags).astype(np.int8)
    return Outreach(account[seen], at[seen], action, holdout[seen], cutoff)


_DAYS_AT_ONCE = 32


@dataclass(frozen=True)
class Outcomes:
    """One row for every account and action: its first outreach with that action whose outcome is known.

    >>> Outcomes.none("there is no table `outreach`").problem
    'there is no table `outreach`'
    """

    action: NDArray[np.object_]  # shape (n,)
    held: NDArray[np.bool_]  # shape (n,): held back instead of acted on
    churned: NDArray[np.bool_]  # shape (n,)
    open: Mapping[str, int] = field(default_factory=dict)  # of each action the rows whose outcome is not complete yet
    # of each action the rows that are not compared because another action was listed for the account at nearly the same time
    mixed: Mapping[str, int] = field(default_factory=dict)
    problem: str | None = None  # why there is nothing to measure

    @classmethod
    def none(cls, problem: str) -> Outcomes:
        """Return no outcomes, and why."""
        nothing = np.empty(0, dtype=bool)
        return cls(np.empty(0, dtype=object), nothing, nothing, problem=problem)

    @classmethod
    def together(cls, parts: Sequence[Outcomes]) -> Outcomes:
        """Join the outcomes of different accounts; there is a problem only where nothing was found anywhere."""
        found = [part for part in parts if part.problem is None]
        if not found:
            return parts[0]
        return cls(
            np.concatenate([part.action for part in found]),
            np.concatenate([part.held for part in found]),
            np.concatenate([part.churned for part in found]),
            _sums([part.open for part in found]),
            _sums([part.mixed for part in found]),
        )


def _sums(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    names = sorted({name for each in counts for name in each})
    return {name: sum(each.get(name, 0) for each in counts) for name in names}


def find_outcomes(tables: Tables, label: LabelSettings, past: Outreach, accounts: Sequence[str]) -> Outcomes:
    """Find who churned after an outreach, among those acted on and those held back.

    The outcome begins at the UTC midnight before the outreach: that day's events count for both sides, and only accounts active
    at that midnight count, as in training. Of several rows of an account with the same action the first counts: later ones are
    not independent of it.

    A row is not compared when another action was listed for the account less than gap + horizon days before or after it:
    accounts held back got neither, so a useless action would be credited with the effect of the other one. Both sides lose the
    same rows, since being held back is listed as well.
    """
    if label.is_snapshot:
        return Outcomes.none("a churn flag applies to one date only, not to the time after an outreach")
    recorded = np.flatnonzero((past.holdout >= 0) & np.array([name is not None for name in past.action], dtype=bool))
    if not len(recorded):
        return Outcomes.none("no row of `outreach` has both `action` and `holdout`" if len(past) else "no past outreach")
    known_until = min(tables.observed_until, past.cutoff)
    day = past.instant // DAY * DAY
    rows = pd.DataFrame({"account": past.account, "action": past.action, "held": past.holdout == 1, "day": day})
    rows["mixed"] = _mixed(past, day, label.outcome.gap + label.outcome.horizon)
    rows = rows.iloc[recorded]
    rows = rows.sort_values(["account", "action", "day", "held"], kind="stable").drop_duplicates(["account", "action"])
    mature = label.outcome.mature(rows["day"].to_numpy(), known_until)
    waiting, mixed = _by_action(rows[~mature]), _by_action(rows[mature & rows["mixed"]])
    rows = rows[mature & ~rows["mixed"]]
    churned = _churned(replace(tables, observed_until=known_until), label, rows, accounts)
    rows, churned = rows[churned >= 0], churned[churned >= 0]
    return Outcomes(rows["action"].to_numpy(dtype=object), rows["held"].to_numpy(), churned == 1, waiting, mixed)


def _by_action(rows: pd.DataFrame) -> dict[str, int]:
    return {str(name): int(count) for name, count in rows["action"].value_counts().sort_index().items()}


def _mixed(past: Outreach, day: NDArray[np.int64], days: int) -> NDArray[np.bool_]:
    """Find the rows with another action for the same account less than so many days away."""
    action = pd.factorize(past.action, sort=False)[0]
    order = np.lexsort((action, day, past.account))
    account, kind, at = past.account[order], action[order], day[order]
    found = np.zeros(len(order), dtype=bool)
    if len(order) < 2:
        return found
    same_account = account[1:] == account[:-1]
    turns = ~same_account | (kind[1:] != kind[:-1])
    run = np.concatenate([[0], np.cumsum(turns)])
    begins, ends = np.flatnonzero(np.append(True, turns)), np.flatnonzero(np.append(turns, True))
    # the nearest row of another action stands before the run of this one, or after it
    before, after = np.maximum(begins - 1, 0)[run], np.minimum(ends + 1, len(order) - 1)[run]
    place = np.arange(len(order))
    for other in (before, after):
        elsewhere = (account[other] == account) & (kind[other] != kind)
        found |= elsewhere & (np.abs(at - at[other]) < days * DAY) & (other != place)
    mixed = np.empty(len(order), dtype=bool)
    mixed[order] = found
    return mixed


def _churned(tables: Tables, label: LabelSettings, rows: pd.DataFrame, accounts: Sequence[str]) -> NDArray[np.int8]:
    """Return 1 churned, 0 stayed, -1 not in the population, for each row; some days at a time, to bound memory."""
    found = np.full(len(rows), -1, dtype=np.int8)
    days, number = np.unique(rows["day"].to_numpy(), return_inverse=True)
    account = rows["account"].to_numpy()
    for first in range(0, len(days), _DAYS_AT_ONCE):
        here = np.flatnonzero((number >= first) & (number < first + _DAYS_AT_ONCE))
        concerned = np.unique(account[here])
        some = _only(tables, label, [accounts[position] for position in concerned])
        labels = find_labels(some, label, days[first : first + _DAYS_AT_ONCE])
        place = {name: position for position, name in enumerate(labels.population.accounts)}
        row = np.array([place[accounts[position]] for position in account[here]], dtype=np.int64)
        found[here] = labels.churned[row, number[here] - first]
    return found


def _only(tables: Tables, label: LabelSettings, accounts: Sequence[str]) -> Tables:
    """Return the tables that the label reads, with the rows of some accounts."""
    read = {"accounts", "subscriptions", getattr(label, "table", None), getattr(label, "dates", None)}
    wanted = pa.array(accounts)
    return replace(tables, tables={name: _rows_of(tables[name], wanted) for name in tables if name in read})


def _rows_of(table: Table, accounts: pa.Array) -> Table:
    column = table.data.column("account_id")
    return replace(table, data=table.data.filter(pc.is_in(column, value_set=accounts.cast(column.type))))


@dataclass(frozen=True)
class AccountFacts:
    """What is known of accounts besides their scores."""

    accounts: tuple[str, ...]  # every account once
    measures: pd.DataFrame  # features, and `owner` where the playbook asks for it and it is known
    past: Outreach  # known at the cutoff; positions are those of `accounts`
    outcomes: Outcomes  # of that outreach

    def added_to(self, scores: pd.DataFrame) -> tuple[pd.DataFrame, Outreach]:
        """Add the measures that the scores do not have, and number the past outreach by their rows."""
        place = pd.Index(scores["account_id"].astype(object)).get_indexer(pd.Index(self.accounts, dtype=object))
        known = self.measures.set_index(pd.Index(self.accounts, dtype=object)).reindex(scores["account_id"].astype(object))
        table = scores.assign(**{str(name): known[name].to_numpy() for name in known.columns if name not in scores})
        account = place[self.past.account].astype(np.int64)
        return table, self.past.take(account >= 0, account)


def gather_facts(
    tables: BucketedTables,
    playbook: Playbook,
    *,
    cutoff: int,
    bundle: Bundle,
    label: LabelSettings,
    features: FeatureSettings,
    threads: int,
) -> AccountFacts:
    """Gather the facts, bucket by bucket where the tables are on disk."""
    catalogues = _catalogues(tables, playbook, bundle, features, cutoff)
    buckets = map(tables.bucket, tables.buckets)
    parts = [_of_bucket(bucket, playbook, catalogues, label, cutoff, threads) for bucket in buckets]
    return parts[0] if len(parts) == 1 else _joined(parts)


def _catalogues(
    tables: BucketedTables, playbook: Playbook, bundle: Bundle, features: FeatureSettings, cutoff: int
) -> list[Catalogue]:
    """Declare the measures: as the model has them, and the others from the tables' columns."""
    wanted = {*playbook.features, ORDERED}
    learned = Catalogue.of(bundle.learned)
    known = wanted & set(learned.names)
    plain = FeatureSettings(windows=features.windows, sla_hours=features.sla_hours)
    declared = declare(tables.empty, plain, cutoff=cutoff)
    others = (wanted - known) & set(declared.names)
    return [catalogue.only(names) for catalogue, names in ((learned, known), (declared, others)) if names]


def _of_bucket(
    tables: Tables, playbook: Playbook, catalogues: Sequence[Catalogue], label: LabelSettings, cutoff: int, threads: int
) -> AccountFacts:
    accounts = tables.account_ids
    columns: dict[str, NDArray[np.float64] | NDArray[np.object_]] = {}
    for catalogue in catalogues:
        instants = np.array([cutoff], dtype=np.int64)
        built = build_matrix(tables, catalogue, accounts=accounts, cutoffs=instants, threads=threads)
        placed = built.features.set_index(pd.Index(built.accounts)).reindex(accounts)
        columns |= {str(name): placed[name].to_numpy() for name in placed.columns}
    owners = owners_of(tables, accounts, cutoff=cutoff) if ACCOUNT_OWNER in playbook.owners else None
    if owners is not None:
        columns["owner"] = owners
    past = read_outreach(tables, accounts, cutoff=cutoff)
    outcomes = find_outcomes(tables, label, past, accounts)
    return AccountFacts(tuple(accounts), pd.DataFrame(columns, index=range(len(accounts))), past, outcomes)


def _joined(parts: Sequence[AccountFacts]) -> AccountFacts:
    starts = np.cumsum([0, *(len(part.accounts) for part in parts)])
    moved = [replace(part.past, account=part.past.account + start) for part, start in zip(parts, starts, strict=False)]
    return AccountFacts(
        accounts=tuple(name for part in parts for name in part.accounts),
        measures=pd.concat([part.measures for part in parts], ignore_index=True),
        past=Outreach.together(moved),
        outcomes=Outcomes.together([part.outcomes for part in parts]),
    )


def owners_of(tables: Tables, accounts: Sequence[str], *, cutoff: int) -> NDArray[np.object_] | None:
    """Return each account's own owner as known at the cutoff; None where no date says since when.

    >>> import pyarrow as pa
    >>> from staypower.schemas import SCHEMAS
    >>> from staypower.tables import Table
    >>> rows = pa.table({"account_id": ["a", "b"], "owner": ["ann", None]})
    >>> accounts = Table(SCHEMAS["accounts"], rows, fixed=frozenset({"owner"}))
    >>> owners_of(Tables({"accounts": accounts}, 9), ["b", "a"], cutoff=9).tolist()
    [None, 'ann']
    """
    if not tables.has("accounts", "owner"):
        return None
    table = tables["accounts"]
    if not table.has("valid_from") and "owner" not in table.fixed:
        return None
    return texts_known(tables, accounts, "owner", cutoff=cutoff)
