"""What the true probabilities reach: the bound of every model that sees only the tables."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from staypower.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Ceiling", "ceiling_of"]


@dataclass(frozen=True)
class Ceiling:
    """What the true probabilities reach against what happened.

    >>> Ceiling(10, 0.1, 0.8, 0.3, 0.08, 0.81).frame().shape
    (1, 6)
    """

    accounts: int  # accounts counted: active at the cutoff, no notice given, outcome over
    base_rate: float  # share that churned
    auroc: float  # of the true probability against what happened
    average_precision: float  # of the true probability against what happened
    brier: float  # of the true probability against what happened
    # the AUROC that the true probabilities reach on average over everything that could have happened: the same bound without
    # the luck of the draw
    expected_auroc: float

    def frame(self) -> pd.DataFrame:
        """Return the figures as one row."""
        return pd.DataFrame([asdict(self)])


def _expected_auroc(probability: NDArray[np.float64]) -> float:
    """Return the AUROC of probabilities against outcomes drawn from them, to first order in the number of accounts."""
    ordered = np.sort(probability)
    staying = np.cumsum(1 - ordered)
    below = staying - (1 - ordered)
    # Every leaving account beats the stayers ranked below it; ties are vanishingly rare but for exact zeros, where p = 0.
    pairs = float((ordered * below).sum())
    own = float((ordered * (1 - ordered)).sum())
    return pairs / (float(ordered.sum()) * float((1 - ordered).sum()) - own)


def ceiling_of(truth: pd.DataFrame) -> Ceiling:
    """Measure the true probabilities against what happened."""
    rows = truth[~truth["notice_given"].to_numpy(dtype=bool) & truth["churned"].notna().to_numpy()]
    happened = rows["churned"].to_numpy(dtype=np.int64)
    if len(np.unique(happened)) < 2:
        cutoffs = ", ".join(str(c.date()) for c in pd.DatetimeIndex(truth["cutoff"].unique())) or "none"
        raise UsageError.of(
            "no ceiling without both outcomes", f"cutoffs {cutoffs}", "choose an earlier cutoff or more accounts"
        )
    probability = rows["churn_probability"].to_numpy(dtype=np.float64)
    return Ceiling(
        accounts=len(rows),
        base_rate=float(happened.mean()),
        auroc=float(roc_auc_score(happened, probability)),
        average_precision=float(average_precision_score(happened, probability)),
        brier=float(brier_score_loss(happened, np.clip(probability, 0, 1))),
        expected_auroc=_expected_auroc(probability),
    )
