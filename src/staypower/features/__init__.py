"""Declared features, and the matrix that one compiled kernel builds from them for any number of cutoffs.

>>> from staypower.features import LEVERS, Catalogue, Feature
>>> "engagement" in LEVERS
True
"""

from staypower.lazy import lazily

__all__ = lazily(__name__)
