"""The mapping: what a value means, what is taken untold, and every problem of it."""

from __future__ import annotations

import pytest

from staypower.errors import UsageError
from staypower.sources.disk_writing import write_buckets
from staypower.sources.reading import read_tables
from staypower.sources.settings import TableSource

USAGE = "account_id,at,event,quantity,extra,Spaced Name\na,2024-01-01,open,2,z,7\nb,2024-01-02,close,3,y,8\n"


def read(tmp_path, table, text, *more, **given):
    (tmp_path / "t.csv").write_text(text)
    source = TableSource.model_validate({"source": "t.csv", **given})
    others = {"usage": [TableSource.model_validate({"source": "u.csv"})]} if table == "accounts" else {}
    (tmp_path / "u.csv").write_text(USAGE)
    tables, findings = read_tables({table: [source, *more], **others}, folder=tmp_path)
    return tables, findings


def column(tables, table, name):
    return tables[table].data.column(name).to_pylist()


def test_a_canonical_source_needs_no_mapping(tmp_path):
    tables, _ = read(tmp_path, "usage", USAGE)
    assert tables["usage"].data.column_names == ["account_id", "at", "event", "quantity"]


def test_what_a_mapped_value_means(tmp_path):
    given = {"quantity": "Spaced Name", "event": "upper(event)", "product": "'core'", "constant": {"user_id": 5}}
    tables, _ = read(tmp_path, "usage", USAGE, **given)
    assert column(tables, "usage", "quantity") == [7.0, 8.0]
    assert column(tables, "usage", "event") == ["OPEN", "CLOSE"]
    assert column(tables, "usage", "product") == ["core", "core"]
    assert column(tables, "usage", "user_id") == ["5", "5"]


def test_numbers_are_constants_and_where_filters(tmp_path):
    tables, _ = read(tmp_path, "usage", USAGE, quantity=1, where="quantity > 2")
    assert column(tables, "usage", "account_id") == ["b"]
    assert column(tables, "usage", "quantity") == [1.0]


def test_blank_words_are_missing(tmp_path):
    text = "account_id,at,event,quantity\na,2024-01-01,NA,-\nb,2024-01-02, ,1\n"
    tables, _ = read(tmp_path, "usage", text, blank=["NA", "-"])
    assert column(tables, "usage", "event") == [None, None]
    assert column(tables, "usage", "quantity") == [None, 1.0]


def test_a_date_is_a_constant_time(tmp_path):
    tables, _ = read(tmp_path, "usage", USAGE, known_at="2024-02-01")
    assert str(column(tables, "usage", "known_at")[0]) == "2024-02-01 00:00:00+00:00"
    assert "known_at" in tables["usage"].date_only


def test_vocabulary_wins_over_columns_for_surveys_only(tmp_path):
    text = "account_id,answered_at,nps\na,2024-01-01,9\n"
    tables, _ = read(tmp_path, "surveys", text, value="nps", instrument="NPS", scale="0-10")
    assert column(tables, "surveys", "instrument") == ["nps"]
    assert column(tables, "surveys", "value") == [9.0]


@pytest.mark.parametrize(
    ("table", "given", "said"),
    [
        ("usage", {"evnt": "extra"}, "write `event`"),
        ("usage", {"wher": "quantity > 1"}, "write `where`"),
        ("usage", {"event": "extr"}, "no column `extr`"),
        ("usage", {"event": "extr"}, "write `extra`"),
        ("usage", {"fixed": ["priority"]}, "unknown column: tables.usage.fixed: priority"),
        ("usage", {"static": ["event"]}, "belongs to accounts only"),
        ("usage", {"columns": {"event": "text"}}, "the column has its kind already"),
        ("usage", {"columns": {"seats_used": "number"}}, "no such column"),
        ("usage", {"seats_used": "quantity"}, "`columns: {seats_used: number}`"),
        ("usage", {"time": "at"}, "belongs to a declared table"),
        ("usage", {"where": "upper(event)"}, "`where` is not true or false"),
        ("usage", {"at": "quantity * 2"}, "is a number, and `at` takes a time"),
        ("usage", {"quantity": "at::timestamp"}, "is a time, and `quantity` takes a number"),
        ("usage", {"key_via": "subscription"}, "write `subscriptions`"),
        ("usage", {"key_via": "subscriptions"}, "the table is not given"),
        ("accounts", {"signedup_at": "at"}, "write `signed_up_at`"),
        ("accounts", {"static": ["extr"]}, "write `extra`"),
        ("accounts", {"static": "all", "leave_out": ["extr"]}, "write `extra`"),
        ("accounts", {"derive_from": "order"}, "no such table"),
        ("usages", {}, "write `usage`"),
        ("visits", {"columns": {"depth": "number"}}, "no such column"),
    ],
)
def test_problems_of_the_mapping(tmp_path, table, given, said):
    with pytest.raises(UsageError) as caught:
        read(tmp_path, table, USAGE, **given)
    assert said in str(caught.value)


def test_what_must_be_mapped(tmp_path):
    with pytest.raises(UsageError) as caught:
        read(tmp_path, "usage", "customer,day\na,2024-01-01\n")
    said = str(caught.value)
    assert "`account_id` is not mapped" in said
    assert "`at` is not mapped" in said
    assert "the source has `customer`, `day`" in said


def test_all_problems_of_all_sources_come_at_once(tmp_path):
    (tmp_path / "a.csv").write_text("account_id,at,quantity\na,soon,many\n")
    sources = {
        "usage": [TableSource.model_validate({"source": "a.csv"})],
        "orders": [TableSource.model_validate({"source": "missing.csv"})],
        "tickets": [TableSource.model_validate({"source": "a.csv", "opened": "at", "chanel": "x"})],
    }
    with pytest.raises(UsageError) as caught:
        read_tables(sources, folder=tmp_path)
    assert len(caught.value.problems) >= 5
    said = str(caught.value)
    for part in ("'soon'", "'many'", "missing.csv", "opened", "write `channel`"):
        assert part in said


ACCOUNTS = (
    "account_id,signed_up_at,segment,seats,zip,score,label\na,2024-01-01,smb,3,00501,1.5,yes\nb,2024-01-02,ent,4,10001,,no\n"
)


def test_only_static_attributes_are_usable(tmp_path):
    tables, findings = read(tmp_path, "accounts", ACCOUNTS, static=["zip", "segment"], note="label")
    accounts = tables["accounts"]
    assert accounts.fixed == {"zip", "segment"}
    assert {"seats", "note"} < set(accounts.data.column_names)
    assert "score" not in accounts.data.column_names
    left = {found.column for found in findings if found.table == "accounts" and "may change" in found.problem}
    assert left == {"seats", "note"}
    unread = next(found for found in findings if "not read" in found.problem)
    assert unread.examples == ("score",)


def test_static_all_takes_every_column_but_those_left_out(tmp_path):
    tables, _ = read(tmp_path, "accounts", ACCOUNTS, static="all", leave_out=["label"], size="seats")
    accounts = tables["accounts"]
    assert accounts.fixed == {"segment", "zip", "score", "size"}
    assert accounts.data.schema.field("size").type == "double"
    assert column(tables, "accounts", "zip") == ["00501", "10001"]  # a leading zero belongs to a code
    assert column(tables, "accounts", "score") == [1.5, None]


def test_row_numbers_and_indexes_are_no_attributes(tmp_path):
    text = "Unnamed: 0,account_id,__index_level_0__,index,price_index,RowNumber\n0,a,0,0,1.5,1\n1,b,1,1,2.5,2\n"
    tables, findings = read(tmp_path, "accounts", text, static="all")
    assert tables["accounts"].fixed == {"price_index"}
    found = next(finding for finding in findings if "technical column" in finding.problem)
    assert found.examples == ("Unnamed: 0", "__index_level_0__", "index", "RowNumber")
    assert "left out" in found.meaning
    assert not [finding for finding in findings if "not read" in finding.problem]
    # nor when they are named
    assert read(tmp_path, "accounts", text, static=["index", "price_index"])[0]["accounts"].fixed == {"price_index"}


def test_with_valid_from_every_attribute_is_usable(tmp_path):
    text = "account_id,valid_from,plan\na,2024-01-01,x\na,2024-02-01,y\n"
    tables, _ = read(tmp_path, "accounts", text)
    assert tables["accounts"].fixed == {"plan"}
    assert len(tables["accounts"]) == 2


def test_a_declared_table(tmp_path):
    text = "who,day,depth,page,code\na,2024-01-01,3,x,01\nb,2024-01-02,4.5,y,02\n"
    given = {"account_id": "who", "at": "day", "depth": "depth", "page": "page", "code": "code"}
    tables, _ = read(tmp_path, "visits", text, **given)
    visits = tables["visits"]
    assert {c.name: c.kind for c in visits.schema.columns} == {"at": "time", "depth": "number", "page": "text", "code": "text"}
    assert visits.own_instants().tolist() == visits.instants("at").tolist()
    given = {"account_id": "who", "time": "seen", "seen": "day", "columns": {"code": "number", "page": "id"}}
    tables, _ = read(tmp_path, "visits", text, **given)
    assert tables["visits"].schema.times == ("seen",)
    assert column(tables, "visits", "code") == [1.0, 2.0]


@pytest.mark.parametrize("name", ["land", "status", "state", "type", "form"])
def test_an_attribute_may_be_called_nearly_as_a_key(tmp_path, name):
    text = f"account_id,{name.title()}\na,x\nb,y\n"
    tables, _ = read(tmp_path, "accounts", text, static=[name], **{name: name.title()})
    assert column(tables, "accounts", name) == ["x", "y"]


@pytest.mark.parametrize(("name", "value"), [("signed_up_att", "Day"), ("wher", "Day is not null"), ("delimter", ";")])
def test_a_slip_of_the_pen_is_no_attribute(tmp_path, name, value):
    with pytest.raises(UsageError, match=f"unknown column: tables.accounts.{name}. Fix: write"):
        read(tmp_path, "accounts", "account_id,Day\na,2024-01-01\n", **{name: value})


@pytest.mark.parametrize("written", ["Kunden-Nmr", "Kunden Nr", "Kunden_Nr"])
def test_a_name_that_parses_as_an_expression_is_still_a_name(tmp_path, written):
    with pytest.raises(UsageError) as caught:
        read(tmp_path, "usage", "Kunden-Nr,at,MRR (€)\na,2024-01-01,1\n", account_id=written, quantity="MRR (EUR)")
    assert "Fix: write `Kunden-Nr`" in str(caught.value)
    assert "'MRR (EUR)'. Fix: write `MRR (€)`." in str(caught.value)


def test_values_are_looked_at_beside_a_column_that_is_not_there(tmp_path):
    (tmp_path / "desk.csv").write_text("who,when,kind\na,1/2/24,x\nb,3/14/24,y\n")
    ticket = {"source": "desk.csv", "account_id": "who", "opened_at": "when", "priority": "prio"}
    for where, said in ((None, 2), ("kind = 'x'", 2), ("kinds = 'x'", 2)):
        source = TableSource.model_validate({**ticket, **({"where": where} if where else {})})
        with pytest.raises(UsageError) as caught:
            read_tables({"tickets": [source]}, folder=tmp_path)
        problems = [problem.problem for problem in caught.value.problems]
        assert len(problems) == said, problems
        # without the filter no value can be called wrong
        assert any("not times" in problem for problem in problems) == (where != "kinds = 'x'")
        with pytest.raises(UsageError) as in_buckets:
            write_buckets({"tickets": [source]}, folder=tmp_path, into=tmp_path / "into", buckets=2, memory=500_000_000)
        assert str(in_buckets.value) == str(caught.value)
