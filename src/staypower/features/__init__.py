"""Declared features, and the matrix that one compiled kernel builds from them for any number of cutoffs."""

from __future__ import annotations

from staypower.features.aggregations import AGGREGATIONS, Aggregation
from staypower.features.builder import FeatureMatrix, build_matrix
from staypower.features.catalogue import Catalogue
from staypower.features.declaring import declare
from staypower.features.definition import LEVERS, Combination, Feature, Filter, Template
from staypower.features.settings import FeatureSettings

__all__ = [
    "AGGREGATIONS",
    "LEVERS",
    "Aggregation",
    "Catalogue",
    "Combination",
    "Feature",
    "FeatureMatrix",
    "FeatureSettings",
    "Filter",
    "Template",
    "build_matrix",
    "declare",
]
