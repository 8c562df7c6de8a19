"""What is said while long work runs: begin and end, how far loops are, one object per line, and a clean line at the end."""

from __future__ import annotations

import io
import json
import sys

import pytest

from staypower.progress import Progress, counted


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    def replace():  # within the test: pytest puts its own there between the phases
        monkeypatch.setattr(sys, "stderr", Terminal())
        return sys.stderr

    return replace


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test moves."""
    now = [100.0]
    monkeypatch.setattr("staypower.progress.time.perf_counter", lambda: now[0])
    return now


def shown(text):
    """Return the lines as a terminal shows them in the end: a carriage return begins the line anew."""
    lines = []
    for line in text.split("\n"):
        seen = ""
        for part in line.split("\r"):
            seen = part + seen[len(part) :]
        lines.append(seen.rstrip())
    return lines


def test_a_step_says_when_it_begins_and_how_long_it_took(capsys, clock):
    with Progress().step("fitting"):
        clock[0] += 12.34
    assert capsys.readouterr().err == "  fitting ...\n  fitting: 12.3 s\n"


def test_a_loop_says_how_far_it_is_and_how_long_the_rest_takes(capsys, clock):
    with Progress().step("scoring"):
        for _ in counted(range(40), 40):
            clock[0] += 5
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "  scoring ..."
    assert lines[1] == "  scoring: 2 of 40, about 3 min left"
    assert lines[-1] == "  scoring: 200.0 s"
    # a line every ten seconds, and none when all is done
    assert len(lines) == 2 + 19
    assert not any("40 of 40" in line for line in lines)


def test_loops_count_for_the_step_that_runs_and_are_silent_without_one(capsys, clock):
    assert list(counted("ab", 2)) == ["a", "b"]
    progress = Progress(quiet=True)
    with progress.step("quiet"):
        for _ in counted(range(9), 9):
            clock[0] += 60
    progress.say("nothing")
    assert capsys.readouterr().err == ""


def test_of_loops_within_loops_the_outer_one_counts(capsys, clock):
    with Progress().step("scoring"):
        for _ in counted(range(3), 3):
            for _ in counted(range(7), 7):
                clock[0] += 20
        for _ in counted(range(2), 2):
            clock[0] += 20
    said = [line.partition(",")[0] for line in capsys.readouterr().err.splitlines()[1:-1]]
    assert said == ["  scoring: 1 of 3", "  scoring: 2 of 3", "  scoring: 1 of 2"]


def test_a_terminal_has_one_live_line(terminal, clock):
    out = terminal()
    with Progress().step("scoring"):
        for _ in counted(range(3), 3):
            clock[0] += 30
    text = out.getvalue()
    assert "  scoring: 1 of 3, about 60 s left" in text
    assert shown(text) == ["  scoring: 90.0 s", ""]


def test_an_interrupt_leaves_a_clean_line(terminal, clock):
    out = terminal()
    with pytest.raises(KeyboardInterrupt), Progress().step("scoring at 2025-07-01"):
        raise KeyboardInterrupt
    print("stopped", file=sys.stderr)
    assert shown(out.getvalue()) == ["stopped", ""]


def test_json_lines(capsys, clock):
    progress = Progress(as_json=True)
    with progress.step("fitting"):
        for _ in counted(range(4), 4):
            clock[0] += 20
    with pytest.raises(ValueError, match="x"), progress.step("writing"):
        raise ValueError("x")
    progress.say("a note")
    progress.refuse({"problem": "no such column", "value": "plan", "fix": "map it"}, "error: ...")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == [
        *("begin", "progress", "progress", "progress", "end"),
        *("begin", "stopped", "note", "refused"),
    ]
    assert (lines[1]["step"], lines[1]["done"], lines[1]["of"]) == ("fitting", 1, 4)
    assert lines[4]["seconds"] == 80
    assert (lines[-1]["level"], lines[-1]["fix"]) == ("error", "map it")
    assert all(line["time"].endswith("+00:00") for line in lines)


def test_an_address_in_a_message_shows_no_secret(capsys):
    Progress(as_json=True).refuse({"value": "postgresql://me:secret@host/db"}, "")
    assert "secret" not in capsys.readouterr().err
