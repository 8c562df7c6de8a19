"""Evaluate a model: the same rows for it and for every baseline, intervals by account, and the verdict in words."""
