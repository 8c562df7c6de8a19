"""On which days a table has rows."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from staypower.checking.rhythm import rows_by_day
from staypower.cutoffs import DAY


@pytest.mark.parametrize("widest", [0, 400, 20_000_000])
def test_rows_are_counted_by_day_however_far_apart(widest):
    rng = np.random.default_rng(1)
    instants = np.append(rng.integers(-300 * DAY, 300 * DAY, 500), [widest * DAY, -widest * DAY - 1])
    assert rows_by_day(instants) == Counter((instants // DAY).tolist())
    assert rows_by_day(instants[:0]) == {}
