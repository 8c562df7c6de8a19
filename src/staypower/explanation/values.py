"""How a feature's value is written: rounded to what a reader needs, with its unit."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Literal

import numpy as np

from staypower.features.catalogue import Catalogue
from staypower.features.definition import Combination, Definition, Feature
from staypower.features.streams.making import source_of
from staypower.results.numbers import count, decimal, percent, signed

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "DATED",
    "absent",
    "capitalised",
    "kind_of",
    "lower_first",
    "number",
    "round_as_written",
    "subject_of",
    "write",
    "written_value",
]

Kind = Literal["category", "change", "fall", "share", "flag", "slope", "number"]

_FLAG = " (1) or not (0)"
_UNITS = ("days", "hours", "months")
_PARTS = ("share", "times")  # both are written in per cent
DATED = ("days since ", "days to the ", "days until ")
"""How descriptions of a moment begin."""

_SLOPES = ("rate_slope", "trend", "gap_trend")
_SEVERAL = (*_SLOPES, "spread", "gap_mean", "gap_spread", "gap_quantile")  # one row is not enough for any of these
# what a mean or a share of a table's rows lacks when it is missing
_MEASURED = {"usage": "usage", "tickets": "tickets", "surveys": "surveys", "payments": "payments", "orders": "orders"}


def kind_of(definition: Definition) -> Kind:
    """Tell how values of a feature are written.

    >>> kind_of(Combination(name="fall", how="change", inputs=("a", "b"), unit="", description="change of use", lever=None))
    'change'
    """
    if definition.category:
        return "category"
    if isinstance(definition, Combination) and definition.how in ("change", "both_fall"):
        return "change" if definition.how == "change" else "fall"
    if definition.unit in _PARTS:
        return "share"
    if isinstance(definition, Feature) and definition.aggregation in _SLOPES:
        return "slope"
    return "flag" if definition.description.endswith(_FLAG) else "number"


def round_as_written(definition: Definition, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round values to what is written: values that are written the same become equal.

    >>> trend = Combination(name="fall", how="change", inputs=("a", "b"), unit="", description="change of use", lever=None)
    >>> round_as_written(trend, np.array([-1.0, -0.5, 0.0, 1.0, np.nan])).tolist()
    [-100.0, -67.0, 0.0, inf, nan]
    """
    kind = kind_of(definition)
    if kind == "category":
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        if kind == "share":
            return np.round(100.0 * values) + 0.0
        if kind == "change":
            # (a - b) / (a + b) becomes the change of a against b
            percent = np.round(200.0 * values / (1.0 - values)) + 0.0
            return np.where(values >= 1.0, np.inf, percent)
        if kind == "fall":
            return np.round(200.0 * values / (1.0 + values)) + 0.0
        size = np.abs(values)
        scale = 10.0 ** (1.0 - np.floor(np.log10(size)))
        dated = definition.description.startswith(DATED)
        whole = 1.0 if dated else 10.0 if definition.unit in _UNITS else 100.0
        large = np.where(size >= whole, np.round(values), np.round(values, 1))
        scale = np.minimum(scale, 100.0) if kind == "slope" else scale
        rounded = np.where(size < min(whole, 10.0), np.round(values * scale) / scale, large)
        return np.where(np.isnan(values) | (values == np.round(values)), values, rounded) + 0.0


def write(catalogue: Catalogue, definition: Definition, written: float) -> str:
    """Write what `round_as_written` returned, with its unit."""
    if math.isnan(written):
        return absent(definition, catalogue)
    kind = kind_of(definition)
    if kind == "category":
        return catalogue.text_of(definition.name, written)
    if kind == "change":
        return "started from zero" if math.isinf(written) else "no change" if written == 0 else signed(written / 100.0, _whole)
    if kind == "fall":
        return "no" if written == 0 else f"by {_whole(written / 100.0)} or more"
    if kind == "share":
        return _whole(written / 100.0)
    if kind == "flag":
        return "yes" if written == 1.0 else "no"
    sign = "+" if kind == "slope" and written > 0 else ""
    unit = definition.unit if definition.unit in _UNITS else ""
    named = not unit or unit in definition.description.split()
    return sign + number(written) + ("" if named else f" {unit[:-1] if abs(written) == 1.0 else unit}")


def _whole(share: float) -> str:
    return percent(share, 0)


def absent(definition: Definition, catalogue: Catalogue) -> str:
    """Write that there is no value: a mean of no rows is neither 0 nor unrecorded.

    >>> from staypower.features.settings import FeatureSettings
    >>> share = Feature(name="weekend_share_28d", table="usage", aggregation="mean", column="weekend", window=28, unit="share",
    ...                 description="share of usage on weekends", lever=None)
    >>> absent(share, Catalogue(FeatureSettings(), (share,)))
    'no usage to measure'
    """
    kind = kind_of(definition)
    if kind == "category" or definition.name.startswith("account_") or definition.description.startswith("days until "):
        return "not recorded"
    if kind in ("change", "fall"):
        return "nothing to compare"
    if kind == "flag":
        return "does not apply"
    how = definition.how if isinstance(definition, Combination) else definition.aggregation
    if how in _SEVERAL or definition.unit == "times":
        return "too few to measure"
    return f"no {_measured(definition, catalogue)} to measure" if how in ("mean", "ratio") or kind == "share" else "none"


def _measured(definition: Definition, catalogue: Catalogue) -> str:
    """Name the rows that a feature is computed from."""
    everything = {each.name: each for each in catalogue.everything}
    found: Definition | None = definition
    while isinstance(found, Combination):
        # of a ratio the last input is the denominator
        found = everything.get(found.inputs[-1])
    return _MEASURED.get("" if found is None else source_of(found.table), "data")


def written_value(catalogue: Catalogue, definition: Definition, value: float) -> str:
    """Write a value with its unit: shares and changes in percent, times with one decimal when short.

    >>> from staypower.features.settings import FeatureSettings
    >>> falling = Combination(name="fall", how="change", inputs=("a", "b"), unit="", description="change of use", lever=None)
    >>> written_value(Catalogue(FeatureSettings(), (falling,)), falling, -0.5)
    '-67%'
    """
    return write(catalogue, definition, float(round_as_written(definition, np.array([value]))[0]))


def number(written: float) -> str:
    """Write a rounded number without needless digits.

    >>> [number(value) for value in (1234.0, 0.25, 12.5)]
    ['1,234', '0.25', '12.5']
    """
    if written == round(written):
        return count(written)
    return decimal(written, 1) if abs(written) >= 10 else f"{written:.2g}"


def subject_of(definition: Definition) -> str:
    """Return what is measured, with its window, starting with a capital letter."""
    subject = capitalised(definition.description.removesuffix(_FLAG))
    if isinstance(definition, Combination):
        window = re.search(r"_(\d+)d\Z", definition.name)
        return subject if window is None or "days" in subject.split() else f"{subject} in the last {window[1]} days"
    ever = definition.category or definition.window_text == "ever" or definition.description.startswith(DATED)
    return subject if ever else f"{subject} {definition.window_text.removeprefix('as of ')}"


def capitalised(text: str) -> str:
    """Start with a capital letter and leave the rest as it is.

    >>> capitalised("last NPS answer")
    'Last NPS answer'
    """
    return text[:1].upper() + text[1:]


def lower_first(text: str) -> str:
    """Start with a small letter, unless the first word is an abbreviation.

    >>> lower_first("Last answer"), lower_first("NPS answers")
    ('last answer', 'NPS answers')
    """
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]
