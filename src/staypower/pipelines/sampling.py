"""Read what a model learns from and is judged on: every account, or the sample that the config asks for."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa

from staypower import __version__
from staypower.config.settings import Settings
from staypower.dataset.cutoff_plan import choose_plan
from staypower.dataset.pairs import count_rows
from staypower.dataset.sampling import Sampling
from staypower.engines.sizing import Load
from staypower.errors import UsageError
from staypower.labels.churn import find_labels
from staypower.pipelines.loading import buckets_of, load_of, load_tables, open_tables, refuse_errors
from staypower.pipelines.working_folder import fingerprint_of, working_folder
from staypower.progress import Progress
from staypower.tables import BucketedTables, Tables

__all__ = ["announcer", "machine_memory", "open_to_learn", "resolve_sampling"]

# what training holds at its peak for each number of the matrix, measured: see docs/sampling.md
_BYTES_PER_CELL = 48
# what rows and accounts take at the least once they are read: only what cannot be held is refused
_BYTES_PER_ROW, _BYTES_PER_ACCOUNT = 60, 400
_CGROUP = Path("/sys/fs/cgroup/memory.max")


def open_to_learn(
    settings: Settings, *, progress: Progress, as_of: int | None = None, tables: Tables | None = None
) -> tuple[Tables, Sampling]:
    """Read the tables of the accounts that are learned from and tested on.

    Tables larger than `engine.memory` of which a sample is asked for go to disk in buckets of accounts. One bucket at a time is
    read, and only the rows of its sampled accounts are kept.
    """
    if tables is not None:
        sampling = resolve_sampling(settings, tables)
        return sampling.of_tables(tables), sampling
    try:
        load, (buckets, files) = load_of(settings), buckets_of(settings)
    except UsageError:
        # a file is not there: reading names every such problem at once
        load, buckets, files = Load(0, 0), 1, ()
    if not settings.sampling.is_on or buckets == 1:
        _require_tables_fit(settings, load, 1.0, progress)
        tables, findings = load_tables(settings, progress=progress, as_of=as_of)
        refuse_errors(findings)
        return open_to_learn(settings, progress=progress, tables=tables)
    run = fingerprint_of(__version__, version("duckdb"), settings.to_dict(), files, buckets, as_of)
    with working_folder(settings.output_folder / "cache", "learn", run) as folder:
        opened = open_tables(settings, progress=progress, buckets=buckets, folder=folder / "tables", as_of=as_of)
        sampling = resolve_sampling(settings, opened)
        _require_tables_fit(settings, load, sampling.accounts, progress)
        with progress.step(f"drawing accounts ({sampling})"):
            return _drawn(opened, sampling), sampling


def resolve_sampling(settings: Settings, tables: BucketedTables) -> Sampling:
    """Turn the settings of the sample into shares."""
    asked = settings.sampling
    if asked.rows is None:
        return Sampling.of(asked)
    plan, label = choose_plan(tables, settings.label, settings.cutoffs), settings.label

    def count(some: Tables) -> tuple[int, int, int]:
        return count_rows(find_labels(some, label, plan.all, need_churners=False), plan)

    churned, stayed, tested = np.sum(list(tables.each(count, only=label.tables_read)), axis=0).tolist()
    return Sampling.within(asked.rows, churned=churned, stayed=stayed, tested=tested, seed=asked.seed)


def _drawn(opened: BucketedTables, sampling: Sampling) -> Tables:
    """Put the sampled accounts of all buckets together; no more than one bucket is held besides."""
    parts = [sampling.of_tables(opened.bucket(number)) for number in opened.buckets]
    together = {
        name: replace(table, data=pa.concat_tables([part[name].data for part in parts])) for name, table in parts[0].items()
    }
    return replace(parts[0], tables=together)


def announcer(settings: Settings, progress: Progress) -> Callable[[int, int], None]:
    """Return what is told how large the training matrix will be, before it is built."""

    def announce(rows: int, features: int) -> None:
        need, allowed = rows * features * _BYTES_PER_CELL, settings.engine.memory_bytes
        if need <= allowed:
            return
        fit = _down(allowed // (features * _BYTES_PER_CELL))
        _too_much(f"{rows:,} rows of {features} features", need, allowed, f"`sampling: {{rows: {fit}}}`", progress)

    return announce


def _require_tables_fit(settings: Settings, load: Load, share: float, progress: Progress) -> None:
    """Refuse tables that this machine cannot hold, before they are read."""
    everything = load.rows * _BYTES_PER_ROW + load.accounts * _BYTES_PER_ACCOUNT
    need, allowed = round(everything * share), settings.engine.memory_bytes
    if need > allowed:
        fit = float(f"{allowed / everything:.1g}")
        _too_much(f"{round(load.rows * share):,} rows of tables", need, allowed, f"`sampling: {{accounts: {fit:g}}}`", progress)


def _too_much(what: str, need: int, allowed: int, fix: str, progress: Progress) -> None:
    machine = machine_memory()
    if need > machine:
        value = f"{what}: about {_size(need)}; the machine has {_size(machine)}"
        # whoever knows better says so with the memory that a run may hold
        fixes = f"learn from a sample: {fix} keeps within `engine.memory`; or raise that to {_size(need)} to try all the same"
        raise UsageError.of("too much to learn from in this machine's memory", value, fixes)
    more = f"more than `engine.memory` {_size(allowed)}; {fix} would keep within it, see docs/sampling.md"
    progress.say(f"  {what} may take about {_size(need)}, {more}")


def machine_memory() -> int:
    """Return the bytes of memory that this process may ever have.

    >>> machine_memory() > 10**8
    True
    """
    found = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit = _CGROUP.read_text(encoding="ascii").strip()
    except OSError:
        return found
    return min(found, int(limit)) if limit.isdecimal() else found


def _size(size: int) -> str:
    return f"{size / 1e9:.1f}GB"


def _down(number: int) -> int:
    """Keep two digits of a number."""
    unit: int = 10 ** max(0, int(math.log10(max(number, 1))) - 1)
    return max(number // unit * unit, 1_000)
