"""From a source's mapping to the columns that will be read: every problem of the mapping at once."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from staypower.errors import Problem, UsageError, nearest
from staypower.schemas import ATTRIBUTES, CONSTANT_FIRST, SCHEMAS, SURVEY_SCALE_COLUMNS, VOCABULARY, Kind, Scale
from staypower.sources.advice import Values, fix_times, written_name
from staypower.sources.opening import OpenSource
from staypower.sources.settings import RESERVED, JoinKey, Joins, Scalar, TableSource
from staypower.sources.values import Value, ValueKind, as_text, quoted_name, quoted_text

_MONEY = frozenset({"mrr", "amount", "acquisition_cost"})
_CURRENCY = frozenset({"currency", "currency_code", "currency code", "waehrung", "währung", "devise", "moneda"})
_DATE_TEXT = re.compile(r"^\d{4}-\d{2}-\d{2}([T ].*)?$")
_FITS: Mapping[str, tuple[ValueKind, ...]] = {
    "id": ("text", "number", "flag", "time", "nothing"),
    "text": ("text", "number", "flag", "time", "nothing"),
    "number": ("number", "text", "flag", "interval", "nothing"),
    "time": ("time", "text", "nothing"),
    "flag": ("flag", "text", "number", "nothing"),
}
_KIND_FIXES: Mapping[str, str] = {
    "time": "write `parse_time(column, '%d/%m/%Y')` for a text, `to_timestamp(n)` or `epoch_ms(n)` for a number since 1970, "
    "`parse_time(column::varchar, '%Y%m%d')` for 20250701",
    "number": "map a column of numbers, or write a `case` expression",
    "flag": "write a comparison, such as `status = 'cancelled'`",
    "id": "map a column of texts or numbers",
    "text": "map a column of texts or numbers",
}


@dataclass(frozen=True)
class PlannedColumn:
    """One canonical column that a source will give."""

    name: str  # canonical name
    kind: Kind | None  # None: to be read off the values (an attribute or declared column that is text in the source)
    value: Value  # its SQL over the source's cleaned columns
    used: frozenset[str]  # source columns that it reads
    raw: bool  # it is a source column, unchanged
    written: str  # what the configuration says, for messages


@dataclass(frozen=True)
class Plan:
    """What to read from one source."""

    columns: tuple[PlannedColumn, ...]
    where: Value | None  # the filter
    used: frozenset[str]  # every source column that is read
    usable: frozenset[str]  # mutable columns declared fixed, or static attributes
    left: tuple[str, ...]  # source columns that are not read
    merged: str = ""  # SQL that says which rows of accounts were merged into another
    via: JoinKey | None = None  # the id through which the account is found


# what a program wrote beside the columns of a table: the index of a frame, the number of a row
_TECHNICAL = re.compile(
    r"|__index_level_\d+__|unnamed: ?\d+(_level_\d+)?|level_\d+|_?index|row[ _.]?(id|index|name|names|no|num|number)|_?rowid_?"
    r"|__null_dask_index__"
)


def is_technical(name: str) -> bool:
    """Say whether a column is no property of an account, but was added by what wrote the file.

    >>> [name for name in ("Unnamed: 0", "__index_level_0__", "RowNumber", "index", "price_index") if is_technical(name)]
    ['Unnamed: 0', '__index_level_0__', 'RowNumber', 'index']
    """
    return _TECHNICAL.fullmatch(name.strip().lower()) is not None


class UnplannedError(UsageError):
    """A mapping has problems; `plan` holds the columns that have none."""

    def __init__(self, problems: Sequence[Problem], plan: Plan) -> None:
        super().__init__(problems)
        self.plan = plan


def plan_source(table: str, source: TableSource, opened: OpenSource, place: str, joins: Joins | None = None) -> Plan:
    """Resolve a mapping against the source that it maps; `joins` says what the other sources say of keys."""
    planner = _Planner(table, source, opened, place, joins or Joins.of({}))
    planner.check_keys()
    planner.plan_mapped()
    planner.plan_unmapped()
    planner.check_required()
    planner.check_currency()
    where = planner.plan_where()
    if planner.problems:
        # without its filter no value can be called wrong
        good = planner.columns if source.where is None or where is not None else ()
        used = frozenset().union(*(column.used for column in good), planner.where_used)
        raise UnplannedError(planner.problems, Plan(tuple(good), where, used, frozenset(), ()))
    merged = planner.follow_aliases()
    used = frozenset().union(*(column.used for column in planner.columns), planner.where_used)
    usable = frozenset(source.fixed) | planner.static
    left = tuple(name for name in opened.columns if name not in used)
    return Plan(tuple(planner.columns), where, used, usable, left, merged, planner.via)


@dataclass
class _Planner:
    table: str
    source: TableSource
    opened: OpenSource
    place: str
    joins: Joins
    columns: list[PlannedColumn] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    static: frozenset[str] = frozenset()
    where_used: frozenset[str] = frozenset()

    @property
    def declared(self) -> bool:
        """A table of the user's own."""
        return self.table not in SCHEMAS

    @property
    def own_time(self) -> str:
        return self.source.time or "at"

    @property
    def names(self) -> tuple[str, ...]:
        """Canonical names that a mapping may give."""
        if self.declared:
            named = *self.foreign_key, *self.source.mapping, *self.source.columns
            return tuple(dict.fromkeys(("account_id", self.own_time, *named, "known_at")))
        names = tuple(name for name in SCHEMAS[self.table].names if name not in SURVEY_SCALE_COLUMNS)
        return tuple(dict.fromkeys((*names, *self.foreign_key, *self.source.columns)))

    @property
    def via(self) -> JoinKey | None:
        """The id of the table through which the account is found."""
        return self.joins.keys.get(self.source.key_via or "")

    @property
    def foreign_key(self) -> tuple[str, ...]:
        return (self.via.column,) if self.via is not None else ()

    def problem(self, problem: str, value: str, fix: str) -> None:
        self.problems.append(Problem(problem, f"{self.place}{value}", fix))

    def check_keys(self) -> None:
        """Refuse keys that mean nothing for this table."""
        source, accounts = self.source, self.table == "accounts"
        if source.key_via is not None and not self.foreign_key:
            having = [name for name in self.joins.keys if name != self.table]
            fix = nearest(source.key_via, having)
            if source.key_via in self.joins.declared:
                fix = f"declare its id in `tables.{source.key_via}`, such as `columns: {{person_id: id}}`"
            self.problem("key_via names no table that has an id", f".key_via: {source.key_via}", fix)
        for key in ("static", "leave_out", "derive_from", "aliases"):
            if getattr(source, key) and not accounts:
                fix = "write `fixed:` for columns that never change" if key == "static" else "leave it out"
                self.problem(f"`{key}` belongs to accounts only", f".{key}", fix)
        if source.time is not None and not self.declared:
            self.problem("`time` belongs to a declared table only", ".time", f"map `{SCHEMAS[self.table].times[0]}`")
        for name in source.columns if not self.declared else ():
            if name in SCHEMAS[self.table].names:
                self.problem("the column has its kind already", f".columns: {name}", "leave it out")
        known = (*self.names, *(RESERVED if not self.declared else ()))
        for name in (*source.mapping, *source.constant):
            if name not in self.names and (not accounts or self.is_misspelt(name)):
                own = "" if accounts else f"; a column of your own is declared: `columns: {{{name}: number}}`"
                self.problem("unknown column", f".{name}", nearest(name, known) + own)
        for name in source.fixed if not accounts else ():
            if name not in self.names:
                self.problem("unknown column", f".fixed: {name}", nearest(name, self.names))

    def is_misspelt(self, name: str) -> bool:
        """Say whether an attribute's name is a canonical name or key with a typo."""
        if name in self.opened.columns or name in ATTRIBUTES or name in self.source.columns:
            return False
        # `status: Status` maps a column: it cannot be `static` misspelt, whose value would be no column
        maps_column = name in self.source.constant or self.source.mapping[name] in self.opened.columns
        near = nearest(name, self.names if maps_column else (*self.names, *RESERVED))
        meant = near.removeprefix("write `").rstrip("`") if near.startswith("write") else ""
        return bool(meant) and _slips(name, meant) <= max(1, min(2, len(name) // 4))

    def follow_aliases(self) -> str:
        """Let merged accounts count as the one that is left; return which rows of accounts are then in excess."""
        account = next((column for column in self.columns if column.name == "account_id"), None)
        if not self.opened.aliased or account is None:
            return ""
        given = as_text(account.value)
        led = f"coalesce((SELECT min(kept) FROM given_aliases WHERE given_aliases.given = {given}), {given})"
        values = {"account_id": Value(led, "text")}
        excess = ""
        if self.table == "accounts":
            away = f"({given} IN (SELECT given FROM given_aliases))"
            alone = "FALSE" if any(column.name == "valid_from" for column in self.columns) else "TRUE"
            place = f"row_number() OVER (PARTITION BY {led} ORDER BY {away})"
            excess = f"({away} AND (NOT {alone} OR {place} > 1))"
            began = next((column.value for column in self.columns if column.name == "signed_up_at"), None)
            if began is not None:
                # a customer since the first of the accounts that became one
                values["signed_up_at"] = replace(began, sql=f"min({began.sql}) OVER (PARTITION BY {led})")
        self.columns = [
            replace(column, value=values[column.name], raw=False) if column.name in values else column
            for column in self.columns
        ]
        return excess

    def check_currency(self) -> None:
        """Refuse to add up amounts of several currencies."""
        amounts = [column.name for column in self.columns if column.name in _MONEY]
        told = next((name for name in self.opened.columns if name.strip().lower() in _CURRENCY), None)
        written = " ".join(str(given) for given in (*self.source.mapping.values(), self.source.where))
        if told is None or not amounts or told in written:
            return
        sql = f"SELECT DISTINCT {quoted_name(told)} FROM {self.opened.relation} WHERE {quoted_name(told)} IS NOT NULL LIMIT 20"
        words = sorted(str(row[0]) for row in self.opened.connection.execute(sql).fetchall() if str(row[0]).strip())
        if len(words) < 2:
            return
        name, amount = written_name(told), self.source.mapping.get(amounts[0], amounts[0])
        rates = " ".join(f"when {quoted_text(word)} then {1 if place == 0 else 'RATE'}" for place, word in enumerate(words))
        fix = f"write `where: {name} = {quoted_text(words[0])}`, or with rates `({amount}) * case {name} {rates} end`"
        value = f".{amounts[0]}: {', '.join(words[:5])} in column {told}"
        self.problem(f"amounts in {len(words)} currencies would be added up", value, fix)

    def plan_mapped(self) -> None:
        for name, written in self.source.mapping.items():
            if name not in self.source.constant:
                self.attempt(name, written)
        for name, constant in self.source.constant.items():
            value = _constant(constant)
            self.add(name, value, frozenset(), raw=False, written=repr(constant))

    def attempt(self, name: str, written: Scalar) -> None:
        """Plan one mapped column; keep its problems."""
        try:
            value, used, raw = self.resolve(name, written)
        except UsageError as error:
            self.problems.extend(error.problems)
            return
        self.add(name, value, used, raw=raw, written=str(written))

    def resolve(self, name: str, written: Scalar) -> tuple[Value, frozenset[str], bool]:
        """Say what a mapped value is: a vocabulary word, a source column, a number, or an expression."""
        if not isinstance(written, str):
            return _constant(written), frozenset(), False
        word = written.strip()
        first = word.lower() in CONSTANT_FIRST.get(name, ()) or (name == "scale" and Scale.is_one(word))
        if not first and written in self.opened.columns:
            return self.column(written, name), frozenset({written}), True
        if first or word.lower() in VOCABULARY.get(name, ()):
            return Value(quoted_text(word.lower()), "text", literal=word.lower()), frozenset(), False
        if self.kind(name) == "time" and _DATE_TEXT.match(word):
            return Value(quoted_text(word), "text", literal=word), frozenset(), False
        place = f"{self.place}.{name}"
        from staypower.sources.expressions import compile_expression  # the parser takes long to load

        compiled = compile_expression(written, self.opened.columns, place, decimal=self.source.decimal)
        return compiled.value, compiled.used, False

    def column(self, column: str, name: str) -> Value:
        value = self.opened.columns[column]
        if value.kind in ("other", "interval"):
            problem = f"column `{column}` is of type {self.opened.types[column]}"
            raise UsageError.of(
                problem, f"{self.place}.{name}", "unpack it in the source first: plain columns, one row per item"
            )
        return value

    def kind(self, name: str) -> Kind | None:
        """Say the kind a canonical column must have, None when the source decides."""
        if name in self.source.columns:
            return self.source.columns[name]
        if name in ("account_id", *self.foreign_key):
            return "id"
        if name == "known_at" or (self.declared and name == self.own_time):
            return "time"
        schema = SCHEMAS.get(self.table)
        column = schema.column(name) if schema is not None else None
        if column is not None:
            return column.kind
        attribute = ATTRIBUTES.get(name)
        return "number" if attribute == "number" else "text" if attribute == "text" else None

    def add(self, name: str, value: Value, used: frozenset[str], *, raw: bool, written: str) -> None:
        kind = self.kind(name)
        if kind is None and value.kind in ("number", "flag", "time", "interval"):
            # the days between two times
            kind = "number" if value.kind == "interval" else value.kind
        if value.kind not in _FITS[kind or "text"]:
            article = "an" if kind == "id" else "a"
            problem = f"{written} is {_article(value.kind)}, and `{name}` takes {article} {kind}"
            fix = _KIND_FIXES[kind or "text"]
            if kind == "time" and value.kind == "number" and raw:
                select = f"SELECT {value.sql} FROM {self.opened.relation} WHERE {value.sql} IS NOT NULL"
                fix = fix_times(Values(self.opened.connection, next(iter(used)), "number", select))
            self.problem(problem, f".{name}", fix)
            return
        self.columns.append(PlannedColumn(name, kind, value, used, raw, written))

    def plan_unmapped(self) -> None:
        """Take the columns that are not mapped: canonical names, and static attributes."""
        planned = {*self.source.mapping, *self.source.constant}
        if self.source.key_via is not None:
            planned.add("account_id")
        wanted = [name for name in self.names if name not in planned and name in self.opened.columns]
        if self.table == "accounts":
            wanted += self.attributes({*planned, *wanted})
        for name in wanted:
            self.attempt(name, name)
        if self.table != "accounts":
            for name in self.source.columns:
                if name not in planned and name not in self.opened.columns:
                    self.problem("the source has no such column", f".columns: {name}", nearest(name, self.opened.columns))

    def attributes(self, planned: set[str]) -> list[str]:
        """List the attributes to take under their own names, and remember the static ones."""
        source, columns = self.source, self.opened.columns
        known = [name for name in ATTRIBUTES if name in columns and name not in planned]
        if source.static == "all":
            mapped = frozenset().union(*(column.used for column in self.columns if column.raw))
            free = [name for name in columns if name not in planned and not is_technical(name)]
            every = [name for name in free if name not in mapped or name in source.leave_out]
            # what is left out is read all the same, as a flag may be; a list or a structure cannot be
            every = [name for name in every if name not in source.leave_out or columns[name].kind not in ("other", "interval")]
            given = [column.name for column in self.columns if column.name not in self.names]
            for name in source.leave_out:
                if name not in columns and name not in source.mapping:
                    self.problem("the source has no such column", f".leave_out: {name}", nearest(name, columns))
            self.static = frozenset(name for name in (*every, *given) if name not in source.leave_out)
            return every
        named = [name for name in (*source.static, *source.fixed) if name not in planned and not is_technical(name)]
        for name in named:
            if name not in columns:
                self.problem(
                    "static names an attribute that is neither mapped nor in the source",
                    f".static: {name}",
                    nearest(name, columns),
                )
        self.static = frozenset((*source.static, *source.fixed))
        return list(dict.fromkeys((*known, *(name for name in named if name in columns))))

    def check_required(self) -> None:
        """Ask for the account and a time."""
        tried = {column.name for column in self.columns} | set(self.source.mapping) | set(self.source.constant)
        has = ", ".join(f"`{name}`" for name in list(self.opened.columns)[:12])
        more = ", ..." if len(self.opened.columns) > 12 else ""
        needed: list[Sequence[str]] = [self.foreign_key if self.source.key_via is not None else ("account_id",)]
        if self.declared and self.table not in self.joins.through:
            needed.append((self.own_time,))
        elif not self.declared and self.table != "accounts":
            needed.append(SCHEMAS[self.table].times)
        for names in needed:
            if names and not tried.intersection(names):
                either = " or ".join(f"`{name}`" for name in names)
                self.problem(f"{either} is not mapped", "", f"write `{names[0]}: column`; the source has {has}{more}")

    def plan_where(self) -> Value | None:
        if self.source.where is None:
            return None
        place = f"{self.place}.where"
        try:
            from staypower.sources.expressions import compile_expression

            compiled = compile_expression(self.source.where, self.opened.columns, place, decimal=self.source.decimal)
        except UsageError as error:
            self.problems.extend(error.problems)
            return None
        if compiled.value.kind != "flag":
            self.problem(
                "`where` is not true or false", f".where: {self.source.where}", "write a comparison, such as `amount > 0`"
            )
        self.where_used = compiled.used
        return compiled.value


def _constant(written: Scalar) -> Value:
    if isinstance(written, bool):
        return Value("TRUE" if written else "FALSE", "flag")
    if isinstance(written, int):
        return Value(str(written), "number", whole=True)
    if isinstance(written, float):
        return Value(repr(written), "number") if math.isfinite(written) else Value("NULL", "nothing")
    return Value(quoted_text(written), "text", literal=written)


def _article(kind: ValueKind) -> str:
    words: Mapping[ValueKind, str] = {"flag": "true or false", "interval": "a length of time", "other": "a list or structure"}
    return words.get(kind, f"a {kind}")


def _slips(one: str, other: str) -> int:
    """Count the single-letter changes between two words (Levenshtein)."""
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        last, row[0] = row[0], i
        for j, right in enumerate(other, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (left != right))
    return row[-1]
