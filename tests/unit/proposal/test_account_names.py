"""The name of an account is found by what columns are called and by their values; a person, a product or a plan has another."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import staypower
from staypower.proposal.account_names import account_name
from staypower.proposal.facts import ColumnFacts, FileFacts
from staypower.proposal.links import Link

KEY = ColumnFacts("id", 100, 100, names=0)


def text(name, distinct=100, filled=100, names=100, **more):
    return ColumnFacts(name, filled, distinct, names=names, **more)


def named(*columns, file="accounts", key=KEY):
    found = account_name(FileFacts(file, {}, 100, (key, *columns)), Link(key, master=True), [])
    return None if found is None else found.written


@pytest.mark.parametrize(
    "called",
    ["Account Name", "customer.company", "Firma", "Nazwa firmy", "Bedrijfsnaam", "Name", "Razon social"],
)
def test_words_of_several_languages(called):
    assert named(text(called), text("billing address")) == called


@pytest.mark.parametrize(
    "called", ["Contact name", "Full name", "user_name", "plan_name", "Product", "Company owner", "Parent company", "name id"]
)
def test_names_of_others(called):
    assert named(text(called)) is None


@pytest.mark.parametrize(
    "column",
    [
        text("company", 6),
        text("name", filled=30, distinct=30),
        text("company name", kind="number"),
        text("company name", emails=True),
        text("name", times=("name",)),
        text("account", names=10),
    ],
    ids=["few", "seldom", "number", "address", "time", "codes"],
)
def test_values_that_are_no_names(column):
    assert named(column) is None


def test_of_several_the_one_that_says_most():
    assert named(text("Name"), text("Company"), text("Legal name"), text("Account name")) == "Account name"
    assert named(text("Name"), text("Company"), text("Legal name")) == "Company"
    assert named(text("Legal name"), text("Name")) == "Name"
    # where nothing decides, the first is proposed as a guess that names the other
    file = FileFacts("accounts", {}, 100, (KEY, text("Company name"), text("Organisation name")))
    guess = account_name(file, Link(KEY, master=True), [])
    assert (guess.written, guess.word) == ("Company name", "guess")
    assert "or Organisation name" in guess.why


@pytest.mark.parametrize("sign", ["Surname", "Vorname", "CUST_LAST_NAME", "date_of_birth", "gender", "DNI"])
def test_in_a_list_of_persons_a_name_is_that_of_a_person(sign):
    beside = text(sign, 2 if sign == "gender" else 100)
    assert named(text("Name"), beside) is None
    assert named(text("Customer name"), beside) is None
    assert named(text("Name"), text("Company"), beside) == "Company"


def test_accounts_that_the_file_and_its_key_call_by_another_word(tmp_path):
    rng = np.random.default_rng(1)
    n = 80
    codes = [f"{chr(65 + i % 26)}{700 + i}" for i in range(n)]
    opened = pd.Timestamp("2022-03-01") + pd.to_timedelta(rng.integers(0, 200, n), unit="D")
    boats = {
        "mooring_code": codes,
        "mooring_name": [f"Quay {i}" for i in range(n)],
        "skipper_name": [f"S{i}" for i in range(n)],
    }
    boats |= {"berth_type": rng.choice(["short", "long"], n), "moored_since": opened.strftime("%Y-%m-%d")}
    pd.DataFrame(boats).to_csv(tmp_path / "moorings.csv", index=False)
    trips = {"mooring_code": rng.choice(codes, 2000)}
    trips["departed"] = (pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 600, 2000), unit="D")).strftime(
        "%Y-%m-%d"
    )
    pd.DataFrame({**trips, "weather": rng.choice(["calm", "rough"], 2000)}).to_csv(tmp_path / "trips.csv", index=False)
    proposal = staypower.propose(tmp_path, output=tmp_path / "staypower.yaml")
    accounts = proposal.settings()["tables"]["accounts"]
    assert accounts["name"] == "mooring_name"
    assert "mooring_name" not in accounts["static"]
    assert "name: mooring_name" in proposal.yaml()
    assert "# sure: named like it, another text for each account" in proposal.yaml()
    tables = staypower.read_tables(tmp_path / "staypower.yaml")
    assert "Quay 7" in tables["accounts"].texts("name")


def test_a_snapshot_keeps_the_name_that_is_shown(tmp_path):
    n = 200
    rows = {"customer_id": [f"c{i}" for i in range(n)], "customer_name": [f"Shop {i}" for i in range(n)]}
    rows |= {"remark": [f"r {i}" for i in range(n)], "plan": ["a", "b"] * 100, "churned": ["yes", "no", "no", "no"] * 50}
    pd.DataFrame(rows).to_csv(tmp_path / "customers.csv", index=False)
    accounts = staypower.propose(tmp_path).settings()["tables"]["accounts"]
    assert accounts["name"] == "customer_name"
    assert accounts["leave_out"] == ["remark"]
