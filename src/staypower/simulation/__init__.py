"""A software company with known truth, to judge models, tiers and reasons on."""

from __future__ import annotations

from staypower.simulation.company import Simulation, simulate, simulate_to

__all__ = ["Simulation", "simulate", "simulate_to"]
