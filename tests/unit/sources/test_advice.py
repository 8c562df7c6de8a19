"""Every fix that is printed was tried: pasted into the configuration, it reads the values."""

from __future__ import annotations

import datetime as dt
import re
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from staypower.cutoffs import instant_of
from staypower.errors import UsageError
from staypower.sources.advice import written_name
from staypower.sources.disk_writing import write_buckets
from staypower.sources.reading import read_tables
from staypower.sources.settings import TableSource

DATES = [
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d.%m.%Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%Y.%m.%d",
]
CLOCKS = ["", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p"]


def read(values, column="happened", table="usage", target="at", **more):
    with tempfile.TemporaryDirectory() as folder:
        frame = pd.DataFrame({"account_id": [f"a{n}" for n in range(len(values))], column: values})
        frame.to_csv(Path(folder) / "t.csv", index=False)
        source = TableSource.model_validate({"source": "t.csv", target: written_name(column), **more})
        return read_tables({table: [source]}, folder=Path(folder))[0][table]


def fixes(values, **more):
    """Read what cannot be read, and return every expression and setting that the message offers."""
    with pytest.raises(UsageError) as caught:
        read(values, **more)
    offered = re.findall(r"`([^`]+)`", caught.value.problems[0].fix)
    assert offered, str(caught.value)
    return offered, str(caught.value)


def followed(values, offered, target="at", **more):
    """Read the values again as the message says."""
    blank = re.fullmatch(r"blank: \[(.*)\]", offered[0])
    if blank is None:
        return read(values, target=target, **{**more, target: offered[0]})
    words = [word.strip().strip('"') for word in blank[1].split(",")]
    return read(values, target=target, blank=words, **({target: offered[1]} if len(offered) > 1 else {}), **more)


moments = st.lists(st.datetimes(dt.datetime(2001, 1, 1), dt.datetime(2029, 12, 31)), min_size=2, max_size=8, unique=True)


@given(moments, st.sampled_from(DATES), st.sampled_from(CLOCKS), st.sampled_from(["happened", "when", "Date (UTC)", "order"]))
def test_a_printed_format_reads_every_value_as_it_was_meant(times, date, clock, column):
    values = [time.strftime(date + clock) for time in times]
    offered, message = fixes(values, column=column)
    meant = [dt.datetime.strptime(value, date + clock) for value in values]
    found = []
    for one in offered:
        table = read(values, column=column, at=one)
        day = table.date_only == {"at"}
        found.append([instant_of(time.date().isoformat()) if day else instant_of(time.isoformat()) for time in meant])
        found[-1] = (table.midnights("at") if day else table.instants("at")).tolist() == found[-1]
    assert any(found), message
    # only day and month may be doubtful, and then it is said
    assert len(offered) == 1 or "when the day comes first" in message


@given(st.lists(st.floats(0, 99_999_999), min_size=2, max_size=6), st.sampled_from(["$", "EUR ", " kr", " %"]), st.booleans())
def test_a_printed_expression_reads_money(amounts, sign, german):
    texts = [f"{amount:,.2f}" for amount in amounts]
    if german:
        texts = [text.translate(str.maketrans(",.", ".,")) for text in texts]
    values = [text + sign if sign.startswith(" ") else sign + text for text in texts]
    offered, message = fixes(values, table="orders", target="amount", column="cost", at="2024-01-01")
    table = followed(values, offered, table="orders", target="amount", column="cost", at="2024-01-01")
    assert table.numbers("amount").tolist() == pytest.approx([round(amount, 2) for amount in amounts]), message


@pytest.mark.parametrize(
    ("values", "first"),
    [
        ([1700000000, 1710000000], "to_timestamp"),
        ([1700000000123, 1710000000456], "epoch_ms"),
        ([1700000000123456, 1710000000123456], "to_timestamp"),
        ([45250, 45366], "cast('1899-12-30'"),
        ([20231114, 20240309], "parse_time"),
    ],
)
def test_numbers_that_count_time(values, first):
    offered, _ = fixes(values)
    assert offered[0].startswith(first)
    table = followed(values, offered)
    assert [pd.Timestamp(int(t), unit="us").year for t in table.instants("at")] == [2023, 2024]


def test_milliseconds_read_as_seconds_are_named():
    offered, _ = fixes([1700000000123, 1710000000456], at="to_timestamp(happened::bigint)")
    assert offered[0].startswith("epoch_ms")


def test_mixed_formats_are_read_each_by_its_own():
    values = ["31.12.2024 10:00", "12/31/2024 11:59:59 PM", "2024-12-31 23:59:59 -0500", "31-Dec-24", "Dec 31, 2024 11:59 PM"]
    offered, message = fixes(values)
    assert "formats are mixed" in message
    assert len(followed(values, offered)) == 5


def test_an_offset_after_a_blank_is_read_as_it_stands():
    assert read(["2024-12-31 23:59:59 -0500"]).instants("at").tolist() == [instant_of("2025-01-01T04:59:59")]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (["10 - Extremely likely", "0 - Not at all likely", "7"], [10.0, 0.0, 7.0]),
        (["Good", "Bad", "Unoffered", "Good with comment"], [1.0, 0.0, None, 1.0]),
        (["very satisfied", "neutral", "dissatisfied"], [5.0, 3.0, 2.0]),
        (["9", "n/a", "10"], [9.0, None, 10.0]),
        (["10 - Extremely likely", "3", "N/A"], [10.0, 3.0, None]),
    ],
)
def test_answers_in_words(values, wanted):
    more = {"column": "How likely are you to recommend us?", "table": "surveys", "target": "value"}
    more |= {"answered_at": "2024-01-01", "instrument": "nps"}
    offered, _ = fixes(values, scale="0-10", **more)
    table = followed(values, offered, scale="0-10", **more)
    found = table.data.column("value").to_pylist()
    assert [None if value is None else float(value) for value in found] == wanted


def test_a_decimal_comma_does_not_take_an_english_number():
    more = {"table": "orders", "target": "amount", "at": "2024-01-01"}
    for values in (["12.50", "99.90"], ["1,50", "12.50"]):
        offered, message = fixes(values, decimal=",", **more)
        assert "12.50" in message
    offered, _ = fixes(["12.50", "99.90"], decimal=",", **more)
    assert followed(["12.50", "99.90"], offered, decimal=",", **more).numbers("amount").tolist() == [12.5, 99.9]
    table = read(["1.234,50", "1.234.567", "7,5"], decimal=",", **more)
    assert table.numbers("amount").tolist() == [1234.5, 1234567.0, 7.5]


@pytest.mark.parametrize("words", [["12.50", "99.90", "7.00"], ["1,50", "12.50", None], ["-0.5", "1.234"]])
def test_an_attribute_with_decimal_points_is_refused_where_commas_are_declared(tmp_path, words):
    """Memory and disk; the fix makes numbers, and words may be kept as such."""
    file = tmp_path / "c.csv"
    pd.DataFrame({"account_id": list("abc")[: len(words)], "signed_up_at": "2024-01-01", "Umsatz": words}).to_csv(
        file, sep=";", index=False
    )

    def accounts(**more):
        source = TableSource.model_validate({"source": "c.csv", "decimal": ",", "static": ["Umsatz"], **more})
        tables, _ = read_tables({"accounts": [source]}, folder=tmp_path, observed_until="2025-01-01")
        return tables["accounts"]

    with pytest.raises(UsageError, match="not numbers with a decimal comma") as error:
        accounts()
    assert error.value.exit_code == 2
    bad = [word for word in words if word and not re.fullmatch(r"-?\d+(,\d+|\.\d{3})?", word)]
    assert f"{len(bad)} of {len(words)} values" in str(error.value)
    assert all(repr(word) in str(error.value) for word in bad)
    source = TableSource.model_validate({"source": "c.csv", "decimal": ",", "static": ["Umsatz"]})
    with pytest.raises(UsageError, match="not numbers with a decimal comma"):
        write_buckets({"accounts": [source]}, folder=tmp_path, into=tmp_path / "b", buckets=2, memory=10**9)
    (rule,) = re.findall(r"write `(.*)`, or", str(error.value))
    wanted = [float(word.replace(",", ".")) for word in words if word and word != "1.234"]
    found = [number for number in accounts(Umsatz=rule).numbers("Umsatz").tolist() if number == number]
    assert found[: len(wanted)] == wanted
    assert accounts(columns={"Umsatz": "text"}).texts("Umsatz")[0] == words[0]


def test_a_sign_that_few_values_have_is_seen():
    values = [f"{n},50" for n in range(900)] + ["1 023,45"]
    more = {"table": "orders", "target": "amount", "at": "2024-01-01", "decimal": ","}
    offered, message = fixes(values, **more)
    assert "replace" in message
    assert followed(values, offered, **more).numbers("amount").max() == 1023.45


def test_versions_and_codes_are_words_where_commas_are_declared(tmp_path):
    rows = {"account_id": ["a", "b"], "signed_up_at": "2024-01-01", "version": ["1.10.2", "2.5"], "code": ["01.5", "2.5"]}
    pd.DataFrame(rows).to_csv(tmp_path / "c.csv", sep=";", index=False)
    source = TableSource.model_validate({"source": "c.csv", "decimal": ",", "static": ["version", "code"]})
    tables, _ = read_tables({"accounts": [source]}, folder=tmp_path, observed_until="2025-01-01")
    assert tables["accounts"].texts("code").tolist() == ["01.5", "2.5"]


def test_ids_that_a_spreadsheet_cut_are_an_error_of_the_data():
    with pytest.raises(UsageError, match="a spreadsheet has cut the digits") as error:
        read(["2024-01-01", "2024-01-02"], account_id="'1.00E+14'")
    assert error.value.exit_code == 1
    # with something that cannot be read, the input is not usable
    with pytest.raises(UsageError, match="a spreadsheet has cut the digits") as error:
        read(["2024-01-01", "never"], account_id="'1.00E+14'")
    assert error.value.exit_code == 2


def test_amounts_in_several_currencies_are_not_added_up(tmp_path):
    rows = pd.DataFrame({"account_id": ["a", "b"], "at": ["2024-01-01"] * 2, "amount": [1.0, 2.0], "currency": ["eur", "usd"]})
    rows.to_csv(tmp_path / "t.csv", index=False)

    def amounts(**more):
        source = TableSource.model_validate({"source": "t.csv", **more})
        return read_tables({"orders": [source]}, folder=tmp_path)[0]["orders"].numbers("amount").tolist()

    with pytest.raises(UsageError, match="amounts in 2 currencies would be added up") as caught:
        amounts()
    offered = re.findall(r"`([^`]+)`", str(caught.value))
    assert amounts(where=offered[0].removeprefix("where: ")) == [1.0]
    assert amounts(amount=offered[1].replace("RATE", "0.5")) == [1.0, 1.0]


@pytest.mark.parametrize("buckets", [0, 3])
def test_an_answer_that_was_changed_counts_from_its_own_time_on(tmp_path, buckets):
    rows = {"survey_id": ["r1", "r1", "r1", "r2"], "account_id": ["a", "a", "a", "b"], "value": [10, 6, 10, 8]}
    rows["answered_at"] = ["2024-01-05", "2024-04-05", "2024-01-05", "2024-02-01"]
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    source = TableSource.model_validate({"source": "t.csv", "instrument": "nps", "scale": "0-10"})
    if buckets:
        tables = write_buckets({"surveys": [source]}, folder=tmp_path, into=tmp_path / "b", buckets=3, memory=10**9)[0]
        tables = tables.together()
    else:
        tables = read_tables({"surveys": [source]}, folder=tmp_path)[0]
    assert sorted(tables["surveys"].numbers("value").tolist()) == [6.0, 8.0, 10.0]
