"""Files in object stores, copied to this machine while they are read."""

from __future__ import annotations

import fnmatch
from pathlib import Path

from staypower.addresses import scheme_of, shown_address, shown_in
from staypower.errors import UsageError

__all__ = ["STORES", "fetch", "is_store"]

STORES = ("abfs", "abfss", "gcs", "gs", "s3")


def is_store(name: str) -> bool:
    """Say whether a source is in an object store.

    >>> is_store("s3://bucket/a.csv"), is_store("postgresql://host/db")
    (True, False)
    """
    return "://" in name and scheme_of(name) in STORES


def fetch(address: str, place: str, into: Path) -> list[Path]:
    """Copy the files that an address, a pattern or a folder names, below the same folders."""
    # pyarrow takes long to import: declaring a format must not
    import pyarrow as pa
    from pyarrow import fs

    where = f"{place}: {shown_address(address)}"
    try:
        plain, pattern = _pattern_of(address)
        system, path = fs.FileSystem.from_uri(plain)
        found = [path]
        if pattern or system.get_file_info(path).type == fs.FileType.Directory:
            below = system.get_file_info(fs.FileSelector(path, recursive=True))
            found = sorted(each.path for each in below if each.is_file and fnmatch.fnmatch(each.path, pattern or "*"))
        if not found:
            raise UsageError.of("no file matches", where, "check the pattern")
        files = []
        for file in found:
            # folders such as `year=2025` hold a column in their name
            target = into / (file.removeprefix(path).lstrip("/") or Path(file).name)
            target.parent.mkdir(parents=True, exist_ok=True)
            fs.copy_files(file, str(target), source_filesystem=system, destination_filesystem=fs.LocalFileSystem())
            files.append(target)
        return files
    except (OSError, pa.ArrowInvalid) as error:
        fix = "check the address, and the credentials in the environment"
        raise UsageError.of(f"the object store says: {shown_in(str(error))[:300]}", where, fix) from error


def _pattern_of(address: str) -> tuple[str, str]:
    """Split an address at its first part with signs of a pattern; options after `?` stay with the address.

    >>> _pattern_of("s3://bucket/events/*.csv?region=eu")
    ('s3://bucket/events?region=eu', '*/*.csv')
    """
    path, mark, options = address.partition("?")
    parts = path.split("/")
    first = next((place for place, part in enumerate(parts) if place > 2 and any(sign in part for sign in "*[")), None)
    if first is None:
        return address, ""
    return "/".join(parts[:first]) + mark + options, "*/" + "/".join(parts[first:])
