"""What stands beside the churn probability: its kinds, other horizons, the loyalty tier and the quadrant."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from staypower.evaluation.settings import CostSettings
from staypower.labels.tier import find_survey_state
from staypower.labels.tier_settings import TIERS, TierSettings
from staypower.metrics.risk import RiskReference, high_risk_above, profit_threshold
from staypower.models.bundle import Bundle
from staypower.models.horizons import horizons_of
from staypower.models.kinds import kinds_of
from staypower.models.prior import PriorCorrection
from staypower.models.tier_prediction import UNKNOWN, predict_tiers, settle_tiers, tier_models
from staypower.portfolio.quadrants import quadrants_of
from staypower.portfolio.settings import QuadrantSettings
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BesideSettings", "beside_churn"]


@dataclass(frozen=True)
class BesideSettings:
    """What decides tiers and quadrants.

    >>> BesideSettings().capacity is None
    True
    """

    tier: TierSettings = field(default_factory=TierSettings)  # when a tier is told
    quadrants: QuadrantSettings = field(default_factory=QuadrantSettings)  # which tiers count as loyal
    costs: CostSettings = field(default_factory=CostSettings)
    capacity: int | None = None  # accounts the team can call
    margin: float = 1.0  # share of revenue that is margin
    discount_rate: float = 0.01  # of a month
    prior: PriorCorrection | None = None  # moves every probability of the run to another base rate


def beside_churn(
    bundle: Bundle,
    tables: Tables,
    features: pd.DataFrame,
    accounts: NDArray[np.object_],
    churn_probability: NDArray[np.float64],
    *,
    cutoff: int,
    settings: BesideSettings,
    previous: pd.DataFrame | None = None,
    threads: int | None = None,
) -> pd.DataFrame:
    """Predict everything that stands beside the churn probability of the accounts scored."""
    parts = [made(bundle, features, churn_probability, threads=threads) for made in (kinds_of, horizons_of)]
    tier: NDArray[np.object_] | None = None
    classes: tuple[str, ...] = TIERS
    if tier_models(bundle.secondary):
        told = _tiers(bundle, tables, features, accounts, cutoff, settings.tier, previous, threads)
        tier = told["tier"].to_numpy(dtype=object)
        classes = tuple(str(name)[2:] for name in told.columns if str(name).startswith("p_"))
        parts.append(told)
    found = pd.concat([part.reset_index(drop=True) for part in parts], axis=1)
    high = _high_above(bundle, settings)
    found["quadrant"] = quadrants_of(churn_probability, tier, high_above=high, settings=settings.quadrants, tiers=classes)
    return found.set_index(pd.Index(accounts))


def _tiers(
    bundle: Bundle,
    tables: Tables,
    features: pd.DataFrame,
    accounts: NDArray[np.object_],
    cutoff: int,
    settings: TierSettings,
    previous: pd.DataFrame | None,
    threads: int | None,
) -> pd.DataFrame:
    first = bundle.secondary[tier_models(bundle.secondary)[0]]
    classes = [str(name) for name in first.metadata["tiers"]]
    probabilities = predict_tiers(bundle.secondary, features, threads=threads)
    never = _never_invited(tables, accounts, cutoff, settings)
    withheld = never if settings.never_invited == "unknown" else None
    before = _previous_tiers(previous, accounts, classes)
    told = settle_tiers(probabilities, before, margin=settings.margin, abstain_below=settings.abstain_below, withheld=withheld)
    names = np.array([*classes, "unknown"], dtype=object)
    found = pd.DataFrame({"tier": names[np.where(told == UNKNOWN, len(classes), told)]})
    for number, name in enumerate(classes):
        found[f"p_{name}"] = probabilities[:, number]
    found["never_invited"] = never
    return found


def _previous_tiers(
    previous: pd.DataFrame | None, accounts: NDArray[np.object_], classes: list[str]
) -> NDArray[np.int64] | None:
    if previous is None or "tier" not in previous:
        return None
    known = previous.drop_duplicates("account_id").set_index(previous["account_id"].astype(object).drop_duplicates())["tier"]
    numbers = known.map({name: number for number, name in enumerate(classes)})
    return np.asarray(numbers.reindex(accounts).fillna(UNKNOWN), dtype=np.int64)


def _never_invited(tables: Tables, accounts: NDArray[np.object_], cutoff: int, settings: TierSettings) -> NDArray[np.bool_]:
    if settings.kind != "survey" or not tables.has("surveys", "instrument"):
        return np.ones(len(accounts), dtype=np.bool_)
    # among the accounts of one bucket perhaps nobody answered
    state = find_survey_state(tables, settings, tuple(accounts), np.array([cutoff], dtype=np.int64), need_answers=False)
    never: NDArray[np.bool_] = ~state.ever_invited[:, 0]
    return never


def _high_above(bundle: Bundle, settings: BesideSettings) -> float:
    costs = settings.costs
    clv, incentive, contact = costs.amounts
    pays = None
    if costs.complete:
        pays = profit_threshold(clv=clv, incentive_cost=incentive, contact_cost=contact, acceptance=costs.acceptance)
    cut = None
    if settings.capacity is not None and "risk_reference" in bundle.metadata:
        # of a sample of the accounts, which the reference then is, the team can call its share
        share = float(bundle.metadata.get("risk_reference_share", 1.0))
        cut = RiskReference.from_dict(bundle.metadata["risk_reference"]).cut(max(1, round(settings.capacity * share)))
        # the cut is a probability as the model gave it: it moves with the others
        cut = cut if settings.prior is None else float(settings.prior.apply([cut])[0])
    return high_risk_above(float(bundle.metadata["base_rate"]), capacity_cut=cut, profit=pays)
