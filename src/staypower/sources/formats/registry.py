"""Every source format, by name: each module of this package with a `FORMAT` is one."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from staypower.errors import UsageError
from staypower.sources import formats
from staypower.sources.formats.format import Format, ending_of

__all__ = ["FORMATS", "by_ending", "format_of", "in_words"]


def _found() -> dict[str, Format]:
    names = sorted(module.name for module in pkgutil.iter_modules(formats.__path__))
    modules = [importlib.import_module(f"{formats.__name__}.{name}") for name in names if name not in ("format", "registry")]
    return {module.FORMAT.name: module.FORMAT for module in modules}


FORMATS: Mapping[str, Format] = MappingProxyType(_found())


def by_ending(file: Path) -> Format | None:
    """Return the format that a file's ending says.

    >>> by_ending(Path("a.tsv.gz")).name, by_ending(Path("a.xyz"))
    ('csv', None)
    """
    ending = ending_of(file)
    return next((form for form in FORMATS.values() if ending in form.endings), None)


def format_of(given: str | None, file: Path, place: str) -> Format:
    """Return the format that the configuration says, or else the file's ending."""
    found = FORMATS[given] if given is not None else by_ending(file)
    if found is None:
        fix = "write " + " or ".join(f"`format: {name}`" for name in FORMATS)
        raise UsageError.of("the file's ending does not say what it is", f"{place}: {file}", fix)
    return found


def in_words() -> str:
    """List the formats for a message.

    >>> in_words()
    'CSV, DuckDB, JSON lines or Parquet'
    """
    labels = [form.label for form in FORMATS.values()]
    return f"{', '.join(labels[:-1])} or {labels[-1]}"
