"""Features that users declare in their config: checked against the tables before anything is built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from staypower.errors import Problem, UsageError, nearest
from staypower.features.definition import Definition, Feature, Filter, Template, expand
from staypower.features.sensitive import sensitive_columns
from staypower.features.settings import OwnFeature
from staypower.tables import Table

__all__ = ["known_when", "own_features"]


def own_features(own: Sequence[OwnFeature], streams: Mapping[str, Table], barred: frozenset[str]) -> list[Definition]:
    """Make the definitions of a user's own features.

    >>> own_features((), {}, frozenset())
    []
    """
    made: list[Definition] = []
    problems: list[Problem] = []
    for feature in own:
        try:
            made += _own(feature, streams, barred)
        except UsageError as error:
            problems += error.problems
    if problems:
        raise UsageError(problems)
    return made


def _own(own: OwnFeature, streams: Mapping[str, Table], barred: frozenset[str]) -> tuple[Definition, ...]:
    if own.table not in streams:
        raise UsageError.of("unknown table", f"features.own.{own.name}: {own.table}", nearest(own.table, streams))
    feature = Feature(
        name=own.name,
        table=own.table,
        aggregation=own.aggregation,
        column=own.column,
        time=own.time,
        until=own.until,
        where=tuple(Filter(f.column, f.values, f.at_least, f.below) for f in own.filter),
        unit=own.unit,
        description=own.description,
        lever=own.lever,
        category=own.aggregation == "last_code",
    )
    stream = streams[own.table]
    read = sensitive_columns(feature, barred)
    if read:
        where = f"features.own.{own.name}: {', '.join(read)}"
        fix = "leave the feature out, or write `sensitive_as_features: true`"
        raise UsageError.of("a feature reads a sensitive attribute", where, fix)
    for column in feature.columns:
        if not stream.has(column):
            where = f"features.own.{own.name}: {own.table}.{column}"
            raise UsageError.of("unknown column", where, nearest(column, stream.data.column_names))
        if not known_when(stream, column):
            fix = f"map `{stream.schema.column(column).known_from}`, or declare the column `fixed`"  # type: ignore[union-attr]
            raise UsageError.of("nobody can say from when a column is known", f"features.own.{own.name}: {column}", fix)
    return expand([Template(feature)], own.windows) if own.windows else (feature,)


def known_when(stream: Table, column: str) -> bool:
    """Say whether the time from which a column is known is there.

    >>> import pyarrow as pa
    >>> from staypower.tables import SCHEMAS
    >>> known_when(Table(SCHEMAS["tickets"], pa.table({"category": ["billing"]})), "category")
    False
    """
    described = stream.schema.column(column)
    return described is None or described.known_from is None or stream.has(described.known_from)
