"""Spark DataFrames for a notebook: the jobs of a cluster on frames that are at hand."""

from __future__ import annotations

from pathlib import Path

from staypower.config.settings import Settings
from staypower.pipelines.engine_choice import engine_of_cluster
from staypower.pipelines.features import FeatureResult
from staypower.pipelines.score import ScoreResult
from staypower.progress import Progress

__all__ = ["features_on_spark", "score_on_spark"]

_QUIET = Progress(quiet=True)


def score_on_spark(
    settings: Settings,
    *,
    cutoff: str | None = None,
    output: Path | str | None = None,
    model: str | None = None,
    **frames: object,
) -> ScoreResult:
    """Score every account on a cluster and write the list there; see `docs/spark.md`.

    Parameters
    ----------
    settings : Settings
        From `load_config`. The session that is active is used, else one is begun as `engine` says.
    cutoff : str, optional
        Date or time; by default the midnight UTC after everything that was observed.
    output : Path or str, optional
        A folder that Spark writes to, or `table:NAME`; by default the folder `scores` in the output folder.
    model : str, optional
        A version or the folder of a bundle; the champion by default.
    **frames : pyspark.sql.DataFrame
        Spark DataFrames, by the names that `source` gives.

    Returns
    -------
    ScoreResult
        Counts and the ten accounts of highest risk; the rows stay on the cluster.
    """
    cluster = engine_of_cluster()
    scored = cluster.score_on_spark(settings, progress=_QUIET, cutoff=cutoff, output=output, model=model, objects=frames)
    return ScoreResult(*scored)


def features_on_spark(settings: Settings, *, output: Path | str | None = None, **frames: object) -> FeatureResult:
    """Build features and labels at every cutoff on a cluster and write them there; see `docs/spark.md`.

    Parameters
    ----------
    settings : Settings
    output : Path or str, optional
        As `score_on_spark` takes it; by default the folder `features` in the output folder.
    **frames : pyspark.sql.DataFrame
        As `score_on_spark` takes them.

    Returns
    -------
    FeatureResult
    """
    cluster = engine_of_cluster()
    return FeatureResult(*cluster.features_on_spark(settings, progress=_QUIET, build=True, output=output, objects=frames))
