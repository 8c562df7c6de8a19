"""Accounts that have left by another record than the label's own: never in the population, never scored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from staypower.cutoffs import DAY
from staypower.labels.churn import find_customers, find_labels, find_population
from staypower.labels.population import Status
from staypower.labels.settings import ContractualLabel, GivenLabel, NonContractualLabel
from staypower.schemas import SCHEMAS, TableSchema
from staypower.tables import Table, Tables

ORDERS = NonContractualLabel(horizon=30, too_new=0)
CONTRACTS = ContractualLabel(horizon=30, too_new=0)
DATES = GivenLabel(dates="cancelled", time="on", horizon=30, too_new=0)
FLAG = GivenLabel(flag="gone", too_new=0)


def times(*days: float | None) -> pa.Array:
    return pa.array([None if day is None else int(day * DAY) for day in days], pa.timestamp("us", "UTC"))


def schema_of(name: str) -> TableSchema:
    return SCHEMAS.get(name) or SCHEMAS["orders"]


def company(**columns: dict[str, Any]) -> Tables:
    if "accounts" not in columns:
        columns["accounts"] = {"account_id": sorted({name for each in columns.values() for name in each["account_id"]})}
    return Tables({name: Table(schema_of(name), pa.table(each)) for name, each in columns.items()}, 200 * DAY)


def words(tables: Tables, label: Any, day: int = 100, find: Any = find_population) -> dict[str, str]:
    found = find(tables, label, np.array([day * DAY]))
    return {name: Status(each).word for name, each in zip(found.accounts, found.status[:, 0].tolist(), strict=True)}


SUBSCRIPTIONS = {
    "account_id": ["ended", "back", "runs", "one_runs", "one_runs", "orders_on", "later"],
    "started_at": times(0, 0, 0, 0, 0, 0, 0),
    "ended_at": times(60, 60, None, 60, None, 60, 120),
}
BACK = {"account_id": ["back"], "started_at": times(80), "ended_at": times(None)}


def with_contracts() -> dict[str, Any]:
    joined = {name: [*SUBSCRIPTIONS[name], *BACK[name]] for name in ("account_id",)}
    for name in ("started_at", "ended_at"):
        joined[name] = pa.concat_arrays([SUBSCRIPTIONS[name], BACK[name]])
    return joined


def test_inactivity_does_not_list_whose_contracts_have_ended() -> None:
    ids = ["ended", "back", "runs", "one_runs", "orders_on", "later", "no_contract"]
    orders = {"account_id": ids, "at": times(59, 59, 59, 59, 61, 59, 59)}
    tables = company(subscriptions=with_contracts(), orders=orders)

    found = words(tables, ORDERS)

    assert found.pop("ended") == "left"
    assert set(found.values()) == {"scored"}, "ordering after the end, or another contract, is staying"
    assert words(tables, ORDERS, day=60)["ended"] == "scored", "nothing from the future"
    labels = find_labels(tables, ORDERS, np.array([100 * DAY]))
    assert labels.churned[labels.population.accounts.index("ended"), 0] == -1, "nor is it trained on"
    assert labels.frame()["left"].tolist() == [1]


def test_an_end_counts_from_when_it_is_known() -> None:
    rows = {"account_id": ["a"], "started_at": times(0), "ended_at": times(60), "known_at": times(120)}
    orders = {"account_id": ["a"], "at": times(10)}
    tables = company(subscriptions=rows, orders=orders)

    assert words(tables, ORDERS, day=100) == {"a": "scored"}
    assert words(tables, ORDERS, day=130) == {"a": "left"}


def test_a_date_of_churn_ends_a_contract_that_nobody_closed() -> None:
    subscriptions = {"account_id": ["gone", "back", "runs"], "started_at": times(0, 70, 0), "ended_at": times(None, None, None)}
    churn = {"account_id": ["gone", "back"], "churned_at": times(60, 60)}
    tables = Tables(
        {
            "accounts": Table(SCHEMAS["accounts"], pa.table({"account_id": ["gone", "back", "runs"]})),
            "subscriptions": Table(SCHEMAS["subscriptions"], pa.table(subscriptions)),
            "churn": Table(SCHEMAS["orders"], pa.table(churn)),
        },
        200 * DAY,
    )

    assert words(tables, CONTRACTS) == {"gone": "left", "back": "scored", "runs": "scored"}
    assert set(words(tables, CONTRACTS, day=50).values()) == {"scored", "no_history"}


def test_dates_do_not_list_whose_contracts_have_ended() -> None:
    cancelled = {"account_id": ["dated"], "on": times(90)}
    subscriptions = {"account_id": ["dated", "ended", "runs"], "started_at": times(0, 0, 0), "ended_at": times(None, 60, None)}
    tables = company(subscriptions=subscriptions, cancelled=cancelled)

    assert words(tables, DATES) == {"dated": "not_active", "ended": "left", "runs": "scored"}


@pytest.mark.parametrize("column", [["yes", "no", None, "No"], None])
def test_those_who_carry_a_flag_are_trained_on_and_never_scored(column: list[str | None] | None) -> None:
    accounts: dict[str, Any] = {"account_id": ["a", "b", "c", "d"]}
    if column is not None:
        accounts["gone"] = column
    tables = company(accounts=accounts)
    at = np.array([200 * DAY])

    found = list(words(tables, FLAG, day=200, find=find_customers).values())

    assert found == (["left", "scored", "scored", "scored"] if column else ["scored"] * 4), "new accounts have no flag yet"
    assert set(words(tables, FLAG, day=200).values()) == {"scored"}
    if column:
        assert find_labels(tables, FLAG, at).churned[:, 0].tolist() == [1, 0, -1, 0]


def test_a_flag_that_nobody_carries_any_more_can_be_scored() -> None:
    tables = company(accounts={"account_id": ["a", "b"], "gone": ["no", "no"]})

    assert set(words(tables, FLAG, day=200, find=find_customers).values()) == {"scored"}


def test_with_a_flag_whose_contracts_have_ended_is_not_scored_either() -> None:
    accounts = {"account_id": ["a", "b"], "gone": ["no", "no"]}
    subscriptions = {"account_id": ["a", "b"], "started_at": times(0, 0), "ended_at": times(60, None)}
    tables = company(accounts=accounts, subscriptions=subscriptions)

    assert words(tables, FLAG, day=200, find=find_customers) == {"a": "left", "b": "scored"}
