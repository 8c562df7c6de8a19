"""Exact contributions to each account's score, and the few that are worth saying."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from staypower.explanation.sentences import sentence
from staypower.explanation.usual import UsualValues
from staypower.features import Catalogue

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Explanation", "Reason", "explain_scores"]


@dataclass(frozen=True)
class Reason:
    """One feature's contribution to one account's score.

    Parameters
    ----------
    feature : str
    value : float
    usual : float
    contribution : float
        In log-odds of the raw score; above 0 it raises the risk of leaving.
    sentence : str
    lever : str or None
    """

    feature: str
    value: float
    usual: float
    contribution: float
    sentence: str
    lever: str | None


@dataclass(frozen=True)
class Explanation:
    """Contributions of every feature to the raw scores of some accounts.

    Parameters
    ----------
    accounts : array of str, shape (n,)
    features : pandas.DataFrame, shape (n, n_features)
        What the model saw.
    contributions : array of float, shape (n, n_features)
        Log-odds; `base + contributions.sum(axis=1)` is the raw score.
    base : float
        The raw score before any feature is looked at.
    catalogue : Catalogue
    usual : UsualValues
    """

    accounts: NDArray[np.object_]
    features: pd.DataFrame
    contributions: NDArray[np.float64]
    base: float
    catalogue: Catalogue
    usual: UsualValues

    def __len__(self) -> int:
        return len(self.accounts)

    def reasons(self, row: int, count: int = 5) -> tuple[Reason, ...]:
        """Return the strongest contributions of one account, of each group of windows only the strongest.

        Parameters
        ----------
        row : int
            Position of the account.
        count : int, default 5

        Returns
        -------
        tuple of Reason
            Strongest first, raising and lowering alike.
        """
        values = self.features.to_numpy()[row]
        return tuple(self._reason(column, values[column], self.contributions[row, column]) for column in self._top(row, count))

    def _top(self, row: int, count: int) -> list[int]:
        strength = np.abs(self.contributions[row])
        chosen: list[int] = []
        said: set[str] = set()
        # features in their order decide between equal contributions
        for column in np.argsort(-strength, kind="stable"):
            stem = self._stems[column]
            if len(chosen) == count or strength[column] == 0.0:
                break
            if stem not in said:
                said.add(stem)
                chosen.append(int(column))
        return chosen

    @cached_property
    def _stems(self) -> list[str]:
        # 7, 28 and 90 days of the same thing are one thing to say
        return [re.sub(r"_\d+d\Z", "", name) for name in self.features.columns]

    def _reason(self, column: int, value: float, contribution: float) -> Reason:
        name = str(self.features.columns[column])
        words = sentence(self.catalogue, self.usual, name, float(value))
        return Reason(name, float(value), self.usual[name], float(contribution), words, self.catalogue[name].lever)

    def levers(self) -> pd.DataFrame:
        """Return the sum of contributions by lever, one row an account; `none` holds what nobody can act on."""
        levers = [self.catalogue[str(name)].lever or "none" for name in self.features.columns]
        summed = pd.DataFrame(self.contributions, columns=levers).T.groupby(level=0).sum().T
        return summed.set_index(pd.Index(self.accounts, name="account_id"))

    def frame(self, count: int = 5) -> pd.DataFrame:
        """Return the reasons in columns `reason_1`, `lever_1`, `contribution_1`, ..., one row an account."""
        rows = []
        for row in range(len(self)):
            entry: dict[str, Any] = {"account_id": self.accounts[row]}
            reasons = self.reasons(row, count)
            for n in range(count):
                reason = reasons[n] if n < len(reasons) else None
                entry[f"reason_{n + 1}"] = reason.sentence if reason else None
                entry[f"lever_{n + 1}"] = reason.lever if reason else None
                entry[f"contribution_{n + 1}"] = reason.contribution if reason else np.nan
            rows.append(entry)
        columns = ["account_id", *(f"{part}_{n + 1}" for n in range(count) for part in ("reason", "lever", "contribution"))]
        return pd.DataFrame(rows, columns=columns)

    def _repr_html_(self) -> str:
        items = "".join(
            f"<h4>{escape(str(account))}</h4><ol>"
            + "".join(f"<li>{escape(r.sentence)} <small>{r.contribution:+.2f}</small></li>" for r in self.reasons(row))
            + "</ol>"
            for row, account in enumerate(self.accounts[:20])
        )
        more = f"<p>... and {len(self) - 20} more accounts</p>" if len(self) > 20 else ""
        return f"<div>{items}{more}</div>"


def explain_scores(
    accounts: NDArray[np.object_],
    features: pd.DataFrame,
    contributions: NDArray[np.float64],
    base: float,
    *,
    catalogue: Catalogue,
    usual: UsualValues,
) -> Explanation:
    """Put contributions and declarations together.

    Parameters
    ----------
    accounts : array of str, shape (n,)
    features : pandas.DataFrame, shape (n, n_features)
    contributions : array of float, shape (n, n_features)
    base : float
    catalogue : Catalogue
    usual : UsualValues

    Returns
    -------
    Explanation
    """
    return Explanation(accounts, features, contributions, base, catalogue, usual)
