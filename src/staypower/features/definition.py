"""What a feature is: a frozen definition that checks itself; it holds no date and runs nothing.

A `Feature` reads one table. A `Combination` is computed from two other features, which may be of different tables. A `Template`
stands for a feature at every window of the settings. Names of columns and times are those of the streams (`streams`): the
canonical columns and what is derived from them row by row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from staypower.errors import UsageError, nearest
from staypower.features.aggregations import AGGREGATIONS, Aggregation

__all__ = [
    "COMBINATIONS",
    "Combination",
    "DIRECTIONS",
    "Definition",
    "Direction",
    "Feature",
    "Filter",
    "LEVERS",
    "Template",
    "YEAR",
    "expand",
    "renewal_columns",
    "slug_of",
]

# how a larger value is expected to move the risk
Direction = Literal[1, -1] | None
# of 52 weeks, so that the same weekdays are compared
YEAR = 364
DIRECTIONS: Mapping[Direction, str] = MappingProxyType({1: "raises", -1: "lowers"})
LEVERS = ("onboarding", "adoption", "engagement", "support", "satisfaction", "billing", "value", "relationship")
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
COMBINATIONS = {
    "ratio": "{0} divided by {1}, missing when {1} is 0",
    "change": "({0} - {1}) / (|{0}| + |{1}|), 0 when both are 0: -1 stopped, +1 started",
    "difference": "{0} minus {1}",
    "both_fall": "how far {0} and {1} fall together: the smaller of the two falls, 0 when either rises",
    "is_before": "1 when {0} is smaller than {1}, else 0",
}


def renewal_columns(column: str | None) -> tuple[str, ...]:
    """Name the columns that say when a contract renews: a date, the start, months from one renewal to the next, day of month.

    >>> renewal_columns("renewal")
    ('renewal', 'renewal_start', 'renewal_months', 'renewal_day')
    """
    return (f"{column}", f"{column}_start", f"{column}_months", f"{column}_day")


@dataclass(frozen=True)
class Filter:
    """Keep the rows whose column holds one of some values, or lies between two numbers.

    Parameters
    ----------
    column : str
        A column of the stream.
    values : tuple of str, default ()
        Texts of which one must match, whatever their case; empty when bounds are given.
    at_least : float or None, default None
        Smallest number kept.
    below : float or None, default None
        Numbers from here on are dropped.

    Examples
    --------
    >>> Filter("status", ("failed",))
    Filter(column='status', values=('failed',), at_least=None, below=None)
    """

    column: str
    values: tuple[str, ...] = ()
    at_least: float | None = None
    below: float | None = None

    def __post_init__(self) -> None:
        if not self.values and self.at_least is None and self.below is None:
            raise UsageError.of("a filter that keeps every row", self.column, "give `is`, `at_least` or `below`")

    @property
    def text(self) -> str:
        """The filter in words."""
        if self.values:
            return f"{self.column} is {' or '.join(self.values)}"
        bounds = [f"at least {self.at_least:g}"] if self.at_least is not None else []
        bounds += [f"below {self.below:g}"] if self.below is not None else []
        return f"{self.column} {' and '.join(bounds)}"


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One column of the matrix, computed from one table.

    Parameters
    ----------
    name : str
        Lower-case words joined by underscores; ends in `_<window>d` when there is a window.
    table : str
        The stream that is read.
    aggregation : str
        Name of an entry of `AGGREGATIONS`; it owns the value on no rows.
    column : str or None, default None
        What is aggregated; None if the aggregation only counts rows or reads their times.
    window : int or None, default None
        Days of history, `[cutoff - window, cutoff)`; None for all of it.
    offset : int, default 0
        Look this many days earlier: `[cutoff - offset - window, cutoff - offset)`.
    time : str or None, default None
        The time column that places a row in history; None for the table's own.
    after : str or None, default None
        A second time that must also lie before the cutoff for the row to count.
    until : str or None, default None
        A time at which the row stops counting, so that the feature describes what is open now.
    where : tuple of Filter, default ()
        All must hold.
    weight : str or None, default None
        The amount of each row, for the aggregations of renewals that weigh or sum.
    ahead : int or None, default None
        Days after the cutoff in which a renewal counts, for the aggregations that count or sum those due.
    unit : str
        Unit of the value, in the plural: "events", "days", "hours", "EUR", "share", "".
    description : str
        What it says, without the window, starting in lower case: "support tickets opened".
    lever : str or None
        Which lever could change it, one of `LEVERS`; None if there is none.
    category : bool, default False
        The value is a code of a text; the model treats it as a category.
    direction : {1, -1} or None, default None
        How a larger value is expected to move the risk: 1 raises it, -1 lowers it; None if neither is expected.
    reaches_back : bool, default False
        Missing unless the account has a row before the window: what it did then is not known otherwise.
    part : bool, default False
        Only needed by combinations: no column of the matrix.

    Examples
    --------
    >>> Feature(name="tickets_90d", table="tickets", aggregation="count", window=28, unit="tickets",
    ...         description="support tickets opened", lever="support")
    Traceback (most recent call last):
    staypower.errors.UsageError: the name does not contain the window: tickets_90d. Fix: call it `tickets_28d`.
    """

    name: str
    table: str
    aggregation: str
    column: str | None = None
    window: int | None = None
    offset: int = 0
    time: str | None = None
    after: str | None = None
    until: str | None = None
    where: tuple[Filter, ...] = ()
    weight: str | None = None
    ahead: int | None = None
    unit: str
    description: str
    lever: str | None
    category: bool = False
    direction: Direction = None
    reaches_back: bool = False
    part: bool = False

    def __post_init__(self) -> None:
        _check_name(self.name)
        if self.aggregation not in AGGREGATIONS:
            fix = nearest(self.aggregation, AGGREGATIONS)
            raise UsageError.of("unknown aggregation", f"{self.name}: {self.aggregation}", fix)
        if self.how.needs_column and self.column is None:
            raise UsageError.of(f"`{self.aggregation}` needs a column", self.name, "name the `column` it reads")
        if self.aggregation == "rate_slope" and self.window is None:
            raise UsageError.of("`rate_slope` needs a window", self.name, "give the `window` in days")
        if self.aggregation == "top_seen_since" and self.until is not None:
            # it reads rows after the window, and `until` tells what was known at the window's end
            raise UsageError.of("`top_seen_since` does not go with `until`", self.name, "leave out `until`")
        if self.reaches_back and self.window is None:
            raise UsageError.of("nothing lies before all of history", self.name, "give a `window`, or leave out `reaches_back`")
        if self.window is not None and self.window < 1:
            raise UsageError.of("window too short", f"{self.name}: {self.window}", "give at least 1 day")
        if self.window is not None and not self.name.endswith(f"_{self.window}d"):
            right = re.sub(r"_\d+d\Z", "", self.name) + f"_{self.window}d"
            raise UsageError.of("the name does not contain the window", self.name, f"call it `{right}`")
        if self.window is None and re.search(r"_\d+d\Z", self.name):
            right = re.sub(r"_\d+d\Z", "", self.name)
            raise UsageError.of("the name contains a window but there is none", self.name, f"call it `{right}`")
        _check_lever(self.name, self.lever)
        _check_direction(self.name, self.direction)

    @property
    def how(self) -> Aggregation:
        """The aggregation itself."""
        return AGGREGATIONS[self.aggregation]

    @property
    def empty(self) -> float:
        """The value without rows: 0 for counts and sums, missing (NaN) for everything else."""
        return self.how.empty

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column and time of the stream that is read."""
        parts = renewal_columns(self.column) if self.how.kernel == "renewal" else (self.column,)
        named = (*parts, self.weight, self.time, self.after, self.until, *(f.column for f in self.where))
        return tuple(dict.fromkeys(name for name in named if name))

    @property
    def window_text(self) -> str:
        """The window in words."""
        if self.ahead is not None:
            return f"in the next {self.ahead} days"
        if self.until and self.window is None:
            return f"as of {self.offset} days earlier" if self.offset else "now"
        if self.window is None:
            return "ever"
        days = f"{self.window} days"
        if self.offset == YEAR:
            return f"in the same {days} a year ago"
        if self.offset == YEAR - self.window:
            return f"in the {days} after this date a year ago"
        return f"in the {days} before the last {self.offset}" if self.offset else f"in the last {days}"


@dataclass(frozen=True, kw_only=True)
class Combination:
    """One column of the matrix, computed from two other columns: of two tables, or of two windows.

    Parameters
    ----------
    name : str
        Lower-case words joined by underscores.
    how : str
        One of `COMBINATIONS`. A missing input makes the result missing.
    inputs : tuple of str
        Names of two features.
    unit, description, lever, direction, part
        As in `Feature`.

    Examples
    --------
    >>> Combination(name="tickets_per_user", how="ratio", inputs=("tickets_28d", "users_28d"), unit="tickets",
    ...             description="tickets per active user", lever="support").inputs
    ('tickets_28d', 'users_28d')
    """

    name: str
    how: str
    inputs: tuple[str, str]
    unit: str
    description: str
    lever: str | None
    category: bool = False
    direction: Direction = None
    part: bool = False

    def __post_init__(self) -> None:
        _check_name(self.name)
        if self.how not in COMBINATIONS:
            raise UsageError.of("unknown combination", f"{self.name}: {self.how}", nearest(self.how, COMBINATIONS))
        _check_lever(self.name, self.lever)
        _check_direction(self.name, self.direction)

    @property
    def table(self) -> str:
        """Where it comes from."""
        return "(combined)"

    @property
    def window_text(self) -> str:
        """The formula in words."""
        return COMBINATIONS[self.how].format(*self.inputs)


Definition = Feature | Combination


@dataclass(frozen=True)
class Template:
    """A definition that is made once for every window of the settings.

    Parameters
    ----------
    definition : Feature or Combination
        Written without a window; the window is appended to its name, and to the names of its inputs.
    shortest, longest : int
        Windows outside are not built.

    Examples
    --------
    >>> every = Template(Feature(name="tickets", table="tickets", aggregation="count", unit="tickets",
    ...                          description="support tickets opened", lever="support"))
    >>> [feature.name for feature in expand([every], windows=(7, 28))]
    ['tickets_7d', 'tickets_28d']
    """

    definition: Definition
    shortest: int = 1
    longest: int = 100_000

    def at(self, window: int) -> Definition:
        """Return the definition for one window."""
        made = self.definition
        name = f"{made.name}_{window}d"
        if isinstance(made, Feature):
            return replace(made, name=name, window=window)
        first, second = (text if text.endswith("!") else f"{text}_{window}d" for text in made.inputs)
        return replace(made, name=name, inputs=(first.rstrip("!"), second.rstrip("!")))


def expand(entries: Sequence[Definition | Template], windows: Sequence[int]) -> tuple[Definition, ...]:
    """Return the definitions of a family for the windows of the settings."""
    made: list[Definition] = []
    for entry in entries:
        if isinstance(entry, Template):
            made += [entry.at(window) for window in sorted(windows) if entry.shortest <= window <= entry.longest]
        else:
            made.append(entry)
    return tuple(made)


def slug_of(text: str, taken: Iterable[str] = ()) -> str:
    """Turn a text of the data into part of a feature's name.

    >>> slug_of("Monthly Charge")
    'monthly_charge'
    >>> slug_of("monthly-charge", taken=["monthly_charge"])
    'monthly_charge_2'
    """
    base = re.sub(r"[^a-z0-9]+", "_", text.casefold()).strip("_")[:40].strip("_") or "blank"
    # a name must not end like a window
    base = re.sub(r"(\A|_)(\d+)d\Z", r"\1\2_d", base)
    used = set(taken)
    return next(slug for slug in (base, *(f"{base}_{n}" for n in range(2, 10_000))) if slug not in used)


def _check_lever(name: str, lever: str | None) -> None:
    if lever is not None and lever not in LEVERS:
        raise UsageError.of("unknown lever", f"{name}: {lever}", nearest(lever, LEVERS))


def _check_direction(name: str, direction: Direction) -> None:
    if direction not in (1, -1, None):
        raise UsageError.of("not a direction", f"{name}: {direction}", "write 1 (raises the risk), -1 (lowers it) or nothing")


def _check_name(name: str) -> None:
    if not _NAME.match(name):
        right = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "feature"
        raise UsageError.of("not a feature name", repr(name), f"use lower-case words joined by underscores: `{right}`")
