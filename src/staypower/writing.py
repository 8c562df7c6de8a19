"""Write files so that readers see either the old one or the complete new one."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from staypower.errors import UsageError, at_place


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Hold a file lock; the system frees it when the process dies."""
    with at_place(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_atomically(path: Path, write: Callable[[Path], object], *, staging: Path | None = None) -> Path:
    """Write to a temporary name, flush to disk and rename."""
    with at_place(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=staging or path.parent, prefix=f".{path.name}.", suffix=".tmp")
        os.close(handle)
        temporary = Path(name)
        try:
            write(temporary)
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.chmod(0o644)
            _rename(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    return path


def probe_place(path: Path) -> None:
    """Find out whether a file could be written, before the work that it is for; nothing is left behind."""
    with at_place(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "there is a folder of this name", str(path))
        new = [folder for folder in path.parents if not folder.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with tempfile.TemporaryFile(dir=path.parent, prefix=f".{path.name}."):
                pass
        finally:
            for folder in new:
                # another run may have begun to use it
                with suppress(OSError):
                    folder.rmdir()


def require_room(folder: Path, need: int, what: str) -> None:
    """Refuse work whose files, of about `need` bytes, do not fit on the disk of a folder."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    with at_place(there):
        free = shutil.disk_usage(there).free
    if need > free:
        value = f"{folder}: {what} take about {need / 1e9:.1f}GB, {free / 1e9:.1f}GB are free"
        raise UsageError.of(
            "not enough space on the disk", value, "free some space there, or set `output.folder` to another disk"
        )


def _rename(temporary: Path, path: Path) -> None:
    try:
        temporary.replace(path)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # the staging folder is on another disk: a copy next to the path is renamed instead
        write_atomically(path, lambda place: shutil.copyfile(temporary, place))
