"""Sentences about a feature's value, from its declaration: what it is, and what is typical for similar accounts."""

from __future__ import annotations

import math
import re

import numpy as np

from staypower.explanation.typical import COMPARED, TypicalValues
from staypower.explanation.values import (
    absent,
    capitalised,
    kind_of,
    lower_first,
    number,
    round_as_written,
    subject_of,
    write,
)
from staypower.features.catalogue import Catalogue
from staypower.features.definition import Definition, Feature

__all__ = ["Phrase", "change_sentence", "direction_of", "group_words", "moved_words", "sentence"]

RAISES, LOWERS = "raises the risk", "lowers the risk"
_MANIFOLD = 200.0  # per cent from which "3-fold" reads better
_COUNTED = ("count", "sum", "distinct", "active_days")


def direction_of(contribution: float) -> str:
    """Name the direction of a contribution, without claiming percentage points.

    >>> direction_of(0.3), direction_of(-0.3)
    ('raises the risk', 'lowers the risk')
    """
    return RAISES if contribution > 0 else LOWERS


def moved_words(contribution: float) -> str:
    """Name the direction of a change.

    >>> moved_words(0.3), moved_words(-0.3)
    ('raised the risk', 'lowered the risk')
    """
    return "raised the risk" if contribution > 0 else "lowered the risk"


def group_words(catalogue: Catalogue, typical: TypicalValues, code: float, name: str = "") -> str:
    """Name the group that an account is compared with; empty when that is all accounts.

    >>> from staypower.features.settings import FeatureSettings
    >>> plan = Feature(name="plan_now", table="subscriptions", aggregation="last_code", column="plan", until="until_at",
    ...                unit="", description="plan", lever=None, category=True)
    >>> catalogue = Catalogue(FeatureSettings(), (plan,), codes={"plan_now": {"pro": 1}})
    >>> group_words(catalogue, TypicalValues({}, "plan_now", {1.0: {}}), 1.0)
    'Pro accounts'
    """
    if typical.by is None or math.isnan(code) or name == typical.by:
        return ""
    text = catalogue.text_of(typical.by, code)
    if typical.by in COMPARED and text[:1].isalpha():
        return f"{capitalised(text)} accounts"
    kind = lower_first(catalogue[typical.by].description.removesuffix(" of the account"))
    return f"accounts with {kind} {text}"


class Phrase:
    """Writes values of one feature, for accounts of one group."""

    def __init__(self, catalogue: Catalogue, definition: Definition, typical: float, group: str = "") -> None:
        self.catalogue = catalogue
        self.definition = definition
        self.common = float(round_as_written(definition, np.array([typical]))[0])
        self.group = group

    def of(self, written: float) -> str:
        """Write a value that `round_as_written` returned."""
        return f"{self._what(written)}{self._against(written)}"

    def _what(self, written: float) -> str:
        definition = self.definition
        kind, description = kind_of(definition), definition.description
        subject = subject_of(definition)
        if kind == "change":
            return _change(description, written, write(self.catalogue, definition, written))
        if kind == "flag" and not math.isnan(written):
            return subject if written == 1.0 else _denied(subject)
        dated = _dated(description, written, self.common)
        if dated:
            return dated
        counted = (
            isinstance(definition, Feature) and definition.aggregation in _COUNTED and definition.unit not in ("", "hours")
        )
        if written == 0.0 and counted:
            return f"No {lower_first(subject)}".replace("No different ", "No ")
        return f"{subject}: {write(self.catalogue, definition, written)}"

    def _against(self, written: float) -> str:
        definition, common = self.definition, self.common
        most, whose = f"; most {self.group or 'accounts'}", f" for {self.group}" if self.group else ""
        if kind_of(definition) == "category" and not math.isnan(common) and written != common:
            return f"{most}: {write(self.catalogue, definition, common)}"
        if math.isnan(common):
            if math.isnan(written):
                return ""
            never = "never" if definition.description.startswith("days since ") else absent(definition, self.catalogue)
            return f"{most} have none" if never == "none" else f"{most}: {never}"
        if written == common:
            return f"; typical{whose}"
        return f"; typical{whose}: {self._typical(written)}"

    def _typical(self, written: float) -> str:
        """Write the typical value so that it continues the account's own."""
        description, common = self.definition.description, self.common
        if not _dated(description, common, common):
            return write(self.catalogue, self.definition, common)
        ago = _days(abs(common))
        if not description.startswith("days since "):
            return f"in {ago}" if common >= 0 else f"{ago} ago"
        # "no use in 41 days" goes on with a stretch of time, "last use 2 days ago" with a moment
        return f"{ago} ago" if _dated(description, written, common).endswith((" ago", " yet")) else ago


def sentence(catalogue: Catalogue, typical: TypicalValues, name: str, value: float, code: float = math.nan) -> str:
    """Write the statement of one reason.

    >>> from staypower.features.settings import FeatureSettings
    >>> feature = Feature(name="days_since_event_export", table="usage", aggregation="days_since_last", unit="days",
    ...                   description="days since the last use of export", lever="adoption")
    >>> catalogue = Catalogue(FeatureSettings(), (feature,))
    >>> sentence(catalogue, TypicalValues({"days_since_event_export": 6.0}), "days_since_event_export", 41.0)
    'No use of export in 41 days; typical: 6 days'
    """
    definition = catalogue[name]
    phrase = Phrase(catalogue, definition, typical.of(name, code), group_words(catalogue, typical, code, name))
    return phrase.of(float(round_as_written(definition, np.array([value]))[0]))


def change_sentence(catalogue: Catalogue, definition: Definition, before: float, after: float) -> str:
    """Write how a value changed.

    >>> from staypower.features.settings import FeatureSettings
    >>> feature = Feature(name="tickets_28d", table="tickets", aggregation="count", window=28, unit="tickets",
    ...                   description="support tickets opened", lever="support")
    >>> change_sentence(Catalogue(FeatureSettings(), (feature,)), feature, 1.0, 7.0)
    'Support tickets opened in the last 28 days: from 1 to 7'
    """
    then, now = round_as_written(definition, np.array([before, after])).tolist()
    old, new = write(catalogue, definition, then), write(catalogue, definition, now)
    subject = subject_of(definition)
    if then == now or (math.isnan(then) and math.isnan(now)):
        return f"{subject}: still {new}; its effect changed because other values did"
    if math.isnan(then) or math.isnan(now):
        return f"{subject}: {new}, {old} before"
    return f"{subject}: from {old} to {new}"


def _change(description: str, written: float, value: str) -> str:
    """Turn "change in usage compared with before" into "Usage fell by 20% compared with before"."""
    # older bundles say "change of use against before"
    thing, *before = re.split(" against | compared with ", re.sub(r"\Achange (?:in|of) ", "", description), maxsplit=1)
    against = f" compared with {before[0]}" if before else ""
    if math.isnan(written):
        return f"{capitalised(description)}: {value}"
    if math.isinf(written):
        return f"{capitalised(thing)} started from zero{against}"
    if written == 0.0:
        return f"No change in {thing}{against}"
    if written == -100.0:
        return f"{capitalised(thing)} fell to zero{against}"
    if written >= _MANIFOLD:
        return f"{capitalised(thing)} rose {number(float(np.round(1.0 + written / 100.0, 1)))}-fold{against}"
    verb = "fell" if written < 0 else "rose"
    return f"{capitalised(thing)} {verb} by {value.lstrip('+-')}{against}"


def _denied(subject: str) -> str:
    for verb, denial in ((" was ", " was not "), (" is ", " is not "), (" expires ", " does not expire ")):
        if verb in subject:
            return subject.replace(verb, denial, 1)
    return f"Not the case: {lower_first(subject)}"


def _dated(description: str, written: float, common: float) -> str:
    """Turn "days since the last use" into "No use in 41 days" or "Last use 2 days ago"; empty for anything else."""
    missing = math.isnan(written)
    # a change from nothing is infinite, and no number of days
    ago = "" if missing or math.isinf(written) else _days(abs(written))
    for which in ("last", "first"):
        if description.startswith(f"days since the {which} "):
            thing = description.removeprefix(f"days since the {which} ")
            if missing:
                return f"No {thing} yet"
            longer = which == "last" and written > common and written >= 1.0
            return f"No {thing} in {ago}" if longer else f"{capitalised(which)} {thing} {ago} ago"
    if description.startswith("days since "):
        clause = description.removeprefix("days since ")
        return _never(clause) if missing else f"{capitalised(clause)} {ago} ago"
    for beginning, none in (("days to the ", "No upcoming {}"), ("days until ", "")):
        if description.startswith(beginning):
            thing = description.removeprefix(beginning)
            if missing:
                return none.format(thing.removeprefix("next ")) if none else f"{capitalised(description)}: not recorded"
            if written >= 0:
                return f"{capitalised(thing)} in {ago}"
            past = thing.replace(" expires", " expired", 1) if " expires" in thing else f"{thing} was due"
            return f"{capitalised(past)} {ago} ago"
    return ""


def _days(count: float) -> str:
    return "less than a day" if abs(count) < 1.0 else f"{number(count)} {'day' if count == 1 else 'days'}"


def _never(clause: str) -> str:
    if clause.startswith("a "):
        return f"No {clause.removeprefix('a ')} yet"
    return f"{capitalised(clause.replace(' was ', ' was not ', 1))} yet" if " was " in clause else f"Never yet: {clause}"
