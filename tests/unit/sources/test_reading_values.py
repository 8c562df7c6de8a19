"""Values: ids, times, numbers and flags, from the first byte to the canonical column."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from staypower.cutoffs import DAY, instant_of
from staypower.errors import UsageError
from staypower.sources.reading import read_tables
from staypower.sources.settings import TableSource


def read(tmp_path, text, table="usage", **given):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    source = TableSource.model_validate({"source": "t.csv", **given})
    tables, findings = read_tables({table: [source]}, folder=tmp_path)
    return tables[table], findings


def times(table, column="at"):
    return [value and value.isoformat() for value in table.data.column(column).to_pylist()]


def said(findings, column):
    return {found.problem: found.rows for found in findings if found.column == column}


def usage(*values):
    return "account_id,at\n" + "".join(f"a{i},{value}\n" for i, value in enumerate(values))


def test_iso_times_with_and_without_zones(tmp_path):
    table, findings = read(
        tmp_path,
        usage(
            "2023-07-28 3:00",
            "2023-07-28T03:00:00+02:00",
            "2023-07-28T03:00:00.5Z",
            "2023-07-28 03:00:00+0530",
            "2023/07/28 03:00:00",
        ),
    )
    assert times(table) == [
        "2023-07-28T03:00:00+00:00",
        "2023-07-28T01:00:00+00:00",
        "2023-07-28T03:00:00.500000+00:00",
        "2023-07-27T21:30:00+00:00",
        "2023-07-28T03:00:00+00:00",
    ]
    assert table.date_only == frozenset()
    assert said(findings, "at")["times without a zone"] == 2


def test_dates_are_known_at_the_end_of_their_day(tmp_path):
    table, findings = read(tmp_path, usage("2023-07-28", "2023-07-29"))
    assert table.date_only == {"at"}
    assert table.instants("at")[0] == instant_of("2023-07-29") - 1
    assert "times without a zone" not in said(findings, "at")


def test_midnights_written_with_a_clock_are_dates(tmp_path):
    assert read(tmp_path, usage("2023-07-28 00:00:00", "2023-07-29T00:00:00Z"))[0].date_only == {"at"}


def test_a_date_among_clock_times_is_known_at_the_end_of_its_day(tmp_path):
    table, findings = read(tmp_path, usage("2023-07-28", "2023-07-29 00:00", "2023-07-29 10:00"))
    assert table.date_only == frozenset()
    assert table.instants("at").tolist() == [
        instant_of("2023-07-29") - 1,
        instant_of("2023-07-29"),
        instant_of("2023-07-29T10:00"),
    ]
    assert said(findings, "at")["dates without a clock among times with one"] == 1


def test_sources_that_differ_in_their_clock(tmp_path):
    (tmp_path / "days.csv").write_text(usage("2023-07-28"))
    (tmp_path / "clock.csv").write_text(usage("2023-07-28 12:00"))
    listed = [TableSource.model_validate({"source": name}) for name in ("days.csv", "clock.csv")]
    table = read_tables({"usage": listed}, folder=tmp_path)[0]["usage"]
    assert table.date_only == frozenset()
    assert table.instants("at").tolist() == [instant_of("2023-07-29") - 1, instant_of("2023-07-28T12:00")]


@pytest.mark.parametrize(
    ("values", "fix"),
    [
        (("28/07/2023", "01/02/2023"), "try_parse_time(at, '%d/%m/%Y')"),
        (("28.07.2023",), "try_parse_time(at, '%d.%m.%Y')"),
        (("2023-07-28 3:00 PM",), "%I:%M %p"),
        (("2023-07-28", "soon"), '`blank: ["soon"]`'),
        (("25-07-28",), "'25-07-28'"),  # year 25: a two-digit year is never guessed
        (("0001-01-01",), "no format reads '0001-01-01'"),
        (("infinity",), '`blank: ["infinity"]`'),
        (("now",), '`blank: ["now"]`'),
        (("2024-02-30",), "`try_cast(at as timestamp)`, which leaves them missing"),
    ],
)
def test_unreadable_times_are_refused_with_their_fix(tmp_path, values, fix):
    with pytest.raises(UsageError) as caught:
        read(tmp_path, usage("2024-01-01", *values))
    assert "tables.usage.at" in str(caught.value)
    assert repr(values[-1]) in str(caught.value) or repr(values[0]) in str(caught.value)
    assert fix in str(caught.value)


def test_the_fix_works(tmp_path):
    table, _ = read(tmp_path, usage("28/07/2023"), at="parse_time(at, '%d/%m/%Y')")
    assert times(table) == ["2023-07-28T00:00:00+00:00"]
    table, _ = read(tmp_path, usage("1690513200"), at="to_timestamp(at::bigint)")
    assert times(table) == ["2023-07-28T03:00:00+00:00"]


def test_an_expression_that_does_not_fit_a_value(tmp_path):
    with pytest.raises(UsageError) as caught:
        read(tmp_path, usage("28/07/2023", "2023-07-28"), at="parse_time(at, '%d/%m/%Y')")
    assert "tables.usage.at: parse_time(at, '%d/%m/%Y')" in str(caught.value)
    with pytest.raises(UsageError, match=r"tables.usage.where: at > 5"):
        read(tmp_path, usage("x"), where="at > 5")


def test_the_count_of_unreadable_values(tmp_path):
    text = "account_id,at,quantity\n" + "".join(f"a,2024-01-01,{'x' if i % 4 == 0 else i}\n" for i in range(100))
    with pytest.raises(UsageError, match=r"tables.usage.quantity: 25 of 100 values, such as 'x'"):
        read(tmp_path, text)


def test_ids_stay_text(tmp_path):
    table, _ = read(
        tmp_path, "account_id,at,user_id\n007,2024-01-01,12345678901234567890\n1e5,2024-01-01,0x1F\nnan,2024-01-01, u \n"
    )
    assert table.data.column("account_id").to_pylist() == ["007", "1e5", "nan"]
    assert table.data.column("user_id").to_pylist() == ["12345678901234567890", "0x1F", " u "]


def test_ids_that_were_written_as_fractions(tmp_path):
    table, findings = read(tmp_path, "account_id,at\n17850.0,2024-01-01\n13047.0,2024-01-01\n")
    assert table.data.column("account_id").to_pylist() == ["17850", "13047"]
    assert said(findings, "account_id") == {"ids written as fractions (17850.0)": 2}
    table, _ = read(tmp_path, "account_id,at\n1.0,2024-01-01\n1.5,2024-01-01\n")
    assert table.data.column("account_id").to_pylist() == ["1.0", "1.5"]


def test_long_ids_held_as_fractions_are_named(tmp_path):
    rows = pd.DataFrame({"account_id": [1.2345678901234567e17, None], "at": ["2024-01-01", "2024-01-01"]})
    source = TableSource.model_validate({"source": "rows"})
    _, findings = read_tables({"usage": [source]}, folder=tmp_path, objects={"rows": rows})
    assert said(findings, "account_id")["long ids held as fractions"] == 1


def test_numbers_that_are_not_finite_or_too_small_are_missing(tmp_path):
    text = "account_id,started_at,mrr,seats\na,2024-01-01,nan,-3\nb,2024-01-01,inf,2\nc,2024-01-01,-5,\nd,2024-01-01,0,1e400\n"
    table, findings = read(tmp_path, text, table="subscriptions")
    assert table.data.column("mrr").to_pylist() == [None, None, None, 0.0]
    assert table.data.column("seats").to_pylist() == [None, 2.0, None, None]
    assert said(findings, "mrr") == {"numbers that are not finite": 2, "numbers below 0, which are not valid here": 1}
    assert said(findings, "seats") == {"numbers that are not finite": 1, "numbers below 0, which are not valid here": 1}


def test_decimal_comma(tmp_path):
    text = "account_id;at;amount\na;2024-01-01;1.234,50\nb;2024-01-01;7,5\n"
    table, _ = read(tmp_path, text, table="orders", delimiter=";", decimal=",")
    assert table.data.column("amount").to_pylist() == [1234.5, 7.5]


def test_flags_in_every_way_of_writing(tmp_path):
    words = ["TRUE", "false", "Yes", "n", "1", "0", "T", "f", ""]
    text = "account_id,at,cancelled\n" + "".join(f"a,2024-01-01,{word}\n" for word in words)
    table, _ = read(tmp_path, text, table="orders")
    assert table.data.column("cancelled").to_pylist() == [True, False, True, False, True, False, True, False, None]
    with pytest.raises(UsageError, match=r"2 of 2 values, such as .*write a comparison"):
        read(tmp_path, "account_id,at,cancelled\na,2024-01-01,maybe\nb,2024-01-01,2\n", table="orders")


def test_blank_cells_of_any_kind_are_missing(tmp_path):
    table, _ = read(tmp_path, 'account_id,at,event,quantity\na,2024-01-01,  ,\t\nb,2024-01-01,\u00a0,""\n')
    assert table.data.column("event").to_pylist() == [None, None]
    assert table.data.column("quantity").to_pylist() == [None, None]


def test_typed_times(tmp_path):
    rows = pd.DataFrame(
        {
            "account_id": ["a", "b"],
            "opened_at": [dt.date(2024, 1, 1), dt.date(2024, 1, 2)],
            "resolved_at": pd.to_datetime(["2024-01-03 10:00", None]),
            "first_response_at": pd.to_datetime(["2024-01-02 10:00", None]).tz_localize("Europe/Berlin"),
        }
    )
    source = TableSource.model_validate({"source": "rows"})
    tables, findings = read_tables({"tickets": [source]}, folder=tmp_path, objects={"rows": rows})
    assert tables["tickets"].date_only == {"opened_at"}
    assert times(tables["tickets"], "first_response_at") == ["2024-01-02T09:00:00+00:00", None]
    assert said(findings, "resolved_at") == {"times without a zone": 1}
    assert "times without a zone" not in said(findings, "first_response_at")


def test_observed_until_is_told_or_the_latest_event(tmp_path):
    def until(text, **given):
        (tmp_path / "t.csv").write_text(text)
        source = TableSource.model_validate({"source": "t.csv"})
        return read_tables({"usage": [source]}, folder=tmp_path, **given)[0]

    assert until(usage("2024-01-01", "2024-01-05")).observed_until == instant_of("2024-01-06")
    assert until(usage("2024-01-05 10:00")).observed_until == instant_of("2024-01-05T10:00") + 1
    assert until(usage("2024-01-05"), observed_until="2024-02-01").observed_until == instant_of("2024-02-02")
    assert until(usage("2024-01-05"), observed_until=dt.date(2024, 2, 1)).observed_until == instant_of("2024-02-02")
    assert until(usage("2024-01-05"), observed_until=dt.datetime(2024, 2, 1)).observed_until == instant_of("2024-02-01")
    late = until(usage("2024-01-05", "2031-01-01"), as_of="2024-01-10")
    assert late.observed_until == instant_of("2024-01-06")
    assert len(late["usage"]) == 1
    told = {"observed_until": "2024-02-01"}
    assert until(usage("2024-01-05", "2024-01-20"), as_of="2024-01-10", **told).observed_until == instant_of("2024-01-11")
    assert until(usage("2024-01-05"), as_of="2031-01-10", **told).observed_until == instant_of("2024-02-02")
    arrival = "account_id,at,known_at\na,2024-01-05,2024-01-05 09:00\nb,2031-01-01,2024-01-06 09:00\n"
    assert until(arrival).observed_until == instant_of("2024-01-06")


def test_the_machines_clock_is_never_asked(tmp_path):
    (tmp_path / "t.csv").write_text("account_id,plan\na,x\n")
    source = TableSource.model_validate({"source": "t.csv", "static": "all"})
    with pytest.raises(UsageError, match="observed_until: 2025-12-31"):
        read_tables({"accounts": [source]}, folder=tmp_path)
    tables, _ = read_tables({"accounts": [source]}, folder=tmp_path, observed_until="2024-01-01")
    assert tables.observed_until == instant_of("2024-01-01") + DAY
