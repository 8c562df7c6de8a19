"""What a user may set about reasons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from staypower.errors import nearest
from staypower.features.definition import LEVERS

__all__ = ["ExplanationSettings"]


def _listed(value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    return {lever: [words] if isinstance(words, str) else words for lever, words in value.items()}


class ExplanationSettings(BaseModel):
    """How reasons are chosen; sealed with the model, so that the same account gets the same reasons wherever it is scored.

    >>> ExplanationSettings().per_lever
    2
    >>> ExplanationSettings(leavers_said={"billing": "too expensive"}).lever_of("Too expensive for us")
    'billing'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    protective: int | None = Field(
        default=None,
        ge=0,
        le=50,
        description="places among an account's reasons that are kept for what lowers the risk; none: the strongest, either way",
    )
    per_lever: int = Field(default=2, ge=1, le=50, description="reasons of one lever at most, unless nothing else matters")
    compare_by: str | None = Field(
        default=None,
        min_length=1,
        description="category feature whose value makes accounts alike when it is said what is usual, e.g. `plan_now`; none: "
        "the plan, else the segment, else another attribute that is neither personal nor yes or no",
    )
    leavers_said: Annotated[dict[str, tuple[str, ...]], BeforeValidator(_listed)] = Field(
        default_factory=dict,
        description="by lever, words found in the `end_reason` of those who left for it; reasons are then ordered by what "
        "leavers like this account named",
    )

    @field_validator("leavers_said")
    @classmethod
    def _known(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for lever, words in value.items():
            if lever not in LEVERS:
                raise ValueError(f"unknown lever `{lever}` Fix: {nearest(lever, LEVERS)}")
            if not words or not all(word.strip() for word in words):
                raise ValueError(f"no words for the lever `{lever}` Fix: write what leavers say, e.g. `[too expensive]`")
        return value

    def lever_of(self, end_reason: str | None) -> str | None:
        """Return the lever whose words stand in a reason for leaving: of several the longest words decide."""
        if end_reason is None:
            return None
        text = end_reason.casefold()
        found = [(len(word), lever) for lever, words in self.leavers_said.items() for word in words if word.casefold() in text]
        return max(found, key=lambda one: one[0])[1] if found else None
