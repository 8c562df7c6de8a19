"""What a pipeline needs of tracking, in one object."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from staypower.tracking.registry import ModelVersion, Registry
from staypower.tracking.runs import TrackedRun, start_run
from staypower.tracking.settings import TrackingSettings
from staypower.tracking.store import Store, open_store

if TYPE_CHECKING:
    import pandas as pd

    from staypower.models.champion import ChampionLock

__all__ = ["Tracker"]


class Tracker:
    """Runs and versions of one model.

    >>> tracker = Tracker(TrackingSettings(), Path("project"), name="acme")
    >>> tracker.models_folder.as_posix()
    'project/models'
    """

    def __init__(self, settings: TrackingSettings, root: Path, *, name: str, models_folder: Path = Path("models")) -> None:
        self.settings = settings
        self.root = root
        self.name = name
        self.models_folder = root / models_folder

    @cached_property
    def store(self) -> Store:
        """The open store; opened when first needed."""
        return open_store(self.settings, self.root, self.name)

    @cached_property
    def registry(self) -> Registry:
        """The versions of the model."""
        return Registry(self.store, self.name, self.models_folder)

    def run(
        self, kind: str, name: str | None = None, tags: Mapping[str, object] | None = None
    ) -> AbstractContextManager[TrackedRun]:
        """Start a run; see `start_run`."""
        return start_run(self.store, kind=kind, name=name, tags=tags)

    def register(
        self,
        bundle: Path,
        digest: str,
        run_id: str,
        metrics: Mapping[str, Any],
        *,
        split: str = "temporal",
        facts: Mapping[str, str] | None = None,
        unfit: str = "",
    ) -> ModelVersion:
        """Register a trained model; see `Registry.register`."""
        return self.registry.register(bundle, digest, run_id, metrics, split=split, facts=facts, unfit=unfit)

    def promote(
        self,
        version: str,
        *,
        reason: str = "",
        forced: bool = False,
        against: str = "",
        comparison: Mapping[str, Any] | None = None,
    ) -> ChampionLock:
        """Make a version the champion; see `Registry.promote`."""
        return self.registry.promote(version, reason=reason, forced=forced, against=against, comparison=comparison)

    def rollback(self) -> ChampionLock:
        """Make the champion before this one champion again; see `Registry.rollback`."""
        return self.registry.rollback()

    def list_versions(self) -> pd.DataFrame:
        """List every version; see `Registry.list_versions`."""
        return self.registry.list_versions()
