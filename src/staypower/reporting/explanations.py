"""Explained accounts: one by one, as a portfolio, and for `shap.plots`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from staypower.cutoffs import text_of
from staypower.errors import UsageError
from staypower.explanation.changes import Change, Changes, RiskChanges, compare_explanations
from staypower.explanation.reasons import Explanation, Reason, lever_words
from staypower.gate.report import GateReport
from staypower.portfolio.attributes import called
from staypower.results.numbers import chance, decimal, plural, signed
from staypower.results.result import Block, Heading, Items, Result, printable
from staypower.scoring.scores import ONE_SNAPSHOT, Scores, outcome_words

if TYPE_CHECKING:
    import shap
    from numpy.typing import NDArray

__all__ = ["WATCHED", "AccountStory", "Explanations", "explain_scores", "standing"]

_NO_SCORE = {
    "not_active": "not an active customer",
    "notice_given": "had given notice",
    "too_new": "too new",
    "no_history": "no history",
    "invalid": "unusable data",
    "left": "has left",
}


@dataclass(frozen=True)
class AccountStory:
    """One account explained."""

    account: str
    # its row of the scores: `status, churn_probability, churn_risk_band, tier, quadrant`, ... where they are known
    facts: Mapping[str, Any]
    base: float  # log-odds; NaN when the account has no score
    raw_score: float  # log-odds; NaN when the account has no score
    reasons: tuple[Reason, ...]
    levers: Mapping[str, float]  # sum of contributions by lever; with the base they add up to the raw score
    # the same facts at the earlier cutoff; empty when nothing is compared
    before: Mapping[str, Any] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()  # what changed the score since then
    change: float = float("nan")  # change of the raw score; NaN when there is none at one of the cutoffs
    # what the playbook asks for: `action, step, owner, holdout`; empty when the account is not on the list
    action: Mapping[str, Any] = field(default_factory=dict)

    def blocks(self) -> list[Block]:
        """Return the account's score, its reasons, what changed and what to do."""
        who = called({**self.facts, "account_id": self.account})
        shown: list[Block] = [Heading(printable(f"{who}: {standing(self.facts)}"))]
        if self.reasons:
            shown += ["Reasons, in log-odds:", _contributions(self.reasons), self._levers()]
        if self.before:
            shown.append(printable(f"Before: {standing(self.before)}"))
        if self.changes:
            shown += [f"What changed ({_moved(self.change)} in total):", _contributions(self.changes)]
        if self.action:
            held = " Held back at random: do not act on this account." if self.action.get("holdout") else ""
            shown.append(printable(f"Action: {self.action['step']} ({self.action['owner']}){held}"))
        return shown

    def _levers(self) -> str:
        sums = sorted(self.levers.items(), key=lambda one: -abs(one[1]))
        parts = ", ".join(f"{lever_words(name)} {_moved(value)}" for name, value in sums)
        return f"By lever: {parts}. With the base {decimal(self.base, 2)} they add up to {decimal(self.raw_score, 2)}."

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "account_id": self.account,
            **self.facts,
            "base": self.base,
            "raw_score": self.raw_score,
            "reasons": [_plain(one, usual=one.typical, value=one.value) for one in self.reasons],
            "levers": dict(self.levers),
            "before": dict(self.before) or None,
            "change": self.change,
            "changes": [_plain(one, before=one.before, after=one.after) for one in self.changes],
            "action": dict(self.action) or None,
        }


def _moved(log_odds: float) -> str:
    return signed(log_odds, lambda value: decimal(value, 2))


def _contributions(parts: Sequence[Reason | Change]) -> Items:
    return Items(
        [printable(f"{_moved(one.contribution)} {one.sentence}{f' [{one.lever}]' if one.lever else ''}") for one in parts]
    )


def standing(facts: Mapping[str, Any]) -> str:
    """Return an account's probability, band, tier and quadrant in words, or why it has no score.

    >>> standing({"status": "scored", "churn_probability": 0.2, "churn_risk_band": "high", "horizon_days": 90})
    '20% within 90 days (high risk)'
    >>> standing({"status": "too_new"})
    'no score (too new)'
    """
    if facts.get("status") != "scored":
        return f"no score ({_NO_SCORE.get(str(facts.get('status')), 'status not recorded')})"
    known = [f"{facts['churn_risk_band']} risk", *(str(facts[name]) for name in ("tier", "quadrant") if facts.get(name))]
    return f"{chance(facts['churn_probability'])} {outcome_words(facts['horizon_days'])} ({', '.join(known)})"


def _plain(one: Reason | Change, **more: float) -> dict[str, Any]:
    return {
        "sentence": one.sentence,
        "lever": one.lever,
        "contribution": one.contribution,
        "topic": one.topic,
        "feature": one.feature,
        **more,
    }


_PORTFOLIO_REASONS = 5
WATCHED = 5  # accounts of highest risk that are explained when none is asked for
_CARRIED = ("name", "status", "churn_probability", "churn_risk_band", "tier", "quadrant", "mrr", "value_at_risk", "clv")


@dataclass(frozen=True)
class Explanations(Result):
    """Why accounts score as they do; `to_shap()` plugs into `shap.plots`.

    Parameters
    ----------
    scores : Scores
        Of the accounts asked for; of all when none was.
    changes : Changes or None
        Since the earlier cutoff.
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
    portfolio : RiskChanges or None
        What changed for all accounts, where only those of highest risk are held in memory.
    scored : int or None
        How many accounts have a score, where only those of highest risk are held in memory.
    model : str
        What the model was trained on, and how old that is.
    gate : GateReport or None
        The data against those of training.
    """

    scores: Scores
    changes: Changes | None
    earlier: Scores | None
    asked: tuple[str, ...]
    actions: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()
    reasons_count: int = _PORTFOLIO_REASONS
    portfolio: RiskChanges | None = None
    scored: int | None = None
    model: str = ""
    gate: GateReport | None = None

    def __len__(self) -> int:
        return len(self.scores.explanation) if self.scored is None else self.scored

    def __repr__(self) -> str:
        return f"Explanations of {len(self):,} accounts at {text_of(self.scores.cutoff)}"

    @property
    def explanation(self) -> Explanation:
        """Contributions of the accounts that have a score."""
        held = len(self.scores.explanation)
        if held < len(self):
            fix = "name accounts with `accounts`, or raise `engine.memory`"
            raise UsageError.of("contributions not in memory", f"{held:,} of {len(self):,} accounts are", fix)
        return self.scores.explanation

    @property
    def risk(self) -> RiskChanges | None:
        """How the risk of all accounts changed since the earlier cutoff."""
        return self.portfolio if self.changes is None or self.portfolio is not None else self.changes.risk

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
        return self.explanation.bases

    @property
    def data(self) -> NDArray[np.float64]:
        """The feature values, shape (n, n_features)."""
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
        asked = self.asked or tuple(self.scores.watch_list(WATCHED)["account_id"].tolist())
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
        facts = _facts(self.scores, self._places["scores"].get(account))
        before = {} if self.earlier is None else _facts(self.earlier, self._places["earlier"].get(account))
        explanation = self.scores.explanation
        row = self._places["explained"].get(account)
        known: dict[str, Any] = {"reasons": (), "levers": {}}
        base = raw = change = float("nan")
        if row is not None:
            one = explanation.take(np.array([row]))
            base, raw = float(one.bases[0]), float(one.raw_scores[0])
            levers = one.levers().iloc[0]
            known = {"reasons": one.reasons(0, self.reasons_count), "levers": {str(k): float(v) for k, v in levers.items()}}
        moved: tuple[Change, ...] = ()
        if self.changes is not None:
            at = self._places["changed"].get(account)
            if at is not None:
                moved, change = self.changes.of(at, self.reasons_count), float(self.changes.score_changes[at])
        return AccountStory(
            account, facts, base, raw, **known, before=before, changes=moved, change=change, action=self._action(account)
        )

    @cached_property
    def _places(self) -> dict[str, dict[str, int]]:
        """Where each account stands: looking for thousands of them one by one would take long."""
        lists: dict[str, Any] = {"scores": self.scores.table["account_id"], "explained": self.scores.explanation.accounts}
        lists |= {} if self.earlier is None else {"earlier": self.earlier.table["account_id"]}
        lists |= {} if self.changes is None else {"changed": self.changes.accounts}
        return {name: {str(account): place for place, account in enumerate(listed)} for name, listed in lists.items()}

    def _action(self, account: str) -> dict[str, Any]:
        if self.actions is None:
            return {}
        rows = self.actions[self.actions["account_id"] == account]
        return {} if rows.empty else {name: _value(rows[name].iloc[0]) for name in ("action", "step", "owner", "holdout")}

    def blocks(self) -> list[Block]:
        """Return every account asked for, or how the portfolio moved and the accounts of highest risk."""
        compared = f", compared with {text_of(self.earlier.cutoff)}" if self.earlier else ""
        shown: list[Block] = [] if self.gate is None else self.gate.blocks()
        shown += [f"{plural(len(self), 'account')} with a score at {text_of(self.scores.cutoff)}{compared}."]
        of_when = self.scores.explanation.typical.said(self.scores.cutoff)
        notes = [*([ONE_SNAPSHOT] if self.scores.one_snapshot else []), *self.notes, *([of_when] if of_when else [])]
        if self.scores.explanation.leavers is not None:
            notes.append("reasons that similar churned accounts gave are ranked higher")
        shown += [Items([printable(note) for note in notes])] if notes else []
        if not self.asked and self.risk is not None:
            shown += [*self.risk.blocks(), Heading("Highest risk")]
        for story in self.stories:
            shown += story.blocks()
        return [*shown, f"{self.model}."] if self.model else shown

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        changes = self.risk if not self.asked else None
        return {
            "cutoff": text_of(self.scores.cutoff),
            "previous_cutoff": None if self.earlier is None else text_of(self.earlier.cutoff),
            "model": self.model,
            "data": None if self.gate is None else self.gate.to_dict(),
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
    return Scores(table, scores.explanation.take(rows), scores.cutoff, lacking=scores.lacking)


def _facts(scores: Scores, place: int | None) -> dict[str, Any]:
    if place is None:
        return {"status": "no_history"}
    row = scores.table.iloc[place]
    return {name: _value(row[name]) for name in ("horizon_days", *_CARRIED) if name in row}


def _value(value: Any) -> Any:
    """Return a plain value, None for what is missing."""
    if pd.isna(value):
        return None
    return value.item() if isinstance(value, np.generic) else value
