"""The kind of churn: how much of an account's churn probability is its own choice, and how much a payment that fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from staypower.dataset.building import Dataset
from staypower.errors import UsageError
from staypower.labels.population import ChurnKind
from staypower.labels.settings import LabelSettings
from staypower.models.bundle import Bundle, SealedModel
from staypower.models.secondary import fit_secondary
from staypower.models.settings import ModelSettings
from staypower.results.numbers import percent

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LEAST_OF_A_KIND", "NAME", "KindModel", "fit_kinds", "kinds_of", "split_by_kind"]


NAME = "kinds"
"""The model's name in the bundle."""

LEAST_OF_A_KIND = 30
"""With fewer accounts of the rarer kind the share among the training rows is taken for every account."""

# Churners are few, and near copies of themselves at several cutoffs. Smaller trees (2 or 4 leaves) were never better in
# benchmarks/horizons.py: the signal is a failed payment *and* how long ago it was.
_RESTRAINT: dict[str, float] = {"num_leaves": 8, "max_depth": 4, "l2": 1.0, "learning_rate": 0.03}


@dataclass(frozen=True)
class KindModel:
    """P(voluntary | churn), read from a bundle's secondary model.

    >>> from staypower.models.secondary import constant_model
    >>> sealed = constant_model(6, 2, feature="seats", metadata={})
    >>> KindModel(sealed).split(pd.DataFrame({"seats": [1.0]}), np.array([0.2])).round(3).to_dict("records")
    [{'p_voluntary': 0.14, 'p_involuntary': 0.06}]
    """

    sealed: SealedModel

    def share(self, X: pd.DataFrame, *, threads: int | None = None) -> NDArray[np.float64]:
        """Return P(voluntary | churn) of each row."""
        return self.sealed.predict(X, threads=threads)

    def split(self, X: pd.DataFrame, churn_probability: NDArray[np.float64], *, threads: int | None = None) -> pd.DataFrame:
        """Divide each churn probability between the kinds; see `split_by_kind`."""
        voluntary, involuntary = split_by_kind(churn_probability, self.share(X, threads=threads))
        return pd.DataFrame({"p_voluntary": voluntary, "p_involuntary": involuntary})


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
    bundle: Bundle, X: pd.DataFrame, churn_probability: NDArray[np.float64], *, threads: int | None = None
) -> pd.DataFrame:
    """Divide churn probabilities by kind with a sealed model."""
    if len(X) != len(churn_probability):
        raise UsageError.of("probabilities do not match X", f"{len(churn_probability)} for {len(X)} rows", "give one per row")
    sealed = bundle.secondary.get(NAME)
    if sealed is None:
        return pd.DataFrame(index=pd.RangeIndex(len(X)))
    return KindModel(sealed).split(X, churn_probability, threads=threads)
