"""The data rules: planted problems are dropped, made missing or kept, counted and named."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from staypower.errors import UsageError
from staypower.sources.findings import Finding
from staypower.sources.reading import read_tables
from staypower.sources.settings import TableSource
from staypower.tables import fingerprint


def read(tmp_path, files, **options):
    """Read tables given as name -> (CSV text, mapping)."""
    sources = {}
    for name, given in files.items():
        text, mapping = given if isinstance(given, tuple) else (given, {})
        (tmp_path / f"{name}.csv").write_text(text)
        sources[name] = [TableSource.model_validate({"source": f"{name}.csv", **mapping})]
    return read_tables(sources, folder=tmp_path, **options)


def found(findings, table, column, part) -> Finding:
    (one,) = [f for f in findings if f.table == table and f.column == column and part in f.problem]
    return one


def column(tables, table, name):
    return tables[table].data.column(name).to_pylist()


def test_blank_ids_and_rows_without_a_time_are_dropped(tmp_path):
    tables, findings = read(tmp_path, {"usage": "account_id,at\n,2024-01-01\n  ,2024-01-01\na,2024-01-01\nb,\n"})
    assert column(tables, "usage", "account_id") == ["a"]
    assert found(findings, "usage", "account_id", "blank ids").rows == 2
    assert found(findings, "usage", "at", "without a time").rows == 1


def test_exact_duplicates_without_an_id_are_kept_and_named(tmp_path):
    text = "account_id,at,event\n" + "a,2024-01-01,x\n" * 3 + "a,2024-01-01,y\n"
    tables, findings = read(tmp_path, {"usage": text})
    assert len(tables["usage"]) == 4
    assert found(findings, "usage", "", "repeat another").rows == 2


def test_the_first_known_row_of_an_id_is_kept(tmp_path):
    text = (
        "account_id,at,usage_id,event,known_at\n"
        "a,2024-01-03,u1,late,2024-01-03\n"
        "a,2024-01-01,u1,arrived late,2024-01-04\n"
        "b,2024-01-02,u1,first,2024-01-02\n"
        "a,2024-01-02,,one,2024-01-02\n"
        "a,2024-01-02,,two,2024-01-02\n"
        "a,2024-01-02,u2,three,2024-01-02\n"
        "a,2024-01-02,u2,same instant,2024-01-02\n"
    )
    tables, findings = read(tmp_path, {"usage": text})
    assert column(tables, "usage", "event") == ["first", "one", "two", "three"]
    finding = found(findings, "usage", "usage_id", "was there before")
    assert finding.rows == 3
    assert "1 of these ids appear under several accounts" in finding.meaning
    assert finding.examples == ("u1", "u2")


def test_subscriptions_with_versions_are_no_duplicates(tmp_path):
    text = (
        "account_id,subscription_id,started_at,valid_from,mrr\n"
        "a,s1,2024-01-01,2024-01-01,10\na,s1,2024-01-01,2024-03-01,20\na,s1,2024-01-01,2024-03-01,99\n"
        "a,s1,2024-01-01,2025-01-01,30\n"
    )
    tables, findings = read(tmp_path, {"subscriptions": text}, observed_until="2024-12-31")
    assert column(tables, "subscriptions", "mrr") == [10.0, 20.0]
    assert found(findings, "subscriptions", "subscription_id", "was there before").rows == 1
    assert found(findings, "subscriptions", "started_at", "dated after").rows == 1


def test_order_lines_share_an_order_id(tmp_path):
    tables, findings = read(tmp_path, {"orders": "account_id,at,order_id,product\na,2024-01-01,o1,x\na,2024-01-01,o1,y\n"})
    assert len(tables["orders"]) == 2
    assert not [f for f in findings if f.column == "order_id"]


def test_rows_before_sign_up_are_kept_and_named(tmp_path):
    accounts = "account_id,signed_up_at\na,2024-01-10\nb,\n"
    usage = "account_id,at\na,2024-01-09 23:59\na,2024-01-10 00:00\na,2024-01-10 12:00\nb,2020-01-01 08:00\n"
    tables, findings = read(tmp_path, {"accounts": accounts, "usage": usage})
    assert len(tables["usage"]) == 4
    assert found(findings, "usage", "at", "before the account signed up").rows == 1


def test_future_rows_are_taken_out(tmp_path):
    text = "account_id,at\na,2024-01-05\na,2024-01-06\na,2024-01-07\n"
    tables, findings = read(tmp_path, {"usage": text}, observed_until="2024-01-06")
    assert len(tables["usage"]) == 2
    assert found(findings, "usage", "at", "dated after 2024-01-06").rows == 1


def test_accounts_of_the_future_stay(tmp_path):
    files = {"accounts": "account_id,signed_up_at\na,2024-01-01\nb,2026-01-01\n", "usage": "account_id,at\na,2024-02-01\n"}
    tables, findings = read(tmp_path, files)
    assert tables.account_ids == ["a", "b"]
    assert found(findings, "accounts", "signed_up_at", "dated after").rows == 1


@pytest.mark.parametrize(
    ("table", "start", "end"),
    [
        ("tickets", "opened_at", "first_response_at"),
        ("tickets", "opened_at", "resolved_at"),
        ("tickets", "opened_at", "reopened_at"),
        ("subscriptions", "started_at", "ended_at"),
        ("payments", "at", "refunded_at"),
        ("orders", "at", "returned_at"),
        ("goals", "set_at", "met_at"),
        ("surveys", "sent_at", "answered_at"),
    ],
)
def test_negative_durations_lose_their_end(tmp_path, table, start, end):
    ends = ("2024-01-02 09:59", "2024-01-02 10:00", "")
    text = f"account_id,{start},{end}\n" + "".join(f"a,2024-01-02 10:00,{value}\n" for value in ends)
    tables, findings = read(tmp_path, {table: text})
    assert [value is None for value in column(tables, table, end)] == [True, False, True]
    assert found(findings, table, end, f"`{end}` before `{start}`").rows == 1


def test_a_date_on_the_same_day_is_not_negative(tmp_path):
    text = "account_id,opened_at,resolved_at\na,2024-01-02 10:00,2024-01-02\na,2024-01-02 10:00,2024-01-01\n"
    tables, findings = read(tmp_path, {"tickets": text})
    assert column(tables, "tickets", "resolved_at")[0] is not None
    assert found(findings, "tickets", "resolved_at", "before").rows == 1


def test_unknown_accounts_are_dropped(tmp_path):
    files = {"accounts": "account_id\na\nb\n", "usage": "account_id,at\n" + "a,2024-01-01\n" * 5 + "x,2024-01-01\n" * 2}
    tables, findings = read(tmp_path, files)
    assert len(tables["usage"]) == 5
    finding = found(findings, "usage", "account_id", "rows of 1 account not in `accounts`")
    assert (finding.rows, finding.severity, finding.examples) == (2, "warning", ("x",))


def test_mostly_unknown_accounts_are_an_error(tmp_path):
    files = {"accounts": "account_id\na\n", "usage": "account_id,at\nx,2024-01-01\ny,2024-01-01\na,2024-01-01\n"}
    assert found(read(tmp_path, files)[1], "usage", "account_id", "not in `accounts`").severity == "error"


def test_accounts_given_twice(tmp_path):
    files = {"accounts": ("account_id,plan\na,x\na,y\nb,z\n", {"static": ["plan"]}), "usage": "account_id,at\na,2024-01-01\n"}
    tables, findings = read(tmp_path, files)
    assert column(tables, "accounts", "plan") == ["x", "z"]
    assert found(findings, "accounts", "account_id", "given twice").rows == 1


def test_lookalike_ids_are_named_and_not_merged(tmp_path):
    files = {
        "accounts": "account_id\n007\nAcme\nother\n",
        "usage": "account_id,at\n7,2024-01-01\nacme,2024-01-01\n Acme,2024-01-01\nother,2024-01-01\n007,2024-01-01\n",
    }
    tables, findings = read(tmp_path, files)
    assert sorted(column(tables, "usage", "account_id")) == ["007", "other"]
    finding = found(findings, "usage", "account_id", "differ only in leading zeros")
    assert "5 ids" in finding.problem
    assert "'007'" in finding.examples


def test_accounts_without_lookalikes_are_silent(tmp_path):
    files = {"accounts": "account_id\n0\n00x\nb\n", "usage": "account_id,at\n0,2024-01-01\nb,2024-01-02\n"}
    assert not [f for f in read(tmp_path, files)[1] if "differ only" in f.problem]


def test_accounts_derived_from_one_table(tmp_path):
    (tmp_path / "orders.csv").write_text("account_id,at\nb,2024-02-01\na,2024-01-05\na,2024-01-03\n,2024-01-01\n")
    (tmp_path / "tickets.csv").write_text("account_id,opened_at\na,2024-01-01\nc,2024-01-01\n")
    sources = {
        "accounts": [TableSource(derive_from="orders")],
        "orders": [TableSource(source="orders.csv")],
        "tickets": [TableSource(source="tickets.csv")],
    }
    tables, _ = read_tables(sources, folder=tmp_path)
    accounts = tables["accounts"]
    assert accounts.derived
    assert accounts.date_only == {"signed_up_at"}
    assert [(row["account_id"], str(row["signed_up_at"])[:10]) for row in accounts.data.to_pylist()] == [
        ("a", "2024-01-03"),
        ("b", "2024-02-01"),
    ]


def test_accounts_derived_from_every_table(tmp_path):
    files = {"orders": "account_id,at\nb,2024-02-01 10:00\n", "tickets": "account_id,opened_at\na,2024-01-01\nb,2024-01-01\n"}
    tables, _ = read(tmp_path, files)
    rows = tables["accounts"].data.to_pylist()
    assert [(row["account_id"], str(row["signed_up_at"])[:19]) for row in rows] == [
        ("a", "2024-01-01 23:59:59"),
        ("b", "2024-01-01 23:59:59"),
    ]


def test_given_accounts_may_begin_with_their_first_row(tmp_path):
    files = {
        "accounts": ("account_id,segment\na,x\nc,y\n", {"static": ["segment"], "derive_from": "orders"}),
        "orders": "account_id,at\na,2024-01-05\na,2024-01-03\n",
    }
    accounts = read(tmp_path, files)[0]["accounts"]
    assert accounts.derived
    assert [str(value)[:10] for value in accounts.data.column("signed_up_at").to_pylist()] == ["2024-01-03", "None"]


def test_keys_through_subscriptions(tmp_path):
    files = {
        "subscriptions": "account_id,subscription_id,started_at\na,s1,2024-01-10\nb,s2,2024-01-01\n",
        "usage": (
            "subscription_id,at,event\ns1,2024-01-09,x\ns1,2024-01-10,y\ns2,2024-02-01,z\ns9,2024-02-01,z\n",
            {"key_via": "subscriptions"},
        ),
    }
    tables, findings = read(tmp_path, files)
    assert column(tables, "usage", "account_id") == ["a", "a", "b"]
    assert "subscription_id" not in tables["usage"].data.column_names
    lost = found(findings, "usage", "subscription_id", "is not in subscriptions")
    assert (lost.rows, lost.examples) == (1, ("s9",))
    assert found(findings, "usage", "at", "before the start of the subscription").rows == 1


def test_a_key_column_that_the_table_has_itself_stays(tmp_path):
    files = {
        "surveys": (
            "ticket,done,v\nt1,2024-01-03,4\n",
            {
                "key_via": "tickets",
                "ticket_id": "ticket",
                "answered_at": "done",
                "value": "v",
                "instrument": "csat",
                "scale": "1-5",
            },
        ),
        "tickets": "account_id,ticket_id,opened_at\na,t1,2024-01-01\n",
    }
    tables, _ = read(tmp_path, files)
    assert column(tables, "surveys", "ticket_id") == ["t1"]
    assert column(tables, "surveys", "account_id") == ["a"]


def test_ids_shared_by_accounts_are_named(tmp_path):
    files = {
        "subscriptions": "account_id,subscription_id,started_at\na,s1,2024-01-10\nb,s1,2024-01-01\n",
        "usage": ("subscription_id,at\ns1,2024-02-01\n", {"key_via": "subscriptions"}),
    }
    tables, findings = read(tmp_path, files)
    assert column(tables, "usage", "account_id") == ["a"]
    assert found(findings, "subscriptions", "subscription_id", "belong to several accounts").rows == 1


SURVEY = "account_id,answered_at,value\na,2024-01-01,{}\nb,2024-01-02,{}\n"


def survey(tmp_path, one, two, **given):
    return read(tmp_path, {"surveys": (SURVEY.format(one, two), given)})[0]


@pytest.mark.parametrize(
    ("given", "ends", "higher"),
    [
        ({"instrument": "nps", "scale": "0-10"}, (0.0, 10.0), True),
        ({"instrument": "csat", "scale": "1-5"}, (1.0, 5.0), True),
        ({"instrument": "csat", "scale": "1-5", "direction": "lower"}, (1.0, 5.0), False),
        ({"instrument": "ces1", "scale": "1-5"}, (1.0, 5.0), False),
        ({"instrument": "ces1", "scale": "1-5", "direction": "higher"}, (1.0, 5.0), True),
        ({"instrument": "ces2", "scale": "1-7"}, (1.0, 7.0), True),
    ],
)
def test_the_ends_of_a_scale_stand_beside_the_answer(tmp_path, given, ends, higher):
    tables = survey(tmp_path, 1, 5, **given)
    assert column(tables, "surveys", "low") == [ends[0]] * 2
    assert column(tables, "surveys", "high") == [ends[1]] * 2
    assert column(tables, "surveys", "higher_is_better") == [higher] * 2


def test_instruments_and_scales_may_differ_by_row(tmp_path):
    text = (
        "account_id,answered_at,value,instrument,scale\na,2024-01-01,9,NPS,0-10\nb,2024-01-01,2, ces1 ,1-5\nc,2024-01-01,,,\n"
    )
    tables, _ = read(tmp_path, {"surveys": text})
    assert column(tables, "surveys", "instrument") == ["nps", "ces1", None]
    assert column(tables, "surveys", "high") == [10.0, 5.0, None]
    assert column(tables, "surveys", "higher_is_better") == [True, False, True]


@pytest.mark.parametrize(
    ("one", "two", "given", "said"),
    [
        (
            11,
            5,
            {"instrument": "nps", "scale": "0-10"},
            "answers outside their scale: surveys.value: 1 of 2 rows, such as (value 11.0",
        ),
        (0, 5, {"instrument": "csat", "scale": "1-5"}, "answers outside their scale"),
        (3, 5, {"instrument": "csat"}, "answers on an undeclared scale"),
        (3, 5, {"scale": "1-5"}, "answers of an undeclared instrument"),
        (3, 5, {"instrument": "'NSP'", "scale": "0-10"}, "write `nps`"),
        (3, 5, {"instrument": "csat", "scale": "'five'"}, "not a survey scale"),
        (3, 5, {"instrument": "nps", "scale": "1-5"}, "NPS answers on a scale without bands"),
        (3, 5, {"instrument": "csat", "scale": "1-5", "direction": "'up'"}, "unknown directions"),
    ],
)
def test_undeclared_and_impossible_answers_are_refused(tmp_path, one, two, given, said):
    with pytest.raises(UsageError) as caught:
        survey(tmp_path, one, two, **given)
    assert said in str(caught.value)


def test_an_answer_without_its_time_is_named(tmp_path):
    text = "account_id,sent_at,answered_at,value\na,2024-01-01,,5\nb,2024-01-01,2024-01-02,5\n"
    _, findings = read(tmp_path, {"surveys": (text, {"instrument": "csat", "scale": "1-5"})})
    assert found(findings, "surveys", "answered_at", "answers without the time").rows == 1


def test_payment_statuses_are_folded_or_refused(tmp_path):
    text = "account_id,at,status\na,2024-01-01,Paid\nb,2024-01-01, FAILED \nc,2024-01-01,\n"
    assert column(read(tmp_path, {"payments": text})[0], "payments", "status") == ["paid", "failed", None]
    with pytest.raises(UsageError, match=r"payments.status: 3 of 6 rows: 'ok' \(2\), 'nok' \(1\)\. Fix: .*case when"):
        read(tmp_path, {"payments": text + "d,2024-01-01,nok\nd,2024-01-01,ok\nd,2024-01-02,ok\n"})


def test_a_header_without_rows_is_said_to_be_one(tmp_path):
    with pytest.raises(UsageError, match=r"the table has no rows: usage\. Fix: check the source"):
        read(tmp_path, {"usage": "account_id,at\n"})


def test_several_sources_stand_under_one_another(tmp_path):
    (tmp_path / "a.csv").write_text("account_id,at,event\na,2024-01-01,x\n")
    (tmp_path / "b.csv").write_text("account_id,at,quantity\nb,2024-01-02,2\n")
    sources = {"usage": [TableSource(source="a.csv"), TableSource(source="b.csv")]}
    rows = read_tables(sources, folder=tmp_path)[0]["usage"].data.select(["account_id", "event", "quantity"]).to_pylist()
    assert rows == [
        {"account_id": "a", "event": "x", "quantity": None},
        {"account_id": "b", "event": None, "quantity": 2.0},
    ]


def test_a_table_without_rows_is_an_error_in_readable_data(tmp_path):
    files = {"usage": "account_id,at\na,2024-01-01\n", "tickets": "account_id,opened_at\n"}
    tables, findings = read(tmp_path, files)
    assert len(tables["tickets"]) == 0
    assert found(findings, "tickets", "", "no rows are left").severity == "error"


def test_no_accounts_at_all(tmp_path):
    with pytest.raises(UsageError, match="there are no accounts"):
        read(tmp_path, {"usage": "account_id,at\n,2024-01-01\n"}, observed_until="2024-02-01")
    with pytest.raises(UsageError, match="no table is given"):
        read_tables({}, folder=tmp_path)


def test_fingerprints_know_content_and_not_chunks(tmp_path):
    text = "account_id,at,event,quantity\na,2024-01-01,x,1\nb,2024-01-02,,\nc,2024-01-03,z,3\n"
    tables, _ = read(tmp_path, {"usage": text})
    first = fingerprint(tables)
    (tmp_path / "part1.csv").write_text("account_id,at,event,quantity\na,2024-01-01,x,1\n")
    (tmp_path / "part2.csv").write_text("account_id,at,event,quantity\nb,2024-01-02,,\nc,2024-01-03,z,3\n")
    parts, _ = read_tables({"usage": [TableSource(source="part1.csv"), TableSource(source="part2.csv")]}, folder=tmp_path)
    assert parts["usage"].data.column("event").num_chunks == 2
    assert fingerprint(parts) == first
    for changed in (
        text.replace(",x,", ",xz,").replace(",z,", ",,"),
        text.replace(",1\n", ",2\n"),
        text.replace("a,2024", "d,2024"),
    ):
        assert fingerprint(read(tmp_path, {"usage": changed})[0]) != first
    assert fingerprint(read(tmp_path, {"usage": (text, {"fixed": ["event"]})})[0]) != first
    assert fingerprint(read(tmp_path, {"usage": text}, observed_until="2024-02-01")[0]) != first


def test_blank_arrivals_are_dropped_and_counted():
    rows = pd.DataFrame(
        {"account_id": ["a", "a"], "at": ["2025-01-01 10:00", "2025-01-02 10:00"], "known_at": ["2025-01-01 11:00", None]}
    )
    source = TableSource.model_validate({"source": "rows"})
    tables, findings = read_tables({"usage": [source]}, folder=Path(), objects={"rows": rows})
    assert len(tables["usage"]) == 1
    blank = [finding for finding in findings if finding.column == "known_at" and finding.problem == "rows without `known_at`"]
    assert [finding.rows for finding in blank] == [1]
