"""One simulated company for all tests of this folder: the one that the docs describe."""

from __future__ import annotations

import pytest

from staypower.simulation.company import Simulation, simulate


@pytest.fixture(scope="session")
def company() -> Simulation:
    return simulate(2000, seed=0)
