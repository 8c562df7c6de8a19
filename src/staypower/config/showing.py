"""Show the settings in force, and where each came from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from staypower.config.settings import Settings
from staypower.progress import Progress
from staypower.results.result import Block, Result, Verbatim


@dataclass(frozen=True)
class ShownConfig(Result):
    """The settings in force as text or as plain values."""

    settings: Settings

    def blocks(self) -> list[Block]:
        """Return the settings as YAML, each with where it came from."""
        lines = list(_lines(self.settings.to_dict(), self.settings.origins(), "", ""))
        width = min(60, max(len(line) for line, _ in lines))
        shown = (f"{line:<{width}}  # {origin}" if origin else line for line, origin in lines)
        return [Verbatim([f"# relative paths start at {self.settings.root}", *shown])]

    def to_dict(self) -> dict[str, Any]:
        """Return `settings`, `origins` by dotted path, and `root`."""
        return {"settings": self.settings.to_dict(), "origins": self.settings.origins(), "root": str(self.settings.root)}


def show_config(settings: Settings, *, progress: Progress | None = None) -> ShownConfig:
    """Show the settings in force; `progress` is there as in every job and not used."""
    return ShownConfig(settings)


def _lines(values: Mapping[str, Any], origins: Mapping[str, str], path: str, indent: str) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        here = f"{path}{key}"
        if isinstance(value, Mapping) and value:
            yield f"{indent}{key}:", ""
            yield from _lines(value, origins, f"{here}.", f"{indent}  ")
        elif isinstance(value, list) and value and all(isinstance(entry, Mapping) for entry in value):
            yield f"{indent}{key}:", ""
            for number, entry in enumerate(value):
                for count, (line, origin) in enumerate(_lines(entry, origins, f"{here}.{number}.", "")):
                    yield f"{indent}  {'- ' if count == 0 else '  '}{line}", origin
        else:
            yield f"{indent}{key}: {_flow(value)}", origins.get(here, "")


def _flow(value: object) -> str:
    """Write a value on one line, so that reading it back gives the same: JSON is YAML, plain words need no quotes."""
    if isinstance(value, str) and value.replace("_", "").replace("/", "").replace(".", "").isalpha():
        return value if value not in ("true", "false", "null") else json.dumps(value)
    return "null" if value is None else json.dumps(value, ensure_ascii=False)
