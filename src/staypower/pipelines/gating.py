"""The gate between data and model: they are compared with those of training, and refused unless they are accepted."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from staypower.config.settings import Settings
from staypower.errors import RefusedData
from staypower.features.catalogue import Catalogue
from staypower.gate.comparing import FeatureCounts, compare_data, compare_features
from staypower.gate.facts import DataFacts
from staypower.gate.report import GateReport
from staypower.gate.settings import GateSettings
from staypower.models.bundle import Bundle
from staypower.progress import Progress
from staypower.tables import BucketedTables
from staypower.writing import write_atomically

__all__ = ["Gate", "breaches_path", "pass_tables"]


@dataclass(frozen=True)
class Gate:
    """A gate that tables have passed, and that features pass once they are there: before anything is written or shown."""

    bundle: Bundle
    limits: GateSettings
    found: GateReport
    accept: bool  # whether data that break a limit pass, too
    beside: Path | None = None  # the list beside which what was found is written

    def with_features(self, counts: FeatureCounts) -> Gate:
        """Compare what features lack with training, too, and refuse what breaks a limit."""
        tables = {feature.name: feature.table for feature in Catalogue.of(self.bundle.learned).definitions}
        found = compare_features(self.found, DataFacts.of(self.bundle.learned), counts, tables, self.limits)
        return replace(self, found=found)._passed()

    def keep(self, *, used: bool = True) -> None:
        """Write what was found beside the list."""
        if self.beside is not None:
            content = json.dumps({**self.found.to_dict(), "scored": used}, ensure_ascii=False, indent=1) + "\n"
            write_atomically(breaches_path(self.beside), lambda place: place.write_text(content, encoding="utf-8"))

    def _passed(self) -> Gate:
        if self.found.breaches and not self.accept:
            self.keep(used=False)
            raise RefusedData([breach.as_problem for breach in self.found.breaches])
        return self


def pass_tables(
    settings: Settings,
    bundle: Bundle,
    tables: BucketedTables,
    *,
    cutoff: int,
    accept: bool,
    progress: Progress,
    beside: Path | None = None,
) -> Gate:
    """Compare tables with those of training, and refuse what breaks a limit unless it is accepted."""
    with progress.step("comparing the data with those of training"):
        found = compare_data(tables, DataFacts.of(bundle.learned), settings.label, settings.gate, cutoff=cutoff)
    return Gate(bundle, settings.gate, found, accept, beside)._passed()


def breaches_path(scores: Path) -> Path:
    """Name the file of breaches beside a list of scores or actions.

    >>> breaches_path(Path("out/scores.parquet")).as_posix()
    'out/scores-breaches.json'
    """
    return scores.with_name(f"{scores.stem}-breaches.json")
