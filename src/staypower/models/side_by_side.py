"""Trainings side by side: one thread for each takes as much processor time as all threads for one, and less by the clock.

Threads that share one training wait for each other after every few milliseconds, and busy neighbours make all of them wait.
No model depends on how many work side by side.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped] # no type hints

__all__ = ["cores", "one_blas_thread", "side_by_side"]

T = TypeVar("T")


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# jobs may start jobs: all of them together have no more threads than there are cores
_free = threading.Semaphore(max(0, cores() - 1))


def side_by_side(jobs: Sequence[Callable[[], T]], *, threads: int = 0) -> list[T]:
    """Run jobs and return their results in order; with at most so many threads; 0: one for each core.

    >>> side_by_side([lambda: 1, lambda: 2])
    [1, 2]
    """
    waiting, found, failed = deque(enumerate(jobs)), dict[int, T](), dict[int, BaseException]()
    helpers: list[threading.Thread] = []

    def work() -> None:
        while waiting:
            if len(helpers) + 1 < min(threads or cores(), len(jobs)) and len(waiting) > 1 and _free.acquire(blocking=False):
                helpers.append(threading.Thread(target=help_out))
                helpers[-1].start()
            try:
                number, job = waiting.popleft()
            except IndexError:
                return
            try:
                found[number] = job()
            except BaseException as error:
                failed[number] = error
                waiting.clear()

    def help_out() -> None:
        try:
            work()
        finally:
            _free.release()

    work()
    for helper in helpers:
        helper.join()
    if failed:
        raise failed[min(failed)]
    return [found[number] for number in range(len(jobs))]


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
