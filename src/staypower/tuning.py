"""Tuning: the search for better settings of the model, and whether the best are better than the defaults.

The defaults come first, then what Optuna proposes, fold by fold, pruned early when it falls behind. What is searched is the
size and regularisation of the trees, within the shapes that stay cheap to explain. The study is kept in a SQLite file, so that
a search that was stopped can be resumed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pandas as pd
import yaml
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState

from staypower.errors import Problem, UsageError
from staypower.evaluation.measures import DECISIVE, METRICS
from staypower.evaluation.resampling import Estimate
from staypower.progress import counter
from staypower.results.numbers import UNKNOWN, plain, plural
from staypower.results.result import Block, Heading, Result, TableBlock, Verbatim

if TYPE_CHECKING:
    from staypower.results.pictures import Picture

__all__ = ["Budget", "Range", "Search", "TUNED", "Trial", "Tuning", "propose", "search_settings"]

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
    by_accounts : bool, default False
        Whether the folds and the test are accounts of one cutoff, not cutoffs.
    """

    trials: tuple[Trial, ...]
    folds: tuple[str, ...]
    on_folds: Mapping[str, Estimate]
    later: Mapping[str, Estimate]
    test: tuple[str, ...]
    by_accounts: bool = False

    @property
    def unseen(self) -> str:
        """What the best settings are confirmed on."""
        return "other accounts" if self.by_accounts else "later cutoffs"

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
            return f"{losses}; there are no {self.unseen} to confirm it on."
        found = self.later[DECISIVE]
        change = f"{metric.write_difference(found, more=1)} on {self.unseen}"
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
            f"{plural(len(self.trials), 'trial')}: {states}. Folds tested {'on' if self.by_accounts else 'at'} "
            f"{', '.join(self.folds)}.",
        ]
        if self.on_folds:
            metrics = [METRICS[name] for name in self.on_folds]
            compared = {"on the folds (optimistic: chosen on them)": self.on_folds}
            if self.later:
                which = f"on {self.unseen}" if self.by_accounts else f"at {', '.join(self.test)}"
                compared[f"{which} (never seen by the search)"] = self.later
            rows = [
                [where, *(metric.write_difference(each[metric.name], more=1) for metric in metrics)]
                for where, each in compared.items()
            ]
            found.append(TableBlock(["", *(metric.label for metric in metrics)], rows, "Tuned minus default"))
        best = self.frame().head(_SHOWN)
        cells = [[_cell(value) for value in row] for row in best.itertuples(index=False)]
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


def _cell(value: object) -> str:
    if isinstance(value, float):
        return UNKNOWN if value != value else f"{value:.4g}"
    return str(value)


_DEFAULT = "default"
_STARTERS = 8


@dataclass(frozen=True)
class Range:
    """The values within which a setting is searched."""

    low: float
    high: float
    whole: bool = False  # whether only whole numbers are tried
    log: bool = False  # whether it is searched on a logarithmic scale


TUNED: dict[str, Range] = {
    "num_leaves": Range(3, 31, whole=True, log=True),
    "max_depth": Range(2, 6, whole=True),
    "learning_rate": Range(0.01, 0.15, log=True),
    "min_child_samples": Range(5, 500, whole=True, log=True),
    "l2": Range(0.01, 100.0, log=True),
    "feature_fraction": Range(0.15, 1.0),
    "bagging_fraction": Range(0.3, 1.0),
}
"""Fields of `ModelSettings`. Deeper or larger trees are not searched: they cost more to explain and were never better."""


def propose(trial: optuna.trial.Trial) -> dict[str, Any]:
    """Ask a trial for a value of every setting.

    >>> from optuna.trial import FixedTrial
    >>> tried = {"num_leaves": 8, "max_depth": 4, "learning_rate": 0.0412345, "min_child_samples": 60, "l2": 1.0,
    ...          "feature_fraction": 0.4, "bagging_fraction": 0.6}
    >>> propose(FixedTrial(tried))["learning_rate"]
    0.0412
    """
    return {name: _ask(trial, name, within) for name, within in TUNED.items()}


def _ask(trial: optuna.trial.Trial, name: str, within: Range) -> int | float:
    if within.whole:
        return int(trial.suggest_int(name, int(within.low), int(within.high), log=within.log))
    ask: Callable[..., float] = trial.suggest_float
    return float(f"{ask(name, within.low, within.high, log=within.log):.3g}")


@dataclass(frozen=True)
class Budget:
    """When the search stops.

    >>> Budget(trials=30).minutes is None
    True
    """

    trials: int | None = None  # after so many trials, those of a resumed run included; at least 2
    minutes: float | None = None  # after so many minutes of this run, above 0

    def __post_init__(self) -> None:
        problems = []
        if self.trials is None and self.minutes is None:
            problems.append(Problem("no budget", "neither trials nor minutes", "give one of them, such as 30 trials"))
        if self.trials is not None and self.trials < 2:
            problems.append(Problem("too few trials", str(self.trials), "give at least 2: the first tries the defaults"))
        if self.minutes is not None and not (math.isfinite(self.minutes) and self.minutes > 0):
            problems.append(Problem("no time", f"{self.minutes:g} minutes", "give a number of minutes above 0"))
        if problems:
            raise UsageError(problems)


@dataclass(frozen=True)
class Search:
    """Where a search is kept, and how long it runs."""

    file: Path  # SQLite file; created if it does not exist
    name: str  # of the study: the same question has the same name
    budget: Budget
    seed: int = 0
    resume: bool = False  # resume a study of this name; otherwise it starts again


def search_settings(
    search: Search,
    losses: Callable[[dict[str, Any]], Sequence[Callable[[], tuple[float, int]]]],
    *,
    defaults: dict[str, Any],
    report: Callable[[Trial], object] = lambda _: None,
) -> tuple[Trial, ...]:
    """Search for the settings of the lowest held-out loss."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = _open(search)
    if not study.trials:
        inside = {name: min(max(value, TUNED[name].low), TUNED[name].high) for name, value in defaults.items() if name in TUNED}
        study.enqueue_trial(inside, user_attrs={_DEFAULT: True})

    def objective(trial: optuna.trial.Trial) -> float:
        proposed = propose(trial)
        overrides = {} if trial.user_attrs.get(_DEFAULT) else proposed
        total, rows = 0.0, 0
        for step, fold in enumerate(losses(overrides)):
            lost, count = fold()
            total, rows = total + lost, rows + count
            trial.report(total / rows, step)
            if overrides and trial.should_prune():
                raise optuna.TrialPruned
        return total / rows

    left = None if search.budget.trials is None else max(0, search.budget.trials - _done(study))
    tick = counter(left) if left else None

    def ended(_: optuna.Study, trial: FrozenTrial) -> None:
        report(_trial_of(trial))
        if tick is not None:
            tick()

    seconds = None if search.budget.minutes is None else 60 * search.budget.minutes
    if left != 0:
        study.optimize(objective, n_trials=left, timeout=seconds, callbacks=[ended])
    return tuple(_trial_of(trial) for trial in study.trials if trial.state.is_finished())


def _open(search: Search) -> optuna.Study:
    search.file.parent.mkdir(parents=True, exist_ok=True)
    storage = optuna.storages.RDBStorage(f"sqlite:///{search.file.absolute()}")
    there = search.name in optuna.get_all_study_names(storage)
    if there and not search.resume:
        optuna.delete_study(study_name=search.name, storage=storage)
    # the same run proposes the same; a resumed one must not propose the first trials again
    before = len(optuna.load_study(study_name=search.name, storage=storage).trials) if there and search.resume else 0
    seed = int(np.random.SeedSequence([search.seed, before]).generate_state(1)[0])
    sampler = TPESampler(seed=seed, n_startup_trials=_STARTERS)
    study = optuna.create_study(
        storage=storage,
        study_name=search.name,
        direction="minimize",
        sampler=sampler,
        pruner=MedianPruner(n_startup_trials=_STARTERS),
        load_if_exists=True,
    )
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        # its process died
        study.tell(trial.number, state=TrialState.FAIL)
        if trial.user_attrs.get(_DEFAULT):
            study.enqueue_trial(trial.params, user_attrs={_DEFAULT: True})
    return study


def _done(study: optuna.Study) -> int:
    return sum(trial.state in (TrialState.COMPLETE, TrialState.PRUNED) for trial in study.trials)


def _trial_of(trial: FrozenTrial) -> Trial:
    tried = {} if trial.user_attrs.get(_DEFAULT) else {name: _written(name, trial.params[name]) for name in trial.params}
    states = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned"}
    loss = trial.value if trial.state == TrialState.COMPLETE and trial.value is not None else math.nan
    seconds = trial.duration.total_seconds() if trial.duration is not None else math.nan
    return Trial(trial.number, tried, loss, states.get(trial.state, "failed"), seconds)


def _written(name: str, value: Any) -> int | float:
    return int(value) if TUNED[name].whole else float(f"{value:.3g}")
