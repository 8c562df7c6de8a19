"""The machine's clock, for the dates of what is written; no cutoff ever reads it.

`SOURCE_DATE_EPOCH` (seconds since 1970) stands in for it, so that a run can be repeated to the byte.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

from staypower.errors import UsageError

_VARIABLE = "SOURCE_DATE_EPOCH"
_LAST = 253_402_300_799  # the end of the year 9999


def now() -> datetime:
    """Return the time in UTC, or that of `SOURCE_DATE_EPOCH`."""
    given = os.environ.get(_VARIABLE, "").strip()
    if not given:
        return datetime.now(UTC)
    if not (given.isascii() and given.isdecimal() and int(given) <= _LAST):
        fix = f"write whole seconds since 1970, such as {_VARIABLE}=1735689600, or unset the variable"
        raise UsageError.of("not a time", f"{_VARIABLE}={given[:40]}", fix)
    return datetime.fromtimestamp(int(given), UTC)


def now_text() -> str:
    """Return the time in UTC to the second, as ISO text."""
    return now().isoformat(timespec="seconds")


def now_milliseconds() -> int:
    """Return the milliseconds since 1970."""
    return int(now().timestamp() * 1000)
