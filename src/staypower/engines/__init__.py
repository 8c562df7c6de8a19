"""Bring all rows of an account together and run a function over buckets of accounts; engines know no features."""

from __future__ import annotations

from staypower.engines.embedded import map_buckets

__all__ = ["map_buckets"]
