"""Settings of an evaluation: the value of an account, the costs of a campaign, slices and baselines."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

__all__ = ["PUBLISHED_CLV", "PUBLISHED_CONTACT", "PUBLISHED_INCENTIVE", "CostSettings", "EvaluationSettings", "HealthScore"]

# Verbraken, Verbeke and Baesens 2013: the values that papers on the expected maximum profit compare at
PUBLISHED_CLV, PUBLISHED_INCENTIVE, PUBLISHED_CONTACT = 200.0, 10.0, 1.0


class CostSettings(BaseModel):
    """The costs of a retention campaign and the value of an account, in any one currency.

    >>> costs = CostSettings(clv=1200, incentive=60, contact=10)
    >>> costs.complete, costs.acceptance
    (True, 0.3)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    clv: float | None = Field(default=None, gt=0, allow_inf_nan=False, description="average value of an account that is kept")
    incentive: float | None = Field(default=None, ge=0, allow_inf_nan=False, description="cost of the incentive when accepted")
    contact: float | None = Field(default=None, ge=0, allow_inf_nan=False, description="cost of one contact")
    alpha: float = Field(
        default=6.0, gt=0, allow_inf_nan=False, description="first parameter of the beta distribution of the acceptance rate"
    )
    beta: float = Field(
        default=14.0, gt=0, allow_inf_nan=False, description="second parameter of the beta distribution of the acceptance rate"
    )
    account_value: str = Field(
        default="auto",
        min_length=1,
        description="the value of each account: a number column of `accounts`; `auto`: lifetime value from its monthly revenue "
        "where known; `off`: not used",
    )

    @model_validator(mode="after")
    def _incentive_below_value(self) -> CostSettings:
        if self.clv is not None and self.incentive is not None and self.incentive >= self.clv:
            raise ValueError("`incentive` must be below `clv`: keeping an account must not cost more than its value")
        return self

    @property
    def complete(self) -> bool:
        """Whether all three amounts are given, so that a profit threshold can be computed."""
        return None not in (self.clv, self.incentive, self.contact)

    @property
    def acting(self) -> tuple[float, float] | None:
        """The incentive and the contact, when both are given: what account values are compared with."""
        return None if self.incentive is None or self.contact is None else (self.incentive, self.contact)

    @property
    def acceptance(self) -> float:
        """Mean share of would-be churners that accept the incentive and stay: alpha / (alpha + beta)."""
        return self.alpha / (self.alpha + self.beta)

    @property
    def amounts(self) -> tuple[float, float, float]:
        """The clv, incentive and contact to compute with: those given when complete, else the published ones together."""
        if self.clv is None or self.incentive is None or self.contact is None:
            return PUBLISHED_CLV, PUBLISHED_INCENTIVE, PUBLISHED_CONTACT
        return self.clv, self.incentive, self.contact


def _as_column(value: object) -> object:
    """Read a text as the column of a health score that is high for healthy accounts."""
    return {"column": value} if isinstance(value, str) else value


def _as_names(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class HealthScore(BaseModel):
    """A health score that the company already uses, as another baseline.

    >>> HealthScore(column="health.score").table_and_column
    ('health', 'score')
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str = Field(pattern=r"^[^.\s]+\.[^.]+$", description="`TABLE.COLUMN`; the last value known before a cutoff is used")
    high_is: Literal["healthy", "risky"] = Field(default="healthy", description="meaning of a high score")

    @property
    def table_and_column(self) -> tuple[str, str]:
        """The table's and the column's name."""
        table, _, column = self.column.partition(".")
        return table, column


class EvaluationSettings(BaseModel):
    """How a model is evaluated.

    >>> EvaluationSettings(slices="region", health_score="accounts.health").health_score.high_is
    'healthy'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    slices: Annotated[tuple[str, ...] | None, BeforeValidator(_as_names)] = Field(
        default=None,
        description="attributes of `accounts` or category features to report by; default: category features of 2 to 20 values",
    )
    health_score: Annotated[HealthScore | None, BeforeValidator(_as_column)] = Field(
        default=None, description="a health score to compare with, such as `accounts.health`; a text is its `column`"
    )
    bootstrap: int = Field(
        default=200, ge=0, le=10_000, description="bootstrap samples of accounts for the intervals; 0: no intervals"
    )
