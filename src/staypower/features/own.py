"""Features of the user's own: over any table, or computed from two other features by name."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from staypower.errors import Problem, UsageError, nearest
from staypower.features.definition import (
    DIRECTIONS,
    Combination,
    Definition,
    Direction,
    Feature,
    Filter,
    Template,
    expand,
    slug_of,
)
from staypower.features.settings import OwnFeature
from staypower.features.streams.making import source_of
from staypower.schemas import INSTRUMENTS
from staypower.tables import Table

__all__ = ["MADE_OF", "known_when", "own_features", "sensitive_columns"]

# columns of the accounts that are computed from an attribute
MADE_OF: Mapping[str, str] = MappingProxyType(
    {"owner_changed": "owner", "setup_days": "setup_completed_at", "seats_change": "seats"}
)
# features that are declared only once the data hold their text: an earlier cutoff may not know them yet
_LEARNED = re.compile(rf"((days_since_)?event|csat_at|(days_since_)?({'|'.join(INSTRUMENTS)}))_")


def own_features(
    own: Sequence[OwnFeature], streams: Mapping[str, Table], barred: frozenset[str], declared: Sequence[Definition]
) -> list[Definition]:
    """Make the definitions of a user's own features; those computed from others may name every feature of the catalogue."""
    names = {definition.name for definition in declared}.union(*(_names_of(feature) for feature in own))
    made: list[Definition] = []
    problems: list[Problem] = []
    for feature in own:
        try:
            made += _combined(feature, names) if feature.combined else _of_table(feature, streams, barred)
        except UsageError as error:
            problems += error.problems
    definitions = {definition.name: definition for definition in (*declared, *made)}
    for definition in made:
        if isinstance(definition, Combination):
            problems += _input_problems(definition, definitions, names, barred)
    if problems:
        raise UsageError(problems)
    return made


def _names_of(own: OwnFeature) -> list[str]:
    return [f"{own.name}_{window}d" for window in own.windows] or [own.name]


def _direction(own: OwnFeature) -> Direction:
    return next((number for number, word in DIRECTIONS.items() if word == own.direction), None)


def _of_table(own: OwnFeature, streams: Mapping[str, Table], barred: frozenset[str]) -> tuple[Definition, ...]:
    table, aggregation = own.table or "", own.aggregation or ""
    if table not in streams:
        raise UsageError.of("unknown table", f"features.own.{own.name}: {table}", nearest(table, streams))
    feature = Feature(
        name=own.name,
        table=table,
        aggregation=aggregation,
        column=own.column,
        time=own.time,
        until=own.until,
        offset=own.offset,
        where=tuple(Filter(f.column, f.values, f.at_least, f.below) for f in own.filter),
        unit=own.unit,
        description=own.description,
        lever=own.lever,
        category=aggregation == "last_code",
        direction=_direction(own),
    )
    stream = streams[table]
    read = sensitive_columns(feature, barred)
    if read:
        raise UsageError([_sensitive(own.name, ", ".join(read))])
    for column in feature.columns:
        if not stream.has(column):
            where = f"features.own.{own.name}: {table}.{column}"
            raise UsageError.of("unknown column", where, nearest(column, stream.data.column_names))
        if not known_when(stream, column):
            fix = f"map `{stream.schema.column(column).known_from}`, or declare the column `fixed`"  # type: ignore[union-attr]
            raise UsageError.of("no date says from when a column is known", f"features.own.{own.name}: {column}", fix)
    return expand([Template(feature)], own.windows) if own.windows else (feature,)


def _combined(own: OwnFeature, names: Collection[str]) -> list[Definition]:
    """Make a feature of two others; with windows, one for each: an input is that of the window if there is one."""
    assert own.combined is not None
    how, inputs = own.combined
    plain = Combination(
        name=own.name,
        how=how,
        inputs=inputs,
        unit=own.unit,
        description=own.description,
        lever=own.lever,
        direction=_direction(own),
    )
    made: list[Definition] = []
    for name, window in zip(_names_of(own), own.windows or (None,), strict=True):
        first, second = (f"{one}_{window}d" if f"{one}_{window}d" in names else one for one in inputs)
        made.append(replace(plain, name=name, inputs=(first, second)))
    return made


def _input_problems(
    made: Combination, definitions: Mapping[str, Definition], names: Collection[str], barred: frozenset[str]
) -> Iterator[Problem]:
    for name in dict.fromkeys(made.inputs):
        where = f"features.own.{made.name}: {name}"
        if name in {f"account_{slug_of(column)}" for column in barred}:
            yield _sensitive(made.name, f"`{name}`")
        elif name not in names and not _LEARNED.match(name):
            yield Problem("unknown feature", where, nearest(name, names))
        elif name in definitions and definitions[name].category:
            yield Problem("a text cannot be combined with a number", where, "name a feature that is a number")
        elif name in definitions and (read := sensitive_columns(definitions[name], barred)):
            yield _sensitive(made.name, ", ".join(read))


def _sensitive(name: str, columns: str) -> Problem:
    fix = "leave the feature out, or write `sensitive_as_features: true`"
    return Problem("a feature reads a sensitive attribute", f"features.own.{name}: {columns}", fix)


def known_when(stream: Table, column: str) -> bool:
    """Say whether the table has the time from which a column is known."""
    described = stream.schema.column(column)
    return described is None or described.known_from is None or stream.has(described.known_from)


def sensitive_columns(definition: Definition, barred: Collection[str]) -> list[str]:
    """Name the barred attributes that a definition reads."""
    if isinstance(definition, Combination) or source_of(definition.table) != "accounts":
        return []
    return [f"`{column}`" for column in definition.columns if MADE_OF.get(column, column) in barred]
