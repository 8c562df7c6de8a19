"""What counts as churn: the settings of each kind of label, and what a kind says about itself."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from staypower.cutoffs import Outcome, instant_of, midnight_after
from staypower.errors import UsageError

__all__ = [
    "ContractualLabel",
    "GivenLabel",
    "Label",
    "LabelSettings",
    "NonContractualLabel",
    "date_text",
    "match_words",
    "text_of_value",
]

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
    """Read a single word as a list of one, and numbers and truth values as text."""
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


def date_text(value: object) -> object:
    """Turn a date into ISO text; refuse a text that is no date."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        try:
            instant_of(value)
        except UsageError as error:
            raise ValueError(f"{error.problems[0].problem} Fix: {error.problems[0].fix}") from None
    return value


_Texts = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_as_texts)]


class Label(BaseModel):
    """What every label has: where the outcome lies, who is left out, and answers that a kind may override."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by_subscriptions: ClassVar[bool] = False  # whether an account is a customer while it has a subscription

    horizon: int = Field(default=90, ge=1, le=_LONGEST, description="length of the outcome in days")
    gap: int = Field(
        default=0, ge=0, le=_LONGEST, description="days between the cutoff and the start of the outcome: time to act"
    )
    too_new: int = Field(default=14, ge=0, le=_LONGEST, description="accounts younger than this many days are left out")
    keep_too_new: bool = Field(default=False, description="train on and score accounts that are too new")

    @property
    def outcome(self) -> Outcome:
        """The period after a cutoff in which an account churns or stays."""
        return Outcome(horizon=self.horizon, gap=self.gap)

    @property
    def is_snapshot(self) -> bool:
        """Whether churn is known at one cutoff only, without a date."""
        return False

    @property
    def outcome_days(self) -> int | None:
        """Within how many days churn is predicted; None where the data say that an account left, not when.

        >>> ContractualLabel(horizon=60).outcome_days, GivenLabel(flag="Churned").outcome_days
        (60, None)
        """
        return None if self.is_snapshot else self.horizon

    @property
    def required_table(self) -> tuple[str, str, str]:
        """The setting that needs a table, the table, and another way out (may be empty)."""
        raise NotImplementedError

    @property
    def tables_read(self) -> frozenset[str]:
        """The tables that the outcome is read from, and those that tell who has left in another way; besides `accounts`."""
        return frozenset({self.required_table[1], "subscriptions", "churn"}) - {"accounts"}

    @property
    def hidden(self) -> tuple[str, ...]:
        """The attribute or table that holds the outcome itself: no feature is built from it."""
        return ()

    @property
    def predicted(self) -> Literal["any", "voluntary", "involuntary"]:
        """Which churn is predicted."""
        return "any"

    @property
    def involuntary_words(self) -> tuple[str, ...]:
        """Words that mark an end reason as involuntary; without any, kinds of churn are not distinguished."""
        return ()

    @property
    def no_other_horizons(self) -> str | None:
        """Why churn within another horizon than the label's own cannot be known; None when it can."""
        return None

    def last_cutoff(self, observed_until: int) -> int:
        """Return the latest cutoff that can be labelled: the last midnight UTC with a complete outcome, or the flag's own.

        >>> from staypower.cutoffs import text_of
        >>> text_of(ContractualLabel(horizon=90, grace=30).last_cutoff(instant_of("2025-07-01")))
        '2025-03-03'
        >>> text_of(GivenLabel(flag="left").last_cutoff(instant_of("2025-07-01")))
        '2025-07-01'
        """
        return self.outcome.last_mature(observed_until)

    def require_several_cutoffs(self, what: str) -> None:
        """Refuse a label that is known at one cutoff only."""

    def churn_in_words(self) -> str:
        """Say what counts as churn."""
        raise NotImplementedError

    def outcome_in_words(self) -> str:
        """Say what a score is the probability of.

        >>> ContractualLabel(horizon=60).outcome_in_words(), GivenLabel(flag="Churned").outcome_in_words()
        ('to leave within 60 days', 'to carry the flag `Churned`')
        """
        return f"to leave {self._when()}" if self.gap else f"to leave within {self.horizon} days"

    def population_in_words(self) -> str:
        """Say who is trained on and scored.

        >>> NonContractualLabel(too_new=0).population_in_words()
        'accounts with a row of `orders` in the 180 days before the cutoff'
        """
        left_out = self._left_out()
        return f"{self._population()}, without {' and '.join(left_out)}" if left_out else self._population()

    def _population(self) -> str:
        raise NotImplementedError

    def _left_out(self) -> list[str]:
        return [f"those younger than {self.too_new} days"] if self.too_new and not self.keep_too_new else []

    def _when(self, *, without_gap: str = "within") -> str:
        if self.gap:
            return f"from {self.gap} to {self.gap + self.horizon} days after the cutoff"
        return f"{without_gap} {self.horizon} days after the cutoff"


class ContractualLabel(Label):
    """Churn of accounts with subscriptions: the spell ends in the outcome and no subscription follows within the grace.

    >>> ContractualLabel(involuntary=("payment",)).outcome
    Outcome(horizon=90, gap=0, grace=30)
    """

    by_subscriptions: ClassVar[bool] = True

    kind: Literal["contractual"] = Field(default="contractual", description="the subscriptions of the account ended")
    grace: int = Field(default=30, ge=0, le=_LONGEST, description="days within which a new subscription undoes an end")
    involuntary: _Texts = Field(
        default=(), description="words: an `end_reason` in which one occurs (any case, parts of words too) is involuntary"
    )
    of: Literal["any", "voluntary", "involuntary"] = Field(
        default="any", description="which churn to predict: `any`, `voluntary` or `involuntary`"
    )
    keep_notice: bool = Field(default=False, description="train on and score accounts that have given notice")

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
        """The period after a cutoff in which an account churns or stays."""
        return Outcome(horizon=self.horizon, gap=self.gap, grace=self.grace)

    @property
    def required_table(self) -> tuple[str, str, str]:
        """The setting that needs a table, the table, and another way out."""
        return "label.kind", "subscriptions", "write `kind: non_contractual` or `kind: given`"

    @property
    def predicted(self) -> Literal["any", "voluntary", "involuntary"]:
        """Which churn is predicted."""
        return self.of

    @property
    def involuntary_words(self) -> tuple[str, ...]:
        """Words that mark an end reason as involuntary."""
        return self.involuntary

    def churn_in_words(self) -> str:
        """Say what counts as churn.

        >>> ContractualLabel(of="voluntary", involuntary=("card",)).churn_in_words()
        "churned (contractual): the account's last subscription ends within 90 days after the cutoff and no other begins within
        30 days of that end; voluntary ends only (involuntary: end reasons that contain card)"
        """
        kinds = f"; {self.of} ends only" if self.of != "any" else ""
        words = f" (involuntary: end reasons that contain {', '.join(self.involuntary)})" if self.involuntary else ""
        return (
            f"churned (contractual): the account's last subscription ends {self._when()} and no other begins within "
            f"{self.grace} days of that end{kinds}{words}"
        )

    def _population(self) -> str:
        return "accounts with a subscription that covers the cutoff"

    def _left_out(self) -> list[str]:
        return super()._left_out() + ([] if self.keep_notice else ["those that have given notice"])


class NonContractualLabel(Label):
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

    @property
    def required_table(self) -> tuple[str, str, str]:
        """The setting that needs a table, the table, and no other way out."""
        return "label.table", self.table, ""

    @property
    def no_other_horizons(self) -> str | None:
        """Why churn within another horizon than the label's own cannot be known."""
        return "inactivity over a longer horizon is rarer, not likelier: churn by inactivity has its own horizon only"

    def churn_in_words(self) -> str:
        """Say what counts as churn.

        >>> NonContractualLabel(gap=7).churn_in_words()
        'churned (non-contractual): no row of `orders` from 7 to 97 days after the cutoff'
        """
        return f"churned (non-contractual): no {self._row()} {self._when(without_gap='in the')}"

    def _population(self) -> str:
        return f"accounts with a {self._row()} in the {self.activity_window} days before the cutoff"

    def _row(self) -> str:
        events = f" with one of the events {', '.join(self.key_events)}" if self.key_events else ""
        return f"row of `{self.table}`{events}"


class GivenLabel(Label):
    """Churn as the data give it: a table of churn dates, or a flag of `accounts` at one cutoff.

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
    at: Annotated[str | None, BeforeValidator(date_text)] = Field(
        default=None, description="the cutoff of the flag, a date; by default `observed_until`"
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

    @property
    def is_snapshot(self) -> bool:
        """Whether churn is known at one cutoff only, without a date."""
        return self.flag is not None

    @property
    def required_table(self) -> tuple[str, str, str]:
        """The setting that needs a table, the table, and no other way out."""
        return ("label.flag", "accounts", "") if self.is_snapshot else ("label.dates", str(self.dates), "")

    @property
    def hidden(self) -> tuple[str, ...]:
        """The attribute or table that holds the outcome itself.

        >>> GivenLabel(flag="Churn Label").hidden, GivenLabel(dates="churn").hidden
        (('Churn Label',), ('churn',))
        """
        return (str(self.dates if self.flag is None else self.flag),)

    @property
    def no_other_horizons(self) -> str | None:
        """Why churn within another horizon than the label's own cannot be known; None when it can."""
        return "a flag says that an account left, not when" if self.is_snapshot else None

    def last_cutoff(self, observed_until: int) -> int:
        """Return the cutoff of the flag: `at`, else the midnight UTC at or after the end of observation."""
        if not self.is_snapshot:
            return super().last_cutoff(observed_until)
        return midnight_after(observed_until) if self.at is None else instant_of(self.at)

    def require_several_cutoffs(self, what: str) -> None:
        """Refuse a flag, which is known at one cutoff only."""
        if self.is_snapshot:
            fix = "give dates of churn (`label.dates`) or another kind of label: a flag says who churned at one cutoff only"
            raise UsageError.of(f"{what} needs several cutoffs", f"label.flag: {self.flag}", fix)

    def churn_in_words(self) -> str:
        """Say what counts as churn."""
        if self.is_snapshot:
            return f"churned (given): the column `{self.flag}` of `accounts` says {' or '.join(self.positive)}; not when"
        return f"churned (given): the first date `{self.time}` in the table `{self.dates}` lies {self._when()}"

    def outcome_in_words(self) -> str:
        """Say what a score is the probability of."""
        return f"to carry the flag `{self.flag}`" if self.is_snapshot else super().outcome_in_words()

    def _population(self) -> str:
        if self.is_snapshot:
            return "all accounts, at the one cutoff of the flag"
        return "accounts that have signed up and had not churned before the cutoff"


LabelSettings = Annotated[ContractualLabel | NonContractualLabel | GivenLabel, Field(discriminator="kind")]
