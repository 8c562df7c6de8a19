"""The drawn tables of docs/labels/drawn.md, read from the page and run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from pydantic import TypeAdapter

from staypower.cutoffs import instant_of
from staypower.labels.churn import Labels, find_labels
from staypower.labels.population import ChurnKind, Status
from staypower.labels.settings import LabelSettings
from staypower.schemas import SCHEMAS, Column, TableSchema
from staypower.tables import Table, Tables

PAGE = Path(__file__).parents[2] / "docs" / "labels" / "drawn.md"
CHURN = TableSchema("churn", ("churned_at",), (Column("churned_at", "time"),))
Rows = list[dict[str, str]]


def read_page() -> Iterator[object]:
    """Give each drawn block under its heading."""
    heading, number = "", 0
    for match in re.finditer(r"^#+ (?P<heading>[^\n]*)$|^```labels\n(?P<block>.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S):
        if match["heading"] is not None:
            heading, number = match["heading"], 0
        else:
            number += 1
            yield pytest.param(match["block"], id=f"{heading} {number}")


def read_block(block: str) -> tuple[dict[str, object], dict[str, Rows]]:
    """Split a block into its settings and its tables."""
    head, *drawn = block.strip().split("\n\n")
    tables: dict[str, Rows] = {}
    for table in drawn:
        header, *lines = ([cell.strip() for cell in line.split("|")] for line in table.splitlines())
        tables[header[0]] = [dict(zip(["account_id", *header[1:]], line, strict=True)) for line in lines]
    return yaml.load(head, Loader=yaml.BaseLoader), tables


def build_table(name: str, rows: Rows, dates: list[str]) -> Table:
    schema = CHURN if name == "churn" else SCHEMAS[name]
    columns: dict[str, pa.Array] = {}
    for column in rows[0]:
        known = schema.column(column)
        kind = "time" if column == "known_at" else known.kind if known else "text"
        cells = [row[column] or None for row in rows]
        if kind == "time":
            columns[column] = pa.array([cell and instant_of(cell) for cell in cells], pa.timestamp("us", "UTC"))
        elif kind == "number":
            columns[column] = pa.array([cell and float(cell) for cell in cells], pa.float64())
        elif kind == "flag":
            columns[column] = pa.array([cell and cell == "true" for cell in cells], pa.bool_())
        else:
            columns[column] = pa.array(cells, pa.string())
    return Table(schema, pa.table(columns), date_only=frozenset(dates) & set(columns))


def label(head: dict[str, object], drawn: dict[str, Rows], cutoffs: np.ndarray) -> Labels:
    accounts = {row["account_id"]: row for rows in drawn.values() for row in rows}
    listed = {row["account_id"]: row for row in drawn.get("accounts", [])}
    attributes = list(next(iter(listed.values()), {"account_id": ""}))
    rows = [listed.get(name, dict.fromkeys(attributes, "")) | {"account_id": name} for name in accounts]
    dates = list(head.get("dates", []))
    tables = {
        name: build_table(name, rows, dates) for name, rows in ({**drawn, "accounts": rows}).items() if name != "expected"
    }
    settings = TypeAdapter(LabelSettings).validate_python(head["label"])
    return find_labels(Tables(tables, instant_of(str(head.get("observed_until", "2026-01-01")))), settings, cutoffs)


@pytest.mark.parametrize("block", list(read_page()))
def test_page_tells_what_labels_do(block: str) -> None:
    head, drawn = read_block(block)
    cutoffs = np.unique([instant_of(row["cutoff"]) for row in drawn["expected"]])

    labels = label(head, drawn, cutoffs)

    found = []
    for row in drawn["expected"]:
        at = labels.population.accounts.index(row["account_id"]), int(np.searchsorted(cutoffs, instant_of(row["cutoff"])))
        churned = int(labels.churned[at])
        found.append(
            {
                "account_id": row["account_id"],
                "cutoff": row["cutoff"],
                "status": Status(labels.population.status[at]).word,
                "churned": "-" if churned < 0 else str(churned),
                "kind": ChurnKind(labels.kind[at]).name.lower(),
            }
        )
    assert found == drawn["expected"]


def test_page_is_read_whole() -> None:
    page = PAGE.read_text("utf-8")

    assert len(list(read_page())) == page.count("```labels\n") >= 18


@pytest.mark.parametrize("change", [("| 0 ", "| 1 "), ("| scored ", "| too_new ")])
def test_a_changed_page_is_noticed(change: tuple[str, str]) -> None:
    first = next(iter(read_page())).values[0]  # type: ignore[attr-defined]
    drawn, _, expected = first.partition("expected")

    with pytest.raises(AssertionError):
        test_page_tells_what_labels_do(drawn + "expected" + expected.replace(*change, 1))
