"""Keep feature matrices, so that evaluating after training does not build them again."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from staypower.features.builder import FeatureMatrix
from staypower.features.catalogue import Catalogue
from staypower.writing import write_atomically

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST = 6


@dataclass(frozen=True)
class MatrixCache:
    """A folder of matrices, each named by what it was made from."""

    folder: Path  # made when needed. The oldest files go when there are more than `MOST`
    data: str  # fingerprint of the tables

    def get(
        self,
        catalogue: Catalogue,
        cutoffs: NDArray[np.int64],
        rows: NDArray[np.bool_],
        build: Callable[[], FeatureMatrix],
    ) -> FeatureMatrix:
        """Return the matrix of some definitions, cutoffs and rows: from the folder, or built and kept."""
        path = self._path(catalogue, cutoffs, rows)
        if path.is_file():
            return _read(path, catalogue)
        matrix = build()
        columns = {"account_id": pa.array(matrix.accounts, pa.string()), "cutoff": pa.array(matrix.cutoffs)}
        columns |= {str(name): pa.array(matrix.features[name].to_numpy(), pa.float64()) for name in matrix.features}
        self._write(path, lambda temporary: pq.write_table(pa.table(columns), temporary, compression="lz4"))
        return matrix

    def keep_fewer(self, catalogue: Catalogue, fewer: Catalogue, cutoffs: NDArray[np.int64], rows: NDArray[np.bool_]) -> None:
        """Keep the matrix of some definitions as that of fewer of them, too: they are read from the same columns."""
        kept, path = self._path(catalogue, cutoffs, rows), self._path(fewer, cutoffs, rows)
        if kept.is_file() and not path.is_file():
            self._write(path, lambda temporary: shutil.copyfile(kept, temporary))

    def _path(self, catalogue: Catalogue, cutoffs: NDArray[np.int64], rows: NDArray[np.bool_]) -> Path:
        made_from = json.dumps([version("staypower"), self.data, catalogue.to_dict(), cutoffs.tolist()], sort_keys=True)
        name = hashlib.sha256(made_from.encode() + np.packbits(rows).tobytes()).hexdigest()
        return self.folder / f"features-{name[:32]}.parquet"

    def _write(self, path: Path, write: Callable[[Path], object]) -> None:
        write_atomically(path, write)
        kept = sorted(self.folder.glob("features-*.parquet"), key=lambda file: file.stat().st_mtime, reverse=True)
        for old in kept[MOST:]:
            old.unlink(missing_ok=True)


def _read(path: Path, catalogue: Catalogue) -> FeatureMatrix:
    table = pq.read_table(path, columns=["account_id", "cutoff", *catalogue.names])
    values = {name: table.column(name).to_numpy() for name in catalogue.names}
    return FeatureMatrix(
        features=pd.DataFrame(values, columns=list(catalogue.names), dtype=np.float64),
        accounts=np.asarray(table.column("account_id").to_pylist(), dtype=object),
        cutoffs=np.asarray(table.column("cutoff").to_numpy(), dtype=np.int64),
        categories=catalogue.categories,
    )
