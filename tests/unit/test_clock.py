"""The dates of what is written: the machine's clock, or the time that the user names."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from staypower.clock import now, now_milliseconds, now_text
from staypower.errors import UsageError


def test_the_users_time_stands_in_for_the_clock(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1735689600")
    assert now() == datetime(2025, 1, 1, tzinfo=UTC)
    assert now_text() == "2025-01-01T00:00:00+00:00"
    assert now_milliseconds() == 1735689600000


@pytest.mark.parametrize("given", ["yesterday", "-1", "1.5", "9" * 40, "٣"])
def test_a_time_that_is_none_is_refused(monkeypatch, given):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", given)
    with pytest.raises(UsageError, match=r"not a time: SOURCE_DATE_EPOCH=.*whole seconds since 1970"):
        now()


def test_without_it_the_clock_runs(monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    before = datetime.now(UTC)
    assert before <= now() <= datetime.now(UTC)
