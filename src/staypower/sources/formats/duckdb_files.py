"""DuckDB files: one of their tables, or the rows of one SELECT; opened for reading only."""

from __future__ import annotations

from staypower.errors import UsageError, nearest
from staypower.sources.formats.format import Format, Opening
from staypower.sources.values import quoted_name, quoted_text

__all__ = ["FORMAT"]


def _relation(opening: Opening) -> str:
    """Attach the file, and name its table or check its query."""
    connection, source, place = opening.connection, opening.source, opening.place
    connection.execute(f"ATTACH {quoted_text(str(opening.files[0]))} AS given_file (READ_ONLY)")
    connection.execute("USE given_file")
    if source.query is not None:
        return f"({_one_select(source.query, place)})"
    rows = connection.execute(
        "SELECT schema_name || '.' || table_name, table_name FROM duckdb_tables() WHERE database_name = 'given_file' UNION ALL "
        "SELECT schema_name || '.' || view_name, view_name FROM duckdb_views() "
        "WHERE database_name = 'given_file' AND NOT internal"
    ).fetchall()
    known = {str(full): str(full) for full, _ in rows} | {str(short): str(full) for full, short in rows}
    if source.table is None or source.table not in known:
        problem = "no table is named" if source.table is None else "the file has no such table"
        fix = nearest(source.table or "", (str(short) for _, short in rows)) + (" as `table`" if source.table is None else "")
        raise UsageError.of(problem, f"{place}: {source.table or opening.files[0]}", fix)
    return ".".join(quoted_name(part) for part in ("given_file", *known[source.table].split(".", 1)))


def _one_select(query: str, place: str) -> str:
    """Accept exactly one SELECT; the connection can read nothing but its own file."""
    # the parser takes long to import: declaring a format must not
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        statements = [statement for statement in sqlglot.parse(query, dialect="duckdb") if statement is not None]
    except (SqlglotError, RecursionError) as error:
        raise UsageError.of("the query cannot be parsed", f"{place}: {query[:80]!r}", "write one SELECT") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise UsageError.of("the query is not one SELECT", f"{place}: {query[:80]!r}", "write one SELECT")
    return statements[0].sql(dialect="duckdb")


FORMAT = Format(
    name="duckdb",
    label="DuckDB",
    endings=(".duckdb", ".db"),
    example=("`source: data/a.duckdb` with `table: events` or with `query: select ... from ...`; opened for reading only"),
    relation=_relation,
    database=True,
)
