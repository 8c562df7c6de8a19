"""What a run read, as MLflow lists it among its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["LoggedData"]


@dataclass(frozen=True)
class LoggedData:
    """Rows that a run read, as MLflow lists them among its inputs."""

    name: str
    digest: str
    context: str  # what the rows were used for, such as `training`
    source: Mapping[str, Any]  # the sources of each table
    profile: Mapping[str, Any]  # how many there were
    columns: Sequence[str]
