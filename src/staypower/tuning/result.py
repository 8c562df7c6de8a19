"""The result of tuning: what was tried, and whether the best settings are better than the defaults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml

from staypower.evaluation.measures import DECISIVE, METRICS
from staypower.evaluation.resampling import Estimate
from staypower.results.numbers import UNKNOWN, plain, plural
from staypower.results.result import Block, Heading, Result, TableBlock, Verbatim

if TYPE_CHECKING:
    from staypower.results.pictures import Picture

__all__ = ["Trial", "Tuning"]

_SHOWN = 8


@dataclass(frozen=True)
class Trial:
    """One set of settings that was tried.

    >>> Trial(0, {}, 0.3, "complete", 1.0).is_default
    True
    """

    number: int
    settings: Mapping[str, int | float]  # overrides of the defaults; empty for the defaults themselves
    loss: float  # held-out log loss over the folds; NaN when it was not finished
    state: str  # `complete`, `pruned` or `failed`
    seconds: float  # elapsed time

    @property
    def is_default(self) -> bool:
        """Whether these are the default settings."""
        return not self.settings


@dataclass(frozen=True, eq=False)
class Tuning(Result):
    """The best settings found, compared with the defaults.

    Its picture is `search`: the loss of every finished trial and the best so far.

    Parameters
    ----------
    trials : tuple of Trial
        In the order of trying; the first finished one without settings is the default.
    folds : tuple of str
        The cutoffs that the folds were tested at.
    on_folds : mapping of str to Estimate
        Metric of the best settings minus that of the defaults on the rows of the folds, on which they were chosen.
    later : mapping of str to Estimate
        The same on test cutoffs that the search never saw; empty when there are none.
    test : tuple of str
        Those cutoffs.
    """

    trials: tuple[Trial, ...]
    folds: tuple[str, ...]
    on_folds: Mapping[str, Estimate]
    later: Mapping[str, Estimate]
    test: tuple[str, ...]

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
        """The result in one sentence."""
        if self.best.is_default:
            return f"The default settings were the best of {len(self.finished)} finished trials: keep them."
        metric = METRICS[DECISIVE]
        losses = f"Held-out {metric.label} {self.best.loss:.4f} instead of {self.default.loss:.4f}"
        if not self.later:
            return f"{losses}; there are no later cutoffs to confirm it on."
        found = self.later[DECISIVE]
        change = f"{metric.write_difference(found, more=1)} on later cutoffs"
        if found.high < 0:
            return f"{losses}, and {change}: the tuned settings are better."
        if found.low > 0:
            return f"{losses}, but {change}: the defaults are better, keep them."
        return f"{losses}, but {change}: not significantly better than the defaults (the 95% interval includes 0)."

    @property
    def yaml(self) -> str:
        """The best settings, to be pasted into a config."""
        if self.best.is_default:
            return "# the default settings were the best: nothing to paste\n"
        return str(yaml.safe_dump({"model": dict(self.best.settings)}, sort_keys=False))

    def blocks(self) -> list[Block]:
        """Return the headline, the differences, the best trials and what to paste."""
        states = ", ".join(f"{number} {state}" for state, number in Counter(trial.state for trial in self.trials).most_common())
        found: list[Block] = [
            self.headline,
            f"{plural(len(self.trials), 'trial')}: {states}. Folds tested at {', '.join(self.folds)}.",
        ]
        if self.on_folds:
            metrics = [METRICS[name] for name in self.on_folds]
            compared = {"on the folds (optimistic: chosen on them)": self.on_folds}
            if self.later:
                compared[f"at {', '.join(self.test)} (never seen by the search)"] = self.later
            rows = [
                [where, *(metric.write_difference(each[metric.name], more=1) for metric in metrics)]
                for where, each in compared.items()
            ]
            found.append(TableBlock(["", *(metric.label for metric in metrics)], rows, "Tuned minus default"))
        best = self.frame().head(_SHOWN)
        cells = [[_written(value) for value in row] for row in best.itertuples(index=False)]
        found += [TableBlock([str(name) for name in best.columns], cells, "Best trials")]
        return [*found, Heading("Settings to paste into the config"), Verbatim(self.yaml.splitlines())]

    def frame(self) -> pd.DataFrame:
        """Return one row per trial, best first: `trial, state, loss, seconds`, then the settings (missing: the default)."""
        rows = [{"trial": t.number, "state": t.state, "loss": t.loss, "seconds": t.seconds, **t.settings} for t in self.trials]
        return pd.DataFrame(rows).sort_values(["loss", "trial"], na_position="last", ignore_index=True)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        values = {
            "headline": self.headline,
            "best": self.best.settings,
            "best_loss": self.best.loss,
            "default_loss": self.default.loss,
            "folds": self.folds,
            "test": self.test,
            "on_folds": {name: vars(found) for name, found in self.on_folds.items()},
            "later": {name: vars(found) for name, found in self.later.items()},
            "trials": [vars(trial) for trial in self.trials],
        }
        return {name: plain(value) for name, value in values.items()}

    def pictures(self) -> Mapping[str, Callable[[], Picture]]:
        """Return the picture of the search."""
        return {"search": self._draw}

    def _draw(self) -> Picture:
        """Draw the loss of every finished trial and the best so far."""
        from staypower.results.pictures import COLOURS, GREY, Picture, label_axes

        picture = Picture(figsize=(6.8, 4.0), dpi=130, layout="constrained")
        axes = picture.subplots()
        number = [trial.number for trial in self.finished]
        loss = pd.Series([trial.loss for trial in self.finished])
        axes.plot(number, loss, "o", color=COLOURS[0], markersize=4, label="trial")
        axes.step(number, loss.cummin(), where="post", color=COLOURS[1], label="best so far")
        axes.axhline(self.default.loss, color=GREY, linewidth=1, linestyle="--", label="default settings")
        label_axes(axes, "trial", f"held-out {METRICS[DECISIVE].label} over the folds")
        axes.legend(fontsize=8)
        return picture


def _written(value: object) -> str:
    if isinstance(value, float):
        return UNKNOWN if value != value else f"{value:.4g}"
    return str(value)
