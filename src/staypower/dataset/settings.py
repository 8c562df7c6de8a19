"""When accounts are looked at, and how long before the first look history must have begun."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from staypower.cutoffs import instant_of
from staypower.errors import UsageError

__all__ = ["CutoffSettings"]


def _as_date_text(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        try:
            instant_of(value)
        except UsageError as error:
            raise ValueError(f"{error.problems[0].problem} Fix: {error.problems[0].fix}") from None
    return value


class CutoffSettings(BaseModel):
    """Settings of the cutoffs.

    >>> CutoffSettings(test="2025-07-01").every
    30
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    every: int = Field(30, ge=1, le=3650, description="Days between two cutoffs.")
    count: int = Field(24, ge=1, le=1000, description="How many cutoffs at most, test cutoffs included.")
    test: Annotated[str | None, BeforeValidator(_as_date_text)] = Field(
        None, description="Date of the first test cutoff; none: the last `test_count` mature cutoffs."
    )
    test_count: int = Field(3, ge=1, le=100, description="How many test cutoffs when `test` is not given.")
    min_history: int = Field(90, ge=0, description="Days of history that must lie before the first cutoff.")
