"""Settings of the gate: how far the data may be from those of training before scoring refuses them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["GateSettings"]


class GateSettings(BaseModel):
    """Limits between the data that are scored and those of training.

    >>> GateSettings().silence
    3.0
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    silence: float = Field(
        default=3.0,
        ge=1,
        le=1000,
        description="how many times longer than its longest silence in training a table may be without rows before the cutoff; "
        "a week is always allowed",
    )
    rate: float = Field(
        default=2.0,
        ge=1,
        le=1000,
        description="how many times more or fewer rows per customer and day than in four weeks of the last year of training",
    )
    missing: float = Field(
        default=0.2, ge=0, le=1, description="by how much the share of missing values of a feature or column may have risen"
    )
    unseen: float = Field(
        default=0.2, ge=0, le=1, description="share of the latest rows whose category was not there in training"
    )
    shift: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="how far the distribution of the latest answers and amounts may be from that of training: the largest "
        "difference of the two cumulative shares",
    )
    repeated: float = Field(default=0.05, ge=0, le=1, description="by how much the share of repeated rows may have risen")
    impossible: float = Field(
        default=0.05, ge=0, le=1, description="by how much the share of ends before their start may have risen"
    )
