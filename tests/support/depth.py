"""How much is tried: a little in `make test`, much more in `make test-deep`."""

from __future__ import annotations

import os

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"


def tries(few: int, many: int) -> int:
    """Return how many cases to try."""
    return many if DEEP else few
