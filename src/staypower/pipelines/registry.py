"""List, promote and roll back the versions of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from staypower.config import Settings
from staypower.progress import Progress
from staypower.tracking import Tracker

__all__ = ["ModelList", "Promotion", "run_models_list", "run_promote", "run_rollback"]

_SHOWN = ("auroc", "average_precision", "log_loss", "brier")


@dataclass(frozen=True)
class ModelList:
    """Every version of a model.

    Parameters
    ----------
    name : str
    versions : pandas.DataFrame
        One row a version.
    """

    name: str
    versions: pd.DataFrame

    def text(self) -> str:
        """Return the versions with their main metrics."""
        if self.versions.empty:
            return f"no version of {self.name} yet: `staypower train` makes one"
        columns = [name for name in self.versions.columns if not name.startswith("metric.")]
        metrics = [f"metric.{name}" for name in _SHOWN if f"metric.{name}" in self.versions.columns]
        shown = self.versions[[*columns, *metrics]].rename(columns=lambda name: name.removeprefix("metric."))
        shown = shown.assign(champion=shown["champion"].map({True: "yes", False: ""}))
        if "digest" in shown:
            # the whole digest is in `--json` and in `versions.json`; its beginning tells two versions apart
            shown = shown.assign(digest=shown["digest"].str[:12])
        return str(shown.to_string(index=False, na_rep="", float_format=lambda value: f"{value:.4f}"))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "name": self.name,
            "versions": self.versions.astype(object).where(self.versions.notna(), None).to_dict("records"),
        }


@dataclass(frozen=True)
class Promotion:
    """Which version scores now.

    Parameters
    ----------
    name, version, previous : str
    """

    name: str
    version: str
    previous: str

    def text(self) -> str:
        """Return what changed."""
        before = f" (before: version {self.previous})" if self.previous else ""
        return f"champion of {self.name}: version {self.version}{before}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"name": self.name, "champion": self.version, "previous": self.previous or None}


def run_models_list(settings: Settings, *, progress: Progress) -> ModelList:
    """List the versions of the model."""
    return ModelList(settings.name, _tracker(settings).list_versions())


def run_promote(settings: Settings, *, version: str, force: bool, reason: str, progress: Progress) -> Promotion:
    """Make a version the champion."""
    lock = _tracker(settings).promote(version, force=force, reason=reason)
    return Promotion(settings.name, lock.version, lock.previous or "")


def run_rollback(settings: Settings, *, progress: Progress) -> Promotion:
    """Make the champion before this one champion again."""
    lock = _tracker(settings).rollback()
    return Promotion(settings.name, lock.version, lock.previous or "")


def _tracker(settings: Settings) -> Tracker:
    return Tracker(settings.tracking, settings.root, name=settings.name, models_folder=settings.models_path)
