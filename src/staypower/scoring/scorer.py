"""Score accounts from their tables: one row for every account asked for, none missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from staypower.clock import now_text
from staypower.cutoffs import text_of
from staypower.engines.local import map_to_parts
from staypower.evaluation.contacting import pays_above
from staypower.evaluation.settings import CostSettings
from staypower.features.catalogue import Catalogue
from staypower.features.declaring import declare
from staypower.features.settings import FeatureSettings
from staypower.gate.comparing import FeatureCounts
from staypower.labels.population import Status
from staypower.labels.settings import LabelSettings
from staypower.labels.tier_settings import TierSettings
from staypower.metrics.risk import RiskReference, high_risk_above
from staypower.models.agreement import require_same_label, require_what_is_read
from staypower.models.bundle import Bundle
from staypower.models.prior import PriorCorrection, prior_of
from staypower.models.seal import digest_of, json_values
from staypower.models.tier_prediction import UNKNOWN
from staypower.portfolio.customer_value import ORDERED, account_values, monthly_revenue
from staypower.portfolio.quadrants import movement, quadrants_of
from staypower.portfolio.settings import QuadrantSettings
from staypower.scoring.facts import AccountFacts, FromTables
from staypower.scoring.predictions import Predictor
from staypower.scoring.ranges import beyond_training
from staypower.scoring.scores import ScoredParts, Scores, noted, typed_rows
from staypower.tables import BucketedTables, Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from staypower.explanation.reasons import Explanation

__all__ = ["Scorer", "ScoringOptions", "ShippedScorer"]

# satisfaction and revenue are listed next to the risk, whether or not the model reads them
_KNOWN = {
    "mrr_now": "mrr",
    "days_to_renewal": "days_to_renewal",
    "csat_last": "satisfaction",
    "days_since_csat": "satisfaction_age_days",
    "surveys_unanswered_in_a_row": "asked_unanswered",
}


_WORDS = {int(status): status.word for status in Status}


@dataclass(frozen=True)
class ScoringOptions:
    """What decides tiers, quadrants and values.

    >>> ScoringOptions().capacity is None
    True
    """

    tier: TierSettings = field(default_factory=TierSettings)  # when a tier is given
    quadrants: QuadrantSettings = field(default_factory=QuadrantSettings)  # which tiers count as loyal
    costs: CostSettings = field(default_factory=CostSettings)
    capacity: int | None = None  # accounts the team can contact
    margin: float = 1.0  # share of revenue that is margin
    discount_rate: float = 0.01  # per month
    prior: PriorCorrection | None = None  # rescales every probability of the run to another base rate
    estimate_prior: bool = False  # whether that base rate is to be estimated from the scores of all accounts

    def high_above(self, bundle: Bundle) -> float:
        """Return the probability above which risk is high, in bands and quadrants alike."""
        cut = None
        if self.capacity is not None and "risk_reference" in bundle.metadata:
            # the reference may be a sample of the accounts, of which the team can contact its share
            share = float(bundle.metadata.get("risk_reference_share", 1.0))
            cut = RiskReference.from_dict(bundle.metadata["risk_reference"]).cut(max(1, round(self.capacity * share)))
            # the cut is a probability as the model gave it: it is rescaled like the others
            cut = cut if self.prior is None else float(self.prior.apply([cut])[0])
        return high_risk_above(float(bundle.metadata["base_rate"]), capacity_cut=cut, profit=pays_above(self.costs))


@dataclass(frozen=True)
class Scorer:
    """Scores accounts at one cutoff: those of all tables, or those of one bucket of them.

    The score of an account depends on its own rows alone, so a bucket is scored as the whole would be. Any engine may call the
    scorer for each bucket: it is a plain value, and it returns plain rows.
    """

    predictor: Predictor
    label: LabelSettings
    cutoff: int  # instant of knowledge
    known: Catalogue  # revenue and satisfaction, which are listed next to the risk
    accounts: tuple[str, ...] = ()  # whom to score; all when empty
    reasons: int = 5
    model_version: str = ""
    run_id: str = ""  # of the tracking store
    options: ScoringOptions = field(default_factory=ScoringOptions)
    previous: pd.DataFrame | None = None  # scores of an earlier cutoff
    threads: int = 2  # for one call
    scored_at: str = ""  # ISO time, written with every score

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
        run_id: str = "",
        options: ScoringOptions | None = None,
        previous: pd.DataFrame | None = None,
        threads: int = 2,
        scored_at: str = "",
    ) -> Scorer:
        """Prepare scoring: the model, the label and the tables must belong together."""
        predictor = Predictor.of(bundle)
        require_same_label(bundle, label)
        require_what_is_read(predictor.catalogue, tables.empty)
        return cls(
            predictor=predictor,
            label=label,
            cutoff=cutoff,
            known=_declare_known(tables, predictor.catalogue.settings, cutoff),
            accounts=tuple(sorted(set(accounts))),
            reasons=reasons,
            model_version=model_version,
            run_id=run_id or str(bundle.metadata.get("run_id", "")),
            options=options or ScoringOptions(),
            previous=previous,
            threads=threads,
            scored_at=scored_at or now_text(),
        )

    @cached_property
    def high_above(self) -> float:
        """The probability above which risk is high."""
        return self.options.high_above(self.bundle)

    @property
    def bundle(self) -> Bundle:
        """The sealed model."""
        return self.predictor.bundle

    def __call__(self, bucket: Tables) -> pa.Table:
        """Return the rows of the accounts of one bucket."""
        there = set(bucket.account_ids)
        asked = [account for account in self.accounts if account in there] if self.accounts else sorted(there)
        return noted(self.score(bucket, asked))

    def strangers(self, tables: Tables, known: pa.ChunkedArray | Sequence[str]) -> pa.Table:
        """Return the rows of accounts that were asked for and are in no bucket."""
        ids = set(known.to_pylist() if isinstance(known, pa.ChunkedArray) else known)
        return typed_rows(self.score(tables, [account for account in self.accounts if account not in ids]).table)

    def everyone(self, tables: Tables) -> Scores:
        """Score the accounts asked for, by default all, and find who moved since the previous scores."""
        scores = self.score(tables, list(self.accounts) or tables.account_ids)
        return scores if self.previous is None else replace(scores, movement=movement(self.previous, scores.table))

    def in_parts(self, tables: BucketedTables, folder: Path, threads: int) -> ScoredParts:
        """Score bucket by bucket into files of a folder, several buckets at once and each by one thread."""
        parts = map_to_parts(tables, replace(self, threads=1), folder, threads=threads)
        return ScoredParts.of(parts, self.cutoff, self.previous)

    def at_estimated_prior(self, tables: BucketedTables, folder: Path, threads: int) -> Scorer:
        """Estimate the base rate when asked to: over all accounts, whoever is scored, so that no score depends on its batch."""
        if not self.options.estimate_prior:
            return self
        every = replace(self, accounts=(), previous=None)
        scores = every.everyone(tables.whole) if tables.whole is not None else every.in_parts(tables, folder, threads)
        population = scores.frame(["churn_probability"])["churn_probability"].dropna().to_numpy(dtype=np.float64)
        prior = prior_of("estimate", self.bundle.trained_base_rate, population)
        return replace(self, options=replace(self.options, prior=prior))

    def facts_in(self, tables: Tables) -> FromTables:
        """Say where in tables is found what scoring reads."""
        return FromTables(tables, self.label, self.options.tier, self.cutoff, self.threads)

    def score(self, tables: Tables, asked: list[str]) -> Scores:
        """Score accounts."""
        table, explanation = self.score_from(self.facts_in(tables), asked)
        features = explanation.features
        lacking = FeatureCounts(len(features), {str(name): int(each) for name, each in features.isna().sum().items()})
        beyond = beyond_training(self.bundle.learned, features)
        return Scores(table, explanation, self.cutoff, beyond=beyond, lacking=lacking)

    def score_from(
        self, facts: AccountFacts, asked: list[str], *, said: bool = True, scored_at: str = ""
    ) -> tuple[pd.DataFrame, Explanation]:
        """Score accounts by what is found of them; `said` asks for reasons."""
        status = facts.status_of(asked)
        scored = [account for account, one in zip(asked, status, strict=True) if one == Status.SCORED]
        probability, explanation = self._churn(facts, scored)
        placed = np.full(len(asked), np.nan)
        placed[[one == Status.SCORED for one in status]] = probability
        bands = self.predictor.bands(self.high_above)
        columns: dict[str, Any] = {
            "account_id": pd.array(asked, dtype="str"),
            **facts.names_of(asked),
            "cutoff": text_of(self.cutoff),
            "horizon_days": self.label.outcome_days,
            "status": [_WORDS[one] for one in status],
            "churn_probability": placed,
            "churn_risk_band": bands.of(placed),
        }
        # columns of each account by itself; those that need all accounts are joined when the list is written
        known = self._known(facts, asked, explanation)
        columns |= _placed(self._secondary(facts, explanation, probability), scored, asked)
        columns |= self._values(placed, known)
        columns |= {name: values for name, values in known.items() if name != ORDERED}
        columns |= _placed(explanation.columns(self.reasons), scored, asked) if said else {}
        columns["model_name"] = str(self.bundle.metadata.get("name", ""))
        columns |= {"model_version": self.model_version, "run_id": self.run_id, "scored_at": scored_at or self.scored_at}
        return pd.DataFrame(columns), explanation

    def _churn(self, facts: AccountFacts, accounts: list[str]) -> tuple[NDArray[np.float64], Explanation]:
        matrix, names = facts.build(self.predictor.catalogue, accounts), list(self.bundle.feature_names)
        features = (matrix if matrix.columns.tolist() == names else matrix[names]).reset_index(drop=True)
        ids = np.asarray(accounts, dtype=object)
        probability, explanation = self.predictor.churn(features, ids, threads=self.threads)
        return probability if self.options.prior is None else self.options.prior.apply(probability), explanation

    def _secondary(
        self, facts: AccountFacts, explanation: Explanation, probability: NDArray[np.float64]
    ) -> dict[str, NDArray[Any]]:
        """Predict kinds of churn, other horizons and the tier, and place the accounts in quadrants."""
        features, accounts, predictor = explanation.features, explanation.accounts, self.predictor
        found: dict[str, NDArray[Any]] = dict(predictor.secondary(features, probability, threads=self.threads))
        if predictor.tiers:
            rules = self.options.tier
            never = facts.never_invited(accounts.tolist())
            found |= predictor.loyalty(
                features,
                previous=self._previous_tiers(accounts),
                told=rules.told,
                abstain_below=rules.abstain_below,
                withheld=never if rules.never_invited == "unknown" else None,
                threads=self.threads,
            )
            found["never_invited"] = never
        found["quadrant"] = quadrants_of(
            probability,
            found["tier"] if predictor.tiers else None,
            high_above=self.high_above,
            settings=self.options.quadrants,
            tiers=predictor.quadrant_tiers,
        )
        return found

    def _previous_tiers(self, accounts: NDArray[np.object_]) -> NDArray[np.int64] | None:
        previous = self.previous
        if previous is None or "tier" not in previous:
            return None
        previous = previous[previous["account_id"].isin(set(accounts))].drop_duplicates("account_id")
        tiers = previous.set_index(previous["account_id"].astype(object))["tier"]
        numbers = tiers.map({name: number for number, name in enumerate(self.predictor.tiers)})
        return np.asarray(numbers.reindex(accounts).fillna(UNKNOWN), dtype=np.int64)

    def _known(self, facts: AccountFacts, asked: Sequence[str], explanation: Explanation) -> dict[str, Any]:
        """Return revenue and satisfaction of every account asked for, scored or not; what the model reads is built already."""
        if not self.known.names:
            return {}
        names, accounts = self.known.names, explanation.accounts.tolist() if self._read_by_model else []
        values = explanation.matrix[:, self._read_by_model][: len(accounts)]
        if len(accounts) < len(asked):
            built = facts.build(self.known, sorted(set(asked).difference(accounts)))
            accounts += built.index.tolist()
            values = np.concatenate([values, built[list(names)].to_numpy()]) if len(values) else built[list(names)].to_numpy()
        columns = {_KNOWN.get(name, name): values[:, names.index(name)] for name in (*_KNOWN, ORDERED) if name in names}
        return _placed(columns, accounts, asked)

    @cached_property
    def _read_by_model(self) -> list[int]:
        """Where the model reads revenue and satisfaction, too, as they are listed: the place of each; else none."""
        of_model = {definition.name: definition for definition in self.predictor.catalogue.definitions}
        names = list(self.bundle.feature_names)
        alike = all(one.name in names and of_model.get(one.name) == one for one in self.known.definitions)
        return [names.index(name) for name in self.known.names] if alike else []

    def _values(self, probability: NDArray[np.float64], known: Mapping[str, Any]) -> dict[str, NDArray[np.float64]]:
        """Compute the lifetime value of each account if it stays, and how much of it is at risk; nothing without revenue."""
        options, monthly = self.options, monthly_revenue(*(known.get(name) for name in ("mrr", ORDERED)))
        if monthly is None and options.costs.clv is None:
            return {}
        found = account_values(
            monthly,
            probability,
            base_rate=float(self.bundle.metadata["base_rate"]),
            horizon_days=self.label.outcome_days,
            margin=options.margin,
            discount_rate=options.discount_rate,
            average=options.costs.clv,
        )
        return {"clv": found.clv, "value_at_risk": found.value_at_risk}


def _placed(columns: Mapping[str, Any], accounts: Sequence[str], asked: Sequence[str]) -> dict[str, Any]:
    """Return columns of some accounts with a value for each account asked for, missing where there is none."""
    if list(accounts) == list(asked):
        return dict(columns)
    place = {account: number for number, account in enumerate(accounts)}
    rows = np.array([place.get(account, -1) for account in asked])
    return {name: pd.api.extensions.take(values, rows, allow_fill=True) for name, values in columns.items()}


def _declare_known(tables: BucketedTables, settings: FeatureSettings, cutoff: int) -> Catalogue:
    plain = FeatureSettings(windows=settings.windows, sla_hours=settings.sla_hours, families=("surveys", "billing", "orders"))
    # none of them is a category, whose texts would be counted in all rows
    without = plain.model_copy(update={"leave_out": tuple(declare(tables.empty, plain, cutoff=cutoff).codes)})
    # with the settings of the model, whose streams are then read
    return replace(declare(tables, without, cutoff=cutoff).only([*_KNOWN, ORDERED]), settings=settings)


# the models that this process has opened, by their seal: a worker scores many buckets with one
_OPENED: dict[str, Predictor] = {}


@dataclass(frozen=True)
class ShippedScorer:
    """A scorer sent to other machines: the model travels as the bytes of its files, and its seal is checked on arrival.

    >>> ShippedScorer(None, "", {"threads": 1}).settings["threads"]
    1
    """

    files: Any  # its `value` is what `Bundle.files` gave: for example a broadcast variable, which each machine gets once
    digest: str  # the seal of the bundle
    settings: Mapping[str, Any]  # every parameter of `Scorer` but the model

    @classmethod
    def of(cls, scorer: Scorer, files: Any) -> ShippedScorer:
        """Prepare a scorer for sending."""
        others = {field.name: getattr(scorer, field.name) for field in fields(scorer) if field.name != "predictor"}
        return cls(files, scorer.bundle.digest, {**others, "threads": 1})

    def __call__(self, bucket: Tables) -> pa.Table:
        """Return the rows of the accounts of one bucket."""
        return Scorer(predictor=_open(self.files.value, self.digest), **self.settings)(bucket)


def _open(files: Mapping[str, bytes], digest: str) -> Predictor:
    """Open a model, once in each process."""
    if digest not in _OPENED:
        if digest_of(files) != digest:
            raise RuntimeError("the model that arrived is not the one that was sent")
        values = {name: json_values(content, name) for name, content in files.items() if name.endswith(".json")}
        _OPENED.clear()
        _OPENED[digest] = Predictor.of(Bundle.from_files(MappingProxyType(dict(files)), values))
    return _OPENED[digest]
