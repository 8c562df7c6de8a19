"""A software company with known truth, to judge models, tiers and reasons on."""
