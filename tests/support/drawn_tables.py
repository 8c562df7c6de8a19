"""Read tables drawn as text, build features over them, and write them as Markdown.

A case is drawn as blocks separated by blank lines. A block of rows begins with the table's name and its columns; a block of
expected values with the cutoff. `-` is blank, or missing. `name_7d/28d` with `1/2` says two expectations in one line:

    tickets | opened_at        | resolved_at
    ann     | 2025-06-30 10:00 | -

    at 2025-07-01 | feature          | value | because
    ann           | tickets_open_now | 1     | nobody has resolved it
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from staypower.cutoffs import instant_of
from staypower.features.builder import build_matrix
from staypower.features.catalogue import Catalogue
from staypower.features.declaring import declare
from staypower.features.settings import FeatureSettings
from staypower.sources.reading import read_tables
from staypower.sources.settings import TableSource
from staypower.tables import Tables

OBSERVED_UNTIL = "2026-12-31"


@dataclass(frozen=True)
class Expected:
    """One value: the account, the cutoff, the feature, what it must be (None is missing) and why."""

    account: str
    cutoff: str
    feature: str
    value: str | None
    because: str


@dataclass(frozen=True, kw_only=True)
class Case:
    """Drawn rows and the values that follow from them.

    Parameters
    ----------
    title, says : str
        Heading and introduction of the case on the page.
    drawn : str
        The blocks.
    settings : dict
        Of `FeatureSettings`.
    mapping : dict of str to dict
        More of the mapping of a table: `static`, `fixed`.
    learned_at : str
        The cutoff at which events, instruments and codes are learned.
    """

    title: str
    says: str
    drawn: str
    settings: dict[str, Any] = field(default_factory=dict)
    mapping: dict[str, dict[str, Any]] = field(default_factory=dict)
    learned_at: str = "2025-07-01"

    @cached_property
    def blocks(self) -> list[list[list[str]]]:
        """Return every block as lines of cells, comments and indents dropped."""
        found = []
        for block in re.split(r"\n\s*\n", self.drawn.strip("\n")):
            lines = [[cell.strip() for cell in line.split("|")] for line in block.strip().splitlines()]
            wrong = [line for line in lines if len(line) != len(lines[0])]
            assert not wrong, f"{self.title}: {wrong[0]} has {len(wrong[0])} cells, not {len(lines[0])}"
            found.append(lines)
        return found

    def drawn_rows(self) -> dict[str, list[dict[str, str | None]]]:
        """Return the rows of each table as written."""
        rows: dict[str, list[dict[str, str | None]]] = {}
        for (name, *columns), *lines in self.blocks:
            if not name.startswith("at "):
                cells = [[None if cell == "-" else cell for cell in line] for line in lines]
                rows.setdefault(name, []).extend(dict(zip(["account_id", *columns], line, strict=True)) for line in cells)
        return rows

    def expected(self) -> Iterator[Expected]:
        """Give each expected value."""
        for (head, *_), *lines in self.blocks:
            if head.startswith("at "):
                for account, features, values, because in lines:
                    names, wanted = _spread_names(features), [value.strip() for value in values.split("/")]
                    assert len(names) == len(wanted), f"{self.title}: {features}: {values}"
                    for name, value in zip(names, wanted, strict=True):
                        yield Expected(account, head[3:], name, None if value == "-" else value, because)

    def tables(self) -> Tables:
        """Read the rows as any source is read; accounts that are not drawn have nothing but their id."""
        rows = self.drawn_rows()
        named = dict.fromkeys([*(row["account_id"] for drawn in rows.values() for row in drawn), *self.accounts])
        rows = {"accounts": [{"account_id": name} for name in named], **rows}
        objects = {
            name: pa.table({column: pa.array([row[column] for row in drawn], pa.string()) for column in drawn[0]})
            for name, drawn in rows.items()
        }
        sources = {
            name: [TableSource.model_validate({"source": name, "account_id": "account_id", **self.mapping.get(name, {})})]
            for name in rows
        }
        tables = read_tables(sources, folder=Path(), observed_until=OBSERVED_UNTIL, objects=objects)[0]
        # a file in which every clock shows midnight holds dates; what is drawn with a clock means it
        days = {name: frozenset(column for column in drawn[0] if _all_dates(drawn, column)) for name, drawn in rows.items()}
        return replace(tables, tables={name: replace(table, date_only=days[name]) for name, table in tables.items()})

    @property
    def accounts(self) -> list[str]:
        """The accounts of which something is expected."""
        return sorted({one.account for one in self.expected()})

    def catalogue(self, tables: Tables) -> Catalogue:
        """Return what is built from the drawn tables."""
        settings = FeatureSettings.model_validate({"rare": 1, **self.settings})
        return declare(tables, settings, cutoff=instant_of(self.learned_at))

    def differences(self) -> list[str]:
        """Build the features and say where they are not what was drawn; empty when all is well."""
        tables = self.tables()
        catalogue = self.catalogue(tables)
        wanted = list(self.expected())
        unknown = sorted({one.feature for one in wanted} - set(catalogue.names))
        if unknown:
            return [f"not built: {name}: {catalogue.left_out.get(name, 'not declared')}" for name in unknown]
        cutoffs = np.unique([instant_of(one.cutoff) for one in wanted])
        chosen = catalogue.only({one.feature for one in wanted})
        matrix = build_matrix(tables, chosen, accounts=self.accounts, cutoffs=cutoffs)
        found = matrix.frame().set_index(["account_id", matrix.cutoffs])
        wrong = []
        for one in wanted:
            value = float(found.loc[(one.account, instant_of(one.cutoff)), one.feature])
            if not _same(chosen, one, value):
                wrong.append(f"{one.account} at {one.cutoff}: {one.feature} is {value}, not {one.value} ({one.because})")
        return wrong

    def markdown(self) -> str:
        """Write the case for the docs."""
        parts = [f"## {self.title}", self.says]
        told = [f"`{key}: {_plain(value)}`" for key, value in self.settings.items()]
        told += [
            f"`{name}: {{{', '.join(f'{k}: {_plain(v)}' for k, v in more.items())}}}`" for name, more in self.mapping.items()
        ]
        if told:
            parts.append(f"Set: {', '.join(told)}.")
        for (head, *columns), *lines in self.blocks:
            if head.startswith("at "):
                parts.append(f"Expected at the cutoff {head[3:]}:")
                titles, rows = ["account", *columns], [[line[0], f"`{line[1]}`", *line[2:]] for line in lines]
            else:
                parts.append(f"`{head}`:")
                titles, rows = ["account_id", *columns], [[cell if cell != "-" else "" for cell in line] for line in lines]
            parts.append("\n".join(f"| {' | '.join(row)} |" for row in [titles, ["---"] * len(titles), *rows]))
        return "\n\n".join(parts)


def _all_dates(rows: list[dict[str, str | None]], column: str) -> bool:
    cells = [row[column] for row in rows if row[column] is not None]
    return bool(cells) and all(re.fullmatch(r"\d{4}-\d\d-\d\d", str(cell)) for cell in cells)


def _same(catalogue: Catalogue, one: Expected, value: float) -> bool:
    if math.isnan(value) or one.value is None:
        return math.isnan(value) and one.value is None
    if one.feature in catalogue.categories:
        return catalogue.text_of(one.feature, value) == one.value
    # what is drawn with few digits is meant to those digits; whole numbers exactly
    digits = len(one.value.partition(".")[2])
    return abs(value - float(one.value)) <= (0.5000001 * 10.0**-digits if digits else 0.0)


def _spread_names(text: str) -> list[str]:
    """Turn `tickets_7d/28d` into both names."""
    first, *others = text.split("/")
    return [first, *(re.sub(r"\d+d\Z", other, first) for other in others)]


def _plain(value: object) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list | tuple) else str(value)


def write_page(title: str, introduction: str, cases: list[Case]) -> str:
    """Write the page of one family."""
    return "\n\n".join([f"# {title}", introduction, *(case.markdown() for case in cases)]) + "\n"
