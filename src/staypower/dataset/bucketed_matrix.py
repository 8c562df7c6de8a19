"""A training matrix built bucket by bucket, and which of its columns vary."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pyarrow as pa

from staypower.dataset.building import labels_of, parts_of, without
from staypower.dataset.cutoff_plan import CutoffPlan
from staypower.features.builder import build_matrix
from staypower.features.catalogue import Catalogue
from staypower.labels.churn import find_labels
from staypower.labels.settings import LabelSettings
from staypower.tables import Tables

__all__ = ["KEYS", "MatrixRows", "rows_and_seen", "seen_in", "varying"]

KEYS = ("account_id", "cutoff", "part", "churned")
_SEEN = b"staypower seen"
Seen = Mapping[str, Sequence[float | None] | None]


@dataclass(frozen=True)
class MatrixRows:
    """Builds the rows of a training matrix: those of all accounts, or those of one bucket of them.

    Each part notes which of its columns vary in the training rows; `varying` reads the notes of all parts.
    """

    label: LabelSettings
    catalogue: Catalogue  # what to build, learned from all accounts
    plan: CutoffPlan
    threads: int = 1  # how many work on one call

    def __call__(self, tables: Tables) -> pa.Table:
        """Return `account_id, cutoff, part, churned` and the features, sorted by account and cutoff."""
        labels = find_labels(tables, self.label, self.plan.all, need_churners=False)
        matrix = build_matrix(
            tables,
            self.catalogue,
            accounts=labels.population.accounts,
            cutoffs=self.plan.all,
            rows=labels.churned >= 0,
            threads=self.threads,
        )
        part = parts_of(matrix, self.plan)
        keys: dict[str, Any] = {
            "account_id": pa.array(matrix.accounts, pa.string()),
            "cutoff": pa.array(matrix.cutoffs).cast(pa.timestamp("us", "UTC")),
            "part": pa.array(part, pa.string()),
            "churned": pa.array(labels_of(matrix, labels, self.plan)),
        }
        values = {name: matrix.features[name].to_numpy() for name in self.catalogue.names}
        learned = np.isin(part, ("training", "calibration"))
        seen = {name: _seen(column[learned]) for name, column in values.items()}
        columns = {name: pa.array(column, pa.float64(), from_pandas=True) for name, column in values.items()}
        return pa.table({**keys, **columns}).replace_schema_metadata({_SEEN: json.dumps(seen).encode()})


def _seen(values: np.ndarray) -> list[float | None] | None:
    """Return the one value of a column that is the same in all rows (None where it is missing), None when it varies."""
    if not len(values):
        return []
    first = values[0]
    same = np.isnan(values) if np.isnan(first) else values == first
    if not same.all():
        return None
    return [None if np.isnan(first) else float(first)]


def seen_in(schema: pa.Schema) -> Seen:
    """Return what a part notes of its columns in the training rows: the one value of each, or None when it varies."""
    return cast("Seen", json.loads((schema.metadata or {})[_SEEN]))


def rows_and_seen(part: pa.Table) -> tuple[int, Seen]:
    """Return how many rows a part has, and what it notes."""
    return part.num_rows, seen_in(part.schema)


def varying(catalogue: Catalogue, notes: Iterable[Seen]) -> Catalogue:
    """Leave out the columns that are the same in all training rows of all parts."""
    noted = list(notes)
    constant = []
    for name in catalogue.names:
        seen = [each[name] for each in noted]
        if None not in seen and len({value for values in seen for value in values or ()}) == 1:
            constant.append(name)
    return without(catalogue, constant)
