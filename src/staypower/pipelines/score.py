"""Score every account with a sealed model and write the list."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from staypower.actions.choosing import choose_for, used_columns
from staypower.clock import now_text
from staypower.config.playbooks import load_action_options
from staypower.config.settings import Settings
from staypower.cutoffs import text_of
from staypower.engines.local import keep_part, sorted_parts
from staypower.engines.opening import buckets_of, database_memory, fingerprint_of, open_tables, working_folder
from staypower.errors import UsageError
from staypower.gate.report import GateReport
from staypower.models.age import ModelAge
from staypower.models.bundle import Bundle, read_bundle
from staypower.models.champion import find_bundle
from staypower.models.prior import PriorCorrection
from staypower.outputs.files import read_table
from staypower.outputs.kinds import probed_place
from staypower.outputs.place import Rows
from staypower.pipelines.arguments import (
    AccountIds,
    Moment,
    Previous,
    SettingsLike,
    TablesLike,
    accounts_from,
    frames_from,
    holding,
    instant_from,
    model_from,
    opened,
    place_from,
    previous_from,
    progress_from,
    require_flags,
    settings_from,
    tables_from,
    with_prior,
)
from staypower.pipelines.gating import pass_tables
from staypower.pipelines.preparing import engine_of_cluster, log_written, prepare_scorer, rows_for
from staypower.progress import Progress
from staypower.results.result import Block, Result, Verbatim
from staypower.scoring.scorer import Scorer
from staypower.scoring.scores import ScoredParts, Scores, typed_rows
from staypower.scoring.spark_scores import SparkScores
from staypower.tables import BucketedTables
from staypower.writing import write_atomically

__all__ = ["ScoreResult", "score"]


@dataclass(frozen=True)
class ScoreResult(Result):
    """Scores, and the list that was written."""

    # in memory, in files where the tables were too large for memory, or on a cluster
    scores: Scores | ScoredParts | SparkScores
    path: Path | str | None = None  # the list, when it was written; of a table its address; on a cluster a folder or a table
    prior: PriorCorrection | None = None  # what rescaled the probabilities to another base rate, when asked for
    age: ModelAge | None = None  # what the model was trained on; None for scores that were made before it was kept
    gate: GateReport | None = None  # the data against those of training
    tracking: tuple[str, ...] = ()  # what the tracking store lacked, or why nothing was logged

    def __len__(self) -> int:
        return len(self.scores)

    def counts(self) -> dict[str, int]:
        """Return how many accounts have each status."""
        return self.scores.counts()

    def watch_list(self, count: int = 10) -> pd.DataFrame:
        """Return the accounts of highest risk."""
        return self.scores.watch_list(count)

    def quadrants(self) -> pd.DataFrame:
        """Return accounts and revenue of each quadrant."""
        return self.scores.quadrants()

    def frame(self) -> pd.DataFrame:
        """Return one row per account, sorted by `account_id`; see `Scores` for the columns."""
        if isinstance(self.scores, Scores):
            return self.scores.frame()
        if isinstance(self.path, Path) and self.path.is_file() and self.path.suffix != ".xlsx":
            return read_table(self.path)
        if isinstance(self.scores, ScoredParts):
            fix = "read them there, or write them to a Parquet file"
            raise UsageError.of("the scores are where they were written, not in memory", str(self.path), fix)
        fix = "read them with Spark, or score with `engine: embedded`"
        raise UsageError.of("the scores lie on a cluster", str(self.path), fix)

    def blocks(self) -> list[Block]:
        """Return the counts, the accounts of highest risk and the path."""
        prior = [] if self.prior is None else [self.prior.words]
        model = [] if self.age is None else [f"{self.age.said_at(self.scores.cutoff)}."]
        data = [] if self.gate is None else self.gate.blocks()
        where = [] if self.path is None else [Verbatim([f"scores: {self.path}"])]
        tracking = [f"Tracking: {note}" for note in self.tracking]
        return [*data, *self.scores.blocks(), *model, *prior, *tracking, *where]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "path": None if self.path is None else str(self.path),
            "prior": None if self.prior is None else self.prior.to_dict(),
            "trained": None if self.age is None else self.age.to_dict(),
            "data": None if self.gate is None else self.gate.to_dict(),
            **self.scores.to_dict(),
        }


def score(
    settings: SettingsLike,
    tables: TablesLike = None,
    *,
    cutoff: Moment = None,
    model: str | int | Path | None = None,
    accounts: AccountIds = None,
    previous: Previous = None,
    prior: str | float | None = None,
    output: str | Path | None = None,
    write: bool = True,
    accept_data: bool = False,
    progress: Progress | None = None,
) -> ScoreResult:
    """Score accounts with reasons and write one row for each; as `staypower score`.

    Tables that do not fit into `engine.memory` are put into buckets of accounts on disk and scored bucket by bucket, with the
    same bytes in the end. A run that is killed leaves what it finished in `cache/` of the output folder; the same run starts
    again there.

    The tables and features are first compared with those of training. Where they break a limit of the section `gate`, nothing
    is scored. What was found is written beside the scores, as `scores-breaches.json`.

    Parameters
    ----------
    settings : Settings, str, Path or mapping
        From `load_config`, or what it takes. With `engine: spark` the active session is used, else one is started.
    tables : Tables, or mapping of str to table, optional
        From `read_tables`, or pandas, polars or Arrow tables by the names that `source` gives (with `engine: spark` Spark
        DataFrames); by default the sources are read.
    cutoff : str, date or datetime, optional
        Instant of knowledge; by default the midnight UTC after everything that was observed.
    model : str, int or Path, optional
        A version or the folder of a bundle; the champion by default.
    accounts : str or list of str, optional
        Whom to score; every account by default. Their list has a name of its own, so it never replaces that of all accounts.
    previous : str, Path, ScoreResult or table, optional
        Scores of an earlier cutoff: keeps tiers steady, and says who moved.
    prior : float or "estimate", optional
        Base rate above 0 and below 1 that probabilities are rescaled to; by default `scoring.prior` of the settings.
    output : str or Path, optional
        A name that ends in `.parquet`, `.csv` or `.xlsx`, or a table of a database (`postgresql://host/db#schema.table`,
        `sqlite:///file#table`), where rows of the same cutoff and model are replaced; with `engine: spark` a folder or
        `table:NAME`. By default the list is written to the output folder.
    write : bool, default True
        Whether to write the list. Without it the tables are read into memory and nothing is written.
    accept_data : bool, default False
        Whether to score although the data break a limit of the section `gate`.
    progress : Progress, optional
        Announces the steps; quiet by default.

    Returns
    -------
    ScoreResult
        One row per account in `.frame()`; `.path` is the list.

    Raises
    ------
    UsageError
        When an account is unknown, or anything else cannot be used. A `RefusedData`, which names every breach, when the data
        are not like those of training and `accept_data` is not set.

    Examples
    --------
    >>> import staypower
    >>> scored = staypower.score("demo/staypower.yaml")
    >>> scored.path.name
    'scores.parquet'
    >>> list(scored.frame())[:3]
    ['account_id', 'name', 'cutoff']
    """
    require_flags(write=write, accept_data=accept_data)
    settings, progress = with_prior(settings_from(settings), prior), progress_from(progress)
    at, asked, output = instant_from("cutoff", cutoff), accounts_from(accounts), place_from(output)
    if settings.engine.kind == "spark":
        cluster = engine_of_cluster(accounts=asked, previous=previous, tables=tables, prior=settings.scoring.prior)
        frames = frames_from(tables)
        made = cluster.score_on_spark(
            settings, progress=progress, cutoff=at, output=output, model=model_from(model), objects=frames, accept=accept_data
        )
        return ScoreResult(*made)
    # a list of a few accounts must not replace that of all
    name = "scores-selected" if asked else "scores"
    goal = probed_place(output or settings.output_folder / f"{name}.{settings.output.format}") if write else None
    earlier = previous_from(previous)
    place = find_bundle(settings.models_path, settings.name, model_from(model))
    bundle = read_bundle(place.folder, digest=place.digest)
    compared = None if earlier is None else earlier.table
    if goal is None:
        with opened(settings, tables_from(settings, tables, progress), name="score", progress=progress) as found:
            few = rows_for(settings, found.tables, asked)
            scorer = prepare_scorer(settings, bundle, place, few, cutoff=at, accounts=asked, previous=compared)
            gate = pass_tables(*(settings, bundle, found.tables), cutoff=scorer.cutoff, accept=accept_data, progress=progress)
            with progress.step(f"scoring at {text_of(scorer.cutoff)}"):
                made = scorer.at_estimated_prior(few, Path(), 1).everyone(few)
        return ScoreResult(made, age=ModelAge.of(bundle), gate=gate.with_features(made.lacking).found)
    beside = settings.output_folder / f"{name}.{settings.output.format}" if goal.table else Path(goal.shown)
    in_memory = tables_from(settings, tables, progress)
    features = len(bundle.feature_names)
    buckets, files = (1, ()) if in_memory is not None else buckets_of(settings.sources, settings.engine, features=features)
    # only a run in several buckets is resumed
    run = secrets.token_hex(12)
    if buckets > 1:
        compared_with = None if earlier is None else earlier.fingerprint()
        sealed = place.digest or bundle.digest
        run = fingerprint_of(settings.to_dict(), files, buckets, sealed, at, asked, compared_with)
    threads, memory = settings.engine.threads, database_memory(settings.engine.memory_bytes)
    with working_folder(settings.output_folder / "cache", "score", run) as folder:
        read = in_memory or open_tables(
            settings.sources, settings.engine, progress=progress, buckets=buckets, folder=folder / "tables"
        )
        within = holding(read, asked)
        scorer = prepare_scorer(
            *(settings, bundle, place, read), cutoff=at, accounts=asked, previous=compared, scored_at=_scored_at(folder)
        )
        gate = pass_tables(
            *(settings, bundle, read), cutoff=scorer.cutoff, accept=accept_data, beside=beside, progress=progress
        )
        with progress.step(f"scoring at {text_of(scorer.cutoff)}"):
            scorer = scorer.at_estimated_prior(read, folder / "estimating", threads)
            scores, parts = _score(scorer, within, folder / "parts", threads)
            gate = gate.with_features(scores.lacking)
            # capacity is shared by all accounts: a list of a few says nothing of actions
            acts = settings.playbook is not None and not asked
            added = _action_columns(settings, scores, read, bundle) if acts else None
        sorting = sorted_parts(parts, temporary=folder / "sorting", memory=memory, threads=threads, joined=added)
        with progress.step("writing the scores"), sorting as (schema, rows):
            replaces = {
                "cutoff": [text_of(scores.cutoff)],
                "model_name": [str(bundle.metadata.get("name", ""))],
                "account_id": asked,
            }
            goal.write(Rows(rows, schema, "Scores", replaces), staging=folder)
            gate.keep()
    tracking = log_written(settings, "score", scores.cutoff, place.version, goal.shown)
    return ScoreResult(scores, goal.shown, scorer.options.prior, ModelAge.of(bundle), gate.found, tracking)


def _scored_at(folder: Path) -> str:
    """Return when a run began that may have been interrupted since: all its rows say one time."""
    place = folder / "scored_at"
    if not place.exists():
        write_atomically(place, lambda temporary: temporary.write_text(now_text(), encoding="ascii"))
    return place.read_text(encoding="ascii")


def _action_columns(settings: Settings, scores: Scores | ScoredParts, tables: BucketedTables, bundle: Bundle) -> pa.Table:
    rows = scores.frame(used_columns(settings.output.reasons, sentences=False))
    chosen = choose_for(rows, tables, load_action_options(settings), cutoff=scores.cutoff, bundle=bundle)
    return pa.Table.from_pandas(chosen.table[["account_id", "action", "holdout"]], preserve_index=False)


def _score(scorer: Scorer, tables: BucketedTables, folder: Path, threads: int) -> tuple[Scores | ScoredParts, list[Path]]:
    """Score all accounts at once where they are in memory, else bucket by bucket; either way the rows are put into files."""
    whole = tables.whole
    if whole is not None:
        scores = scorer.everyone(whole)
        return scores, [keep_part(typed_rows(scores.table), folder / "everyone.parquet")]
    parts = scorer.in_parts(tables, folder, threads)
    return parts, list(parts.parts)
