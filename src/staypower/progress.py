"""Show what long work is doing: a live line on a terminal, plain or JSON lines elsewhere, nothing when quiet.

A step says when it begins and how long it took. Loops within it say how far they are by `counted`, wherever they are.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TypeVar

from staypower.addresses import shown_in

__all__ = ["Progress", "counted", "counter"]

Item = TypeVar("Item")

_PAUSE = 10.0  # seconds between two lines of one loop where there is no terminal
_BLINK = 0.2  # and on one
_SOON = 90.0  # seconds up to which the time left is told in seconds


class Progress:
    """Announce the steps of a run on standard error.

    `as_json` writes one JSON object per line: `time`, `level`, `event` (begin, progress, end, stopped or note), `step`,
    `seconds`, and `done` and `of` where a loop counts.

    >>> with Progress(quiet=True).step("reading tables"):
    ...     pass
    """

    def __init__(self, *, quiet: bool = False, as_json: bool = False) -> None:
        self.quiet = quiet
        self.as_json = as_json
        self.live = sys.stderr.isatty() and not as_json
        self._width = 0  # of the live line

    def say(self, message: str) -> None:
        """Write one line."""
        self._write(message, event="note", step=message.strip())

    @contextmanager
    def step(self, message: str) -> Iterator[None]:
        """Announce a step and say how long it took."""
        started = time.perf_counter()
        self._begin(message)
        running = _RUNNING.set(_Step(self, message, started))
        try:
            yield
        except BaseException:
            self._clear()
            if self.as_json:
                self._write("", event="stopped", step=message, seconds=time.perf_counter() - started)
            raise
        finally:
            _RUNNING.reset(running)
        seconds = time.perf_counter() - started
        self._write(f"  {message}: {seconds:.1f} s", event="end", step=message, seconds=seconds)

    def count(self, message: str, done: int, of: int, seconds: float) -> None:
        """Say how far a loop within a step is, and how long it will take."""
        left = seconds / done * (of - done)
        words = f"  {message}: {done:,} of {of:,}, {_about(left)} left"
        if self.live:
            self._show(words)
        else:
            self._write(words, event="progress", step=message, seconds=seconds, done=done, of=of)

    def _begin(self, message: str) -> None:
        if self.live:
            self._show(f"  {message} ...")
        else:
            self._write(f"  {message} ...", event="begin", step=message)

    def _show(self, words: str) -> None:
        """Write over the live line."""
        if not self.quiet:
            shown = shown_in(words)
            print(shown.ljust(self._width), end="\r", file=sys.stderr, flush=True)  # noqa: T201
            self._width = len(shown)

    def _clear(self) -> None:
        """Leave a clean line behind."""
        if self.live and self._width and not self.quiet:
            print(" " * self._width, end="\r", file=sys.stderr, flush=True)  # noqa: T201
        self._width = 0

    def _write(self, words: str, **facts: object) -> None:
        if self.quiet:
            return
        words = _line("info", **facts) if self.as_json else words.ljust(self._width)
        self._width = 0
        print(shown_in(words), file=sys.stderr, flush=True)  # noqa: T201 - this is the one place that speaks

    def refuse(self, facts: Mapping[str, object], words: str) -> None:
        """Write what was refused, quiet or not."""
        self._clear()
        line = _line("error", event="refused", **facts) if self.as_json else words
        print(shown_in(line), file=sys.stderr, flush=True)  # noqa: T201


class _Step:
    """A step that runs, and when it last said how far it is."""

    def __init__(self, progress: Progress, message: str, started: float) -> None:
        self.progress, self.message = progress, message
        self.said = started
        self.counting: object = None  # the outermost loop: those within it say nothing

    def begins(self, loop: object) -> None:
        self.counting = self.counting or loop

    def count(self, loop: object, done: int, of: int, began: float) -> None:
        if loop is not self.counting:
            return
        if done >= of:
            self.counting = None
        now = time.perf_counter()
        pause = _BLINK if self.progress.live else _PAUSE
        if done < of and now - self.said >= pause:
            self.said = now
            self.progress.count(self.message, done, of, now - began)


_RUNNING: ContextVar[_Step | None] = ContextVar("running", default=None)


def counter(of: int) -> Callable[[], None]:
    """Make a function that is called whenever one of several parts is done."""
    step, began, numbers = _RUNNING.get(), time.perf_counter(), itertools.count(1)
    if step is not None and of > 1:
        step.begins(numbers)

    def tick() -> None:
        done = next(numbers)
        if step is not None:
            step.count(numbers, done, of, began)

    return tick


def counted(items: Iterable[Item], of: int) -> Iterator[Item]:
    """Give items one by one, and let the step that runs say how many are done and how long the others will take.

    >>> list(counted("abc", 3))
    ['a', 'b', 'c']
    """
    tick = counter(of)
    for item in items:
        yield item
        tick()


def _about(seconds: float) -> str:
    """Write a length of time as one would say it.

    >>> _about(4.2), _about(47), _about(100), _about(9000)
    ('about 5 s', 'about 50 s', 'about 2 min', 'about 2.5 h')
    """
    if seconds <= _SOON:
        step = 5 if seconds < 30 else 10
        return f"about {max(step, round(seconds / step) * step)} s"
    minutes = seconds / 60
    return f"about {round(minutes)} min" if minutes <= _SOON else f"about {minutes / 60:.1f} h"


def _line(level: str, **facts: object) -> str:
    kept = {name: round(value, 3) if isinstance(value, float) else value for name, value in facts.items()}
    moment = datetime.fromtimestamp(time.time(), UTC)
    return json.dumps({"time": moment.isoformat(timespec="milliseconds"), "level": level, **kept}, ensure_ascii=False)
