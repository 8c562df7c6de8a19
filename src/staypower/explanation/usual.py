"""What is usual: the middle of each feature over the accounts that a model learnt from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["UsualValues", "learn_usual_values"]


@dataclass(frozen=True)
class UsualValues:
    """The usual value of each feature.

    Parameters
    ----------
    values : mapping of str to float
        Median over the accounts that have a value, for categories the commonest code; NaN when most have none.

    Examples
    --------
    >>> UsualValues({"tickets_28d": 1.0})["tickets_28d"]
    1.0
    """

    values: Mapping[str, float]

    def __getitem__(self, name: str) -> float:
        return self.values.get(name, float("nan"))

    def to_dict(self) -> dict[str, float | None]:
        """Return plain values for JSON; NaN becomes None."""
        return {name: None if np.isnan(value) else value for name, value in self.values.items()}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> UsualValues:
        """Rebuild what `to_dict` wrote."""
        return cls({name: float("nan") if value is None else float(value) for name, value in plain.items()})


def learn_usual_values(X: pd.DataFrame, cutoffs: NDArray[np.int64], categories: tuple[str, ...]) -> UsualValues:
    """Learn what is usual from the latest of the cutoffs a model learnt from.

    Parameters
    ----------
    X : pandas.DataFrame, shape (n, n_features)
    cutoffs : array of int64, shape (n,)
        Only the rows of the latest are looked at: one row an account.
    categories : tuple of str
        Columns that are codes.

    Returns
    -------
    UsualValues

    Examples
    --------
    >>> learn_usual_values(pd.DataFrame({"a": [1.0, 5.0, 7.0]}), np.array([0, 1, 1]), ()).values
    {'a': 6.0}
    """
    latest = X[cutoffs == cutoffs.max()]
    found: dict[str, float] = {}
    for name in X.columns:
        column = latest[name].to_numpy()
        known = column[~np.isnan(column)]
        if 2 * len(known) < len(column) or not len(known):
            found[name] = float("nan")
        elif name in categories:
            codes, counts = np.unique(known, return_counts=True)
            found[name] = float(codes[counts.argmax()])
        else:
            found[name] = float(np.median(known))
    return UsualValues(found)
