"""Where the rows of a data set stand in tables of accounts and cutoffs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from staypower.dataset.building import Dataset

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["positions_of"]


def positions_of(
    dataset: Dataset, accounts: Sequence[str], cutoffs: NDArray[np.int64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find the account and the cutoff of every row of a data set."""
    ids = np.asarray(accounts, dtype=str)
    found = np.searchsorted(ids, dataset.matrix.accounts.astype(str))
    return found, np.searchsorted(cutoffs, dataset.matrix.cutoffs)
