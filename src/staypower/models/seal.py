"""Seal a bundle's files into a folder, and open a folder only if every byte is as sealed.

The seal is `manifest.json`: the sha256 and size of every file. Its own sha256 is the digest of the bundle, which is kept
outside the folder. Everything is read once into memory, checked there, and parsed from there, so nothing can change between
check and use.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from staypower.errors import Problem, UsageError

__all__ = [
    "RESTORE",
    "SECONDARY_NAME",
    "FILES",
    "MARGIN",
    "secondary_files",
    "secondary_names",
    "digest_of",
    "json_bytes",
    "json_values",
    "open_folder",
    "seal_folder",
]

FILES: Mapping[str, int] = {
    "model.txt": 1 << 30,
    "calibration.json": 1 << 16,
    "schema.json": 1 << 26,
    "learned.json": 1 << 26,
    "metadata.json": 1 << 26,
    "card.md": 1 << 24,
}
"""The files of every bundle and the most bytes each may have."""

MARGIN = "margin.json"
"""The file of a linear margin, only in bundles whose trees start from one."""

_SOMETIMES: Mapping[str, int] = {MARGIN: 1 << 26}

SECONDARY_NAME = re.compile(r"[a-z0-9_]{1,40}")
"""What a secondary model may be called: its name is part of a file's name."""

_SECONDARY_FILE = re.compile(rf"companion_({SECONDARY_NAME.pattern})\.(txt|json)")
_SECONDARY_LIMITS = {"txt": 1 << 30, "json": 1 << 26}

_MANIFEST = "manifest.json"
_MANIFEST_LIMIT = 1 << 16
_FORMAT = "staypower bundle 1"
_MOST = 1 << 63  # a larger whole number fits in no column
RESTORE = "copy the bundle again or train the model again"


def secondary_files(name: str) -> tuple[str, str]:
    """Name the two files of a secondary model: its trees, and its other values."""
    return f"companion_{name}.txt", f"companion_{name}.json"


def secondary_names(files: Iterable[str]) -> tuple[str, ...]:
    """Name the secondary models whose files are among some files, sorted.

    >>> secondary_names(["model.txt", "companion_kinds.txt", "companion_kinds.json"])
    ('kinds',)
    """
    found = (_SECONDARY_FILE.fullmatch(file) for file in files)
    return tuple(sorted({match.group(1) for match in found if match}))


def _limit_of(file: str) -> int | None:
    """Return the most bytes a file may have, None when it can be no part of a bundle."""
    match = _SECONDARY_FILE.fullmatch(file)
    return _SECONDARY_LIMITS[match.group(2)] if match else FILES.get(file, _SOMETIMES.get(file))


def json_bytes(values: Any, name: str) -> bytes:
    """Write values as JSON, equal bytes for equal values."""
    try:
        text = json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        fix = "give text, finite numbers, true, false, null, lists and mappings by text only"
        raise UsageError.of("not JSON-able", f"{name} ({error})", fix) from None
    return (text + "\n").encode()


def json_values(content: bytes, name: str) -> dict[str, Any]:
    """Read a JSON object strictly: UTF-8, no name twice, finite numbers, whole ones of at most 63 bits."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) != len(pairs):
            raise ValueError("a name is there twice")
        return dict(pairs)

    def refuse(number: str) -> NoReturn:
        raise ValueError(f"{number:.20} is no number that a model holds")

    def whole(digits: str) -> int:
        number = int(digits)
        return number if abs(number) < _MOST else refuse(digits)

    def fraction(digits: str) -> float:
        number = float(digits)
        return number if math.isfinite(number) else refuse(digits)

    try:
        found = json.loads(
            content.decode(), object_pairs_hook=once, parse_constant=refuse, parse_int=whole, parse_float=fraction
        )
    except (ValueError, RecursionError) as error:
        raise UsageError.of("unreadable file in the bundle", f"{name} ({error})", RESTORE) from None
    if not isinstance(found, dict):
        raise UsageError.of("unreadable file in the bundle", f"{name} holds no mapping", RESTORE)
    return found


def digest_of(files: Mapping[str, bytes]) -> str:
    """Return the digest of a bundle: the sha256 of the manifest of its files."""
    return hashlib.sha256(_manifest(files)).hexdigest()


def _manifest(files: Mapping[str, bytes]) -> bytes:
    listed = {name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in files.items()}
    return json_bytes({"format": _FORMAT, "files": listed}, "manifest")


def seal_folder(files: Mapping[str, bytes], folder: Path) -> str:
    """Write files and their manifest into a new folder, whole or not at all."""
    large = [(name, limit) for name in files if len(files[name]) > (limit := _limit_of(name) or 0)]
    if large:
        raise UsageError(
            [Problem("too large for a bundle", f"{name} over {limit} bytes", "shorten it") for name, limit in large]
        )
    if os.path.lexists(folder):
        return _same(files, folder)
    manifest = _manifest(files)
    building = folder.parent / f".{folder.name}.{secrets.token_hex(6)}.building"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        building.mkdir()
        for name, content in {**files, _MANIFEST: manifest}.items():
            _write(building / name, content)
        _sync(building)
        building.rename(folder)
        _sync(folder.parent)
    except OSError as error:
        if os.path.lexists(folder):  # another process was faster
            return _same(files, folder)
        raise UsageError.of(
            "cannot write the bundle", f"{folder} ({error.strerror})", "choose a folder you may write"
        ) from None
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return hashlib.sha256(manifest).hexdigest()


def _same(files: Mapping[str, bytes], folder: Path) -> str:
    digest = digest_of(files)
    try:
        open_folder(folder, digest=digest)
    except UsageError:
        fix = "choose a new folder; a bundle is never overwritten"
        raise UsageError.of("something else is already there", str(folder), fix) from None
    return digest


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    if os.name != "posix":  # only there can a folder be opened and synced
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def open_folder(folder: Path, *, digest: str | None = None) -> dict[str, bytes]:
    """Read the files of a sealed folder after checking every one against the manifest."""
    if not folder.is_dir():
        raise UsageError.of("no bundle there", str(folder), "check the path, or train a model")
    found = _check_names(folder)
    manifest = _read(folder / _MANIFEST, _MANIFEST_LIMIT)
    if digest is not None and hashlib.sha256(manifest).hexdigest() != digest:
        raise UsageError.of("the bundle is not the one that was sealed", f"{folder}: digest differs", RESTORE)
    listed = _listed(manifest)
    _require_same(folder, found, set(listed))
    files, problems = {}, []
    for name in listed:
        content = _read(folder / name, _limit_of(name) or 0)
        if len(content) != listed[name]["bytes"] or hashlib.sha256(content).hexdigest() != listed[name]["sha256"]:
            problems.append(Problem("a file of the bundle was altered", str(folder / name), RESTORE))
        files[name] = content
    if problems:
        raise UsageError(problems)
    return files


def _check_names(folder: Path) -> set[str]:
    """Require the files of every bundle, and nothing that can be no part of one; return what is there."""
    try:
        found = set(os.listdir(folder))
    except OSError as error:
        raise UsageError.of("cannot read the bundle", f"{folder} ({error.strerror})", "check who may read it") from None
    expected = {*FILES, _MANIFEST}
    _require_same(folder, found, expected | {name for name in found if _limit_of(name)})
    return found - {_MANIFEST}


def _require_same(folder: Path, found: set[str], expected: set[str]) -> None:
    problems = [Problem("a file of the bundle is missing", str(folder / name), RESTORE) for name in sorted(expected - found)]
    problems += [
        Problem("a file that does not belong to the bundle", str(folder / name), "remove it")
        for name in sorted(found - expected)
    ]
    if problems:
        raise UsageError(problems)


def _listed(manifest: bytes) -> dict[str, Any]:
    values = json_values(manifest, _MANIFEST)
    if values.get("format") != _FORMAT:
        fix = "use the version of staypower that wrote it, or train it again"
        raise UsageError.of("unknown bundle format", repr(values.get("format")), fix)
    listed = values.get("files")
    fine = isinstance(listed, dict) and set(values) == {"format", "files"} and _fit_together(set(listed))
    if not fine or not all(isinstance(entry, dict) and set(entry) == {"bytes", "sha256"} for entry in listed.values()):  # type: ignore[union-attr]
        raise UsageError.of("unreadable file in the bundle", f"{_MANIFEST} does not list the bundle's files", RESTORE)
    return dict(listed)  # type: ignore[arg-type]


def _fit_together(names: set[str]) -> bool:
    """Say whether names are the files of every bundle and whole secondary models, and nothing else."""
    secondary = {file for name in secondary_names(names) for file in secondary_files(name)}
    return names - set(_SOMETIMES) == {*FILES, *secondary}


def _read(path: Path, limit: int) -> bytes:
    """Read a regular file, never through a link and never more than the limit."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        if path.is_symlink():
            raise UsageError.of("a link in the bundle", str(path), RESTORE)
        handle = os.open(path, flags)
    except OSError as error:
        raise UsageError.of("cannot read a file of the bundle", f"{path} ({error.strerror})", RESTORE) from None
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        raise UsageError.of("not a file", str(path), RESTORE)
    with os.fdopen(handle, "rb") as file:
        content = b"" if found.st_size > limit else file.read(limit + 1)
    if found.st_size > limit or len(content) > limit:
        raise UsageError.of("a file of the bundle is too large", f"{path}: over {limit} bytes", RESTORE)
    return content
