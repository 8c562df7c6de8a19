"""Prepare a scorer: the settings, a sealed model and the tables agree on the instant to score at."""

from __future__ import annotations

import pandas as pd

from staypower.config.settings import Settings
from staypower.cutoffs import instant_of, midnight_after, text_of
from staypower.errors import UsageError
from staypower.models.bundle import Bundle
from staypower.models.champion import BundlePlace
from staypower.models.prior import prior_of
from staypower.scoring.scorer import Scorer, ScoringOptions
from staypower.tables import BucketedTables

__all__ = ["prepare_scorer", "trained_base_rate"]


def prepare_scorer(
    settings: Settings,
    bundle: Bundle,
    place: BundlePlace,
    tables: BucketedTables,
    *,
    cutoff: str | None,
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


def trained_base_rate(bundle: Bundle) -> float:
    """Return the base rate that a model's probabilities were calibrated for."""
    return float(bundle.metadata.get("calibrated_base_rate", bundle.metadata["base_rate"]))


def _checked(cutoff: str, tables: BucketedTables) -> int:
    at, last = instant_of(cutoff), midnight_after(tables.observed_until)
    first = tables.first
    if first is not None and first >= at:
        fix = f"choose a date after {text_of(first)}, when the tables begin, and {text_of(last)} at the latest"
        raise UsageError.of("cutoff outside the data", cutoff, fix)
    if at > last:
        fix = f"choose {text_of(last)} or earlier: after it nothing was observed, and silence would look like leaving"
        raise UsageError.of("cutoff outside the data", cutoff, fix)
    return at
