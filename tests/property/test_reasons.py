"""Reasons of many accounts at once are bit for bit those of one account after the other, and everything adds up."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from reasons_oracle import reasons_frame

from staypower.explanation import selection
from staypower.explanation.changes import compare_explanations
from staypower.explanation.learned import LeaverReasons, find_typical_values
from staypower.explanation.reasons import Explanation
from staypower.explanation.topics import NOTHING, topics_of
from staypower.features.catalogue import Catalogue
from staypower.features.definition import Combination, Feature
from staypower.features.settings import FeatureSettings

FEATURES = (
    *(Feature(name=f"usage_events_{w}d", table="usage", aggregation="count", window=w, unit="events",
              description="usage events", lever="engagement", direction=-1) for w in (7, 28, 90)),
    Feature(name="days_since_last_use", table="usage", aggregation="days_since_last", unit="days",
            description="days since the last use", lever="engagement", direction=1),
    Combination(name="usage_trend_28d", how="change", inputs=("usage_events_28d", "usage_events_90d"), unit="",
                description="change of use against the 28 days before", lever="engagement", direction=-1),
    Feature(name="longest_silence_90d", table="usage", aggregation="longest_silence", window=90, unit="days",
            description="longest stretch without use", lever="engagement"),
    *(Feature(name=f"tickets_{w}d", table="tickets", aggregation="count", window=w, unit="tickets",
              description="support tickets opened", lever="support") for w in (28, 90)),
    Feature(name="within_sla_share_90d", table="tickets", aggregation="mean", column="within_sla", window=90, unit="share",
            description="share of tickets answered in time", lever="support", direction=-1),
    Feature(name="nps_detractor_last", table="surveys", aggregation="last", column="detractor", unit="",
            description="last NPS answer was a detractor's (1) or not (0)", lever="satisfaction"),
    Feature(name="plan_now", table="subscriptions", aggregation="last_code", column="plan", until="until_at", unit="",
            description="plan", lever=None, category=True),
    Feature(name="tenure_days", table="accounts", aggregation="days_since_first", unit="days",
            description="days as a customer", lever=None),
    Feature(name="days_to_renewal", table="subscriptions", aggregation="days_until_next", column="renews_at", unit="days",
            description="days to the next renewal", lever=None, direction=-1),
    Feature(name="payments_failed_90d", table="payments", aggregation="count", window=90, unit="payments",
            description="failed payments", lever="billing", direction=1),
)  # fmt: skip
CATALOGUE = Catalogue(FeatureSettings(), FEATURES, codes={"plan_now": {"pro": 1, "=basic()": 2}})
NAMES = list(CATALOGUE.names)


@cache
def values(seed: int, rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.exponential(20.0, (rows, len(NAMES))), columns=NAMES)
    X["usage_trend_28d"] = np.round(rng.uniform(-1, 1, rows), 1)
    X["within_sla_share_90d"] = rng.random(rows)
    X["nps_detractor_last"] = rng.integers(0, 2, rows).astype(float)
    X["plan_now"] = rng.integers(0, 3, rows).astype(float)
    for name in ("usage_events_7d", "tickets_28d", "tickets_90d", "payments_failed_90d"):
        X[name] = np.floor(X[name] / 15)
    return X.mask(rng.random(X.shape) < 0.15)


def leavers(seed: int) -> LeaverReasons:
    topics = tuple(topic.name for topic in topics_of(CATALOGUE, NAMES))
    weights = np.random.default_rng(seed).normal(size=(len(topics), 2))
    return LeaverReasons(
        ("support", "engagement"), topics, (0.3, 0.7), (0.5,) * len(topics), (0.1, 0.2), tuple(map(tuple, weights))
    )


def explained(seed: int, rows: int, named: LeaverReasons | None, *, ties: bool = False) -> Explanation:
    rng = np.random.default_rng(seed + 77)
    contributions = rng.normal(0, 0.4, (rows, len(NAMES))) * (rng.random((rows, len(NAMES))) < 0.7)
    if ties:
        contributions = np.round(contributions, 1)
    X = values(seed, rows).copy()
    topics = [topic.name for topic in topics_of(CATALOGUE, NAMES)]
    pushed = pd.DataFrame(np.random.default_rng(seed).normal(0, 0.2, (200, len(topics))), columns=topics)
    typical = find_typical_values(
        values(seed, 200), np.zeros(200, dtype=np.int64), ("plan_now",), contributions=lambda _: pushed
    )
    names = np.array([f"<b>{number}" for number in range(rows)], dtype=object)
    return Explanation(names, X, contributions, -1.5, catalogue=CATALOGUE, typical=typical, leavers=named)


@example(seed=5, rows=12, count=4, ties=True, told=False)  # equal contributions of topics that matter and that do not
@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(1, 12),
    count=st.integers(0, 7),
    ties=st.booleans(),
    told=st.booleans(),
)
def test_all_at_once_is_one_by_one(seed, rows, count, ties, told):
    made = explained(seed, rows, leavers(seed) if told else None, ties=ties)
    found, wanted = made.frame(count), reasons_frame(made, count)
    assert found.columns.tolist() == wanted.columns.tolist()
    for name in found.columns:
        if name.startswith(("contribution", "total")):
            assert found[name].to_numpy().tobytes() == wanted[name].to_numpy(dtype=np.float64).tobytes()
        else:
            cells = [None if pd.isna(cell) else cell for cell in wanted[name]]
            assert [None if pd.isna(cell) else cell for cell in found[name]] == cells
    for row in range(rows):
        told_of = [(one.sentence, one.lever, one.contribution) for one in made.reasons(row, count)]
        assert len(told_of) <= count
        listed = [tuple(found.loc[row, [f"reason_{n}", f"lever_{n}", f"contribution_{n}"]]) for n in range(1, len(told_of) + 1)]
        assert [one[0] for one in told_of] == [one[0] for one in listed]
        assert [one[2] for one in told_of] == [one[2] for one in listed]


@given(seed=st.integers(0, 10_000), rows=st.integers(1, 12), ties=st.booleans())
def test_few_rows_are_said_with_what_many_are(seed, rows, ties):
    few, many = explained(seed, rows, None, ties=ties), explained(seed, rows, None, ties=ties)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selection, "_FEW", 0)
        by_column = many.members
    assert few.members.tolist() == by_column.tolist()


@given(seed=st.integers(0, 10_000), rows=st.integers(1, 20), count=st.integers(1, 7), told=st.booleans())
def test_contributions_alone_decide_what_matters(seed, rows, count, told):
    plain, made = explained(seed, rows, None), explained(seed, rows, leavers(seed) if told else None)
    assert made.said.tolist() == plain.said.tolist()
    for row in range(rows):
        size = np.abs(made.said[row])
        chosen = [number for number in made.chosen(count)[row].tolist() if number != NOTHING]
        lever = [made.topics[number].lever for number in range(len(size))]
        strongest = {kind: max(size[n] for n in range(len(size)) if (lever[n] is None) == kind) for kind in (True, False)}
        matter = {n for n in range(len(size)) if size[n] > 0 and size[n] >= 0.05 * strongest[lever[n] is None]}
        said_of = Counter(lever[number] for number in chosen)
        missed = [n for n in matter - set(chosen) if lever[n] is None or said_of[lever[n]] < 2]
        if missed:
            # nothing is said that matters less, and beside the first levers nothing that is weaker
            assert set(chosen) <= matter
            assert all(number <= 2 for lever_of, number in said_of.items() if lever_of is not None)
            others = [number for number in chosen if number not in made.leading[row].tolist()]
            assert all(size[number] >= max(size[n] for n in missed) for number in others)


@given(seed=st.integers(0, 10_000), rows=st.integers(1, 20))
def test_what_somebody_can_change_comes_first(seed, rows):
    made = explained(seed, rows, None)
    found, totals = made.frame(12), made.totals()
    for row in range(rows):
        levers = [lever for lever in found.loc[row, [f"lever_{n}" for n in range(1, 13)]].tolist() if isinstance(lever, str)]
        assert found.loc[row, [f"lever_{n}" for n in range(1, len(levers) + 1)]].tolist() == levers
        leading = [lever for lever in made.first_levers()[row].tolist() if lever is not None]
        assert levers[: len(leading)] == leading
        order = totals.iloc[row][leading].tolist()
        assert order == sorted(order, reverse=True)


@given(seed=st.integers(0, 10_000), rows=st.integers(1, 12))
def test_no_reason_says_nothing(seed, rows):
    made = explained(seed, rows, None)
    for row in range(rows):
        for one in made.reasons(row, 12):
            assert not one.statement.endswith("; typical")
            assert not (np.isnan(one.value) and np.isnan(one.typical))
            direction = CATALOGUE[one.feature].direction
            if direction is not None and not np.isnan(one.value - one.typical):
                assert (one.value > one.typical) == (one.raises == (direction > 0))


@given(seed=st.integers(0, 10_000), rows=st.integers(1, 12))
def test_no_change_is_told_of_a_value_that_did_not_change_or_went_the_other_way(seed, rows):
    then, now = explained(seed, rows, None), explained(seed + 1, rows, None)
    now.features["tickets_28d"] = then.features["tickets_28d"]
    changes = compare_explanations(then, now)
    for row in range(rows):
        for one in changes.of(row, 12):
            assert one.feature != "tickets_28d"
            assert "still" not in one.sentence
            direction = CATALOGUE[one.feature].direction
            if direction is not None and not np.isnan(one.after - one.before):
                assert (one.after > one.before) == ((one.contribution > 0) == (direction > 0))


@given(seed=st.integers(0, 10_000), rows=st.integers(2, 40))
def test_who_else_is_asked_about_changes_no_bit(seed, rows):
    made = explained(seed, rows, leavers(seed))
    part = made.take(slice(rows // 2, rows))
    whole = made.frame(5).iloc[rows // 2 :].reset_index(drop=True)
    pd.testing.assert_frame_equal(part.frame(5), whole, check_exact=True)


@given(seed=st.integers(0, 10_000), rows=st.integers(1, 20), count=st.integers(0, 12))
def test_every_grouping_adds_up_to_the_raw_score(seed, rows, count):
    made = explained(seed, rows, None)
    total = made.raw_scores - made.base
    for sums in (made.levers(), made.families(), made.by_topic()):
        assert sums.to_numpy().sum(axis=1) == pytest.approx(total, abs=1e-12)
    for row in range(rows):
        assert sum(part for _, part in made.waterfall(row, count)) == pytest.approx(total[row], abs=1e-12)


@given(seed=st.integers(0, 10_000), rows=st.integers(1, 12))
def test_changes_add_up_to_the_change_of_the_score(seed, rows):
    then, now = explained(seed, rows, None), explained(seed + 1, rows + 3, None)
    changes = compare_explanations(then, now)
    assert len(changes) == rows
    assert len(changes.appeared) == 3
    assert not changes.gone
    moved = now.raw_scores[:rows] - then.raw_scores
    assert changes.score_changes.tolist() == moved.tolist()
    for sums in (changes.contributions, changes.sums, changes.levers().to_numpy()):
        assert sums.sum(axis=1) == pytest.approx(moved, abs=1e-12)
    assert changes.portfolio()["mean_change"].sum() == pytest.approx(moved.mean(), abs=1e-12)
