"""Expressions: what they yield on real values, and what is refused."""

from __future__ import annotations

import datetime as dt

import duckdb
import pytest

from staypower.errors import UsageError
from staypower.sources.expressions import compile_expression
from staypower.sources.values import Value, quoted_name

COLUMNS = {
    "text": Value('"text"', "text"),
    "amount": Value('"amount"', "text"),
    "minutes": Value('"minutes"', "text"),
    "created": Value('"created"', "text"),
    "two words": Value('"two words"', "text"),
    "n": Value('"n"', "number", whole=True),
    "x": Value('"x"', "number"),
    "at": Value('"at"', "time"),
    "ok": Value('"ok"', "flag"),
    "things": Value('"things"', "other"),
}
ROW = (
    "SELECT 'abc' AS text, '2.5' AS amount, '90' AS minutes, '2024-01-31 10:00' AS created, 'tw' AS \"two words\", "
    "7 AS n, 0.5::DOUBLE AS x, TIMESTAMPTZ '2024-02-01 00:30:00+00' AS at, TRUE AS ok"
)


def value_of(text: str, *, decimal: str = "."):
    compiled = compile_expression(text, COLUMNS, "tables.usage.at", decimal=decimal)
    connection = duckdb.connect()
    try:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.sql(f"SELECT {compiled.value.sql} AS v FROM ({ROW})").to_arrow_table().column("v")[0].as_py()
    finally:
        connection.close()
    return found.astimezone(dt.UTC).replace(tzinfo=None) if isinstance(found, dt.datetime) else found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("amount * 2", 5.0),
        ("n / 2", 3.5),
        ("-n", -7.0),
        ("n % 4", 3.0),
        ("amount + x", 3.0),
        ("created + to_minutes(minutes)", dt.datetime(2024, 1, 31, 11, 30)),
        ("created + to_minutes(0.5)", dt.datetime(2024, 1, 31, 10, 0, 30)),
        ("created - interval '2 hours'", dt.datetime(2024, 1, 31, 8)),
        ("created + to_days(1)", dt.datetime(2024, 2, 1, 10)),
        ("created + to_weeks(1)", dt.datetime(2024, 2, 7, 10)),
        ("created + to_months(1)", dt.datetime(2024, 2, 29, 10)),
        ("created + to_years(1)", dt.datetime(2025, 1, 31, 10)),
        ("created + to_hours(n)", dt.datetime(2024, 1, 31, 17)),
        ("created + to_seconds(minutes)", dt.datetime(2024, 1, 31, 10, 1, 30)),
        ("at > created", True),
        ("at - created > interval '10 hours'", True),
        ("parse_time('31/01/2024', '%d/%m/%Y')", dt.datetime(2024, 1, 31)),
        ("strptime('20240131', '%Y%m%d')", dt.datetime(2024, 1, 31)),
        ("to_timestamp(86400)", dt.datetime(1970, 1, 2)),
        ("epoch_ms(86400000)", dt.datetime(1970, 1, 2)),
        ("date_trunc('month', at)", dt.datetime(2024, 2, 1)),
        ("at::date", dt.datetime(2024, 2, 1)),
        ("case when n > 5 then 'many' else 'few' end", "many"),
        ("case text when 'abc' then 1 else 0 end", 1.0),
        ("if(ok, 'a', 'b')", "a"),
        ("coalesce(null, amount, 0)", 2.5),
        ("nullif(text, 'abc')", None),
        ("nullif(text, 'x')", "abc"),
        ("amount > '10'", False),  # a number beside a constant number, though as texts '2.5' > '10'
        ("amount between 2 and 3", True),
        ("text in ('abc', 'd')", True),
        ("n in (1, 2)", False),
        ("text like 'a%'", True),
        ("text not like 'a%'", False),
        ("text is not null and not ok", False),
        ("ok is true or false", True),
        ("try_cast(text as double)", None),
        ("amount::int", 2),
        ("cast(n as varchar)", "7"),
        ("upper(text) || '-' || n", "ABC-7"),
        ("concat(text, x)", "abc0.5"),
        ("left(text, 1)", "a"),
        ("right(text, 1)", "c"),
        ("substr(text, 2, 1)", "b"),
        ("length(trim('  x '))", 1),
        ("replace(text, 'b', '')", "ac"),
        ("starts_with(text, 'ab')", True),
        ("contains(text, 'z')", False),
        ("round(amount)", 3.0),
        ("round(1.256, 2)", 1.26),
        ("floor(amount) + ceil(amount) + abs(-1)", 6.0),
        ("least(n, 3)", 3.0),
        ("greatest(amount, 3)", 3.0),
        ("TEXT", "abc"),
        ('"two words"', "tw"),
        ("'it''s'", "it's"),
    ],
)
def test_expression_yields(text, expected):
    assert value_of(text) == expected


def test_decimal_comma_is_read():
    columns = {"betrag": Value("'1.234,50'", "text")}
    sql = compile_expression("betrag * 2", columns, "p", decimal=",").value.sql
    assert duckdb.sql(f"SELECT {sql}").fetchall() == [(2469.0,)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("(select 1)", "subquery"),
        ("n in (select 1)", "is not allowed"),
        ("exists(select 1)", "exists"),
        ("read_text('/etc/passwd')", "`read_text`"),
        ("getenv('HOME')", "`getenv`"),
        ("now()", "not allowed"),
        ("current_date", "not allowed"),
        ("random()", "not allowed"),
        ("count(*)", "`count`"),
        ("row_number() over ()", "window"),
        ("$1", "placeholder"),
        ("?", "placeholder"),
        ("*", "not allowed"),
        ("amount; drop table x", "ne"),
        ("select 1", "neither"),
        ("drop table x", "neither"),
        ("text collate nocase", "collate"),
        ("[1, 2]", "array"),
        ("{'a': 1}", "struct"),
        ("amount[1]", "bracket"),
        ("x -> x + 1", "not allowed"),
        ("text ~ 'a'", "not allowed"),
        ("other.text", "not allowed"),
        ("trim(both ' ' from text)", "not allowed"),
        ("cast(text as int[])", "not allowed"),
        ("cast(text as blob)", "not allowed"),
        ("things", "lists"),
        ("text < amount", "compared by size"),
        ("at + 1", "a time is given where a number is needed"),
        ("at = 1", "do not go together"),
        ("parse_time(text, amount)", "constant"),
        ("date_trunc('eon', at)", "does not know"),
        ("amonut * 2", "no column `amonut`"),
        ("text like", "neither"),
        ("", "neither"),
        ("(" * 1900 + "n" + ")" * 1900, "nested"),
        ("(" * 80 + "n" + ")" * 80, "nested"),
        ("n" * 5000, "longer"),
    ],
)
def test_expression_is_refused(text, said):
    with pytest.raises(UsageError) as caught:
        compile_expression(text, COLUMNS, "tables.usage.at")
    assert said in str(caught.value)
    assert "tables.usage.at" in str(caught.value)


def test_misspelt_column_names_the_nearest():
    with pytest.raises(UsageError, match="write `amount`"):
        compile_expression("amonut * 2", COLUMNS, "p")


def test_used_columns_are_told():
    assert compile_expression("amount * n + 1", COLUMNS, "p").used == {"amount", "n"}


def test_hostile_names_stay_names():
    name = 'a"; DROP TABLE t; --'
    sql = compile_expression('"a""; DROP TABLE t; --"', {name: Value(quoted_name(name), "text")}, "p").value.sql
    assert sql == '"a""; DROP TABLE t; --"'


@pytest.mark.parametrize("text", ["a{:1}", "a{:}", "[n{:1}]", "a{:'x'}", "n + a{:1,2}"])
def test_what_the_parser_itself_stumbles_over_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="neither a source column nor an expression"):
        compile_expression(text, COLUMNS, "tables.usage.at")
