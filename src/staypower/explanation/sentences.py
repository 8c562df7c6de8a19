"""Sentences about a feature's value: what it is, rounded and with its unit, and what is typical for similar accounts."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Literal

import numpy as np

from staypower.explanation.learned import COMPARED, TypicalValues
from staypower.features.catalogue import Catalogue
from staypower.features.definition import Combination, Definition, Feature
from staypower.features.streams.making import source_of
from staypower.results.numbers import count, decimal, percent, signed

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "DATED",
    "Phrase",
    "absent",
    "capitalised",
    "change_sentence",
    "direction_of",
    "group_words",
    "kind_of",
    "lower_first",
    "moved_words",
    "number",
    "round_as_written",
    "sentence",
    "subject_of",
    "write",
]

Kind = Literal["category", "change", "fall", "share", "flag", "slope", "number"]

_FLAG = " (1) or not (0)"
_UNITS = ("days", "hours", "months")
_PARTS = ("share", "times")  # both are written in per cent
DATED = ("days since ", "days to the ", "days until ")
"""How descriptions of a moment begin."""

_SLOPES = ("rate_slope", "trend", "gap_trend")
_SEVERAL = (*_SLOPES, "spread", "gap_mean", "gap_spread", "gap_quantile")  # one row is not enough for any of these
# what a mean or a share of a table's rows is missing when there are none
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
        return "not enough data"
    return f"no {_measured(definition, catalogue)} to measure" if how in ("mean", "ratio") or kind == "share" else "none"


def _measured(definition: Definition, catalogue: Catalogue) -> str:
    """Name the rows that a feature is computed from."""
    everything = {each.name: each for each in catalogue.everything}
    found: Definition | None = definition
    while isinstance(found, Combination):
        # of a ratio the last input is the denominator
        found = everything.get(found.inputs[-1])
    return _MEASURED.get("" if found is None else source_of(found.table), "data")


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
        self.definition, self.kind, self.subject = definition, kind_of(definition), subject_of(definition)
        self.common = float(round_as_written(definition, np.array([typical]))[0])
        self.group = group

    def of(self, written: float) -> str:
        """Write a value that `round_as_written` returned."""
        return f"{self._what(written)}{self._against(written)}"

    def _what(self, written: float) -> str:
        definition, kind, subject = self.definition, self.kind, self.subject
        description = definition.description
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
        if self.kind == "category" and not math.isnan(common) and written != common:
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
    """Write how a value changed; both are written differently.

    >>> from staypower.features.settings import FeatureSettings
    >>> feature = Feature(name="tickets_28d", table="tickets", aggregation="count", window=28, unit="tickets",
    ...                   description="support tickets opened", lever="support")
    >>> change_sentence(Catalogue(FeatureSettings(), (feature,)), feature, 1.0, 7.0)
    'Support tickets opened in the last 28 days: from 1 to 7'
    """
    then, now = round_as_written(definition, np.array([before, after])).tolist()
    old, new = write(catalogue, definition, then), write(catalogue, definition, now)
    subject = subject_of(definition)
    kind = kind_of(definition)
    # "from no change to +20%" would not read as a change
    in_words = kind == "fall" or (kind == "change" and (0.0 in (then, now) or math.isinf(then) or math.isinf(now)))
    if in_words or math.isnan(then) or math.isnan(now):
        return f"{subject}: {new} now, {old} before"
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
