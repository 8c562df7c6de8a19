"""Settings of the features."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator, model_validator

from staypower.features.aggregations import AGGREGATIONS

__all__ = ["FeatureSettings", "FilterSettings", "OwnFeature"]


_OWN = ", ".join(f"`{name}`" for name, how in AGGREGATIONS.items() if how.kernel != "renewal")


class FilterSettings(BaseModel):
    """A condition on one column of your own feature.

    >>> FilterSettings.model_validate({"column": "status", "is": "failed"}).values
    ('failed',)
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    column: str = Field(description="Column of the table.")
    values: tuple[str, ...] = Field((), alias="is", description="Text or texts, one of which must match; case is ignored.")
    at_least: float | None = Field(None, description="Smallest number kept.")
    below: float | None = Field(None, description="Numbers from here on are dropped.")

    @field_validator("values", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


_COMBINED = {
    "ratio": "Two features, `[a, b]`: a divided by b; missing where b is 0.",
    "difference": "Two features, `[a, b]`: a minus b.",
    "change": "Two features, `[a, b]`: the relative change of a against b, (a - b) / (|a| + |b|), between -1 and 1.",
}
_EITHER = "give `table` and `aggregation`, or one of `ratio`, `difference`, `change` with the names of two features"
_SAID = AliasChoices("description", "says")


class OwnFeature(BaseModel):
    """A feature declared in the config: over any table of the config, or computed from two other features by name.

    >>> OwnFeature(name="exports", table="usage", aggregation="count", windows=(28,), description="exports").windows
    (28,)
    >>> OwnFeature(name="use_of_limit", ratio=("usage_events_28d", "account_plan_limit"), says="use of the limit").combined
    ('ratio', ('usage_events_28d', 'account_plan_limit'))
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    name: str = Field(description="Lower-case words joined by underscores; the window is appended as `_<days>d`.")
    table: str | None = Field(None, description="Table it reads.")
    aggregation: str | None = Field(None, description=f"One of {_OWN}.")
    column: str | None = Field(None, description="Column that is aggregated, if the aggregation needs one.")
    time: str | None = Field(None, description="Time column that places a row in history; the table's own by default.")
    until: str | None = Field(None, description="Time column at which a row stops counting, to describe what is open now.")
    offset: int = Field(
        0, ge=0, description="Days by which the look is turned back, such as 28 for the time before the last 28."
    )
    windows: tuple[int, ...] = Field((), description="Windows in days, one feature each; empty for all of history.")
    filter: tuple[FilterSettings, ...] = Field((), description="Conditions that must all hold.")
    ratio: tuple[str, str] | None = Field(None, description=_COMBINED["ratio"])
    difference: tuple[str, str] | None = Field(None, description=_COMBINED["difference"])
    change: tuple[str, str] | None = Field(None, description=_COMBINED["change"])
    unit: str = Field("", description="Unit of the value.")
    description: str = Field(validation_alias=_SAID, description="What it measures, in words, without the window; or `says`.")
    lever: str | None = Field(None, description="Lever that could change it.")
    direction: Literal["raises", "lowers"] | None = Field(
        None,
        description="What a larger value is expected to do to the risk: `raises` or `lowers`. A reason that says the opposite "
        "is not given; omit where both are plausible.",
    )

    @property
    def combined(self) -> tuple[str, tuple[str, str]] | None:
        """How it combines two features, and which; None when it reads a table."""
        return next(((how, inputs) for how in _COMBINED if (inputs := getattr(self, how)) is not None), None)

    @field_validator("filter", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return (value,) if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _of_one_kind(self) -> OwnFeature:
        combined = [how for how in _COMBINED if getattr(self, how) is not None]
        reads = [key for key in ("table", "aggregation", "column", "time", "until", "offset", "filter") if getattr(self, key)]
        if len(combined) > 1 or (combined and reads):
            raise ValueError(f"{', '.join([*combined, *reads])} do not go together Fix: {_EITHER}")
        if not combined and not {"table", "aggregation"} <= set(reads):
            raise ValueError(f"nothing says how it is calculated Fix: {_EITHER}")
        return self


class FeatureSettings(BaseModel):
    """Settings of the feature matrix.

    >>> FeatureSettings().windows
    (7, 28, 90, 365)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    windows: tuple[int, ...] = Field((7, 28, 90, 365), description="Windows of history, in days.", min_length=1)
    sla_hours: float = Field(24.0, gt=0, description="Target time for the first response to a ticket (SLA), in hours.")
    key_events: tuple[str, ...] = Field(
        (), description="Events that mean first value was reached; without them there are no onboarding features."
    )
    self_service_events: tuple[str, ...] = Field((), description="Events that are self-service or use of the forum.")
    high_priority: tuple[str, ...] = Field(
        ("high", "urgent", "critical", "p1"), description="Ticket priorities that count as high."
    )
    top_events: int = Field(8, ge=0, le=100, description="How many of the most common events get features of their own.")
    rare: int = Field(20, ge=1, description="Texts on fewer training rows than this become `other`.")
    outreach: bool = Field(False, description="Build features from past outreach, which itself changes outcomes.")
    families: tuple[str, ...] | Literal["all"] = Field("all", description="Families to build.")
    leave_out: tuple[str, ...] = Field((), description="Features not to build: names, or beginnings of names followed by `*`.")
    renewal_days: int | None = Field(
        None,
        ge=1,
        le=36_500,
        description="Days after the cutoff in which a renewal counts as near; by default the label's gap and horizon.",
    )
    own: tuple[OwnFeature, ...] = Field((), description="Features of your own.")
    sensitive: tuple[str, ...] = Field(
        (),
        description="Attributes of `accounts` that no feature may read; evaluation compares their groups.",
    )
    sensitive_as_features: bool = Field(False, description="Let features read the sensitive attributes anyway.")

    @property
    def barred(self) -> frozenset[str]:
        """Attributes of accounts that no feature may read."""
        return frozenset() if self.sensitive_as_features else frozenset(self.sensitive)

    def for_horizon(self, days: int) -> FeatureSettings:
        """Let renewals count as near within so many days, unless the settings say otherwise.

        >>> FeatureSettings().for_horizon(60).renewal_days, FeatureSettings(renewal_days=7).for_horizon(60).renewal_days
        (60, 7)
        """
        return self if self.renewal_days is not None else self.model_copy(update={"renewal_days": days})

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
