from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from frozen import dataclasses_not_frozen

from staypower import spells as spells_module
from staypower.cutoffs import DAY, MISSING
from staypower.schemas import SCHEMAS
from staypower.spells import Spells, find_spells, number_accounts, read_versions
from staypower.tables import Table

TIMES = {"started_at", "ended_at", "cancel_requested_at", "valid_from", "known_at"}


def table(*rows: dict[str, Any], date_only: frozenset[str] = frozenset()) -> Table:
    """Build subscriptions; times are written as days."""
    columns = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        cells = [row.get(name) for row in rows]
        if name in TIMES:
            columns[name] = pa.array([None if day is None else int(day * DAY) for day in cells], pa.timestamp("us", "UTC"))
        else:
            columns[name] = pa.array(cells, pa.string())
    return Table(SCHEMAS["subscriptions"], pa.table(columns), date_only=date_only)


def drawn(spells: Spells) -> list[tuple[str, float, float | None, str | None, int]]:
    return [
        (spells.accounts[account], start / DAY, None if end == MISSING else end / DAY, reason, count)
        for account, start, end, reason, count in zip(
            spells.account.tolist(),
            spells.started.tolist(),
            spells.ended.tolist(),
            spells.end_reason.tolist(),
            spells.n_subscriptions.tolist(),
            strict=True,
        )
    ]


def test_concurrent_subscriptions_are_one_spell_closed_by_the_last() -> None:
    spells = find_spells(
        table(
            {"account_id": "a", "started_at": 0, "ended_at": 100, "end_reason": "price"},
            {"account_id": "a", "started_at": 10, "ended_at": 20, "end_reason": "unused"},
            {"account_id": "a", "started_at": 90, "ended_at": 120, "end_reason": " merged "},
        ),
        grace_days=0,
    )

    assert drawn(spells) == [("a", 0, 120, "merged", 3)]


def test_a_long_subscription_bridges_a_short_one_that_ended_earlier() -> None:
    spells = find_spells(
        table(
            {"account_id": "a", "started_at": 0, "ended_at": 100},
            {"account_id": "a", "started_at": 10, "ended_at": 20},
            {"account_id": "a", "started_at": 99, "ended_at": None},
        ),
        grace_days=0,
    )

    assert drawn(spells) == [("a", 0, None, None, 3)]


def test_hole_of_exactly_the_grace_is_closed_and_a_longer_one_is_not() -> None:
    rows = table(
        {"account_id": "a", "started_at": 0, "ended_at": 10},
        {"account_id": "a", "started_at": 15, "ended_at": 30},
    )

    assert len(find_spells(rows, grace_days=5)) == 1
    assert drawn(find_spells(rows, grace_days=4)) == [("a", 0, 10, None, 1), ("a", 15, 30, None, 1)]


def test_dates_on_successive_days_leave_a_hole_of_one_day() -> None:
    rows = table(
        {"account_id": "a", "started_at": 0, "ended_at": 30},
        {"account_id": "a", "started_at": 31, "ended_at": 60},
        date_only=frozenset({"started_at", "ended_at"}),
    )

    assert len(find_spells(rows, grace_days=0)) == 2
    assert len(find_spells(rows, grace_days=1)) == 1


def test_an_account_does_not_inherit_the_end_of_the_one_before() -> None:
    spells = find_spells(
        table(
            {"account_id": "b", "started_at": 5, "ended_at": 6},
            {"account_id": "a", "started_at": 0, "ended_at": None},
            {"account_id": "c", "started_at": 1, "ended_at": 2},
        ),
        grace_days=30,
    )

    assert drawn(spells) == [("a", 0, None, None, 1), ("b", 5, 6, None, 1), ("c", 1, 2, None, 1)]


def test_reason_of_ends_at_one_instant() -> None:
    written = {"account_id": "a", "started_at": 0, "ended_at": 9, "end_reason": "price"}
    blank = {"account_id": "a", "started_at": 5, "ended_at": 9, "end_reason": ""}
    younger = {"account_id": "a", "started_at": 3, "ended_at": 9, "end_reason": "card"}

    assert drawn(find_spells(table(blank, written), grace_days=0))[0][3] == "price"
    assert drawn(find_spells(table(younger, written, blank), grace_days=0))[0][3] == "card"


def test_of_reasons_at_one_instant_the_later_in_the_alphabet_wins_in_any_order() -> None:
    rows = [{"account_id": "a", "started_at": 0, "ended_at": 9, "end_reason": reason} for reason in ("zeal", "alms", "mood")]

    for order in (rows, rows[::-1], rows[1:] + rows[:1]):
        assert drawn(find_spells(table(*order), grace_days=0))[0][3] == "zeal"


def test_a_row_without_a_known_account_has_no_number() -> None:
    rows = table(*({"account_id": account, "started_at": 0} for account in ("b", None, "x", "a")))

    assert number_accounts(rows, ["a", "b"]).tolist() == [1, -1, -1, 0]


def test_values_cannot_be_changed() -> None:
    assert not dataclasses_not_frozen(spells_module)


def test_impossible_and_empty_subscriptions_make_no_spell() -> None:
    spells = find_spells(
        table(
            {"account_id": "a", "started_at": 5, "ended_at": 4},
            {"account_id": "b", "started_at": 5, "ended_at": 5},
            {"account_id": "c", "started_at": None, "ended_at": 5},
        ),
        grace_days=30,
    )

    assert len(spells) == 0
    assert spells.accounts == ("a", "b", "c")
    assert len(spells.frame()) == 0


def test_versions_collapse_to_first_start_and_last_version() -> None:
    spells = find_spells(
        table(
            {"account_id": "a", "subscription_id": "s", "started_at": 20, "valid_from": 20, "ended_at": 50, "end_reason": "x"},
            {"account_id": "a", "subscription_id": "s", "started_at": 0, "valid_from": 0, "ended_at": 30, "end_reason": "y"},
            {"account_id": "b", "subscription_id": "s", "started_at": 3, "valid_from": 3, "ended_at": 8},
        ),
        grace_days=0,
    )

    assert drawn(spells) == [("a", 0, 50, "x", 1), ("b", 3, 8, None, 1)]


def test_a_later_version_without_an_end_runs_on() -> None:
    spells = find_spells(
        table(
            {"account_id": "a", "subscription_id": "s", "started_at": 0, "valid_from": 0, "ended_at": 30},
            {"account_id": "a", "subscription_id": "s", "started_at": 0, "valid_from": 20, "ended_at": None},
        ),
        grace_days=0,
    )

    assert drawn(spells) == [("a", 0, None, None, 1)]


def test_of_duplicates_the_one_known_first_is_kept() -> None:
    rows = table(
        {"account_id": "a", "subscription_id": "s", "started_at": 0, "ended_at": 30, "known_at": 9},
        {"account_id": "a", "subscription_id": "s", "started_at": 0, "ended_at": 20, "known_at": 2},
        {"account_id": "a", "subscription_id": "s", "started_at": 0, "ended_at": 10, "known_at": 2},
    )

    assert read_versions(rows, ["a"]).row.tolist() == [1]
    assert drawn(find_spells(rows, grace_days=0)) == [("a", 0, 20, None, 1)]


def test_versions_without_an_id_are_told_by_product_and_start() -> None:
    rows = table(
        {"account_id": "a", "product": "mail", "started_at": 0, "valid_from": 0, "subscription_id": None},
        {"account_id": "a", "product": "mail", "started_at": 0, "valid_from": 9, "subscription_id": ""},
        {"account_id": "a", "product": "web", "started_at": 0, "valid_from": 9, "subscription_id": None},
        {"account_id": "a", "product": None, "started_at": 0, "valid_from": 9, "subscription_id": None},
        {"account_id": "a", "product": "mail", "started_at": 1, "valid_from": 9, "subscription_id": None},
    )

    versions = read_versions(rows, ["a"])

    of_row = dict(zip(versions.row.tolist(), versions.subscription.tolist(), strict=True))
    assert of_row[0] == of_row[1]
    assert len(set(of_row.values())) == 4


def test_subscriptions_are_numbered_from_0_in_the_order_of_their_ids() -> None:
    rows = table(*({"account_id": "a", "started_at": 0, "subscription_id": name} for name in ("s2", "s1", "s1", "s0")))

    versions = read_versions(rows, ["a"])

    assert versions.row.tolist() == [3, 1, 0]
    assert versions.subscription.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "cells",
    [
        # (id, product, start): the same start and product have one number, nothing else has, and none has that of an id
        [(None, "x", 0), (None, None, 10), (None, None, 20)],
        [("s1", None, 5), ("s2", None, 5), (None, None, 0)],
        [("s1", "x", 5), (None, "z", 0), (None, "y", 5)],
        [("s1", "x", 5), (None, None, 0), (None, "z", 5)],
        [(None, product, start) for product in (None, "x", "y", "z") for start in (0, 1, 2, 3)],
        [("s1", "x", 9), *((None, product, start) for product in (None, "x", "y", "z") for start in (0, 1, 2, 3))],
    ],
)
def test_what_has_no_id_is_no_other_subscription(cells: list[tuple[str | None, str | None, int]]) -> None:
    names = ("subscription_id", "product", "started_at")
    rows = table(*({"account_id": "a", "valid_from": 30, **dict(zip(names, row, strict=True))} for row in cells))

    assert len(set(read_versions(rows, ["a"]).subscription.tolist())) == len(cells)


def test_rows_without_id_and_versions_are_subscriptions_of_their_own() -> None:
    same = {"account_id": "a", "started_at": 0, "ended_at": 9}

    assert find_spells(table(same, same), grace_days=0).n_subscriptions.tolist() == [2]


def test_knowledge_ends_when_observation_does() -> None:
    rows = table(
        {"account_id": "a", "started_at": 0, "ended_at": 10},
        {"account_id": "b", "started_at": 10, "ended_at": 12},
        {"account_id": "c", "started_at": 0, "ended_at": 9.5, "known_at": 10},
        {"account_id": "d", "started_at": 0, "ended_at": 9.5},
    )

    assert drawn(find_spells(rows, grace_days=0, observed_until=10 * DAY)) == [("a", 0, None, None, 1), ("d", 0, 9.5, None, 1)]


def test_accounts_not_asked_for_are_left_out_and_numbers_follow_the_list() -> None:
    rows = table({"account_id": "a", "started_at": 0}, {"account_id": "z", "started_at": 1, "ended_at": None})

    spells = find_spells(
        table({"account_id": "a", "started_at": 0, "ended_at": 3}, {"account_id": "z", "started_at": 1, "ended_at": 2}),
        grace_days=0,
        accounts=["y", "z"],
    )

    assert drawn(spells) == [("z", 1, 2, None, 1)]
    assert spells.account.tolist() == [1]
    assert drawn(find_spells(rows, grace_days=0, accounts=["z"])) == [("z", 1, None, None, 1)]


def test_frame_has_ids_and_utc_times() -> None:
    frame = find_spells(
        table(
            {"account_id": "b", "started_at": 1, "ended_at": None, "end_reason": None},
            {"account_id": "a", "started_at": 0, "ended_at": 2, "end_reason": "price"},
        ),
        grace_days=0,
    ).frame()

    assert frame["account_id"].tolist() == ["a", "b"]
    assert str(frame["ended"][0]) == "1970-01-03 00:00:00+00:00"
    assert frame["ended"].isna().tolist() == [False, True]
    assert frame["end_reason"].tolist() == ["price", None]
