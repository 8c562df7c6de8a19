"""A simulated software company with known truth, to test models, tiers and reasons on."""
