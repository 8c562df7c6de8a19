"""The generated parts of `docs/inputs.md`: tables and columns, keys of a mapping, functions of expressions."""

from __future__ import annotations

from staypower.outputs.kinds import OUTPUTS
from staypower.schemas import SCHEMAS, SURVEY_SCALE_COLUMNS, Column, TableSchema
from staypower.sources.formats import FORMATS
from staypower.sources.settings import RESERVED

__all__ = ["document_expressions", "document_formats", "document_keys", "document_outputs", "document_schemas"]

# what the rules of `staypower.sources.expressions` allow
_FUNCTIONS = {
    "cast(x as type)": "`x` as varchar, double, bigint, boolean, date or timestamp; also `x::type`",
    "try_cast(x as type)": "the same, missing where it cannot be done",
    "case when .. then .. else .. end": "the first branch whose condition is true; also `if(condition, a, b)`",
    "coalesce(a, b, ..)": "the first that is not missing",
    "nullif(a, b)": "missing where `a` equals `b`",
    "parse_time(text, format)": "a time written otherwise than ISO, such as `parse_time(day, '%d/%m/%Y')`; also `strptime`",
    "to_timestamp(n), epoch_ms(n)": "a time given as seconds or milliseconds since 1970",
    "days_between(a, b)": "days from one time to another, with the fraction of a day; negative when `b` is earlier",
    "to_seconds(n) .. to_years(n)": "seconds, minutes, hours, days, weeks, months or years to add to a time",
    "interval '5 minutes'": "the same as a constant",
    "date_trunc('month', t)": "the start of the year, quarter, month, week, day, hour or minute",
    "lower, upper, trim, length": "of a text; `trim(text, characters)` too",
    "left(text, n), right(text, n), substr(text, from, n)": "parts of a text",
    "replace(text, a, b), concat(a, ..), a || b": "other texts",
    "starts_with(text, a), contains(text, a)": "true or false",
    "abs, floor, ceil, round(n, digits)": "of a number",
    "least(a, ..), greatest(a, ..)": "the smallest or largest that is not missing",
}


def document_schemas() -> str:
    """Write every canonical table and column in Markdown."""
    return "\n\n".join(_table(schema) for schema in SCHEMAS.values())


def _table(schema: TableSchema) -> str:
    times = " and/or ".join(f"`{time}`" for time in schema.times)
    needed = f"needs `account_id` and {times}" if schema.name != "accounts" else f"needs `account_id`; {times} gives tenure"
    repeated = f"; `{schema.row_id}` names a row" if schema.row_id else ""
    known: dict[str, list[str]] = {}
    for column in schema.columns:
        if column.name not in SURVEY_SCALE_COLUMNS and column.name not in schema.times:
            bound = "" if column.minimum is None else f" >= {column.minimum:g}"
            known.setdefault(_known(column, schema), []).append(f"`{column.name}` ({column.kind}{bound})")
    rows = [f"| {when} | {', '.join(names)} |" for when, names in known.items()]
    return f"### `{schema.name}`\n\n`{schema.name}` {needed}{repeated}.\n\n| known | columns |\n|---|---|\n" + "\n".join(rows)


def _known(column: Column, schema: TableSchema) -> str:
    """Say from when the values of a column are used."""
    if column.mutable:
        after = f"from `{column.known_from}`" if column.known_from else "not used"
        return f"{after}, unless declared `fixed`{' or dated by `valid_from`' if schema.column('valid_from') else ''}"
    if column.known_from == column.name:
        return "at that time"
    return f"from `{column.known_from}`" if column.known_from else "with the row"


def document_formats() -> str:
    """Write the formats of files in Markdown."""
    rows = []
    for form in FORMATS.values():
        endings = ", ".join(f"`{ending}`" for ending in form.endings)
        spark = "yes" if form.on_spark is not None else "no: write Parquet"
        rows.append(f"| {form.label} | `{form.name}` | {endings} | {spark} | {form.example} |")
    head = "| files | `format` | endings (`.gz` may follow) | on Spark | how to write it |\n|---|---|---|---|---|"
    return head + "\n" + "\n".join(rows)


def document_outputs() -> str:
    """Write the places that rows are written to in Markdown."""
    rows = [f"| {kind.label} | {kind.example} | {kind.note} |" for kind in OUTPUTS.values()]
    return "| place | how to write it | what is written |\n|---|---|---|\n" + "\n".join(rows)


def document_keys() -> str:
    """Write the reserved keys of a mapping in Markdown."""
    rows = [f"| `{key}` | {meaning} |" for key, meaning in RESERVED.items()]
    return "| key | meaning |\n|---|---|\n" + "\n".join(rows)


def document_expressions() -> str:
    """Write the functions that an expression may use in Markdown."""
    rows = [f"| `{function.replace('|', chr(92) + '|')}` | {meaning} |" for function, meaning in _FUNCTIONS.items()]
    return "| function | meaning |\n|---|---|\n" + "\n".join(rows)
