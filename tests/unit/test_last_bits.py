"""Examples are tried with numbers whose last bit differs: tests that it does."""

from __future__ import annotations

import numpy as np
from last_bits import Moved

LOGARITHM = Moved(np.log1p)


def test_the_last_bit_differs_up_and_down() -> None:
    numbers = np.linspace(0.1, 0.9, 50)
    exact, other = np.log1p(numbers), LOGARITHM(numbers)
    np.testing.assert_array_max_ulp(exact, other, maxulp=1)
    assert {*np.sign(other - exact)} == {-1.0, 1.0}


def test_whole_numbers_and_what_is_no_number_stay() -> None:
    with np.errstate(divide="ignore"):
        np.testing.assert_array_equal(LOGARITHM(np.array([0.0, -1.0, np.nan])), [0.0, -np.inf, np.nan])


def test_a_number_stays_a_number() -> None:
    assert isinstance(LOGARITHM(0.3), np.float64)
    assert LOGARITHM(np.float32(0.3)).dtype == np.float32
