"""Score a few accounts at once, from tables that were read, and numbered by account, before anybody asked."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from staypower.clock import now_text
from staypower.features.catalogue import Catalogue
from staypower.features.kept import KeptFeatures
from staypower.scoring.scorer import Scorer
from staypower.tables import Tables

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["AccountScorer"]

_CUTOFFS = 8


@dataclass(frozen=True)
class _Kept:
    """What scoring reads of accounts at one cutoff, found for all of them before."""

    scorer: Scorer
    accounts: Sequence[str]  # every account once, sorted
    statuses: NDArray[np.int8]
    names: Mapping[str, Any]  # the column of the names, where accounts have names
    never: NDArray[np.bool_]  # who was never invited to a survey
    features: Callable[[Catalogue], KeptFeatures]

    def _places(self, accounts: Sequence[str]) -> list[int]:
        return [bisect_left(self.accounts, account) for account in accounts]

    def status_of(self, accounts: Sequence[str]) -> list[int]:
        """Return the `Status` of each account."""
        return list(self.statuses[self._places(accounts)].tolist())

    def names_of(self, accounts: Sequence[str]) -> dict[str, Any]:
        """Return the column of the names, where accounts have names."""
        return {column: names.take(self._places(accounts)) for column, names in self.names.items()}

    def never_invited(self, accounts: Sequence[str]) -> NDArray[np.bool_]:
        """Say which accounts were never asked what they think."""
        never: NDArray[np.bool_] = self.never[self._places(accounts)]
        return never

    def build(self, catalogue: Catalogue, accounts: Sequence[str]) -> pd.DataFrame:
        """Build features, one row for each account, indexed by them."""
        return self.features(catalogue).build(accounts, self.scorer.cutoff)


class AccountScorer:
    """Scores accounts of tables in memory as `Scorer` does, with its bits; several threads may ask at once."""

    def __init__(self, prepare: Callable[[int | None], Scorer], tables: Tables) -> None:
        """Keep tables; `prepare` makes the scorer of a cutoff, by default of the end of the data."""
        self.tables, self.accounts, self._prepare = tables, tables.account_ids, prepare
        self._features: list[KeptFeatures] = []
        self._at = lru_cache(maxsize=_CUTOFFS)(self._keep)

    def at(self, cutoff: int | None) -> Scorer:
        """Return the scorer of a cutoff, prepared when it is first asked for."""
        return self._at(cutoff).scorer

    def knows(self, accounts: Sequence[str]) -> bool:
        """Say whether all of these accounts are there."""
        places = [bisect_left(self.accounts, account) for account in accounts]
        known = len(self.accounts)
        return all(at < known and self.accounts[at] == account for at, account in zip(places, accounts, strict=True))

    def score(self, accounts: Sequence[str], cutoff: int | None = None, *, reasons: bool = True) -> pd.DataFrame:
        """Score accounts, which must be known: one row each, sorted by account."""
        kept = self._at(cutoff)
        rows, _ = kept.scorer.score_from(kept, sorted(accounts), said=reasons, scored_at=now_text())
        return rows

    def _keep(self, cutoff: int | None) -> _Kept:
        scorer = self._prepare(cutoff)
        found = scorer.facts_in(self.tables)
        for catalogue in (scorer.predictor.catalogue, scorer.known):
            self._of(catalogue)
        statuses = np.array(found.status_of(self.accounts), dtype=np.int8)
        names, never = found.names_of(self.accounts), found.never_invited(self.accounts)
        return _Kept(scorer, self.accounts, statuses, names, never, self._of)

    def _of(self, catalogue: Catalogue) -> KeptFeatures:
        found = next((kept for kept in self._features if kept.catalogue is catalogue or kept.catalogue == catalogue), None)
        if found is None:
            found = KeptFeatures(self.tables, catalogue, self.accounts)
            self._features.append(found)
        return found
