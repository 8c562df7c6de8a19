"""Trainings side by side: one thread for each takes as much processor time as all threads for one, and less by the clock.

Threads that share one training wait for each other after every few milliseconds, and busy neighbours make all of them wait.
No model depends on how many work side by side.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ["cores", "side_by_side"]

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
