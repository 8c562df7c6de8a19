"""Features and scores on a cluster: the same jobs as on one machine, their rows never on the driver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark import StorageLevel
from pyspark.sql import functions

from staypower.config.settings import Settings
from staypower.cutoffs import midnight_after, text_of
from staypower.dataset.bucketed_matrix import KEYS, MatrixRows
from staypower.dataset.building import SAME_FOR_ALL, require_features
from staypower.dataset.cutoff_plan import choose_plan
from staypower.dataset.sampled_tables import Drawn, require_labels_fit, resolve_sampling
from staypower.engines.abilities import REFUSED
from staypower.engines.opening import refuse_errors
from staypower.engines.spark.gathering import gather_on_spark
from staypower.engines.spark.session import (
    column_of,
    place_of,
    read_back,
    spark_errors_as_problems,
    spark_session,
    write_on_spark,
)
from staypower.engines.spark.tables import SparkTables
from staypower.errors import UsageError
from staypower.features.catalogue import Catalogue
from staypower.features.declaring import declare
from staypower.gate.comparing import FeatureCounts
from staypower.gate.report import GateReport
from staypower.models.age import ModelAge
from staypower.models.bundle import read_bundle
from staypower.models.champion import find_bundle
from staypower.pipelines.gating import pass_tables
from staypower.pipelines.preparing import prepare_scorer
from staypower.progress import Progress
from staypower.scoring.ranges import Beyond
from staypower.scoring.scorer import ShippedScorer
from staypower.scoring.scores import NOTES, sum_notes, with_notes
from staypower.scoring.spark_scores import SparkScores

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["drawing_on_spark", "features_on_spark", "score_on_spark"]


def score_on_spark(
    settings: Settings,
    *,
    progress: Progress,
    cutoff: int | None = None,
    output: Path | str | None = None,
    model: str | None = None,
    objects: Mapping[str, object] | None = None,
    accept: bool = False,
) -> tuple[SparkScores, str, None, ModelAge, GateReport]:
    """Score every account where its rows are, and write the list from there.

    Parameters
    ----------
    settings : Settings
    progress : Progress
    cutoff : str, optional
        As `score` takes it.
    output : Path or str, optional
        A folder or `table:NAME`; by default the folder `scores` in the output folder.
    model : str, optional
        As `score` takes it.
    objects : mapping of str to object, optional
        Spark DataFrames, by the names that `source` gives.
    accept : bool, default False
        Whether to score although the data break a limit of the gate.

    Returns
    -------
    scores : SparkScores
    place : str
        Where the list was written.
    prior : None
        A cluster says nothing of it.
    age : ModelAge
    gate : GateReport

    Raises
    ------
    UsageError
        When the input cannot be used, or a setting needs all accounts on one machine.
    """
    _refuse_what_needs_one_machine(settings)
    place = place_of(output, _folder(settings), "scores")
    found = find_bundle(settings.models_path, settings.name, model)
    bundle = read_bundle(found.folder, digest=found.digest)
    with _gathered(settings, progress, objects) as (session, tables):
        scorer = prepare_scorer(settings, bundle, found, tables, cutoff=cutoff)
        gate = pass_tables(
            *(settings, bundle, tables),
            cutoff=scorer.cutoff,
            accept=accept,
            progress=progress,
            beside=_on_this_machine(settings, place),
        )
        shipped = ShippedScorer.of(scorer, session.sparkContext.broadcast(bundle.files()))
        with progress.step(f"scoring at {text_of(scorer.cutoff)} and writing the scores"):
            schema = with_notes(scorer(tables.empty)).schema.remove_metadata()
            # rows are held on the disks of the cluster until it is known what they lack
            rows = tables.map(shipped.with_notes, schema).persist(StorageLevel.DISK_ONLY)
            try:
                beyond, lacking = _notes_of(rows)
                gate = gate.with_features(lacking)
                write_on_spark(rows.drop(NOTES), place)
                gate.keep()
            finally:
                rows.unpersist()
        scores = SparkScores.of(read_back(session, place), scorer.cutoff, beyond)
        return scores, place, None, ModelAge.of(bundle), gate.found


def _on_this_machine(settings: Settings, place: str) -> Path:
    """Name the list beside which what the gate found is written: on this machine, wherever the list is."""
    if "://" not in place and not place.startswith("table:"):
        return Path(place)
    return (settings.root if "://" in settings.output.folder else settings.output_folder) / "scores"


def _notes_of(rows: DataFrame) -> tuple[tuple[Beyond, ...], FeatureCounts]:
    with spark_errors_as_problems("scores"):
        return sum_notes(row[0] for row in rows.where(column_of(NOTES).isNotNull()).select(NOTES).collect())


def features_on_spark(
    settings: Settings,
    *,
    progress: Progress,
    build: bool = False,
    output: Path | str | None = None,
    objects: Mapping[str, object] | None = None,
) -> tuple[Catalogue, str | None, int]:
    """List the features, or build them with labels where the rows are.

    Parameters
    ----------
    settings : Settings
    progress : Progress
    build : bool, default False
    output : Path or str, optional
        A folder or `table:NAME`; by default the folder `features` in the output folder.
    objects : mapping of str to object, optional
        Spark DataFrames, by the names that `source` gives.

    Returns
    -------
    catalogue : Catalogue
    place : str or None
        Where the matrix was written.
    rows : int
    """
    place = place_of(output, _folder(settings), "features")
    with _gathered(settings, progress, objects) as (session, tables):
        if not build:
            cutoff = midnight_after(tables.observed_until)
            return declare(tables, settings.features, cutoff=cutoff, hidden=settings.label.hidden), None, 0
        with progress.step("building features and labels, and writing the matrix"):
            plan = choose_plan(tables, settings.label, settings.cutoffs)
            catalogue = declare(tables, settings.features, cutoff=plan.trained_until, hidden=settings.label.hidden)
            require_features(catalogue)
            rows = MatrixRows(settings.label, catalogue, plan)
            matrix = tables.map(rows, rows(tables.empty).schema.remove_metadata()).persist(StorageLevel.DISK_ONLY)
            try:
                kept = _varying(catalogue, matrix)
                write_on_spark(matrix.select(*KEYS, *map(column_of, kept.names)), place)
            finally:
                matrix.unpersist()
        with spark_errors_as_problems(place):
            return kept, place, read_back(session, place).count()


@contextmanager
def drawing_on_spark(settings: Settings, *, progress: Progress, objects: Mapping[str, object] | None = None) -> Iterator[Drawn]:
    """Hold the tables of the accounts that are drawn; they stay on the cluster.

    Labels and features are made there, too: of the rows that `build_matrix` is asked for, and no others, come to the driver.
    """
    if settings.sampling.grow_on == "all":
        raise UsageError([REFUSED["grow_on"].of("sampling.grow_on: all")])
    with _gathered(settings, progress, objects) as (_, tables):
        with progress.step("drawing the sample"):
            sampling = resolve_sampling(tables, settings.sampling, settings.label, settings.cutoffs)
            drawn = tables if sampling.accounts == 1.0 else tables.changed(sampling.of_tables)
        try:
            plan = choose_plan(drawn, settings.label, settings.cutoffs)
            require_labels_fit(drawn.row_count("accounts"), len(plan.all))
            yield Drawn(drawn, sampling)
        finally:
            drawn.release()


@contextmanager
def _gathered(
    settings: Settings, progress: Progress, objects: Mapping[str, object] | None
) -> Iterator[tuple[SparkSession, SparkTables]]:
    """Hold a session and the tables on it; refuse what makes them unusable."""
    with ExitStack() as stack:
        with progress.step("beginning with Spark"):
            session = stack.enter_context(spark_session(settings.engine))
        with progress.step("bringing the rows of each account together"):
            gathering = gather_on_spark(
                session,
                settings.tables,
                folder=settings.root,
                buckets=settings.engine.partitions,
                observed_until=settings.observed_until,
                objects=objects,
            )
            tables, findings = stack.enter_context(gathering)
        refuse_errors(findings)
        yield session, tables


def _refuse_what_needs_one_machine(settings: Settings) -> None:
    problems = []
    if settings.playbook is not None:
        problems.append(REFUSED["playbook"].of(f"playbook: {settings.playbook}"))
    if settings.output.format != "parquet":
        problems.append(REFUSED["format"].of(f"output.format: {settings.output.format}"))
    if problems:
        raise UsageError(problems)


def _folder(settings: Settings) -> str:
    written = settings.output.folder
    return written if "://" in written else str(settings.output_folder)


def _varying(catalogue: Catalogue, matrix: DataFrame) -> Catalogue:
    """Leave out the columns that are the same in all training rows, as `staypower.dataset.varying` does."""
    asked = [functions.count("*")]
    for name in catalogue.names:
        column = column_of(name)
        asked += [functions.count(column), functions.min(column), functions.max(column)]
    with spark_errors_as_problems("features"):
        answers = iter(matrix.where(column_of("part") != "test").agg(*asked).collect()[0])
    rows = int(next(answers))
    constant = {}
    for name, filled, low, high in zip(catalogue.names, *[answers] * 3, strict=True):
        if rows and (filled == 0 or (filled == rows and low == high)):
            constant[name] = SAME_FOR_ALL
    kept = catalogue.only(name for name in catalogue.names if name not in constant)
    return replace(kept, left_out={**catalogue.left_out, **constant})
