"""Typical values: the median of each feature over the accounts of training, and over groups of similar accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from staypower.errors import UsageError, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["COMPARED", "LEAST_ALIKE", "TypicalValues", "find_typical_values"]

LEAST_ALIKE = 30  # a smaller group is compared with all accounts

# what makes accounts similar, in this order; after these any other attribute of the account
COMPARED = ("plan_now", "account_plan", "account_contract", "account_segment", "account_industry", "account_region")
# personal attributes do not define a group
_PERSONAL = frozenset(
    {"gender", "sex", "age", "birth", "race", "ethnicity", "religion", "nationality", "marital", "married", "disability"}
)
_YES_OR_NO = 2
_MOST_GROUPS = 20
_NAN = float("nan")


@dataclass(frozen=True)
class TypicalValues:
    """The typical value of each feature.

    >>> typical = TypicalValues({"tickets_28d": 1.0}, "plan_now", {2.0: {"tickets_28d": 3.0}})
    >>> typical["tickets_28d"], typical.of("tickets_28d", 2.0), typical.of("tickets_28d", 5.0)
    (1.0, 3.0, 1.0)
    """

    # median over the accounts that have a value, for categories the most frequent code; NaN when most have none
    values: Mapping[str, float]
    by: str | None = None  # category feature that groups accounts
    # by code of that category, the typical values of its accounts
    groups: Mapping[float, Mapping[str, float]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> float:
        return self.values.get(name, _NAN)

    def of(self, name: str, code: float | None) -> float:
        """Return what is typical in the group of a code, or among all accounts where there is no such group."""
        group = self.groups.get(code) if code is not None and name != self.by else None
        return self[name] if group is None else group.get(name, _NAN)

    def codes(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Return the group that each row is compared with; NaN where that is all accounts."""
        if self.by is None or self.by not in features:
            return np.full(len(features), _NAN)
        codes = features[self.by].to_numpy(dtype=np.float64)
        return np.where(np.isin(codes, list(self.groups)), codes, _NAN)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; NaN becomes None."""
        groups = {str(code): _plain(values) for code, values in self.groups.items()}
        return {"all": _plain(self.values), "by": self.by, "alike": groups}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> TypicalValues:
        """Rebuild what `to_dict` wrote; models sealed before there were groups are read too."""
        if not isinstance(plain.get("all"), Mapping):
            return cls(_read(plain))
        return cls(_read(plain["all"]), plain["by"], {float(code): _read(values) for code, values in plain["alike"].items()})


def _plain(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else value for name, value in values.items()}


def _read(plain: Mapping[str, float | None]) -> dict[str, float]:
    return {name: _NAN if value is None else float(value) for name, value in plain.items()}


def find_typical_values(
    X: pd.DataFrame, cutoffs: NDArray[np.int64], categories: Sequence[str], *, by: str | None = None
) -> TypicalValues:
    """Find typical values at the latest of the cutoffs that a model was trained on.

    >>> find_typical_values(pd.DataFrame({"a": [1.0, 5.0, 7.0]}), np.array([0, 1, 1]), ()).values
    {'a': 6.0}
    """
    if by is not None and by not in categories:
        fix = nearest(by, categories) if len(categories) else "leave it out: the model has no category feature"
        raise UsageError.of("no category feature to compare accounts by", f"explanation.compare_by: {by}", fix)
    latest = X[cutoffs == cutoffs.max()]
    whole = _typical(latest, categories)
    for name in (by,) if by is not None else _candidates(categories):
        codes, counts = np.unique(latest[name].dropna().to_numpy(), return_counts=True)
        large = codes[(counts >= LEAST_ALIKE) & (codes > 0)]  # code 0 holds every rare text
        # a group that holds nearly everybody adds nothing
        telling = len(codes) > (1 if name in COMPARED else _YES_OR_NO) or by is not None
        if len(large) and len(codes) <= _MOST_GROUPS and telling:
            groups = {float(code): _typical(latest[latest[name] == code], categories) for code in large}
            return TypicalValues(whole, name, groups)
    return TypicalValues(whole)


def _candidates(categories: Sequence[str]) -> list[str]:
    others = [name for name in categories if name.startswith("account_") and name not in COMPARED]
    impersonal = [name for name in others if _PERSONAL.isdisjoint(name.split("_"))]
    return [name for name in (*COMPARED, *impersonal) if name in categories]


def _typical(rows: pd.DataFrame, categories: Sequence[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name in rows.columns:
        column = rows[name].to_numpy()
        known = column[~np.isnan(column)]
        if 2 * len(known) < len(column) or not len(known):
            found[name] = _NAN
        elif name in categories:
            codes, counts = np.unique(known, return_counts=True)
            found[name] = float(codes[counts.argmax()])
        else:
            found[name] = float(np.median(known))
    return found
