"""Every labelled row of a company, in a file on disk, for trees that grow on more rows than memory holds.

The rows are made bucket by bucket of what the catalogue of the drawn rows declares, and put in the order of account and cutoff,
which is that of rows in memory, however many buckets there are.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from staypower.dataset.bucketed_matrix import MatrixRows
from staypower.engines.local import map_to_parts, sorted_parts
from staypower.engines.opening import Load, buckets_for, database_memory, fingerprint_of
from staypower.hashing import folds_of
from staypower.writing import require_room, write_atomically

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from staypower.dataset.building import Dataset
    from staypower.engines.settings import EngineSettings
    from staypower.labels.settings import LabelSettings
    from staypower.tables import BucketedTables

__all__ = ["AllRows", "Batch", "AllTables", "put_in_order"]

# what a number takes in parts and in order, measured: 1.8 and 1.4
_BYTES_ON_DISK = 5


@dataclass(frozen=True)
class AllTables:
    """The tables that a sample was drawn from, and how much a run may hold of them."""

    tables: BucketedTables
    folder: Path  # keeps finished work, so that a killed run goes on with what is missing
    engine: EngineSettings

    def rows_like(self, dataset: Dataset, label: LabelSettings) -> AllRows:
        """Build the rows of every account as those of a data set are built, and keep them in order."""
        catalogue, plan = dataset.catalogue, dataset.plan
        labelled = len(dataset.labels.population.accounts) * len(plan.all) / dataset.sampling.accounts
        require_room(self.folder, round(labelled * len(catalogue.names) * _BYTES_ON_DISK), "the rows of every account")
        made_from = fingerprint_of(catalogue.to_dict(), plan.to_dict(), label.model_dump(mode="json"))
        rows, parts = AllRows(self.folder / f"rows-{made_from}.parquet", catalogue.names, plan.all), self.folder / "parts"
        if not rows.path.exists():
            made = map_to_parts(
                self.tables,
                MatrixRows(label, catalogue, plan),
                parts / made_from,
                buckets=self._buckets(len(plan.all), len(catalogue.names)),
                threads=self.engine.threads,
            )
            memory = database_memory(self.engine.memory_bytes)
            put_in_order(made, rows, memory=memory, threads=self.engine.threads)
        shutil.rmtree(parts, ignore_errors=True)
        return rows

    def _buckets(self, cutoffs: int, features: int) -> int:
        """Say into how many buckets tables in memory fall, so that the rows of some of them fit beside them."""
        accounts, rows = self.tables.row_count("accounts"), sum(map(self.tables.row_count, self.tables.names))
        load = Load(rows, accounts, accounts * cutoffs * features)
        memory, threads = self.engine.memory_bytes, self.engine.threads
        return self.engine.buckets or buckets_for(load, memory=memory, threads=threads)


@dataclass(frozen=True, eq=False)
class Batch:
    """Some rows that follow each other."""

    features: NDArray[np.float64]  # shape (n, k)
    labels: NDArray[np.int8]  # shape (n,)
    accounts: pa.ChunkedArray  # shape (n,): ids
    cutoffs: NDArray[np.int64]  # shape (n,)


@dataclass(frozen=True)
class AllRows:
    """The rows of every account at some cutoffs."""

    path: Path  # all rows in order
    names: tuple[str, ...]  # of the features
    cutoffs: NDArray[np.int64]  # of the rows that are read
    folds: int = 0  # into so many the accounts are dealt; 0: they are not
    held: bool = False  # whether the rows are those of the first fold, or of the others

    def at(self, cutoffs: NDArray[np.int64]) -> Self:
        """Return the rows at some of the cutoffs."""
        return replace(self, cutoffs=np.unique(cutoffs))

    def divided(self, folds: int) -> tuple[Self, Self]:
        """Return the rows of all accounts but one of so many folds, and those of that fold."""
        return replace(self, folds=folds), replace(self, folds=folds, held=True)

    @cached_property
    def _counts(self) -> tuple[int, int, int]:
        """Rows, accounts, and accounts with a row of the rarer label."""
        parts = []
        for rows in self._groups():
            churned = rows.column("churned").cast(pa.int8()).to_numpy()
            labels = {"stayed": 1 - churned, "churned": churned}
            parts.append(_added_up(pa.table({"account_id": rows.column("account_id"), **labels})))
        # the rows of an account may lie in two groups of the file
        of_each = _added_up(pa.concat_tables(parts))
        stayed, churned = (of_each.column(name).to_numpy() for name in ("stayed", "churned"))
        return int((stayed + churned).sum()), len(of_each), min(int((each > 0).sum()) for each in (stayed, churned))

    def __len__(self) -> int:
        return self._counts[0]

    @property
    def accounts(self) -> int:
        """How many accounts have a row."""
        return self._counts[1]

    @property
    def rarer_accounts(self) -> int:
        """How many accounts have a row of the rarer label."""
        return self._counts[2]

    def keep(self, text: Callable[[], str], *made_from: object) -> str:
        """Return a text that is made of these rows and some plain values: kept beside them, so that it is made once."""
        named = fingerprint_of(self.path.name, self.cutoffs.tolist(), self.folds, self.held, *made_from)
        path = self.path.with_name(f"made-{named}.txt")
        if not path.is_file():
            made = text()
            write_atomically(path, lambda temporary: Path(temporary).write_text(made, encoding="utf-8"))
        return path.read_text(encoding="utf-8")

    def batches(self, size: int, used: NDArray[np.bool_] | None = None) -> Iterator[Batch]:
        """Return so many rows at a time, in the order of account and cutoff; features that are not `used` are 0."""
        waiting: list[pa.Table] = []
        places = range(len(self.names)) if used is None else np.flatnonzero(used).tolist()
        read = {place: self.names[place] for place in places}
        for rows in self._groups(*read.values()):
            waiting.append(rows)
            while sum(map(len, waiting)) >= size:
                together = pa.concat_tables(waiting)
                yield self._batch(together.slice(0, size), read)
                waiting = [together.slice(size)]
        if sum(map(len, waiting)):
            yield self._batch(pa.concat_tables(waiting), read)

    def _groups(self, *features: str) -> Iterator[pa.Table]:
        """Read group by group: an iterator over the whole file keeps what it has read."""
        with pq.ParquetFile(self.path) as file:
            for group in range(file.num_row_groups):
                rows = file.read_row_group(group, columns=["account_id", "cutoff", "churned", *features])
                yield rows.filter(pa.array(self._chosen(rows)))

    def _chosen(self, rows: pa.Table) -> NDArray[np.bool_]:
        chosen = np.isin(rows.column("cutoff").cast(pa.int64()).to_numpy(), self.cutoffs)
        if self.folds:
            chosen &= (folds_of(rows.column("account_id"), self.folds) == 0) == self.held
        return chosen

    def _batch(self, rows: pa.Table, read: Mapping[int, str]) -> Batch:
        features = np.zeros((len(rows), len(self.names)))
        for place, name in read.items():
            features[:, place] = rows.column(name).to_numpy()
        keys = [rows.column(name).cast(to).to_numpy() for name, to in (("churned", pa.int8()), ("cutoff", pa.int64()))]
        return Batch(features, keys[0], rows.column("account_id"), keys[1])


def _added_up(rows: pa.Table) -> pa.Table:
    """Add up the columns of each account."""
    names = rows.column_names[1:]
    found = rows.group_by("account_id").aggregate([(name, "sum") for name in names])
    return found.select(["account_id", *(f"{name}_sum" for name in names)]).rename_columns(rows.column_names)


def put_in_order(parts: Sequence[Path], rows: AllRows, *, memory: int, threads: int) -> None:
    """Write the rows of all parts into one file, in the order of account and cutoff; under its name it is whole."""
    columns = ("account_id", "cutoff", "churned", *rows.names)
    sorting = sorted_parts(parts, temporary=rows.path.parent / "sorting", memory=memory, threads=threads, columns=columns)

    def write(temporary: Path) -> None:
        with sorting as (schema, batches), pq.ParquetWriter(temporary, schema, compression="lz4") as file:
            for batch in batches:
                file.write_table(batch)

    write_atomically(rows.path, write)
