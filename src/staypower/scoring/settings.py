"""Settings of a scoring run."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

__all__ = ["ScoringSettings"]


def _read_prior(value: Any) -> Any:
    """Accept a share, or the word `estimate`."""
    if value is None or value == "estimate":
        return value
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise ValueError("neither a share nor `estimate` Fix: write a number such as 0.16, or `estimate`") from None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise ValueError("not a share between 0 and 1 Fix: write a number such as 0.16, or `estimate`")
    return float(value)


class ScoringSettings(BaseModel):
    """Settings of scoring.

    >>> ScoringSettings(prior=0.16).prior
    0.16
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    prior: Annotated[float | Literal["estimate"] | None, BeforeValidator(_read_prior)] = Field(
        default=None,
        json_schema_extra={"words": "share or `estimate`"},
        description="expected churn rate, if it differs from the one in training: probabilities are rescaled to it; "
        "`estimate` finds it from the scores of all accounts; omit to leave them as trained",
    )
