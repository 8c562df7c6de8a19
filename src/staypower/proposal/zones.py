"""In which zone the clocks of a file ran: what a column, its name or the offsets beside it say, and the rhythm of the day."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from staypower.proposal.facts import ColumnFacts, FileFacts, words_of
from staypower.proposal.guesses import Guess, TableGuess
from staypower.proposal.moments import Clock
from staypower.sources.advice import written_name

__all__ = ["with_zones"]

_NAMED = re.compile(r"\b[A-Z][A-Za-z]+/[A-Z][A-Za-z_]+(/[A-Z][A-Za-z_]+)?\b")
_UTC = frozenset({"utc", "gmt", "zulu"})
_SAYS = frozenset({"zone", "timezone", "tz", "zeitzone", "fuseau"})
# one place for each set of rules; offsets tell no more than that
_PLACES = (
    *("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Sao_Paulo", "Europe/London"),
    *("Europe/Berlin", "Europe/Helsinki", "Europe/Istanbul", "Asia/Kolkata", "Asia/Singapore", "Asia/Tokyo"),
    *("Australia/Sydney", "Pacific/Auckland", "America/Phoenix", "Africa/Johannesburg"),
)
_AGREE = 0.98  # of the days, on which a zone has the offsets that are written
_ALIKE, _CLEARLY = 0.9, 0.1  # how alike two rhythms are, and how much more than in UTC
_RHYTHM = 2.0  # the busiest hour has this many times its share
_ROWS = 200


@dataclass(frozen=True)
class _Found:
    zone: str
    why: str
    sure: float


def with_zones(tables: Sequence[TableGuess], files: Sequence[FileFacts]) -> tuple[list[TableGuess], list[str]]:
    """Give sources whose clock times name no offset the zone that there is evidence for; name those without any."""
    spoken = _spoken(files)
    written = [column.clock for file in files for column in file.columns if column.clock and column.clock.days]
    made, open_ = [], []
    for each in tables:
        local = list(_local(each))
        if not local or "derive_from" in each.keys:
            made.append(each)
            continue
        found = (
            _in_file(each.file, local) or spoken or _by_rhythm([clock for column in local if (clock := column.clock)], written)
        )
        if found is None:
            open_.append(each.file.name)
            made.append(each)
        elif found.zone == "UTC":
            made.append(each)
        else:
            made.append(replace(each, columns=(Guess("zone", found.zone, found.why, found.sure), *each.columns)))
    names = ", ".join(dict.fromkeys(open_))
    note = f"the clock times of {names} name no zone and are taken as UTC: write `zone: Europe/Paris` if they are local times"
    return made, [note] if open_ else []


def _local(made: TableGuess) -> Iterator[ColumnFacts]:
    """Give the columns of clock times without an offset that a table is taken from."""
    used = [guess.written for guess in made.columns]
    for column in made.file.columns:
        ways = [way for way in column.times if way != written_name(column.name)]
        taken = column.name in used or any(way in one for way in ways for one in used)
        if taken and column.clock is not None and not column.clock.days:
            yield column


def _in_file(file: FileFacts, local: Sequence[ColumnFacts]) -> _Found | None:
    """Take what a column of the file or the names of the times say."""
    named = {match.group() for column in local if (match := _NAMED.search(column.name)) and _is_zone(match.group())}
    if len(named) == 1:
        return _Found(named.pop(), "named by the column", 1.0)
    if all(set(words_of(column.name).split()) & _UTC for column in local):
        return _Found("UTC", "", 1.0)
    return next((_Found(zone, f"{column.name} says so in every row", 0.9) for column, zone in _columns(file)), None)


def _columns(file: FileFacts) -> Iterator[tuple[ColumnFacts, str]]:
    """Find columns that hold one zone in all their rows."""
    for column in file.columns:
        word = next(iter(column.words), "")
        if column.distinct == 1 and _is_zone(word) and column.filled == file.rows:
            yield column, word


def _spoken(files: Sequence[FileFacts]) -> _Found | None:
    """Take the one zone that a file of settings, or of all accounts, names for the whole company."""
    found = {zone: f"{file.name}.{column.name} says so" for file in files for column, zone in _columns(file)}
    several = any(_says(column) and column.distinct > 1 for file in files for column in file.columns)
    if len(found) != 1 or several:
        return None
    ((zone, why),) = found.items()
    return _Found(zone, why, 0.7)


def _says(column: ColumnFacts) -> bool:
    return any(_is_zone(word) for word in list(column.words)[:5]) and bool(set(words_of(column.name).split()) & _SAYS)


def _is_zone(word: str) -> bool:
    if not _NAMED.fullmatch(word):
        return False
    try:
        ZoneInfo(word)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _by_rhythm(local: Sequence[Clock], written: Sequence[Clock]) -> _Found | None:
    """Take the zone of other columns' offsets where the day looks as it does there, and not as it would in UTC."""
    offsets: Counter[tuple[date, int]] = Counter()
    here, there = Counter[int](), Counter[int]()
    for clock in written:
        offsets.update(clock.days)
        for (offset, hour), rows in clock.hours.items():
            here[hour] += rows
            there[(hour - (offset or 0) // 60) % 24] += rows
    zone = _place(offsets)
    if zone is None:
        return None
    mine = Counter[int]()
    for clock in local:
        mine.update({hour: rows for (_, hour), rows in clock.hours.items()} if clock.hours else {})
    total = sum(mine.values())
    if min(total, sum(here.values())) < _ROWS or max(mine.values()) < _RHYTHM * total / 24:
        return None
    alike, otherwise = _likeness(mine, here), _likeness(mine, there)
    if otherwise >= _ALIKE and otherwise - alike > _CLEARLY:
        return _Found("UTC", "", 0.7)
    if alike < _ALIKE or alike - otherwise < _CLEARLY:
        return None
    return _Found(zone, "offsets of other times are those there, and the hours of the day are alike", 0.6)


def _place(offsets: Mapping[tuple[date, int], int]) -> str | None:
    """Find the place that has the offsets of all days, winter and summer."""
    months = {day.month for day, _ in offsets}
    if not months & {12, 1, 2} or not months & {6, 7, 8} or all(offset == 0 for _, offset in offsets):
        return None
    for place in _PLACES:
        zone = ZoneInfo(place)
        right = sum(_offset(zone, day) == offset for day, offset in offsets)
        if right >= _AGREE * len(offsets):
            return place
    return None


def _offset(zone: ZoneInfo, day: date) -> int:
    there = datetime.combine(day, time(12), tzinfo=UTC).astimezone(zone).utcoffset()
    return 0 if there is None else int(there.total_seconds()) // 60


def _likeness(one: Mapping[int, int], other: Mapping[int, int]) -> float:
    """Compare two days by their hours: the cosine of their rows per hour."""
    product = sum(one.get(hour, 0) * other.get(hour, 0) for hour in range(24))
    sizes = [math.sqrt(sum(rows * rows for rows in each.values())) for each in (one, other)]
    return product / (sizes[0] * sizes[1]) if all(sizes) else 0.0
