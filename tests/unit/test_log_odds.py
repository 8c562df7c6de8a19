from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from staypower import log_odds
from staypower.log_odds import expit


@pytest.mark.parametrize("spread", [0.1, 3.0, 60.0, 400.0])
def test_few_values_have_the_bits_of_many(spread):
    edges = [np.nan, np.inf, -np.inf, 0.0, -0.0, -709.78, -709.782712893384, -709.7827128933841, -745.2, 36.8, 745.2]
    values = np.concatenate([edges, np.random.default_rng(1).normal(0.0, spread, 19_000)])
    assert len(values) <= log_odds._FEW
    assert log_odds._one_by_one(values).tobytes() == expit(values).tobytes() == special.expit(values).tobytes()


def test_many_values_keep_their_shape():
    values = np.random.default_rng(2).normal(size=(3, 10_001))
    assert expit(values).tobytes() == special.expit(values).tobytes()
    assert expit(values[:, :5]).shape == (3, 5)
    assert expit(0.0).shape == ()
