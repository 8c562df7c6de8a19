"""Attributes that must not decide: which definitions read them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from staypower.errors import Problem, UsageError, nearest
from staypower.features.definition import Combination, Definition
from staypower.features.settings import FeatureSettings
from staypower.features.streams import source_of
from staypower.tables import Tables

__all__ = ["refuse_unknown_attributes", "sensitive_columns"]

# columns that the stream of accounts makes of an attribute
_MADE_OF: Mapping[str, str] = MappingProxyType({"owner_changed": "owner", "setup_days": "setup_completed_at"})


def refuse_unknown_attributes(tables: Tables, settings: FeatureSettings) -> None:
    """Refuse sensitive attributes that the accounts do not have: misspelt, one would silently become a feature.

    >>> refuse_unknown_attributes(Tables({}, 0), FeatureSettings())
    """
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


def sensitive_columns(definition: Definition, barred: Collection[str]) -> list[str]:
    """Name the barred attributes that a definition reads.

    >>> from staypower.features.families.relationship import attribute_feature
    >>> sensitive_columns(attribute_feature("sex", "sex", number=False), {"sex"})
    ['`sex`']
    """
    if isinstance(definition, Combination) or source_of(definition.table) != "accounts":
        return []
    return [f"`{column}`" for column in definition.columns if _MADE_OF.get(column, column) in barred]
