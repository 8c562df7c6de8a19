"""Data sets of folds, for a backtest and for tuning: each holds what was known at its test cutoff; equal features are shared.

A feature's value at a cutoff follows from its definition, the codes learned for it, and the rows before the cutoff. Folds learn
their definitions at different cutoffs, but most come out equal: a column is built again only if its definition, its codes or a
feature that it combines differs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from staypower.dataset.building import (
    UNUSED,
    Dataset,
    DatasetRows,
    build_dataset,
    join_labels,
    require_features,
    without_accounts_like_tested,
    without_constants,
)
from staypower.dataset.cutoff_plan import (
    FEWEST_TRAINING,
    CutoffPlan,
    begin_of_history,
    choose_plan,
    rolling_origins,
    rolling_plans,
    rows_kept,
)
from staypower.dataset.sampling import Sampling
from staypower.dataset.settings import CutoffSettings
from staypower.errors import UsageError
from staypower.features.builder import FeatureMatrix, build_matrix
from staypower.features.catalogue import Catalogue
from staypower.features.declaring import declare
from staypower.features.definition import Combination
from staypower.features.settings import FeatureSettings
from staypower.hashing import folds_of
from staypower.labels.churn import Labels, find_labels
from staypower.labels.population import Population
from staypower.labels.settings import LabelSettings
from staypower.tables import BucketedTables, Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray


def build_folds(
    tables: BucketedTables,
    plans: Sequence[CutoffPlan],
    *,
    label: LabelSettings,
    features: FeatureSettings,
    threads: int = 2,
    sampling: Sampling | None = None,
) -> Iterator[Dataset]:
    """Build the data set of each plan, from what was known at its first test cutoff."""
    sampling = sampling or Sampling()
    tables = sampling.of_tables(tables)
    found = [_labels(tables, label, plan) for plan in plans]
    kept = [rows_kept(labels, plan, sampling) for labels, plan in zip(found, plans, strict=True)]
    store = ColumnStore.of(tables, found, kept, threads=threads)
    for plan, labels, rows in zip(plans, found, kept, strict=True):
        declared = declare(tables, features, cutoff=plan.trained_until, hidden=label.hidden)
        require_features(declared)
        yield without_constants(join_labels(store.matrix(declared, labels, rows), declared, labels, plan, sampling))


def build_tuning_folds(
    tables: Tables,
    *,
    folds: int,
    label: LabelSettings,
    features: FeatureSettings,
    cutoffs: CutoffSettings,
    sampling: Sampling,
    least_churners: int,
) -> list[Dataset]:
    """Build folds from what was known at the first test cutoff; each is tested at its first cutoff after the embargo.

    A label that is known at one cutoff only has folds of accounts instead.
    """
    plan = choose_plan(tables, label, cutoffs)
    if plan.split == "snapshot":
        whole = build_dataset(tables, label=label, features=features, cutoffs=cutoffs, sampling=sampling)
        return _usable(folds_of_accounts(whole, folds), least_churners)
    known = int(plan.test[0])
    trained = np.concatenate([plan.training, plan.calibration])
    before = rolling_origins(trained, embargo_days=label.outcome.embargo, least_training=FEWEST_TRAINING)
    plans = rolling_plans(
        # the folds lie before the date that the config tests at
        cutoffs.model_copy(update={"test": None}),
        label.outcome,
        first=begin_of_history(tables),
        observed_until=known,
        folds=folds,
        # a short history is tuned on the one fold it has rather than not at all
        least_training=FEWEST_TRAINING if before else 1,
    )
    then = replace(tables, observed_until=known)
    made = list(build_folds(then, plans, label=label, features=features, sampling=sampling))
    return _usable(made, least_churners)


def folds_of_accounts(dataset: Dataset, folds: int) -> list[Dataset]:
    """Divide the training accounts of a snapshot by a hash of their id: each fold tests on a part and trains on the others.

    Nobody is in the test part of the snapshot itself, and accounts that are alike are on one side.
    """
    training = dataset.rows("training")
    # another division than that into folds that score: those accounts are dealt by the id alone
    dealt = np.asarray(folds_of([f"tuning {account}" for account in dataset.matrix.accounts], folds))
    made = []
    for fold in range(folds):
        parts = np.full(len(dataset.y), UNUSED, dtype=object)
        parts[training], parts[training & (dealt == fold)] = "training", "test"
        made.append(without_accounts_like_tested(replace(dataset, parts=parts)))
    return made


def _usable(made: Sequence[Dataset], least_churners: int) -> list[Dataset]:
    usable = [fold for fold in made if _is_usable(fold, least_churners)]
    if not usable:
        fix = "give longer histories or more accounts; with few, keep the defaults"
        raise UsageError.of("too few churned accounts in every fold to tune on", f"{len(made)} folds", fix)
    return usable


def _is_usable(fold: Dataset, least_churners: int) -> bool:
    trained = fold.part("training", "calibration")
    churned = int(trained.y.sum())
    return min(churned, len(trained) - churned) >= least_churners and len(first_tested(fold)) > 0


def first_tested(fold: Dataset) -> DatasetRows:
    """Return the test rows at a fold's first test cutoff."""
    return fold.where(fold.rows("test") & (fold.matrix.cutoffs == fold.plan.test[0]))


def _labels(tables: BucketedTables, label: LabelSettings, plan: CutoffPlan) -> Labels:
    """Find the training labels as they were known at the first test cutoff, and the test labels as known today."""
    training = np.concatenate([plan.training, plan.calibration])
    early = find_labels(tables, label, training, known_until=int(plan.test[0]))
    late = find_labels(tables, label, plan.test)
    population = Population(
        early.population.accounts,
        np.concatenate([training, plan.test]),
        np.hstack([early.population.status, late.population.status]),
    )
    both = [np.hstack([getattr(early, name), getattr(late, name)]) for name in ("churned", "kind", "gone_early")]
    return Labels(population, *both)


class ColumnStore:
    """Feature columns over every account and cutoff that any fold needs, each built when first needed."""

    def __init__(
        self,
        tables: BucketedTables,
        accounts: Sequence[str],
        cutoffs: NDArray[np.int64],
        wanted: NDArray[np.bool_],
        *,
        threads: int,
    ) -> None:
        self._tables, self._accounts, self._cutoffs, self._wanted = tables, accounts, cutoffs, wanted
        self._threads = threads
        self._columns: dict[str, NDArray[np.float64]] = {}
        self._position = np.full(wanted.shape, -1, dtype=np.int64)
        self._position[wanted] = np.arange(int(wanted.sum()))
        self.built: list[int] = []

    @classmethod
    def of(
        cls,
        tables: BucketedTables,
        labels: Sequence[Labels],
        kept: Sequence[NDArray[np.bool_]] | None = None,
        *,
        threads: int = 2,
    ) -> ColumnStore:
        """Make a store for the labelled pairs of several folds."""
        accounts = labels[0].population.accounts
        cutoffs = np.unique(np.concatenate([each.population.cutoffs for each in labels]))
        wanted = np.zeros((len(accounts), len(cutoffs)), dtype=bool)
        for each, rows in zip(labels, kept or [each.churned >= 0 for each in labels], strict=True):
            wanted[:, np.searchsorted(cutoffs, each.population.cutoffs)] |= rows
        return cls(tables, accounts, cutoffs, wanted, threads=threads)

    def matrix(self, catalogue: Catalogue, labels: Labels, kept: NDArray[np.bool_] | None = None) -> FeatureMatrix:
        """Return the features of the labelled pairs of one fold: bit for bit what `build_matrix` returns for them."""
        keys = _keys(catalogue)
        self._build(catalogue, [name for name in catalogue.names if keys[name] not in self._columns], keys)
        account, place = np.nonzero(labels.churned >= 0 if kept is None else kept)
        rows = self._position[account, np.searchsorted(self._cutoffs, labels.population.cutoffs)[place]]
        values = {name: self._columns[keys[name]][rows] for name in catalogue.names}
        return FeatureMatrix(
            features=pd.DataFrame(values, columns=list(catalogue.names), dtype=np.float64),
            accounts=np.array(self._accounts, dtype=object)[account],
            cutoffs=labels.population.cutoffs[place],
            categories=catalogue.categories,
        )

    def _build(self, catalogue: Catalogue, missing: Sequence[str], keys: dict[str, str]) -> None:
        self.built.append(len(missing))
        if not missing:
            return
        made = build_matrix(
            self._tables,
            catalogue.only(missing),
            accounts=list(self._accounts),
            cutoffs=self._cutoffs,
            rows=self._wanted,
            threads=self._threads,
        )
        self._columns |= {keys[name]: made.features[name].to_numpy() for name in missing}


def _keys(catalogue: Catalogue) -> dict[str, str]:
    """Name every column by what determines its values: its definition, its codes, and what it combines."""
    settings = catalogue.settings.model_dump_json()
    keys: dict[str, str] = {}
    for definition in catalogue.everything:
        parts: list[Any] = [settings, asdict(definition), catalogue.codes.get(definition.name)]
        if isinstance(definition, Combination):
            parts.append([keys[name] for name in definition.inputs])
        keys[definition.name] = json.dumps(parts, sort_keys=True, default=str)
    return keys
