"""Queries of the user's own against a database: exactly one SELECT."""

from __future__ import annotations

from staypower.errors import UsageError


def one_select(query: str, place: str, dialect: str) -> str:
    """Accept exactly one SELECT and return it in the dialect it was written in."""
    # the parser takes long to import: declaring a format must not
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        statements = [statement for statement in sqlglot.parse(query, dialect=dialect) if statement is not None]
    except (SqlglotError, RecursionError) as error:
        raise UsageError.of("the query cannot be parsed", f"{place}: {query[:80]!r}", "write one SELECT") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise UsageError.of("the query is not one SELECT", f"{place}: {query[:80]!r}", "write one SELECT")
    return statements[0].sql(dialect=dialect)
