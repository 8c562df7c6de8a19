"""Features and labels joined on account and cutoff, with the part that each row plays."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from staypower.cutoffs import MISSING, earliest
from staypower.dataset.cache import MatrixCache
from staypower.dataset.cutoff_plan import CutoffPlan, plan_cutoffs, plan_snapshot
from staypower.dataset.settings import CutoffSettings
from staypower.errors import UsageError
from staypower.features import Catalogue, FeatureMatrix, FeatureSettings, build_matrix, declare
from staypower.labels import LEAST_CHURNERS, GivenLabel, Labels, LabelSettings, find_labels, require_enough
from staypower.sources.spilled import SpilledTables
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "SAME_FOR_ALL",
    "Dataset",
    "Part",
    "begin_of_history",
    "build_dataset",
    "choose_plan",
    "is_test_account",
    "labels_of",
    "parts_of",
    "require_features",
    "told_by",
    "without_constants",
]

Part = Literal["training", "calibration", "test"]

TEST_SHARE = 0.3
SAME_FOR_ALL = "the same for every account where the model learns"


@dataclass(frozen=True)
class Dataset:
    """The rows a model learns from and is tested on.

    Parameters
    ----------
    matrix : FeatureMatrix
        One row for every account that is in the population at a cutoff.
    y : array of int8, shape (n,)
        1 for churned.
    part : array of str, shape (n,)
        `training`, `calibration` or `test`.
    catalogue : Catalogue
        What the columns are.
    plan : CutoffPlan
    labels : Labels
        Statuses and counts of every account and cutoff, those left out included.
    """

    matrix: FeatureMatrix
    y: NDArray[np.int8]
    part: NDArray[np.object_]
    catalogue: Catalogue
    plan: CutoffPlan
    labels: Labels

    @property
    def X(self) -> pd.DataFrame:  # noqa: N802 - scikit-learn's name
        """The feature columns."""
        return self.matrix.features

    def rows(self, *parts: Part) -> NDArray[np.bool_]:
        """Say which rows belong to some parts."""
        return np.isin(self.part.astype(str), parts)

    def frame(self) -> pd.DataFrame:
        """Return keys, part, label and features as one frame."""
        keys = self.matrix.frame()
        keys.insert(2, "part", self.part)
        keys.insert(3, "churned", self.y)
        return keys


def is_test_account(account: str) -> bool:
    """Say whether an account belongs to the test part of a snapshot: by a hash of its id, whatever else is in the data.

    Examples
    --------
    >>> sum(is_test_account(str(n)) for n in range(1000)) / 1000
    0.324
    """
    digest = hashlib.sha256(account.encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < TEST_SHARE


def told_by(label: LabelSettings) -> tuple[str, ...]:
    """Name the attribute or table that tells the outcome itself, so that no feature is built from it.

    Examples
    --------
    >>> told_by(GivenLabel(flag="Churn Label")), told_by(GivenLabel(dates="churn"))
    (('Churn Label',), ('churn',))
    """
    if not isinstance(label, GivenLabel):
        return ()
    return tuple(name for name in (label.flag, label.dates) if name is not None)


def choose_plan(tables: Tables | SpilledTables, label: LabelSettings, cutoffs: CutoffSettings) -> CutoffPlan:
    """Plan the cutoffs that a label and a history allow.

    Parameters
    ----------
    tables : Tables or SpilledTables
    label : LabelSettings
        A given flag has one cutoff; every other label as many as the history holds.
    cutoffs : CutoffSettings

    Returns
    -------
    CutoffPlan
    """
    if isinstance(label, GivenLabel) and label.flag is not None:
        return plan_snapshot(label.at or tables.observed_until, label.outcome)
    return plan_cutoffs(cutoffs, label.outcome, first=begin_of_history(tables), observed_until=tables.observed_until)


def begin_of_history(tables: Tables | SpilledTables) -> int:
    """Return the first instant of the table with the most rows.

    Contracts and sign-ups often reach back years before anything else was recorded; features of such a time would be empty
    for want of records, not of events.
    """
    if isinstance(tables, SpilledTables):
        told = max(
            (each for each in tables.listed.values() if each.name != "accounts"), key=lambda each: each.rows, default=None
        )
        return MISSING if told is None or told.first is None else told.first
    busiest = max((name for name in tables if name != "accounts"), key=lambda name: len(tables[name]), default=None)
    return MISSING if busiest is None else earliest([tables[busiest].own_instants()])


def build_dataset(
    tables: Tables,
    *,
    label: LabelSettings,
    features: FeatureSettings,
    cutoffs: CutoffSettings,
    catalogue: Catalogue | None = None,
    cache: MatrixCache | None = None,
    need: Sequence[Literal["training", "test"]] = (),
    least_churners: int = LEAST_CHURNERS,
    threads: int = 2,
) -> Dataset:
    """Build the rows of every cutoff of the plan.

    Parameters
    ----------
    tables : Tables
    label, features, cutoffs
        Settings.
    catalogue : Catalogue, optional
        What a trained model reads; by default declared anew from what was known at the last training cutoff.
    cache : MatrixCache, optional
        Where matrices are kept between runs.
    need : sequence of {"training", "test"}, default ()
        What must have enough of both classes; asked before anything costly is built.
    least_churners : int, default 20
        Churned rows that training needs.
    threads : int, default 2

    Returns
    -------
    Dataset

    Raises
    ------
    UsageError
        When no cutoff fits, no account is active, no feature can be built, or what is needed has too few of one class.
    """
    plan = choose_plan(tables, label, cutoffs)
    labels = find_labels(tables, label, plan.all)
    _require(labels, plan, need, least_churners)
    known = labels.churned >= 0
    accounts = list(labels.population.accounts)
    declared = catalogue or declare(tables, features, cutoff=plan.learnt_until, hidden=told_by(label))
    require_features(declared)

    def build() -> FeatureMatrix:
        return build_matrix(tables, declared, accounts=accounts, cutoffs=plan.all, rows=known, threads=threads)

    matrix = build() if cache is None else cache.get(declared, plan.all, known, build)
    part = parts_of(matrix, plan)
    if catalogue is None:
        kept = without_constants(declared, matrix, part != "test")
        matrix = replace(matrix, features=matrix.features[list(kept.names)], categories=kept.categories)
        declared = kept
        if cache is not None:
            # evaluating asks for these columns: they are what the model reads
            cache.keep(declared, plan.all, known, matrix)
    y = labels_of(matrix, labels, plan)
    return Dataset(matrix, y, part, declared, plan, labels)


def require_features(catalogue: Catalogue) -> None:
    """Refuse a catalogue without any feature.

    Raises
    ------
    UsageError
        With why there is none.
    """
    if not catalogue.definitions:
        reasons = "; ".join(sorted(set(catalogue.left_out.values()))[:3]) or "none declared"
        raise UsageError.of("no feature can be built", reasons, "map more tables or columns, or declare `static` attributes")


def _require(labels: Labels, plan: CutoffPlan, need: Sequence[str], least_churners: int) -> None:
    if plan.split == "snapshot":
        tested = np.array([is_test_account(account) for account in labels.population.accounts], dtype=bool)
        parts = {"training": labels.churned[~tested], "test": labels.churned[tested]}
    else:
        tested = np.isin(plan.all, plan.test)
        parts = {"training": labels.churned[:, ~tested], "test": labels.churned[:, tested]}
    if "training" in need:
        require_enough(parts["training"], purpose="training", least_churners=least_churners)
    if "test" in need:
        require_enough(parts["test"], purpose="the test", least_churners=1, least_stayers=1)


def labels_of(matrix: FeatureMatrix, labels: Labels, plan: CutoffPlan) -> NDArray[np.int8]:
    """Return the label of each row."""
    order = np.asarray(labels.population.accounts, dtype=object)
    account = np.searchsorted(order.astype(str), matrix.accounts.astype(str))
    cutoff = np.searchsorted(plan.all, matrix.cutoffs)
    return labels.churned[account, cutoff].astype(np.int8)


def parts_of(matrix: FeatureMatrix, plan: CutoffPlan) -> NDArray[np.object_]:
    """Return the part that each row plays."""
    if plan.split == "snapshot":
        return np.array(["test" if is_test_account(account) else "training" for account in matrix.accounts], dtype=object)
    part = np.full(len(matrix), "training", dtype=object)
    part[np.isin(matrix.cutoffs, plan.calibration)] = "calibration"
    part[np.isin(matrix.cutoffs, plan.test)] = "test"
    return part


def without_constants(catalogue: Catalogue, matrix: FeatureMatrix, learnt_from: NDArray[np.bool_]) -> Catalogue:
    """Leave out the columns that say nothing where the model learns."""
    values = matrix.features.to_numpy()[learnt_from]
    if not len(values):
        return catalogue
    missing = np.isnan(values)
    filled = np.where(missing, np.inf, values)
    first = filled[0]
    varies = (filled != first).any(axis=0)
    constant = {name: SAME_FOR_ALL for name, good in zip(catalogue.names, varies, strict=True) if not good}
    kept = catalogue.only(name for name in catalogue.names if name not in constant)
    return replace(kept, left_out={**catalogue.left_out, **constant})
