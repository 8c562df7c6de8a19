"""Settings of reasons."""

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
    """How accounts are grouped for typical values, and which words of churned accounts mean which lever.

    >>> ExplanationSettings(leavers_said={"billing": "too expensive"}).lever_of("Too expensive for us")
    'billing'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    compare_by: str | None = Field(
        default=None,
        min_length=1,
        description="category feature, such as `plan_now`, whose groups define what is typical; omit to use the plan, else the "
        "segment, else another attribute that is neither personal nor yes/no",
    )
    leavers_said: Annotated[dict[str, tuple[str, ...]], BeforeValidator(_listed)] = Field(
        default_factory=dict,
        description="by lever, words to look for in the `end_reason` of churned accounts; reasons are then ordered by what "
        "similar churned accounts named",
    )

    @field_validator("leavers_said")
    @classmethod
    def _known(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for lever, words in value.items():
            if lever not in LEVERS:
                raise ValueError(f"unknown lever `{lever}` Fix: {nearest(lever, LEVERS)}")
            if not words or not all(word.strip() for word in words):
                raise ValueError(
                    f"no words for the lever `{lever}` Fix: write what churned customers say, as in `[too expensive]`"
                )
        return value

    def lever_of(self, end_reason: str | None) -> str | None:
        """Return the lever whose words a reason for leaving contains; of several, the longest words decide."""
        if end_reason is None:
            return None
        text = end_reason.casefold()
        found = [(len(word), lever) for lever, words in self.leavers_said.items() for word in words if word.casefold() in text]
        return max(found, key=lambda one: one[0])[1] if found else None
