"""Features and labels joined: the right part for every row, nothing of the label among the features."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import staypower
from staypower.cutoffs import DAY, instant_of, text_of
from staypower.dataset.building import build_dataset, varying
from staypower.dataset.cache import MatrixCache
from staypower.dataset.cutoff_plan import is_test_account
from staypower.dataset.folds import folds_of_accounts
from staypower.dataset.sampling import Sampling
from staypower.dataset.settings import CutoffSettings
from staypower.errors import UsageError
from staypower.features.settings import FeatureSettings
from staypower.labels.settings import ContractualLabel, GivenLabel
from staypower.schemas import SCHEMAS
from staypower.tables import Table, Tables

TIME = pa.timestamp("us", "UTC")
START = instant_of("2023-01-01")
UNTIL = instant_of("2024-12-31")
N = 60


def times(*days: float | None) -> pa.Array:
    return pa.array([None if day is None else round(START + day * DAY) for day in days], pa.int64()).cast(TIME)


@pytest.fixture(scope="module")
def tables() -> Tables:
    """Sixty accounts that use the product daily until they leave; every third leaves on a day of its own."""
    ids = [f"a{n:02d}" for n in range(N)]
    left = [200 + 8 * n if n % 3 == 0 else None for n in range(N)]
    accounts = pa.table({"account_id": ids, "signed_up_at": times(*[0.0] * N), "left": [str(end is not None) for end in left]})
    contracts = pa.table({"account_id": ids, "started_at": times(*[0.0] * N), "ended_at": times(*left), "mrr": [10.0] * N})
    uses = [(ids[n], day + 0.4) for n in range(N) for day in range(0, 730, 5) if left[n] is None or day < left[n]]
    usage = pa.table({"account_id": [a for a, _ in uses], "at": times(*[day for _, day in uses])})
    return Tables(
        {
            "accounts": Table(SCHEMAS["accounts"], accounts, fixed=frozenset({"left"})),
            "subscriptions": Table(SCHEMAS["subscriptions"], contracts, fixed=frozenset({"mrr"})),
            "usage": Table(SCHEMAS["usage"], usage),
        },
        UNTIL,
    )


LABEL = ContractualLabel(horizon=60, grace=10)


def test_rows_are_the_population_and_labels_are_the_ends(tables):
    made = build_dataset(tables, label=LABEL, features=FeatureSettings(), cutoffs=CutoffSettings())
    assert made.plan.split == "temporal"
    for row in np.random.default_rng(0).choice(len(made.y), 200):
        number, cutoff = int(made.matrix.accounts[row][1:]), int(made.matrix.cutoffs[row])
        end = START + (200 + 8 * number) * DAY if number % 3 == 0 else None
        assert end is None or end >= cutoff, "a row of an account that had left"
        assert made.y[row] == (end is not None and cutoff <= end < cutoff + 60 * DAY)
    keys = list(zip(made.matrix.accounts, made.matrix.cutoffs, strict=True))
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


def test_parts_follow_the_plan(tables):
    made = build_dataset(tables, label=LABEL, features=FeatureSettings(), cutoffs=CutoffSettings())
    for part in ("training", "calibration", "test"):
        assert sorted(set(made.matrix.cutoffs[made.rows(part)])) == getattr(made.plan, part).tolist()


def test_a_part_holds_its_rows_and_takes_some_of_them(tables):
    made = build_dataset(
        tables, label=LABEL, features=FeatureSettings(), cutoffs=CutoffSettings(), sampling=Sampling(negatives=0.5)
    )
    chosen = made.rows("training", "calibration")
    part = made.part("training", "calibration")
    assert len(part) == chosen.sum()
    assert part.X.equals(made.X[chosen])
    assert part.y.tolist() == made.y[chosen].tolist()
    assert part.accounts.tolist() == made.matrix.accounts[chosen].tolist()
    assert part.cutoffs.tolist() == made.matrix.cutoffs[chosen].tolist()
    assert part.weights.tolist() == made.weights[chosen].tolist()
    assert part.distinct_accounts == len(set(made.matrix.accounts[chosen]))
    later = part.where(part.cutoffs == part.cutoffs.max())
    assert (
        later.churned.index.tolist()
        == np.flatnonzero(chosen & (made.y == 1) & (made.matrix.cutoffs == made.matrix.cutoffs[chosen].max())).tolist()
    )


def test_a_dataset_says_what_its_parts_hold(tables):
    made = build_dataset(tables, label=LABEL, features=FeatureSettings(), cutoffs=CutoffSettings())
    said = made.text(120)
    assert said.startswith(f"{len(made.y):,} rows with {len(made.catalogue.names)} features. Split: temporal: ")
    test = made.part("test")
    row = next(line.split() for line in said.splitlines() if line.startswith("test "))
    assert row == ["test", f"{len(test):,}", str(test.distinct_accounts), f"{test.y.mean():.1%}"]


def test_constants_are_left_out_with_the_reason(tables):
    made = build_dataset(tables, label=LABEL, features=FeatureSettings(), cutoffs=CutoffSettings())
    assert "mrr_now" not in made.X
    assert "the same in all training rows" in made.catalogue.left_out["mrr_now"]
    assert made.X.nunique(dropna=False).gt(1).all()


def test_the_flag_of_the_label_is_no_feature(tables):
    label = GivenLabel(flag="left", at=text_of(UNTIL - 10 * DAY))
    made = build_dataset(tables, label=label, features=FeatureSettings(), cutoffs=CutoffSettings())
    assert made.plan.split == "snapshot"
    assert not [name for name in made.X if "left" in name]
    test = made.rows("test")
    assert [is_test_account(account) for account in made.matrix.accounts] == test.tolist()
    assert made.y.sum() == N // 3


@pytest.fixture(scope="module")
def copied():
    """Six hundred accounts of a flat table, a third of which are there again under another id."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"use": rng.normal(size=400), "age": rng.integers(18, 80, 400), "left": rng.choice(["yes", "no"], 400)}
    )
    frame = pd.concat([frame, frame.iloc[:200]], ignore_index=True)
    frame["id"] = [f"a{number:03d}" for number in range(600)]
    accounts = {"source": "accounts", "account_id": "id", "static": "all"}
    settings = {"name": "flat", "observed_until": "2024-12-31", "tables": {"accounts": accounts}}
    settings["label"] = {"kind": "given", "flag": "left", "positive": "yes", "at": "2024-12-31"}
    return settings, {"accounts": frame}


def sides(dataset):
    """The values of every training row, and of every test row."""
    return [{row.tobytes() for row in dataset.part(part).X.to_numpy()} for part in ("training", "test")]


def test_twins_are_never_in_training_and_test(copied):
    settings, frames = copied
    made = staypower.build_dataset(settings, staypower.read_tables(settings, frames))
    training, test = sides(made)
    assert len(training) > 150
    assert not training & test
    assert [is_test_account(account) for account in made.matrix.accounts] == made.rows("test").tolist()
    assert {is_test_account(account) for account in made.matrix.accounts[made.parts == "unused"]} == {False}


def test_folds_of_a_snapshot_share_no_account_no_twin_and_nobody_of_the_test(copied):
    settings, frames = copied
    whole = staypower.build_dataset(settings, staypower.read_tables(settings, frames))
    folds = folds_of_accounts(whole, 3)
    tested = [set(fold.part("test").accounts) for fold in folds]
    assert set.union(*tested) == set(whole.part("training").accounts)
    assert sum(map(len, tested)) == len(set.union(*tested))
    for fold in folds:
        training, test = sides(fold)
        assert not training & test
        assert not set(fold.part("training", "test").accounts) & set(whole.part("test").accounts)
        assert len(fold.part("training")) > len(fold.part("test")) > 50


def test_a_matrix_is_kept_and_read_back_bit_for_bit(tables, tmp_path):
    first = build_dataset(
        tables, label=LABEL, features=FeatureSettings(), cutoffs=CutoffSettings(), cache=MatrixCache(tmp_path, "one")
    )
    kept = sorted(tmp_path.iterdir())
    again = build_dataset(
        tables,
        label=LABEL,
        features=FeatureSettings(),
        cutoffs=CutoffSettings(),
        catalogue=first.catalogue,
        cache=MatrixCache(tmp_path, "one"),
    )
    assert sorted(tmp_path.iterdir()) == kept
    assert first.X.to_numpy().tobytes() == again.X.to_numpy().tobytes()
    build_dataset(tables, label=LABEL, features=FeatureSettings(), cutoffs=CutoffSettings(), cache=MatrixCache(tmp_path, "two"))
    assert len(list(tmp_path.iterdir())) > len(kept), "other rows must not find the matrix of these"


def test_no_feature_at_all_is_refused(tables):
    with pytest.raises(UsageError, match="no feature can be built"):
        build_dataset(tables, label=LABEL, features=FeatureSettings(leave_out=("*",)), cutoffs=CutoffSettings())


@pytest.mark.parametrize("first", [1, 2, 3, 100])
def test_a_column_varies_wherever_its_first_other_value_stands(first):
    values = np.full((5, 7), 2.0)
    values[:, 1] = np.nan
    for row in range(5):
        values[row, 2 + row] = np.nan if row % 2 else 3.0
    assert varying(values, first).tolist() == [False, False, True, True, True, True, True]
