"""Who can do how much in one round, and whom nobody acts on so that the effect can be measured."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ActionSettings"]


class ActionSettings(BaseModel):
    """Settings of the action list.

    >>> ActionSettings(capacity={"support": 20, "marketing": None}).holdout
    0.1
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    capacity: dict[str, Annotated[int, Field(ge=0)] | None] = Field(
        default_factory=dict,
        description="accounts that each owner of the playbook can act on in one round; none: no limit; owners not named share "
        "`capacity`",
    )
    holdout: float = Field(
        default=0.1,
        ge=0,
        le=0.5,
        description="share of the listed accounts left alone at random, so that effects can be measured",
    )
    seed: int = Field(default=0, ge=0, description="with the account's id alone decides who is left alone")
