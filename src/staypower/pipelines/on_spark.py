"""Features and scores on a cluster: the same jobs as on one machine, their rows never on the driver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from staypower.config.settings import Settings
from staypower.cutoffs import midnight_after, text_of
from staypower.dataset.bucketed_matrix import KEYS, MatrixRows, rows_and_seen, varying
from staypower.dataset.building import require_features
from staypower.dataset.cutoff_plan import choose_plan
from staypower.dataset.sampled_tables import Drawn, require_labels_fit, resolve_sampling
from staypower.engines.abilities import REFUSED
from staypower.engines.opening import refuse_errors
from staypower.engines.spark.gathering import gather_on_spark
from staypower.engines.spark.session import (
    column_of,
    place_of,
    spark_session,
    write_on_spark,
)
from staypower.engines.spark.tables import SparkTables
from staypower.errors import UsageError
from staypower.features.catalogue import Catalogue
from staypower.features.declaring import declare
from staypower.gate.report import GateReport
from staypower.models.age import ModelAge
from staypower.models.bundle import read_bundle
from staypower.models.champion import find_bundle
from staypower.pipelines.gating import pass_tables
from staypower.pipelines.preparing import prepare_scorer
from staypower.progress import Progress
from staypower.scoring.scorer import ShippedScorer
from staypower.scoring.spark_scores import SparkScores, ToldOfScores

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

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
            schema = scorer(tables.empty).schema.remove_metadata()
            with tables.making(shipped, schema, ToldOfScores.of) as held:
                scores = SparkScores.of(held.told, scorer.cutoff)
                gate = gate.with_features(scores.lacking)
                write_on_spark(held.rows(), place)
                gate.keep()
        return scores, place, None, ModelAge.of(bundle), gate.found


def _on_this_machine(settings: Settings, place: str) -> Path:
    """Name the list beside which what the gate found is written: on this machine, wherever the list is."""
    if "://" not in place and not place.startswith("table:"):
        return Path(place)
    return (settings.root if "://" in settings.output.folder else settings.output_folder) / "scores"


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
    with _gathered(settings, progress, objects) as (_, tables):
        if not build:
            cutoff = midnight_after(tables.observed_until)
            return declare(tables, settings.features, cutoff=cutoff, hidden=settings.label.hidden), None, 0
        with progress.step("building features and labels, and writing the matrix"):
            plan = choose_plan(tables, settings.label, settings.cutoffs)
            catalogue = declare(tables, settings.features, cutoff=plan.trained_until, hidden=settings.label.hidden)
            require_features(catalogue)
            rows = MatrixRows(settings.label, catalogue, plan)
            with tables.making(rows, rows(tables.empty).schema.remove_metadata(), rows_and_seen) as held:
                kept = varying(catalogue, [seen for _, seen in held.told])
                write_on_spark(held.rows().select(*KEYS, *map(column_of, kept.names)), place)
        return kept, place, sum(rows for rows, _ in held.told)


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
