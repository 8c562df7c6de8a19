"""Read what a model is trained and tested on: every account, or the sample that the config asks for."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from staypower.dataset.all_rows import AllTables
from staypower.dataset.building import Dataset
from staypower.dataset.cutoff_plan import choose_plan, count_rows
from staypower.dataset.sampling import Sampling
from staypower.dataset.settings import CutoffSettings, SamplingSettings
from staypower.engines.opening import (
    Load,
    buckets_of,
    fingerprint_of,
    load_of,
    load_tables,
    open_tables,
    refuse_errors,
    working_folder,
)
from staypower.engines.settings import EngineSettings
from staypower.errors import UsageError
from staypower.labels.churn import find_labels
from staypower.labels.settings import LabelSettings
from staypower.progress import Progress, counted
from staypower.sources.settings import Sources
from staypower.tables import BucketedTables, Tables, fingerprint, put_together
from staypower.writing import require_room

# what training holds at its peak for each number of the matrix, measured: see docs/sampling.md
_BYTES_PER_CELL = 48
# what LightGBM holds for each row beside its numbers: label, scores, gradients, places
_BYTES_BESIDE = 50
# what rows and accounts take at the least once they are read: only what cannot be held is refused
_BYTES_PER_ROW, _BYTES_PER_ACCOUNT = 60, 400
# what a number takes in a file of features, measured: 1.8
_BYTES_ON_DISK = 4
# how many columns to expect before the tables are read
_EXPECTED = 200
# what the labels of an account take on a driver, and at one cutoff more
_BYTES_PER_ID, _BYTES_PER_LABEL = 200, 8
_CGROUP = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True)
class Drawn:
    """The tables of the accounts that a model is trained and tested on."""

    tables: BucketedTables  # in memory, or where they lie on a cluster
    sampling: Sampling
    whole: AllTables | None = None  # what they were drawn from, where trees grow on all of it


@contextmanager
def drawing(
    sources: Sources,
    engine: EngineSettings,
    asked: SamplingSettings,
    *,
    label: LabelSettings,
    cutoffs: CutoffSettings,
    cache: Path,
    progress: Progress,
    as_of: int | None = None,
    given: Tables | None = None,
) -> Iterator[Drawn]:
    """Read the tables of the accounts that a model is trained and tested on, or take them from those that are given.

    Tables larger than the memory of which a sample is asked for go to disk in buckets of accounts. One bucket at a time is
    read, and only the rows of its sampled accounts are kept. What was drawn from is there within the block.
    """
    growing = asked.is_on and asked.grow_on == "all"
    size = {"cutoffs": cutoffs.count, "features": _EXPECTED} if growing else {}
    try:
        buckets, files = (1, ()) if given is not None else buckets_of(sources, engine, **size)
        load = load_of(files)
    except UsageError:
        # a file is not there: reading names every such problem at once
        load, buckets, files = Load(0, 0), 1, ()
    name, made_from = (
        "train-all" if growing else "train",
        (as_of, sources.tables, sources.observed_until, asked, label, cutoffs),
    )
    if not asked.is_on or buckets == 1:
        tables = _load(sources, engine, load, progress, as_of) if given is None else given
        sampling = resolve_sampling(tables, asked, label, cutoffs)
        if not growing or not sampling.is_on:
            yield Drawn(sampling.of_tables(tables), sampling)
            return
        with working_folder(cache, name, fingerprint_of(fingerprint(tables), *made_from)) as folder:
            yield Drawn(sampling.of_tables(tables), sampling, AllTables(tables, folder, engine))
        return
    with working_folder(cache, name, fingerprint_of(files, buckets, *made_from)) as folder:
        opened = open_tables(sources, engine, progress=progress, buckets=buckets, folder=folder / "tables", as_of=as_of)
        sampling = resolve_sampling(opened, asked, label, cutoffs)
        _require_tables_fit(engine.memory_bytes, load, sampling.accounts, progress)
        with progress.step(f"drawing accounts ({sampling})"):
            # one bucket at a time is held as well
            drawn = put_together(
                [sampling.of_tables(opened.bucket(number)) for number in counted(opened.buckets, len(opened.buckets))]
            )
        whole = AllTables(opened, folder, engine) if growing and sampling.is_on else None
        yield Drawn(drawn, sampling, whole)


def _load(sources: Sources, engine: EngineSettings, load: Load, progress: Progress, as_of: int | None) -> Tables:
    _require_tables_fit(engine.memory_bytes, load, 1.0, progress)
    tables, findings = load_tables(sources, progress=progress, as_of=as_of)
    refuse_errors(findings)
    return tables


def resolve_sampling(
    tables: BucketedTables, asked: SamplingSettings, label: LabelSettings, cutoffs: CutoffSettings
) -> Sampling:
    """Turn the settings of the sample into shares."""
    if asked.rows is None:
        return Sampling.of(asked)
    plan = choose_plan(tables, label, cutoffs)

    def count(some: Tables) -> tuple[int, int, int]:
        return count_rows(find_labels(some, label, plan.all, need_churners=False), plan)

    churned, stayed, tested = np.sum(list(tables.each(count, only=label.tables_read)), axis=0).tolist()
    return Sampling.within(asked.rows, churned=churned, stayed=stayed, tested=tested, seed=asked.seed)


def require_labels_fit(accounts: int, cutoffs: int) -> None:
    """Refuse more accounts than this machine can hold the labels of, before they are brought here from a cluster."""
    each, machine = _BYTES_PER_ID + cutoffs * _BYTES_PER_LABEL, machine_memory()
    need = accounts * each
    if need > machine:
        value = f"labels of {accounts:,} accounts at {cutoffs} cutoffs: about {_size(need)}; the driver has {_size(machine)}"
        # of an account that is tested no row is left out: there are at least as many rows as accounts
        fix = f"draw fewer: `sampling: {{rows: {_down(machine // (2 * each))}}}`, or give the driver more memory"
        raise UsageError.of("too much to train on in the driver's memory", value, fix)


def announcer(memory: int | None, progress: Progress, cache: Path) -> Callable[[int, int], None]:
    """Return a function that is called with the size of the training matrix before it is built, and warns or refuses.

    The matrix is kept in the folder `cache`. Without a limit of its own a run may have all memory of this machine.
    """

    def announce(rows: int, features: int) -> None:
        require_room(cache, rows * features * _BYTES_ON_DISK, "the features of training")
        need, allowed = rows * features * _BYTES_PER_CELL, memory or machine_memory()
        if need <= allowed:
            return
        fit = f"`sampling: {{rows: {_down(allowed // (features * _BYTES_PER_CELL))}}}`"
        if memory is not None:
            fit += " (with `grow_on: all` trees grow on all)"
        _too_much(f"{rows:,} rows of {features} features", need, allowed, fit, progress)

    return announce


def require_held(dataset: Dataset, memory: int, progress: Progress) -> None:
    """Warn of, or refuse, more rows than LightGBM can hold at a byte a number when trees grow on all of them."""
    labelled = int((dataset.labels.churned >= 0).sum() / dataset.sampling.accounts)
    features = len(dataset.catalogue.names)
    need = labelled * (features + _BYTES_BESIDE) + len(dataset.y) * features * np.dtype(float).itemsize
    if need > memory:
        what = f"about {labelled:,} rows of {features} features, a byte for each number, beside the sample"
        _too_much(what, need, memory, "`sampling: {grow_on: sample}`", progress)


def _require_tables_fit(memory: int, load: Load, share: float, progress: Progress) -> None:
    """Refuse tables that this machine cannot hold, before they are read."""
    everything = load.rows * _BYTES_PER_ROW + load.accounts * _BYTES_PER_ACCOUNT
    need, allowed = round(everything * share), memory
    if need > allowed:
        fit = float(f"{allowed / everything:.1g}")
        _too_much(f"{round(load.rows * share):,} rows of tables", need, allowed, f"`sampling: {{accounts: {fit:g}}}`", progress)


def _too_much(what: str, need: int, allowed: int, fix: str, progress: Progress) -> None:
    machine = machine_memory()
    if need > machine:
        value = f"{what}: about {_size(need)}; the machine has {_size(machine)}"
        # users who know better raise the memory that a run may use
        fixes = f"train on a sample: {fix} keeps within {'it' if allowed == machine else '`engine.memory`'}"
        fixes += f"; or {'give it' if allowed == machine else 'raise that to'} {_size(need)} to try all the same"
        raise UsageError.of("too much to train on in this machine's memory", value, fixes)
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
