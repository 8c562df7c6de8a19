from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from staypower.cutoffs import DAY, text_of
from staypower.errors import UsageError
from staypower.labels.churn import Labels, find_labels, find_population, require_enough
from staypower.labels.inputs import newer_version
from staypower.labels.population import Status
from staypower.labels.settings import ContractualLabel, GivenLabel, LabelSettings, NonContractualLabel
from staypower.schemas import SCHEMAS
from staypower.tables import Table, Tables


def times(*days: float | None) -> pa.Array:
    return pa.array([None if day is None else int(day * DAY) for day in days], pa.timestamp("us", "UTC"))


def company(until: int = 200, **columns: dict[str, Any]) -> Tables:
    """Build tables; without accounts, those of the other tables."""
    if "accounts" not in columns:
        ids = sorted({name for each in columns.values() for name in each["account_id"]})
        columns["accounts"] = {"account_id": ids}
    return Tables({name: Table(SCHEMAS[name], pa.table(each)) for name, each in columns.items()}, until * DAY)


def days(*cutoffs: int) -> np.ndarray:
    return np.array(cutoffs, dtype=np.int64) * DAY


FIVE = {
    "account_id": ["churns", "stays", "in_gap", "notice", "new", "fails"],
    "started_at": times(0, 0, 0, 0, 95, 0),
    "ended_at": times(115, None, 103, 120, None, 118),
    "cancel_requested_at": times(None, None, None, 90, None, None),
    "end_reason": ["price", None, "price", "price", None, "payment failed"],
}
LABEL = ContractualLabel(horizon=30, gap=7, grace=10, involuntary=("payment",))


def test_frame_counts_each_cutoff() -> None:
    frame = find_labels(company(subscriptions=FIVE), LABEL, days(50, 100)).frame()

    assert frame.to_dict("list") == {
        "cutoff": ["1970-02-20", "1970-04-11"],
        "accounts": [6, 6],
        "active": [5, 6],
        "notice_given": [0, 1],
        "too_new": [0, 1],
        "left": [0, 0],
        "left_in_gap": [0, 1],
        "unlabelled": [0, 0],
        "labelled": [5, 3],
        "churners": [0, 2],
        "voluntary": [0, 1],
        "involuntary": [0, 1],
        "unknown": [0, 0],
        "base_rate": [0.0, 2 / 3],
    }


def test_frame_without_members_has_no_base_rate() -> None:
    frame = find_labels(company(subscriptions=FIVE), LABEL, days(0)).frame()

    assert frame["labelled"].tolist() == [0]
    assert frame["base_rate"].isna().all()


def test_pairs_are_sorted_by_account_and_cutoff() -> None:
    labels = find_labels(company(subscriptions=FIVE), LABEL, days(50, 100))

    account, cutoff, churned = labels.pairs()

    names = [labels.population.accounts[number] for number in account]
    assert list(zip(names, cutoff.tolist(), churned.tolist(), strict=True)) == [
        ("churns", 0, 0),
        ("churns", 1, 1),
        ("fails", 0, 0),
        ("fails", 1, 1),
        ("in_gap", 0, 0),
        ("notice", 0, 0),
        ("stays", 0, 0),
        ("stays", 1, 0),
    ]
    assert labels.population.scored.sum() == 9


def test_population_of_a_cutoff_does_not_depend_on_the_others() -> None:
    tables = company(subscriptions=FIVE)
    together = find_population(tables, LABEL, days(20, 50, 100, 110)).status

    for number, day in enumerate((20, 50, 100, 110)):
        assert find_population(tables, LABEL, days(day)).status[:, 0].tolist() == together[:, number].tolist()


def test_cutoffs_must_ascend() -> None:
    with pytest.raises(ValueError, match="ascend"):
        find_population(company(subscriptions=FIVE), LABEL, days(100, 50))
    with pytest.raises(ValueError, match="ascend"):
        find_population(company(subscriptions=FIVE), LABEL, days(100, 100))
    near = np.array([100 * DAY, 100 * DAY + 1])
    assert find_population(company(subscriptions=FIVE), LABEL, near).status.shape == (6, 2)


def test_open_outcome_is_refused_and_names_the_last_complete_one() -> None:
    tables = company(subscriptions=FIVE)  # observed for 200 days; gap, horizon and grace take 47

    assert LABEL.last_cutoff(tables.observed_until) == 153 * DAY
    find_labels(tables, LABEL, days(153))
    with pytest.raises(UsageError, match=r"outcome not complete: cutoff 1970-06-04 .* grace 10 days.* use 1970-06-03") as error:
        find_labels(tables, LABEL, days(153, 154))
    assert len(error.value.problems) == 1
    find_population(tables, LABEL, days(154))


def test_scoring_after_observation_uses_what_was_known_at_its_end() -> None:
    tables = company(subscriptions={"account_id": ["a", "b"], "started_at": times(0, 201), "ended_at": times(202, None)})

    assert find_population(tables, LABEL, days(210)).status.tolist() == [[Status.SCORED], [Status.NO_HISTORY]]


@pytest.mark.parametrize(
    ("label", "columns", "said"),
    [
        (LABEL, {"orders": {"account_id": ["a"], "at": times(0)}}, "table that is missing: subscriptions"),
        (
            LABEL,
            {"subscriptions": {"account_id": ["a"], "started_at": times(0)}},
            "column that is missing: subscriptions.ended_at",
        ),
        (
            ContractualLabel(horizon=30, involuntary=("card",), of="voluntary"),
            {"subscriptions": {"account_id": ["a"], "started_at": times(0), "ended_at": times(1)}},
            "subscriptions.end_reason",
        ),
        (NonContractualLabel(table="order"), {"orders": {"account_id": ["a"], "at": times(0)}}, "write `orders` in the label"),
        (
            NonContractualLabel(table="usage", key_events=("x",)),
            {"usage": {"account_id": ["a"], "at": times(0)}},
            "column that is missing: usage.event",
        ),
        (GivenLabel(), {"accounts": {"account_id": ["a"]}}, "table that is missing: churn"),
        (GivenLabel(flag="lft", at="1970-02-01"), {"accounts": {"account_id": ["a"], "left": ["no"]}}, "write `left`"),
        (
            GivenLabel(flag="left", at="1970-02-01"),
            {"accounts": {"account_id": ["a", "b"], "left": ["gone", "Here"]}},
            "`gone`, `here`. Fix: write the value that means churned as `positive`",
        ),
    ],
)
def test_what_is_missing_is_said(label: LabelSettings, columns: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as error:
        find_labels(company(**columns), label, days(31))

    assert said in str(error.value)


def test_flag_holds_at_its_own_cutoff_only() -> None:
    tables = company(accounts={"account_id": ["a"], "left": ["yes"]})
    label = GivenLabel(flag="left", at="1970-02-01")

    assert text_of(label.last_cutoff(tables.observed_until)) == "1970-02-01"
    with pytest.raises(UsageError, match=r"one cutoff only: 1970-02-02. Fix: use the cutoff 1970-02-01"):
        find_labels(tables, label, days(32))
    assert GivenLabel(flag="left").last_cutoff(tables.observed_until) == 200 * DAY


@pytest.mark.parametrize(
    ("values", "positive", "expected"),
    [
        (pa.array([1.0, 0.0, None]), ("1",), [1, 0, -1]),
        (pa.array([True, False, None]), ("yes", "true", "1"), [1, 0, -1]),
        (pa.array([" Churned", "Stayed", ""]), ("churned",), [1, 0, -1]),
        (pa.array([2, 3, None], pa.int64()), ("2", "3"), [1, 1, -1]),
        (pa.array([1.0, 0.5, float("nan")]), ("0.5",), [0, 1, -1]),
    ],
)
def test_flag_is_compared_as_text(values: pa.Array, positive: tuple[str, ...], expected: list[int]) -> None:
    tables = company(accounts={"account_id": ["a", "b", "c"], "left": values})

    labels = find_labels(tables, GivenLabel(flag="left", positive=positive, at="1970-02-01"), days(31))

    assert labels.churned[:, 0].tolist() == expected
    assert labels.frame()["unlabelled"].tolist() == [expected.count(-1)]


def test_flag_of_several_rows_is_the_last_valid_one_else_the_first() -> None:
    accounts = {"account_id": ["a", "a", "b", "b"], "left": ["yes", "no", "no", "yes"]}
    label = GivenLabel(flag="left", at="1970-02-01")

    assert find_labels(company(accounts=accounts), label, days(31)).churned[:, 0].tolist() == [1, 0]
    accounts["valid_from"] = times(1, 2, 2, 1)
    accounts["left"] = ["no", "yes", "no", "yes"]
    assert find_labels(company(accounts=accounts), label, days(31)).churned[:, 0].tolist() == [1, 0]


def test_any_event_table_can_be_activity() -> None:
    tables = company(surveys={"account_id": ["a", "b"], "sent_at": times(None, 10), "answered_at": times(90, 110)})

    labels = find_labels(tables, NonContractualLabel(table="surveys", activity_window=100, horizon=30, too_new=0), days(100))

    assert labels.churned.tolist() == [[1], [1]]  # b's row is dated by its invitation


def test_rows_that_arrive_after_observation_are_not_known() -> None:
    orders = {"account_id": ["a", "a"], "at": times(50, 120), "known_at": times(50, 200)}

    assert find_labels(company(200, orders=orders), NonContractualLabel(), days(100)).churned.tolist() == [[1]]
    assert find_labels(company(201, orders=orders), NonContractualLabel(), days(100)).churned.tolist() == [[0]]


def test_dates_of_accounts_that_do_not_exist_are_left_out() -> None:
    tables = company(
        accounts={"account_id": ["a"]}, orders={"account_id": ["a", "ghost"], "at": times(50, 50), "quantity": [1.0, 1.0]}
    )

    assert find_population(tables, NonContractualLabel(), days(100)).accounts == ("a",)


def test_empty_tables_have_nobody() -> None:
    empty = {"account_id": pa.array([], pa.string()), "started_at": times(), "ended_at": times()}
    tables = company(accounts={"account_id": ["a"]}, subscriptions=empty)

    labels = find_labels(tables, LABEL, days(50))

    assert labels.population.status.tolist() == [[Status.NO_HISTORY]]


def test_no_cutoffs_give_an_empty_population() -> None:
    population = find_population(company(subscriptions=FIVE), LABEL, days())

    assert population.status.shape == (6, 0)


@pytest.mark.parametrize(
    ("churners", "stayers", "problems"),
    [
        (20, 20, []),
        (19, 20, ["too few churners for training"]),
        (20, 19, ["too few stayers for training"]),
        (0, 500, ["one class only, no churners for training"]),
        (500, 0, ["one class only, no stayers for training"]),
        (0, 0, ["one class only, no churners for training", "one class only, no stayers for training"]),
    ],
)
def test_enough_to_learn_from(churners: int, stayers: int, problems: list[str]) -> None:
    y = np.array([1] * churners + [0] * stayers + [-1] * 100, dtype=np.int8)
    found = []

    try:
        require_enough(y)
    except UsageError as error:
        found = list(error.problems)

    assert [problem.problem for problem in found] == problems
    assert all(f"{churners} churners and {stayers} stayers" == problem.value for problem in found)
    assert all("at least 20" in problem.fix for problem in found)


@pytest.mark.parametrize("purpose", ["training", "evaluation"])
def test_the_fix_names_the_setting_where_there_is_one(purpose: str) -> None:
    with pytest.raises(UsageError) as error:
        require_enough(np.array([1, 0], dtype=np.int8), purpose=purpose)

    of_churners, of_stayers = (problem.fix for problem in error.value.problems)
    assert ("`model.min_churners`" in of_churners) == (purpose == "training")
    assert "min_churners" not in of_stayers
    assert "a longer `label.horizon`" in of_churners
    assert "a shorter `label.horizon`" in of_stayers
    assert all(("`cutoffs.test_count: 1`" in fix) == (purpose == "training") for fix in (of_churners, of_stayers))


def test_labels_of_one_bucket_are_those_of_all() -> None:
    labels = find_labels(company(subscriptions=FIVE), LABEL, days(50, 100))

    together = Labels.together([labels])

    assert together.population.accounts == labels.population.accounts
    assert together.population.cutoffs.tolist() == days(50, 100).tolist()
    assert together.churned.tolist() == labels.churned.tolist()


def test_the_latest_outcome_is_of_the_last_cutoff_at_which_there_is_one() -> None:
    labels = find_labels(company(subscriptions=FIVE), LABEL, days(50, 100))
    accounts = labels.population.accounts
    drawn = np.full((len(accounts), 2), -1, dtype=np.int8)
    drawn[0], drawn[1], drawn[2] = (0, 1), (1, -1), (1, 0)

    assert replace(labels, churned=drawn).latest() == {accounts[0]: 1, accounts[1]: 1, accounts[2]: 0}


@pytest.mark.parametrize("entered", [[0, 2], [1, 1], [2, 0]])
def test_two_versions_of_one_subscription_are_told_from_two_subscriptions(entered: list[int]) -> None:
    known = np.array(entered)

    assert newer_version(np.array([0, 0]), known, 3).tolist() == [known[1], 3]
    assert newer_version(np.array([0, 1]), known, 3).tolist() == [3, 3]


def test_thresholds_can_be_lowered_for_another_purpose() -> None:
    require_enough(np.array([1, 0, 0]), purpose="evaluation", least_churners=1, least_stayers=1)


def test_dates_without_a_clock_count_from_their_end_in_orders() -> None:
    orders = Table(SCHEMAS["orders"], pa.table({"account_id": ["a", "b"], "at": times(99, 100)}), date_only=frozenset({"at"}))
    accounts = Table(SCHEMAS["accounts"], pa.table({"account_id": ["a", "b"]}))

    status = find_population(
        Tables({"accounts": accounts, "orders": orders}, 200 * DAY), NonContractualLabel(too_new=0), days(100)
    ).status

    assert status.tolist() == [[Status.SCORED], [Status.NO_HISTORY]]
