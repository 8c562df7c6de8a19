"""The compiled routines that count different keys, such as persons, in the rows of a window; as those of `kernel`."""

from __future__ import annotations

import numpy as np

from staypower.compiled import jit

__all__ = ["count_different", "find_top_again", "take_top_shares"]


_WORD = np.uint64(6)
_IN_WORD = np.uint64(63)
_BIT = np.uint64(1)
_PAIRS, _FOURS, _BYTES = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333), np.uint64(0x0F0F0F0F0F0F0F0F)
_SUM = np.uint64(0x0101010101010101)


@jit
def count_different(high, low, numbers, position, latest, last, columns, target):  # type: ignore[no-untyped-def]
    """Count different keys in windows that end together, the longest first: one line of `low` and one of `columns` each.

    Only the last row of each key so far has a bit in `last` (zeros at first), so a window holds as many keys as bits: those of
    later pairs neither begin nor end earlier. `latest` has a -1 for each key of an account.

    >>> target, low, high = np.zeros((1, 2)), np.array([[0, 1]], dtype=np.int32), np.array([3, 4], dtype=np.int32)
    >>> numbers, latest = np.array([0, 1, 0, -1], dtype=np.int32), np.full(2, -1, dtype=np.int32)
    >>> count_different(high, low, numbers, np.arange(4), latest, np.zeros(2, dtype=np.uint64), np.array([0]), target)
    >>> target.tolist()
    [[2.0, 2.0]]
    """
    end = 0
    for pair in range(len(high)):
        for row in range(max(end, low[0, pair]), high[pair]):
            number = numbers[position[row]]
            if number >= 0:
                if latest[number] >= 0:
                    before = np.uint64(latest[number])
                    last[before >> _WORD] ^= _BIT << (before & _IN_WORD)
                latest[number] = row
                last[np.uint64(row) >> _WORD] |= _BIT << (np.uint64(row) & _IN_WORD)
        end = high[pair]
        for line in range(len(columns)):
            first = np.uint64(low[line, pair])
            word = first >> _WORD
            # two words are mostly enough: counted without asking
            found = _ones(last[word] >> (first & _IN_WORD)) + _ones(last[word + _BIT])
            for further in range(word + np.uint64(2), (np.uint64(end) >> _WORD) + _BIT):
                found += _ones(last[further])
            target[columns[line], pair] = np.int64(found)


@jit
def _ones(word):  # type: ignore[no-untyped-def]
    # the compiler makes one instruction of these
    word -= (word >> _BIT) & _PAIRS
    word = (word & _FOURS) + ((word >> np.uint64(2)) & _FOURS)
    return (((word + (word >> np.uint64(4))) & _BYTES) * _SUM) >> np.uint64(56)


@jit
def take_top_shares(high, low, numbers, position, counts, empty, target):  # type: ignore[no-untyped-def]
    """Take the share of the rows with a key that hold the most frequent one; `counts` has a zero for each key of an account.

    >>> target, rows = np.zeros(1), np.arange(4, dtype=np.int32)
    >>> numbers, counts = np.array([0, 1, 0, -1], dtype=np.int32), np.zeros(2, dtype=np.int32)
    >>> take_top_shares(np.array([4], dtype=np.int32), np.array([0], dtype=np.int32), numbers, rows, counts, np.nan, target)
    >>> round(float(target[0]), 3), counts.tolist()
    (0.667, [0, 0])
    """
    for pair in range(len(target)):
        total, most = _count_keys(low[pair], high[pair], numbers, position, counts)
        target[pair] = most / total if total > 0 else empty
        _clear_keys(low[pair], high[pair], numbers, position, counts)


@jit
def find_top_again(high, low, now, numbers, position, counts, empty, target):  # type: ignore[no-untyped-def]
    """Say whether a most frequent key of the window is listed again between its end and `now`, the end of the cutoff's rows."""
    for pair in range(len(target)):
        _, most = _count_keys(low[pair], high[pair], numbers, position, counts)
        found = empty if most == 0 else 0.0
        if most > 0:
            for j in range(high[pair], now[pair]):
                number = numbers[position[j]]
                if number >= 0 and counts[number] == most:
                    found = 1.0
                    break
        target[pair] = found
        _clear_keys(low[pair], high[pair], numbers, position, counts)


@jit
def _count_keys(begin, end, numbers, position, counts):  # type: ignore[no-untyped-def]
    total = 0
    most = 0
    for j in range(begin, end):
        number = numbers[position[j]]
        if number >= 0:
            counts[number] += 1
            total += 1
            most = max(most, counts[number])
    return total, most


@jit
def _clear_keys(begin, end, numbers, position, counts):  # type: ignore[no-untyped-def]
    for j in range(begin, end):
        number = numbers[position[j]]
        if number >= 0:
            counts[number] = 0
