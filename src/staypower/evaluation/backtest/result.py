"""The result of a backtest: fold by fold, pooled, by age of the model, and how calibration drifts."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from staypower.cutoffs import text_of
from staypower.evaluation.backtest.wording import headline_of, text_of_backtest

if TYPE_CHECKING:
    from staypower.evaluation.backtest.ageing import AgePoint
    from staypower.evaluation.result import Evaluation
    from staypower.results.pictures import Picture

__all__ = ["Backtest", "FoldResult"]

_SHOWN = (
    "auroc",
    "average_precision",
    "log_loss",
    "brier_skill",
    "calibration_error",
    "lift_10",
    "precision_at_capacity",
    "recall_at_capacity",
    "empc",
)


@dataclass(frozen=True, eq=False)
class FoldResult:
    """One fold: what it learned from, and how it did on the cutoff after."""

    cutoff: int  # its test cutoff
    learned_from: int  # first and last cutoff learned from
    trained_until: int  # first and last cutoff learned from
    learned_rows: int
    learned_accounts: int
    split: str  # `temporal` or `grouped`: where tree count and calibration come from
    how: str  # the same in words
    evaluation: Evaluation  # the model and its baselines on the test cutoff's rows

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        instants = {name: text_of(getattr(self, name)) for name in ("cutoff", "learned_from", "trained_until")}
        plain = {name: getattr(self, name) for name in ("learned_rows", "learned_accounts", "split", "how")}
        return {**instants, **plain, "evaluation": self.evaluation.to_dict()}


@dataclass(frozen=True, eq=False)
class Backtest:
    """A rolling origin: every fold, all of them pooled, and the model by age.

    Parameters
    ----------
    folds : tuple of FoldResult
        The earliest first.
    pooled : Evaluation
        The fresh predictions of all folds together.
    ages : tuple of AgePoint
        The same models tested later and later.
    left_out : tuple of str
        Folds that could not be made, and why.
    """

    folds: tuple[FoldResult, ...]
    pooled: Evaluation
    ages: tuple[AgePoint, ...]
    left_out: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """The verdict in words; what the model does not beat comes first."""
        return headline_of(self)

    def metrics(self) -> Mapping[str, float]:
        """Return the pooled metrics that exist, the spread of AUROC over folds, and the change with age."""
        found = dict(self.pooled.metrics())
        ranked = [fold.evaluation.metrics()["auroc"] for fold in self.folds if "auroc" in fold.evaluation.metrics()]
        if ranked:
            found |= {"folds": len(self.folds), "auroc_lowest_fold": min(ranked), "auroc_highest_fold": max(ranked)}
        if len(self.ages) > 1 and self.ages[1].auroc_change.known:
            found["auroc_change_one_cutoff_older"] = self.ages[1].auroc_change.value
        return MappingProxyType(found)

    def frame(self, table: Literal["folds", "scorers", "ages", "calibration"] = "folds") -> pd.DataFrame:
        """Return a table of the backtest.

        Parameters
        ----------
        table : {"folds", "scorers", "ages", "calibration"}, default "folds"
            One row per fold and scorer; per scorer, pooled; per age of the model; or per fold, what was predicted and what
            happened. A measure with an interval takes three columns.

        Returns
        -------
        DataFrame
        """
        if table == "scorers":
            return self.pooled.frame()
        if table == "ages":
            return pd.DataFrame([_spread(asdict(point)) for point in self.ages])
        if table == "calibration":
            return pd.DataFrame([_calibration(fold) for fold in self.folds])
        frames = [
            fold.evaluation.frame().assign(
                cutoff=text_of(fold.cutoff), trained_until=text_of(fold.trained_until), learned_rows=fold.learned_rows
            )
            for fold in self.folds
        ]
        found = pd.concat(frames, ignore_index=True)
        first = ["cutoff", "trained_until", "learned_rows", "scorer"]
        return found[[*first, *(name for name in found.columns if name not in first)]]

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the curves as JSON-able values; what is missing is None."""
        plain = {
            "headline": self.headline,
            "folds": [fold.to_dict() for fold in self.folds],
            "pooled": self.pooled.to_dict(),
            "ages": [asdict(point) for point in self.ages],
            "calibration": self.frame("calibration").to_dict("records"),
            "left_out": list(self.left_out),
            "metrics": dict(self.metrics()),
        }
        cleaned: dict[str, Any] = _clean(plain)
        return cleaned

    def text(self) -> str:
        """Return the backtest as plain text of at most 100 columns."""
        return text_of_backtest(self)

    def plot(self, picture: str = "folds") -> Picture:
        """Draw a picture.

        Parameters
        ----------
        picture : str, default "folds"
            `folds`, or `ageing` when there are several folds.

        Returns
        -------
        Picture
            A matplotlib figure.

        Raises
        ------
        UsageError
            When there is no such picture of this result.
        """
        # only a picture needs matplotlib; scoring must do without it
        from staypower.evaluation.backtest.drawing import draw

        return draw(self, picture)

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        model = self.frame()
        model = model[model["scorer"] == self.pooled.model]
        columns = ["cutoff", "trained_until", *(name for name in _SHOWN if name in model and model[name].notna().any())]
        table = model[columns].round(4).to_html(index=False, na_rep="")
        ages = self.frame("ages").round(4).to_html(index=False, na_rep="")
        return f"<p><b>{html.escape(self.headline)}</b></p>{table}<p>By age of the model</p>{ages}"


def _calibration(fold: FoldResult) -> dict[str, Any]:
    found, row = fold.evaluation, fold.evaluation.scorers[fold.evaluation.model]
    rate, error = found.base_rate, row["calibration_error"]
    return {
        "cutoff": text_of(fold.cutoff),
        "trained_base_rate": found.train_base_rate,
        "predicted": row["mean_score"].value,
        "observed": rate.value,
        "observed_low": rate.low,
        "observed_high": rate.high,
        "calibration_error": error.value,
        "calibration_error_low": error.low,
        "calibration_error_high": error.high,
    }


def _spread(row: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            flat |= {name: value["value"], f"{name}_low": value["low"], f"{name}_high": value["high"]}
        else:
            flat[name] = value
    return flat


def _clean(value: Any) -> Any:
    """Replace what JSON cannot say (not a number, infinite) by None."""
    if isinstance(value, Mapping):
        return {key: _clean(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
