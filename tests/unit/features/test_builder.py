from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from drawn_tables import Case

from staypower.cutoffs import DAY, instant_of
from staypower.features import sequences
from staypower.features.builder import AlikeCombinations, build_matrix, combine, combine_all
from staypower.features.catalogue import Catalogue
from staypower.features.declaring import declare
from staypower.features.definition import Combination, Feature
from staypower.features.settings import FeatureSettings

CUTOFFS = np.array([instant_of("2025-06-01"), instant_of("2025-07-01")])
DRAWN = """
accounts | plan
a        | pro
b        | basic
c        | -
d        | basic

usage | at               | event | quantity
a     | 2025-05-20T10:00 | x     | 0.1
a     | 2025-06-20T10:00 | x     | 0.2
b     | 2025-06-21T10:00 | y     | 3

tickets | opened_at
b       | 2025-06-22T10:00
"""


def built(catalogue: Catalogue | None = None, **how):
    given = Case(title="", says="", drawn=DRAWN, mapping={"accounts": {"static": ["plan"]}}).tables()
    chosen = catalogue or declare(given, FeatureSettings(rare=1), cutoff=int(CUTOFFS[-1]))
    return build_matrix(given, chosen, **{"accounts": ["a", "b", "c", "d"], "cutoffs": CUTOFFS, **how})


def test_one_row_for_every_account_and_cutoff_in_order():
    matrix = built()
    assert matrix.accounts.tolist() == ["a", "a", "b", "b", "c", "c", "d", "d"]
    assert matrix.cutoffs.tolist() == CUTOFFS.tolist() * 4
    assert matrix.features["usage_events_28d"].tolist() == [1, 1, 0, 1, 0, 0, 0, 0]
    assert (matrix.features.dtypes == np.float64).all()
    assert len(matrix) == 8


def test_only_the_pairs_that_are_wanted():
    rows = np.array([[False, True], [True, False], [False, False], [True, True]])
    whole, some = built(), built(rows=rows)
    assert list(zip(some.accounts, some.cutoffs.tolist(), strict=True)) == [
        ("a", CUTOFFS[1]),
        ("b", CUTOFFS[0]),
        ("d", CUTOFFS[0]),
        ("d", CUTOFFS[1]),
    ]
    pd.testing.assert_frame_equal(some.features, whole.features[rows.ravel()].reset_index(drop=True))


def test_no_pair_at_all():
    matrix = built(rows=np.zeros((4, 2), dtype=bool))
    assert len(matrix) == 0
    assert matrix.features.shape == (0, len(built().features.columns))


def test_accounts_without_a_row_anywhere():
    matrix = built(accounts=["nobody"])
    assert matrix.features["usage_events_28d"].tolist() == [0, 0]
    assert matrix.features["days_since_last_use"].isna().all()
    assert matrix.features["account_plan"].isna().all()


@pytest.mark.parametrize(("buckets", "threads"), [(1, 1), (2, 1), (7, 2), (50, 2)])
def test_neither_buckets_nor_threads_change_a_byte(buckets, threads):
    first, again = built(), built(buckets=buckets, threads=threads)
    assert first.features.to_numpy().tobytes() == again.features.to_numpy().tobytes()
    assert first.accounts.tolist() == again.accounts.tolist()
    assert first.categories == again.categories


@pytest.mark.parametrize("rows_at_once", [1, 3])
def test_neither_parts_nor_rounds_change_a_byte(monkeypatch, rows_at_once):
    first = built()
    monkeypatch.setattr(sequences, "_ROWS_AT_ONCE", rows_at_once)
    monkeypatch.setattr(sequences, "_ROWS_TOGETHER", rows_at_once)
    assert built(threads=3).features.to_numpy().tobytes() == first.features.to_numpy().tobytes()


def test_accounts_in_any_order_and_more_than_once():
    given = built(accounts=["d", "b", "a", "b"])
    assert given.accounts.tolist() == ["a", "a", "b", "b", "b", "b", "d", "d"]
    assert given.features["usage_events_28d"].tolist() == [1, 1, 0, 0, 1, 1, 0, 0]


def test_texts_may_be_numbered():
    def as_dictionaries(table):
        columns = {name: table.data.column(name) for name in table.data.column_names}
        texts = {name for name, values in columns.items() if pa.types.is_string(values.type)}
        return replace(
            table, data=pa.table({n: values.dictionary_encode() if n in texts else values for n, values in columns.items()})
        )

    plain = Case(title="", says="", drawn=DRAWN, mapping={"accounts": {"static": ["plan"]}}).tables()
    encoded = replace(plain, tables={name: as_dictionaries(table) for name, table in plain.items()})
    chosen = [declare(given, FeatureSettings(rare=1), cutoff=int(CUTOFFS[-1])) for given in (plain, encoded)]
    assert chosen[0].to_dict() == chosen[1].to_dict()
    made = [
        build_matrix(given, chosen[0], accounts=["a", "b", "c", "d"], cutoffs=CUTOFFS, buckets=buckets)
        for given in (plain, encoded)
        for buckets in (None, 2)
    ]
    assert len({one.features.to_numpy().tobytes() for one in made}) == 1


def test_more_cutoffs_change_none():
    many = np.sort(np.concatenate([CUTOFFS, CUTOFFS + 7 * DAY, CUTOFFS - 3 * DAY]))
    whole = built(cutoffs=many)
    kept = np.isin(whole.cutoffs, CUTOFFS)
    assert whole.features[kept].to_numpy().tobytes() == built().features.to_numpy().tobytes()


def test_categories_are_codes():
    matrix = built()
    assert matrix.categories == ("account_plan",)
    codes = matrix.features["account_plan"].tolist()[::2]
    assert codes[:2] + codes[3:] == [2.0, 1.0, 1.0]  # basic is commoner than pro
    assert math.isnan(codes[2])


def test_sums_are_exact():
    assert built().features["usage_quantity_90d"].tolist()[1] == 0.3
    assert 0.1 + 0.2 != 0.3


def test_a_matrix_of_nothing_but_a_combination():
    given = declare(
        Case(title="", says="", drawn=DRAWN).tables(), FeatureSettings(windows=(28,), top_events=0), cutoff=int(CUTOFFS[-1])
    )
    plain = {"unit": "", "description": "x", "lever": None}
    both = Combination(name="both", how="difference", inputs=("usage_events_28d", "tickets_28d"), **plain)
    made = Catalogue(given.settings, (both,), tuple(one for one in given.definitions if one.name in both.inputs))
    assert built(made).features["both"].tolist() == [1, 1, 0, 0, 0, 0, 0, 0]


def test_the_frame_puts_the_keys_first():
    frame = built().frame()
    assert list(frame.columns[:2]) == ["account_id", "cutoff"]
    assert str(frame["cutoff"].iloc[0]) == "2025-06-01 00:00:00+00:00"


NAN = math.nan


@pytest.mark.parametrize(
    ("how", "first", "second", "wanted"),
    [
        ("ratio", [6.0, 0.0, 1.0, NAN, 1.0], [3.0, 4.0, 0.0, 1.0, NAN], [2.0, 0.0, NAN, NAN, NAN]),
        ("change", [3.0, 0.0, 5.0, 0.0, NAN], [1.0, 4.0, 0.0, 0.0, 1.0], [0.5, -1.0, 1.0, 0.0, NAN]),
        ("difference", [3.0, NAN], [5.0, 1.0], [-2.0, NAN]),
        ("both_fall", [-0.5, -0.2, -0.5, 0.3, NAN], [-0.2, -0.6, 0.1, 0.4, -1.0], [0.2, 0.2, 0.0, 0.0, NAN]),
        ("is_before", [1.0, 2.0, 2.0, NAN], [2.0, 1.0, 2.0, 1.0], [1.0, 0.0, 0.0, NAN]),
    ],
)
def test_combinations(how, first, second, wanted):
    made = Combination(name="c", how=how, inputs=("a", "b"), unit="", description="c", lever=None)
    found = combine(made, np.array(first), np.array(second))
    np.testing.assert_array_equal(found, np.array(wanted))


def test_a_feature_alone_needs_no_helpers():
    alone = Feature(name="n", table="usage", aggregation="count", unit="", description="n", lever=None)
    assert built(Catalogue(FeatureSettings(), (alone,))).features["n"].tolist() == [1, 2, 0, 1, 0, 0, 0, 0]


def test_combinations_computed_together_are_those_computed_one_by_one():
    names = ["a", "b", "c", "d"]
    chain = [("share", "ratio", "a", "b"), ("rest", "difference", "share", "c"), ("other", "ratio", "rest", "share")]
    chain += [("fall", "both_fall", "a", "other"), ("more", "ratio", "c", "d"), ("change", "change", "fall", "more")]
    made = [
        Combination(name=name, how=how, inputs=(first, second), unit="", description=name, lever=None)
        for name, how, first, second in chain
    ]
    place = {name: number for number, name in enumerate([*names, *(one.name for one in made)])}
    values = np.random.default_rng(3).integers(-2, 3, (len(place), 50)).astype(np.float64)
    values[:4, :5] = np.nan
    alone, together = values.copy(), values.copy()
    combine_all(made, alone, place)
    groups = AlikeCombinations.of(made, place)
    for group in groups:
        group.compute(together)
    np.testing.assert_array_equal(together, alone)
    assert len(groups) < len(made), "two of them do not read each other"
