"""What a search found, and whether it gained anything."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml

from staypower.evaluation.resampling import Estimate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Trial", "Tuning"]


@dataclass(frozen=True)
class Trial:
    """One try.

    >>> Trial(0, {}, 0.3, "complete", 1.0).is_default
    True
    """

    number: int
    settings: Mapping[str, int | float]  # overrides of the defaults; empty for the defaults themselves
    loss: float  # held-out log loss over the folds; NaN when it was not finished
    state: str  # `complete`, `pruned` or `failed`
    seconds: float  # of the clock

    @property
    def is_default(self) -> bool:
        """Whether these are the settings as shipped."""
        return not self.settings


@dataclass(frozen=True, eq=False)
class Tuning:
    """The best settings found, beside the defaults."""

    trials: tuple[Trial, ...]  # in the order of trying; the first finished one with no settings is the default
    folds: tuple[str, ...]  # the cutoffs that the folds were tested at
    # metric of the best settings minus that of the defaults on the folds' rows, over which they were chosen
    on_folds: Mapping[str, Estimate]
    later: Mapping[str, Estimate]  # the same on test cutoffs that the search never saw; empty when there are none
    test: tuple[str, ...]  # those cutoffs

    @property
    def finished(self) -> tuple[Trial, ...]:
        """The trials that went through every fold."""
        return tuple(trial for trial in self.trials if trial.state == "complete")

    @property
    def best(self) -> Trial:
        """The trial of the lowest loss; the defaults where they tie."""
        return min(self.finished, key=lambda trial: (trial.loss, not trial.is_default, trial.number))

    @property
    def default(self) -> Trial:
        """The trial of the defaults."""
        return next(trial for trial in self.finished if trial.is_default)

    @property
    def headline(self) -> str:
        """What came of it, in one sentence."""
        if self.best.is_default:
            return f"The default settings were the best of {len(self.finished)} finished trials: keep them."
        gain = self.default.loss - self.best.loss
        said = f"Log loss over the folds {self.best.loss:.4f} instead of {self.default.loss:.4f}"
        if not self.later:
            return f"{said} ({gain:.4f} lower); there are no later cutoffs to prove it on."
        found = self.later["log_loss"]
        shown = f"{found.value:+.4f} ({found.low:+.4f} to {found.high:+.4f}) on later cutoffs"
        if found.high < 0:
            return f"{said}, and {shown}: the tuned settings are better."
        if found.low > 0:
            return f"{said}, but {shown}: the defaults are better, keep them."
        return f"{said}, but {shown}: not shown to be better, the defaults are as good."

    @property
    def yaml(self) -> str:
        """The best settings, to be pasted into a config."""
        if self.best.is_default:
            return "# the default settings were the best: nothing to paste\n"
        return str(yaml.safe_dump({"model": dict(self.best.settings)}, sort_keys=False))

    def frame(self) -> pd.DataFrame:
        """Return one row a trial, best first: `trial, state, loss, seconds`, then the settings (missing: the default)."""
        rows = [{"trial": t.number, "state": t.state, "loss": t.loss, "seconds": t.seconds, **t.settings} for t in self.trials]
        return pd.DataFrame(rows).sort_values(["loss", "trial"], na_position="last", ignore_index=True)

    def text(self) -> str:
        """Return the headline, the differences, the best trials and what to paste."""
        counts = pd.Series([trial.state for trial in self.trials]).value_counts()
        lines = [
            self.headline,
            "",
            f"{len(self.trials)} trials: {', '.join(f'{n} {state}' for state, n in counts.items())}",
            f"folds tested at {', '.join(self.folds)}",
            *_differences("tuned minus default on the folds (over which it was chosen, so it flatters)", self.on_folds),
            *_differences(f"tuned minus default at {', '.join(self.test)} (never seen by the search)", self.later),
            "",
            self.frame().head(8).to_string(index=False, na_rep="", float_format=lambda value: f"{value:.4g}"),
            "",
            self.yaml.rstrip(),
        ]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "headline": self.headline,
            "best": dict(self.best.settings),
            "best_loss": self.best.loss,
            "default_loss": self.default.loss,
            "folds": list(self.folds),
            "test": list(self.test),
            "on_folds": {name: vars(found) for name, found in self.on_folds.items()},
            "later": {name: vars(found) for name, found in self.later.items()},
            "trials": [
                {**vars(t), "settings": dict(t.settings), "loss": t.loss if math.isfinite(t.loss) else None}
                for t in self.trials
            ],
        }

    def plot(self) -> Figure:
        """Draw the loss of every finished trial and the best so far."""
        from matplotlib.figure import Figure as Picture

        picture = Picture(figsize=(6.8, 4.0), dpi=130, layout="constrained")
        axes = picture.subplots()
        number = [trial.number for trial in self.finished]
        loss = pd.Series([trial.loss for trial in self.finished])
        axes.plot(number, loss, "o", color="#0072B2", markersize=4, label="trial")
        axes.step(number, loss.cummin(), where="post", color="#D55E00", label="best so far")
        axes.axhline(self.default.loss, color="#777777", linewidth=1, linestyle="--", label="default settings")
        axes.set_xlabel("trial")
        axes.set_ylabel("held-out log loss over the folds")
        axes.legend(fontsize=8)
        return picture

    def _repr_html_(self) -> str:
        return f"<p><b>{html.escape(self.headline)}</b></p>{self.frame().head(10).to_html(index=False, na_rep='')}"


def _differences(title: str, found: Mapping[str, Estimate]) -> Sequence[str]:
    if not found:
        return []
    said = [f"  {name}: {each.value:+.4f} ({each.low:+.4f} to {each.high:+.4f})" for name, each in found.items()]
    return [f"{title}:", *said]
