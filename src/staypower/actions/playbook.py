"""A playbook: declared actions, each validated when it is made; and how much can be done in one round."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from staypower.errors import nearest
from staypower.features.definition import LEVERS
from staypower.portfolio.settings import QUADRANTS

__all__ = ["ACCOUNT_OWNER", "AUTOMATIC", "Action", "ActionSettings", "Limits", "MEASURES", "Playbook", "default_playbook_text"]

AUTOMATIC = "automatic"  # a machine, which has no limit unless one is given
ACCOUNT_OWNER = "account owner"  # each account's own, the column `owner` of `accounts`; a capacity for it is each person's

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")

_OF_SCORES = {
    "churn_probability": "probability of churn within the horizon (of a flag: to carry it), 0 to 1",
    "involuntary_share": "share of that probability that is a failed or expired payment, 0 to 1",
    "expected_days_to_churn": "expected days until the account leaves",
    "satisfaction": "last CSAT answer, 0 to 1, higher is better",
    "satisfaction_age_days": "days since that answer",
    "asked_unanswered": "survey invitations in a row without an answer",
    "never_invited": "whether the account was never invited to a survey",
    "mrr": "monthly recurring revenue",
    "clv": "lifetime value if the account stays",
    "value_at_risk": "churn probability x lifetime value",
}
_OF_FEATURES = {
    "tenure_days": "days as a customer",
    "days_to_renewal": "days until the contract renews",
    "days_since_last_use": "days since the product was last used",
    "features_no_longer_used": "product features that were used before and no longer are",
    "share_of_seats_active_28d": "share of the seats that were active in the last 28 days",
    "usage_trend_28d": "usage in the last 28 days compared with the 28 before: -1 stopped, 0 the same, 1 started",
    "tickets_open_now": "open support tickets",
    "tickets_waiting_now": "tickets without a first response",
    "within_sla_share_90d": "share of tickets answered in time in the last 90 days",
    "repeat_contacts_90d": "repeated tickets about the same problem in the last 90 days",
    "nps_detractor_last": "1 when the last NPS answer was from a detractor, 0 when not",
    "payments_failed_open_now": "failed payments that no later payment has covered",
    "method_expires_before_renewal": "1 when the payment method expires before the renewal, 0 when not",
    "auto_renew_off_now": "1 when automatic renewal is switched off, 0 when not",
    "goals_overdue_now": "agreed goals that are overdue",
    "owner_changes_365d": "changes of the account's owner in the last 365 days",
    "orders_90d": "orders in the last 90 days",
    "pause_over_usual": "days since the last order, relative to the account's own mean pause",
}

# every measure with its meaning; one that is missing for an account meets no condition
MEASURES: Mapping[str, str] = MappingProxyType({**_OF_SCORES, **_OF_FEATURES})

# measures that are features, to be built at the cutoff; the others are columns of the scores
FEATURE_MEASURES: frozenset[str] = frozenset(_OF_FEATURES)


def _must_be(what: str, word: str, known: Iterable[str]) -> str:
    choices = list(known)
    if word not in choices:
        listed = ", ".join(f"`{choice}`" for choice in choices)
        near = nearest(word, choices)
        hint = f"{near}; " if near.startswith("write") else ""
        raise ValueError(f"unknown {what} Fix: {hint}known are {listed}")
    return word


def _known_lever(word: str) -> str:
    return _must_be("lever", word, LEVERS)


def _known_quadrant(word: str) -> str:
    return _must_be("quadrant", word, QUADRANTS)


def _known_measure(word: str) -> str:
    return _must_be("measure", word, MEASURES)


def _known_name(word: str) -> str:
    if not _NAME.fullmatch(word):
        made = re.sub(r"[^a-z0-9]+", "_", word.casefold()).strip("_0123456789") or "action"
        raise ValueError(f"not usable as the name of an action Fix: use small letters, digits and `_`: `{made}`")
    return word


def _listed(value: object) -> object:
    """Read `any` as no restriction, and one word as a list of one."""
    if isinstance(value, str):
        return () if value == "any" else (value,)
    if isinstance(value, list | tuple) and (not value or "any" in value) and value != ():
        raise ValueError("neither `any` nor a list of names Fix: write `any` alone, or list the names")
    return value


def _as_limits(value: object) -> object:
    """Read true and false as a flag that is 1 or 0."""
    if isinstance(value, bool):
        return {"at_least": 1.0} if value else {"below": 1.0}
    return value


class Limits(BaseModel):
    """Bounds of one measure.

    >>> Limits(at_least=2).below is None
    True
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at_least: float | None = Field(default=None, allow_inf_nan=False, description="the measure must be at least this")
    below: float | None = Field(default=None, allow_inf_nan=False, description="the measure must be less than this")

    @model_validator(mode="after")
    def _require_a_bound(self) -> Limits:
        if self.at_least is None and self.below is None:
            raise ValueError("no bound Fix: give `at_least`, `below` or both, or `true` or `false` for a flag")
        if self.at_least is not None and self.below is not None and self.at_least >= self.below:
            raise ValueError("no value lies between these bounds Fix: let `at_least` be lower than `below`")
        return self


Levers = Annotated[tuple[Annotated[str, AfterValidator(_known_lever)], ...], BeforeValidator(_listed)]
Quadrants = Annotated[tuple[Annotated[str, AfterValidator(_known_quadrant)], ...], BeforeValidator(_listed)]
Measure = Annotated[str, AfterValidator(_known_measure)]
Name = Annotated[str, AfterValidator(_known_name)]


class Action(BaseModel):
    """One entry of a playbook.

    >>> action = Action(lever="billing", quadrant="any", step="Call.", owner="billing", cost=5, effect=0.3)
    >>> action.lever, action.quadrant, action.cooldown
    (('billing',), (), 30)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    lever: Levers = Field(description="what raises the account's risk: one or more levers, or `any`")
    quadrant: Quadrants = Field(description="where the account stands: one or more quadrants, or `any`")
    step: str = Field(min_length=1, max_length=500, description="what to do, in a sentence")
    owner: str = Field(
        min_length=1, max_length=100, description="who does it; `automatic`: a machine, `account owner`: the account's own"
    )
    cost: float = Field(ge=0, allow_inf_nan=False, description="money spent by acting on one account")
    effect: float | None = Field(
        default=None, gt=0, le=1, allow_inf_nan=False, description="assumed relative reduction in churn probability"
    )
    value: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="instead of `effect`: money expected from acting on one account"
    )
    cooldown: int = Field(default=30, ge=0, le=36_500, description="days before the same action may be repeated")
    conditions: dict[Measure, Limits] = Field(default_factory=dict, description="measures that must lie within limits")

    @model_validator(mode="before")
    @classmethod
    def _read_flags(cls, values: object) -> object:
        if isinstance(values, Mapping) and isinstance(values.get("conditions"), Mapping):
            return {**values, "conditions": {name: _as_limits(limits) for name, limits in values["conditions"].items()}}
        return values

    @model_validator(mode="after")
    def _require_one_benefit(self) -> Action:
        if (self.effect is None) == (self.value is None):
            given = "neither `effect` nor `value`" if self.effect is None else "both `effect` and `value`"
            raise ValueError(f"{given} Fix: give `effect` when the action lowers the risk of churn, otherwise `value`")
        return self


class Playbook(BaseModel):
    """Every action, by name.

    >>> entry = {"lever": "any", "quadrant": "loyal", "step": "Ask.", "owner": "marketing", "cost": 5, "value": 80}
    >>> playbook = Playbook.model_validate({"actions": {"referral": entry}})
    >>> playbook.owners, playbook.features
    (('marketing',), ())
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    actions: dict[Name, Action] = Field(min_length=1, max_length=200, description="the actions, by name")
    pause: int = Field(default=7, ge=0, le=36_500, description="days after any action before the same account gets another")
    lever_share: float = Field(
        default=0.2, gt=0, le=1, description="a lever counts when it carries at least this share of what raises the risk"
    )

    @property
    def owners(self) -> tuple[str, ...]:
        """Everyone who owns an action, in the order of the playbook."""
        return tuple(dict.fromkeys(action.owner for action in self.actions.values()))

    @property
    def measures(self) -> tuple[str, ...]:
        """Every measure that a condition asks for, sorted."""
        return tuple(sorted({name for action in self.actions.values() for name in action.conditions}))

    @property
    def features(self) -> tuple[str, ...]:
        """The measures among them that are features of the catalogue."""
        return tuple(name for name in self.measures if name in FEATURE_MEASURES)


def default_playbook_text() -> str:
    """Return the packaged playbook as YAML.

    >>> "actions:" in default_playbook_text()
    True
    """
    return files("staypower.actions").joinpath("default_playbook.yaml").read_text(encoding="utf-8")


class ActionSettings(BaseModel):
    """Settings of the action list.

    >>> ActionSettings(capacity={"support": 20, "marketing": None}).holdout
    0.1
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    capacity: dict[str, Annotated[int, Field(ge=0)] | None] = Field(
        default_factory=dict,
        description="accounts that each owner in the playbook can act on per round; null: no limit; owners not listed share "
        "`capacity`",
    )
    holdout: float = Field(
        default=0.1,
        ge=0,
        le=0.5,
        description="share of the listed accounts that are held back at random, so that effects can be measured",
    )
    seed: int = Field(default=0, ge=0, description="seed of the holdout: with the account id it decides who is held back")
