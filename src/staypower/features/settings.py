"""What a user may set about features."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from staypower.features.aggregations import AGGREGATIONS

__all__ = ["FeatureSettings", "FilterSettings", "OwnFeature"]


class FilterSettings(BaseModel):
    """A condition on one column of an own feature.

    >>> FilterSettings.model_validate({"column": "status", "is": "failed"}).values
    ('failed',)
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    column: str = Field(description="Column of the table.")
    values: tuple[str, ...] = Field((), alias="is", description="Text or texts of which one must match, whatever their case.")
    at_least: float | None = Field(None, description="Smallest number kept.")
    below: float | None = Field(None, description="Numbers from here on are dropped.")

    @field_validator("values", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


class OwnFeature(BaseModel):
    """A feature declared in the config, over any declared table.

    >>> OwnFeature(name="exports", table="usage", aggregation="count", windows=(28,), description="exports").windows
    (28,)
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    name: str = Field(description="Lower-case words joined by underscores; the window is appended as `_<days>d`.")
    table: str = Field(description="Table it reads.")
    aggregation: str = Field(description="One of " + ", ".join(f"`{name}`" for name in AGGREGATIONS) + ".")
    column: str | None = Field(None, description="Column that is aggregated, where the aggregation needs one.")
    time: str | None = Field(None, description="Time column that places a row in history; the table's own by default.")
    until: str | None = Field(None, description="Time column at which a row stops counting: describes what is open now.")
    windows: tuple[int, ...] = Field((), description="Days of history, one feature each; empty for all of history.")
    filter: tuple[FilterSettings, ...] = Field((), description="Conditions that must all hold.")
    unit: str = Field("", description="Unit of the value.")
    description: str = Field(description="What it says, in words, without the window.")
    lever: str | None = Field(None, description="Who could pull on it.")

    @field_validator("filter", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return (value,) if isinstance(value, dict) else value


class FeatureSettings(BaseModel):
    """Settings of the feature matrix.

    >>> FeatureSettings().windows
    (7, 28, 90, 365)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    windows: tuple[int, ...] = Field((7, 28, 90, 365), description="Days of history looked at.", min_length=1)
    sla_hours: float = Field(24.0, gt=0, description="Promise for the first response to a ticket, in hours.")
    key_events: tuple[str, ...] = Field(
        (), description="Events that mean first value was reached; none: no onboarding features."
    )
    self_service_events: tuple[str, ...] = Field((), description="Events that mean self-service or forum use.")
    high_priority: tuple[str, ...] = Field(
        ("high", "urgent", "critical", "p1"), description="Ticket priorities that count as high."
    )
    top_events: int = Field(8, ge=0, le=100, description="How many of the commonest events get counts of their own.")
    rare: int = Field(20, ge=1, description="A text seen on fewer rows than this when the model is trained is called `other`.")
    outreach: bool = Field(False, description="Build features from past outreach (it alters outcomes).")
    families: tuple[str, ...] | Literal["all"] = Field("all", description="Families to build.")
    leave_out: tuple[str, ...] = Field((), description="Names of features, or of their beginnings ending in `*`, not to build.")
    own: tuple[OwnFeature, ...] = Field((), description="Features of your own.")
    sensitive: tuple[str, ...] = Field(
        (),
        description="Attributes of `accounts` that must not decide: no feature reads them; evaluation compares their groups.",
    )
    sensitive_as_features: bool = Field(False, description="Let features read the sensitive attributes all the same.")

    @property
    def barred(self) -> frozenset[str]:
        """Attributes of accounts that no feature may read."""
        return frozenset() if self.sensitive_as_features else frozenset(self.sensitive)

    @field_validator("sensitive", mode="before")
    @classmethod
    def _one_word(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("windows")
    @classmethod
    def _positive(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(days < 1 for days in value):
            raise ValueError("windows are whole days of at least 1")
        return tuple(sorted(set(value)))
