"""Rows as a workbook for people: a sheet per owner, headings in words, money and per cent formatted."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from staypower.errors import UsageError
from staypower.outputs.place import Kind, Place, Rows, with_times
from staypower.results.numbers import IN_SPREADSHEETS
from staypower.writing import probe_place, write_atomically

__all__ = ["WORKBOOK", "head_of"]

_MOST_ROWS = 1_048_575  # of a sheet, below its heads
_MOST_COLUMNS = 16_384
_LONGEST_CELL = 32_767
_LONGEST_NAME = 31
_HELD_BACK = "Held back - do not contact"
_NOBODY = "Without an owner"
_WIDEST = 60

_WORDS: Mapping[str, str] = {
    "account_id": "Account",
    "mrr": "MRR",
    "clv": "Customer lifetime value",
    "p_voluntary": "Probability of voluntary churn",
    "p_involuntary": "Probability of involuntary churn",
    "p_detractor": "Probability of detractor",
    "p_passive": "Probability of passive",
    "p_promoter": "Probability of promoter",
    "probability_saved": "Probability of saving",
    "holdout": "Held back",
    "run_id": "Run",
}
_MONEY = ("mrr", "clv", "value_at_risk", "expected_value", "cost", "action_value")
_SHARES = re.compile(r"p_.*|(.*_)?probability(_.*)?|effect|.*_share(_.*)?|share_.*")


def head_of(name: str) -> str:
    """Write the name of a column in words.

    >>> head_of("churn_probability_30d"), head_of("value_at_risk"), head_of("mrr")
    ('Churn probability 30 days', 'Value at risk', 'MRR')
    """
    words = re.sub(r"_(\d+)d\b", r" \1 days", name).replace("_", " ")
    return _WORDS.get(name, words[:1].upper() + words[1:])


def _format_of(name: str, kind: pa.DataType) -> str:
    """Say how the cells of a column are shown."""
    if pa.types.is_timestamp(kind):
        return IN_SPREADSHEETS["time"]
    if pa.types.is_floating(kind):
        return IN_SPREADSHEETS["money" if name in _MONEY else "percent" if _SHARES.fullmatch(name) else "number"]
    return ""


@dataclass
class _Sheets:
    """The sheets of a workbook that is being written."""

    book: Any
    schema: pa.Schema
    title: str
    open: dict[str, tuple[Any, int]] = field(default_factory=dict)  # of each group the sheet and its rows

    def __post_init__(self) -> None:
        self.formats = [self.book.add_format({"num_format": _format_of(one.name, one.type)}) for one in self.schema]
        self.bold = self.book.add_format({"bold": True, "text_wrap": True, "valign": "top"})

    def sheet_of(self, group: str) -> tuple[Any, int]:
        """Return the sheet of a group and how many rows it has; a full one is followed by another."""
        sheet, rows = self.open.get(group, (None, 0))
        if sheet is None or rows == _MOST_ROWS:
            sheet, rows = self._begin(group), 0
        return sheet, rows

    def _begin(self, group: str) -> Any:
        taken = {sheet.get_name().casefold() for sheet in self.book.worksheets()}
        sheet = self.book.add_worksheet(_sheet_name(group, taken))
        heads = [head_of(one.name) + (" (UTC)" if pa.types.is_timestamp(one.type) else "") for one in self.schema]
        for at, (name, head) in enumerate(zip(self.schema.names, heads, strict=True)):
            sheet.set_column(at, at, _WIDEST if name.startswith(("reason", "step")) else max(12, min(_WIDEST, len(head) + 2)))
        for at, head in enumerate(heads):
            sheet.write_string(0, at, head, self.bold)
        sheet.freeze_panes(1, 1)
        self.open[group] = (sheet, 0)
        return sheet

    def add(self, batch: pa.Table) -> None:
        """Write rows, each on the sheet of its group."""
        groups = _groups_of(batch, self.title)
        columns = [batch.column(at).to_pylist() for at in range(batch.num_columns)]
        for group, row in zip(groups, zip(*columns, strict=True), strict=True):
            sheet, rows = self.sheet_of(group)
            for at, value in enumerate(row):
                _put(sheet, rows + 1, at, value, self.formats[at])
            self.open[group] = (sheet, rows + 1)


def _groups_of(batch: pa.Table, title: str) -> Iterator[str]:
    """Say on which sheet each row goes: the owner's; who must not be contacted is on none of them."""
    if "owner" not in batch.column_names:
        return iter([title] * batch.num_rows)
    held = batch.column("holdout").to_pylist() if "holdout" in batch.column_names else [False] * batch.num_rows
    owners = batch.column("owner").to_pylist()
    return (_HELD_BACK if out else owner or _NOBODY for owner, out in zip(owners, held, strict=True))


def _sheet_name(wanted: str, taken: set[str]) -> str:
    """Return a name that a sheet may have and none has.

    >>> _sheet_name("Ann/Bob", {"ann bob"}), _sheet_name("'", set())
    ('Ann Bob (2)', 'Sheet')
    """
    plain = re.sub(r"[\[\]:*?/\\\x00-\x1f]", " ", wanted).strip().strip("'").strip() or "Sheet"
    plain = f"{plain} rows" if plain.casefold() == "history" else plain
    name, number = plain[:_LONGEST_NAME], 1
    while name.casefold() in taken:
        number += 1
        end = f" ({number})"
        name = plain[: _LONGEST_NAME - len(end)] + end
    return name


def _put(sheet: Any, row: int, at: int, value: Any, form: Any) -> None:
    """Write one cell; a text is a text whatever it begins with."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return
    if isinstance(value, bool):
        sheet.write_string(row, at, "yes" if value else "no")
    elif isinstance(value, (int, float)):
        sheet.write_number(row, at, value, form)
    elif hasattr(value, "hour"):
        sheet.write_datetime(row, at, value.replace(tzinfo=None), form)
    else:
        sheet.write_string(row, at, str(value)[:_LONGEST_CELL])


def _probe(place: Place) -> None:
    try:
        import xlsxwriter  # noqa: F401
    except ModuleNotFoundError as error:
        fix = "install it with `pip install 'staypower[excel]'`, or let the name end in `.csv`"
        raise UsageError.of("writing workbooks needs an extra", place.shown, fix) from error
    probe_place(Path(str(place.path)))


def _write(place: Place, rows: Rows, staging: Path | None) -> None:
    import xlsxwriter

    schema = with_times(rows.schema.empty_table()).schema
    if len(schema) > _MOST_COLUMNS:
        fix = "let the name end in `.parquet` or `.csv`"
        raise UsageError.of(f"a sheet holds {_MOST_COLUMNS:,} columns at most", f"{place.shown}: {len(schema):,}", fix)

    def write(temporary: Path) -> None:
        # rows go to disk one by one; texts never become formulas or links
        with xlsxwriter.Workbook(str(temporary), {"constant_memory": True}) as book:
            sheets = _Sheets(book, schema, rows.title)
            for batch in rows.batches:
                sheets.add(with_times(batch))
            if not sheets.open:
                sheets.sheet_of(rows.title)

    write_atomically(Path(str(place.path)), write, staging=staging)


WORKBOOK = Kind(
    name="excel",
    label="Excel",
    example="`--output actions.xlsx`",
    note=(
        "for people: a sheet per owner where the rows have one, and one for accounts held back; headings in words, "
        "money and per cent formatted; the file is replaced; needs `staypower[excel]`"
    ),
    probe=_probe,
    write=_write,
    endings=(".xlsx",),
)
