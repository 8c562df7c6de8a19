"""Explained accounts: one by one, as a portfolio, and for `shap.plots`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from staypower.cutoffs import text_of
from staypower.explanation.changes import Change, Changes, compare_explanations
from staypower.explanation.reasons import Explanation, Reason
from staypower.reporting.account_story import AccountStory
from staypower.results.blocks import Block, Heading, Items, printable
from staypower.results.numbers import plural
from staypower.results.result import Result
from staypower.scoring.scores import Scores

if TYPE_CHECKING:
    import shap
    from numpy.typing import NDArray

__all__ = ["Explanations", "explain_scores"]

_PORTFOLIO_REASONS = 5
_CARRIED = ("status", "churn_probability", "churn_risk_band", "tier", "quadrant", "mrr", "value_at_risk", "clv")


@dataclass(frozen=True)
class Explanations(Result):
    """Why accounts score as they do; `to_shap()` plugs into `shap.plots`.

    Parameters
    ----------
    scores : Scores
        Of the accounts asked for; of all when none was.
    changes : Changes or None
        Against the earlier cutoff.
    earlier : Scores or None
        At the earlier cutoff.
    asked : tuple of str
        Accounts to explain one by one; empty for the portfolio.
    actions : pandas.DataFrame or None
        The action list, where a playbook is configured.
    notes : tuple of str
        What a reader should know.
    reasons_count : int, default 5
        How many reasons and changes an account gets.
    """

    scores: Scores
    changes: Changes | None
    earlier: Scores | None
    asked: tuple[str, ...]
    actions: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()
    reasons_count: int = _PORTFOLIO_REASONS

    def __len__(self) -> int:
        return len(self.explanation)

    def __repr__(self) -> str:
        return f"Explanations of {len(self):,} accounts at {text_of(self.scores.cutoff)}"

    @property
    def explanation(self) -> Explanation:
        """Contributions of the accounts that have a score."""
        return self.scores.explanation

    @property
    def accounts(self) -> NDArray[np.object_]:
        """The accounts that have a score, one per row of `values`."""
        return self.explanation.accounts

    @property
    def values(self) -> NDArray[np.float64]:
        """Contributions, shape (n, n_features), in log-odds."""
        return self.explanation.contributions

    @property
    def base_values(self) -> NDArray[np.float64]:
        """The base of each row, shape (n,)."""
        return np.full(len(self), self.explanation.base)

    @property
    def data(self) -> NDArray[np.float64]:
        """What the model saw, shape (n, n_features)."""
        return self.explanation.matrix

    @property
    def feature_names(self) -> list[str]:
        """Names of the columns."""
        return [str(name) for name in self.explanation.features.columns]

    def reasons(self, row: int, count: int = 5) -> tuple[Reason, ...]:
        """Return the strongest reasons of one account; see `Explanation.reasons`."""
        return self.explanation.reasons(row, count)

    def levers(self) -> pd.DataFrame:
        """Return the sum of contributions by lever, one row per account."""
        return self.explanation.levers()

    def frame(self, count: int = 5) -> pd.DataFrame:
        """Return `account_id, reason_1, lever_1, contribution_1, ...`, one row per account that has a score."""
        return self.explanation.frame(count)

    def to_shap(self) -> shap.Explanation:
        """Return the contributions for `shap.plots`, such as `shap.plots.waterfall(explained.to_shap()[0])`.

        Returns
        -------
        shap.Explanation
            Categories are shown by their texts.
        """
        # slow to import, and scoring does without it
        import shap

        catalogue = self.explanation.catalogue
        texts: NDArray[np.object_] = self.data.astype(object)
        for column, name in enumerate(self.feature_names):
            if name in catalogue.categories:
                texts[:, column] = [
                    None if np.isnan(value) else catalogue.text_of(name, value) for value in self.data[:, column]
                ]
        return shap.Explanation(
            values=self.values,
            base_values=self.base_values,
            data=self.data,
            display_data=texts,
            feature_names=self.feature_names,
        )

    @cached_property
    def stories(self) -> tuple[AccountStory, ...]:
        """Each account asked for, in the order given; when none was, those of highest risk."""
        asked = self.asked or tuple(self.scores.watch_list(_PORTFOLIO_REASONS)["account_id"].tolist())
        return tuple(self.story(account) for account in asked)

    def story(self, account: str) -> AccountStory:
        """Return everything about one account.

        Parameters
        ----------
        account : str
            One of the accounts that were scored.

        Returns
        -------
        AccountStory
        """
        facts = _facts(self.scores, account)
        before = {} if self.earlier is None else _facts(self.earlier, account)
        row = _row(self.accounts, account)
        known: dict[str, Any] = {"reasons": (), "levers": {}}
        base = raw = change = float("nan")
        if row is not None:
            one = self.explanation.take(np.array([row]))
            base, raw = one.base, float(one.raw_scores[0])
            levers = one.levers().iloc[0]
            known = {"reasons": one.reasons(0, self.reasons_count), "levers": {str(k): float(v) for k, v in levers.items()}}
        moved: tuple[Change, ...] = ()
        if self.changes is not None:
            at = _row(self.changes.accounts, account)
            if at is not None:
                moved, change = self.changes.of(at, self.reasons_count), float(self.changes.score_changes[at])
        return AccountStory(
            account, facts, base, raw, **known, before=before, changes=moved, change=change, action=self._action(account)
        )

    def _action(self, account: str) -> dict[str, Any]:
        if self.actions is None:
            return {}
        rows = self.actions[self.actions["account_id"] == account]
        return {} if rows.empty else {name: _value(rows[name].iloc[0]) for name in ("action", "step", "owner", "holdout")}

    def blocks(self) -> list[Block]:
        """Return every account asked for, or how the portfolio moved and the accounts of highest risk."""
        compared = f", compared with {text_of(self.earlier.cutoff)}" if self.earlier else ""
        shown: list[Block] = [f"{plural(len(self), 'account')} with a score at {text_of(self.scores.cutoff)}{compared}."]
        notes = list(self.notes)
        if self.explanation.leavers is not None:
            notes.append("reasons that similar churned accounts gave are ranked higher")
        shown += [Items([printable(note) for note in notes])] if notes else []
        if not self.asked and self.changes is not None:
            shown += [*self.changes.blocks(), Heading("Highest risk")]
        for story in self.stories:
            shown += story.blocks()
        return shown

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        changes = self.changes if not self.asked else None
        return {
            "cutoff": text_of(self.scores.cutoff),
            "previous_cutoff": None if self.earlier is None else text_of(self.earlier.cutoff),
            "notes": list(self.notes),
            "portfolio": None if changes is None else changes.to_dict(),
            "accounts": [story.to_dict() for story in self.stories],
        }


def explain_scores(
    scores: Scores,
    earlier: Scores | None,
    *,
    accounts: tuple[str, ...] = (),
    actions: pd.DataFrame | None = None,
    notes: tuple[str, ...] = (),
    reasons: int = _PORTFOLIO_REASONS,
) -> Explanations:
    """Explain some accounts, or all, by scores of one model now and at an earlier cutoff."""
    chosen = _only(scores, accounts) if accounts else scores
    changes = None if earlier is None else compare_explanations(earlier.explanation, chosen.explanation)
    return Explanations(chosen, changes, earlier, accounts, actions, notes, reasons)


def _only(scores: Scores, accounts: Sequence[str]) -> Scores:
    """Keep the rows of some accounts."""
    rows = np.flatnonzero(pd.Index(scores.explanation.accounts).isin(accounts))
    table = scores.table[scores.table["account_id"].isin(accounts)].reset_index(drop=True)
    return Scores(table, scores.explanation.take(rows), scores.cutoff)


def _facts(scores: Scores, account: str) -> dict[str, Any]:
    rows = scores.table[scores.table["account_id"] == account]
    if rows.empty:
        return {"status": "no_history"}
    row = rows.iloc[0]
    return {name: _value(row[name]) for name in ("horizon_days", *_CARRIED) if name in row}


def _value(value: Any) -> Any:
    """Return a plain value, None for what is missing."""
    if pd.isna(value):
        return None
    return value.item() if isinstance(value, np.generic) else value


def _row(accounts: NDArray[np.object_], account: str) -> int | None:
    found = np.flatnonzero(accounts == account)
    return int(found[0]) if len(found) else None
