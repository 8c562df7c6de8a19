"""Settings of the cutoffs, and of the sample of accounts and rows to train on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from staypower.labels.settings import date_text


class CutoffSettings(BaseModel):
    """Settings of the cutoffs.

    >>> CutoffSettings(test="2025-07-01").every
    30
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    every: int = Field(30, ge=1, le=3650, description="Days between cutoffs.")
    count: int = Field(24, ge=1, le=1000, description="Maximum number of cutoffs, test cutoffs included.")
    test: Annotated[str | None, BeforeValidator(date_text)] = Field(
        None, description="Date of the first test cutoff; by default the last `test_count` mature cutoffs."
    )
    test_count: int = Field(3, ge=1, le=100, description="Number of test cutoffs when `test` is not given.")
    min_history: int = Field(90, ge=0, description="Days of history required before the first cutoff.")


class SamplingSettings(BaseModel):
    """Settings of the sample that a model is trained on; by default everything.

    >>> SamplingSettings(negatives=0.25).is_on, SamplingSettings().is_on
    (True, False)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int | None = Field(
        default=None,
        ge=1_000,
        description="Maximum number of rows (account and cutoff) to train and test on. The shares follow from it: rows of "
        "stayers are left out first, then accounts. No limit by default.",
    )
    accounts: float = Field(
        default=1.0, gt=0.0, le=1.0, description="Share of the accounts to use, drawn by a hash of their ids."
    )
    negatives: float = Field(
        default=1.0,
        gt=0.0,
        le=1.0,
        description="Share of the stayers' rows to train on; the odds are corrected for it, and the test keeps all.",
    )
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="Another seed draws other accounts and rows.")
    grow_on: Literal["sample", "all"] = Field(
        default="sample",
        description="Rows that the trees of the churn model grow on: the `sample`, or `all` labelled rows, built on disk "
        "in buckets of accounts, but for a tenth of the accounts (more where few churned), which test its calibration. Bins, "
        "margin and all other models are learned from the sample.",
    )

    @model_validator(mode="after")
    def _refuse_both(self) -> SamplingSettings:
        given = [name for name in ("accounts", "negatives") if getattr(self, name) != 1.0]
        if self.rows is not None and given:
            raise ValueError(f"`rows` and `{given[0]}` are both given. Fix: give `rows` alone, or the shares alone")
        return self

    @property
    def is_on(self) -> bool:
        """Whether anything may be left out."""
        return self.rows is not None or self.accounts < 1.0 or self.negatives < 1.0
