"""Secondary models: churn within other horizons, and the kind of churn; trees, or one probability where accounts are too few.

The churn model gives the probability of churn within its own horizon. A step before it is P(churn within the shorter horizon |
churn within the longer one), a step after it P(churn within the longer horizon | no churn within the shorter one). So the curve
passes through the churn model's own probability and never falls. The kind of churn is P(voluntary | churn): how much of the
probability is the account's own choice, and how much a payment that fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from staypower.cutoffs import text_of
from staypower.dataset.building import Dataset
from staypower.errors import UsageError
from staypower.labels.churn import find_horizon_labels
from staypower.labels.population import ChurnKind
from staypower.labels.settings import LabelSettings
from staypower.models.binned import BinnedFeatures
from staypower.models.bundle import Bundle, SealedModel
from staypower.models.calibration import SigmoidMap
from staypower.models.settings import HorizonSettings, ModelSettings, TreeShape
from staypower.models.training_rows import TrainingRows
from staypower.models.trees import Grower, portable_text
from staypower.results.numbers import percent
from staypower.tables import BucketedTables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "HorizonModel",
    "LEAST_OF_A_KIND",
    "LEAST_OF_A_SIDE",
    "KINDS",
    "constant_model",
    "fit_kinds",
    "fit_secondary",
    "horizons_of",
    "horizons_to_fit",
    "kinds_of",
    "split_by_kind",
]

# with fewer accounts on the rarer side of a step, or of the rarer kind, the share among the training rows is taken for all
LEAST_OF_A_SIDE = 20
_PREFIX = "horizon_"
# Steps before the own horizon are fitted on churned accounts only, which are few: small trees, strongly shrunk.
_AMONG_CHURNERS: dict[str, float] = {"num_leaves": 4, "max_depth": 2, "l2": 10.0}
KINDS = "kinds"  # the model's name in the bundle
LEAST_OF_A_KIND = 30
# Churners are few, and near copies of themselves at several cutoffs. Smaller trees (2 or 4 leaves) were never better in
# benchmarks/horizons.py: the signal is a failed payment *and* how long ago it was.
_RESTRAINT: dict[str, float] = {"num_leaves": 8, "max_depth": 4, "l2": 1.0, "learning_rate": 0.03}


def fit_secondary(
    dataset: Dataset,
    rows: NDArray[np.bool_],
    ones: NDArray[np.bool_],
    settings: ModelSettings,
    *,
    least: int,
    names: tuple[str, str],
    metadata: Mapping[str, Any],
) -> SealedModel:
    """Fit a model of `ones` among some rows; with fewer than `least` accounts on the rarer side, take the share of the rows.

    The metadata name the method (`trees` or `share`), the rows of both sides by their names, and the accounts of the rarer one.
    """
    from staypower.models.churn import ChurnClassifier  # it needs scikit-learn, which reading the models does not

    chosen, features = dataset.where(rows), dataset.catalogue.names
    sides = [chosen.where(ones[chosen.index] == side) for side in (True, False)]
    counts = {name: len(side) for name, side in zip(names, sides, strict=True)}
    rarer = min(side.distinct_accounts for side in sides)
    known = {**metadata, "rows": counts, "rarer_accounts": rarer}
    if rarer < least:
        return constant_model(*counts.values(), feature=features[0], metadata=known)
    model = ChurnClassifier.from_settings(settings, categorical_features=list(dataset.matrix.categories) or None)
    model.set_params(margin=False)  # they divide the churn model's probability, which a margin has already carried further
    model.fit(chosen.X, ones[chosen.index].astype(np.int8), cutoffs=chosen.cutoffs, accounts=chosen.accounts)
    known |= {"method": "trees", "fit": model.split_}
    return SealedModel(model.model_text_, model.calibration_, tuple(features), known, model.margin_)


def constant_model(ones: int, zeros: int, *, feature: str, metadata: Mapping[str, Any]) -> SealedModel:
    """Make a model that predicts the same for every row, in the same form as any other model.

    >>> constant_model(8, 0, feature="seats", metadata={}).predict(np.array([[1.0], [np.nan]])).round(6).tolist()
    [0.9, 0.9]
    """
    share = (ones + 1) / (ones + zeros + 2)
    shape = TreeShape.by_evidence(churners=1, accounts=2, rows=2)
    rows = TrainingRows(BinnedFeatures(np.zeros((2, 1))), np.array([0, 1], dtype=np.int8), None, np.arange(2), None)
    # one leaf of value 0; the calibration map alone gives the share
    grower = Grower(shape, max_trees=1, patience=1, seed=0, threads=1)
    text = portable_text(grower.grow(rows, trees=1).booster, trees=1)
    from scipy.special import logit  # takes long to load, and scoring does without it

    calibration = SigmoidMap(slope=1.0, intercept=float(logit(share)))
    return SealedModel(text, calibration, (feature,), {**metadata, "method": "share", "share": share})


@dataclass(frozen=True)
class HorizonModel:
    """The curve of churn over time, read from a bundle's secondary models."""

    own: int  # days of the churn model's own horizon
    gap: int  # days between the cutoff and the start of every outcome
    days: tuple[int, ...]  # horizons to report, ascending
    # of a horizon before the own one: P(churn within it | churn within the next longer one). Of one after it: P(churn within
    # it | no churn within the next shorter one)
    steps: Mapping[int, SealedModel]

    @classmethod
    def of(cls, bundle: Bundle) -> HorizonModel | None:
        """Find the model among a bundle's secondary models; None when it has none."""
        found = [sealed for name, sealed in bundle.secondary.items() if name.startswith(_PREFIX)]
        if not found:
            return None
        shared = found[0].metadata
        steps = {int(sealed.metadata["step"]): sealed for sealed in found}
        return cls(int(shared["own"]), int(shared["gap"]), tuple(shared["days"]), steps)

    def curve(
        self, X: pd.DataFrame | NDArray[np.float64], churn_probability: NDArray[np.float64], *, threads: int | None = None
    ) -> dict[int, NDArray[np.float64]]:
        """Return the probability of churn within every horizon that is known, the own one included."""
        own = np.asarray(churn_probability, dtype=np.float64)
        found, share, reached = {self.own: own}, np.ones(len(own)), own
        for days in sorted((days for days in self.steps if days < self.own), reverse=True):
            share = share * self.steps[days].predict(X, threads=threads)
            found[days] = own * share
        for days in sorted(days for days in self.steps if days > self.own):
            # added to what was reached, never taken from 1: rounding cannot make it fall
            reached = reached + (1.0 - reached) * self.steps[days].predict(X, threads=threads)
            found[days] = reached
        return dict(sorted(found.items()))

    def columns(
        self, X: pd.DataFrame | NDArray[np.float64], churn_probability: NDArray[np.float64], *, threads: int | None = None
    ) -> dict[str, NDArray[np.float64]]:
        """Return the reported horizons and the expected days to churn; parameters as in `curve`."""
        curve = self.curve(X, churn_probability, threads=threads)
        columns = {f"churn_probability_{days}d": curve[days] for days in self.days}
        return {**columns, "expected_days_to_churn": self.gap + _days_staying(curve)}


def _days_staying(curve: Mapping[int, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Integrate the probability of staying up to the longest horizon, a straight line between two of them."""
    first = next(iter(curve.values()))
    knots = {0: np.where(np.isnan(first), np.nan, 0.0), **curve}
    steps = [(high - low) * (1.0 - (knots[low] + knots[high]) / 2.0) for low, high in pairwise(knots)]
    return np.asarray(sum(steps), dtype=np.float64)


def horizons_of(
    bundle: Bundle, X: pd.DataFrame | NDArray[np.float64], churn_probability: NDArray[np.float64], *, threads: int | None = None
) -> dict[str, NDArray[np.float64]]:
    """Predict churn within the other horizons with a sealed model: the columns of what it predicts."""
    _require_one_each(X, churn_probability)
    model = HorizonModel.of(bundle)
    return {} if model is None else model.columns(X, churn_probability, threads=threads)


@dataclass(frozen=True)
class _Step:
    """The step between two neighbouring horizons, and the rows that it is fitted on."""

    days: int
    rows: NDArray[np.bool_]
    churned: NDArray[np.int8]
    among_churners: bool


FittedStep = tuple[str, SealedModel, tuple[str, ...]]  # its name in the bundle, the model, and notes


def horizons_to_fit(
    dataset: Dataset, tables: BucketedTables, label: LabelSettings, settings: HorizonSettings, model: ModelSettings
) -> tuple[list[Callable[[], FittedStep]], tuple[str, ...]]:
    """Return what fits each step, and notes on what is not fitted; the fits read no tables."""
    asked = [days for days in settings.days if days != label.horizon]
    if not asked:
        return [], ()
    reason = label.no_other_horizons
    if reason is not None:
        return [], (f"other horizons: none, {reason}",)
    steps, notes = _steps(dataset, tables, label, asked)
    made = sorted([step.days for step in steps] + [label.horizon])
    shared: dict[str, Any] = {"own": label.horizon, "gap": label.gap, "days": [days for days in settings.days if days in made]}
    return [partial(_fit_step, dataset, step, shared, model) for step in steps], tuple(notes)


def _steps(
    dataset: Dataset, tables: BucketedTables, label: LabelSettings, asked: Sequence[int]
) -> tuple[list[_Step], list[str]]:
    plan, trained = dataset.plan, dataset.rows("training", "calibration")
    # training outcomes must be known when the test begins; a snapshot's test is other accounts, not a later time
    until = None if plan.split == "snapshot" or not len(plan.test) else int(plan.test[0])
    found = find_horizon_labels(tables, label, plan.all, [*asked, label.horizon], known_until=until)
    places = dataset.places(found.population.accounts, plan.all)
    churned = {days: found.at(days)[places] for days in found.horizons}
    steps: list[_Step] = []
    shorter = [days for days in found.horizons if days <= label.horizon]
    for days, longer in reversed(list(pairwise(shorter))):
        steps.append(_Step(days, trained & (churned[longer] == 1), churned[days], True))
    before, notes = label.horizon, []
    for days in (days for days in found.horizons if days > label.horizon):
        rows = trained & (churned[days] >= 0) & (churned[before] == 0)
        if not rows.any():
            when = "in the data" if until is None else f"before the first test cutoff, {text_of(until)}"
            notes.append(f"{days} days: no training cutoff has so long an outcome complete {when}")
            continue
        steps.append(_Step(days, rows, churned[days], False))
        before = days
    return steps, notes


def _fit_step(dataset: Dataset, step: _Step, shared: Mapping[str, Any], model: ModelSettings) -> FittedStep:
    cutoffs = [text_of(int(cutoff)) for cutoff in np.unique(dataset.where(step.rows).cutoffs)]
    sealed = fit_secondary(
        *(dataset, step.rows, step.churned == 1),
        model.model_copy(update={"split": "grouped", **(_AMONG_CHURNERS if step.among_churners else {})}),
        least=LEAST_OF_A_SIDE,
        names=("churned", "not"),
        metadata={**shared, "step": step.days, "cutoffs": cutoffs},
    )
    if sealed.metadata["method"] == "trees":
        return f"{_PREFIX}{step.days}", sealed, ()
    of = "of those who churn" if step.among_churners else "of those who stayed until then"
    rarer, share = sealed.metadata["rarer_accounts"], percent(sealed.metadata["share"], 0)
    needed = f"only {rarer} accounts on the rarer side ({LEAST_OF_A_SIDE} are needed)"
    return f"{_PREFIX}{step.days}", sealed, (f"{step.days} days: {needed}: {share} {of} is taken for every account",)


def split_by_kind(
    churn_probability: NDArray[np.float64], share: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Divide churn probabilities so that both parts add up to them to the last bit.

    The larger part is the product and the smaller the rest. A rest that is at most half of the whole is exact in binary
    arithmetic (Sterbenz), so the sum is exact too; the other way round it would be off by a last bit now and then.

    >>> voluntary, involuntary = split_by_kind(np.array([0.3, 0.1]), np.array([0.7, 0.1]))
    >>> (voluntary + involuntary).tolist()
    [0.3, 0.1]
    """
    whole = np.asarray(churn_probability, dtype=np.float64)
    mostly = share >= 0.5
    larger = whole * np.where(mostly, share, 1.0 - share)
    smaller = whole - larger
    return np.where(mostly, larger, smaller), np.where(mostly, smaller, larger)


def fit_kinds(dataset: Dataset, label: LabelSettings, settings: ModelSettings) -> tuple[SealedModel | None, tuple[str, ...]]:
    """Fit P(voluntary | churn) on the churned rows of training and calibration.

    Churned rows without an end reason are left out: they are taken to be of the same kinds as others with the same features,
    so `p_voluntary + p_involuntary` is the whole churn probability, unknown reasons included.
    """
    if not label.involuntary_words:
        return None, ("kinds of churn: not predicted, `label.involuntary` names no end reasons",)
    if label.predicted != "any":
        return None, (f"kinds of churn: not predicted, the label is about {label.predicted} churn only",)
    kind = dataset.labels.kind[dataset.places(dataset.labels.population.accounts, dataset.plan.all)]
    churned = dataset.rows("training", "calibration") & (dataset.y == 1)
    known = churned & np.isin(kind, [ChurnKind.VOLUNTARY, ChurnKind.INVOLUNTARY])
    if not known.any():
        return None, ("kinds of churn: not predicted, no churned row in training has an `end_reason`",)
    unknown, of = int((churned & ~known).sum()), int(churned.sum())
    notes = [f"kinds of churn: {unknown} of {of} churned rows have no end reason and were not used"] if unknown else []
    sealed = fit_secondary(
        *(dataset, known, kind == ChurnKind.VOLUNTARY),
        settings.model_copy(update={"split": "grouped", **_RESTRAINT}),
        least=LEAST_OF_A_KIND,
        names=("voluntary", "involuntary"),
        metadata={},
    )
    if sealed.metadata["method"] == "share":
        rarer, share = sealed.metadata["rarer_accounts"], percent(sealed.metadata["share"], 0)
        notes.append(
            f"kinds of churn: only {rarer} accounts churned in the rarer way ({LEAST_OF_A_KIND} are needed): {share} of churn "
            "is taken as voluntary for every account"
        )
    return sealed, tuple(notes)


def kinds_of(
    bundle: Bundle, X: pd.DataFrame | NDArray[np.float64], churn_probability: NDArray[np.float64], *, threads: int | None = None
) -> dict[str, NDArray[np.float64]]:
    """Divide churn probabilities by kind with a sealed model: the columns of what it predicts."""
    _require_one_each(X, churn_probability)
    sealed = bundle.secondary.get(KINDS)
    if sealed is None:
        return {}
    voluntary, involuntary = split_by_kind(churn_probability, sealed.predict(X, threads=threads))
    return {"p_voluntary": voluntary, "p_involuntary": involuntary}


def _require_one_each(X: pd.DataFrame | NDArray[np.float64], churn_probability: NDArray[np.float64]) -> None:
    if len(X) != len(churn_probability):
        raise UsageError.of("probabilities do not match X", f"{len(churn_probability)} for {len(X)} rows", "give one per row")
