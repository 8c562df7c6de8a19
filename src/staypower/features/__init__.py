"""Declared features, and the matrix that one compiled kernel builds from them for any number of cutoffs."""

from staypower.lazy import lazily

__all__ = lazily(__name__)
