"""Repeat training and testing at earlier cutoffs, and measure how a model ages."""
