"""How a value is written: rounded to what a reader needs, with its unit; and the words that a description holds."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Literal

import numpy as np

from staypower.features import Catalogue, Combination
from staypower.features.definition import Definition

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["capitalised", "kind_of", "round_as_written", "subject_of", "write", "written_value"]

Kind = Literal["category", "change", "share", "flag", "number"]

_FLAG = " (1) or not (0)"
_UNITS = ("days", "hours", "months", "times")


def kind_of(definition: Definition) -> Kind:
    """Say how values of a feature are to be read.

    Examples
    --------
    >>> kind_of(Combination(name="fall", how="change", inputs=("a", "b"), unit="", description="change of use", lever=None))
    'change'
    """
    if definition.category:
        return "category"
    if isinstance(definition, Combination) and definition.how == "change":
        return "change"
    if definition.unit == "share":
        return "share"
    return "flag" if definition.description.endswith(_FLAG) else "number"


def round_as_written(definition: Definition, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round values to what is written of them: values that are written alike become equal.

    Parameters
    ----------
    definition : Feature or Combination
    values : array of float, shape (n,)

    Returns
    -------
    array of float, shape (n,)
        Shares and changes in percent (a start from nothing is infinite); other numbers to two digits below 10, to one decimal
        below 100 and to whole numbers above, stretches of time to whole ones from 10 on; NaN stays.

    Examples
    --------
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
        size = np.abs(values)
        scale = 10.0 ** (1.0 - np.floor(np.log10(size)))
        whole = 10.0 if definition.unit in _UNITS else 100.0
        large = np.where(size >= whole, np.round(values), np.round(values, 1))
        rounded = np.where(size < 10.0, np.round(values * scale) / scale, large)
        return np.where(np.isnan(values) | (values == np.round(values)), values, rounded) + 0.0


def write(catalogue: Catalogue, definition: Definition, written: float) -> str:
    """Write what `round_as_written` returned, with its unit."""
    if math.isnan(written):
        return "none"
    kind = kind_of(definition)
    if kind == "category":
        return catalogue.text_of(definition.name, written)
    if kind == "change":
        return "begun from nothing" if math.isinf(written) else "no change" if written == 0 else f"{written:+.0f} %"
    if kind == "share":
        return f"{written:.0f} %"
    if kind == "flag":
        return "yes" if written == 1.0 else "no"
    unit = definition.unit if definition.unit in _UNITS else ""
    said = not unit or unit in definition.description.split()
    return number(written) + ("" if said else f" {unit[:-1] if written == 1.0 else unit}")


def written_value(catalogue: Catalogue, definition: Definition, value: float) -> str:
    """Write a value with its unit: shares and changes in percent, times with one decimal when short.

    Examples
    --------
    >>> from staypower.features import FeatureSettings
    >>> falling = Combination(name="fall", how="change", inputs=("a", "b"), unit="", description="change of use", lever=None)
    >>> written_value(Catalogue(FeatureSettings(), (falling,)), falling, -0.5)
    '-67 %'
    """
    return write(catalogue, definition, float(round_as_written(definition, np.array([value]))[0]))


def number(written: float) -> str:
    """Write a rounded number without needless digits.

    Examples
    --------
    >>> [number(value) for value in (1234.0, 0.25, 12.5)]
    ['1,234', '0.25', '12.5']
    """
    if written == round(written):
        return f"{written:,.0f}"
    return f"{written:.1f}" if abs(written) >= 10 else f"{written:.2g}"


def subject_of(definition: Definition) -> str:
    """Return what is measured, with its stretch of history, starting with a capital letter."""
    subject = capitalised(definition.description.removesuffix(_FLAG))
    if isinstance(definition, Combination):
        window = re.search(r"_(\d+)d\Z", definition.name)
        return subject if window is None or "days" in subject.split() else f"{subject} in the last {window[1]} days"
    ever = definition.category or definition.window_text == "ever"
    return subject if ever else f"{subject} {definition.window_text}"


def capitalised(text: str) -> str:
    """Begin with a capital letter, leaving the rest as it is.

    Examples
    --------
    >>> capitalised("last NPS answer")
    'Last NPS answer'
    """
    return text[:1].upper() + text[1:]
