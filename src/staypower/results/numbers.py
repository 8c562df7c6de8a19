"""Numbers as a reader sees them: the only place that decides on digits, signs, units and what is not known."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

__all__ = [
    "IN_SPREADSHEETS",
    "UNKNOWN",
    "chance",
    "count",
    "decimal",
    "interval",
    "money",
    "percent",
    "plain",
    "plural",
    "short",
    "signed",
]

UNKNOWN = "-"  # what stands where there is no number
# the same in cells of a spreadsheet, which keep the whole number: its own codes
IN_SPREADSHEETS: Mapping[str, str] = MappingProxyType(
    {"percent": "0.0%", "money": "#,##0", "number": "General", "time": "yyyy-mm-dd hh:mm"}
)


def decimal(value: float, digits: int = 3) -> str:
    """Write a number with some decimals.

    >>> decimal(0.74651), decimal(1234.5, 1), decimal(float("nan"))
    ('0.747', '1,234.5', '-')
    """
    return f"{value:,.{digits}f}" if math.isfinite(value) else UNKNOWN


def percent(share: float, digits: int = 1) -> str:
    """Write a share as per cent.

    >>> percent(0.16), percent(0.5, 0), percent(float("nan"))
    ('16.0%', '50%', '-')
    """
    return f"{100 * share:,.{digits}f}%" if math.isfinite(share) else UNKNOWN


def chance(probability: float) -> str:
    """Write a probability in whole per cent, without claiming certainty.

    >>> chance(0.231), chance(0.999), chance(0.001)
    ('23%', '>99%', '<1%')
    """
    if not math.isfinite(probability):
        return UNKNOWN
    return ">99%" if probability > 0.99 else "<1%" if probability < 0.01 else f"{probability:.0%}"


def count(number: float) -> str:
    """Write a number of things.

    >>> count(12345), count(float("nan"))
    ('12,345', '-')
    """
    return f"{number:,.0f}" if math.isfinite(number) else UNKNOWN


def money(amount: float, digits: int = 0) -> str:
    """Write an amount in the company's own currency, which has no sign here.

    >>> money(12345.6), money(-3.5, 2)
    ('12,346', '-3.50')
    """
    return decimal(amount, digits)


def short(value: float, *, share: bool = False) -> str:
    """Write a number in three significant digits, as on an axis; nothing when it is not known.

    >>> short(0.125, share=True), short(1234.0), short(0.05), short(float("nan"))
    ('12.5%', '1,234', '0.05', '')
    """
    if not math.isfinite(value):
        return ""
    if share:
        return f"{100 * value:.3g}%"
    return f"{value:,.0f}" if value == round(value) or abs(value) >= 100 else f"{value:.3g}"


def signed(value: float, write: Callable[[float], str] = decimal) -> str:
    """Write a change, with a plus sign when it is not negative.

    >>> signed(0.1234), signed(-0.1), signed(0.5, percent), signed(float("nan"))
    ('+0.123', '-0.100', '+50.0%', '-')
    """
    return f"{'+' if value >= 0 else ''}{write(value)}"


def plural(number: float, thing: str, things: str = "") -> str:
    """Write how many there are of a thing.

    >>> plural(1, "account"), plural(1200, "account"), plural(2, "company", "companies")
    ('1 account', '1,200 accounts', '2 companies')
    """
    return f"{count(number)} {thing if number == 1 else things or thing + 's'}"


def interval(low: float, high: float, write: Callable[[float], str] = decimal) -> str:
    """Write the two ends of an interval; nothing when they are not known.

    >>> interval(0.73, 0.766), interval(-0.01, 0.02, percent), interval(float("nan"), float("nan"))
    ('0.730 to 0.766', '-1.0% to 2.0%', '')
    """
    return f"{write(low)} to {write(high)}" if math.isfinite(low) and math.isfinite(high) else ""


def plain(value: object) -> object:
    """Turn what results hold into what JSON can say: a number that is not finite becomes None, a date its ISO text.

    >>> plain({"rate": float("nan"), "names": ("a", "b")})
    {'rate': None, 'names': ['a', 'b']}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, bool, int)):
        return value
    written = getattr(value, "isoformat", None)
    if callable(written):
        return plain(written())
    # numpy's scalars and arrays, without importing numpy to ask
    listed = getattr(value, "tolist", None)
    return plain(listed()) if callable(listed) else str(value)
