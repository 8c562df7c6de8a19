"""Exact and fast reasons: what each feature adds to the raw score of a LightGBM model, by path-dependent TreeSHAP."""
