"""Hold data against those of training before scores are written, and keep what was found beside the scores."""

from __future__ import annotations

import json
from pathlib import Path

from staypower.config.settings import Settings
from staypower.errors import RefusedData
from staypower.features.catalogue import Catalogue
from staypower.gate.comparing import FeatureCounts, compare_data, compare_features
from staypower.gate.facts import DataFacts
from staypower.gate.report import GateReport
from staypower.models.bundle import Bundle
from staypower.progress import Progress
from staypower.tables import BucketedTables
from staypower.writing import write_atomically

__all__ = ["breaches_path", "keep_breaches", "look_at_data", "look_at_features", "refuse_breaches"]


def look_at_data(settings: Settings, bundle: Bundle, tables: BucketedTables, *, cutoff: int, progress: Progress) -> GateReport:
    """Compare the tables with those of training."""
    with progress.step("comparing the data with those of training"):
        return compare_data(tables, DataFacts.of(bundle.learned), settings.label, settings.gate, cutoff=cutoff)


def look_at_features(settings: Settings, bundle: Bundle, found: GateReport, counts: FeatureCounts) -> GateReport:
    """Compare what features lack with training, too."""
    tables = {feature.name: feature.table for feature in Catalogue.of(bundle.learned).definitions}
    return compare_features(found, DataFacts.of(bundle.learned), counts, tables, settings.gate)


def breaches_path(scores: Path) -> Path:
    """Name the file of breaches beside a list of scores.

    >>> breaches_path(Path("out/scores.parquet")).as_posix()
    'out/scores-breaches.json'
    """
    return scores.with_name(f"{scores.stem}-breaches.json")


def refuse_breaches(found: GateReport, path: Path | None, *, accept: bool) -> None:
    """Refuse data that break a limit unless they are accepted; the breaches are written where the scores would be."""
    if found.breaches and not accept:
        keep_breaches(found, path, scored=False)
        raise RefusedData([breach.as_problem for breach in found.breaches])


def keep_breaches(found: GateReport, path: Path | None, *, scored: bool = True) -> None:
    """Write what was found beside the scores."""
    if path is not None:
        content = json.dumps({**found.to_dict(), "scored": scored}, ensure_ascii=False, indent=1) + "\n"
        write_atomically(breaches_path(path), lambda place: place.write_text(content, encoding="utf-8"))
