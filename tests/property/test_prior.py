"""The corrected order is the order: rounding never turns two accounts round."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from staypower.models.prior import PriorCorrection

RATES = st.floats(0.001, 0.999)


@given(RATES, RATES, st.lists(st.floats(0, 1), min_size=2, max_size=30))
def test_correction_never_falls_even_between_neighbouring_floats(trained, target, values):
    near = [np.nextafter(value, 1) for value in values] + [np.nextafter(value, 0) for value in values]
    ordered = np.sort(np.clip([*values, *near], 0, 1))
    moved = PriorCorrection(trained, target).apply(ordered)
    assert (np.diff(moved) >= 0).all()
    assert ((moved >= 0) & (moved <= 1)).all()


@given(RATES, RATES, st.lists(st.integers(1, 10**6 - 1), min_size=2, max_size=30, unique=True))
def test_different_probabilities_stay_different(trained, target, values):
    moved = PriorCorrection(trained, target).apply(np.sort(values) / 10**6)
    assert (np.diff(moved) > 0).all()


@given(RATES, RATES, st.floats(0.001, 0.999))
def test_there_and_back_again(trained, target, probability):
    there = PriorCorrection(trained, target).apply([probability])
    assert abs(PriorCorrection(target, trained).apply(there)[0] - probability) < 1e-9
