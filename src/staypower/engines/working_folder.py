"""The folder where a run keeps unfinished work, so that the same run can continue after an interruption."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import IO

from staypower import __version__
from staypower.errors import UsageError

_LOCK = "lock"


def fingerprint_of(*values: object) -> str:
    """Hash plain values: what a run depends on, besides the versions of this package and of the database.

    >>> fingerprint_of("a", 1) == fingerprint_of("a", 1) != fingerprint_of("a", 2)
    True
    """
    written = json.dumps((__version__, version("duckdb"), *values), sort_keys=True, default=str)
    return hashlib.sha256(written.encode()).hexdigest()[:24]


@contextmanager
def working_folder(cache: Path, name: str, fingerprint: str) -> Iterator[Path]:
    """Hold a folder for one run."""
    folder = cache / f"{name}-run-{fingerprint}"
    made = [place for place in (cache, *cache.parents) if not place.exists()]
    lock = _hold(folder)
    if lock is None:
        raise UsageError.of("another run is doing the same", folder, "wait until it has ended")
    try:
        yield folder
    except UsageError:
        _remove(folder, made)
        raise
    else:
        _remove(folder, made)
        for left in cache.glob(f"{name}-run-*"):
            _remove_left(left)
    finally:
        lock.close()


def _hold(folder: Path) -> IO[str] | None:
    """Take the folder's lock, which the system frees when the process dies; None when another process has it."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = (folder / _LOCK).open("a")
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock.fileno()), (folder / _LOCK).stat()):
                return lock
        # the process that held the lock has removed the folder
        lock.close()


def _remove(folder: Path, made: Sequence[Path] = ()) -> None:
    """Take a folder away, and those above it that the run made and left empty."""
    shutil.rmtree(folder, ignore_errors=True)
    for place in made:
        with suppress(OSError):
            place.rmdir()


def _remove_left(folder: Path) -> None:
    """Take away what a killed run left and no run will use: other data, another model, other settings."""
    lock = _hold(folder)
    if lock is not None:
        _remove(folder)
        lock.close()
