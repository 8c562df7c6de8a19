"""A run that is written to files first, and logged when the tracking store can be reached."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from staypower.clock import now_milliseconds
from staypower.errors import at_place, readable
from staypower.tracking.logged_data import LoggedData
from staypower.tracking.runs import RunWriter, TrackedRun, finite_metrics

__all__ = ["WrittenRun", "read_run"]

_VALUES = "run.json"


@dataclass
class WrittenRun(RunWriter):
    """What is to be logged, kept in a folder until then; `TrackedRun` has the same methods."""

    folder: Path
    tags: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    chosen: list[str] | None = None  # settings that become parameters; None: all of them
    data: list[dict[str, Any]] = field(default_factory=list)  # see `LoggedData`
    name: str = ""
    metrics: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    began: int = field(default_factory=now_milliseconds)  # milliseconds since 1970

    def log_settings(self, settings: Mapping[str, Any], chosen: Collection[str] | None = None) -> None:
        """Keep nested settings, and which of them were chosen."""
        self.settings.update(settings)
        self.chosen = None if chosen is None else list(chosen)

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

    def log_data(self, data: Sequence[LoggedData]) -> None:
        """Keep what was read."""
        self.data += [asdict(each) for each in data]

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Keep tags of the run."""
        self.tags.update({name: str(value) for name, value in tags.items()})

    @property
    def _files(self) -> Path:
        return self.folder / "files"

    def keep(self, place: Path) -> None:
        """Put what was written where it waits, whole or not at all."""
        values = {part.name: getattr(self, part.name) for part in fields(self) if part.name != "folder"}
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
            run.log_settings(self.settings, self.chosen)
        run.log_data([LoggedData(**each) for each in self.data])
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
        return WrittenRun(**{**values, "folder": place, "metrics": metrics})
