"""The feature matrix: one row for every account and cutoff asked for, one column a feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FeatureMatrix"]


@dataclass(frozen=True)
class FeatureMatrix:
    """Features of accounts at cutoffs.

    Parameters
    ----------
    features : pandas.DataFrame, shape (n, n_features)
        Doubles, missing as NaN; categories as codes.
    accounts : array of str, shape (n,)
    cutoffs : array of int64, shape (n,)
        Instants. Rows are sorted by account and cutoff.
    categories : tuple of str
        The columns that are codes.
    """

    features: pd.DataFrame
    accounts: NDArray[np.object_]
    cutoffs: NDArray[np.int64]
    categories: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.accounts)

    def frame(self) -> pd.DataFrame:
        """Return one frame with `account_id` and `cutoff` (UTC) before the features."""
        keys = pd.DataFrame({"account_id": self.accounts, "cutoff": pd.to_datetime(self.cutoffs, unit="us", utc=True)})
        return pd.concat([keys, self.features], axis=1)
