"""Rows of one source in a file, those of each bucket of accounts together: written as they come, read bucket by bucket.

Some hundred thousand rows at a time are put into the order of their buckets; then the rows of each bucket follow as one Arrow
stream. An index at the end of the file says where they are. Texts that repeat are numbered, each bucket with its own words.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from staypower.compiled import jit
from staypower.hashing import TextEncoder, buckets_of

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import NDArray

ENDING = ".rows"
# rows that are put in order at once, and what one of them takes meanwhile, measured
_ROWS_AT_ONCE, _ROWS_PER_STREAM, _BYTES_PER_ROW = 1_000_000, 30_000, 300
# where that share of the first texts differ, texts are not numbered
_LOOKED_AT, _DIFFERENT = 10_000, 0.5
_ALIGNED = 64
_LENGTH = 8
_FACTOR, _HALF = np.uint64(0xD6E8FEB86659FD93), np.uint64(32)


@dataclass
class BucketWriter:
    """Writes the rows of a source into the buckets of their accounts; the file has its name once it is whole.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "usage.rows"
    >>> with BucketWriter(path, buckets=1) as writer:
    ...     writer.add(pa.record_batch({"account_id": ["a", "b", "a"], "n": [1, 2, 3]}))
    >>> read_bucket(path, 0)["n"].to_pylist()
    [1, 2, 3]
    """

    path: Path
    buckets: int
    memory: int = 10**9  # bytes that rows may take before they are written
    sealed: bool = False  # whether `is_whole` is asked of the file
    index: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)  # where the rows of each bucket are
    waiting: list[pa.RecordBatch] = field(default_factory=list)
    rows: int = 0  # how many were written
    read: int = 0  # how many the source has, those that were left out included
    file: IO[bytes] | None = None

    @property
    def unfinished(self) -> Path:
        """The file before it is whole."""
        return self.path.with_suffix(".unfinished")

    def __enter__(self) -> BucketWriter:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.file = self.unfinished.open("w+b")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self.file is not None
        try:
            if error is None:
                self.flush()
                # the sum is one of whole words
                self.file.write(bytes(-self.file.tell() % _ALIGNED))
                self.file.flush()
                index = {"read": max(self.read, self.rows), "buckets": self.index}
                seal = {"sum": _sum_of(self.unfinished, self.file.tell(), index)} if self.sealed else {}
                written = json.dumps({**index, **seal}).encode()
                self.file.write(written + len(written).to_bytes(_LENGTH, "little"))
        finally:
            self.file.close()
        if error is None:
            self.unfinished.replace(self.path)

    def add(self, rows: pa.RecordBatch) -> None:
        """Take the next rows of the source; they are written when there are enough of them."""
        self.waiting.append(rows)
        most = min(max(_ROWS_AT_ONCE, self.buckets * _ROWS_PER_STREAM), self.memory // _BYTES_PER_ROW)
        if sum(batch.num_rows for batch in self.waiting) >= most:
            self.flush()

    def flush(self) -> None:
        """Write the rows that are waiting, bucket after bucket."""
        if not any(batch.num_rows for batch in self.waiting):
            return
        rows = pa.Table.from_batches(self.waiting)
        self.waiting = []
        columns = {name: _numbered_or_not(rows.column(name)) for name in rows.column_names}
        bucket = _buckets_of(columns["account_id"], self.rows, self.buckets)
        self.rows += rows.num_rows
        order = np.argsort(bucket, kind="stable")
        ends = np.cumsum(np.bincount(bucket, minlength=self.buckets))
        ordered = {name: _ordered(column, order, ends) for name, column in columns.items()}
        for number, (first, end) in enumerate(zip(np.append(0, ends[:-1]).tolist(), ends.tolist(), strict=True)):
            if end > first:
                self._write(number, pa.table({name: column.slice(number, first, end) for name, column in ordered.items()}))

    def _write(self, number: int, rows: pa.Table) -> None:
        assert self.file is not None
        self.file.write(bytes(-self.file.tell() % _ALIGNED))
        begin = self.file.tell()
        with pa.ipc.new_stream(self.file, rows.schema) as stream:
            stream.write_table(rows)
        self.index.setdefault(number, []).append((begin, self.file.tell() - begin, rows.num_rows))


def _buckets_of(accounts: _Column, row: int, buckets: int) -> NDArray[Any]:
    """Say which bucket each row is in; rows without an account are spread over all of them."""
    if accounts.codes is None:
        found = buckets_of(accounts.texts, buckets)
        missing = np.asarray(accounts.texts.is_null()) if accounts.texts.null_count else None
    else:
        found = np.append(buckets_of(accounts.texts, buckets), 0)[accounts.codes]
        missing = accounts.codes < 0
    if missing is not None and missing.any():
        found = np.where(missing, np.arange(row, row + len(found)) % buckets, found)
    # few bits are put in order faster
    return found.astype(np.uint16) if buckets < 2**16 else found


@dataclass(frozen=True)
class _Column:
    """A column of some rows: texts that repeat as numbers and the words that they stand for, else as it is."""

    texts: pa.ChunkedArray
    codes: NDArray[np.int32] | None = None


def _numbered_or_not(column: pa.ChunkedArray) -> _Column:
    if not pa.types.is_string(column.type):
        return _Column(column)
    first = column.slice(0, _LOOKED_AT)
    if len(first.unique()) > _DIFFERENT * len(first):
        return _Column(column)
    encoder = TextEncoder()
    codes = [encoder.encode(chunk) for chunk in column.chunks]
    return _Column(pa.chunked_array([encoder.dictionary]), np.concatenate(codes))


@dataclass(frozen=True)
class _Ordered:
    """A column in the order of its buckets."""

    values: pa.ChunkedArray | pa.Array
    words: Sequence[pa.Array] = ()  # of each bucket, where values are numbers of texts

    def slice(self, number: int, first: int, end: int) -> pa.Array | pa.ChunkedArray:
        values = self.values.slice(first, end - first)
        return pa.DictionaryArray.from_arrays(values, self.words[number]) if self.words else values


def _ordered(column: _Column, order: NDArray[np.int64], ends: NDArray[np.int64]) -> _Ordered:
    """Put a column into the order of its buckets."""
    if column.codes is None:
        return _Ordered(column.texts.take(pa.array(order)))
    codes, dictionary = column.codes[order], column.texts.chunk(0)
    used = np.empty(len(codes), dtype=np.int32)
    counts = np.empty(len(ends), dtype=np.int64)
    _renumber(codes, ends, np.full(len(dictionary), -1, np.int32), np.empty(len(dictionary), np.int32), used, counts)
    begins = np.append(0, ends[:-1])
    words = [dictionary.take(pa.array(used[begin : begin + count])) for begin, count in zip(begins, counts, strict=True)]
    return _Ordered(pa.array(codes, mask=codes < 0), words)


@jit
def _renumber(codes, ends, bucket_of, number_of, used, counts):  # type: ignore[no-untyped-def]
    """Give the words of each bucket numbers in the order in which they appear there, in place; `used` lists them."""
    row = 0
    for bucket in range(len(ends)):
        first = row
        count = 0
        while row < ends[bucket]:
            code = codes[row]
            if code >= 0:
                if bucket_of[code] != bucket:
                    bucket_of[code] = bucket
                    number_of[code] = count
                    used[first + count] = code
                    count += 1
                codes[row] = number_of[code]
            row += 1
        counts[bucket] = count


@dataclass(frozen=True)
class BucketIndex:
    """Where the rows of each bucket are in a file."""

    read: int  # rows of the source, those that were left out included
    buckets: Mapping[int, Sequence[tuple[int, int, int]]]  # begin and length in bytes, and rows, of each stretch

    def rows_of(self, number: int) -> int:
        """Return how many rows a bucket has."""
        return sum(rows for _, _, rows in self.buckets.get(number, ()))


def index_of(path: Path) -> BucketIndex:
    """Read where the rows of each bucket are.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "usage.rows"
    >>> with BucketWriter(path, buckets=2) as writer:
    ...     writer.add(pa.record_batch({"account_id": ["a", "b", "a"]}))
    >>> index_of(path).read
    3
    """
    state = path.stat()
    return _index_of(path, state.st_ino, state.st_size, state.st_mtime_ns)


def _footer(path: Path) -> tuple[int, dict[str, Any]]:
    """Read where the rows end, and what is written after them."""
    with path.open("rb") as file:
        end = file.seek(-_LENGTH, 2)
        length = int.from_bytes(file.read(_LENGTH), "little")
        begin = file.seek(end - length)
        return begin, json.loads(file.read(length))


def is_whole(path: Path) -> bool:
    """Say whether a sealed file is there and is what was written.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "usage.rows"
    >>> with BucketWriter(path, buckets=2, sealed=True) as writer:
    ...     writer.add(pa.record_batch({"account_id": ["a"]}))
    >>> is_whole(path), path.write_bytes(path.read_bytes().replace(b"account", b"accOunt")) > 0, is_whole(path)
    (True, True, False)
    """
    try:
        begin, found = _footer(path)
        return bool(found.pop("sum") == _sum_of(path, begin, found))
    except (OSError, ValueError, KeyError, AttributeError, TypeError, OverflowError):
        return False


def _sum_of(path: Path, length: int, index: Mapping[str, Any]) -> str:
    """Add up the bytes of rows, each with its place, and hash the sum with their index."""
    with pa.memory_map(str(path)) as file:
        rows = np.frombuffer(file.read_buffer(length), np.uint64)
    # as it is when it is read
    written = json.dumps(json.loads(json.dumps(index)), sort_keys=True)
    return hashlib.sha256(f"{length} {_sum(rows)} {written}".encode()).hexdigest()


@jit
def _sum(words):  # type: ignore[no-untyped-def]
    total = np.uint64(0)
    for i in range(len(words)):
        total = (total ^ words[i]) * _FACTOR
        total ^= total >> _HALF
    return total


@lru_cache(maxsize=4096)
def _index_of(path: Path, *_: int) -> BucketIndex:
    found = _footer(path)[1]
    places = {int(number): tuple(map(tuple, each)) for number, each in found["buckets"].items()}
    return BucketIndex(found["read"], MappingProxyType(places))


def read_bucket(path: Path, number: int, columns: Sequence[str] = ()) -> pa.Table | None:
    """Read the rows of a bucket, all columns or those of some that there are; None where it has none."""
    places = index_of(path).buckets.get(number, ())
    if not places:
        return None
    parts = []
    with pa.memory_map(str(path)) as file:
        for begin, length, _ in places:
            file.seek(begin)
            stored = file.read_buffer(length)
            if columns:
                names = pa.ipc.open_stream(stored).schema.names
                options = pa.ipc.IpcReadOptions(included_fields=[names.index(name) for name in columns if name in names])
            else:
                options = pa.ipc.IpcReadOptions()
            parts.append(pa.ipc.open_stream(stored, options=options).read_all())
    return join_parts(parts)


def join_parts(parts: Sequence[pa.Table]) -> pa.Table:
    """Put rows that were written one after the other into one stretch, their texts numbered alike.

    >>> words = [pa.table({"event": pa.array([word]).dictionary_encode()}) for word in ("a", "b")]
    >>> join_parts(words)["event"].num_chunks
    1
    """
    if len(parts) == 1:
        return parts[0]
    every = sum(part.num_rows for part in parts)
    for name in parts[0].column_names:
        # in one part the texts of a column repeat, in another they do not: all become as most rows are
        numbered = sum(part.num_rows for part in parts if _is_numbered(part, name))
        if 0 < numbered < every:
            parts = [_with_texts(part, name, numbered=2 * numbered > every) for part in parts]
    return pa.concat_tables(parts).unify_dictionaries().combine_chunks()


def _is_numbered(rows: pa.Table, name: str) -> bool:
    return bool(pa.types.is_dictionary(rows.schema.field(name).type))


def _with_texts(rows: pa.Table, name: str, *, numbered: bool) -> pa.Table:
    """Turn the texts of a column into numbers, or write them out."""
    if _is_numbered(rows, name) == numbered:
        return rows
    column = rows.column(name)
    texts = column.dictionary_encode() if numbered else column.cast(column.type.value_type)
    return rows.set_column(rows.column_names.index(name), name, texts)
