"""Labels against a slow and obvious oracle, and against tables cut at the cutoff.

The oracle knows what a masked table is, and nothing of runs of cutoffs: for each cutoff it first throws away what was not
known, then reads off what is left, account by account.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from staypower.cutoffs import DAY
from staypower.labels.churn import Labels, find_labels, find_population
from staypower.labels.population import Status
from staypower.labels.settings import ContractualLabel, GivenLabel, LabelSettings, NonContractualLabel
from staypower.schemas import SCHEMAS, Column, TableSchema
from staypower.spells import find_spells
from staypower.tables import Table, Tables

Row = dict[str, Any]
Data = dict[str, list[Row]]

ACCOUNTS = ["a", "b", "c"]
UNTIL = 60 * DAY
CHURN = TableSchema("churn", ("churned_at",), (Column("churned_at", "time"),))
LATE = ("ended_at", "cancel_requested_at")
TIMES = ("started_at", "valid_from", "known_at", "at", "signed_up_at", "churned_at")

# Few distinct instants, so that ties at cutoffs and edges of windows and graces are common; starts early, cutoffs later, so
# that most accounts are customers at some cutoff.
parts = st.sampled_from([0, 0, 0, -1, 1, DAY // 2])
instants = st.builds(lambda day, part: day * DAY + part, st.integers(1, 50), parts)
maybe = st.none() | instants
people = st.sampled_from(ACCOUNTS)
cutoff_lists = st.lists(
    st.builds(lambda day, part: day * DAY + part, st.integers(12, 45), st.sampled_from([0, 0, 1])),
    min_size=2,
    max_size=4,
    unique=True,
).map(sorted)


@st.composite
def subscription_row(draw: st.DrawFn) -> Row:
    def later(*days: int) -> int | None:
        day = draw(st.sampled_from([None, *days]))
        return None if day is None else started + day * DAY + draw(parts)

    started = draw(st.integers(1, 40)) * DAY + draw(parts)
    return {
        "account_id": draw(people),
        "subscription_id": draw(st.sampled_from(["s", "t", None])),
        "started_at": started,
        "ended_at": later(-2, 0, 4, 5, 8, 12, 20, 30),
        "cancel_requested_at": later(3, 6, 12) if draw(st.booleans()) else None,
        "end_reason": draw(st.sampled_from([None, " ", "price", "Payment failed"])),
        "valid_from": later(0, 2, 5, 9),
        "known_at": later(1, 4, 9, 30) if draw(st.booleans()) else None,
    }


subscription_rows = st.lists(subscription_row(), min_size=5, max_size=12)
order_rows = st.lists(
    st.fixed_dictionaries(
        {
            "account_id": people,
            "at": instants,
            "quantity": st.sampled_from([None, 1.0, 0.0, -1.0]),
            "cancelled": st.sampled_from([None, None, False, True]),
            "known_at": st.none() | maybe,
        }
    ),
    min_size=6,
    max_size=14,
)
churn_rows = st.lists(
    st.fixed_dictionaries({"account_id": people, "churned_at": instants, "known_at": st.none() | maybe}), min_size=1, max_size=4
)
sign_ups = st.lists(maybe, min_size=3, max_size=3).map(
    lambda times: [{"account_id": name, "signed_up_at": time} for name, time in zip(ACCOUNTS, times, strict=True)]
)


def build(data: Data, until: int = UNTIL) -> Tables:
    def table(name: str, rows: list[Row]) -> Table:
        schema = CHURN if name == "churn" else SCHEMAS[name]
        types = {"quantity": pa.float64(), "cancelled": pa.bool_(), **dict.fromkeys(LATE + TIMES, pa.timestamp("us", "UTC"))}
        columns = [name for name in (*LATE, *TIMES, "quantity", "cancelled") if name in schema.names or name == "known_at"]
        columns += ["account_id", *(name for name in ("subscription_id", "end_reason") if name in schema.names)]
        arrays = {column: pa.array([row.get(column) for row in rows], types.get(column, pa.string())) for column in columns}
        return Table(schema, pa.table(arrays))

    return Tables({name: table(name, rows) for name, rows in data.items()}, until)


def cut(data: Data, instant: int) -> Data:
    """Throw away every row, and blank every late column, whose time is at or after an instant."""
    kept = {}
    for name, rows in data.items():
        if name == "accounts":
            kept[name] = [
                {**row, "signed_up_at": row["signed_up_at"] if known(row, instant) else None} for row in rows
            ]  # the account is still asked for
            continue
        kept[name] = [
            {key: None if key in LATE and value is not None and value >= instant else value for key, value in row.items()}
            for row in rows
            if known(row, instant)
        ]
    return kept


def known(row: Row, instant: int) -> bool:
    return all(row[time] < instant for time in TIMES if row.get(time) is not None)


# --- the oracle -------------------------------------------------------------------------------------------------------


def subscriptions_of(data: Data, account: str, until: int) -> list[Row]:
    """Collapse the versions of each subscription that are known before an instant."""
    groups: dict[object, list[Row]] = {}
    for row in cut(data, until)["subscriptions"]:
        if row["account_id"] == account:
            key = row["subscription_id"] or ("start", row["started_at"])
            groups.setdefault(key, []).append(row)
    whole = []
    for versions in groups.values():
        by_validity: dict[int, Row] = {}
        for row in versions:
            validity = row["valid_from"] if row["valid_from"] is not None else -1
            best = by_validity.get(validity)
            if best is None or known_from(row) < known_from(best):
                by_validity[validity] = row
        kept = [by_validity[validity] for validity in sorted(by_validity)]
        whole.append({**kept[-1], "first": min(row["started_at"] for row in kept), "versions": kept})
    return whole


def known_from(row: Row) -> int:
    return max(row[time] for time in ("started_at", "valid_from", "known_at") if row[time] is not None)


def spells_of(whole: list[Row], grace: int) -> list[tuple[int, float, str | None]]:
    far = float("inf")
    parts = [(row["first"], far if row["ended_at"] is None else row["ended_at"], row["end_reason"]) for row in whole]
    spells: list[list[tuple[int, float, str | None]]] = []
    for part in sorted((part for part in parts if part[1] > part[0]), key=lambda part: part[0]):
        if spells and part[0] <= max(end for _, end, _ in spells[-1]) + grace * DAY:
            spells[-1].append(part)
        else:
            spells.append([part])
    found = []
    for spell in spells:
        end = max(part[1] for part in spell)
        closing = [
            (part[2].strip() != "", part[0], part[2].strip()) for part in spell if part[1] == end and part[2] is not None
        ]
        reason = max(closing, default=(False, 0, ""))[2] or None
        found.append((min(part[0] for part in spell), end, None if end == far else reason))
    return found


def too_new(data: Data, account: str, firsts: Iterable[int], cutoff: int, days: int) -> bool:
    ups = [row["signed_up_at"] for row in data["accounts"] if row["account_id"] == account and row["signed_up_at"] is not None]
    times = [time for time in (*ups, *firsts) if time < cutoff]
    return bool(ups or times) and all(cutoff - time < days * DAY for time in times)


def expect_contractual(data: Data, label: ContractualLabel, account: str, cutoff: int) -> tuple[Status, int, int]:
    visible = subscriptions_of(data, account, cutoff)
    rows = [row for subscription in visible for row in subscription["versions"]]
    running = [row for row in visible if row["ended_at"] is None]
    if not rows:
        return Status.NO_HISTORY, -1, 0
    if all(row["ended_at"] is not None and row["ended_at"] < row["started_at"] for row in rows):
        return Status.INVALID, -1, 0
    if not running:
        return Status.NOT_ACTIVE, -1, 0
    if all(row["cancel_requested_at"] is not None for row in running):
        return Status.NOTICE_GIVEN, -1, 0
    if too_new(data, account, [row["started_at"] for row in rows], cutoff, label.too_new):
        return Status.TOO_NEW, -1, 0
    spells = [spell for spell in spells_of(subscriptions_of(data, account, UNTIL), label.grace) if spell[0] < cutoff]
    start = cutoff + label.gap * DAY
    if not spells or spells[-1][1] < start:
        return Status.SCORED, -1, 0
    if spells[-1][1] >= start + label.horizon * DAY:
        return Status.SCORED, 0, 0
    kind = {None: 3, "price": 1, "Payment failed": 2}[spells[-1][2]]
    return Status.SCORED, int(label.of == "any" or {"voluntary": 1, "involuntary": 2}[label.of] == kind), kind


def expect_non_contractual(data: Data, label: NonContractualLabel, account: str, cutoff: int) -> tuple[Status, int, int]:
    def mine(until: int) -> list[Row]:
        return [row for row in cut(data, until)["orders"] if row["account_id"] == account]

    def counts(row: Row) -> bool:
        return not row["cancelled"] and not (row["quantity"] is not None and row["quantity"] < 0)

    before = mine(cutoff)
    if not before:
        return Status.NO_HISTORY, -1, 0
    if not any(counts(row) and row["at"] >= cutoff - label.activity_window * DAY for row in before):
        return Status.NOT_ACTIVE, -1, 0
    if too_new(data, account, [row["at"] for row in before], cutoff, label.too_new):
        return Status.TOO_NEW, -1, 0
    start = cutoff + label.gap * DAY
    came = any(counts(row) and start <= row["at"] < start + label.horizon * DAY for row in mine(UNTIL))
    return Status.SCORED, int(not came), 0 if came else 3


def expect_given(data: Data, label: GivenLabel, account: str, cutoff: int) -> tuple[Status, int, int]:
    ups = [row["signed_up_at"] for row in data["accounts"] if row["account_id"] == account and row["signed_up_at"] is not None]
    if any(row["account_id"] == account for row in cut(data, cutoff)["churn"]):
        return Status.NOT_ACTIVE, -1, 0
    if ups and min(ups) >= cutoff:
        return Status.NO_HISTORY, -1, 0
    if too_new(data, account, [], cutoff, label.too_new):
        return Status.TOO_NEW, -1, 0
    first = min((row["churned_at"] for row in cut(data, UNTIL)["churn"] if row["account_id"] == account), default=float("inf"))
    start = cutoff + label.gap * DAY
    if first < start:
        return Status.SCORED, -1, 0
    churned = first < start + label.horizon * DAY
    return Status.SCORED, int(churned), 3 if churned else 0


# --- the properties ---------------------------------------------------------------------------------------------------


def assert_equal_to_oracle(
    data: Data, label: Any, cutoffs: list[int], expect: Callable[[Data, Any, str, int], tuple[Status, int, int]]
) -> None:
    labels: Labels = find_labels(build(data), label, np.array(cutoffs))
    for i, account in enumerate(ACCOUNTS):
        for j, cutoff in enumerate(cutoffs):
            found = (Status(labels.population.status[i, j]), int(labels.churned[i, j]), int(labels.kind[i, j]))
            assert found == expect(data, label, account, cutoff), (account, cutoff / DAY)


def assert_blind_to_the_future(data: Data, label: LabelSettings, cutoffs: list[int]) -> None:
    whole = find_population(build(data), label, np.array(cutoffs)).status
    for j, cutoff in enumerate(cutoffs):
        alone = find_population(build(cut(data, cutoff)), label, np.array([cutoff])).status
        assert alone[:, 0].tolist() == whole[:, j].tolist()


@settings(deadline=None)
@given(
    rows=subscription_rows,
    ups=sign_ups,
    cutoffs=cutoff_lists,
    grace=st.sampled_from([0, 2, 5]),
    gap=st.sampled_from([0, 3]),
    of=st.sampled_from(["any", "voluntary", "involuntary"]),
)
def test_contractual(rows: list[Row], ups: list[Row], cutoffs: list[int], grace: int, gap: int, of: Any) -> None:
    label = ContractualLabel(horizon=6, gap=gap, grace=grace, too_new=2, involuntary=("payment",), of=of)
    data = {"accounts": ups, "subscriptions": rows}

    assert_equal_to_oracle(data, label, cutoffs, expect_contractual)
    assert_blind_to_the_future(data, label, cutoffs)


@settings(deadline=None)
@given(rows=order_rows, ups=sign_ups, cutoffs=cutoff_lists, gap=st.sampled_from([0, 3]), window=st.sampled_from([1, 5, 20]))
def test_non_contractual(rows: list[Row], ups: list[Row], cutoffs: list[int], gap: int, window: int) -> None:
    label = NonContractualLabel(horizon=6, gap=gap, activity_window=window, too_new=2)
    data = {"accounts": ups, "orders": rows}

    assert_equal_to_oracle(data, label, cutoffs, expect_non_contractual)
    assert_blind_to_the_future(data, label, cutoffs)


@settings(deadline=None)
@given(rows=churn_rows, ups=sign_ups, cutoffs=cutoff_lists, gap=st.sampled_from([0, 3]))
def test_given_dates(rows: list[Row], ups: list[Row], cutoffs: list[int], gap: int) -> None:
    assert_equal_to_oracle({"accounts": ups, "churn": rows}, GivenLabel(horizon=6, gap=gap, too_new=2), cutoffs, expect_given)


@settings(deadline=None)
@given(rows=subscription_rows, grace=st.integers(0, 6), data=st.data())
def test_spells_do_not_depend_on_the_order_of_rows(rows: list[Row], grace: int, data: st.DataObject) -> None:
    for row in rows:
        row["valid_from"] = row["known_at"] = None
    distinct = list({(row["account_id"], row["subscription_id"], row["started_at"]): row for row in rows}.values())
    for number, row in enumerate(distinct):
        row["subscription_id"] = f"s{number}"
    shuffled = data.draw(st.permutations(distinct))

    first, second = (
        find_spells(build({"subscriptions": each})["subscriptions"], grace_days=grace).frame() for each in (distinct, shuffled)
    )

    assert first.equals(second)
    expected = [
        (account, start, None if end == float("inf") else end, reason)
        for account in ACCOUNTS
        for start, end, reason in spells_of(subscriptions_of({"subscriptions": distinct}, account, 10**18), grace)
    ]
    spells = find_spells(build({"subscriptions": distinct})["subscriptions"], grace_days=grace)
    ids = [spells.accounts[number] for number in spells.account]
    ends = [None if end == np.iinfo(np.int64).min else end for end in spells.ended.tolist()]
    assert list(zip(ids, spells.started.tolist(), ends, spells.end_reason.tolist(), strict=True)) == expected
