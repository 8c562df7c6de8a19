"""What the portfolio's figures are made of: periods, segments, thresholds, money."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

__all__ = ["PortfolioSettings"]


def _as_texts(value: object) -> object:
    """Take a single word for a list of one."""
    return (value,) if isinstance(value, str) else value


_Names = Annotated[tuple[Annotated[str, Field(min_length=1)], ...] | None, BeforeValidator(_as_texts)]


class PortfolioSettings(BaseModel):
    """Settings of the portfolio's figures.

    >>> PortfolioSettings().period, PortfolioSettings().minimum
    ('month', 30)
    >>> PortfolioSettings(segments="region").segments
    ('region',)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    period: Literal["month", "quarter"] = Field(default="month", description="calendar length, in UTC: `month` or `quarter`")
    periods: int = Field(
        default=12, ge=1, le=240, description="how many complete periods are shown; the one still running comes on top"
    )
    segments: _Names = Field(
        default=None,
        description="attributes of `accounts` by which figures are given; none: `segment`, where the accounts have it",
    )
    minimum: int = Field(default=30, ge=1, description="a segment with fewer accounts is named as too small, without a number")
    satisfied: dict[str, float] = Field(
        default={"1-5": 4.0, "1-4": 3.0},
        description="CSAT: the lowest answer that counts as satisfied, for each scale; on a scale where lower is better it is "
        "counted from the other end",
    )
    low_effort_ces1: dict[str, float] = Field(
        default={"1-5": 2.0}, description="`ces1`: the highest answer that counts as low effort, for each scale"
    )
    low_effort_ces2: dict[str, float] = Field(
        default={"1-7": 5.0}, description="`ces2`: the lowest answer that counts as low effort, for each scale"
    )
    answer_days: int = Field(
        default=30, ge=1, le=3650, description="response rate: days after the invitation within which an answer counts"
    )
    margin: float = Field(
        default=1.0, gt=0, le=1, allow_inf_nan=False, description="share of revenue that is margin; 1: values are of revenue"
    )
    discount_rate: float = Field(
        default=0.01, ge=0, lt=1, allow_inf_nan=False, description="discount of money, per month: 0.01 is 12.7 % a year"
    )
    months: int = Field(
        default=12, ge=1, le=240, description="how many complete months the retention of a lifetime value is read from"
    )
    acquisition_cost: str = Field(
        default="acquisition_cost", min_length=1, description="column of `accounts` with what winning the account cost"
    )
    bootstrap: int = Field(
        default=400, ge=0, le=100_000, description="samples of the bootstrap over accounts; 0: no such intervals"
    )
    seed: int = Field(default=0, ge=0, description="seed of the bootstrap")

    @field_validator("satisfied", "low_effort_ces1", "low_effort_ces2")
    @classmethod
    def _inside(cls, value: dict[str, float]) -> dict[str, float]:
        for scale, threshold in value.items():
            low, _, high = scale.partition("-")
            try:
                within = float(low) <= threshold <= float(high)
            except ValueError:
                raise ValueError(f"`{scale}` is not a scale Fix: write the lowest and the highest answer, as `1-5`") from None
            if not within:
                raise ValueError(f"{threshold:g} lies outside the scale {scale} Fix: name an answer of the scale")
        return value
