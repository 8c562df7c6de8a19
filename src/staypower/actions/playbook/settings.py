"""A playbook: declared actions, each validated when it is made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from staypower.actions.playbook.measures import FEATURE_MEASURES, MEASURES
from staypower.errors import nearest
from staypower.features.definition import LEVERS
from staypower.portfolio.settings import QUADRANTS

__all__ = ["ACCOUNT_OWNER", "AUTOMATIC", "Action", "Limits", "Playbook", "default_playbook_text"]

AUTOMATIC = "automatic"
"""The owner of what a machine does: nobody's time, so no limit unless one is given."""

ACCOUNT_OWNER = "account owner"
"""Stands for each account's own owner, the column `owner` of `accounts`; a capacity given for it is each person's."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


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
    """Take `any` for no restriction, and one word for a list of one."""
    if isinstance(value, str):
        return () if value == "any" else (value,)
    if isinstance(value, list | tuple) and (not value or "any" in value) and value != ():
        raise ValueError("neither `any` nor a list of names Fix: write `any` alone, or name what it is for")
    return value


def _as_limits(value: object) -> object:
    """Take true and false for a flag that is 1 or 0."""
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
    def _say_something(self) -> Limits:
        if self.at_least is None and self.below is None:
            raise ValueError("no bound Fix: give `at_least`, `below` or both, or `true` or `false` for a flag")
        if self.at_least is not None and self.below is not None and self.at_least >= self.below:
            raise ValueError("nothing lies between these bounds Fix: let `at_least` lie under `below`")
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
        default=None, gt=0, le=1, allow_inf_nan=False, description="assumed relative cut in churn probability"
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
    def _promise_one_thing(self) -> Action:
        if (self.effect is None) == (self.value is None):
            said = "neither `effect` nor `value`" if self.effect is None else "both `effect` and `value`"
            raise ValueError(f"{said} Fix: give `effect` to what lowers the risk of leaving, `value` to what does not")
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
    """Return the playbook that comes with the package, as YAML.

    >>> "actions:" in default_playbook_text()
    True
    """
    return files("staypower.actions.playbook").joinpath("default.yaml").read_text(encoding="utf-8")
