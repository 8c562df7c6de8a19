"""Declared features, and the matrix that one compiled kernel builds from them for any number of cutoffs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from staypower.lazy import lazily

if TYPE_CHECKING:
    from staypower.features.aggregations import AGGREGATIONS as AGGREGATIONS
    from staypower.features.aggregations import Aggregation as Aggregation
    from staypower.features.builder import FeatureMatrix as FeatureMatrix
    from staypower.features.catalogue import Catalogue as Catalogue
    from staypower.features.definition import LEVERS as LEVERS
    from staypower.features.definition import Combination as Combination
    from staypower.features.definition import Feature as Feature
    from staypower.features.definition import Filter as Filter
    from staypower.features.definition import Template as Template

_HOMES = {
    "AGGREGATIONS": "staypower.features.aggregations",
    "Aggregation": "staypower.features.aggregations",
    "Catalogue": "staypower.features.catalogue",
    "Combination": "staypower.features.definition",
    "Feature": "staypower.features.definition",
    "FeatureMatrix": "staypower.features.builder",
    "Filter": "staypower.features.definition",
    "LEVERS": "staypower.features.definition",
    "Template": "staypower.features.definition",
}

__all__ = [  # pyright: ignore[reportUnsupportedDunderAll] - resolved by `__getattr__`
    "AGGREGATIONS",
    "LEVERS",
    "Aggregation",
    "Catalogue",
    "Combination",
    "Feature",
    "FeatureMatrix",
    "Filter",
    "Template",
]

__getattr__, __dir__ = lazily(__name__, _HOMES)
