"""What jobs share: tables within the memory, a scorer for a sealed model, the tracker, and the module of a cluster's jobs."""

from __future__ import annotations

import importlib
import importlib.util
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from staypower.addresses import shown_address
from staypower.config.settings import Settings
from staypower.cutoffs import midnight_after, text_of
from staypower.dataset.building import DatasetRows
from staypower.dataset.sampled_tables import Drawn, drawing
from staypower.dataset.sampling import Sampling
from staypower.engines.abilities import ALSO_ON_SPARK, REFUSED
from staypower.engines.opening import Opened
from staypower.errors import Problem, UsageError
from staypower.evaluation.row_facts import RowFacts, find_row_facts
from staypower.models.bundle import Bundle
from staypower.models.champion import BundlePlace
from staypower.models.prior import prior_of
from staypower.pipelines.arguments import TablesLike, frames_from, holding, refuse_on_spark, tables_from
from staypower.pipelines.gating import Gate, pass_tables
from staypower.progress import Progress
from staypower.scoring.scorer import Scorer, ScoringOptions
from staypower.scoring.scores import ScoredParts, Scores
from staypower.tables import BucketedTables, Tables
from staypower.writing import probe_place

if TYPE_CHECKING:
    from staypower.tracking.runs import TrackedRun
    from staypower.tracking.tracker import Tracker

__all__ = [
    "drawing_to_train",
    "engine_of_cluster",
    "facts_of",
    "log_written",
    "open_to_train",
    "prepare_scorer",
    "probed_tracker",
    "require_places",
    "rows_for",
    "score_opened",
    "scoring_options",
    "store_is_there",
    "tracker_of",
]


def open_to_train(
    settings: Settings, *, progress: Progress, as_of: int | None = None, tables: Tables | None = None, command: str = "tune"
) -> tuple[Tables, Sampling]:
    """Read the tables of the accounts that a model is trained and tested on, or sample those that are in memory."""
    with drawing_to_train(settings, command=command, progress=progress, as_of=as_of, tables=tables) as drawn:
        return drawn.tables.together(), drawn.sampling


@contextmanager
def drawing_to_train(
    settings: Settings, *, progress: Progress, as_of: int | None = None, tables: TablesLike = None, command: str = "train"
) -> Iterator[Drawn]:
    """Hold the tables of these accounts, in memory or where they lie on a cluster, and what trees grow on besides."""
    if settings.engine.kind == "spark" and command in ALSO_ON_SPARK:
        cluster = engine_of_cluster(tables=tables, as_of=as_of)
        with cluster.drawing_on_spark(settings, progress=progress, objects=frames_from(tables)) as drawn:
            yield drawn
        return
    given = tables_from(settings, tables, progress)
    refuse_on_spark(settings, command, given)
    made = drawing(
        settings.sources,
        settings.engine,
        settings.sampling,
        label=settings.label,
        cutoffs=settings.cutoffs,
        cache=settings.output_folder / "cache",
        progress=progress,
        as_of=as_of,
        given=given,
    )
    with made as drawn:
        yield drawn


def facts_of(rows: DatasetRows, tables: BucketedTables, settings: Settings) -> RowFacts:
    """Look up what an evaluation needs to know of rows besides their features."""
    return find_row_facts(
        rows,
        tables,
        label=settings.label,
        features=settings.features,
        evaluation=settings.evaluation,
        costs=settings.costs,
        portfolio=settings.portfolio,
        threads=settings.model.threads or 2,
    )


def rows_for(settings: Settings, tables: BucketedTables, accounts: tuple[str, ...]) -> Tables:
    """Return what some accounts are scored by: the rows of their buckets, or all rows where all accounts matter.

    A capacity of actions and an estimated base rate are shared by all accounts.
    """
    within = holding(tables, accounts)
    shared = settings.playbook is not None or settings.scoring.prior == "estimate"
    return (tables if shared else within).together()


def engine_of_cluster(
    *,
    accounts: tuple[str, ...] = (),
    previous: object | None = None,
    tables: object | None = None,
    prior: float | str | None = None,
    as_of: int | None = None,
) -> Any:
    """Return the module of the jobs on a cluster."""
    given = {
        "account": f"--account {accounts[0]}" if accounts else None,
        "previous": None if previous is None else f"--previous {previous}",
        "tables": "tables" if isinstance(tables, Tables) else None,
        "as_of": None if as_of is None else f"--as-of {text_of(as_of)}",
        "prior": "scoring.prior: estimate" if prior == "estimate" else None,
    }
    problems = [REFUSED[name].of(value) for name, value in given.items() if value is not None]
    if importlib.util.find_spec("pyspark") is None:
        problem = "the Spark engine is not installed"
        problems.append(Problem(problem, "engine: spark", "pip install 'staypower[spark]', and Java 17"))
    if problems:
        raise UsageError(problems)
    return importlib.import_module("staypower.pipelines.on_spark")


def scoring_options(settings: Settings, bundle: Bundle) -> ScoringOptions:
    """Gather what decides bands, tiers, quadrants and values."""
    asked = settings.scoring.prior
    return ScoringOptions(
        settings.tier,
        settings.quadrants,
        settings.costs,
        settings.capacity,
        settings.portfolio.margin,
        settings.portfolio.discount_rate,
        None if asked is None or asked == "estimate" else prior_of(asked, bundle.trained_base_rate, ()),
        estimate_prior=asked == "estimate",
    )


def prepare_scorer(
    settings: Settings,
    bundle: Bundle,
    place: BundlePlace,
    tables: BucketedTables,
    *,
    cutoff: int | None,
    accounts: tuple[str, ...] = (),
    previous: pd.DataFrame | None = None,
    scored_at: str = "",
) -> Scorer:
    """Prepare a scorer for tables, wherever they lie."""
    return Scorer.of(
        bundle,
        tables,
        settings.label,
        cutoff=midnight_after(tables.observed_until) if cutoff is None else _checked(cutoff, tables),
        accounts=accounts,
        reasons=settings.output.reasons,
        model_version=place.version,
        run_id=place.run_id,
        options=scoring_options(settings, bundle),
        previous=previous,
        threads=settings.engine.threads,
        scored_at=scored_at,
    )


def score_opened(
    settings: Settings,
    bundle: Bundle,
    place: BundlePlace,
    found: Opened,
    *,
    progress: Progress,
    accept: bool,
    cutoff: int | None = None,
    beside: Path | None = None,
) -> tuple[Scores | ScoredParts, Gate]:
    """Score every account, bucket by bucket where the tables are on disk, and write no list; the data pass the gate."""
    folder, threads, whole = found.folder or Path(), settings.engine.threads, found.tables.whole
    scorer = prepare_scorer(settings, bundle, place, found.tables, cutoff=cutoff)
    gate = pass_tables(*(settings, bundle, found.tables), cutoff=scorer.cutoff, accept=accept, beside=beside, progress=progress)
    with progress.step(f"scoring at {text_of(scorer.cutoff)}"):
        scorer = scorer.at_estimated_prior(found.tables, folder / "estimating", threads)
        scores = scorer.everyone(whole) if whole is not None else scorer.in_parts(found.tables, folder / "parts", threads)
    return scores, gate.with_features(scores.lacking)


def _checked(at: int, tables: BucketedTables) -> int:
    last = midnight_after(tables.observed_until)
    first = tables.first
    if first is not None and first >= at:
        fix = f"choose a date after {text_of(first)}, when the tables begin, and {text_of(last)} at the latest"
        raise UsageError.of("cutoff outside the data", text_of(at), fix)
    if at > last:
        fix = f"choose {text_of(last)} or earlier: after it nothing was observed, and inactivity there says nothing"
        raise UsageError.of("cutoff outside the data", text_of(at), fix)
    return at


def require_places(settings: Settings, *, models: bool = False) -> None:
    """Find out whether what a job keeps on the way, and at last its model, could be written, before the work."""
    places = [settings.output_folder / "cache", Path(tempfile.gettempdir())]
    for folder in [*places, *([settings.models_path / settings.name] if models else [])]:
        probe_place(folder / "probe")


def probed_tracker(settings: Settings) -> Tracker:
    """Return the tracker of a job that cannot do without its store, found to be there before the work."""
    require_places(settings)
    tracker = tracker_of(settings)
    tracker.probe()
    return tracker


def store_is_there(settings: Settings) -> bool:
    """Say whether there is a tracking store: a server that is named, or the embedded one that an earlier run made.

    An installation for scoring alone has no MLflow: what it finds is not logged.
    """
    if importlib.util.find_spec("mlflow") is None:
        return False
    named = os.environ.get("MLFLOW_TRACKING_URI") or settings.tracking.uri
    return bool(named) or (settings.path(settings.tracking.folder) / "mlflow.db").exists()


def log_written(settings: Settings, kind: str, cutoff: int, version: str, path: object) -> tuple[str, ...]:
    """Log a file or folder that was written as a run of its own, when asked for; return what is to be said of it."""
    if not settings.tracking.outputs:
        return ()
    written = Path(str(path))

    def log(run: TrackedRun) -> None:
        if written.exists():  # otherwise it is a table of a database, which the tag names
            run.log_artifacts(written, kind)

    tags = {"model_version": version, "written": shown_address(str(path))}
    return tracker_of(settings).mirrored(kind, text_of(cutoff), tags, log)


def tracker_of(settings: Settings) -> Tracker:
    """Return the tracker of a config's model."""
    # MLflow takes long to import, and scoring and listing versions do without it
    from staypower.tracking.tracker import Tracker

    return Tracker(settings.tracking, settings.root, name=settings.name, models_folder=settings.models_path)
