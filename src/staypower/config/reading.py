"""Read YAML strictly: values arrive as they are written, and no text can exhaust memory or stack.

PyYAML's safe loader silently keeps the last of two equal keys, reads `NO` as false and `0123` as 83, and runs out of
stack on deep nesting. This reader follows YAML 1.2's core schema over PyYAML's events instead: only `true` and `false` are
booleans, integers are decimal without leading zeros, dates stay text, equal keys are problems, tags are refused, and size,
depth and the expansion of aliases are bounded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from staypower.errors import Problem, UsageError

Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"]

LARGEST_FILE = 1_000_000
DEEPEST = 20
MOST_VALUES = 20_000

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")


@dataclass(frozen=True)
class Document:
    r"""The values of a YAML text, and the line of each.

    >>> read_text("label:\n  horizon: 90\n").lines["label.horizon"]
    2
    """

    values: dict[str, Value]  # the top-level mapping
    lines: Mapping[str, int]  # the line, counted from 1, of each dotted path


def document_of(values: Mapping[str, Any]) -> Document:
    """Take nested Python values as a document: lists for tuples, ISO text for dates, line 0 everywhere.

    >>> document_of({"windows": (7, 28)}).values
    {'windows': [7, 28]}
    """
    lines: dict[str, int] = {}

    def plain(value: Any, path: str) -> Value:
        if path.count(".") > 2 * DEEPEST or len(lines) > MOST_VALUES:
            # a part may stand in several places, but one that holds itself has no end
            what = f"nesting deeper than {DEEPEST} or more than {MOST_VALUES:,} values in the config"
            raise UsageError.of(what, path[:80], "write it flatter and shorter; no part may hold itself")
        lines[path] = 0
        dot = f"{path}." if path else ""
        if isinstance(value, Mapping):
            return {str(key): plain(inner, f"{dot}{key}") for key, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(inner, f"{dot}{number}") for number, inner in enumerate(value)]
        if isinstance(value, date):
            return value.isoformat()
        return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)

    return Document({str(key): plain(value, str(key)) for key, value in values.items()}, lines)


def read_scalar(text: str) -> Value:
    """Give an unquoted scalar its type: null, true, false, a decimal number, else text.

    >>> [read_scalar(word) for word in ("90", "0.5", "true", "NO", "0123", "2025-10-06", "0-10")]
    [90, 0.5, True, 'NO', '0123', '2025-10-06', '0-10']
    """
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text) and not re.fullmatch(r"[-+]?[0-9]+", text) and math.isfinite(float(text)):
        return float(text)
    return text


def read_document(path: Path) -> Document:
    """Read a YAML file strictly."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise UsageError.of("config file not found", path, _fix_missing(path)) from None
    except OSError as error:
        raise UsageError.of(
            "config file cannot be read", f"{path} ({error.strerror})", "give the path of a YAML file"
        ) from None
    if len(content) > LARGEST_FILE:
        raise UsageError.of(
            "config file is too large", path, "keep it under 1 MB: a config names tables, it does not contain them"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UsageError.of("config file is not UTF-8 text", f"{path}, line {line}", "save it as UTF-8") from None
    return read_text(text, str(path))


def _fix_missing(path: Path) -> str:
    folder = path.parent
    found = sorted(entry.name for pattern in ("*.yaml", "*.yml") for entry in folder.glob(pattern)) if folder.is_dir() else []
    if found:
        return f"pass `--config FILE`; in this folder there are {', '.join(f'`{folder / name}`' for name in found[:5])}"
    return "pass `--config FILE`; docs/configuration.md shows how to write one, `staypower demo` makes one"


def read_text(text: str, name: str = "config") -> Document:
    r"""Read YAML text strictly; problems name its source, `name`.

    >>> read_text("name: acme\nlabel: {horizon: 90}").values
    {'name': 'acme', 'label': {'horizon': 90}}
    """
    builder = _Builder(name)
    try:
        builder.build(_events(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise UsageError.of(
            "not valid YAML",
            f"{name}, line {line} ({error.problem or error.context})",
            "fix this line; text with `: `, ` #` or a leading `* & ! % @ [ {` needs quotes",
        ) from None
    except yaml.YAMLError as error:
        raise UsageError.of("not valid YAML", f"{name} ({str(error).splitlines()[0]})", "save it as plain UTF-8 text") from None
    if builder.problems:
        raise UsageError(builder.problems)
    if not isinstance(builder.result, dict):
        raise UsageError.of(
            "not a mapping of keys to values", name, "write `key: value` lines, starting with `name:` and `tables:`"
        )
    return Document(builder.result, builder.lines)


def _events(text: str) -> Iterator[yaml.Event]:
    yield from yaml.parse(text, Loader=yaml.SafeLoader)


@dataclass
class _Open:
    """A mapping or list being filled; `key` is the mapping key whose value comes next."""

    value: list[Value] | dict[str, Value]
    path: str
    anchor: str | None
    began: int
    key: str | None = None
    repeated: bool = False


@dataclass
class _Builder:
    """Turn events into values with its own stack, so that deep nesting cannot overflow Python's."""

    name: str
    result: Value = None
    lines: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[Value, int]] = field(default_factory=dict)
    count: int = 0
    documents: int = 0

    def build(self, events: Iterator[yaml.Event]) -> None:
        for event in events:
            self._take(event)

    def _take(self, event: yaml.Event) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise self._stop("a second document", line, "keep one document a file: remove the `---` line")
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close()
        elif isinstance(event, yaml.AliasEvent):
            self._alias(str(event.anchor), line)
        elif isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent)):
            if event.tag is not None:
                raise self._stop(f"a tag, `{event.tag}`,", line, "remove the tag: configs hold plain values only")
            if isinstance(event, yaml.ScalarEvent):
                self._scalar(event, line)
            else:
                self._open(event, line)

    def _stop(self, what: str, line: int, fix: str) -> UsageError:
        return UsageError([*self.problems, Problem(f"{what} in the config", f"{self.name}, line {line}", fix)])

    def _counted(self, more: int, line: int) -> None:
        self.count += more
        if self.count > MOST_VALUES:
            raise self._stop(
                f"more than {MOST_VALUES:,} values", line, "shorten it; aliases (`*name`) count as often as they are used"
            )

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        self._counted(1, line)
        text = self._whole(event.value, line)
        parent = self.stack[-1] if self.stack else None
        if parent is not None and isinstance(parent.value, dict) and parent.key is None:
            self._key(parent, text, line)
            return
        value = read_scalar(text) if event.style is None else text
        if event.anchor:
            self.anchors[event.anchor] = (value, 1)
        self._place(value, line)

    def _whole(self, text: str, line: int) -> str:
        """Join the halves of characters that JSON escapes as pairs; half a character could not be written to any file."""
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise self._stop("half of a character", line, "write the character itself, not its escape") from None

    def _key(self, parent: _Open, key: str, line: int) -> None:
        where = f"{parent.path}.{key}" if parent.path else key
        parent.key, parent.repeated = key, isinstance(parent.value, dict) and key in parent.value
        if parent.repeated:
            first = self.lines.get(where, line)
            self.problems.append(
                Problem("the same key twice", f"`{where}` in {self.name}, lines {first} and {line}", "keep one of the two")
            )
        else:
            self.lines[where] = line

    def _open(self, event: yaml.CollectionStartEvent, line: int) -> None:
        self._counted(1, line)
        if len(self.stack) >= DEEPEST:
            raise self._stop(f"nesting deeper than {DEEPEST}", line, "write it flatter: no setting needs this depth")
        parent = self.stack[-1] if self.stack else None
        if parent is not None and isinstance(parent.value, dict) and parent.key is None:
            raise self._stop("a list or mapping as a key", line, "write keys as plain words; `{{ }}` templates are not read")
        value: list[Value] | dict[str, Value] = {} if isinstance(event, yaml.MappingStartEvent) else []
        path = self._next_path()
        self.lines.setdefault(path, line)
        self.stack.append(_Open(value, path, event.anchor, self.count))

    def _close(self) -> None:
        done = self.stack.pop()
        if done.anchor:
            self.anchors[done.anchor] = (done.value, self.count - done.began + 1)
        self._place(done.value, self.lines.get(done.path, 1))

    def _alias(self, anchor: str, line: int) -> None:
        if anchor not in self.anchors:
            raise self._stop(
                f"an alias, `*{anchor}`, without its anchor", line, f"write `&{anchor}` before it, or put it in quotes"
            )
        value, size = self.anchors[anchor]
        self._counted(size, line)
        self._place(value, line)

    def _next_path(self) -> str:
        if not self.stack:
            return ""
        parent = self.stack[-1]
        last = parent.key if isinstance(parent.value, dict) else str(len(parent.value))
        return f"{parent.path}.{last}" if parent.path else str(last)

    def _place(self, value: Value, line: int) -> None:
        if not self.stack:
            self.result = value
            return
        parent = self.stack[-1]
        if isinstance(parent.value, list):
            self.lines.setdefault(self._next_path(), line)
            parent.value.append(value)
            return
        if parent.key is None:
            raise self._stop("an alias as a key", line, "write the key out")
        if not parent.repeated:
            parent.value[parent.key] = value
        parent.key = None
