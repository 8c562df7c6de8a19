"""A fold's data set is what `build_dataset` makes of the tables as they were, though features are built once for all folds."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from staypower.auditing.hiding import hide_future
from staypower.cutoffs import DAY
from staypower.dataset import folds as building
from staypower.dataset.building import join_labels, without_constants
from staypower.dataset.cutoff_plan import begin_of_history, rolling_plans
from staypower.dataset.folds import build_folds
from staypower.dataset.sampling import Sampling
from staypower.dataset.settings import CutoffSettings
from staypower.features.builder import build_matrix
from staypower.features.declaring import declare
from staypower.features.settings import FeatureSettings
from staypower.labels.churn import find_labels
from staypower.labels.settings import ContractualLabel
from staypower.simulation.company import simulate
from staypower.sources.reading import read_tables
from staypower.sources.settings import TableSource

TIME = pa.timestamp("us", "UTC")
LABEL = ContractualLabel(horizon=60, grace=30, involuntary=("payment",))
FEATURES = FeatureSettings(windows=(28, 90), top_events=3, rare=2)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    made = simulate(160, months=20, seed=11, cutoffs=())
    sources = {name: [TableSource.model_validate({"source": name})] for name in made.tables}
    sources["accounts"] = [TableSource.model_validate({"source": "accounts", "static": ["segment", "region"]})]
    read, _ = read_tables(
        sources, folder=tmp_path_factory.mktemp("none"), observed_until=made.observed_until, objects=made.tables
    )
    return read


@pytest.fixture(scope="module")
def plans(tables):
    return rolling_plans(
        CutoffSettings(min_history=60),
        LABEL.outcome,
        first=begin_of_history(tables),
        observed_until=tables.observed_until,
        folds=3,
    )


@pytest.fixture(scope="module")
def made(tables, plans):
    return list(build_folds(tables, plans, label=LABEL, features=FEATURES))


def learned_then(tables, plan):
    """Build what training would have learned from, from tables out of which everything later was deleted."""
    past = hide_future(tables, int(plan.test[0]), how="deleted").tables
    learned = np.concatenate([plan.training, plan.calibration])
    labels = find_labels(past, LABEL, learned)
    catalogue = declare(past, FEATURES, cutoff=plan.trained_until)
    matrix = build_matrix(past, catalogue, accounts=list(labels.population.accounts), cutoffs=learned, rows=labels.churned >= 0)
    short = replace(plan, test=np.zeros(0, dtype=np.int64))
    return without_constants(join_labels(matrix, catalogue, labels, short, Sampling()))


def test_a_fold_learns_from_what_was_known_at_its_test_cutoff_bit_for_bit(tables, plans, made):
    for plan, fold in zip(plans, made, strict=True):
        then, training = learned_then(tables, plan), fold.part("training", "calibration")
        assert fold.catalogue.to_dict() == then.catalogue.to_dict()
        assert training.accounts.tolist() == then.matrix.accounts.tolist()
        assert training.cutoffs.tolist() == then.matrix.cutoffs.tolist()
        assert training.y.tolist() == then.y.tolist()
        assert fold.parts[training.index].tolist() == then.parts.tolist()
        assert training.X.to_numpy().tobytes() == then.X.to_numpy().tobytes()


def test_test_rows_are_those_of_the_whole_history(tables, plans, made):
    for plan, fold in zip(plans, made, strict=True):
        test = fold.rows("test")
        labels = find_labels(tables, LABEL, plan.test)
        matrix = build_matrix(
            tables, fold.catalogue, accounts=list(labels.population.accounts), cutoffs=plan.test, rows=labels.churned >= 0
        )
        assert fold.X[test].to_numpy().tobytes() == matrix.features.to_numpy().tobytes()
        assert fold.y[test].tolist() == labels.churned[labels.churned >= 0].tolist()


def test_columns_are_built_once_where_the_definition_is_the_same(tables, plans):
    labels = [building._labels(tables, LABEL, plan) for plan in plans]
    store = building.ColumnStore.of(tables, labels)
    for plan, found in zip(plans, labels, strict=True):
        store.matrix(declare(tables, FEATURES, cutoff=plan.trained_until), found)
    assert store.built[0] > 60
    assert max(store.built[1:]) < store.built[0] / 5


def test_columns_with_other_codes_are_built_again(tables, plans):
    """Were columns known by their names alone, a fold would read codes that another fold learned."""
    labels = [building._labels(tables, LABEL, plan) for plan in plans[:2]]
    catalogue = declare(tables, FEATURES, cutoff=plans[0].trained_until)
    turned = {name: {text: len(codes) + 1 - code for text, code in codes.items()} for name, codes in catalogue.codes.items()}
    other = replace(catalogue, codes=turned)
    store = building.ColumnStore.of(tables, labels)
    first, again = store.matrix(catalogue, labels[0]), store.matrix(other, labels[0])
    assert store.built[1] == len(catalogue.codes) > 0
    for name in catalogue.codes:
        known = first.features[name] > 0
        assert (again.features[name][known] == len(turned[name]) + 1 - first.features[name][known]).all()


def test_labels_to_learn_from_are_those_known_then_when_an_end_is_recorded_late(tables, plans):
    """An end that was recorded only after the fold's test cutoff was no churn when the fold learned, and is one today."""
    plan, table = plans[0], tables["subscriptions"]
    rows = table.data.to_pandas()
    last = int(np.concatenate([plan.training, plan.calibration]).max())
    steady = rows[rows["ended_at"].isna() & (rows["started_at"] < pd.Timestamp(last, unit="us", tz="UTC"))]
    only = steady[~steady["account_id"].isin(rows.loc[rows["ended_at"].notna(), "account_id"])].iloc[[-1]]
    account = only["account_id"].iloc[0]
    rows["known_at"] = rows["valid_from"]
    ended = pd.Timestamp(last + 10 * DAY, unit="us", tz="UTC")
    recorded = pd.Timestamp(int(plan.test[0]) + 5 * DAY, unit="us", tz="UTC")
    late = pd.concat([rows, only.assign(valid_from=ended, ended_at=ended, known_at=recorded)], ignore_index=True)
    data = pa.Table.from_pandas(late, preserve_index=False).cast(table.data.schema.append(pa.field("known_at", TIME)))
    changed = replace(tables, tables={**tables.tables, "subscriptions": replace(table, data=data)})
    fold = next(iter(build_folds(changed, [plan], label=LABEL, features=FEATURES)))
    row = (fold.matrix.accounts == account) & (fold.matrix.cutoffs == last)
    assert fold.y[row].tolist() == [0]
    today = find_labels(changed, LABEL, np.array([last]))
    assert today.churned[today.population.accounts.index(account)].tolist() == [1]
