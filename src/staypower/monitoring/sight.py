"""What a sealed model saw, sees, and says at several cutoffs: features and probabilities, in memory or in files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from staypower.engines.local import each_bucket, keep_part
from staypower.features.builder import build_matrix
from staypower.features.catalogue import Catalogue
from staypower.labels.churn import find_customers
from staypower.labels.settings import LabelSettings
from staypower.models.age import TWIN
from staypower.models.bundle import Bundle
from staypower.tables import BucketedTables, Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ACCOUNT", "OTHERS", "PROBABILITY", "TWIN_PROBABILITY", "FeatureFiles", "Seen", "look_at"]

# no feature's name holds a blank
ACCOUNT, PROBABILITY, TWIN_PROBABILITY = "account id", "churn probability", "churn probability of the twin"
OTHERS = (ACCOUNT, PROBABILITY, TWIN_PROBABILITY)
# opening a file costs more than a column; eight of a million accounts take 32 MB
_AT_ONCE = 8


@dataclass(frozen=True)
class FeatureFiles:
    """Features and probabilities of accounts in files, of which a few columns are read at a time, in the files' order."""

    parts: Sequence[Path]  # parquet files
    # the columns that were read last stay Arrow's: ids take far less memory than as texts of Python
    _read: dict[str, pa.ChunkedArray] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return sum(int(pq.read_metadata(part).num_rows) for part in self.parts)

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._read:
            names = list(self.columns)
            first = names.index(name) // _AT_ONCE * _AT_ONCE
            together = names[first : first + _AT_ONCE]
            self._read.clear()
            tables = [pq.read_table(part, columns=together, partitioning=None) for part in self.parts]
            self._read.update(zip(together, pa.concat_tables(tables).columns, strict=True))
        values: NDArray[Any] = self._read[name].to_numpy()
        return values

    @property
    def columns(self) -> Sequence[str]:
        """Names of the columns."""
        names: list[str] = pq.read_schema(self.parts[0]).names
        return names


Seen = pd.DataFrame | FeatureFiles


def look_at(
    cutoffs: Sequence[int],
    bundle: Bundle,
    tables: BucketedTables,
    label: LabelSettings,
    *,
    folder: Path,
    threads: int,
    narrow: Mapping[int, Sequence[str]] | None = None,
) -> dict[int, Seen]:
    """Build the features of the accounts that have a score at each cutoff, and their probabilities.

    The twin, where there is one, knows the outcome of none of the cutoffs after those that it was trained on. `narrow` names
    further cutoffs, and the features that are kept of each.
    """
    kept: dict[int, Sequence[str] | None] = {**(narrow or {}), **dict.fromkeys(cutoffs)}
    if tables.whole is not None:
        return {at: _features_at(at, bundle, tables.whole, label, kept[at]) for at in sorted(kept)}

    def keep(number: int, bucket: Tables) -> dict[int, Path]:
        made = {at: _features_at(at, bundle, bucket, label, kept[at]) for at in sorted(kept)}
        tables = {at: pa.Table.from_pandas(frame, preserve_index=False) for at, frame in made.items()}
        return {at: keep_part(table, folder / f"{at}-{number}.parquet") for at, table in tables.items()}

    files = each_bucket(tables, keep, threads=threads)
    return {at: FeatureFiles([each[at] for each in files]) for at in sorted(kept)}


def _features_at(cutoff: int, bundle: Bundle, tables: Tables, label: LabelSettings, kept: Sequence[str] | None) -> pd.DataFrame:
    """Build what is seen at one cutoff; features in single precision, which is enough to compare distributions."""
    at = np.array([cutoff], dtype=np.int64)
    population = find_customers(tables, label, at)
    scored = np.asarray(population.accounts, dtype=object)[population.scored[:, 0]].tolist()
    matrix = build_matrix(tables, Catalogue.of(bundle.learned), accounts=scored, cutoffs=at)
    features, accounts = matrix.features[list(bundle.feature_names)].astype(np.float64), matrix.accounts
    twin = bundle.secondary.get(TWIN)
    said = bundle.predict(features, accounts) if scored else np.zeros(0)
    of_twin = said if twin is None else twin.predict(features, accounts) if scored else np.zeros(0)
    others: dict[str, Any] = {PROBABILITY: said, TWIN_PROBABILITY: of_twin, ACCOUNT: pd.array(accounts, dtype="str")}
    return features[list(features if kept is None else kept)].astype(np.float32).assign(**others)
