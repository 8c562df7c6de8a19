"""Trainings side by side: one thread for each takes as much processor time as all threads for one, and less by the clock.

Threads that share one training wait for each other after every few milliseconds, and busy neighbours make all of them wait.
No model depends on how many work side by side.

LightGBM keeps the number of threads in one variable of the process and sizes what it works in by it, so two numbers at a time
can end the process: whatever runs beside something else takes one thread, and `at_most` says so.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped] # no type hints

__all__ = ["at_most", "begun", "cores", "one_blas_thread", "side_by_side", "stop_where_asked"]

T = TypeVar("T")


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# jobs may start jobs: all of them together have no more threads than there are cores
_free = threading.Semaphore(max(0, cores() - 1))
# threads that work on jobs beside those that began them
_helping: set[threading.Thread] = set()


def at_most(threads: int | None) -> int:
    """Return how many of so many threads a call of LightGBM may take, 0 or None: all cores; one beside other jobs.

    >>> at_most(3), at_most(None) == cores()  # nothing else runs
    (3, True)
    """
    return 1 if _helping else threads or cores()


class _StoppedError(Exception):
    """What a job beside one that failed ends with."""


class _Within(threading.local):
    """The jobs that a thread works on, from the outermost."""

    jobs: tuple[_Jobs[Any], ...] = ()


_within = _Within()


def stop_where_asked(_: object = None) -> None:
    """End the job that this thread works on where one beside it failed or was interrupted; LightGBM calls it for each tree."""
    if any(jobs.stopped for jobs in _within.jobs):
        raise _StoppedError


class _Jobs(Generic[T]):
    """Jobs that wait, and the threads that work on them."""

    def __init__(self, jobs: Sequence[Callable[[], T]], most: int) -> None:
        self.count, self.most, self.stopped = len(jobs), most, False
        self.waiting, self.found, self.failed = deque(enumerate(jobs)), dict[int, T](), dict[int, BaseException]()
        self.helpers: list[threading.Thread] = []

    def call_help(self) -> None:
        """Let another thread work on them, where a core is free."""
        if len(self.helpers) + 1 < self.most and _free.acquire(blocking=False):
            helper = threading.Thread(target=self._help_out, args=[_within.jobs], daemon=True)
            self.helpers.append(helper)
            _helping.add(helper)
            helper.start()

    def _help_out(self, within: tuple[_Jobs[Any], ...]) -> None:
        _within.jobs = within
        try:
            self._work()
        finally:
            _helping.discard(threading.current_thread())
            _free.release()

    def _work(self) -> None:
        outer = _within.jobs
        _within.jobs = (*outer, self)
        try:
            self._take_turns()
        finally:
            _within.jobs = outer

    def stop(self) -> None:
        """Begin no more of them, and let those that run end with their next tree."""
        self.stopped = True
        self.waiting.clear()

    def _take_turns(self) -> None:
        while self.waiting:
            if len(self.waiting) > 1:
                self.call_help()
            try:
                number, job = self.waiting.popleft()
            except IndexError:
                return
            try:
                self.found[number] = job()
            except BaseException as error:
                self.failed[number] = error
                self.stop()

    def wait(self) -> None:
        """Wait for the helpers; whoever waits lends its core to what they begin."""
        if any(helper.is_alive() for helper in self.helpers):
            _free.release()
            try:
                for helper in self.helpers:
                    helper.join()
            finally:
                _free.acquire()

    def results(self) -> list[T]:
        """Work on what is left, and return the results in order."""
        self._work()
        self.wait()
        if self.failed:
            raise self.failed[min(self.failed, key=lambda number: (isinstance(self.failed[number], _StoppedError), number))]
        return [self.found[number] for number in range(self.count)]


def side_by_side(jobs: Sequence[Callable[[], T]], *, threads: int = 0) -> list[T]:
    """Run jobs and return their results in order; with at most so many threads; 0: one for each core.

    >>> side_by_side([lambda: 1, lambda: 2])
    [1, 2]
    """
    return _Jobs(jobs, min(threads or cores(), len(jobs))).results()


@contextmanager
def begun(jobs: Sequence[Callable[[], T]], *, alone: bool = False) -> Iterator[Callable[[], list[T]]]:
    """Begin jobs beside what the block does; it is given what finishes them and returns their results in order.

    One thread takes them in turn, where a core is free, so that one more job holds memory; none where the block is to be
    `alone`, and all of them run when they are to be finished. Checks
    of scikit-learn change warning filters of the process, which threads share: they are put back when the block ends.

    >>> with begun([lambda: 1, lambda: 2]) as results:
    ...     results()
    [1, 2]
    """
    waiting = _Jobs(jobs, 1 if alone else 2)
    with one_blas_thread(), warnings.catch_warnings():
        waiting.call_help()
        try:
            yield waiting.results
        finally:
            waiting.stop()
            waiting.wait()


@dataclass
class _Limit:
    """The limit of BLAS threads, which holds for the whole process: who needs it, and the thread that keeps it for them."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    done: threading.Event = field(default_factory=threading.Event)
    keeper: threading.Thread | None = None

    def set(self) -> None:
        """Set the limit in a thread of its own: only the thread that set it can lift it."""
        self.done, begun = threading.Event(), threading.Event()
        self.keeper = threading.Thread(target=self._keep, args=(begun,), daemon=True)
        self.keeper.start()
        begun.wait()

    def _keep(self, begun: threading.Event) -> None:
        with threadpool_limits(1):
            begun.set()
            self.done.wait()

    def lift(self) -> None:
        """Lift the limit and wait until it is lifted."""
        self.done.set()
        if self.keeper:
            self.keeper.join()


_limit = _Limit()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let matrix products take one thread: they add up in another order for another number of threads.

    The limit is the process's, so the first of several jobs sets it and the last lifts it: a job that ends does not change the
    sums of one beside it.

    >>> with one_blas_thread(), one_blas_thread():
    ...     _limit.users
    2
    """
    with _limit.lock:
        if not _limit.users:
            _limit.set()
        _limit.users += 1
    try:
        yield
    finally:
        with _limit.lock:
            _limit.users -= 1
            if not _limit.users:
                _limit.lift()
