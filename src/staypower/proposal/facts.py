"""What can be seen of files without knowing what they mean: one pass over each, in bounded memory."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from staypower.addresses import shown_address
from staypower.errors import UsageError
from staypower.proposal.moments import CLOCK_ONLY, Clock, clock_of, moment, spans_of, with_clock
from staypower.sources.advice import Values, as_numbers, as_times, written_name
from staypower.sources.formats import FORMATS, by_address, by_ending
from staypower.sources.opening import OpenSource, open_source
from staypower.sources.settings import TableSource
from staypower.sources.values import Value, as_number, as_text, quoted_name, quoted_text

__all__ = ["ColumnFacts", "FileFacts", "contained", "look_at", "sources_at", "sources_in", "telling", "words_of"]

_MOST_WORDS = 30
_SKETCH = 20_000
_TOLD = 0.2  # errors left, of those of always saying the commoner word
_MOSTLY = 0.9
_FEW = 200  # distinct values: a column with fewer is a category
_FLAGS = (
    *({"true", "false"}, {"yes", "no"}, {"y", "n"}, {"t", "f"}, {"0", "1"}, {"ja", "nein"}, {"j", "n"}, {"ja", "nee"}),
    *({"ja", "nej"}, {"ja", "nei"}, {"tak", "nie"}, {"ano", "ne"}, {"kylla", "ei"}),
    *({"oui", "non"}, {"o", "n"}, {"si", "no"}, {"s", "n"}, {"sim", "nao"}, {"vero", "falso"}, {"wahr", "falsch"}),
)
# letters that are not another one with an accent
_LETTERS = str.maketrans(
    dict(zip("øØłŁđðæœßþ", ["o", "O", "l", "L", "d", "d", "ae", "oe", "ss", "th"], strict=True)),
)
_LIKE_A_NAME = r"[^0-9@_/]*\pL[^0-9@_/]*|\pL.* .*"
_NEVER = re.compile(r"[^\W\d][^\d]{0,11}|[-/?.]{1,4}|(9999|2999|2099|0000|1900).*|.*[-/.](9999|2999|2099|0000|1900)\b.*")


@dataclass(frozen=True)
class ColumnFacts:
    """What the values of one column have in common."""

    name: str
    filled: int  # rows with a value
    distinct: int  # different values
    numbers: int = 0  # values that are numbers
    wholes: int = 0  # values that are whole numbers
    low: float | None = None
    high: float | None = None
    zeros: int = 0  # values with a leading zero before other digits
    number: str = ""  # the expression that reads every value as a number; empty where none does
    times: tuple[str, ...] = ()  # expressions that read every value as a time; the name itself where nothing is needed
    words: Mapping[str, int] = field(default_factory=dict)  # the commonest values of a category and their rows
    sketch: frozenset[int] = frozenset()  # the smallest hashes of the different values
    clock: Clock | None = None  # of times with a clock that are not numbers
    first: float | None = None  # the earliest time, in days since 1970
    middle: float | None = None
    last: float | None = None
    emails: bool = False  # whether the values are addresses of people
    clocks: bool = False  # whether the values are times of day without their day
    names: int = 0  # values that look like names: letters without digits, or several words
    kind: str = "text"  # text, number, time or flag, as the source holds it

    @property
    def is_number(self) -> bool:
        """Whether every value is a number as it stands."""
        return 0 < self.filled == self.numbers and not self.zeros

    @property
    def may_be_id(self) -> bool:
        """Whether the values could name something: texts, or whole numbers."""
        text_time = bool(self.times) and not self.numbers
        # some hexadecimal names look like numbers
        whole = self.wholes == self.numbers or self.numbers < _MOSTLY * self.filled
        return self.distinct > 1 and not text_time and not self.is_flag and whole

    @property
    def names_rows(self) -> bool:
        """Whether no two values are the same, but for a few rows exported twice."""
        return self.distinct > 1 and self.distinct >= _MOSTLY * self.filled

    @property
    def is_money(self) -> bool:
        """Whether the values are numbers with a sign of money or, all of them, cents."""
        return bool(self.number) and not self.is_number and not self.zeros

    @property
    def is_flag(self) -> bool:
        """Whether the values are two words such as yes and no."""
        return bool(self.words) and {words_of(word) for word in self.words} in _FLAGS

    @property
    def is_category(self) -> bool:
        """Whether the values are few words."""
        return bool(self.words) and not self.times and not self.is_number


@dataclass(frozen=True)
class FileFacts:
    """One file, folder or table of a database, and its columns."""

    name: str
    source: Mapping[str, Any]  # the keys of a configuration that read it
    rows: int
    columns: tuple[ColumnFacts, ...]
    after: Mapping[tuple[str, str], float] = field(default_factory=dict)  # two times of which one never follows the other: days

    def column(self, name: str) -> ColumnFacts:
        """Return the facts of a column."""
        return next(column for column in self.columns if column.name == name)

    def unique(self, column: ColumnFacts) -> bool:
        """Say whether a column names the rows."""
        return self.rows > 1 and column.filled == self.rows == column.distinct


def contained(one: ColumnFacts, other: ColumnFacts) -> float:
    """Estimate the share of a column's different values that another column has too.

    >>> contained(ColumnFacts("a", 2, 2, sketch=frozenset({1, 2})), ColumnFacts("b", 3, 3, sketch=frozenset({2, 3, 4})))
    0.5
    """
    if not one.sketch or not other.sketch:
        return 0.0
    # of each column the smallest hashes are known: up to the smaller of both ends every value is
    ends = [max(each.sketch) for each in (one, other) if len(each.sketch) >= _SKETCH]
    mine = {value for value in one.sketch if not ends or value <= min(ends)}
    return len(mine & other.sketch) / len(mine) if mine else 0.0


def words_of(name: str) -> str:
    """Write a column's name as words.

    >>> words_of("firstResponseTime_minutes"), words_of("Kunden-Nr."), words_of("Opłata, beløb (EUR)")
    ('first response time minutes', 'kunden nr', 'oplata belob eur')
    """
    # Kündigung, kuendigung: accents play no part
    plain = unicodedata.normalize("NFKD", name.translate(_LETTERS)).encode("ascii", "ignore").decode()
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", plain)
    return " ".join(re.findall(r"[^\W_]+", apart.lower()))


def sources_in(places: Sequence[Path], folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """List the sources in files and folders, each with a name; files of one name with numbers or dates are one source."""
    groups: dict[tuple[Path, str, str], list[Path]] = {}
    for place in places:
        inside = [file for file in sorted(place.rglob("*")) if file.is_file()] if place.is_dir() else [place]
        for file in inside:
            if by_ending(file) is None or any(part.startswith((".", "_")) for part in file.relative_to(place.parent).parts):
                continue
            stem = re.sub(r"[\W_]*(part)?[\W_]*\d[\d\W_]*$", "", file.name.split(".")[0]) or file.name.split(".")[0]
            partitioned = next((parent for parent in file.parents if "=" in parent.name), None)
            home = file.parent if partitioned is None else _first_home(file)
            groups.setdefault((home, home.name if partitioned else stem, "".join(file.suffixes)), []).append(file)
    for (home, stem, ending), files in groups.items():
        form = by_ending(files[0])
        if form is not None and form.tables is not None:
            for table in form.tables(str(files[0])):
                yield table, {"source": _relative(files[0], folder), "table": table}
        elif len(files) == 1:
            yield stem, {"source": _relative(files[0], folder)}
        else:
            pattern = "**/*" if any("=" in part for part in files[0].relative_to(home).parts) else f"{stem}*"
            yield stem, {"source": f"{_relative(home, folder)}/{pattern}{ending}"}


def sources_at(address: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """List the tables of a database server, each with a name."""
    form = by_address(address, "init")
    if form.tables is None:
        raise UsageError.of("no tables can be listed there", shown_address(address), "name the files in a config")
    for table in form.tables(address):
        yield table.rpartition(".")[2], {"source": address, "table": table}


def _first_home(file: Path) -> Path:
    """Return the folder that holds the folders named like `day=2025-01-01`."""
    return next(parent for parent in file.parents if not any("=" in part for part in parent.parts))


def _relative(path: Path, folder: Path) -> str:
    path, folder = path.resolve(), folder.resolve()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()


def look_at(name: str, source: Mapping[str, Any], folder: Path) -> FileFacts:
    """Look at every column of one source; the encoding and the decimal sign are found by trying."""
    tried: list[Mapping[str, Any]] = [source, *({**source, "encoding": each} for each in ("utf-16", "cp1252"))]
    first: UsageError | None = None
    for given in tried:
        try:
            with open_source(TableSource.model_validate(dict(given)), name, folder, {}) as opened:
                return _look(name, given, opened)
        except UsageError as error:
            first = first or error
            if "`encoding`" not in str(error):
                raise
    raise first or AssertionError("nothing was tried")


def _look(name: str, source: Mapping[str, Any], opened: OpenSource) -> FileFacts:
    values = {column: value for column, value in opened.columns.items() if value.kind != "other"}
    cells = {column: f"nullif(trim({as_text(value)}), '')" for column, value in values.items()}
    decimal = _decimal(source, opened, cells)
    asked = ["count(*)"]
    for cell in cells.values():
        number = as_number(Value(cell, "text"), decimal=decimal, lenient=True)
        asked += [
            f"count({cell})",
            f"count(DISTINCT {cell})",
            f"count(*) FILTER (WHERE isfinite({number}))",
            f"count(*) FILTER (WHERE isfinite({number}) AND {number} = trunc({number}))",
            f"min({number})",
            f"max({number})",
            f"count(*) FILTER (WHERE regexp_matches({cell}, '^0[0-9]'))",
            f"count(*) FILTER (WHERE regexp_matches({cell}, '^[^@ ]+@[^@ ]+[.][a-zA-Z]+$'))",
            f"count(*) FILTER (WHERE regexp_full_match({cell}, '{CLOCK_ONLY}'))",
            f"count(*) FILTER (WHERE regexp_full_match({cell}, '{_LIKE_A_NAME}'))",
        ]
    rows, *found = opened.connection.execute(f"SELECT {', '.join(asked)} FROM {opened.relation}").fetchone()
    columns, moments = [], {}
    for place, (column, cell) in enumerate(cells.items()):
        *counts, emails, clocks, names = found[10 * place : 10 * place + 10]
        facts = ColumnFacts(column, *counts)
        facts = replace(facts, emails=0 < facts.filled * _MOSTLY <= emails, kind=opened.columns[column].kind)
        facts = replace(facts, clocks=0 < facts.filled == clocks, names=names)
        if facts.filled:
            select = f"SELECT {quoted_name(column)} FROM {opened.relation} WHERE {cell} IS NOT NULL"
            asking = Values(opened.connection, column, opened.columns[column].kind, select, decimal)
            words = _words(opened, cell) if facts.distinct <= _FEW else {}
            facts = replace(facts, words=words, sketch=_sketch(opened, cell), **_readings(asking, facts))
            if not facts.times and asking.kind in ("text", "number"):
                facts = _without_never(opened, cell, asking, facts)
            if facts.times and not facts.numbers:
                facts = replace(facts, clock=clock_of(opened, cell, asking, facts.times[0]))
            if facts.times:
                moments[column] = moment(asking, facts.times[0])
        columns.append(facts)
    spans, after = spans_of(opened, moments)
    columns = _days_with_clocks(opened, [_within(each, spans.get(each.name)) for each in columns], int(rows))
    return FileFacts(name, source if decimal == "." else {**source, "decimal": decimal}, int(rows), tuple(columns), after)


def _days_with_clocks(opened: OpenSource, columns: list[ColumnFacts], rows: int) -> list[ColumnFacts]:
    """Read the only day of a file together with the only time of day beside it."""
    clocks = [each for each in columns if each.clocks and each.filled == rows]
    days = [each for each in columns if each.times and each.filled == rows and not (each.numbers or each.clock or each.clocks)]
    if len(clocks) != 1 or len(days) != 1 or days[0].kind != "text":
        return columns
    day, clock = days[0], clocks[0]
    cell = f"nullif(trim({quoted_name(clock.name)}), '')"
    ways = [with_clock(opened, day.name, clock.name, way, _words(opened, cell)) for way in day.times]
    made = replace(day, times=tuple(way for way in ways if way) or day.times, clock=Clock({}) if any(ways) else None)
    return [made if each is day else each for each in columns]


def _within(facts: ColumnFacts, span: tuple[float, ...] | None) -> ColumnFacts:
    return facts if span is None else replace(facts, first=span[0], middle=span[1], last=span[2])


def telling(file: FileFacts, flag: str, positive: str, folder: Path) -> list[str]:
    """Name the columns that tell almost surely who has a flag: what was written down because of it."""
    with open_source(TableSource.model_validate(dict(file.source)), file.name, folder, {}) as opened:
        cells = {name: f"nullif(trim({as_text(value)}), '')" for name, value in opened.columns.items() if value.kind != "other"}
        has = f"coalesce({cells[flag]} = {quoted_text(positive)}, false)"
        others = [column for column in file.columns if column.name != flag and column.distinct > 1]
        return [each.name for each in others if _tells(opened, cells[each.name], has, each)]


def _tells(opened: OpenSource, cell: str, has: str, column: ColumnFacts) -> bool:
    if column.words and not column.is_number:
        groups = f"SELECT {cell} AS v, sum(CAST({has} AS INT)) AS yes, count(*) AS n FROM {opened.relation} GROUP BY 1"
        sql = f"SELECT sum(yes), sum(n), sum(greatest(yes, n - yes)) FROM ({groups})"
        yes, rows, right = opened.connection.execute(sql).fetchone()
        wrong, at_first = rows - right, min(yes, rows - yes)
        return bool(at_first and wrong / at_first < _TOLD)
    if not column.number:
        return False
    number = f"TRY_CAST({cell} AS DOUBLE)"
    # the mean rank of those who have it: 1 or 0 where all others lie below or above
    ranked = f"SELECT {has} AS yes, rank() OVER (ORDER BY v) + 0.5 * (count(*) OVER (PARTITION BY v) - 1) AS r FROM "
    inner = f"(SELECT {number} AS v, * FROM {opened.relation} WHERE {number} IS NOT NULL)"
    sql = f"SELECT count(*) FILTER (WHERE yes), count(*), sum(r) FILTER (WHERE yes) FROM ({ranked}{inner})"
    yes, rows, ranks = opened.connection.execute(sql).fetchone()
    if not yes or yes == rows:
        return False
    above = (float(ranks) - yes * (yes + 1) / 2) / (yes * (rows - yes))
    return bool(max(above, 1 - above) > 1 - _TOLD / 2)


def _readings(asking: Values, facts: ColumnFacts) -> dict[str, Any]:
    """Find how the values can be read as times and as numbers."""
    times = () if asking.kind in ("flag", "interval") else tuple(as_times(asking))
    number = written_name(facts.name) if facts.is_number else ""
    if not number and not times and not facts.zeros and asking.kind == "text":
        number = as_numbers(asking, money=True)
    return {"times": times, "number": number}


def _without_never(opened: OpenSource, cell: str, asking: Values, facts: ColumnFacts) -> ColumnFacts:
    """Read a column of times in which a word or a day far away, such as 9999-12-31, stands for never."""
    common = [(word, rows) for word, rows in _words(opened, cell).items() if _NEVER.fullmatch(word)][:2]
    if not common or len(common) == facts.distinct:
        return facts
    listed = ", ".join(quoted_text(word) for word, _ in common)
    others = replace(asking, select=f"{asking.select} AND {cell} NOT IN ({listed})")
    name = other = written_name(facts.name)
    for word, _ in common:
        other = f"nullif({other}, {word if asking.kind == 'number' else quoted_text(word)})"
    ways = tuple(way.replace(name, other, 1) for way in as_times(others))
    rows = sum(rows for _, rows in common)
    return replace(facts, times=ways, filled=facts.filled - rows, numbers=0, words={}) if ways else facts


def _words(opened: OpenSource, cell: str) -> dict[str, int]:
    sql = f"SELECT {cell} AS word, count(*) AS n FROM {opened.relation} GROUP BY 1 HAVING word IS NOT NULL ORDER BY 2 DESC, 1"
    return {str(word): int(count) for word, count in opened.connection.execute(f"{sql} LIMIT {_MOST_WORDS}").fetchall()}


def _sketch(opened: OpenSource, cell: str) -> frozenset[int]:
    # 17850.0 and 17850 are one id
    plain = f"regexp_replace({cell}, '\\.0+$', '')"
    sql = f"SELECT DISTINCT hash({plain}) AS h FROM {opened.relation} WHERE {cell} IS NOT NULL ORDER BY h LIMIT {_SKETCH}"
    return frozenset(int(row[0]) for row in opened.connection.execute(sql).fetchall())


def _decimal(source: Mapping[str, Any], opened: OpenSource, cells: Mapping[str, str]) -> str:
    """Find the decimal sign: a comma where more columns are numbers with it than with a point."""
    if by_ending(Path(str(source["source"]))) is not FORMATS["csv"] or not cells:
        return "."
    asked = []
    for cell in cells.values():
        asked.append(f"count(*) FILTER (WHERE regexp_full_match({cell}, '[+-]?[0-9.]*,[0-9]+'))")
        asked.append(f"count(*) FILTER (WHERE regexp_full_match({cell}, '[+-]?[0-9,]*[.][0-9]+'))")
    found = opened.connection.execute(f"SELECT {', '.join(asked)} FROM {opened.relation}").fetchone()
    return "," if sum(found[::2]) > sum(found[1::2]) else "."
