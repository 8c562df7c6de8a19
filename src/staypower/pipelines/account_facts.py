"""What choosing actions needs besides the scores: measures that are features, owners, past outreach and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from staypower.actions.outcomes import Outcomes, find_outcomes
from staypower.actions.outreach import Outreach, read_outreach
from staypower.actions.owners import owners_of
from staypower.actions.playbook import ACCOUNT_OWNER, Playbook
from staypower.config.settings import Settings
from staypower.features.builder import build_matrix
from staypower.features.catalogue import Catalogue
from staypower.features.declaring import declare
from staypower.features.settings import FeatureSettings
from staypower.models.bundle import Bundle
from staypower.tables import BucketedTables, Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ORDERED", "AccountFacts", "gather_facts"]

ORDERED = "order_amount_365d"
"""What stands in for recurring revenue where there are only orders."""


@dataclass(frozen=True)
class AccountFacts:
    """Facts of accounts beside their scores."""

    accounts: tuple[str, ...]  # every account once
    measures: pd.DataFrame  # features, and `owner` where the playbook asks for it and it is known
    past: Outreach  # known at the cutoff; positions are those of `accounts`
    outcomes: Outcomes  # what became of it

    def beside(self, scores: pd.DataFrame) -> tuple[pd.DataFrame, Outreach]:
        """Put the measures beside scores that lack them, and number the past by their rows."""
        place = pd.Index(scores["account_id"].astype(object)).get_indexer(pd.Index(self.accounts, dtype=object))
        told = self.measures.set_index(pd.Index(self.accounts, dtype=object)).reindex(scores["account_id"].astype(object))
        table = scores.assign(**{str(name): told[name].to_numpy() for name in told.columns if name not in scores})
        account = place[self.past.account].astype(np.int64)
        return table, self.past.take(account >= 0, account)


def gather_facts(
    settings: Settings, tables: BucketedTables, *, playbook: Playbook, cutoff: int, bundle: Bundle
) -> AccountFacts:
    """Gather the facts, bucket by bucket where the tables lie on disk."""
    catalogues = _catalogues(settings, tables, playbook, bundle, cutoff)
    parts = [_of_bucket(settings, bucket, playbook, catalogues, cutoff) for bucket in map(tables.bucket, tables.buckets)]
    return parts[0] if len(parts) == 1 else _together(parts)


def _catalogues(settings: Settings, tables: BucketedTables, playbook: Playbook, bundle: Bundle, cutoff: int) -> list[Catalogue]:
    """Declare the measures: as the model learned them, those that it does not know by the tables' columns."""
    wanted = {*playbook.features, ORDERED}
    learned = Catalogue.from_dict(bundle.learned["catalogue"])
    known = wanted & set(learned.names)
    plain = FeatureSettings(windows=settings.features.windows, sla_hours=settings.features.sla_hours)
    declared = declare(tables.empty, plain, cutoff=cutoff)
    others = (wanted - known) & set(declared.names)
    return [catalogue.only(names) for catalogue, names in ((learned, known), (declared, others)) if names]


def _of_bucket(
    settings: Settings, tables: Tables, playbook: Playbook, catalogues: Sequence[Catalogue], cutoff: int
) -> AccountFacts:
    accounts = tables.account_ids
    columns: dict[str, NDArray[np.float64] | NDArray[np.object_]] = {}
    for catalogue in catalogues:
        instants = np.array([cutoff], dtype=np.int64)
        built = build_matrix(tables, catalogue, accounts=accounts, cutoffs=instants, threads=settings.engine.threads)
        placed = built.features.set_index(pd.Index(built.accounts)).reindex(accounts)
        columns |= {str(name): placed[name].to_numpy() for name in placed.columns}
    owners = owners_of(tables, accounts, cutoff=cutoff) if ACCOUNT_OWNER in playbook.owners else None
    if owners is not None:
        columns["owner"] = owners
    past = read_outreach(tables, accounts, cutoff=cutoff)
    outcomes = find_outcomes(tables, settings.label, past, accounts)
    return AccountFacts(tuple(accounts), pd.DataFrame(columns, index=range(len(accounts))), past, outcomes)


def _together(parts: Sequence[AccountFacts]) -> AccountFacts:
    starts = np.cumsum([0, *(len(part.accounts) for part in parts)])
    moved = [replace(part.past, account=part.past.account + start) for part, start in zip(parts, starts, strict=False)]
    return AccountFacts(
        accounts=tuple(name for part in parts for name in part.accounts),
        measures=pd.concat([part.measures for part in parts], ignore_index=True),
        past=Outreach.together(moved),
        outcomes=Outcomes.together([part.outcomes for part in parts]),
    )
