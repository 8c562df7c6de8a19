"""What a sealed model was trained on, what it was evaluated as, and how old its newest outcome is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from staypower.cutoffs import DAY, instant_of, text_of
from staypower.results.numbers import plural

if TYPE_CHECKING:
    from staypower.dataset.building import Dataset
    from staypower.labels.settings import LabelSettings
    from staypower.models.bundle import Bundle

__all__ = ["TWIN", "ModelAge"]

TWIN = "twin"
"""The name in a bundle of the model that was evaluated, where another one, trained on later cutoffs too, scores."""


@dataclass(frozen=True)
class ModelAge:
    """The last cutoffs whose outcomes a model and its twin know, as instants.

    >>> age = ModelAge(instant_of("2025-03-02"), instant_of("2024-11-02"), instant_of("2025-05-31"))
    >>> print(age)
    evaluated on a twin trained on data up to 2024-11-02; this model is trained on data up to 2025-03-02
    >>> age.at(instant_of("2025-06-30"))
    'newest outcome known: 2025-05-31, 30 days before the cutoff'
    """

    trained_until: int  # last cutoff of the model that scores
    evaluated_until: int  # last cutoff of the model that was evaluated: the same one, or its twin
    newest_outcome: int | None  # the end of the outcome of `trained_until`; None for a flag, which has no time

    @classmethod
    def of(cls, bundle: Bundle) -> ModelAge:
        """Read it from a bundle, of a version before there were twins, too."""
        plan, label = bundle.metadata["cutoffs"], bundle.metadata.get("label", {})
        evaluated = max(instant_of(text) for text in (*plan["training"], *plan["calibration"]))
        trained = instant_of(bundle.metadata["trained_until"]) if "trained_until" in bundle.metadata else evaluated
        days = int(bundle.metadata.get("horizon_days") or 0) + int(label.get("gap", 0))
        return cls(trained, evaluated, None if label.get("flag") else trained + days * DAY)

    @classmethod
    def planned(cls, dataset: Dataset, scoring: Dataset, label: LabelSettings) -> ModelAge:
        """Say it of models that are trained on two data sets: the twin on `dataset`, the one that scores on `scoring`."""
        trained = scoring.plan.trained_until
        ended = None if label.is_snapshot else trained + (label.gap + label.horizon) * DAY
        return cls(trained, dataset.plan.trained_until, ended)

    @property
    def has_twin(self) -> bool:
        """Whether the model that was evaluated knows less than the one that scores."""
        return self.trained_until != self.evaluated_until

    def __str__(self) -> str:
        if not self.has_twin:
            return f"trained on data up to {text_of(self.trained_until)}"
        return (
            f"evaluated on a twin trained on data up to {text_of(self.evaluated_until)}; this model is trained on data up to "
            f"{text_of(self.trained_until)}"
        )

    @property
    def newest(self) -> str:
        """The end of the newest outcome, in words; empty for a flag without a time."""
        return "" if self.newest_outcome is None else f"newest outcome known: {text_of(self.newest_outcome)}"

    def at(self, cutoff: int) -> str:
        """Say how old the newest outcome is at a cutoff; empty for a flag without a time."""
        if self.newest_outcome is None:
            return ""
        days = (cutoff - self.newest_outcome) // DAY
        when = f"{plural(days, 'day')} before the cutoff" if days >= 0 else f"{plural(-days, 'day')} after the cutoff"
        later = "" if days >= 0 else ": the model knows what came after, so its scores there are no forecast"
        return f"{self.newest}, {when}{later}"

    def said_at(self, cutoff: int) -> str:
        """Say what the model was trained on and how old that is at a cutoff."""
        return "; ".join(part for part in (f"Model: {self}", self.at(cutoff)) if part)

    def to_dict(self) -> dict[str, str | None]:
        """Return plain values for JSON."""
        return {
            "trained_until": text_of(self.trained_until),
            "evaluated_until": text_of(self.evaluated_until),
            "newest_outcome": None if self.newest_outcome is None else text_of(self.newest_outcome),
        }
