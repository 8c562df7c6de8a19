"""The usability report: what is added to the findings of reading, and how it is shown."""

from __future__ import annotations

import json

import pytest

from staypower.checking.checks import CheckReport, check_tables
from staypower.sources.findings import Finding
from staypower.sources.reading import read_tables
from staypower.sources.settings import TableSource


def checked(tmp_path, files, *, target=None, outcome_days=None, **options):
    sources = {}
    for name, given in files.items():
        text, mapping = given if isinstance(given, tuple) else (given, {})
        (tmp_path / f"{name}.csv").write_text(text)
        sources[name] = [TableSource.model_validate({"source": f"{name}.csv", **mapping})]
    tables, findings = read_tables(sources, folder=tmp_path, **options)
    return check_tables(tables, findings, target=target, outcome_days=outcome_days)


def said(report, table, column=""):
    return " | ".join(
        f"{f.severity} {f.problem} {f.meaning}" for f in report.findings if (f.table, f.column) == (table, column)
    )


SUBSCRIPTIONS = "account_id,started_at,mrr,plan\na,2023-01-01,10,x\nb,2024-01-01,5,\n"


def test_absent_tables_and_columns_say_what_is_not_built(tmp_path):
    report = checked(tmp_path, {"subscriptions": SUBSCRIPTIONS})
    assert "nothing can be said of support" in said(report, "tickets")
    assert "not built: features of payments" in said(report, "payments")
    assert "churn by contract and past spells" in said(report, "subscriptions", "ended_at")
    assert not said(report, "subscriptions").startswith("note not given")


def test_columns_that_change_are_left_out_unless_fixed_or_versioned(tmp_path):
    report = checked(tmp_path, {"subscriptions": (SUBSCRIPTIONS, {"fixed": ["plan"]})})
    assert "may change while its row lives left out" in said(report, "subscriptions", "mrr")
    assert "may change" not in said(report, "subscriptions", "plan")
    versioned = SUBSCRIPTIONS.replace("plan\n", "plan,valid_from\n").replace("x\n", "x,2023-01-01\n").replace("5,\n", "5,,\n")
    report = checked(tmp_path, {"subscriptions": versioned})
    assert "may change" not in said(report, "subscriptions", "mrr")
    tickets = "account_id,opened_at,resolved_at,priority\na,2024-01-01,2024-01-02,high\n"
    assert "used only from `resolved_at`" in said(checked(tmp_path, {"tickets": tickets}), "tickets", "priority")


def test_flags_without_their_time(tmp_path):
    orders = "account_id,at,cancelled\na,2024-01-01,no\n"
    assert "without the time" in said(checked(tmp_path, {"orders": orders}), "orders", "cancelled")
    assert "without the time" not in said(
        checked(tmp_path, {"orders": (orders, {"fixed": ["cancelled"]})}), "orders", "cancelled"
    )
    payments = "account_id,at,status\na,2024-01-01,refunded\na,2024-01-01,paid\n"
    assert "refunds without their time" in said(checked(tmp_path, {"payments": payments}), "payments", "status")


def test_twins_of_a_flat_table_are_counted(tmp_path):
    rows = [f"a{n},{n % 7},{n * 37},{n % 3}" for n in range(60)] + [f"b{n},{n % 7},{n * 37},{n % 3}" for n in range(9)]
    flat = ("\n".join(["account_id,seats,age,plan", *rows]), {"static": "all"})
    report = checked(tmp_path, {"accounts": flat}, observed_until="2024-12-31")
    (found,) = [each for each in report.warnings if each.problem == "accounts like another in everything but the id"]
    assert found.rows == 9
    assert "never on both sides of a split" in found.meaning


def test_accounts_that_other_tables_tell_apart_are_no_twins(tmp_path):
    flat = ("account_id,seats,age\n" + "\n".join(f"a{n},{n % 7},{n // 2}" for n in range(60)) + "\nb,0,0", {"static": "all"})
    report = checked(tmp_path, {"accounts": flat, "subscriptions": SUBSCRIPTIONS})
    assert "accounts like another" not in said(report, "accounts")


def test_blanks_are_counted(tmp_path):
    report = checked(tmp_path, {"subscriptions": SUBSCRIPTIONS + "c,2024-01-01,,\n"})
    assert "blank in 66.7% of the rows" in said(report, "subscriptions", "plan")
    assert "not recorded in these rows" in said(report, "subscriptions", "plan")
    report = checked(tmp_path, {"usage": "account_id,at,event\na,2024-01-01,\n"})
    assert "warning every value is blank" in said(report, "usage", "event")


def test_an_end_that_is_blank_has_not_come(tmp_path):
    text = "account_id,started_at,ended_at\na,2024-01-01,\nb,2024-01-01,2024-03-01\n"
    assert "it has not happened in these rows" in said(checked(tmp_path, {"subscriptions": text}), "subscriptions", "ended_at")


def test_short_histories_are_warned_about(tmp_path):
    usage = "account_id,at\na,2024-01-01\na,2024-04-09\n"
    assert "only 100 days of history" in said(checked(tmp_path, {"usage": usage}), "tables")
    assert said(checked(tmp_path, {"usage": usage}, outcome_days=50), "tables") == ""
    assert "need about 240" in said(checked(tmp_path, {"usage": usage}, outcome_days=120), "tables")


def test_nothing_to_learn_from_is_an_error(tmp_path):
    report = checked(tmp_path, {"accounts": "account_id,signed_up_at\na,2024-01-01\n"})
    assert [found.problem for found in report.errors] == ["neither an event table nor a usable attribute"]


def test_leak_suspects_among_attributes(tmp_path):
    rows = "".join(f"a{i},{'gone' if i < 50 else 'here'},{i % 3},{i}\n" for i in range(200))
    accounts = ("account_id,state,plan,churn_score\n" + rows, {"static": "all", "leave_out": ["churn_score"]})
    target = {f"a{i}": int(i < 50) for i in range(200)} | {"unknown": 1}
    report = checked(tmp_path, {"accounts": accounts}, target=target, observed_until="2024-01-01")
    assert {found.column for found in report.warnings} == {"state", "churn_score"}
    assert "left out already" in said(report, "accounts", "churn_score")
    assert "leave_out: [state]" in next(found.fix for found in report.warnings if found.column == "state")


@pytest.fixture
def report(tmp_path):
    text = "account_id,at,event,quantity\na,2024-01-01,x,inf\n,2024-01-02,<b>,1\n" + "a,2024-01-03,,\n" * 1200
    return checked(tmp_path, {"usage": text})


def test_the_worst_comes_first(report):
    ranks = ["error", "warning", "note"]
    order = [ranks.index(found.severity) for found in report.findings]
    assert order == sorted(order)
    assert len(report.findings) == len(report.errors) + len(report.warnings) + len(report.notes)


def test_the_text_fits_a_terminal(report):
    text = report.text()
    assert max(map(len, text.splitlines())) <= 100
    assert str(report) == text
    assert "WARNING  usage.account_id  (1 row)" in text
    assert "1,201" in text
    narrow = report.text(60)
    assert max(map(len, narrow.splitlines())) <= 60


def test_frame_and_dict_hold_the_same(report):
    frame, plain = report.frame(), report.to_dict()
    assert list(frame["problem"]) == [found["problem"] for found in plain["findings"]]
    assert json.loads(json.dumps(plain)) == plain
    assert plain["tables"]["usage"]["rows"] == 1201
    assert plain["tables"]["usage"]["first"] == "2024-01-01"
    assert plain["summary"] == {"errors": 0, "warnings": len(report.warnings), "notes": len(report.notes)}


def test_html_is_escaped():
    shown = CheckReport.of([Finding("warning", "<b>", "x", 1, "<script>", "y")], {})._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_the_same_finding_is_said_once():
    finding = Finding("note", "usage", "", 0, "a", "b")
    assert CheckReport.of([finding, finding], {}).findings == (finding,)
