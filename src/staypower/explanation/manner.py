"""How reasons are chosen, as it is sealed with a model: so that an account gets the same wherever it is scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from staypower.explanation.leavers import LeaverWords
from staypower.explanation.settings import ExplanationSettings

__all__ = ["Manner"]

_KEY = "reasons"


@dataclass(frozen=True)
class Manner:
    """What decides which reasons are said, and in which order.

    >>> Manner.of({}).settings.per_lever
    2
    """

    settings: ExplanationSettings = field(default_factory=ExplanationSettings)
    leavers: LeaverWords | None = None  # what those who left had named

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "settings": self.settings.model_dump(mode="json"),
            "leavers": None if self.leavers is None else self.leavers.to_dict(),
        }

    @classmethod
    def of(cls, learned: Mapping[str, Any]) -> Manner:
        """Read it from a bundle's learned definitions; the defaults for a model that was sealed without."""
        plain = learned.get(_KEY)
        if plain is None:
            return cls()
        leavers = plain["leavers"]
        settings = ExplanationSettings.model_validate(plain["settings"])
        return cls(settings, None if leavers is None else LeaverWords.from_dict(leavers))
