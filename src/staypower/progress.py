"""Show what long work is doing: a live line on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from staypower.addresses import shown_in


class Progress:
    """Announce the steps of a run on standard error.

    >>> with Progress(quiet=True).step("reading tables"):
    ...     pass
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self._live = sys.stderr.isatty()

    def say(self, message: str) -> None:
        """Write one line."""
        if not self.quiet:
            print(shown_in(message), file=sys.stderr, flush=True)  # noqa: T201 - this is the one place that speaks

    @contextmanager
    def step(self, message: str) -> Iterator[None]:
        """Announce a step and say how long it took."""
        started = time.perf_counter()
        if self._live and not self.quiet:
            print(f"  {message} ...", end="\r", file=sys.stderr, flush=True)  # noqa: T201
        yield
        self.say(f"  {message}: {time.perf_counter() - started:.1f} s{'    ' if self._live else ''}")
