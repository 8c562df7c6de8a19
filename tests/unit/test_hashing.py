from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from staypower.hashing import TextEncoder, count_repeats, mix_in, numbers_of_texts


def texts_of(*chunks: list[str | None], kind: pa.DataType | None = None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(chunk, kind or pa.string()) for chunk in chunks], kind or pa.string())


def test_equal_texts_have_equal_numbers_wherever_they_stand():
    words = ["", "a", "seven77", "eight888", "nine99999", "x" * 16, "x" * 17, "y" * 40, "ä", "日本"]
    padded = texts_of(["before", *words], [None, *reversed(words)])
    numbers = numbers_of_texts(padded)
    assert numbers[1:11].tolist() == numbers[12:][::-1].tolist()
    assert numbers[11] == -1
    assert (np.delete(numbers, 11) >= 0).all()
    sliced = pa.chunked_array([padded.chunk(0).slice(1, 4)])
    assert numbers_of_texts(sliced).tolist() == numbers[1:5].tolist()
    assert numbers_of_texts(padded.cast(pa.large_string())).tolist() == numbers.tolist()


@pytest.mark.parametrize("length", [1, 3, 7, 8, 9, 15, 16, 17, 30])
def test_one_other_letter_anywhere_makes_another_number(length):
    base = "m" * length
    others = [base[:place] + letter + base[place + 1 :] for place in range(length) for letter in "abcxyz"]
    several = [base, *others, base + "m", base[:-1]]
    assert len(set(numbers_of_texts(texts_of(several)).tolist())) == len(several)


def test_ids_do_not_collide():
    ids = [f"acct-{number:07d}" for number in range(300_000)]
    assert len(np.unique(numbers_of_texts(texts_of(ids)))) == len(ids)


@pytest.mark.parametrize("seed", range(3))
def test_encoding_is_what_arrow_does(seed):
    rng = np.random.default_rng(seed)
    pool = [f"id {number}" for number in range(6_000)] + [None, "", " "]
    chunks = [[pool[n] for n in rng.integers(0, len(pool), size)] for size in (0, 7, 9_000, 20_000)]
    encoder = TextEncoder()
    codes = np.concatenate([encoder.encode(pa.array(chunk, pa.string())) for chunk in chunks])
    expected = pa.array([text for chunk in chunks for text in chunk], pa.string()).dictionary_encode()
    assert encoder.dictionary.equals(expected.dictionary)
    assert codes.tolist() == expected.indices.fill_null(-1).to_pylist()


def test_repeats_are_counted_exactly():
    rng = np.random.default_rng(1)
    assert count_repeats(np.zeros(0, dtype=np.int64)) == 0
    for n, among in ((10, 3), (5_000, 10**6), (50_000, 30_000), (50_000, 2**62)):
        numbers = rng.integers(0, among, n)
        assert count_repeats(numbers) == n - len(np.unique(numbers))


def test_rows_differ_when_one_value_does_and_order_matters():
    def number_of(*values: int) -> int:
        row = np.zeros(1, dtype=np.int64)
        for value in values:
            mix_in(row, np.array([value]))
        return int(row[0])

    assert number_of(1, 2) == number_of(1, 2)
    assert len({number_of(1, 2), number_of(2, 1), number_of(1, 3), number_of(0, 2), number_of(-1, 2)}) == 5
