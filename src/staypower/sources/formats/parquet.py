"""Parquet files: a file, a pattern or a folder."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Any

from staypower.sources.formats.format import Format, Given, Opening, listed

__all__ = ["FORMAT"]

_GUESSING = "spark.sql.sources.partitionColumnTypeInference.enabled"


def _relation(opening: Opening) -> str:
    return f"read_parquet({listed(opening.files)}, union_by_name=true, {opening.folders})"


def _count_rows(file: Path) -> int | None:
    # pyarrow takes long to import: declaring a format must not
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(file).num_rows)
    except (pa.ArrowInvalid, OSError):
        # reading it will say what is wrong
        return 0


def _on_spark(session: Any, source: Given, path: str, place: str) -> Any:
    was = session.conf.get(_GUESSING)
    session.conf.set(_GUESSING, "false")
    try:
        return session.read.options(mergeSchema="true", **_base(path)).parquet(path)
    finally:
        session.conf.set(_GUESSING, str(was))


def _base(path: str) -> dict[str, str]:
    """Say where the folders begin that are named like `day=2025-01-01`."""
    parts = path.split("/")
    first = next((n for n, part in enumerate(parts) if "=" in part), None)
    magic = next((n for n, part in enumerate(parts) if glob.has_magic(part)), None)
    begins = [n for n in (first, magic) if n is not None and n < len(parts) - 1]
    return {"basePath": "/".join(parts[: min(begins)])} if begins else {}


FORMAT = Format(
    name="parquet",
    label="Parquet",
    endings=(".parquet", ".pq"),
    example="`source: data/a.parquet`",
    relation=_relation,
    columnar=True,
    count_rows=_count_rows,
    on_spark=_on_spark,
)
