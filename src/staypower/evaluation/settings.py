"""What an account is worth and what acting on it costs."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["PUBLISHED_CLV", "PUBLISHED_CONTACT", "PUBLISHED_INCENTIVE", "CostSettings"]

# Verbraken, Verbeke and Baesens 2013: the values every paper on the expected maximum profit compares at.
PUBLISHED_CLV, PUBLISHED_INCENTIVE, PUBLISHED_CONTACT = 200.0, 10.0, 1.0


class CostSettings(BaseModel):
    """The money of a retention campaign, in any one currency.

    Parameters
    ----------
    clv : float or None, default None
        Average value of an account that is kept, above 0 and above `incentive`.
    incentive : float or None, default None
        What the incentive costs when taken, at least 0.
    contact : float or None, default None
        What one contact costs, at least 0.
    alpha, beta : float, default 6 and 14
        Shape of the beta distribution of the acceptance rate, above 0; 6 and 14 mean 30 % on average.

    Examples
    --------
    >>> costs = CostSettings(clv=1200, incentive=60, contact=10)
    >>> costs.complete, costs.acceptance
    (True, 0.3)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    clv: float | None = Field(default=None, gt=0, allow_inf_nan=False, description="average value of an account that is kept")
    incentive: float | None = Field(default=None, ge=0, allow_inf_nan=False, description="cost of the incentive when taken")
    contact: float | None = Field(default=None, ge=0, allow_inf_nan=False, description="cost of one contact")
    alpha: float = Field(
        default=6.0, gt=0, allow_inf_nan=False, description="first shape of the acceptance rate's distribution"
    )
    beta: float = Field(
        default=14.0, gt=0, allow_inf_nan=False, description="second shape of the acceptance rate's distribution"
    )

    @model_validator(mode="after")
    def _worth_keeping(self) -> CostSettings:
        if self.clv is not None and self.incentive is not None and self.incentive >= self.clv:
            raise ValueError("`incentive` must lie below `clv`: an account cannot be kept at a loss")
        return self

    @property
    def complete(self) -> bool:
        """Whether all three amounts are given, so that a threshold in money means something."""
        return None not in (self.clv, self.incentive, self.contact)

    @property
    def acceptance(self) -> float:
        """Mean share of would-be churners that the incentive keeps: alpha / (alpha + beta)."""
        return self.alpha / (self.alpha + self.beta)

    @property
    def amounts(self) -> tuple[float, float, float]:
        """The clv, incentive and contact to compute with: those given when complete, else the published ones together."""
        if self.clv is None or self.incentive is None or self.contact is None:
            return PUBLISHED_CLV, PUBLISHED_INCENTIVE, PUBLISHED_CONTACT
        return self.clv, self.incentive, self.contact
