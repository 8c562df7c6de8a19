"""What choosing actions needs besides the scores: measures that are features, owners, past outreach and its outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from staypower.actions.outcomes import Outcomes, find_outcomes
from staypower.actions.outreach import Outreach, read_outreach
from staypower.actions.playbook import ACCOUNT_OWNER, Playbook
from staypower.cutoffs import before
from staypower.features.builder import build_matrix
from staypower.features.catalogue import Catalogue
from staypower.features.declaring import declare
from staypower.features.settings import FeatureSettings
from staypower.labels.settings import LabelSettings
from staypower.models.bundle import Bundle
from staypower.portfolio.customer_value import ORDERED
from staypower.spells import instants_or_missing, number_accounts
from staypower.tables import BucketedTables, Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AccountFacts", "gather_facts", "owners_of"]


@dataclass(frozen=True)
class AccountFacts:
    """What is known of accounts besides their scores."""

    accounts: tuple[str, ...]  # every account once
    measures: pd.DataFrame  # features, and `owner` where the playbook asks for it and it is known
    past: Outreach  # known at the cutoff; positions are those of `accounts`
    outcomes: Outcomes  # of that outreach

    def added_to(self, scores: pd.DataFrame) -> tuple[pd.DataFrame, Outreach]:
        """Add the measures that scores lack, and number the past outreach by their rows."""
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
    """Declare the measures: as the model has them, and those that it lacks by the tables' columns."""
    wanted = {*playbook.features, ORDERED}
    learned = Catalogue.from_dict(bundle.learned["catalogue"])
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
    versions = table.has("valid_from")
    if not versions and "owner" not in table.fixed:
        return None
    account = number_accounts(table, accounts)
    since = instants_or_missing(table, "valid_from")
    seen = account >= 0
    if versions:
        seen &= before(np.maximum(since, instants_or_missing(table, "known_at")), cutoff)
    rows = np.flatnonzero(seen)
    rows = rows[np.lexsort((-rows, since[rows]))]
    found = np.full(len(accounts), None, dtype=object)
    found[account[rows]] = table.texts("owner")[rows]
    return found
