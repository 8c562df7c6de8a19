"""What a sealed model needs in order to be right: the label that it was trained for, and the columns that it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from staypower.errors import Problem, UsageError
from staypower.features.catalogue import Catalogue
from staypower.features.definition import Feature
from staypower.features.streams.making import make_stream, source_of
from staypower.labels.settings import LabelSettings
from staypower.models.bundle import Bundle
from staypower.tables import Table, Tables

__all__ = ["require_same_label", "require_what_is_read"]

# What a probability is a probability of. Who is left out of the list (too new, notice given) may differ from training.
_MEANING = ("kind", "horizon", "gap", "grace", "of", "involuntary", "table", "key_events", "activity_window")


def require_same_label(bundle: Bundle, label: LabelSettings) -> None:
    """Refuse to call the probability of one thing the probability of another."""
    trained: Mapping[str, object] = bundle.metadata.get("label", {})
    asked = label.model_dump(mode="json")
    problems = [
        Problem(
            "the model was trained for another label",
            f"label.{key}: the model {trained[key]}, the config {asked.get(key)}",
            "write what the model was trained for, or train again with `staypower train`",
        )
        for key in _MEANING
        if key in trained and trained[key] != asked.get(key)
    ]
    if problems:
        raise UsageError(problems)


def require_what_is_read(catalogue: Catalogue, tables: Tables) -> None:
    """Refuse tables that have lost what the model's features are made of."""
    empty = {name: replace(table, data=table.data.slice(0, 0)) for name, table in tables.items()}
    bare = Tables(empty, tables.observed_until)
    streams: dict[str, Table] = {}
    lost: dict[str, list[str]] = {}
    for feature in catalogue.everything:
        if not isinstance(feature, Feature):
            continue
        source = source_of(feature.table)
        if source not in tables:
            lost.setdefault(source, []).append(feature.name)
            continue
        if feature.table not in streams:
            streams[feature.table] = make_stream(feature.table, bare, catalogue.settings)
        for column in feature.columns:
            if not streams[feature.table].has(column):
                lost.setdefault(f"{source}.{column}", []).append(feature.name)
    if lost:
        raise UsageError([_lost(place, names) for place, names in lost.items()])


def _lost(place: str, features: list[str]) -> Problem:
    kind = "column" if "." in place else "table"
    more = f" and {len(features) - 1} more" if len(features) > 1 else ""
    fix = f"give the {kind} again under `tables` as it was in training, or train a model without it: `staypower train`"
    return Problem(f"the model reads a {kind} that is not there", f"{place}, for `{features[0]}`{more}", fix)
