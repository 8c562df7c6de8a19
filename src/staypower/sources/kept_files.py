"""Rows in buckets that are kept from run to run: a file of a source that has not changed is not read again.

What is kept is named after the file (its path, size, time of change and both its ends) and after everything that decides what
its rows mean, so it is right or it is not found. A checksum finds what was damaged since; that is made anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from staypower import __version__
from staypower.errors import at_place
from staypower.sources.bucket_files import ENDING, is_whole
from staypower.sources.extracting import ColumnFacts
from staypower.sources.formats import format_of
from staypower.sources.opening import FilesState, OpenSource
from staypower.sources.planning import Plan
from staypower.sources.settings import TableSource
from staypower.writing import hold_lock, write_atomically

_FACTS = ".json"
_ENDS = 65_536
_DAY = 86_400
# what belongs to files that are still there and was not used for so long is of another mapping
_UNUSED_DAYS = 30


@dataclass(frozen=True)
class Unit:
    """Files of a source that are kept as one: a single file where its rows mean the same alone, else all of them."""

    source: TableSource  # names these files only
    files: FilesState
    name: str  # under which what is known of them is kept; begins with a hash of their paths, then one of their state


@dataclass
class KeptFiles:
    """A folder of rows that are kept."""

    folder: Path
    project: Path  # what paths are relative to
    say: Callable[[str], None]
    known: dict[str, str] = field(default_factory=dict)  # by the hash of paths of this run, that of the files' state

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let one run at a time look for what is kept, and add to it; another waits and finds it."""
        with at_place(self.folder), hold_lock(self.folder / "lock"):
            yield
            self.drop_others()

    def units_of(self, source: TableSource, opened: OpenSource, plan: Plan) -> list[Unit]:
        """Return the files of a source as they are kept; none where its rows depend on more than its files."""
        if not opened.state or opened.aliased or plan.via is not None:
            return []
        if not _mean_the_same_alone(source, opened, plan):
            return [self._unit(source, opened.state)]
        return [self._unit(source.model_copy(update={"source": str(one[0])}), (one,)) for one in opened.state]

    def _unit(self, source: TableSource, files: FilesState) -> Unit:
        paths = _hash([os.path.relpath(path, self.project) for path, _, _ in files])
        state = _hash([(size, changed, _ends(path)) for path, size, changed in files])
        self.known[paths] = state
        return Unit(source, files, f"{paths}-{state}")

    def facts_key(self, table: str, source: TableSource, types: Mapping[str, str], plan: Plan) -> str:
        """Hash what decides how a source is read, but not which of its files."""
        columns = [(c.name, c.kind, c.value.sql, c.raw, c.written) for c in plan.columns]
        used = {name: types.get(name) for name in sorted(plan.used)}
        asked = source.model_dump(mode="json", exclude={"source"})
        versions = [__version__, *map(version, ("duckdb", "pyarrow"))]
        return _hash([versions, table, asked, used, columns, None if plan.where is None else plan.where.sql])

    def rows_key(self, facts_key: str, facts: Mapping[str, ColumnFacts], *more: object) -> str:
        """Hash what decides what the rows of a file become: how it is read, what its columns are in all files, and more."""
        kinds = {name: (one.kind, one.date_only, one.fractions) for name, one in facts.items()}
        return _hash([facts_key, kinds, *more])

    def facts(self, unit: Unit, key: str, learn: Callable[[], Mapping[str, ColumnFacts]]) -> Mapping[str, ColumnFacts]:
        """Return what all rows of some files say of their columns, learned once."""
        place = self.folder / f"{unit.name}-{key}{_FACTS}"
        with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
            kept = json.loads(place.read_text(encoding="utf-8"))
            if kept["sum"] == _hash(kept["facts"]):
                os.utime(place)
                return {name: ColumnFacts(**each) for name, each in kept["facts"].items()}
        self._say_damaged(place)
        found = learn()
        facts = {name: asdict(each) for name, each in found.items()}
        content = json.dumps({"facts": facts, "sum": _hash(facts)})
        write_atomically(place, lambda file: file.write_text(content, encoding="utf-8"))
        return found

    def rows(self, unit: Unit, key: str, into: Path, write: Callable[[Path], None]) -> None:
        """Put the rows of some files where a run reads them, written once."""
        place = self.folder / f"{unit.name}-{key}{ENDING}"
        if not is_whole(place):
            self._say_damaged(place)
            write(place)
        os.utime(place)
        into.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(place, into)
        except OSError:
            # another file system, or one without links
            shutil.copyfile(place, into)

    def _say_damaged(self, place: Path) -> None:
        if place.exists():
            place.unlink()
            self.say(f"  {place.name} in {self.folder} is damaged: made anew")

    def drop_others(self) -> None:
        """Take away what is kept of files that were changed or removed, and what no run has used for long."""
        for place in self.folder.iterdir():
            paths, _, rest = place.name.partition("-")
            if place.suffix not in (ENDING, _FACTS, ".unfinished") or not rest:
                continue
            changed = self.known.get(paths) != rest.partition("-")[0]
            unused = time.time() - place.stat().st_mtime > _UNUSED_DAYS * _DAY
            if changed or unused or place.suffix == ".unfinished":
                place.unlink(missing_ok=True)


def merged_facts(found: Sequence[Mapping[str, ColumnFacts]]) -> dict[str, ColumnFacts]:
    """Add up what the rows of several files say of the columns that they share.

    >>> day, clock = ColumnFacts("time", 3, date_only=True), ColumnFacts("time", 2)
    >>> merged_facts([{"at": day}, {"at": ColumnFacts("time", 0)}])["at"].date_only
    True
    >>> merged_facts([{"at": day}, {"at": clock}])["at"]
    ColumnFacts(kind='time', filled=5, date_only=False, fractions=False, clockless=0, unzoned=0, nonfinite=0, long=0)
    """
    merged = {}
    for name in found[0]:
        each = [facts[name] for facts in found]
        # a file without a value says nothing
        telling = [one for one in each if one.filled] or each[:1]
        counts = {what: sum(getattr(one, what) for one in each) for what in ("clockless", "unzoned", "nonfinite", "long")}
        days, fractions = all(one.date_only for one in telling), all(one.fractions for one in telling)
        merged[name] = replace(each[0], filled=sum(one.filled for one in each), date_only=days, fractions=fractions, **counts)
    return merged


def _mean_the_same_alone(source: TableSource, opened: OpenSource, plan: Plan) -> bool:
    """Say whether each file alone is read as it is among the others: Parquet, each with the same columns of the same types."""
    files = [path for path, _, _ in opened.state]
    if len(files) < 2 or any(column.kind is None for column in plan.columns):
        return False
    if not all(format_of(source.format, file, "").columnar for file in files):
        return False
    try:
        schemas = [pq.read_schema(file) for file in files]
    except (pa.ArrowException, OSError):
        return False
    return all(
        len({_stored_as(file, schema, name) for file, schema in zip(files, schemas, strict=True)}) == 1 for name in plan.used
    )


def _stored_as(file: Path, schema: pa.Schema, name: str) -> str:
    """Say how a file has a column: its type, or that its folder names it, or the file if it has none."""
    if schema.get_field_index(name) >= 0:
        return str(schema.field(name).type)
    return "folder" if any(part.startswith(f"{name}=") for part in file.parts[:-1]) else str(file)


def _ends(path: Path) -> str:
    """Hash the first and the last bytes of a file: a Parquet file ends with what it says of its columns."""
    with path.open("rb") as file:
        first = file.read(_ENDS)
        file.seek(max(0, path.stat().st_size - _ENDS))
        return hashlib.blake2b(first + file.read(_ENDS), digest_size=16).hexdigest()


def _hash(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:24]
