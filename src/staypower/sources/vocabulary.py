"""The words that sources and tables share: instruments, statuses, flags, well-known attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from staypower.errors import UsageError

__all__ = [
    "ATTRIBUTES",
    "CONSTANT_FIRST",
    "FALSE_WORDS",
    "INSTRUMENTS",
    "PAYMENT_STATUSES",
    "SURVEY_SCALE_COLUMNS",
    "TRUE_WORDS",
    "VOCABULARY",
    "Scale",
]

INSTRUMENTS: Mapping[str, bool] = MappingProxyType({"nps": True, "csat": True, "ces1": False, "ces2": True})
PAYMENT_STATUSES = ("paid", "failed", "refunded")
DIRECTIONS = ("higher", "lower")
ADVOCACY_KINDS = ("referral", "review", "case study", "community post", "loyalty programme")

# Read by themselves from `accounts` when the source has a column of exactly this name.
ATTRIBUTES: Mapping[str, str | None] = MappingProxyType(
    {"segment": None, "plan": None, "region": None, "owner": "text", "seats": "number", "acquisition_cost": "number"}
)

# What `surveys` gains so that later code can put every answer on one 0-1 scale.
SURVEY_SCALE_COLUMNS = ("low", "high", "higher_is_better")

TRUE_WORDS = ("true", "t", "yes", "y", "1")
FALSE_WORDS = ("false", "f", "no", "n", "0")

# Words that are constants when a mapping gives them for these columns. In the first group they win over a source column
# of the same name: a column called `nps` holds answers, never the names of instruments.
CONSTANT_FIRST: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"instrument": tuple(INSTRUMENTS), "direction": DIRECTIONS, "scale": ()}
)
VOCABULARY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {**CONSTANT_FIRST, "status": PAYMENT_STATUSES, "kind": ADVOCACY_KINDS}
)


@dataclass(frozen=True)
class Scale:
    """The ends of a survey's scale.

    >>> Scale.parse("0-10")
    Scale(low=0.0, high=10.0)
    >>> Scale.parse(" 1 - 5 ").high
    5.0
    """

    low: float  # the lowest answer that can be given
    high: float  # the highest, above `low`

    @classmethod
    def parse(cls, text: str) -> Scale:
        """Read a scale written as `low-high`."""
        low, dash, high = text.strip().partition("-")
        try:
            found = cls(float(low), float(high))
        except ValueError:
            found = None
        if not dash or found is None or not found.low < found.high:
            raise UsageError.of("not a survey scale", repr(text), "write the lowest and the highest answer, such as `0-10`")
        return found

    @classmethod
    def is_one(cls, text: str) -> bool:
        """Say whether a text is a scale.

        >>> Scale.is_one("1-7"), Scale.is_one("low"), Scale.is_one("5-1")
        (True, False, False)
        """
        try:
            cls.parse(text)
        except UsageError:
            return False
        return True
