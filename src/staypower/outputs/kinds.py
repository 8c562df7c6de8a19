"""Every kind of places that rows are written to. Whatever lists them reads `OUTPUTS`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from staypower.addresses import is_address, scheme_of, shown_address
from staypower.errors import UsageError, nearest
from staypower.outputs.databases import POSTGRESQL, SQLITE
from staypower.outputs.files import CSV, PARQUET
from staypower.outputs.place import Kind, Place
from staypower.outputs.workbooks import WORKBOOK

__all__ = ["OUTPUTS", "probed_place"]

_ALL = (CSV, WORKBOOK, PARQUET, POSTGRESQL, SQLITE)
OUTPUTS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in _ALL})
_VARIABLE = re.compile(r"\$\{([A-Za-z_]\w*)\}")


def probed_place(output: str | Path) -> Place:
    """Return the place that a path or an address names, after a look whether it can be written.

    >>> import tempfile
    >>> probed_place(Path(tempfile.mkdtemp()) / "a.csv").kind.label
    'CSV'
    """
    place = _place_of_address(output) if isinstance(output, str) and is_address(output) else _place_of_path(Path(output))
    place.kind.probe(place)
    return place


def _place_of_path(path: Path) -> Place:
    kind = next((kind for kind in OUTPUTS.values() if path.suffix.lower() in kind.endings), None)
    if kind is None:
        endings = [f"`{ending}`" for each in OUTPUTS.values() for ending in each.endings]
        schemes = [f"`{each.schemes[0]}://`" for each in OUTPUTS.values() if each.schemes]
        fix = f"let the name end in {', '.join(endings[:-1])} or {endings[-1]}, or begin with {' or '.join(schemes)}"
        raise UsageError.of("unknown kind of output", path, fix)
    return Place(kind, path=path)


def _place_of_address(given: str) -> Place:
    """Take an address apart: what follows the last `#` is the table."""
    kind = next((kind for kind in OUTPUTS.values() if scheme_of(given) in kind.schemes), None)
    if kind is None:
        fix = nearest(scheme_of(given), [scheme for each in OUTPUTS.values() for scheme in each.schemes])
        raise UsageError.of("no such kind of address is written to", shown_address(given), f"{fix}, or name a file")
    address, _, table = _filled(given).rpartition("#")
    if not address or not table or "/" in table or "@" in table:
        fix = "end the address with `#schema.table`"
        raise UsageError.of("no table is named", shown_address(given), fix)
    if kind.name == "postgresql":
        return Place(kind, address=address, table=table)
    # after two slashes and a host that is empty, one slash more begins a path, relative as it stands
    return Place(kind, path=Path(address.partition("://")[2].removeprefix("/")), address=address, table=table)


def _filled(given: str) -> str:
    """Replace `${NAME}` by variables of the environment, so that no secret need be written."""
    missing = [name for name in _VARIABLE.findall(given) if not os.environ.get(name)]
    if missing:
        problem = f"the environment variable {missing[0]} is not set"
        raise UsageError.of(problem, shown_address(given), f"set it (`export {missing[0]}=...`)")
    return _VARIABLE.sub(lambda found: os.environ[found[1]], given)
