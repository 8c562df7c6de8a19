"""Score every account with a sealed model and write the list."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from staypower import __version__
from staypower.config.settings import Settings
from staypower.cutoffs import text_of
from staypower.engines.embedded import map_to_parts
from staypower.engines.parts import keep_part, sorted_parts
from staypower.engines.sizing import database_memory
from staypower.models.bundle import read_bundle
from staypower.models.champion import find_bundle
from staypower.models.prior import PriorCorrection, prior_of
from staypower.pipelines.choosing import action_columns
from staypower.pipelines.engine_choice import engine_of_cluster
from staypower.pipelines.loading import buckets_of, load_tables, open_tables, refuse_errors
from staypower.pipelines.preparing import prepare_scorer, trained_base_rate
from staypower.pipelines.spark_scores import SparkScores
from staypower.pipelines.working_folder import fingerprint_of, working_folder
from staypower.progress import Progress
from staypower.scoring.scorer import Scorer
from staypower.scoring.scores import ScoredParts, Scores, typed_rows
from staypower.tables import BucketedTables, Tables
from staypower.writing import read_table, require_table_path, write_rows

__all__ = ["ScoreResult", "run_score", "scores_of"]

_NOBODY = "no account has the status `scored`: nobody was active, so there is no probability to give"
_COMPARED = ("account_id", "cutoff", "tier", "quadrant", "mrr")


@dataclass(frozen=True)
class ScoreResult:
    """What scoring made."""

    # the second when the tables were too large for memory: their parts are put together in the list. The third when they are
    # on a cluster
    scores: Scores | ScoredParts | SparkScores
    path: Path | str  # the list; on a cluster a folder or a table
    prior: PriorCorrection | None = None  # what moved the probabilities to another base rate, when that was asked for

    def text(self) -> str:
        """Return the counts, the accounts of highest risk and the path."""
        counts = ", ".join(f"{n:,} {status}" for status, n in self.scores.counts().items())
        lines = [f"{len(self.scores):,} accounts at {text_of(self.scores.cutoff)}: {counts}", ""]
        lines += ["highest risk:"] if "scored" in self.scores.counts() else [_NOBODY]
        for row in self.scores.watch_list(5).to_dict("records"):
            if row["status"] == "scored":
                chance = _percent(row["churn_probability"])
                told = [
                    row["churn_risk_band"],
                    *(str(row[name]) for name in ("tier", "quadrant") if isinstance(row.get(name), str)),
                ]
                lines.append(f"  {row['account_id']}: {chance} within {row['horizon_days']} days ({', '.join(told)})")
                reasons = [row.get(f"reason_{n}") for n in (1, 2, 3)]
                lines += [f"      {reason}" for reason in reasons if isinstance(reason, str)]
        if self.scores.has_tiers:
            lines += ["", "quadrants:"]
            for row in self.scores.quadrants().to_dict("records"):
                revenue = "" if pd.isna(row["mrr"]) else f", {row['mrr']:,.0f} per month"
                lines.append(f"  {row['words']}: {row['accounts']:,}{revenue}")
        if self.scores.movement is not None:
            lines += ["", "moved since the previous scores:"]
            moved = self.scores.movement.frame()
            lines += [
                f"  {r['before']} -> {r['now']}: {r['accounts']:,}" for r in moved.to_dict("records") if r["before"] != r["now"]
            ]
        lines += ["", self.prior.words] if self.prior is not None else []
        return "\n".join([*lines, "", f"scores: {self.path}"])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "path": str(self.path),
            "cutoff": text_of(self.scores.cutoff),
            "accounts": len(self.scores),
            "statuses": self.scores.counts(),
            "prior": None if self.prior is None else self.prior.to_dict(),
            "quadrants": self.scores.quadrants().to_dict("records"),
            "movement": None if self.scores.movement is None else self.scores.movement.frame().to_dict("records"),
            "highest_risk": self.scores.watch_list(10).to_dict("records"),
        }


def _percent(probability: float) -> str:
    """Write a probability without claiming certainty."""
    return ">99%" if probability > 0.99 else "<1%" if probability < 0.01 else f"{probability:.0%}"


def run_score(
    settings: Settings,
    *,
    progress: Progress,
    cutoff: str | None = None,
    output: Path | None = None,
    model: str | None = None,
    accounts: tuple[str, ...] = (),
    previous: Path | None = None,
    tables: Tables | None = None,
) -> ScoreResult:
    """Score accounts and write one row for each.

    Tables that do not fit into `engine.memory` are put into buckets of accounts on disk and scored bucket by bucket, with the
    same bytes in the end. A run that is killed leaves what it finished in `cache/` of the output folder; the same run begins
    again there.
    """
    if settings.engine.kind == "spark":
        cluster = engine_of_cluster(accounts=accounts, previous=previous, tables=tables, prior=settings.scoring.prior)
        return ScoreResult(*cluster.score_on_spark(settings, progress=progress, cutoff=cutoff, output=output, model=model))
    # a list of a few accounts must not replace everybody's
    name = "scores-selected" if accounts else "scores"
    path = require_table_path(output or settings.output_folder / f"{name}.{settings.output.format}")
    earlier = None if previous is None else read_table(previous, _COMPARED)
    place = find_bundle(settings.models_path, settings.name, model)
    bundle = read_bundle(place.folder, digest=place.digest)
    buckets, files = (1, ()) if tables is not None else buckets_of(settings, features=len(bundle.feature_names))
    # only a run that is cut into buckets is worth continuing
    said = (
        version("duckdb"),
        __version__,
        settings.to_dict(),
        files,
        buckets,
        bundle.digest,
        cutoff,
        accounts,
        _state(previous),
    )
    run = secrets.token_hex(12) if buckets == 1 else fingerprint_of(*said)
    threads, memory = settings.engine.threads, database_memory(settings.engine.memory_bytes)
    with working_folder(settings.output_folder / "cache", "score", run) as folder:
        opened = tables or open_tables(settings, progress=progress, buckets=buckets, folder=folder / "tables")
        scorer = prepare_scorer(settings, bundle, place, opened, cutoff=cutoff, accounts=accounts, previous=earlier)
        with progress.step(f"scoring at {text_of(scorer.cutoff)}"):
            scorer = _at_estimated_prior(settings, scorer, opened, folder / "estimating", threads)
            scores, parts = _score(scorer, opened, folder / "parts", threads)
            # capacity is shared by all accounts: a list of a few says nothing of actions
            beside = None if accounts else action_columns(settings, scores, opened, bundle=bundle)
        with (
            progress.step("writing the scores"),
            sorted_parts(parts, temporary=folder / "sorting", memory=memory, threads=threads, beside=beside) as (schema, rows),
        ):
            write_rows(rows, schema, path, staging=folder)
    return ScoreResult(scores, path, scorer.options.prior)


def scores_of(
    settings: Settings,
    *,
    progress: Progress,
    cutoff: str | None = None,
    model: str | None = None,
    accounts: tuple[str, ...] = (),
    previous: pd.DataFrame | None = None,
    tables: Tables | None = None,
) -> Scores:
    """Score accounts in memory without writing; parameters as in `run_score`."""
    place = find_bundle(settings.models_path, settings.name, model)
    bundle = read_bundle(place.folder, digest=place.digest)
    if tables is None:
        tables, findings = load_tables(settings, progress=progress)
        refuse_errors(findings)
    scorer = prepare_scorer(settings, bundle, place, tables, cutoff=cutoff, accounts=accounts, previous=previous)
    with progress.step(f"scoring at {text_of(scorer.cutoff)}"):
        return _at_estimated_prior(settings, scorer, tables, Path(), 1).everyone(tables)


def _at_estimated_prior(settings: Settings, scorer: Scorer, tables: BucketedTables, folder: Path, threads: int) -> Scorer:
    """Estimate the base rate when asked to: over everybody, whoever is scored, so that no score depends on its batch."""
    if settings.scoring.prior != "estimate":
        return scorer
    everybody = replace(scorer, accounts=(), previous=None)
    whole = tables.whole
    if whole is None:
        told = ScoredParts.of(map_to_parts(tables, replace(everybody, threads=1), folder, threads=threads), scorer.cutoff)
        chances = told.frame(["churn_probability"])["churn_probability"]
    else:
        chances = everybody.everyone(whole).table["churn_probability"]
    population = chances.dropna().to_numpy(dtype=np.float64)
    prior = prior_of("estimate", trained_base_rate(scorer.bundle), population)
    return replace(scorer, options=replace(scorer.options, prior=prior))


def _score(scorer: Scorer, tables: BucketedTables, folder: Path, threads: int) -> tuple[Scores | ScoredParts, list[Path]]:
    """Score all accounts at once where they are in memory, else bucket by bucket; either way the rows are put into files."""
    whole = tables.whole
    if whole is not None:
        scores = scorer.everyone(whole)
        return scores, [keep_part(typed_rows(scores.table), folder / "everyone.parquet")]
    # several buckets are worked on at once: each by one thread
    parts = map_to_parts(tables, replace(scorer, threads=1), folder, threads=threads)
    if scorer.accounts:
        known = pq.read_table(parts, columns=["account_id"], partitioning=None).column("account_id")
        parts = [*parts, keep_part(scorer.strangers(tables.empty, known), folder / "strangers.parquet")]
    return ScoredParts.of(parts, scorer.cutoff, scorer.previous), parts


def _state(previous: Path | None) -> tuple[str, int, int] | None:
    return None if previous is None else (str(previous.absolute()), previous.stat().st_size, previous.stat().st_mtime_ns)
