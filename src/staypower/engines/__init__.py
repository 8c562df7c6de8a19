"""Bring all rows of an account together and run a function over buckets of accounts; engines know no features."""

from __future__ import annotations

from staypower.engines.embedded import map_buckets, map_to_parts
from staypower.engines.parts import keep_part, sorted_parts
from staypower.engines.settings import EngineSettings
from staypower.engines.sizing import Load, buckets_for, database_memory

__all__ = [
    "EngineSettings",
    "Load",
    "buckets_for",
    "database_memory",
    "keep_part",
    "map_buckets",
    "map_to_parts",
    "sorted_parts",
]
