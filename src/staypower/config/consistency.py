"""Find sections that contradict each other although each is right by itself."""

from __future__ import annotations

from collections.abc import Iterator

from staypower.config.problems import Origins
from staypower.config.settings import Settings
from staypower.errors import Problem, nearest

__all__ = ["consistency_problems"]


def consistency_problems(settings: Settings, origins: Origins) -> Iterator[Problem]:
    """Find tables that a section needs and that are not there."""
    for path, table, fix in _needed(settings):
        if table not in settings.tables:
            choices = nearest(table, settings.tables)
            yield Problem(
                f"it needs the table `{table}`", f"`{path}` ({origins.of(path)})", f"add `tables.{table}`, or {fix or choices}"
            )


def _needed(settings: Settings) -> Iterator[tuple[str, str, str]]:
    yield settings.label.required_table
    for name, sources in settings.tables.items():
        for number, source in enumerate(sources):
            for key in ("derive_from", "key_via"):
                if getattr(source, key) is not None:
                    yield f"tables.{name}.{number}.{key}", getattr(source, key), ""
