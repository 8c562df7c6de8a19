"""Every labelled row of a company, on disk in parts, for trees that grow on more rows than memory holds.

The parts are made bucket by bucket of what the catalogue of the drawn rows declares. They are read in the order of account and
cutoff, which is that of rows in memory, however many buckets there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from staypower.dataset.bucketed_matrix import MatrixRows
from staypower.engines.local import map_to_parts, sorted_parts
from staypower.engines.opening import Load, buckets_for, fingerprint_of
from staypower.writing import require_room, write_atomically

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from staypower.dataset.building import Dataset
    from staypower.engines.settings import EngineSettings
    from staypower.labels.settings import LabelSettings
    from staypower.tables import BucketedTables

__all__ = ["AllRows", "AllTables"]

# what a number takes in a part, measured: 1.8
_BYTES_ON_DISK = 4
# of a run's memory, what sorting may take while LightGBM holds the rows
_SHARE_OF_SORTING = 8


@dataclass(frozen=True)
class AllTables:
    """The tables that a sample was drawn from, and how much a run may hold of them."""

    tables: BucketedTables
    folder: Path  # keeps finished parts, so that a killed run goes on with the first that is missing
    engine: EngineSettings

    def rows_like(self, dataset: Dataset, label: LabelSettings) -> AllRows:
        """Build the rows of every account as those of a data set are built, and keep them in parts."""
        catalogue, plan = dataset.catalogue, dataset.plan
        labelled = len(dataset.labels.population.accounts) * len(plan.all) / dataset.sampling.accounts
        require_room(self.folder, round(labelled * len(catalogue.names) * _BYTES_ON_DISK), "the rows of every account")
        made_from = fingerprint_of(catalogue.to_dict(), plan.to_dict(), label.model_dump(mode="json"))
        parts = map_to_parts(
            self.tables,
            MatrixRows(label, catalogue, plan),
            self.folder / f"rows-{made_from}",
            buckets=self._buckets(len(plan.all), len(catalogue.names)),
            threads=self.engine.threads,
        )
        memory = max(self.engine.memory_bytes // _SHARE_OF_SORTING, 10**8)
        return AllRows(tuple(parts), catalogue.names, plan.all, self.folder / "sorting", memory, self.engine.threads)

    def _buckets(self, cutoffs: int, features: int) -> int:
        """Say into how many buckets tables in memory fall, so that the rows of some of them fit beside them."""
        accounts, rows = self.tables.row_count("accounts"), sum(map(self.tables.row_count, self.tables.names))
        load = Load(rows, accounts, accounts * cutoffs * features)
        memory, threads = self.engine.memory_bytes, self.engine.threads
        return self.engine.buckets or buckets_for(load, memory=memory, threads=threads)


@dataclass(frozen=True)
class AllRows:
    """The rows of every account at some cutoffs."""

    parts: tuple[Path, ...]
    names: tuple[str, ...]  # of the features
    cutoffs: NDArray[np.int64]
    temporary: Path
    memory: int  # what sorting may take
    threads: int

    def at(self, cutoffs: NDArray[np.int64]) -> Self:
        """Return the rows at some of the cutoffs."""
        return type(self)(self.parts, self.names, np.unique(cutoffs), self.temporary, self.memory, self.threads)

    @cached_property
    def _counts(self) -> tuple[int, int]:
        """Rows and accounts; no account is in two parts."""
        counts = np.zeros(2, dtype=np.int64)
        for part in self.parts:
            keys = pq.read_table(part, columns=["account_id", "cutoff"])
            ids = keys.column("account_id").filter(pa.array(self._chosen(keys)))
            counts += len(ids), pc.count_distinct(ids).as_py()
        return int(counts[0]), int(counts[1])

    def __len__(self) -> int:
        return self._counts[0]

    @property
    def accounts(self) -> int:
        """How many accounts have a row."""
        return self._counts[1]

    def keep(self, text: Callable[[], str], *made_from: object) -> str:
        """Return a text that is made of these rows and some plain values: kept beside them, so that it is made once."""
        path = self.parts[0].parent / f"made-{fingerprint_of(self.cutoffs.tolist(), *made_from)}.txt"
        if not path.is_file():
            made = text()
            write_atomically(path, lambda temporary: Path(temporary).write_text(made, encoding="utf-8"))
        return path.read_text(encoding="utf-8")

    def batches(self, size: int) -> Iterator[tuple[NDArray[np.float64], NDArray[np.int8]]]:
        """Return features and labels by so many rows, in the order of account and cutoff."""
        waiting: list[pa.Table] = []
        for rows in self._sorted():
            waiting.append(rows)
            while sum(map(len, waiting)) >= size:
                together = pa.concat_tables(waiting)
                yield self._arrays(together.slice(0, size))
                waiting = [together.slice(size)]
        if sum(map(len, waiting)):
            yield self._arrays(pa.concat_tables(waiting))

    def _sorted(self) -> Iterator[pa.Table]:
        columns = ("account_id", "cutoff", "churned", *self.names)
        with sorted_parts(self.parts, temporary=self.temporary, memory=self.memory, threads=self.threads, columns=columns) as (
            _,
            batches,
        ):
            for batch in batches:
                yield batch.filter(pa.array(self._chosen(batch))).drop_columns(["account_id", "cutoff"])

    def _chosen(self, rows: pa.Table) -> NDArray[np.bool_]:
        return np.isin(rows.column("cutoff").cast(pa.int64()).to_numpy(), self.cutoffs)

    def _arrays(self, rows: pa.Table) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
        features = np.empty((len(rows), len(self.names)))
        for place, name in enumerate(self.names):
            features[:, place] = rows.column(name).to_numpy()
        return features, rows.column("churned").to_numpy().astype(np.int8)
