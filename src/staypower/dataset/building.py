"""Features and labels joined on account and cutoff, with the part of each row: all at once, or bucket by bucket."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from staypower.dataset.cache import MatrixCache
from staypower.dataset.cutoff_plan import (
    PARTS,
    CutoffPlan,
    Part,
    choose_plan,
    is_test_account,
    pairs_of,
    require_enough_left,
    rows_kept,
)
from staypower.dataset.sampling import Sampling
from staypower.dataset.settings import CutoffSettings
from staypower.errors import UsageError
from staypower.features.builder import FeatureMatrix, build_matrix
from staypower.features.catalogue import Catalogue
from staypower.features.declaring import declare
from staypower.features.settings import FeatureSettings
from staypower.hashing import alike_accounts
from staypower.labels.churn import LEAST_CHURNERS, Labels, find_labels
from staypower.labels.settings import LabelSettings
from staypower.results.numbers import count, percent, plural
from staypower.results.result import Block, Result, TableBlock
from staypower.tables import BucketedTables

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNUSED = "unused"  # the part of rows of a snapshot that are left out
SAME_FOR_ALL = "the same in all training rows"
_EVERYTHING = Sampling()


@dataclass(frozen=True)
class Dataset(Result):
    """The rows that a model is trained and tested on.

    Parameters
    ----------
    matrix : FeatureMatrix
        One row for every account that is in the population at a cutoff.
    y : array of int8, shape (n,)
        1 for churned.
    parts : array of str, shape (n,)
        `training`, `calibration`, `between` or `test`, for each row; `unused` for one that is left out of training, since a
        test row is like it in everything but the account.
    catalogue : Catalogue
        What the columns are.
    plan : CutoffPlan
    labels : Labels
        Statuses and counts of every account and cutoff, those left out included.
    sampling : Sampling, default everything
        What share of the accounts, and of the rows of stayers, the rows above are.
    """

    matrix: FeatureMatrix
    y: NDArray[np.int8]
    parts: NDArray[np.object_]
    catalogue: Catalogue
    plan: CutoffPlan
    labels: Labels
    sampling: Sampling = _EVERYTHING

    @property
    def X(self) -> pd.DataFrame:  # noqa: N802 - scikit-learn's name
        """The feature columns."""
        return self.matrix.features

    def part(self, *parts: Part) -> DatasetRows:
        """Return the rows of some parts, such as `part("test")` or `part("training", "calibration")`."""
        return self.where(self.rows(*parts))

    def where(self, chosen: NDArray[np.bool_]) -> DatasetRows:
        """Return some of the rows, given as a mask over all of them."""
        return DatasetRows(self, np.flatnonzero(chosen))

    def rows(self, *parts: Part) -> NDArray[np.bool_]:
        """Return the mask of the rows that belong to some parts."""
        return np.isin(self.parts.astype(str), parts)

    def base_rate(self, *parts: Part) -> float:
        """Return the share that churned in some parts, before rows of stayers were left out."""
        if self.sampling.negatives == 1.0:
            return float(self.y[self.rows(*parts)].mean())
        churned = self.labels.churned[pairs_of(self.labels, self.plan, *parts) & (self.labels.churned >= 0)]
        return float(churned.mean())

    def stayers_kept(self, *parts: Part) -> float:
        """Return the share of the stayers' rows that was really kept in some parts, not the one asked for."""
        if self.sampling.negatives == 1.0:
            return 1.0
        stayed = pairs_of(self.labels, self.plan, *parts) & (self.labels.churned == 0)
        return float((self.rows(*parts) & (self.y == 0)).sum() / stayed.sum())

    @property
    def weights(self) -> NDArray[np.float64] | None:
        """The weight of each row that makes up for rows left out; None when every row counts as one.

        A churned row is weighted down by the share of stayers' rows that was kept, a stayer's row weighs 1: together they weigh
        as much as a simple random sample of that share.
        """
        if self.sampling.negatives == 1.0:
            return None
        return np.where((self.y == 1) & (self.parts != "test"), self.sampling.negatives, 1.0)

    def for_scoring(self) -> Dataset:
        """Return the same rows as the model that scores is trained on them: all are training, the latest as calibration.

        Nothing is left to test with. Of the test's stayers as many are left out as of the others', and unused rows stay so.
        """
        plan, kept = self.plan, ((self.y == 1) | self._lots) & (self.parts != UNUSED)
        earlier = np.setdiff1d(plan.all, plan.test) if plan.split != "snapshot" else plan.training
        later = plan.test if plan.split != "snapshot" else plan.calibration
        whole = CutoffPlan(plan.split, earlier, later, np.zeros(0, dtype=np.int64), plan.embargo)
        parts = np.where(np.isin(self.matrix.cutoffs, later), "calibration", "training").astype(object)
        parts[~kept] = "left out"
        return replace(self, parts=parts, plan=whole)

    @property
    def _lots(self) -> NDArray[np.bool_]:
        """Which rows a simple random sample holds, whatever their part."""
        return self.sampling.draws(self.matrix.accounts, self.matrix.cutoffs)

    @property
    def drawn(self) -> NDArray[np.bool_]:
        """A simple random sample of all rows: every row when none was left out."""
        return self.rows("test") | self._lots

    def places(self, accounts: Sequence[str], cutoffs: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return where each row stands in tables of sorted accounts by sorted cutoffs."""
        found = np.searchsorted(np.asarray(accounts, dtype=str), self.matrix.accounts.astype(str))
        return found, np.searchsorted(cutoffs, self.matrix.cutoffs)

    def blocks(self) -> Sequence[Block]:
        """Return how many rows, accounts and churned rows each part has."""
        parts = [(name, self.part(name)) for name in PARTS if self.rows(name).any()]
        rows = [[name, count(len(part)), count(part.distinct_accounts), percent(float(part.y.mean()))] for name, part in parts]
        return [
            f"{plural(len(self.y), 'row')} with {plural(len(self.catalogue.names), 'feature')}. Split: {self.plan.words}.",
            TableBlock(["part", "rows", "accounts", "churned"], rows),
        ]

    def frame(self) -> pd.DataFrame:
        """Return keys, part, label and features as one frame."""
        keys = self.matrix.frame()
        keys.insert(2, "part", self.parts)
        keys.insert(3, "churned", self.y)
        return keys


@dataclass(frozen=True)
class DatasetRows:
    """Some rows of a data set: their features, labels and keys, in the order of the data set.

    Arrays are taken when asked for, so that counting rows or accounts copies no features.
    """

    dataset: Dataset
    index: NDArray[np.int64]  # which rows of the data set

    def __len__(self) -> int:
        return len(self.index)

    @property
    def X(self) -> pd.DataFrame:  # noqa: N802 - scikit-learn's name
        """The feature columns, as a copy."""
        return self.dataset.X.iloc[self.index]

    @property
    def y(self) -> NDArray[np.int8]:
        """1 for churned."""
        return self.dataset.y[self.index]

    @property
    def accounts(self) -> NDArray[np.object_]:
        """The account of each row."""
        return self.dataset.matrix.accounts[self.index]

    @property
    def cutoffs(self) -> NDArray[np.int64]:
        """The cutoff of each row."""
        return self.dataset.matrix.cutoffs[self.index]

    @property
    def keys(self) -> pd.MultiIndex:
        """The account and the cutoff (UTC) of each row, to join what else is known of them."""
        times = pd.to_datetime(self.cutoffs, unit="us", utc=True).as_unit("us")
        return pd.MultiIndex.from_arrays([self.accounts.astype(str), times], names=["account_id", "cutoff"])

    @property
    def weights(self) -> NDArray[np.float64] | None:
        """The weight of each row; None where every row counts as one."""
        weights = self.dataset.weights
        return None if weights is None else weights[self.index]

    @property
    def distinct_accounts(self) -> int:
        """How many accounts there are among the rows."""
        return len(set(self.accounts))

    @property
    def churned(self) -> DatasetRows:
        """The rows that churned."""
        return self.where(self.y == 1)

    def where(self, chosen: NDArray[np.bool_]) -> DatasetRows:
        """Return some of these rows, given as a mask over them."""
        return DatasetRows(self.dataset, self.index[np.asarray(chosen, dtype=np.bool_)])


def build_dataset(
    tables: BucketedTables,
    *,
    label: LabelSettings,
    features: FeatureSettings,
    cutoffs: CutoffSettings,
    catalogue: Catalogue | None = None,
    cache: MatrixCache | None = None,
    need: Sequence[Literal["training", "test"]] = (),
    least_churners: int = LEAST_CHURNERS,
    threads: int = 2,
    sampling: Sampling = _EVERYTHING,
    announce: Callable[[int, int], None] | None = None,
    between: bool = False,
) -> Dataset:
    """Build the rows of every cutoff of the plan, with `between` those within the embargo before the test, too.

    What is in `need` must have enough of both classes, which is checked before anything costly is built. `announce` is called
    with the number of rows and features before they are built, and may refuse. A `catalogue` is that of a trained model.
    """
    tables = sampling.of_tables(tables)
    plan = choose_plan(tables, label, cutoffs)
    if between:
        plan = plan.with_between(cutoffs.every)
    labels = find_labels(tables, label, plan.all)
    known = rows_kept(labels, plan, sampling)
    require_rows(labels, known, plan, need, least_churners=least_churners, sampling=sampling)
    accounts = list(labels.population.accounts)
    declared = catalogue or declare(tables, features, cutoff=plan.trained_until, hidden=label.hidden)
    require_features(declared)
    if announce is not None:
        announce(int(known.sum()), len(declared.names))

    def build() -> FeatureMatrix:
        return build_matrix(tables, declared, accounts=accounts, cutoffs=plan.all, rows=known, threads=threads)

    matrix = build() if cache is None else cache.get(declared, plan.all, known, build)
    if catalogue is not None:
        return join_labels(matrix, catalogue, labels, plan, sampling)
    made = without_constants(join_labels(matrix, declared, labels, plan, sampling))
    if cache is not None:
        # evaluation asks for these columns: they are what the model reads
        cache.keep_fewer(declared, made.catalogue, plan.all, known)
    return made


def join_labels(matrix: FeatureMatrix, catalogue: Catalogue, labels: Labels, plan: CutoffPlan, sampling: Sampling) -> Dataset:
    """Join features with the label and the part of each row."""
    parts = parts_of(matrix, plan)
    made = Dataset(matrix, labels_of(matrix, labels, plan), parts, catalogue, plan, labels, sampling)
    return without_accounts_like_tested(made) if plan.split == "snapshot" else made


def without_accounts_like_tested(dataset: Dataset) -> Dataset:
    """Leave out of training the rows that a test row is like in everything but the account: they would give it away."""
    _, account = np.unique(dataset.matrix.accounts.astype(str), return_inverse=True)
    group = alike_accounts(account, [*dataset.X.to_numpy(dtype=np.float64).T, dataset.y])
    tested = dataset.rows("test")
    alike = ~tested & np.isin(group, group[tested])
    return replace(dataset, parts=np.where(alike, UNUSED, dataset.parts))


def require_features(catalogue: Catalogue) -> None:
    """Refuse a catalogue without any feature."""
    if not catalogue.definitions:
        reasons = "; ".join(sorted(set(catalogue.left_out.values()))[:3]) or "none declared"
        raise UsageError.of("no feature can be built", reasons, "map more tables or columns, or declare `static` attributes")


def require_rows(
    labels: Labels,
    kept: NDArray[np.bool_],
    plan: CutoffPlan,
    need: Sequence[Literal["training", "test"]],
    *,
    least_churners: int = LEAST_CHURNERS,
    sampling: Sampling = _EVERYTHING,
) -> None:
    """Refuse labels with too few churned or stayed rows for what is needed."""
    if "training" in need:
        training = pairs_of(labels, plan, "training", "calibration")
        left = np.where(kept & training, labels.churned, np.int8(-1))
        require_enough_left(labels.churned[training], left, sampling, purpose="training", least_churners=least_churners)
    if "test" in need:
        test = labels.churned[pairs_of(labels, plan, "test")]
        require_enough_left(test, test, sampling, purpose="the test", least_churners=1, least_stayers=1)


def labels_of(matrix: FeatureMatrix, labels: Labels, plan: CutoffPlan) -> NDArray[np.int8]:
    """Return the label of each row."""
    order = np.asarray(labels.population.accounts, dtype=object)
    account = np.searchsorted(order.astype(str), matrix.accounts.astype(str))
    cutoff = np.searchsorted(plan.all, matrix.cutoffs)
    return labels.churned[account, cutoff].astype(np.int8)


def parts_of(matrix: FeatureMatrix, plan: CutoffPlan) -> NDArray[np.object_]:
    """Return the part that each row belongs to."""
    if plan.split == "snapshot":
        return np.array(["test" if is_test_account(account) else "training" for account in matrix.accounts], dtype=object)
    part = np.full(len(matrix), "training", dtype=object)
    part[np.isin(matrix.cutoffs, plan.calibration)] = "calibration"
    part[np.isin(matrix.cutoffs, plan.between)] = "between"
    part[np.isin(matrix.cutoffs, plan.test)] = "test"
    return part


def without_constants(dataset: Dataset) -> Dataset:
    """Leave out the columns that are the same in all training rows."""
    values = dataset.X.to_numpy()[dataset.rows("training", "calibration")]
    if not len(values):
        return dataset
    varies = varying(values)
    kept = without(dataset.catalogue, [name for name, good in zip(dataset.catalogue.names, varies, strict=True) if not good])
    matrix = replace(dataset.matrix, features=dataset.matrix.features[list(kept.names)], categories=kept.categories)
    return replace(dataset, matrix=matrix, catalogue=kept)


def varying(values: NDArray[np.float64], first: int = 1_000) -> NDArray[np.bool_]:
    """Say which columns are not the same in all rows; most vary within the first already.

    >>> varying(np.array([[1.0, 1.0, np.nan], [1.0, np.nan, np.nan]])).tolist()
    [False, True, False]
    """
    found = _differ(values[:first])
    found[~found] = _differ(values[:, ~found])
    return found


def _differ(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    # missing is a value as any other
    filled = np.where(np.isnan(values), np.inf, values)
    return np.asarray((filled != filled[0]).any(axis=0))


def without(catalogue: Catalogue, constant: Sequence[str]) -> Catalogue:
    """Leave out the columns that are the same in all training rows, and say so in the catalogue."""
    kept = catalogue.only(set(catalogue.names) - set(constant))
    return replace(kept, left_out={**catalogue.left_out, **dict.fromkeys(constant, SAME_FOR_ALL)})
