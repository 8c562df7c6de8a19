"""Find sections that contradict each other although each is right by itself."""

from __future__ import annotations

from collections.abc import Iterator

from staypower.config.problems import Origins
from staypower.config.settings import Settings
from staypower.errors import Problem, nearest
from staypower.labels.settings import ContractualLabel, GivenLabel, NonContractualLabel

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
    label = settings.label
    if isinstance(label, ContractualLabel):
        yield "label.kind", "subscriptions", "write `kind: non_contractual` or `kind: given`"
    if isinstance(label, NonContractualLabel):
        yield "label.table", label.table, ""
    if isinstance(label, GivenLabel):
        yield ("label.flag", "accounts", "") if label.flag is not None else ("label.dates", str(label.dates), "")
    for name, sources in settings.tables.items():
        for number, source in enumerate(sources):
            for key in ("derive_from", "key_via"):
                if getattr(source, key) is not None:
                    yield f"tables.{name}.{number}.{key}", getattr(source, key), ""
