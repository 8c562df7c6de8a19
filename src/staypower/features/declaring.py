"""Decide which features are built for a company: the families, its own events and attributes, and why some are left out.

What depends on the data (the most common events, the survey instruments, the codes of texts) is taken from rows that were known
at one cutoff, the last of training, and kept in the catalogue.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from staypower.errors import Problem, UsageError, nearest
from staypower.features.catalogue import Catalogue, in_order, needed_by
from staypower.features.definition import Combination, Definition, Feature, Template, expand, slug_of
from staypower.features.families.billing import BILLING, PAYMENTS, renewal_features
from staypower.features.families.orders import ORDERS
from staypower.features.families.persons import PERSONS
from staypower.features.families.price import PRICE
from staypower.features.families.relationship import OUTREACH, RELATIONSHIP, attribute_feature, measure_feature
from staypower.features.families.support import SUPPORT, priority_features
from staypower.features.families.surveys import SURVEYS, instrument_features, touchpoint_feature
from staypower.features.families.usage import USAGE, event_features, named_event_features
from staypower.features.families.year_ago import YEAR_AGO
from staypower.features.own import MADE_OF, known_when, own_features, sensitive_columns
from staypower.features.settings import FeatureSettings
from staypower.features.streams.making import STREAMS, make_stream, source_of
from staypower.features.texts import ColumnTexts, TextColumn, texts_in
from staypower.schemas import SCHEMAS
from staypower.tables import BucketedTables, Table, Tables

__all__ = ["FAMILIES", "declare", "refuse_unknown_attributes"]

FAMILIES: Mapping[str, Sequence[Definition | Template]] = MappingProxyType(
    {
        "usage": USAGE,
        "support": SUPPORT,
        "surveys": SURVEYS,
        "billing": BILLING,
        "payments": PAYMENTS,
        "orders": ORDERS,
        "relationship": RELATIONSHIP,
        "outreach": OUTREACH,
        "year_ago": YEAR_AGO,
        "persons": PERSONS,
        "price": PRICE,
    }
)

_RENEWAL_DAYS = 90
_MOST_TOUCHPOINTS = 5
# what the columns of the user's own are named after
_SINGULAR: Mapping[str, str] = MappingProxyType(
    {name: name.removesuffix("s") for name in SCHEMAS if name not in ("accounts", "advocacy")} | {"advocacy": "advocacy"}
)
_EVENTS = TextColumn("usage", "event")
_INSTRUMENTS, _TOUCHPOINTS = TextColumn("surveys", "instrument"), TextColumn("surveys", "touchpoint")


def declare(tables: BucketedTables, settings: FeatureSettings, *, cutoff: int, hidden: Collection[str] = ()) -> Catalogue:
    """Decide which features can be built from the tables, from what was known at a cutoff."""
    whole = tables.whole
    if whole is None:
        coded = declare(tables.empty, settings, cutoff=cutoff, hidden=hidden)
        read = {column for column in (_EVENTS, _INSTRUMENTS, _TOUCHPOINTS) if _wanted(column.table, settings)}
        columns = read | {_coded(feature) for feature in coded.definitions if feature.name in coded.codes}
        texts = texts_in(tables, columns, settings, cutoff=cutoff, hidden=hidden)
        whole = tables.empty
    else:
        texts = texts_in(whole, (), settings, cutoff=cutoff, hidden=hidden)
    refuse_unknown_attributes(whole, settings)
    seen = replace(whole, tables={name: table for name, table in whole.items() if name not in hidden})
    streams = {name: _schema_of(name, seen, settings) for name in (*STREAMS, *seen) if source_of(name) in seen}
    candidates = [*_family_entries(settings), *_learned_entries(seen, settings, texts)]
    if _wanted("profile", settings):
        candidates += _attributes(seen, streams, {*hidden, *settings.barred})
        candidates += _measures(seen, settings)
    declared = expand(candidates, settings.windows)
    own = own_features(settings.own, streams, settings.barred, declared)
    made = [*declared, *own]
    left_out: dict[str, str] = {}
    derived: dict[str, str] = {}
    built = _possible(made, streams, left_out, derived, settings.barred, {definition.name for definition in own})
    left_out |= _repeated(built, derived)
    for definition in built:
        if _left_out(definition.name, settings.leave_out):
            left_out[definition.name] = "left out by the settings"
    kept = tuple(definition for definition in built if definition.name not in left_out and not definition.part)
    helpers = needed_by(kept, [definition for definition in built if definition.name in left_out or definition.part])
    codes = {
        feature.name: _codes(texts(_coded(feature)), settings)
        for feature in kept
        if isinstance(feature, Feature) and feature.category
    }
    return Catalogue(settings, kept, helpers, codes, left_out, derived)


def _family_entries(settings: FeatureSettings) -> list[Definition | Template]:
    entries: list[Definition | Template] = []
    for family, declared in FAMILIES.items():
        if _wanted(family, settings) and (family != "outreach" or settings.outreach):
            entries += declared
    if _wanted("support", settings):
        entries += priority_features(settings.high_priority)
    if _wanted("billing", settings):
        entries += renewal_features(settings.renewal_days or _RENEWAL_DAYS)
    if _wanted("usage", settings):
        entries += named_event_features(settings.key_events, settings.self_service_events)
    return entries


def _wanted(family: str, settings: FeatureSettings) -> bool:
    if settings.families != "all":
        for name in settings.families:
            if name not in (*FAMILIES, "profile"):
                raise UsageError.of("unknown feature family", name, nearest(name, (*FAMILIES, "profile")))
    return settings.families == "all" or family in settings.families


def _learned_entries(
    tables: Tables, settings: FeatureSettings, texts: Callable[[TextColumn], ColumnTexts]
) -> list[Definition | Template]:
    entries: list[Definition | Template] = []
    slugs: list[str] = []
    if tables.has("usage", "event") and settings.top_events and _wanted("usage", settings):
        for event in texts(_EVENTS).most_common()[: settings.top_events]:
            slugs.append(slug_of(event, slugs))
            entries += event_features(event, slugs[-1])
    if tables.has("surveys", "instrument") and _wanted("surveys", settings):
        for instrument in sorted(texts(_INSTRUMENTS).most_common()):
            entries += instrument_features(instrument)
    if tables.has("surveys", "touchpoint") and _wanted("surveys", settings):
        slugs = []
        for touchpoint in texts(_TOUCHPOINTS).most_common()[:_MOST_TOUCHPOINTS]:
            slugs.append(slug_of(touchpoint, slugs))
            entries.append(touchpoint_feature(touchpoint, slugs[-1]))
    return entries


def _attributes(tables: Tables, streams: Mapping[str, Table], hidden: Collection[str]) -> list[Definition | Template]:
    stream = streams["accounts"]
    canonical = {column.name for column in tables["accounts"].schema.columns} | set(hidden)
    entries: list[Definition | Template] = []
    slugs: list[str] = []
    for column in stream.schema.columns:
        if column.name in canonical or column.name in ("seen_at", *MADE_OF) or column.kind == "time":
            continue
        slugs.append(slug_of(column.name, slugs))
        entries.append(attribute_feature(column.name, slugs[-1], number=column.kind == "number"))
    return entries


def _measures(tables: Tables, settings: FeatureSettings) -> list[Definition | Template]:
    """Declare the columns of the user's own in canonical tables; those of `accounts` are attributes."""
    entries: list[Definition | Template] = []
    for name, singular in _SINGULAR.items():
        if name not in tables or (name == "outreach" and not settings.outreach):
            continue
        slugs: list[str] = []
        stream = "order_lines" if name == "orders" else name
        for column in tables[name].schema.columns:
            if column.name not in SCHEMAS[name].names and column.kind not in ("time", "id"):
                slugs.append(slug_of(column.name, slugs))
                entries.append(measure_feature(stream, column.name, f"{singular}_{slugs[-1]}", number=column.kind != "text"))
    return entries


def _possible(
    made: Sequence[Definition],
    streams: Mapping[str, Table],
    left_out: dict[str, str],
    derived: dict[str, str],
    barred: frozenset[str],
    own: Collection[str],
) -> list[Definition]:
    """Keep what the tables allow; of several definitions with one name the first, and why a later one had to do."""
    built: dict[str, Definition] = {}
    for definition in in_order(made):
        name = definition.name
        if name in built:
            if name in own:
                raise UsageError.of("two features with the same name", name, "rename your own one")
            continue
        read = sensitive_columns(definition, barred)
        why = f"reads the sensitive {' and '.join(read)}" if read else _missing(definition, streams, built)
        if why:
            left_out.setdefault(name, why)
        else:
            built[name] = definition
            if name in left_out:
                derived[name] = left_out.pop(name)
    order = {definition.name: n for n, definition in reversed(list(enumerate(made)))}
    return sorted(built.values(), key=lambda definition: order[definition.name])


def _repeated(built: Sequence[Definition], derived: Collection[str]) -> dict[str, str]:
    """Name derived features that say what another feature says already."""
    plain = {_computed(one): one.name for one in built if isinstance(one, Feature) and one.name not in derived}
    again = [(one, plain.get(_computed(one))) for one in built if isinstance(one, Feature) and one.name in derived]
    return {one.name: f"the same as `{name}`" for one, name in again if name}


def _computed(feature: Feature) -> tuple[object, ...]:
    where = feature.aggregation, feature.window, feature.offset, feature.where, feature.ahead
    return (feature.table, *where, feature.column, feature.time, feature.after, feature.until, feature.weight)


def _missing(definition: Definition, streams: Mapping[str, Table], built: Mapping[str, Definition]) -> str:
    if isinstance(definition, Combination):
        absent = [name for name in definition.inputs if name not in built]
        return f"needs {' and '.join(absent)}" if absent else ""
    if definition.table not in streams:
        return f"no table `{source_of(definition.table)}`"
    stream = streams[definition.table]
    absent = [column for column in definition.columns if not stream.has(column)]
    if absent:
        return f"no usable column {' and '.join(f'`{source_of(definition.table)}.{column}`' for column in absent)}"
    unproven = [column for column in definition.columns if not known_when(stream, column)]
    return f"no date says from when {' and '.join(f'`{column}`' for column in unproven)} is known" if unproven else ""


def _left_out(name: str, patterns: Sequence[str]) -> bool:
    return any(name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern for pattern in patterns)


def _schema_of(name: str, tables: Tables, settings: FeatureSettings) -> Table:
    """Return a stream without rows: its columns say what can be built."""
    empty = {
        key: Table(table.schema, table.data.slice(0, 0), table.date_only, table.fixed, table.derived)
        for key, table in tables.items()
    }
    return make_stream(name, Tables(empty, tables.observed_until), settings)


def _coded(feature: Definition) -> TextColumn:
    assert isinstance(feature, Feature)
    assert feature.column is not None
    return TextColumn(feature.table, feature.column, stream=True)


def _codes(texts: ColumnTexts, settings: FeatureSettings) -> dict[str, int]:
    # few accounts must not turn every text into `other`
    rare = min(settings.rare, max(2, texts.accounts // 100))
    return {text: code for code, text in enumerate(texts.most_common(rare), start=1)}


def refuse_unknown_attributes(tables: Tables, settings: FeatureSettings) -> None:
    """Refuse sensitive attributes that the accounts do not have: a misspelled one would silently stay a feature."""
    if not settings.sensitive:
        return
    there = [name for name in tables["accounts"].data.column_names if name != "account_id"]
    problems = [
        Problem("no such attribute of accounts", f"features.sensitive: {name}", nearest(name, there))
        for name in settings.sensitive
        if name not in there
    ]
    if problems:
        raise UsageError(problems)
