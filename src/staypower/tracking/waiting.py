"""A run that is written to files first, and logged when the tracking store can be reached."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from staypower.clock import now_milliseconds
from staypower.errors import at_place, readable
from staypower.tracking.runs import TrackedRun, finite_metrics

__all__ = ["WrittenRun", "read_run"]

_VALUES = "run.json"


@dataclass
class WrittenRun:
    """What is to be logged, kept in a folder until then; `TrackedRun` has the same methods."""

    folder: Path
    tags: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    metrics: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    began: int = field(default_factory=now_milliseconds)  # milliseconds since 1970

    def log_settings(self, settings: Mapping[str, Any]) -> None:
        """Keep nested settings."""
        self.settings.update(settings)

    def log_metrics(self, metrics: Mapping[str, Any], *, step: int = 0) -> None:
        """Keep nested metrics."""
        self.metrics.append((step, finite_metrics(metrics)))

    def log_artifacts(self, files: Path | Sequence[Path], folder: str | None = None) -> None:
        """Keep files, or everything in a folder, under `folder` of the run."""
        place = self._files / (folder or ".")
        place.mkdir(parents=True, exist_ok=True)
        for path in [files] if isinstance(files, Path) else files:
            _ = shutil.copytree(path, place, dirs_exist_ok=True) if path.is_dir() else shutil.copy2(path, place)

    def log_text(self, text: str, name: str) -> None:
        """Keep a text as a file of the run."""
        path = self._files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Keep tags of the run."""
        self.tags.update({name: str(value) for name, value in tags.items()})

    @property
    def _files(self) -> Path:
        return self.folder / "files"

    def keep(self, place: Path) -> None:
        """Put what was written where it waits, whole or not at all."""
        values = {"tags": self.tags, "settings": self.settings, "metrics": self.metrics, "began": self.began}
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / _VALUES).write_text(json.dumps(values, default=str), encoding="utf-8")
        draft = place.with_name(f".{place.name}.building")
        try:
            with at_place(place):
                for left in (draft, place):
                    shutil.rmtree(left, ignore_errors=True)
                shutil.copytree(self.folder, draft)
                draft.rename(place)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def log_to(self, run: TrackedRun) -> None:
        """Log what was written to a run of a store."""
        run.set_tags(self.tags)
        if self.settings:
            run.log_settings(self.settings)
        for step, metrics in self.metrics:
            run.log_metrics(metrics, step=step)
        if self._files.is_dir():
            run.log_artifacts(self._files)


def read_run(place: Path) -> WrittenRun | None:
    """Read a run that waits; None where none does."""
    if not (place / _VALUES).is_file():
        return None
    with readable(str(place / _VALUES)):
        values = json.loads((place / _VALUES).read_text(encoding="utf-8"))
        metrics = [(int(step), dict(found)) for step, found in values["metrics"]]
        return WrittenRun(place, dict(values["tags"]), dict(values["settings"]), metrics, int(values["began"]))
