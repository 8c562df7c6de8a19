"""JSON lines, and files of one JSON array: every value is the text that was written."""

from __future__ import annotations

from staypower.sources.formats.format import Format, Opening, ending_of, listed
from staypower.sources.values import quoted_text

__all__ = ["FORMAT"]


def _relation(opening: Opening) -> str:
    """Read JSON with every value as text, so that no id is taken for a number or a date.

    Lists and objects stay what they are: as text they would pass for ids.
    """
    names_listed = listed(opening.files)
    form = "auto" if ending_of(opening.files[0]) == ".json" else "newline_delimited"
    options = f"format={quoted_text(form)}, union_by_name=true"
    names = opening.connection.execute(
        f"DESCRIBE SELECT * FROM read_json({names_listed}, {options}, sample_size=-1, maximum_depth=2)"
    ).fetchall()
    nested = {str(row[0]) for row in names if str(row[1]).startswith(("STRUCT", "MAP")) or str(row[1]).endswith("]")}
    kinds = {str(row[0]): "JSON" if str(row[0]) in nested else "VARCHAR" for row in names}
    columns = ", ".join(f"{quoted_text(name)}: '{kind}'" for name, kind in kinds.items())
    return f"read_json({names_listed}, {options}, columns={{{columns}}})"


FORMAT = Format(
    name="json",
    label="JSON lines",
    endings=(".jsonl", ".ndjson", ".json"),
    example=(
        "`source: data/a.jsonl`; a `.json` file may also hold one array. Values must be plain: lists and objects (an order "
        "with its items) are flattened before, one row per item, for example with `pandas.json_normalize`"
    ),
    relation=_relation,
)
