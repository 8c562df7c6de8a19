"""Exact and fast reasons: what each feature adds to the raw score of a LightGBM model, by path-dependent TreeSHAP."""

from __future__ import annotations

from staypower.models.shapley.explainer import Explained, Explainer, explainer_of

__all__ = ["Explained", "Explainer", "explainer_of"]
