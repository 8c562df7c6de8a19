"""What `check` says of rows and words that can be read in two ways; every fix that it names is tried."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from staypower.config.loading import load_config
from staypower.errors import UsageError
from staypower.pipelines.check import check
from staypower.sources.findings import Finding
from staypower.sources.reading import read_tables
from staypower.sources.settings import TableSource

DAYS = [(date(2024, 1, 1) + timedelta(days=n)).isoformat() for n in range(60)]
IDS = [f"a{n:02d}" for n in range(40)]
RNG = np.random.default_rng(0)


def roll_up(column: str = "quantity", zeros: float = 0.4, blanks: int = 0) -> pd.DataFrame:
    """Return one row per account and day, many of them without use."""
    rows = pd.DataFrame([(account, day) for account in IDS for day in DAYS], columns=["account_id", "at"])
    rows[column] = np.where(RNG.random(len(rows)) < zeros, 0.0, 3.0)
    rows.loc[: blanks - 1, column] = np.nan
    return rows


def contracts(grace_days: int = 10, moved: int = 0) -> pd.DataFrame:
    """Return contracts: one in eight is followed by another, and some all move on one day."""
    rows = []
    for number, account in enumerate(IDS):
        if number < moved:
            rows += [(account, "2023-01-01", "2023-12-31"), (account, "2024-01-01", None)]
        elif number % 8 == 0:
            end = date(2023, 6, 1) + timedelta(days=number)
            rows += [(account, "2023-01-01", str(end)), (account, str(end + timedelta(days=grace_days)), None)]
        else:
            rows.append((account, "2023-01-01", None))
    return pd.DataFrame(rows, columns=["account_id", "started_at", "ended_at"])


def found(
    frames: Mapping[str, pd.DataFrame], tables: Mapping[str, Any] | None = None, label: Mapping[str, Any] | None = None
) -> list[Finding]:
    sources = {name: {"source": name, **(tables or {}).get(name, {})} for name in frames}
    default = {"kind": "contractual"} if "subscriptions" in frames else {"kind": "non_contractual", "table": "usage"}
    settings = load_config({"name": "x", "tables": sources, "label": {**default, **(label or {})}})
    return list(check(settings, frames).report.findings)


def saying(findings: list[Finding], words: str) -> Finding | None:
    return next((each for each in findings if words in each.problem), None)


@pytest.mark.parametrize(
    ("column", "mapping", "blanks"),
    [
        ("quantity", {}, 0),
        ("quantity", {}, 50),
        ("daily uses", {"quantity": "daily uses"}, 0),
        ("uses", {"quantity": "uses * 2", "where": "account_id <> 'a00'"}, 5),
    ],
)
def test_rows_without_use_are_named_and_the_where_that_fits_leaves_them_out(column, mapping, blanks):
    frames = {"usage": roll_up(column, blanks=blanks)}
    mapped = {"usage": {"account_id": "account_id", "at": "at", **mapping}} if mapping else {}

    finding = saying(found(frames, mapped), "have a quantity of 0")

    assert finding is not None
    assert finding.severity == "warning"
    rows = frames["usage"] if "where" not in mapping else frames["usage"].query("account_id != 'a00'")
    zeros = int((rows[column] == 0).sum())
    assert finding.rows == zeros
    assert finding.problem.startswith(f"{100 * zeros / len(rows):.1f}%")
    rule = re.search(r"`where: (.*?)` in `tables.usage`", finding.fix)
    assert rule is not None
    assert f"{len(rows) - zeros:,} of {len(rows):,} rows are left" in finding.fix
    fixed = {"usage": {**mapped.get("usage", {}), "where": rule.group(1)}}
    again = found(frames, fixed)
    assert saying(again, "have a quantity of 0") is None
    assert saying(again, "a row on every day") is None


def test_two_sources_get_a_where_each():
    usage = [{"source": "usage", "quantity": "a"}, {"source": "more", "quantity": "b"}]
    frames = {"usage": roll_up("a"), "more": roll_up("b")}
    settings = {"name": "x", "label": {"kind": "non_contractual", "table": "usage"}}

    finding = saying(
        list(check(load_config({**settings, "tables": {"usage": usage}}), frames).report.findings), "quantity of 0"
    )

    assert finding is not None
    rules = re.findall(r"`where: (.*?)` in `tables.usage\[\d\]`", finding.fix)
    assert rules == ["a <> 0", "b <> 0"]
    fixed = [{**source, "where": rule} for source, rule in zip(usage, rules, strict=True)]
    again = list(check(load_config({**settings, "tables": {"usage": fixed}}), frames).report.findings)
    assert saying(again, "quantity of 0") is None


def test_a_row_on_every_day_is_named_where_the_use_is_not_mapped():
    frame = roll_up("uses")
    bare = {"usage": {"account_id": "account_id", "at": "at"}}

    finding = saying(found({"usage": frame.drop(columns="uses")}, bare), "a row on every day")

    assert finding is not None
    assert (finding.severity, finding.problem) == ("warning", "100.0% of the accounts have a row on every day")
    assert "map the column that counts the use as `quantity`" in finding.fix
    mapped = found({"usage": frame}, {"usage": {**bare["usage"], "quantity": "uses"}})
    assert saying(mapped, "have a quantity of 0") is not None, "the fix: then the `where` is named"


def test_a_table_of_ones_own_with_a_row_on_every_day_is_named_too():
    frames = {"usage": roll_up(zeros=0).query("at > '2024-02-01'"), "calls": roll_up("spoken")}
    tables = {"calls": {"time": "at", "at": "at", "spoken": "spoken", "account_id": "account_id"}}

    finding = saying([each for each in found(frames, tables) if each.table == "calls"], "a row on every day")

    assert finding is not None
    assert "`where: COLUMN > 0`" in finding.fix
    tables["calls"]["where"] = "spoken > 0"
    assert saying([each for each in found(frames, tables) if each.table == "calls"], "a row on every day") is None


def test_use_on_some_days_and_use_on_all_days_are_no_roll_up():
    some = roll_up().query("quantity > 0").drop(columns="quantity")
    every = roll_up(zeros=0.0)

    assert saying(found({"usage": some}), "a row on every day") is None
    finding = saying(found({"usage": every}), "a row on every day")
    assert finding is not None
    assert finding.severity == "note"


def test_ends_that_a_new_start_undoes_are_counted_and_the_grace_decides():
    frames = {"subscriptions": contracts(grace_days=10), "usage": roll_up(zeros=0)}

    finding = saying(found(frames), "followed by a new start")

    assert finding is not None
    assert (finding.rows, finding.severity) == (5, "note")
    assert "within the grace of 30 days" in finding.problem
    assert saying(found(frames, label={"grace": 9}), "followed by a new start") is None, "the fix: a shorter grace"
    assert saying(found(frames), "a migration") is None


def test_many_ends_on_one_day_are_a_migration_and_joining_the_rows_ends_it():
    rows = contracts(moved=25)

    finding = saying(found({"subscriptions": rows, "usage": roll_up(zeros=0)}), "a migration")

    assert finding is not None
    assert (finding.rows, finding.severity) == (25, "warning")
    assert "on 2023-12-31" in finding.problem
    joined = rows.groupby("account_id", as_index=False).agg(started_at=("started_at", "min"), ended_at=("ended_at", "last"))
    joined["ended_at"] = None
    assert saying(found({"subscriptions": joined, "usage": roll_up(zeros=0)}), "a migration") is None


def test_an_account_that_has_another_contract_has_no_end_to_undo():
    rows = pd.DataFrame(
        {
            "account_id": ["a00", "a00", "a00"],
            "started_at": ["2023-01-01", "2023-01-01", "2023-07-01"],
            "ended_at": ["2023-06-30", None, None],
        }
    )

    assert saying(found({"subscriptions": rows, "usage": roll_up(zeros=0)}), "followed by a new start") is None


def accounts(**columns: Any) -> dict[str, pd.DataFrame]:
    return {"accounts": pd.DataFrame({"account_id": IDS, **columns}), "usage": roll_up(zeros=0)}


@pytest.mark.parametrize(
    "words",
    [
        ["$1,200", "$15"],
        ["1,200.50", "3,100"],
        ["€ 12", "-€ 7"],
        ["12 %", "7.5%"],
        ["1200", "1,300"],
        ["1.188,00 EUR", "9,50 EUR"],
    ],
)
def test_numbers_written_as_text_are_named_and_the_expression_makes_numbers(words):
    frames = accounts(plan_price=words * 20)

    finding = saying(found(frames, {"accounts": {"static": "all"}}), "numbers written as text")

    assert finding is not None
    assert (finding.place, finding.severity) == ("accounts.plan_price", "warning")
    rule = re.fullmatch(r"write `plan_price: (.*)`", finding.fix)
    assert rule is not None
    mapped = {"accounts": {"static": "all", "plan_price": rule.group(1)}}
    again = found(frames, mapped)
    assert saying(again, "numbers written as text") is None
    assert not [each for each in again if each.severity == "error" and each.table.startswith("accounts")]


def test_words_are_no_numbers():
    frames = accounts(plan=["basic", "pro, yearly"] * 20, code=["A1,2", "B7"] * 20)

    assert saying(found(frames, {"accounts": {"static": "all"}}), "numbers written as text") is None


def test_numbers_with_a_dot_among_decimal_commas_are_named_however_few(tmp_path):
    (tmp_path / "crm.csv").write_text("id;spent\n1;12.50\n2;99.90\n3;7.00\n")

    def spent(expression: str):
        crm = {"source": "crm.csv", "account_id": "id", "spent": expression, "static": ["spent"], "decimal": ","}
        return read_tables({"accounts": [TableSource.model_validate(crm)]}, folder=tmp_path, observed_until="2025-01-01")[0]

    with pytest.raises(UsageError, match="3 of 3 values") as refused:
        spent("spent")
    fix = re.search(r"write `([^`]+)`", refused.value.problems[0].fix)
    assert fix
    assert spent(fix[1])["accounts"].numbers("spent").tolist() == [12.5, 99.9, 7.0]


@pytest.mark.parametrize("static", ["all", ["town", "country", "plan", "seats"]])
def test_words_nearly_all_different_or_all_the_same_are_named_and_can_be_left_out(static):
    frames = accounts(
        town=[f"town {n}" for n in range(38)] + ["town 1", "town 2"],
        country=["US"] * 40,
        plan=["basic", "pro"] * 20,
        seats=list(range(40)),
    )
    tables = {"accounts": {"static": static}}
    if static != "all":
        tables["accounts"] |= {name: name for name in ("account_id", *static)}

    findings = found(frames, tables)

    different, same = saying(findings, "nearly all different"), saying(findings, "have the same value")
    assert different is not None
    assert same is not None
    assert (different.column, same.column) == ("town", "country")
    assert "38 in 40 accounts" in different.problem
    assert "100.0% of the accounts have the same value, `US`" in same.problem
    if static == "all":
        assert (different.fix, same.fix) == ("write `leave_out: [town]`", "write `leave_out: [country]`")
        fixed = {"accounts": {"static": "all", "leave_out": ["town", "country"]}}
    else:
        assert (different.fix, same.fix) == ("take `town` out of `static`", "take `country` out of `static`")
        fixed = {"accounts": {**tables["accounts"], "static": ["plan", "seats"]}}
    again = found(frames, fixed)
    assert saying(again, "nearly all different") is None
    assert saying(again, "have the same value") is None


@pytest.mark.parametrize(
    ("scale", "values", "fix"),
    [
        ("0-10", [1, 2, 3, 4, 5], "write `scale: 1-5` if that is what was asked, and `instrument: csat`"),
        ("0-10", [1, 5, 10], None),
        ("0-10", [0, 5, 7], "write `scale: 0-7`"),
        ("0-10", [0, 10], None),
        ("1-10", [2, 9], "write `scale: 2-9`"),
        ("0-10", [7], None),
    ],
)
def test_a_scale_whose_ends_no_answer_touches_is_questioned(scale, values, fix):
    asked = pd.DataFrame({"account_id": IDS[:30] * 2, "answered_at": "2024-02-01", "value": (values * 60)[:60]})
    mapped = {"accounts": {"static": "all"}, "surveys": {"instrument": "nps", "scale": scale}}
    finding = saying(found({**accounts(plan=["a"] * 40), "surveys": asked}, mapped), "on a scale")
    assert (finding is None) == (fix is None)
    assert finding is None or (fix in finding.fix and finding.severity == "warning")


def test_check_refuses_the_quantities_that_training_refuses(tmp_path):
    usage = roll_up().assign(quantity=1e300)
    finding = saying(found({"usage": usage}), "numbers too large to be summed exactly")
    assert finding is not None
    assert (finding.severity, finding.place) == ("error", "usage.quantity")
