from __future__ import annotations

import numpy as np
import pytest

from staypower.crossings import rows_before
from staypower.cutoffs import DAY, entry


def before(start: list[int], at: list[int], limits: list[int]) -> list[list[int]]:
    found = np.empty((len(start) - 1, len(limits)), dtype=np.int32)
    rows_before(np.array(start), np.array(at, dtype=np.int64), np.array(limits, dtype=np.int64), found)
    return found.tolist()


def test_strictly_before():
    assert before([0, 3], [4, 5, 6], [4, 5, 6, 7]) == [[0, 1, 2, 3]]


def test_accounts_without_rows_and_no_limits():
    assert before([0, 0, 1, 1], [5], [5, 6]) == [[0, 0], [0, 1], [0, 0]]
    assert before([0, 1], [5], []) == [[]]


@pytest.mark.parametrize("offset", [0, 3])
def test_it_agrees_with_the_entry_of_each_row(offset):
    rng = np.random.default_rng(offset)
    cutoffs = np.sort(rng.choice(200, 12, replace=False)) * DAY // 3
    at = np.sort(np.concatenate([rng.integers(-20 * DAY, 80 * DAY, 300), cutoffs - offset * DAY, cutoffs - offset * DAY - 1]))
    found = before([0, len(at)], at.tolist(), (cutoffs - offset * DAY).tolist())[0]
    first_seen_by = entry(at, cutoffs, offset_days=offset)
    assert found == [int((first_seen_by <= number).sum()) for number in range(len(cutoffs))]
