"""When accounts are looked at, and how long before the first look history must have begun."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from staypower.cutoffs import instant_of
from staypower.errors import UsageError

__all__ = ["CutoffSettings", "SamplingSettings"]


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


class SamplingSettings(BaseModel):
    """Settings of the sample that a model learns from; by default everything.

    >>> SamplingSettings(negatives=0.25).is_on, SamplingSettings().is_on
    (True, False)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int | None = Field(
        default=None,
        ge=1_000,
        description="most rows of account and cutoff to learn from and test on; the shares follow: first rows that stayed are "
        "left out, then accounts; none: no limit",
    )
    accounts: float = Field(
        default=1.0, gt=0.0, le=1.0, description="share of the accounts that are looked at, drawn by a hash of their ids"
    )
    negatives: float = Field(
        default=1.0,
        gt=0.0,
        le=1.0,
        description="share of the rows that stayed to train on; the odds are corrected for it, and the test keeps all",
    )
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="another seed draws other accounts and rows")

    @model_validator(mode="after")
    def _refuse_both(self) -> SamplingSettings:
        given = [name for name in ("accounts", "negatives") if getattr(self, name) != 1.0]
        if self.rows is not None and given:
            raise ValueError(f"`rows` and `{given[0]}` are both given Fix: give `rows` alone, or the shares alone")
        return self

    @property
    def is_on(self) -> bool:
        """Whether anything may be left out."""
        return self.rows is not None or self.accounts < 1.0 or self.negatives < 1.0
