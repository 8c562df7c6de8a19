"""One row for every account asked for, none missing: status, probability, band, reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from staypower.cutoffs import text_of
from staypower.explanation import Explanation, UsualValues, explain_scores
from staypower.features import Catalogue, FeatureSettings, build_matrix, declare
from staypower.labels import LabelSettings, Status, find_population
from staypower.models import Bundle
from staypower.quadrants import Movement, movement, sizes_of
from staypower.scoring.agreement import require_same_label, require_what_is_read
from staypower.scoring.bands import RiskBands
from staypower.scoring.beside import BesideSettings, beside_churn
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Scores", "score_accounts"]

# satisfaction and revenue stand beside the risk, whether or not the model reads them
_BESIDE = {
    "mrr_now": "mrr",
    "csat_last": "satisfaction",
    "days_since_csat": "satisfaction_age_days",
    "surveys_unanswered_in_a_row": "asked_unanswered",
}


@dataclass(frozen=True)
class Scores:
    """What scoring found.

    Parameters
    ----------
    table : pandas.DataFrame
        One row an account, sorted by `account_id`.
    explanation : Explanation
        Contributions of the accounts that were scored.
    cutoff : int
        Instant.
    movement : Movement or None
        Who moved between quadrants since the previous scores, when those were given.

    Notes
    -----
    Columns: `account_id, cutoff, horizon_days, status, churn_probability, churn_risk_band`, then what the model predicts beside
    it (`p_voluntary, p_involuntary, churn_probability_30d, ..., expected_days_to_churn, tier, p_detractor, p_passive,
    p_promoter, never_invited`) and `quadrant`, then where they are known `mrr,
    satisfaction, satisfaction_age_days, asked_unanswered`, then `reason_1, lever_1, contribution_1, ...`, then
    `model_name, model_version, run_id, scored_at`. Accounts whose status is not `scored` have no probability.
    """

    table: pd.DataFrame
    explanation: Explanation
    cutoff: int
    movement: Movement | None = None

    def frame(self) -> pd.DataFrame:
        """Return the table."""
        return self.table

    def counts(self) -> dict[str, int]:
        """Return how many accounts have each status."""
        return {str(status): int(n) for status, n in self.table["status"].value_counts().items()}

    def watch_list(self, count: int = 10) -> pd.DataFrame:
        """Return the accounts of highest risk."""
        return self.table.sort_values(["churn_probability", "account_id"], ascending=[False, True]).head(count)

    def quadrants(self) -> pd.DataFrame:
        """Return accounts and revenue of each quadrant."""
        return sizes_of(self.table)

    def _repr_html_(self) -> str:
        columns = [
            name
            for name in ("account_id", "status", "churn_probability", "churn_risk_band", "reason_1", "reason_2")
            if name in self.table
        ]
        return f"<p>{len(self.table)} accounts at {text_of(self.cutoff)}</p>" + self.watch_list(20)[columns].to_html(
            index=False
        )


def score_accounts(
    bundle: Bundle,
    tables: Tables,
    label: LabelSettings,
    *,
    cutoff: int,
    accounts: Sequence[str] = (),
    reasons: int = 5,
    model_version: str = "",
    beside: BesideSettings | None = None,
    previous: pd.DataFrame | None = None,
    threads: int = 2,
) -> Scores:
    """Score accounts at one cutoff.

    Parameters
    ----------
    bundle : Bundle
        A sealed model; its learnt definitions are used unchanged.
    tables : Tables
    label : LabelSettings
        Says who is active.
    cutoff : int
        Instant of knowledge.
    accounts : sequence of str, optional
        Whom to score; everybody by default. An account that the tables do not know has the status `no_history`.
    reasons : int, default 5
    model_version : str, default ""
        Number under which the model is registered; written beside every score.
    beside : BesideSettings, optional
        What decides tiers and quadrants.
    previous : pandas.DataFrame, optional
        The scores of an earlier cutoff: a tier changes against theirs only when the evidence passes the margin, and
        `Scores.movement` says who moved between quadrants.
    threads : int, default 2

    Returns
    -------
    Scores
        The score of an account does not depend on who else is asked for.

    Raises
    ------
    UsageError
        When the label is not the one that the model was learnt for, or the tables have lost what its features read.
    """
    catalogue = Catalogue.from_dict(bundle.learnt["catalogue"])
    require_same_label(bundle, label)
    require_what_is_read(catalogue, tables)
    population = find_population(tables, label, np.array([cutoff], dtype=np.int64))
    status = dict(zip(population.accounts, population.status[:, 0].tolist(), strict=True))
    asked = sorted(set(accounts)) if accounts else list(population.accounts)
    words = [Status(status.get(account, Status.NO_HISTORY)).word for account in asked]
    scored = [account for account in asked if status.get(account) == Status.SCORED]
    explanation, probability = _predict(bundle, tables, catalogue, scored, cutoff, threads)
    table = pd.DataFrame({"account_id": pd.array(asked, dtype="str"), "cutoff": text_of(cutoff)})
    table["horizon_days"] = label.horizon
    table["status"] = words
    table["churn_probability"] = pd.Series(probability, index=scored, dtype=np.float64).reindex(asked).to_numpy()
    table["churn_risk_band"] = RiskBands(float(bundle.metadata["base_rate"])).of(table["churn_probability"].to_numpy())
    for name, values in _predicted_beside(bundle, tables, explanation, probability, cutoff, beside, previous, asked).items():
        table[name] = values
    for name, values in _beside(tables, catalogue.settings, asked, cutoff, threads).items():
        table[name] = values
    table = table.merge(explanation.frame(reasons), on="account_id", how="left", sort=False)
    table["model_name"] = str(bundle.metadata.get("name", ""))
    table["model_version"] = model_version
    table["run_id"] = str(bundle.metadata.get("run_id", ""))
    table["scored_at"] = datetime.now(UTC).isoformat(timespec="seconds")
    moved = None if previous is None else movement(previous, table)
    return Scores(table, explanation, cutoff, moved)


def _predict(
    bundle: Bundle, tables: Tables, catalogue: Catalogue, accounts: list[str], cutoff: int, threads: int
) -> tuple[Explanation, NDArray[np.float64]]:
    matrix = build_matrix(tables, catalogue, accounts=accounts, cutoffs=np.array([cutoff], dtype=np.int64), threads=threads)
    features = matrix.features[list(bundle.feature_names)]
    usual = UsualValues.from_dict(bundle.learnt["usual"])
    if not accounts:
        nothing = np.zeros((0, features.shape[1]))
        return explain_scores(matrix.accounts, features, nothing, 0.0, catalogue=catalogue, usual=usual), np.zeros(0)
    contributions, base = bundle.contributions(features)
    made = explain_scores(matrix.accounts, features, contributions, base, catalogue=catalogue, usual=usual)
    return made, bundle.predict(features)


def _predicted_beside(
    bundle: Bundle,
    tables: Tables,
    explanation: Explanation,
    probability: NDArray[np.float64],
    cutoff: int,
    settings: BesideSettings | None,
    previous: pd.DataFrame | None,
    asked: list[str],
) -> dict[str, Any]:
    found = beside_churn(
        bundle,
        tables,
        explanation.features,
        explanation.accounts,
        probability,
        cutoff=cutoff,
        settings=settings or BesideSettings(),
        previous=previous,
    )
    placed = found.reindex(asked)
    return {str(name): placed[name].to_numpy() for name in placed.columns}


def _beside(tables: Tables, settings: FeatureSettings, accounts: list[str], cutoff: int, threads: int) -> dict[str, Any]:
    """Build revenue and satisfaction for every account asked for, scored or not."""
    plain = FeatureSettings(windows=settings.windows, sla_hours=settings.sla_hours, families=("surveys", "billing"))
    declared = declare(tables, plain, cutoff=cutoff).only(_BESIDE)
    if not declared.definitions:
        return {}
    there = set(tables.account_ids)
    known = [account for account in accounts if account in there]
    matrix = build_matrix(tables, declared, accounts=known, cutoffs=np.array([cutoff], dtype=np.int64), threads=threads)
    placed = matrix.features.set_index(pd.Index(matrix.accounts)).reindex(accounts)
    return {_BESIDE[name]: placed[name].to_numpy() for name in _BESIDE if name in placed}
