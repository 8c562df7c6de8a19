"""Say a feature's value in words, from its declaration."""

from __future__ import annotations

import math

from staypower.explanation.usual import UsualValues
from staypower.features import Catalogue, Combination
from staypower.features.definition import Definition

__all__ = ["sentence", "written_value"]


def sentence(catalogue: Catalogue, usual: UsualValues, name: str, value: float) -> str:
    """Write the sentence of one reason.

    Parameters
    ----------
    catalogue : Catalogue
    usual : UsualValues
    name : str
        The feature.
    value : float
        The account's value.

    Returns
    -------
    str
        What it is, its value, and what is usual.

    Examples
    --------
    >>> from staypower.features import Feature, FeatureSettings
    >>> feature = Feature(name="tickets_28d", table="tickets", aggregation="count", window=28, unit="tickets",
    ...                   description="support tickets opened", lever="support")
    >>> catalogue = Catalogue(FeatureSettings(), (feature,))
    >>> sentence(catalogue, UsualValues({"tickets_28d": 1.0}), "tickets_28d", 7.0)
    'Support tickets opened in the last 28 days: 7 (usually 1)'
    """
    definition = catalogue[name]
    where = "" if isinstance(definition, Combination) or definition.window_text == "ever" else f" {definition.window_text}"
    subject = definition.description[0].upper() + definition.description[1:] + where
    said = written_value(catalogue, definition, value)
    common = written_value(catalogue, definition, usual[name])
    if math.isnan(value):
        absent = _absent(definition.description, subject)
        return absent if math.isnan(usual[name]) else f"{absent} (usually {common})"
    if math.isnan(usual[name]):
        return f"{subject}: {said} (most accounts have none)"
    return f"{subject}: {said} (as usual)" if said == common else f"{subject}: {said} (usually {common})"


def _absent(description: str, subject: str) -> str:
    """Say that there is nothing: "days since the last answer" without an answer is "No answer so far"."""
    for beginning, words in (
        ("days since the last ", "No {} so far"),
        ("days since the first ", "No {} so far"),
        ("days to the next ", "No {} ahead"),
    ):
        if description.startswith(beginning):
            return words.format(description.removeprefix(beginning))
    return f"{subject}: none"


def written_value(catalogue: Catalogue, definition: Definition, value: float) -> str:
    """Write a value with its unit: shares and changes in percent, times with one decimal when short.

    Examples
    --------
    >>> from staypower.features import FeatureSettings
    >>> falling = Combination(name="fall", how="change", inputs=("a", "b"), unit="", description="change of use", lever=None)
    >>> written_value(Catalogue(FeatureSettings(), (falling,)), falling, -0.5)
    '-67 %'
    """
    if math.isnan(value):
        return "none"
    if definition.category:
        return catalogue.text_of(definition.name, value)
    if isinstance(definition, Combination) and definition.how == "change":
        return _change(value)
    if definition.unit == "share":
        return f"{100 * value:.0f} %"
    unit = definition.unit if definition.unit in ("days", "hours", "months", "times") else ""
    said = not unit or unit in definition.description.split()
    return _number(value) + ("" if said else f" {unit}")


def _change(value: float) -> str:
    """Turn (a - b) / (a + b) into the change of a against b."""
    if value >= 1.0:
        return "begun from nothing"
    return "no change" if value == 0.0 else f"{200 * value / (1 - value):+.0f} %"


def _number(value: float) -> str:
    if value == round(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2g}"
