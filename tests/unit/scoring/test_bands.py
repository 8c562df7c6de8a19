"""Bands of risk."""

from __future__ import annotations

import pytest

from staypower.scoring.predictions import RiskBands


@pytest.mark.parametrize(("base_rate", "high"), [(0.1, 0.2), (0.3, 0.6), (0.5, 0.75)])
def test_high_risk_is_twice_the_base_rate_until_that_nears_certainty(base_rate, high):
    assert RiskBands(base_rate).high_above == pytest.approx(high)
