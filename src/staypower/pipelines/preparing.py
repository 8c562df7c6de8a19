"""Prepare a scorer: the settings, a sealed model and the tables agree on the instant to score at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from staypower.config.settings import Settings
from staypower.cutoffs import DAY, midnight_after, text_of
from staypower.engines.local import map_to_parts
from staypower.engines.opening import Opened
from staypower.errors import UsageError
from staypower.models.bundle import Bundle
from staypower.models.champion import BundlePlace
from staypower.models.prior import prior_of
from staypower.pipelines.arguments import PreviousScores
from staypower.portfolio.building import has_a_past
from staypower.progress import Progress
from staypower.scoring.scorer import Scorer, ScoringOptions
from staypower.scoring.scores import ScoredParts, Scores
from staypower.tables import BucketedTables, Tables

__all__ = ["at_estimated_prior", "prepare_scorer", "score_earlier", "score_opened", "score_tables", "trained_base_rate"]


def prepare_scorer(
    settings: Settings,
    bundle: Bundle,
    place: BundlePlace,
    tables: BucketedTables,
    *,
    cutoff: int | None,
    accounts: tuple[str, ...] = (),
    previous: pd.DataFrame | None = None,
) -> Scorer:
    """Prepare a scorer for tables, wherever they lie."""
    asked = settings.scoring.prior
    return Scorer.of(
        bundle,
        tables,
        settings.label,
        cutoff=midnight_after(tables.observed_until) if cutoff is None else _checked(cutoff, tables),
        accounts=accounts,
        reasons=settings.output.reasons,
        model_version=place.version,
        options=ScoringOptions(
            settings.tier,
            settings.quadrants,
            settings.costs,
            settings.capacity,
            settings.portfolio.margin,
            settings.portfolio.discount_rate,
            None if asked is None or asked == "estimate" else prior_of(asked, trained_base_rate(bundle), ()),
        ),
        previous=previous,
        threads=settings.engine.threads,
    )


def score_tables(
    settings: Settings,
    bundle: Bundle,
    place: BundlePlace,
    tables: Tables,
    *,
    progress: Progress,
    cutoff: int | None = None,
    accounts: tuple[str, ...] = (),
    previous: pd.DataFrame | None = None,
) -> Scores:
    """Score accounts of tables in memory, and write nothing."""
    scorer = prepare_scorer(settings, bundle, place, tables, cutoff=cutoff, accounts=accounts, previous=previous)
    with progress.step(f"scoring at {text_of(scorer.cutoff)}"):
        return at_estimated_prior(settings, scorer, tables, Path(), 1).everyone(tables)


def score_opened(
    settings: Settings, bundle: Bundle, place: BundlePlace, found: Opened, *, progress: Progress, cutoff: int | None = None
) -> Scores | ScoredParts:
    """Score every account, bucket by bucket where the tables are on disk, and write no list."""
    if found.tables.whole is not None:
        return score_tables(settings, bundle, place, found.tables.whole, progress=progress, cutoff=cutoff)
    folder, threads = found.folder or Path(), settings.engine.threads
    scorer = prepare_scorer(settings, bundle, place, found.tables, cutoff=cutoff)
    with progress.step(f"scoring at {text_of(scorer.cutoff)}"):
        scorer = at_estimated_prior(settings, scorer, found.tables, folder / "estimating", threads)
        parts = map_to_parts(found.tables, replace(scorer, threads=1), folder / "parts", threads=threads)
        return ScoredParts.of(parts, scorer.cutoff)


def score_earlier(
    settings: Settings,
    bundle: Bundle,
    place: BundlePlace,
    tables: Tables,
    *,
    now: int,
    previous: PreviousScores | None,
    progress: Progress,
    accounts: tuple[str, ...] = (),
) -> tuple[Scores | None, tuple[str, ...]]:
    """Score at the cutoff to compare with, by the same model; return notes on what cannot be compared."""
    if previous is None and not has_a_past(tables):
        return None, ("the tables cover one moment only, so there is no change to show",)
    at = now - settings.cutoffs.every * DAY if previous is None else previous.cutoff_before(now)
    try:
        earlier = score_tables(settings, bundle, place, tables, progress=progress, cutoff=at, accounts=accounts)
    except UsageError as error:
        if previous is not None:
            raise
        return None, (f"nothing to compare with at {text_of(at)}: {error.problems[0].problem}",)
    return earlier, () if previous is None else previous.deviations(earlier.table)


def at_estimated_prior(settings: Settings, scorer: Scorer, tables: BucketedTables, folder: Path, threads: int) -> Scorer:
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


def trained_base_rate(bundle: Bundle) -> float:
    """Return the base rate that a model's probabilities were calibrated for."""
    return float(bundle.metadata.get("calibrated_base_rate", bundle.metadata["base_rate"]))


def _checked(at: int, tables: BucketedTables) -> int:
    last = midnight_after(tables.observed_until)
    first = tables.first
    if first is not None and first >= at:
        fix = f"choose a date after {text_of(first)}, when the tables begin, and {text_of(last)} at the latest"
        raise UsageError.of("cutoff outside the data", text_of(at), fix)
    if at > last:
        fix = f"choose {text_of(last)} or earlier: after it nothing was observed, and silence would look like leaving"
        raise UsageError.of("cutoff outside the data", text_of(at), fix)
    return at
