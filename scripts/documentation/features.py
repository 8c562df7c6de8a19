"""The generated parts of `docs/features.md`: the catalogue, the aggregations and the combinations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from staypower.features.aggregations import AGGREGATIONS
from staypower.features.declaring import FAMILIES
from staypower.features.definition import COMBINATIONS, DIRECTIONS, Combination, Definition, Template
from staypower.features.families.relationship import attribute_feature
from staypower.features.families.support import priority_features
from staypower.features.families.surveys import instrument_features, touchpoint_feature
from staypower.features.families.usage import event_features, named_event_features
from staypower.features.settings import FeatureSettings

__all__ = ["document_aggregations", "document_catalogue", "document_combinations", "every_family"]

Entries = Sequence[Definition | Template]
_INSTRUMENTS = ("nps", "csat", "ces1", "ces2")
_HEADS = ("feature", "meaning", "computed as", "lever", "more of it")
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
    parts = []
    for family, declared in every_family().items():
        table = _main_table(declared)
        rows = dict.fromkeys(_row(entry, windows, table) for entry in declared)
        said = f"Of `{table}` unless another table is named.\n\n" if table else ""
        parts.append(f"### {family.replace('_', ' ').capitalize()}\n\n{said}{_HEAD}\n" + "\n".join(rows))
    return "\n\n".join(parts)


def _main_table(declared: Entries) -> str:
    """Name the table that most features of a family read; none where all combine others."""
    made = [entry.definition if isinstance(entry, Template) else entry for entry in declared]
    tables = Counter(one.table for one in made if not isinstance(one, Combination))
    return tables.most_common(1)[0][0] if tables else ""


def _row(entry: Definition | Template, windows: Sequence[int], table: str) -> str:
    made = entry.definition if isinstance(entry, Template) else entry
    name, window = made.name, _window(made)
    if isinstance(entry, Template):
        days = [str(window) for window in windows if entry.shortest <= window <= entry.longest]
        name, window = f"{made.name}_<w>d", f"w = {'/'.join(days)}"
    meaning = made.description if made.unit in made.description else f"{made.description} ({made.unit})"
    cells = (
        f"`{name}`",
        f"{meaning}; {window}" if window else meaning,
        _how(made, table),
        made.lever or "",
        DIRECTIONS.get(made.direction, ""),
    )
    return f"| {' | '.join(cells)} |"


def _window(made: Definition) -> str:
    """Say which days count where the name does not."""
    if isinstance(made, Combination) or made.window_text in ("ever", "now", f"in the last {made.window} days"):
        return ""
    return made.window_text


def _how(made: Definition, table: str) -> str:
    if isinstance(made, Combination):
        inputs = ", ".join(f"`{one.rstrip('!')}`" for one in made.inputs)
        return f"`{made.how}` of {inputs}"
    column = f" `{made.column}`" if made.column else ""
    where = f" where {' and '.join(condition.text for condition in made.where)}" if made.where else ""
    read = "" if made.table == table else f" of `{made.table}`"
    return f"`{made.aggregation}`{column}{read}{where}"


def document_aggregations() -> str:
    """Write every aggregation in Markdown."""
    rows = [
        f"| `{how.name}` | {how.needs_column or '-'} | {'0' if how.empty == 0 else 'missing'} | {how.meaning} |"
        for how in AGGREGATIONS.values()
    ]
    return "| aggregation | of | of nothing | meaning |\n|---|---|---|---|\n" + "\n".join(rows)


def document_combinations() -> str:
    """Write every way to combine two features in Markdown."""
    rows = [f"| `{name}` | {meaning.format('a', 'b')} |" for name, meaning in COMBINATIONS.items()]
    return "| combination of a and b | meaning |\n|---|---|\n" + "\n".join(rows)
