"""One row for every account asked for, none missing: status, probability, band, reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from staypower.cutoffs import text_of
from staypower.explanation.leaver_reasons import LeaverReasons
from staypower.explanation.reasons import Explanation
from staypower.explanation.typical import TypicalValues
from staypower.features.builder import build_matrix
from staypower.features.catalogue import Catalogue
from staypower.features.declaring import declare
from staypower.features.settings import FeatureSettings
from staypower.labels.churn import find_population
from staypower.labels.population import Status
from staypower.labels.settings import LabelSettings
from staypower.models.agreement import require_same_label, require_what_is_read
from staypower.models.bundle import Bundle
from staypower.portfolio.customer_value import account_values, monthly_revenue
from staypower.portfolio.quadrants import Movement, movement, sizes_of
from staypower.scoring.bands import RiskBands
from staypower.scoring.beside import BesideSettings, beside_churn
from staypower.scoring.rows import typed_rows
from staypower.tables import BucketedTables, Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Scorer", "Scores", "score_accounts"]

# satisfaction and revenue stand beside the risk, whether or not the model reads them
_BESIDE = {
    "mrr_now": "mrr",
    "csat_last": "satisfaction",
    "days_since_csat": "satisfaction_age_days",
    "surveys_unanswered_in_a_row": "asked_unanswered",
}
_SHOWN = ("account_id", "churn_probability", "churn_risk_band", "tier", "quadrant", "reason_1", "reason_2")
# what stands in for recurring revenue where there are only orders
_ORDERED = "order_amount_365d"


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
    p_promoter, never_invited`) and `quadrant`, then where they are known `clv, value_at_risk, mrr,
    satisfaction, satisfaction_age_days, asked_unanswered`, then `reason_1, lever_1, contribution_1, ...`, then
    `model_name, model_version, run_id, scored_at`. Accounts whose status is not `scored` have no probability.
    """

    table: pd.DataFrame
    explanation: Explanation
    cutoff: int
    movement: Movement | None = None

    def __len__(self) -> int:
        return len(self.table)

    def frame(self) -> pd.DataFrame:
        """Return the table."""
        return self.table

    @property
    def tells_tiers(self) -> bool:
        """Whether any account has a tier."""
        return "tier" in self.table and bool(self.table["tier"].notna().any())

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
        columns = [name for name in _SHOWN if name in self.table]
        counts = ", ".join(f"{count:,} {status}" for status, count in self.counts().items())
        shown = self.watch_list(20)[columns].to_html(index=False, na_rep="", formatters={"churn_probability": _percent})
        return f"<p>{len(self.table):,} accounts at {text_of(self.cutoff)}: {escape(counts)}; those of highest risk:</p>{shown}"


def _percent(chance: object) -> str:
    return f"{100 * chance:.1f} %" if isinstance(chance, float) and not np.isnan(chance) else ""


@dataclass(frozen=True)
class Scorer:
    """Scores accounts at one cutoff: those of all tables, or those of one bucket of them.

    The score of an account depends on its own rows alone. So a bucket is scored as the whole would be, and any engine may call
    the scorer for each bucket of accounts: it is a plain value, and its result are plain rows.
    """

    bundle: Bundle
    label: LabelSettings
    cutoff: int  # instant of knowledge
    catalogue: Catalogue  # the model's features
    known: Catalogue  # revenue and satisfaction, which stand beside the risk
    accounts: tuple[str, ...] = ()  # whom to score; everybody when empty
    reasons: int = 5
    model_version: str = ""
    beside: BesideSettings = field(default_factory=BesideSettings)
    previous: pd.DataFrame | None = None  # scores of an earlier cutoff
    threads: int = 2  # how many work on one call
    scored_at: str = ""  # ISO time, written beside every score

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        tables: BucketedTables,
        label: LabelSettings,
        *,
        cutoff: int,
        accounts: Sequence[str] = (),
        reasons: int = 5,
        model_version: str = "",
        beside: BesideSettings | None = None,
        previous: pd.DataFrame | None = None,
        threads: int = 2,
    ) -> Scorer:
        """Prepare scoring; parameters as in `score_accounts`."""
        catalogue = Catalogue.from_dict(bundle.learned["catalogue"])
        require_same_label(bundle, label)
        require_what_is_read(catalogue, tables.empty)
        return cls(
            bundle=bundle,
            label=label,
            cutoff=cutoff,
            catalogue=catalogue,
            known=_declare_beside(tables, catalogue.settings, cutoff),
            accounts=tuple(sorted(set(accounts))),
            reasons=reasons,
            model_version=model_version,
            beside=beside or BesideSettings(),
            previous=previous,
            threads=threads,
            scored_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def __call__(self, bucket: Tables) -> pa.Table:
        """Return the rows of the accounts of one bucket."""
        there = set(bucket.account_ids)
        asked = [account for account in self.accounts if account in there] if self.accounts else sorted(there)
        return typed_rows(self.score(bucket, asked).table)

    def strangers(self, tables: Tables, known: pa.ChunkedArray | Sequence[str]) -> pa.Table:
        """Return the rows of those who were asked for and are in no bucket."""
        ids = set(known.to_pylist() if isinstance(known, pa.ChunkedArray) else known)
        return typed_rows(self.score(tables, [account for account in self.accounts if account not in ids]).table)

    def everyone(self, tables: Tables) -> Scores:
        """Score whoever was asked for, by default all accounts, and say who moved since the previous scores."""
        scores = self.score(tables, list(self.accounts) or tables.account_ids)
        return scores if self.previous is None else replace(scores, movement=movement(self.previous, scores.table))

    def score(self, tables: Tables, asked: list[str]) -> Scores:
        """Score accounts."""
        population = find_population(tables, self.label, np.array([self.cutoff], dtype=np.int64))
        status = dict(zip(population.accounts, population.status[:, 0].tolist(), strict=True))
        scored = [account for account in asked if status.get(account) == Status.SCORED]
        explanation, probability = self._predict(tables, scored)
        table = pd.DataFrame({"account_id": pd.array(asked, dtype="str"), "cutoff": text_of(self.cutoff)})
        table["horizon_days"] = self.label.horizon
        table["status"] = [Status(status.get(account, Status.NO_HISTORY)).word for account in asked]
        table["churn_probability"] = pd.Series(probability, index=scored, dtype=np.float64).reindex(asked).to_numpy()
        table["churn_risk_band"] = RiskBands(float(self.bundle.metadata["base_rate"])).of(table["churn_probability"].to_numpy())
        # what is told of each account by itself; columns that need all accounts are joined when the list is written
        known = self._known_beside(tables, asked)
        predicted = self._predicted_beside(tables, explanation, probability)
        for told in (predicted, self._worth(table, known), known.drop(columns=_ORDERED, errors="ignore")):
            placed = told.reindex(asked)
            for name in placed.columns:
                table[str(name)] = placed[name].to_numpy()
        table = table.merge(explanation.frame(self.reasons), on="account_id", how="left", sort=False)
        table["model_name"] = str(self.bundle.metadata.get("name", ""))
        table["model_version"] = self.model_version
        table["run_id"] = str(self.bundle.metadata.get("run_id", ""))
        table["scored_at"] = self.scored_at
        return Scores(table, explanation, self.cutoff)

    def _predict(self, tables: Tables, accounts: list[str]) -> tuple[Explanation, NDArray[np.float64]]:
        matrix = self._build(tables, self.catalogue, accounts)
        features = matrix[list(self.bundle.feature_names)]
        explained = self.bundle.explain(features, threads=self.threads)
        explanation = Explanation(
            np.asarray(accounts, dtype=object),
            features.reset_index(drop=True),
            explained.contributions,
            explained.base,
            catalogue=self.catalogue,
            typical=TypicalValues.from_dict(self.bundle.learned["usual"]),
            leavers=LeaverReasons.of(self.bundle.learned),
        )
        probability = self.bundle.calibration.apply(explained.raw_score)
        return explanation, probability if self.beside.prior is None else self.beside.prior.apply(probability)

    def _build(self, tables: Tables, catalogue: Catalogue, accounts: Sequence[str]) -> pd.DataFrame:
        cutoffs = np.array([self.cutoff], dtype=np.int64)
        matrix = build_matrix(tables, catalogue, accounts=accounts, cutoffs=cutoffs, threads=self.threads)
        return matrix.features.set_index(pd.Index(matrix.accounts))

    def _predicted_beside(self, tables: Tables, explanation: Explanation, probability: NDArray[np.float64]) -> pd.DataFrame:
        previous = self.previous
        if previous is not None:
            previous = previous[previous["account_id"].isin(set(explanation.accounts))]
        return beside_churn(
            self.bundle,
            tables,
            explanation.features,
            explanation.accounts,
            probability,
            cutoff=self.cutoff,
            settings=self.beside,
            previous=previous,
            threads=self.threads,
        )

    def _known_beside(self, tables: Tables, asked: Sequence[str]) -> pd.DataFrame:
        """Build revenue and satisfaction for every account asked for, scored or not."""
        if not self.known.names:
            return pd.DataFrame(index=pd.Index(asked))
        there = set(tables.account_ids)
        built = self._build(tables, self.known, [account for account in asked if account in there])
        return built[[name for name in (*_BESIDE, _ORDERED) if name in built]].rename(columns=_BESIDE)

    def _worth(self, table: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
        """Tell what each account is worth if it stays, and how much of that is at risk; nothing where nothing is paid."""
        paid = known.reindex(table["account_id"])
        monthly = monthly_revenue(*(paid[name].to_numpy() if name in paid else None for name in ("mrr", _ORDERED)))
        if monthly is None and self.beside.costs.clv is None:
            return pd.DataFrame(index=paid.index)
        found = account_values(
            monthly,
            table["churn_probability"].to_numpy(),
            base_rate=float(self.bundle.metadata["base_rate"]),
            horizon_days=self.label.horizon,
            margin=self.beside.margin,
            discount_rate=self.beside.discount_rate,
            average=self.beside.costs.clv,
        )
        return pd.DataFrame({"clv": found.clv, "value_at_risk": found.value_at_risk}, index=paid.index)


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
    """Score accounts at one cutoff."""
    scorer = Scorer.of(
        bundle,
        tables,
        label,
        cutoff=cutoff,
        accounts=accounts,
        reasons=reasons,
        model_version=model_version,
        beside=beside,
        previous=previous,
        threads=threads,
    )
    return scorer.everyone(tables)


def _declare_beside(tables: BucketedTables, settings: FeatureSettings, cutoff: int) -> Catalogue:
    plain = FeatureSettings(windows=settings.windows, sla_hours=settings.sla_hours, families=("surveys", "billing", "orders"))
    return declare(tables, plain, cutoff=cutoff).only([*_BESIDE, _ORDERED])
