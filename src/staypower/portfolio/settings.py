"""Settings of the portfolio: periods, segments, thresholds, money, and which tiers count as loyal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from staypower.errors import Problem, UsageError, nearest

__all__ = ["QUADRANTS", "PortfolioSettings", "QuadrantSettings"]

QUADRANTS: Mapping[str, str] = {
    "loyal": "loyal",
    "content": "content, not committed",
    "captive": "captive: retained, not loyal",
    "loyal_but_leaving": "loyal but leaving",
    "leaving": "leaving",
    "tier_unknown": "tier unknown",
}
"""The quadrants as outputs write them, and in words."""


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
    periods: int = Field(default=12, ge=1, le=240, description="how many complete periods to show; the current one is added")
    segments: _Names = Field(
        default=None,
        description="attributes of `accounts` to break figures down by; none: `segment`, if the accounts have it",
    )
    minimum: int = Field(default=30, ge=1, description="a segment with fewer accounts is shown as too small, without numbers")
    satisfied: dict[str, float] = Field(
        default={"1-5": 4.0, "1-4": 3.0},
        description="CSAT: the lowest answer that counts as satisfied, for each scale; where lower is better, the scale is "
        "reversed first",
    )
    margin: float = Field(
        default=1.0,
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="margin as a share of revenue; 1: lifetime values are of revenue",
    )
    discount_rate: float = Field(
        default=0.01, ge=0, lt=1, allow_inf_nan=False, description="discount rate per month: 0.01 is 12.7% a year"
    )
    acquisition_cost: str = Field(
        default="acquisition_cost", min_length=1, description="column of `accounts` with the acquisition cost"
    )
    bootstrap: int = Field(
        default=400, ge=0, le=100_000, description="bootstrap samples of accounts for the intervals; 0: no bootstrap intervals"
    )
    seed: int = Field(default=0, ge=0, description="seed of the bootstrap")

    @field_validator("satisfied")
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


class QuadrantSettings(BaseModel):
    """Which tiers count as loyal.

    >>> QuadrantSettings().rules(("detractor", "passive", "promoter"))["passive"]
    ('content', 'loyal_but_leaving')
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    loyal: tuple[str, ...] | None = Field(default=None, description="tiers that count as loyal at low risk; none: the best")
    loyal_but_leaving: tuple[str, ...] | None = Field(
        default=None, description="tiers that count as loyal but leaving at high risk; none: all but the worst"
    )

    def rules(self, tiers: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Name the quadrants of every tier at low and at high risk."""
        loyal = tuple(tiers[-1:]) if self.loyal is None else self.loyal
        leaving = tuple(tiers[1:]) if self.loyal_but_leaving is None else self.loyal_but_leaving
        problems = [*_tier_problems("loyal", loyal, tiers), *_tier_problems("loyal_but_leaving", leaving, tiers)]
        if not problems and not set(loyal) <= set(leaving):
            lacking = ", ".join(tier for tier in loyal if tier not in leaving)
            problems = [
                Problem("`quadrants.loyal_but_leaving` lacks a loyal tier", lacking, "name every tier of `loyal` there too")
            ]
        if problems:
            raise UsageError(problems)
        low = {tier: "loyal" if tier in loyal else "captive" if tier == tiers[0] else "content" for tier in tiers}
        return {tier: (low[tier], "loyal_but_leaving" if tier in leaving else "leaving") for tier in tiers}


def _tier_problems(setting: str, chosen: Sequence[str], tiers: Sequence[str]) -> list[Problem]:
    strange = [tier for tier in chosen if tier not in tiers]
    if strange:
        return [Problem(f"unknown tier in `quadrants.{setting}`", tier, nearest(tier, tiers)) for tier in strange]
    if set(chosen) != set(tiers[len(tiers) - len(set(chosen)) :]):
        return [Problem(f"`quadrants.{setting}` skips a tier", ", ".join(chosen), "with a tier name every better one too")]
    return []
