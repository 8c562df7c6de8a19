"""One reason, and one change: a topic, what it contributes, and the words for it."""

from __future__ import annotations

from dataclasses import dataclass

from staypower.explanation.sentences import direction_of, moved_words

__all__ = ["NO_LEVER", "Change", "Reason"]

NO_LEVER = "none"
"""Stands for what nobody can pull on."""


@dataclass(frozen=True)
class Reason:
    """What one topic contributes to one account's score.

    >>> Reason("days_since_last_use", 41.0, 6.0, 0.4, "No use in 41 days (raises the risk)", "engagement").statement
    'No use in 41 days'
    """

    feature: str  # the feature of the topic that says most
    value: float  # its value
    usual: float  # what is usual for accounts like this one; NaN when most have none
    contribution: float  # of the whole topic, in log-odds of the raw score; above 0 it raises the risk of leaving
    sentence: str  # the value, what is usual, and the direction, in words
    lever: str | None
    topic: str = ""  # name of the topic
    title: str = ""  # the topic in a few words

    @property
    def raises(self) -> bool:
        """Whether it raises the risk; otherwise it protects."""
        return self.contribution > 0

    @property
    def direction(self) -> str:
        """`raises the risk` or `lowers the risk`."""
        return direction_of(self.contribution)

    @property
    def statement(self) -> str:
        """The sentence without the direction."""
        return self.sentence.removesuffix(f" ({self.direction})")


@dataclass(frozen=True)
class Change:
    """How much one topic moved one account's score."""

    feature: str  # the feature of the topic that moved it most
    before: float  # its value at the earlier and the later cutoff
    after: float  # its value at the earlier and the later cutoff
    contribution: float  # of the whole topic to the change of the raw score, in log-odds; above 0 the risk rose
    sentence: str  # old and new value, and the direction, in words
    lever: str | None
    topic: str
    title: str

    @property
    def statement(self) -> str:
        """The sentence without the direction."""
        return self.sentence.removesuffix(f" ({moved_words(self.contribution)})")
