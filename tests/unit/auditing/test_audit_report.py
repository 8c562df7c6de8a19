"""The report: statuses, exit code, a table that fits the terminal, HTML that escapes."""

import json

from staypower.auditing.report import AuditReport, Check
from staypower.errors import ExitCode
from staypower.pipelines.audit import run_checks
from staypower.progress import Progress

LONG = "evidence that goes on and on " * 12
REPORT = AuditReport(
    "acme",
    (
        Check("time travel", "failed", (LONG, "likely cause: `x` & <b>"), {"rows": 3}),
        Check("arrival", "not applicable", ("no table has `known_at`",)),
        Check("knowledge time", "unproven", ("accounts.plan: declared `static`",)),
    ),
)


def test_only_a_failed_check_fails_the_audit():
    assert [check.name for check in REPORT.failed] == ["time travel"]
    assert REPORT.exit_code == ExitCode.FOUND
    assert AuditReport("acme", REPORT.checks[1:]).exit_code == ExitCode.DONE


def test_the_table_fits_and_aligns():
    lines = REPORT.text().splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0] == "Audit of acme: 1 failed (time travel); 1 unproven, 1 not applicable"
    column = lines[2].index("evidence")
    assert all(line[:column].endswith("  ") and line[column] != " " for line in lines[3:])
    assert "".join(LONG.split()) in "".join(REPORT.text().split())


def test_html_escapes():
    shown = REPORT._repr_html_()
    assert "`x` &amp; &lt;b&gt;" in shown
    assert "<b>" not in shown


def test_frame_and_dict_say_the_same():
    frame, plain = REPORT.frame(), REPORT.to_dict()
    assert frame["status"].tolist() == [check["status"] for check in plain["checks"]]
    assert plain["summary"] == {"passed": 0, "failed": 1, "unproven": 1, "not applicable": 1}
    assert REPORT.metrics()["not_applicable"] == 1.0
    assert json.loads(json.dumps(plain)) == plain


def test_a_clean_company_passes_every_check(case):
    report = run_checks(case, Progress(quiet=True))
    assert {check.name: check.status for check in report.checks} == {
        "time travel": "passed",
        "arrival": "not applicable",
        "shuffled target": "passed",
        "too good to be true": "passed",
        "outcome overlap": "passed",
        "presence": "passed",
        "knowledge time": "unproven",
    }
    json.dumps(report.to_dict())
    assert max(map(len, report.text().splitlines())) <= 100
