"""A fingerprint of the data: the same rows give the same text, however they are cut into chunks."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.tables import Table, Tables

__all__ = ["fingerprint"]


def fingerprint(tables: Tables) -> str:
    """Hash the content of every table.

    >>> len(fingerprint(Tables({}, 0)))
    64
    """
    digest = hashlib.sha256(f"observed_until {tables.observed_until}".encode())
    for name in sorted(tables):
        digest.update(_of_table(tables[name]))
    return digest.hexdigest()


def _of_table(table: Table) -> bytes:
    digest = hashlib.sha256(
        repr((table.name, len(table), sorted(table.date_only), sorted(table.fixed), table.derived)).encode()
    )
    for name in sorted(table.data.column_names):
        digest.update(repr((name, str(_plain(table.data.column(name).type)))).encode())
        digest.update(_of_column(table.data.column(name)))
    return digest.digest()


def _plain(stored: pa.DataType) -> pa.DataType:
    return stored.value_type if pa.types.is_dictionary(stored) else stored


def _of_column(column: pa.ChunkedArray) -> bytes:
    """Hash missingness, lengths and values apart, so that the borders of chunks leave no trace."""
    missing, lengths, values = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
    for chunk in column.chunks:
        plain = chunk.dictionary_decode() if pa.types.is_dictionary(chunk.type) else chunk
        missing.update(np.asarray(plain.is_null()).tobytes())
        if pa.types.is_string(plain.type) or pa.types.is_large_string(plain.type):
            filled = pc.fill_null(plain, "")
            lengths.update(np.asarray(pc.binary_length(filled), dtype=np.int64).tobytes())
            values.update(_text_bytes(filled))
        else:
            numbers = plain.cast(pa.int64()) if pa.types.is_timestamp(plain.type) else plain
            values.update(np.asarray(pc.fill_null(numbers, False if pa.types.is_boolean(numbers.type) else 0)).tobytes())
    return missing.digest() + lengths.digest() + values.digest()


def _text_bytes(texts: pa.Array) -> bytes:
    """Give the characters of a text array, one after another."""
    whole = pa.concat_arrays([texts])  # a slice keeps its parent's buffer: copy the part that is meant
    _, offsets, characters = whole.cast(pa.large_string()).buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[whole.offset : whole.offset + len(whole) + 1]
    return b"" if characters is None else bytes(memoryview(characters)[ends[0] : ends[-1]])
