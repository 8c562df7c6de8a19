"""What explanations learn from the accounts of training: typical values, and why churned accounts left.

A typical value is the median of a feature over all accounts, and over groups of similar ones.

A prediction relies on the signs that separate accounts best, mostly falling usage, whatever made usage fall. Churned accounts
often said why they left. A small model (multinomial, linear in the contributions of the topics) is fitted to the levers that
they named. It decides which levers come first among those that matter; contributions alone decide what matters. It needs
reasons for leaving, and words that assign them to levers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from staypower.cutoffs import text_of
from staypower.errors import UsageError, nearest
from staypower.explanation.topics import Topic, sum_topics, topics_of
from staypower.features.definition import LEVERS
from staypower.labels.settings import LabelSettings
from staypower.spells import find_spells

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from staypower.dataset.building import Dataset, DatasetRows
    from staypower.explanation.settings import ExplanationSettings
    from staypower.models.churn import ChurnClassifier
    from staypower.tables import BucketedTables, Tables

__all__ = [
    "COMPARED",
    "LEAST_ALIKE",
    "LEAST_LEAVERS",
    "LeaverReasons",
    "TypicalValues",
    "find_leaver_reasons",
    "find_typical_values",
    "fit_leaver_reasons",
    "named_levers",
]

LEAST_LEAVERS = 100  # with fewer churned accounts that gave a reason, nothing is fitted

_LEAST_OF_A_LEVER = 10
_REGULARISATION = 0.01
_FLOOR = 0.02
_KEY = "reasons"  # in a bundle's learned definitions


@dataclass(frozen=True)
class LeaverReasons:
    """How the levers that churned accounts named depend on the contributions of the topics.

    >>> fitted = LeaverReasons(("support", "billing"), ("tickets",), (0.5, 0.5), (1.0,), (0.0, 0.0), ((1.0, -1.0),))
    >>> fitted.shares_for(np.array([[0.0], [1.0]])).round(2).tolist()
    [[0.5, 0.5], [0.88, 0.12]]
    """

    levers: tuple[str, ...]  # those that enough churned accounts named
    topics: tuple[str, ...]  # names of the topics
    share: tuple[float, ...]  # how often each lever was named, in (0, 1)
    scale: tuple[float, ...]  # what a contribution is divided by
    intercept: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]

    def shares_for(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how often churned accounts similar to each account named each lever."""
        # column by column, so that the bits do not depend on which other accounts are explained
        score = np.tile(np.asarray(self.intercept), (len(sums), 1))
        for topic, (scale, weights) in enumerate(zip(self.scale, self.weights, strict=True)):
            score += (sums[:, topic] / scale)[:, None] * np.asarray(weights)
        score -= score.max(axis=1, keepdims=True)
        chance = np.exp(score)
        total = np.zeros(len(sums))
        for lever in range(len(self.levers)):
            total += chance[:, lever]
        found: NDArray[np.float64] = chance / total[:, None]
        return found

    def order(self, totals: NDArray[np.float64], sums: NDArray[np.float64], levers: Sequence[str]) -> NDArray[np.float64]:
        """Return what the levers are ordered by, largest first; `totals` has a column for each of them.

        The root of a lever's total, times how often similar churned accounts named it, by the root of how often all did. A
        lever that was not named counts as if it were named half as often as the rarest.
        """
        rarest = np.sqrt(min(self.share) / 2.0)
        factor = np.full(totals.shape, rarest)
        shares = self.shares_for(sums) / np.sqrt(np.asarray(self.share))
        for place, lever in enumerate(levers):
            if lever in self.levers:
                factor[:, place] = shares[:, self.levers.index(lever)]
        return np.asarray(np.sqrt(totals) * factor)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "levers": list(self.levers),
            "topics": list(self.topics),
            "share": list(self.share),
            "scale": list(self.scale),
            "intercept": list(self.intercept),
            "weights": [list(row) for row in self.weights],
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> LeaverReasons:
        """Rebuild what `to_dict` wrote."""
        lists = {name: tuple(plain[name]) for name in ("levers", "topics", "share", "scale", "intercept")}
        return cls(**lists, weights=tuple(tuple(row) for row in plain["weights"]))

    @classmethod
    def of(cls, learned: Mapping[str, Any]) -> LeaverReasons | None:
        """Read them from a bundle's learned definitions; None for a model that was sealed without."""
        plain = learned.get(_KEY, {}).get("leavers")
        return None if plain is None else cls.from_dict(plain)


def find_leaver_reasons(
    model: ChurnClassifier, dataset: Dataset, tables: BucketedTables, label: LabelSettings, settings: ExplanationSettings
) -> tuple[LeaverReasons | None, tuple[str, ...]]:
    """Fit reasons for leaving to the churned training and calibration rows, with a note that says how many there were."""
    if not settings.leavers_said:
        return None, ()
    churned = dataset.part("training", "calibration").churned
    named = named_levers(churned, tables.together({"subscriptions"}), label, settings)
    topics = topics_of(dataset.catalogue, list(dataset.catalogue.names))
    sums = sum_topics(model.contributions(churned.X, churned.accounts)[0], topics)
    accounts = churned.accounts
    fitted = fit_leaver_reasons(sums, named, accounts, topics)
    explained, all_of_them = (len(set(accounts[rows])) for rows in (named != None, slice(None)))  # noqa: E711 - elementwise
    words = f"{explained:,} of {all_of_them:,} churned accounts gave a reason found in `explanation.leavers_said`"
    if fitted is None:
        return None, (f"{words}: too few, so reasons are ordered by their contributions alone",)
    return fitted, (f"{words}: reasons are ordered by what similar churned accounts named",)


def named_levers(
    churned: DatasetRows, tables: Tables, label: LabelSettings, settings: ExplanationSettings
) -> NDArray[np.object_]:
    """Return the lever that each churned row named when it left."""
    accounts, cutoffs = churned.accounts, churned.cutoffs
    named = np.full(len(accounts), None, dtype=object)
    if not label.by_subscriptions or not tables.has("subscriptions", "end_reason", "ended_at"):
        return named
    listed = sorted(set(accounts.tolist()))
    spells = find_spells(tables["subscriptions"], grace_days=label.outcome.grace, accounts=listed)
    levers = np.array([settings.lever_of(reason) for reason in spells.end_reason], dtype=object)
    place = {account: number for number, account in enumerate(listed)}
    number = np.array([place[account] for account in accounts], dtype=np.int64)
    for cutoff in np.unique(cutoffs).tolist():
        ends = label.outcome.contains(spells.ended, cutoff)
        lever = np.full(len(listed), None, dtype=object)
        lever[spells.account[ends]] = levers[ends]
        at = cutoffs == cutoff
        named[at] = lever[number[at]]
    return named


def fit_leaver_reasons(
    sums: NDArray[np.float64], named: NDArray[np.object_], accounts: NDArray[np.object_], topics: Sequence[Topic]
) -> LeaverReasons | None:
    """Fit the levers that churned accounts named; None when too few did."""
    counted = {lever: len(set(accounts[named == lever])) for lever in LEVERS}
    levers = tuple(lever for lever in LEVERS if counted[lever] >= _LEAST_OF_A_LEVER)
    chosen = np.isin(named.astype(str), levers)
    if len(levers) < 2 or len(set(accounts[chosen])) < LEAST_LEAVERS:
        return None
    # only fitting needs scikit-learn
    from sklearn.linear_model import LogisticRegression

    rows, classes = sums[chosen], np.array([levers.index(lever) for lever in named[chosen]])
    _, number, times = np.unique(accounts[chosen].astype(str), return_inverse=True, return_counts=True)
    weight = 1.0 / times[number]
    weight *= len(weight) / weight.sum()
    scale = rows.std(axis=0) + _FLOOR
    model = LogisticRegression(C=_REGULARISATION, max_iter=2000).fit(rows / scale, classes, sample_weight=weight)
    coefficients, intercept = model.coef_, model.intercept_
    if len(levers) == 2:
        coefficients, intercept = np.vstack([-coefficients, coefficients]) / 2, np.array([-intercept[0], intercept[0]]) / 2
    share = np.bincount(classes, weights=weight, minlength=len(levers)) / weight.sum()
    return LeaverReasons(
        levers,
        tuple(topic.name for topic in topics),
        tuple(share.tolist()),
        tuple(scale.tolist()),
        tuple(intercept.tolist()),
        tuple(map(tuple, coefficients.T.tolist())),
    )


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
    contributions: TypicalValues | None = None  # the same for the contributions of topics; None for models sealed without
    at: str = ""  # the cutoff whose accounts they are of; empty for models sealed without

    def said(self, cutoff: int) -> str:
        """Say of when they are, where that is not the cutoff that is scored.

        >>> TypicalValues({}, at="2025-06-01").said(0)
        'typical values are those of the accounts at 2025-06-01, the latest cutoff that the model learned from'
        """
        if self.at in ("", text_of(cutoff)):
            return ""
        return f"typical values are those of the accounts at {self.at}, the latest cutoff that the model learned from"

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

    def of_columns(self, names: Sequence[str], codes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what is typical for each row in each of some columns, given what `codes` returned for the rows."""
        wanted = tuple(names)
        found = np.tile(self._row(wanted, None), (len(codes), 1))
        for code in set(codes.tolist()) & set(self.groups):
            found[codes == code] = self._row(wanted, code)
        return found

    def _row(self, names: tuple[str, ...], code: float | None) -> NDArray[np.float64]:
        """Return what is typical in the group of a code, kept: every score of a model asks for the same."""
        if (names, code) not in self._rows:
            self._rows[names, code] = np.array([self.of(name, code) for name in names], dtype=np.float64)
        return self._rows[names, code]

    @cached_property
    def _rows(self) -> dict[tuple[tuple[str, ...], float | None], NDArray[np.float64]]:
        return {}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; NaN becomes None."""
        groups = {str(code): _plain(values) for code, values in self.groups.items()}
        contributions = {} if self.contributions is None else {"contributions": self.contributions.to_dict()}
        of_when = {"at": self.at} if self.at else {}
        return {"all": _plain(self.values), "by": self.by, "alike": groups, **contributions, **of_when}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> TypicalValues:
        """Rebuild what `to_dict` wrote; models sealed before there were groups are read too."""
        if not isinstance(plain.get("all"), Mapping):
            return cls(_read(plain))
        groups = {float(code): _read(values) for code, values in plain["alike"].items()}
        contributions = cls.from_dict(plain["contributions"]) if "contributions" in plain else None
        return cls(_read(plain["all"]), plain["by"], groups, contributions, plain.get("at", ""))


def _plain(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else value for name, value in values.items()}


def _read(plain: Mapping[str, float | None]) -> dict[str, float]:
    return {name: _NAN if value is None else float(value) for name, value in plain.items()}


def find_typical_values(
    X: pd.DataFrame,
    cutoffs: NDArray[np.int64],
    categories: Sequence[str],
    *,
    by: str | None = None,
    contributions: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
) -> TypicalValues:
    """Find typical values at the latest of the cutoffs that a model was trained on.

    `contributions` returns what each topic contributes for some rows; with it, typical contributions are found as well.

    >>> find_typical_values(pd.DataFrame({"a": [1.0, 5.0, 7.0]}), np.array([0, 1, 1]), ()).values
    {'a': 6.0}
    """
    if by is not None and by not in categories:
        fix = nearest(by, categories) if len(categories) else "leave it out: the model has no category feature"
        raise UsageError.of("no category feature to compare accounts by", f"explanation.compare_by: {by}", fix)
    latest, at = X[cutoffs == cutoffs.max()], text_of(int(cutoffs.max()))
    pushed = None if contributions is None else contributions(latest)
    whole = _typical(latest, categories)
    for name in (by,) if by is not None else _candidates(categories):
        codes, counts = np.unique(latest[name].dropna().to_numpy(), return_counts=True)
        large = codes[(counts >= LEAST_ALIKE) & (codes > 0)]  # code 0 holds every rare text
        # a group of nearly all accounts adds nothing
        telling = len(codes) > (1 if name in COMPARED else _YES_OR_NO) or by is not None
        if len(large) and len(codes) <= _MOST_GROUPS and telling:
            alike = {float(code): (latest[name] == code).to_numpy() for code in large}
            groups = {code: _typical(latest[rows], categories) for code, rows in alike.items()}
            return TypicalValues(whole, name, groups, _typical_contributions(pushed, name, alike), at)
    return TypicalValues(whole, contributions=_typical_contributions(pushed, None, {}), at=at)


def _typical_contributions(
    pushed: pd.DataFrame | None, by: str | None, alike: Mapping[float, NDArray[np.bool_]]
) -> TypicalValues | None:
    if pushed is None:
        return None
    return TypicalValues(_typical(pushed, ()), by, {code: _typical(pushed[rows], ()) for code, rows in alike.items()})


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
