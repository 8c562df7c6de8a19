"""Ids that name an account in another way: the printed fix, followed, finds the accounts, and never merges two."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from bucketed_tables import whole_and_buckets
from hypothesis import given, settings
from hypothesis import strategies as st

from staypower.errors import UsageError
from staypower.sources.reading import read_tables
from staypower.sources.settings import TableSource

NUMBERS = [f"{number:04d}" for number in range(1001, 1041)]
SALESFORCE = [f"0015g00000{letter}XyzQ" for letter in "ABCDEFGHIJ"]


def look(accounts: list[str], usage: list[str], own="{}", theirs="{}"):
    frames = {"crm": pd.DataFrame({"Customer ID": accounts}), "events": pd.DataFrame({"who": usage, "at": "2024-05-05"})}
    crm = {"source": "crm", "account_id": theirs.replace("{}", "Customer ID")}
    events = {"source": "events", "account_id": own.replace("{}", "who"), "at": "at"}
    sources = {"accounts": [TableSource.model_validate(crm)], "usage": [TableSource.model_validate(events)]}
    return read_tables(sources, folder=Path(), objects=frames, observed_until="2024-12-31")


def advice(findings) -> list[str]:
    alike = [one for one in findings if "differ only" in one.problem or "are there" in one.problem]
    return [f"{one.problem} | {one.fix}" for one in alike if one.table == "usage"]


def written(said: str) -> list[str]:
    return re.findall(r"`([^`]*)` for (?:`account_id` of|that of)", said)


@pytest.mark.parametrize(
    ("accounts", "usage", "said"),
    [
        (NUMBERS, [f"cus_{one}" for one in NUMBERS], "40 of 40 ids that are not in accounts are there without 'cus_' before"),
        (NUMBERS, [f"{one}@crm" for one in NUMBERS], "without '@crm' after them"),
        ([f"cus_{one}" for one in NUMBERS], NUMBERS, "with 'cus_' before them"),
        ([f"{one}-eu" for one in NUMBERS], NUMBERS[5:], "with '-eu' after them"),
        (SALESFORCE, [f"{one}AA{one[10]}" for one in SALESFORCE], "by their first 15 letters"),
        (
            ["ACME", "Beta", "gamma"],
            ["acme", "beta", "gamma"],
            'write `lower(who)` for `account_id` of usage and `lower("Customer ID")` for that of accounts: 2 of 2',
        ),
        (["acme", "beta"], ["ACME", "beta"], "write `lower(who)` for `account_id` of usage: 1 of 1"),
        (["ACME", "BETA"], ["acme", "BETA"], "write `upper(who)` for `account_id` of usage"),
        (["acme", "beta"], [" ACME", "beta"], "write `lower(trim(who))` for `account_id` of usage: 1 of 1"),
        (["0007", "0008"], ["7", "8"], "right(concat('0000', who), 4)"),
        (["7", "8x"], ["007", "8x"], "try_cast(who as bigint)"),
    ],
)
def test_the_fix_that_is_printed_finds_the_accounts(accounts, usage, said):
    _, findings = look(accounts, usage)
    (found,) = advice(findings)
    assert said in found
    own, *theirs = written(found)
    tables, after = look(accounts, usage, own, *theirs)
    assert len(tables["usage"]) == len(usage)
    assert len(tables["accounts"]) == len(accounts)
    assert not advice(after)


@pytest.mark.parametrize(
    ("accounts", "usage"),
    [
        # folding would make one account of two
        (["Acme", "acme", "x"], ["ACME", "x"]),
        # chance: numbers within numbers
        ([str(number) for number in range(10, 99)], [str(number) for number in range(1010, 1099)]),
        # an account of that name is there
        ([*NUMBERS, "cus_1001"], [*(f"cus_{one}" for one in NUMBERS)]),
        # too few to be more than chance
        (["1001", "b"], ["x1001", "b"]),
    ],
)
def test_nothing_is_advised_that_merges_accounts_or_is_chance(accounts, usage):
    assert not [one for said in advice(look(accounts, usage)[1]) for one in written(said)]


def test_accounts_that_differ_only_in_case_are_for_an_alias_table():
    (found,) = advice(look(["Acme", "acme"], ["ACME", "acme"])[1])
    assert "3 ids that differ only" in found
    assert "`aliases` of `accounts`" in found


def test_tables_without_accounts_that_share_no_id_are_named(tmp_path):
    pd.DataFrame({"account_id": NUMBERS, "at": "2024-05-05"}).to_csv(tmp_path / "usage.csv", index=False)
    pd.DataFrame({"org": [f"org:{one}" for one in NUMBERS[:9]], "at": "2024-05-05"}).to_csv(
        tmp_path / "orders.csv", index=False
    )
    orders = TableSource(source="orders.csv", mapping={"account_id": "org"})
    sources = {"usage": [TableSource(source="usage.csv")], "orders": [orders]}
    whole_and_buckets(sources, tmp_path, buckets=3)
    (found,) = [one for one in read_tables(sources, folder=tmp_path)[1] if "are there" in one.problem]
    assert found.problem == "9 of 9 ids that are not in usage are there without 'org:' before them"
    assert found.fix == "write `case when starts_with(org, 'org:') then substr(org, 5) else org end` for `account_id` of orders"


@given(
    accounts=st.lists(st.text("abAB01_ ", min_size=1, max_size=5), min_size=1, max_size=12, unique=True),
    usage=st.lists(st.text("abAB01_ ", min_size=1, max_size=6), min_size=1, max_size=12, unique=True),
)
@settings(max_examples=40)
def test_following_a_fix_keeps_every_account_and_every_known_row(accounts, usage):
    accounts, usage = ([one for one in each if one.strip()] or ["z"] for each in (accounts, usage))
    before, findings = look(accounts, usage)
    for said in advice(findings):
        if written(said):
            own, *theirs = written(said)
            after, _ = look(accounts, usage, own, *theirs)
            assert len(after["accounts"]) == len(before["accounts"])
            assert len(after["usage"]) > len(before["usage"])


def test_rows_that_are_all_of_unknown_accounts_are_refused_with_the_way_to_them():
    frames = {"crm": pd.DataFrame({"account_id": NUMBERS}), "events": pd.DataFrame({"who": [f"u-{one}" for one in NUMBERS]})}
    usage = TableSource.model_validate({"source": "events", "account_id": "who", "at": "2024-05-05"})
    with pytest.raises(UsageError, match=r"40 accounts not in `accounts`.*40 of 40 rows.*substr\(who, 3\)"):
        read_tables({"accounts": [TableSource(source="crm")], "usage": [usage]}, folder=Path(), objects=frames)
