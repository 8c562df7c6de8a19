"""What counts as churn: the settings of each label, told apart by `kind`."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from staypower.cutoffs import Outcome, instant_of
from staypower.errors import UsageError

__all__ = ["ContractualLabel", "GivenLabel", "LabelSettings", "NonContractualLabel", "match_words"]

_LONGEST = 36_500  # a century; more would leave the range of instants


def match_words(text: str, words: tuple[str, ...]) -> bool:
    """Say whether any of some words occurs in a text, whatever the case and whatever separates words.

    >>> match_words("FAILED_PAYMENT (card)", ("failed payment",))
    True
    >>> match_words("too expensive", ("payment", "card"))
    False
    """
    folded = _fold(text)
    return any(_fold(word) in folded for word in words)


def _fold(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text).strip().casefold()


def _as_texts(value: object) -> object:
    """Take a single word for a list of one, and numbers and truth values as their text."""
    values = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(each, str | bool | int | float) for each in values):
        return value
    return tuple(each if isinstance(each, str) else text_of_value(each) for each in values)


def text_of_value(value: object) -> str:
    """Write a cell so that 1, 1.0 and "1" agree, and True, "TRUE" and "true".

    >>> [text_of_value(value) for value in (1.0, 0.5, True, " Yes ")]
    ['1', '0.5', 'true', 'yes']
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip().casefold()


def _as_date_text(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        try:
            instant_of(value)
        except UsageError as error:
            raise ValueError(f"{error.problems[0].problem} Fix: {error.problems[0].fix}") from None
    return value


_Texts = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_as_texts)]


class _Label(BaseModel):
    """What every label has: the outcome's place and length, and who is left out of training."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    horizon: int = Field(default=90, ge=1, le=_LONGEST, description="days in which churn is looked for")
    gap: int = Field(
        default=0, ge=0, le=_LONGEST, description="days between the cutoff and the start of the horizon: time to act"
    )
    too_new: int = Field(default=14, ge=0, le=_LONGEST, description="accounts younger than this many days are left out")
    keep_too_new: bool = Field(default=False, description="learn from and score accounts that are too new all the same")

    @property
    def outcome(self) -> Outcome:
        """The stretch after a cutoff in which churn is looked for."""
        return Outcome(horizon=self.horizon, gap=self.gap)


class ContractualLabel(_Label):
    """Churn of accounts with subscriptions: the spell ends in the outcome and no subscription follows within the grace.

    >>> ContractualLabel(involuntary=("payment",)).outcome
    Outcome(horizon=90, gap=0, grace=30)
    """

    kind: Literal["contractual"] = Field(default="contractual", description="the subscriptions of the account ended")
    grace: int = Field(default=30, ge=0, le=_LONGEST, description="days within which a new subscription undoes an end")
    involuntary: _Texts = Field(
        default=(), description="words: an `end_reason` in which one occurs (any case, parts of words too) is involuntary"
    )
    of: Literal["any", "voluntary", "involuntary"] = Field(
        default="any", description="which churn to predict: `any`, `voluntary` or `involuntary`"
    )
    keep_notice: bool = Field(default=False, description="learn from and score accounts that have given notice all the same")

    @model_validator(mode="after")
    def _tell_kinds_apart(self) -> ContractualLabel:
        if self.of != "any" and not self.involuntary:
            raise ValueError(
                f"`of: {self.of}` needs to know which ends are involuntary Fix: "
                "add `involuntary: [payment]` with the words that your end reasons use"
            )
        if any(not _fold(word) for word in self.involuntary):
            raise ValueError("an entry of `involuntary` holds no word Fix: write words such as `payment`")
        return self

    @property
    def outcome(self) -> Outcome:
        """The stretch after a cutoff in which churn is looked for."""
        return Outcome(horizon=self.horizon, gap=self.gap, grace=self.grace)


class NonContractualLabel(_Label):
    """Churn of accounts without subscriptions: active in the window before the cutoff, and no activity in the outcome.

    >>> NonContractualLabel(table="usage", key_events=("export",)).activity_window
    180
    """

    kind: Literal["non_contractual"] = Field(default="non_contractual", description="the account stopped ordering or using")
    table: str = Field(
        default="orders", min_length=1, description="the table whose rows are activity: `orders`, `usage` or another"
    )
    key_events: _Texts | None = Field(
        default=None, description="values of the table's `event` column that count (any case); none: every row counts"
    )
    activity_window: int = Field(
        default=180, ge=1, le=_LONGEST, description="days before the cutoff in which there must be activity to be active"
    )

    @model_validator(mode="after")
    def _name_an_event_table(self) -> NonContractualLabel:
        if self.table == "accounts":
            raise ValueError("`accounts` holds no activity Fix: name a table of events such as `orders` or `usage`")
        if self.key_events == ():
            raise ValueError("`key_events` is empty Fix: name events, or leave the key out to count every row")
        return self


class GivenLabel(_Label):
    """Churn as someone else wrote it down: a table of churn dates, or a flag of `accounts` at one cutoff.

    >>> GivenLabel().dates, GivenLabel(flag="Churn Label").dates
    ('churn', None)
    """

    kind: Literal["given"] = Field(default="given", description="churn is written in the data")
    dates: str | None = Field(
        default=None, min_length=1, description="table with one row per churned account; `churn` when there is no `flag`"
    )
    time: str = Field(default="churned_at", min_length=1, description="time column of that table")
    flag: str | None = Field(default=None, min_length=1, description="column of `accounts` that says who churned")
    positive: _Texts = Field(
        default=("yes", "true", "1"), min_length=1, description="values of the flag that mean churned (any case)"
    )
    at: Annotated[str | None, BeforeValidator(_as_date_text)] = Field(
        default=None, description="the cutoff of the flag, a date; none: the end of what was observed"
    )

    @model_validator(mode="before")
    @classmethod
    def _default_to_dates(cls, values: object) -> object:
        if isinstance(values, dict) and values.get("flag") is None and values.get("dates") is None:
            return {**values, "dates": "churn"}
        return values

    @model_validator(mode="after")
    def _choose_one(self) -> GivenLabel:
        if self.flag is not None and self.dates is not None:
            raise ValueError("both `dates` and `flag` are given Fix: keep the one that says who churned")
        if self.flag is None and self.at is not None:
            raise ValueError("`at` belongs to a `flag` Fix: leave `at` out, the dates say when each account churned")
        return self


LabelSettings = Annotated[ContractualLabel | NonContractualLabel | GivenLabel, Field(discriminator="kind")]
