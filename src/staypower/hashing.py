"""Numbers for texts and rows: equal ones get equal numbers, different ones practically never.

A number has 63 bits: among ten million different texts the chance that any two share one is about one in two hundred thousand,
and among those of one account, where features compare them, next to nothing. Where two texts must not be taken for one, as with
the ids of accounts, a second number of as many bits has to agree.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from staypower.compiled import jit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_ODD = np.uint64(0x9E3779B97F4A7C15)
_OTHER_ODD = np.uint64(0xC2B2AE3D27D4EB4F)
_FACTOR = np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)
_BYTE = np.uint64(8)
_LEAST_BITS = 12
_FREE = -1
_CODE = np.int64(2**31 - 1)


def numbers_of_texts(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Give every text a number that depends on the text alone.

    >>> numbers = numbers_of_texts(pa.chunked_array([["a", None], ["b", "a"]]))
    >>> bool(numbers[0] == numbers[3] != numbers[2]), int(numbers[1])
    (True, -1)
    """
    found = np.empty(len(column), dtype=np.int64)
    done = 0
    for chunk in column.chunks:
        part = found[done : done + len(chunk)]
        _number_texts(*text_buffers(chunk), _ODD, part)
        if chunk.null_count:
            part[np.asarray(chunk.is_null())] = -1
        done += len(chunk)
    return found


_OF_FOLDS, _OF_BUCKETS = 0x3C79AC492BA7B653, 0x1C69B3F74AC4AE35


def folds_of(accounts: Sequence[str] | pa.ChunkedArray, folds: int) -> NDArray[np.int64]:
    """Return the fold of each account, from 0: it depends on the id alone, so any account has one, known or not.

    Sealed models count on it: it never changes.

    >>> folds_of(["a", "b", "c", "d"], 5).tolist()
    [3, 3, 1, 2]
    """
    if not isinstance(accounts, pa.ChunkedArray):
        accounts = pa.chunked_array([pa.array(accounts, pa.string())])
    return _spread(accounts, _OF_FOLDS, folds)


def buckets_of(accounts: pa.ChunkedArray, buckets: int) -> NDArray[np.int64]:
    """Return the bucket of each account, from 0: it depends on the id alone.

    >>> buckets_of(pa.chunked_array([["a", "b", "c", "a"]]), 8).tolist()
    [6, 2, 6, 6]
    """
    return _spread(accounts, _OF_BUCKETS, buckets)


def _spread(accounts: pa.ChunkedArray, seed: int, count: int) -> NDArray[np.int64]:
    numbers = numbers_of_texts(accounts)
    mix_in(numbers, np.full(len(numbers), seed))
    return numbers % count


def text_buffers(texts: pa.Array) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Return where each text begins (and the last one ends) among the characters of an array, and these characters.

    >>> begins, characters = text_buffers(pa.array(["a", "bcd"]).slice(1))
    >>> begins.tolist(), bytes(characters[begins[0] : begins[1]])
    ([1, 4], b'bcd')
    """
    _, offsets, characters = texts.buffers()
    if offsets is None or not len(texts):
        return np.zeros(1, dtype=np.int32), np.zeros(0, dtype=np.uint8)
    wide = pa.types.is_large_string(texts.type)
    begins = np.frombuffer(offsets, dtype=np.int64 if wide else np.int32)[texts.offset : texts.offset + len(texts) + 1]
    data = np.zeros(0, dtype=np.uint8) if characters is None else np.frombuffer(characters, dtype=np.uint8)
    return begins, data


@jit
def _mixed(number):  # type: ignore[no-untyped-def]
    number ^= number >> _HALF
    number *= _FACTOR
    return number ^ (number >> _HALF)


@jit
def _word(data, position):  # type: ignore[no-untyped-def]
    # the compiler makes one load of the eight
    at = np.uint64(position)
    word = np.uint64(data[at])
    for k in range(1, 8):
        word |= np.uint64(data[at + np.uint64(k)]) << (_BYTE * np.uint64(k))
    return word


@jit
def _number_texts(begins, characters, odd, found):  # type: ignore[no-untyped-def]
    for i in range(len(found)):
        first = np.int64(begins[i])
        end = np.int64(begins[i + 1])
        number = np.uint64(end - first) * odd
        if end - first >= 8:
            position = first
            while position + 8 <= end:
                number = _mixed(number ^ _word(characters, position))
                position += 8
            if position < end:
                number = _mixed(number ^ _word(characters, end - 8))
        else:
            word = np.uint64(0)
            for at in range(first, end):
                word = (word << _BYTE) | np.uint64(characters[at])
            number = _mixed(number ^ word)
        found[i] = np.int64(_mixed(number * odd) >> np.uint64(1))


class TextEncoder:
    """Numbers different texts in the order in which they first appear, chunk after chunk.

    As Arrow's dictionaries do, in less time where there are many different texts.

    >>> encoder = TextEncoder()
    >>> encoder.encode(pa.array(["b", None])).tolist(), encoder.encode(pa.array(["a", "b"])).tolist()
    ([0, -1], [1, 0])
    >>> encoder.dictionary.to_pylist()
    ['b', 'a']
    """

    def __init__(self) -> None:
        self._words: list[pa.Array] = [pa.array([], pa.string())]
        self._known = 0
        self._slots, self._firsts, self._seconds = (np.full(1 << _LEAST_BITS, _FREE, dtype=np.int64) for _ in range(3))

    @property
    def dictionary(self) -> pa.Array:
        """The texts met so far, by their numbers."""
        return pa.concat_arrays(self._words)

    def encode(self, texts: pa.Array) -> NDArray[np.int32]:
        """Give numbers to the texts of a chunk."""
        first, second = np.empty(len(texts), dtype=np.int64), np.empty(len(texts), dtype=np.int64)
        for odd, found in ((_ODD, first), (_OTHER_ODD, second)):
            _number_texts(*text_buffers(texts), odd, found)
            if texts.null_count:
                found[np.asarray(texts.is_null())] = -1
        codes, row = np.empty(len(texts), dtype=np.int32), 0
        while row < len(codes):
            new, before = np.empty(len(self._slots), dtype=np.int64), self._known
            row, self._known = _encode(first, second, row, codes, self._slots, self._firsts, self._seconds, new, before)
            self._words.append(texts.take(pa.array(new[: self._known - before])))
            if row < len(codes):
                self._grow()
        return codes

    def _grow(self) -> None:
        slots, firsts, seconds = (np.full(4 * len(self._slots), _FREE, dtype=np.int64) for _ in range(3))
        firsts[: self._known], seconds[: self._known] = self._firsts[: self._known], self._seconds[: self._known]
        _place(firsts, self._known, slots)
        self._slots, self._firsts, self._seconds = slots, firsts, seconds


@jit
def _place(firsts, known, slots):  # type: ignore[no-untyped-def]
    mask = np.int64(len(slots) - 1)
    for code in range(known):
        place = firsts[code] & mask
        while slots[place] != _FREE:
            place = (place + 1) & mask
        slots[place] = (firsts[code] & ~_CODE) | code


@jit
def _encode(first, second, row, codes, slots, firsts, seconds, new, known):  # type: ignore[no-untyped-def]
    """Give numbers from a row on until all are numbered or half the slots are taken; returns the row reached and how many.

    A slot holds the upper half of a text's first number, and its code.
    """
    mask = np.int64(len(slots) - 1)
    begun = known
    for i in range(row, len(codes)):
        number = first[i]
        if number < 0:
            codes[i] = -1
            continue
        place = number & mask
        while True:
            taken = slots[place]
            if taken == _FREE:
                if 2 * known >= len(slots):
                    return i, known
                slots[place] = (number & ~_CODE) | known
                firsts[known] = number
                seconds[known] = second[i]
                new[known - begun] = i
                codes[i] = known
                known += 1
                break
            if (taken ^ number) & ~_CODE == 0 and seconds[taken & _CODE] == second[i]:
                codes[i] = taken & _CODE
                break
            place = (place + 1) & mask
    return len(codes), known


@jit
def mix_in(numbers, values):  # type: ignore[no-untyped-def]
    """Let every row's number depend on one value more, in place.

    >>> rows = np.zeros(3, dtype=np.int64)
    >>> mix_in(rows, np.array([1, 2, 1]))
    >>> bool(rows[0] == rows[2] != rows[1])
    True
    """
    for i in range(len(numbers)):
        numbers[i] = np.int64(_mixed(np.uint64(numbers[i]) * _ODD ^ np.uint64(values[i])) >> np.uint64(1))


# so many accounts to one set of rows, on average, are not told apart: the columns are too coarse to tell accounts apart
_COARSE = 4


def alike_accounts(accounts: NDArray[np.int64], columns: Iterable[NDArray[Any]]) -> NDArray[np.int64]:
    """Return a number for each row, from 0, that accounts share whose rows are alike in every column.

    Where most accounts are like others, the columns are too coarse to tell accounts apart, and each account is alone.

    >>> group = alike_accounts(np.array([0, 1, 1, 2, 2]), [np.array([1.0, 5.0, np.nan, np.nan, 5.0])])
    >>> bool(group[1] == group[2] == group[3] == group[4] != group[0])
    True
    """
    row = np.zeros(len(accounts), dtype=np.int64)
    for column in columns:
        values = np.asarray(column)
        # + 0.0: minus zero is zero, and every missing value has the same bits
        alike = values.astype(np.int64) if values.dtype.kind in "iub" else np.where(np.isnan(values), np.nan, values + 0.0)
        mix_in(row, np.ascontiguousarray(alike).view(np.int64))
    _, account = np.unique(accounts, return_inverse=True)
    total = np.zeros(int(account.max(initial=-1)) + 1, dtype=np.int64)
    np.add.at(total, account, row)  # a sum may wrap around: equal sets of rows have equal sums in any order
    found, group = np.unique(total, return_inverse=True)
    alone = _COARSE * len(found) < len(total)
    return np.asarray(account if alone else group[account], dtype=np.int64)


def count_repeats(numbers: NDArray[np.int64]) -> int:
    """Count the numbers that have been there before.

    >>> count_repeats(np.array([7, 8, 7, 7]))
    2
    """
    # four bits a number or more: at most one in four is taken for a repeat by mistake, and only those are sorted
    bits = max(_LEAST_BITS, len(numbers).bit_length() + 2)
    seen, again = (np.zeros(1 << (bits - 6), dtype=np.uint64) for _ in range(2))
    doubtful = np.empty(len(numbers), dtype=np.int64)
    _mark(numbers, seen, again, bits)
    kept = np.sort(doubtful[: _take_marked(numbers, again, bits, doubtful)])
    return int((kept[1:] == kept[:-1]).sum())


@jit
def _mark(numbers, seen, again, bits):  # type: ignore[no-untyped-def]
    shift = np.uint64(64 - bits)
    for i in range(len(numbers)):
        place = (np.uint64(numbers[i]) * _ODD) >> shift
        word = place >> np.uint64(6)
        bit = np.uint64(1) << (place & np.uint64(63))
        if seen[word] & bit:
            again[word] |= bit
        else:
            seen[word] |= bit


@jit
def _take_marked(numbers, again, bits, found):  # type: ignore[no-untyped-def]
    shift = np.uint64(64 - bits)
    n = 0
    for i in range(len(numbers)):
        place = (np.uint64(numbers[i]) * _ODD) >> shift
        if (again[place >> np.uint64(6)] >> (place & np.uint64(63))) & np.uint64(1):
            found[n] = numbers[i]
            n += 1
    return n
