"""Where runs, artifacts and models are tracked."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_serializer

from staypower.addresses import shown_address

__all__ = ["TrackingSettings"]


class TrackingSettings(BaseModel):
    """Settings of tracking.

    >>> TrackingSettings().folder
    'mlruns'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: str = Field(default="mlruns", description="folder of the embedded store: `mlflow.db` and the artifacts")
    uri: str | None = Field(
        default=None,
        description="address of another tracking server; `MLFLOW_TRACKING_URI` wins over it; none: the embedded store",
    )
    outputs: bool = Field(
        default=False,
        description="whether `score` and `report` log what they write as runs of their own (`score` not with `engine: spark`)",
    )
    experiment: str | None = Field(default=None, description="name of the experiment; none: the config's `name`")

    @field_serializer("uri")
    def _without_secrets(self, uri: str | None) -> str | None:
        return uri if uri is None else shown_address(uri)
