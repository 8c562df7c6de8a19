"""What scoring reads of accounts besides the model: who they are, whether they can be scored, their features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from staypower.features.builder import build_matrix
from staypower.features.catalogue import Catalogue
from staypower.labels.churn import find_customers
from staypower.labels.population import Status
from staypower.labels.settings import LabelSettings
from staypower.labels.tier import find_survey_state
from staypower.labels.tier_settings import TierSettings
from staypower.portfolio.attributes import texts_known
from staypower.schemas import ACCOUNT_NAME
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AccountFacts", "FromTables"]


class AccountFacts(Protocol):
    """What scoring reads of accounts at the cutoff."""

    def status_of(self, accounts: Sequence[str]) -> list[int]:
        """Return the `Status` of each account."""

    def names_of(self, accounts: Sequence[str]) -> dict[str, Any]:
        """Return the column of the names, where accounts have names."""

    def never_invited(self, accounts: Sequence[str]) -> NDArray[np.bool_]:
        """Say which accounts were never asked what they think."""

    def build(self, catalogue: Catalogue, accounts: Sequence[str]) -> pd.DataFrame:
        """Build features, one row for each account that is known, indexed by them."""


@dataclass(frozen=True)
class FromTables:
    """What scoring reads of accounts, found in their tables."""

    tables: Tables
    label: LabelSettings
    tier: TierSettings
    cutoff: int  # instant of knowledge
    threads: int = 1

    @property
    def _cutoffs(self) -> NDArray[np.int64]:
        return np.array([self.cutoff], dtype=np.int64)

    def status_of(self, accounts: Sequence[str]) -> list[int]:
        """Return the `Status` of each account; without history where the tables do not know it."""
        population = find_customers(self.tables, self.label, self._cutoffs)
        status = dict(zip(population.accounts, population.status[:, 0].tolist(), strict=True))
        return [status.get(account, Status.NO_HISTORY) for account in accounts]

    def names_of(self, accounts: Sequence[str]) -> dict[str, Any]:
        """Return the column of the names, where accounts have names."""
        names = texts_known(self.tables, accounts, ACCOUNT_NAME, cutoff=self.cutoff)
        return {} if names is None else {ACCOUNT_NAME: pd.array(names, dtype="str")}

    def never_invited(self, accounts: Sequence[str]) -> NDArray[np.bool_]:
        """Say which accounts were never asked what they think."""
        if self.tier.kind != "survey" or not self.tables.has("surveys", "instrument"):
            return np.ones(len(accounts), dtype=np.bool_)
        # in one bucket, perhaps no account answered
        state = find_survey_state(self.tables, self.tier, tuple(accounts), self._cutoffs, need_answers=False)
        never: NDArray[np.bool_] = ~state.ever_invited[:, 0]
        return never

    def build(self, catalogue: Catalogue, accounts: Sequence[str]) -> pd.DataFrame:
        """Build features, one row for each account that the tables know, indexed by them."""
        known = set(self.tables.account_ids)
        there = [account for account in accounts if account in known]
        matrix = build_matrix(self.tables, catalogue, accounts=there, cutoffs=self._cutoffs, threads=self.threads)
        return matrix.features.set_index(pd.Index(matrix.accounts))
