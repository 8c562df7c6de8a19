"""Time several ways of doing the same work, each in a fresh process of its own, and print them as a table.

    rows = compare({"ours": partial(ours, path), "theirs": partial(theirs, path)}, repeats=3)
    print(table(rows, against="ours"))

A side is a function of a module (or a `partial` of one), since it is started in another process; it returns something small
or nothing. The sides take turns, so that a busy minute of the machine touches all of them, and ratios are medians over turns.
"""

from __future__ import annotations

import multiprocessing
import platform
import resource
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

__all__ = ["Row", "compare", "machine", "peak_megabytes", "ratio", "table"]

# memory that is handed out just before a call is timed, at most half of what is free
_GIGABYTES_AT_HAND = 6.0
# the times of one run as in `Row`, its peak and its result
_Turn = tuple[float, float, float, float, Any]


@dataclass(frozen=True)
class Row:
    """What one side took: one entry a turn, and what it returned the last time."""

    side: str
    walls: tuple[float, ...]
    cpus: tuple[float, ...]
    systems: tuple[float, ...]  # of the processor time, what the system took, such as for pages of memory
    peaks: tuple[float, ...]
    result: Any = None

    @property
    def wall(self) -> float:
        """Median seconds by the clock."""
        return median(self.walls)

    @property
    def cpu(self) -> float:
        """Median seconds of processor time, all threads and child processes."""
        return median(self.cpus)

    @property
    def peak(self) -> float:
        """Largest peak memory of the process, in megabytes."""
        return max(self.peaks)


def compare(
    sides: Mapping[str, Callable[[], Any]], repeats: int = 3, prepare: Mapping[str, Callable[[], Any]] | None = None
) -> list[Row]:
    """Run every side `repeats` times, taking turns, each run in a fresh process.

    Only the call is timed: not the start of Python, nor the imports of the module in which the function stands, nor what
    `prepare` names for a side: a function that is called before, such as the same work on a handful of rows, so that what is
    imported or compiled on first use is there. Memory is at hand, too: a page that the host of a virtual machine must supply
    first takes up to forty times longer, and whether it must depends on what ran before. Peak memory is that of the process.
    """
    turns: dict[str, list[_Turn]] = {side: [] for side in sides}
    for _ in range(repeats):
        for side, call in sides.items():
            turns[side].append(_in_fresh_process(side, call, (prepare or {}).get(side)))
    return [
        Row(side, *(tuple(told[n] for told in each) for n in range(4)), each[-1][4])  # type: ignore[arg-type]
        for side, each in turns.items()
    ]


def ratio(rows: Sequence[Row], side: str, against: str, what: str = "cpus") -> float:
    """Return how many times more one side took than another: the median over turns. `what` is `cpus`, `walls` or `peaks`."""
    named = {row.side: row for row in rows}
    pairs = zip(getattr(named[side], what), getattr(named[against], what), strict=True)
    return median(one / other for one, other in pairs)


def table(rows: Sequence[Row], against: str | None = None) -> str:
    """Write the sides as a Markdown table; with `against`, how many times more wall and CPU time than that side."""
    head = ["", "wall s", "CPU s", "peak MB"] + ([f"wall / {against}", f"CPU / {against}"] if against else [])
    lines = [head, ["---"] + ["---:"] * (len(head) - 1)]
    for row in rows:
        cells = [row.side, f"{row.wall:.2f}", f"{row.cpu:.2f}", f"{row.peak:,.0f}"]
        if against:
            cells += [f"{ratio(rows, row.side, against, what):.1f}" for what in ("walls", "cpus")]
        lines.append(cells)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def machine() -> str:
    """Say in one line what this was measured on."""
    cores = multiprocessing.cpu_count()
    return f"Python {platform.python_version()}, {cores} cores, {platform.machine()} {platform.system()}"


def peak_megabytes() -> float:
    """Return the peak memory of this process so far."""
    for line in _lines_of("self/status"):
        # a child process inherits its parent's `ru_maxrss`; this line begins with the process
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if platform.system() == "Darwin" else peak / 1024


def _lines_of(name: str) -> list[str]:
    """Read what Linux says of itself; nothing elsewhere."""
    file = Path("/proc", name)
    return file.read_text().splitlines() if file.exists() else []


def _in_fresh_process(side: str, call: Callable[[], Any], prepare: Callable[[], Any] | None) -> _Turn:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(call, prepare, theirs))
    process.start()
    theirs.close()
    try:
        told = ours.recv()
    except EOFError:
        told = "the process died"
    process.join()
    if isinstance(told, str):
        raise RuntimeError(f"{side}: {told}")
    return told  # type: ignore[no-any-return]


def _run(call: Callable[[], Any], prepare: Callable[[], Any] | None, told: Connection) -> None:
    try:
        _have_memory_at_hand()
        if prepare is not None:
            prepare()
        (user, system), wall = _cpu_seconds(), time.perf_counter()
        result = call()
        wall, (user_then, system_then) = time.perf_counter() - wall, _cpu_seconds()
        system = system_then - system
        told.send((wall, user_then - user + system, system, peak_megabytes(), result))
    except BaseException:
        told.send(traceback.format_exc())


def _have_memory_at_hand() -> None:
    """Let another process take memory and give it back."""
    free = next((int(line.split()[1]) for line in _lines_of("meminfo") if line.startswith("MemAvailable")), 0) / 2**20
    numbers = int(min(_GIGABYTES_AT_HAND, free / 2) * 2**27)
    subprocess.run([sys.executable, "-c", f"import numpy; numpy.ones({numbers})"], check=True)


def _cpu_seconds() -> tuple[float, float]:
    """Return the seconds of processor time so far, by this process and by the system for it."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime for one in used), sum(one.ru_stime for one in used)
