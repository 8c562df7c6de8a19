"""The generated parts of `docs/features.md`: the catalogue, the aggregations and the combinations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from staypower.features.aggregations import AGGREGATIONS
from staypower.features.declaring import FAMILIES
from staypower.features.definition import COMBINATIONS, DIRECTIONS, Combination, Definition, Feature, Template
from staypower.features.families.relationship import attribute_feature
from staypower.features.families.support import priority_features
from staypower.features.families.surveys import instrument_features, touchpoint_feature
from staypower.features.families.usage import event_features, named_event_features
from staypower.features.settings import FeatureSettings

__all__ = ["document_aggregations", "document_catalogue", "document_combinations", "every_family"]

Entries = Sequence[Definition | Template]
_INSTRUMENTS = ("nps", "csat", "ces1", "ces2")
_HEADS = ("feature", "unit", "window", "table", "aggregation", "empty", "lever", "more of it", "description")
_HEAD = f"| {' | '.join(_HEADS)} |\n|{'---|' * len(_HEADS)}"


def every_family() -> Mapping[str, Entries]:
    """Return every declaration by family, those learned from the data with `name` in the place of what is learned."""
    defaults = FeatureSettings()
    more: dict[str, Entries] = {
        "usage": (*event_features("the event", "name"), *named_event_features((), ("named in the settings",))),
        "support": priority_features(defaults.high_priority),
        "surveys": (
            *(feature for instrument in _INSTRUMENTS for feature in instrument_features(instrument)),
            touchpoint_feature("name", "name"),
        ),
    }
    families: dict[str, Entries] = {
        name: tuple(entry for entry in (*declared, *more.get(name, ())) if not _part(entry))
        for name, declared in FAMILIES.items()
    }
    families["onboarding"] = named_event_features(("named in the settings",), ())
    families["profile"] = tuple(attribute_feature("name", "name", number=number) for number in (True, False))
    return MappingProxyType(families)


def _part(entry: Definition | Template) -> bool:
    """Say whether only combinations need it."""
    return (entry.definition if isinstance(entry, Template) else entry).part


def document_catalogue() -> str:
    """Write every feature of every family in Markdown."""
    windows = FeatureSettings().windows
    return "\n\n".join(
        f"### {family.replace('_', ' ').capitalize()}\n\n{_HEAD}\n"
        + "\n".join(dict.fromkeys(_row(entry, windows) for entry in declared))
        for family, declared in every_family().items()
    )


def _row(entry: Definition | Template, windows: Sequence[int]) -> str:
    made = entry.definition if isinstance(entry, Template) else entry
    name, window = made.name, made.window_text
    if isinstance(entry, Template):
        days = [str(window) for window in windows if entry.shortest <= window <= entry.longest]
        name, window = f"{made.name}_<w>d", f"last {', '.join(days)} days"
    if isinstance(made, Combination):
        table, how, empty = ", ".join(f"`{one}`" for one in made.inputs), f"`{made.how}`", ""
        window = window if isinstance(entry, Template) else ""
    else:
        table, how, empty = made.table, f"`{made.aggregation}`{_of(made)}", "0" if made.empty == 0 else "missing"
    cells = (
        f"`{name}`",
        made.unit,
        window,
        table,
        how,
        empty,
        made.lever or "",
        DIRECTIONS.get(made.direction, ""),
        made.description,
    )
    return "| " + " | ".join(cells) + " |"


def _of(feature: Feature) -> str:
    column = f" of `{feature.column}`" if feature.column else ""
    where = f" where {' and '.join(condition.text for condition in feature.where)}" if feature.where else ""
    return column + where


def document_aggregations() -> str:
    """Write every aggregation in Markdown."""
    rows = [
        f"| `{how.name}` | {how.needs_column or '-'} | {'0' if how.empty == 0 else 'missing'} | {how.meaning} |"
        for how in AGGREGATIONS.values()
    ]
    return "| aggregation | column | of nothing | meaning |\n|---|---|---|---|\n" + "\n".join(rows)


def document_combinations() -> str:
    """Write every way to combine two features in Markdown."""
    rows = [f"| `{name}` | {meaning.format('a', 'b')} |" for name, meaning in COMBINATIONS.items()]
    return "| combination of a and b | meaning |\n|---|---|\n" + "\n".join(rows)
