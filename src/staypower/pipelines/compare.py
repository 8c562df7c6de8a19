"""Compare two versions of a model: which predicts better, by which levers they differ, and for whom it matters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from staypower.config.settings import Settings
from staypower.cutoffs import text_of
from staypower.engines.local import each_bucket
from staypower.engines.opening import Opened
from staypower.errors import UsageError
from staypower.evaluation.comparison import Comparison
from staypower.models.age import ModelAge
from staypower.models.bundle import read_bundle
from staypower.models.champion import find_bundle
from staypower.models.versions import champion_of
from staypower.pipelines.arguments import (
    Moment,
    SettingsLike,
    TablesLike,
    instant_from,
    model_from,
    opened,
    progress_from,
    settings_from,
    tables_from,
)
from staypower.pipelines.models import compare_versions
from staypower.pipelines.preparing import open_to_train, prepare_scorer
from staypower.progress import Progress
from staypower.results.result import Block, Heading, Items, Result
from staypower.scoring.differences import ScoreDifferences, find_differences
from staypower.scoring.scorer import Scorer
from staypower.tables import Tables

if TYPE_CHECKING:
    from staypower.results.pictures import Picture

__all__ = ["ModelComparison", "compare"]


@dataclass(frozen=True)
class ModelComparison(Result):
    """Two versions: their metrics on the same later rows, and their scores of the same accounts.

    Parameters
    ----------
    comparison : Comparison
        Metrics of both at test cutoffs, with the intervals of their differences.
    differences : ScoreDifferences
        Levers, bands and first reasons that differ at the scoring cutoff.
    trained : mapping of str to str
        What each version was trained on, in words.
    """

    comparison: Comparison
    differences: ScoreDifferences
    trained: Mapping[str, str]

    def blocks(self) -> list[Block]:
        """Return the metrics, then what differs in the scores."""
        trained = Items([f"version {version}: {words}" for version, words in self.trained.items()])
        return [
            *self.comparison.blocks(),
            trained,
            Heading("What differs in the scores"),
            *self.differences.blocks(),
        ]

    def frame(self) -> pd.DataFrame:
        """Return one row per account; see `ScoreDifferences.frame`."""
        return self.differences.frame()

    def pictures(self) -> Mapping[str, Callable[[], Picture]]:
        """Return the pictures of the differences."""
        return self.differences.pictures()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        compared = self.comparison.to_dict()
        names = {"champion": "first", "challenger": "second"}
        metrics = {
            name: {names.get(key, key): value for key, value in values.items()} for name, values in compared["metrics"].items()
        }
        kept = {key: compared[key] for key in ("verdict", "seen_by", "cutoffs", "rows", "accounts", "churned", "decisive")}
        return {
            "first": self.comparison.champion,
            "second": self.comparison.challenger,
            "trained": dict(self.trained),
            "test": {**kept, "metrics": metrics},
            "scores": self.differences.to_dict(),
        }


def compare(
    settings: SettingsLike,
    tables: TablesLike = None,
    *,
    first: str | int,
    second: str | int,
    cutoff: Moment = None,
    progress: Progress | None = None,
) -> ModelComparison:
    """Compare two versions of a model and show what changes for whom; as `staypower models compare`.

    Metrics are compared at test cutoffs whose outcomes neither version was trained on; where there are none, at cutoffs that
    one of them has seen, which is then said. Scores are compared at one scoring cutoff, the same for both: the change of the
    log-odds of each account's probability is the exact sum of what levers, base and calibration changed.

    Parameters
    ----------
    settings : Settings, str, Path or mapping
        From `load_config`, or what it takes.
    tables : Tables, or mapping of str to table, optional
        From `read_tables`, or pandas, polars or Arrow tables by the names that `source` gives; by default the sources are read.
    first, second : str or int
        Versions; every difference is the second minus the first.
    cutoff : str, date or datetime, optional
        Instant of knowledge at which both score; by default the midnight UTC after everything that was observed.
    progress : Progress, optional
        Announces the steps; quiet by default.

    Returns
    -------
    ModelComparison
        One row per account in `.frame()`; `.comparison` holds the metrics, `.plot()` draws the levers.

    Raises
    ------
    UsageError
        When a version does not exist or reads what the tables lack.

    Examples
    --------
    After the demo and another `staypower train` there are two versions:

    >>> import staypower
    >>> compared = staypower.compare("demo/staypower.yaml", first=1, second=2)
    >>> compared.comparison.wins  # trained on the same data, they are the same
    False
    >>> compared.frame()["account_id"].is_unique
    True
    """
    settings, progress, at = settings_from(settings), progress_from(progress), instant_from("cutoff", cutoff)
    versions = _version("first", first), _version("second", second)
    places = [find_bundle(settings.models_path, settings.name, version) for version in versions]
    bundles = [read_bundle(place.folder, digest=place.digest) for place in places]
    given = tables_from(settings, tables, progress)
    with opened(settings, given, name="compare", progress=progress) as found:
        scorers = [
            prepare_scorer(settings, bundle, place, found.tables, cutoff=at)
            for bundle, place in zip(bundles, places, strict=True)
        ]
        with progress.step(f"scoring at {text_of(scorers[0].cutoff)} with versions {' and '.join(versions)}"):
            differences = _score_both(found, scorers, versions)
    sample, _ = open_to_train(settings, command="compare", progress=progress, tables=given)
    with progress.step("comparing on later cutoffs"):
        comparison = _measure(settings, sample, *versions)
    ages = {version: str(ModelAge.of(bundle)) for version, bundle in zip(versions, bundles, strict=True)}
    return ModelComparison(comparison, differences, ages)


def _version(name: str, value: str | int) -> str:
    version = model_from(value) or ""
    if not version.isdecimal():
        fix = "give the number of a version; `staypower models list` shows them"
        raise UsageError.of("not a version of a model", f"{name}: {version!r}", fix)
    return version


def _score_both(found: Opened, scorers: list[Scorer], versions: tuple[str, str]) -> ScoreDifferences:
    """Score every account with both models, bucket by bucket where the tables are on disk."""
    folder, threads = found.folder or Path(), scorers[0].threads
    estimating = [folder / f"estimating-{version}" for version in versions]
    scorers = [one.at_estimated_prior(found.tables, at, threads) for one, at in zip(scorers, estimating, strict=True)]

    def score(_: int, bucket: Tables) -> ScoreDifferences:
        before, after = (replace(scorer, threads=1).score(bucket, bucket.account_ids) for scorer in scorers)
        return find_differences(before, after, (f"version {versions[0]}", f"version {versions[1]}"))

    return ScoreDifferences.together(each_bucket(found.tables, score, threads=threads))


def _measure(settings: Settings, tables: Tables, first: str, second: str) -> Comparison:
    champion = champion_of(settings.models_path, settings.name)
    comparison = compare_versions(settings, tables, second, first, seen=True)
    return replace(comparison, against_champion=champion is not None and champion.version == first)
