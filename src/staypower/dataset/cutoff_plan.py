"""Which cutoffs, and which pairs of account and cutoff, are for training, calibration and test."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from staypower.cutoffs import DAY, MISSING, Outcome, cutoffs_between, instant_of, text_of
from staypower.dataset.sampling import Sampling
from staypower.dataset.settings import CutoffSettings
from staypower.errors import Problem, UsageError
from staypower.labels.churn import LEAST_CHURNERS, LEAST_STAYERS, Labels, require_enough
from staypower.labels.settings import LabelSettings
from staypower.results.numbers import percent
from staypower.tables import BucketedTables

if TYPE_CHECKING:
    from numpy.typing import NDArray

Split = Literal["temporal", "grouped", "snapshot"]

FEWEST_TRAINING = 3
LEAST_TRAINING_CUTOFFS = 6
CALIBRATION_CUTOFFS = 3

_WORDS: Mapping[Split, str] = {
    "temporal": (
        "temporal: calibrated on later cutoffs than the trees were trained on (by cross-fitting if these have too few "
        "churners), tested on cutoffs later still"
    ),
    "grouped": "grouped: number of trees and calibration by cross-fitting over accounts, tested on later cutoffs",
    "snapshot": "snapshot: one cutoff split by account, not a temporal test",
}


@dataclass(frozen=True)
class CutoffPlan:
    """The cutoffs of a data set and their roles.

    The trees that are calibrated are trained on `early` alone. The rest of `training` lies within the embargo before
    `calibration`: its outcomes were not known then, so only the final trees are trained on it.

    >>> plan_snapshot("2025-01-01").words
    'snapshot: one cutoff split by account, not a temporal test'
    """

    # `temporal` when history is long enough for calibration cutoffs of their own, `grouped` when it is not, `snapshot` when
    # there is only one cutoff
    split: Split
    # instants, ascending; the embargo separates them. `calibration` is empty unless the split is temporal; for a snapshot
    # `training` and `test` are the same cutoff
    training: NDArray[np.int64]
    calibration: NDArray[np.int64]
    test: NDArray[np.int64]
    embargo: int  # days: gap + horizon + grace; 0 for a flag without a time
    # cutoffs within the embargo before the test: nothing that is tested is trained on them, the model that scores is
    between: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @property
    def all(self) -> NDArray[np.int64]:
        """Every cutoff that has a role, ascending."""
        return np.unique(np.concatenate([self.training, self.calibration, self.between, self.test]))

    def with_between(self, every: int) -> CutoffPlan:
        """Add the cutoffs within the embargo before the test, every so many days.

        >>> plan = plan_cutoffs(CutoffSettings(), Outcome(horizon=90, grace=30), first=instant_of("2022-01-01"),
        ...                     observed_until=instant_of("2025-01-01")).with_between(30)
        >>> text_of(plan.trained_until), [text_of(cutoff) for cutoff in plan.between], text_of(int(plan.test[0]))
        ('2024-03-07', ['2024-04-06', '2024-05-06', '2024-06-05'], '2024-07-05')
        """
        if self.split == "snapshot":
            return self
        last = int(self.test[0]) - every * DAY
        first = self.trained_until + every * DAY
        steps = max(0, (last - first) // (every * DAY) + 1)
        return replace(self, between=last - np.arange(steps, dtype=np.int64)[::-1] * (every * DAY))

    @property
    def early(self) -> NDArray[np.int64]:
        """The training cutoffs whose outcomes were known at the first calibration cutoff; all of them without one."""
        if not len(self.calibration):
            return self.training
        known = self.training + self.embargo * DAY <= int(self.calibration[0])
        return np.asarray(self.training[known])

    @property
    def trained_until(self) -> int:
        """The last cutoff of training and calibration."""
        return int(np.concatenate([self.training, self.calibration]).max())

    @property
    def words(self) -> str:
        """The split in words."""
        return _WORDS[self.split]

    def to_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        roles: dict[str, object] = {name: [text_of(cutoff) for cutoff in getattr(self, name)] for name in PARTS}
        return {"split": self.split, "split_in_words": self.words, "embargo_days": self.embargo, **roles}


def plan_snapshot(at: str | int, outcome: Outcome | None = None) -> CutoffPlan:
    """Plan for one cutoff: accounts are divided by a hash of their id. A flag without a time has no outcome."""
    cutoff = np.array([instant_of(at)], dtype=np.int64)
    return CutoffPlan("snapshot", cutoff, np.zeros(0, dtype=np.int64), cutoff, outcome.embargo if outcome else 0)


def plan_cutoffs(settings: CutoffSettings, outcome: Outcome, *, first: int, observed_until: int) -> CutoffPlan:
    """Plan the cutoffs of one run.

    >>> plan = plan_cutoffs(CutoffSettings(), Outcome(horizon=90, grace=30), first=instant_of("2022-01-01"),
    ...                     observed_until=instant_of("2025-01-01"))
    >>> plan.split, len(plan.training), len(plan.calibration), len(plan.test)
    ('temporal', 18, 3, 3)
    """
    last = outcome.last_mature(observed_until)
    begin = first + settings.min_history * DAY
    if first == MISSING or last <= begin:
        need = settings.min_history + outcome.embargo
        held = "no rows" if first == MISSING else f"{text_of(first // DAY * DAY)} to {text_of(observed_until // DAY * DAY)}"
        fix = f"{need} days are needed: shorten `label.horizon` or `cutoffs.min_history`, or give longer histories"
        raise UsageError.of("history too short for one cutoff with a complete outcome", held, fix)
    test = cutoffs_to_test(settings, outcome, begin=begin, last=last)
    found = plan_before(test, outcome, every=settings.every, count=max(settings.count - len(test), 1), begin=begin)
    return plan_snapshot(int(test[-1]), outcome) if found is None else found


def plan_before(test: NDArray[np.int64], outcome: Outcome, *, every: int, count: int, begin: int) -> CutoffPlan | None:
    """Plan training and calibration before some test cutoffs, with as many cutoffs as fit; None when none fits."""
    training = cutoffs_between(int(test[0]) - outcome.embargo * DAY, every=every, count=count, first=begin)
    if not len(training):
        return None
    temporal = _with_calibration(training, outcome)
    if temporal is None:
        return CutoffPlan("grouped", training, np.zeros(0, dtype=np.int64), test, outcome.embargo)
    return CutoffPlan("temporal", *temporal, test, outcome.embargo)


def cutoffs_to_test(settings: CutoffSettings, outcome: Outcome, *, begin: int, last: int) -> NDArray[np.int64]:
    """Return the cutoffs that a run tests at."""
    if settings.test is None:
        return cutoffs_between(last, every=settings.every, count=settings.test_count, first=begin)
    test = instant_of(settings.test)
    if not begin < test <= last:
        held = f"between {text_of(begin // DAY * DAY)} and {text_of(last)}"
        why = f"its outcome needs {outcome.embargo} days after it and {settings.min_history} days of history before it"
        raise UsageError.of("cutoff outside the data", f"cutoffs.test: {settings.test}", f"choose a date {held}; {why}")
    steps = int((last - test) // (settings.every * DAY))
    return test + np.arange(steps + 1, dtype=np.int64) * (settings.every * DAY)


def _with_calibration(training: NDArray[np.int64], outcome: Outcome) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    before, calibration = training[:-CALIBRATION_CUTOFFS], training[-CALIBRATION_CUTOFFS:]
    early = before[before + outcome.embargo * DAY <= calibration[0]]
    return (before, calibration) if len(early) >= LEAST_TRAINING_CUTOFFS else None


def choose_plan(tables: BucketedTables, label: LabelSettings, cutoffs: CutoffSettings) -> CutoffPlan:
    """Plan the cutoffs that a label and a history allow."""
    if label.is_snapshot:
        return plan_snapshot(label.last_cutoff(tables.observed_until))
    return plan_cutoffs(cutoffs, label.outcome, first=begin_of_history(tables), observed_until=tables.observed_until)


def begin_of_history(tables: BucketedTables) -> int:
    """Return the first instant of the table with the most rows.

    Contracts and sign-ups often reach back years before anything else was recorded: features from that time would be empty
    because nothing was recorded, not because nothing happened.
    """
    busiest = max((name for name in tables.names if name != "accounts"), key=tables.row_count, default=None)
    first = None if busiest is None else tables.first_instant(busiest)
    return MISSING if first is None else first


def rolling_origins(
    cutoffs: NDArray[np.int64],
    *,
    embargo_days: float,
    least_training: int = FEWEST_TRAINING,
    folds: int | None = None,
) -> list[tuple[NDArray[np.int64], int]]:
    """Split cutoffs into folds that each train on the past and test on a later cutoff.

    >>> found = rolling_origins(np.arange(6) * 30 * DAY, embargo_days=60, least_training=2)
    >>> [((training // DAY).tolist(), test // DAY) for training, test in found]
    [([0, 30], 90), ([0, 30, 60], 120), ([0, 30, 60, 90], 150)]
    """
    _require_one(least_training, folds)
    known = np.unique(np.asarray(cutoffs, dtype=np.int64))
    pairs = [(known[known + round(embargo_days * DAY) <= test], int(test)) for test in known]
    found = [(training, test) for training, test in pairs if len(training) >= least_training]
    return found if folds is None else found[-folds:]


def rolling_plans(
    settings: CutoffSettings,
    outcome: Outcome,
    *,
    first: int,
    observed_until: int,
    folds: int | None = None,
    least_training: int = FEWEST_TRAINING,
) -> list[CutoffPlan]:
    """Plan the folds of a backtest: for each, what `plan_cutoffs` would have planned for that test cutoff.

    >>> from staypower.cutoffs import instant_of
    >>> plans = rolling_plans(CutoffSettings(), Outcome(horizon=90, grace=30), first=instant_of("2022-01-01"),
    ...                       observed_until=instant_of("2025-01-01"), folds=2)
    >>> [(text_of(plan.trained_until), [text_of(cutoff) for cutoff in plan.test]) for plan in plans]
    [('2024-04-06', ['2024-08-04', '2024-09-03']), ('2024-05-06', ['2024-09-03'])]
    """
    _require_one(least_training, folds)
    # refuses unusable settings and histories as training would
    plan_cutoffs(settings, outcome, first=first, observed_until=observed_until)
    begin = first + settings.min_history * DAY
    anchor = int(cutoffs_to_test(settings, outcome, begin=begin, last=outcome.last_mature(observed_until))[-1])
    most = folds if folds is not None else settings.count
    tests = anchor - np.arange(most, dtype=np.int64)[::-1] * (settings.every * DAY)
    found = []
    for at in range(len(tests)):
        plan = plan_before(
            tests[at:], outcome, every=settings.every, count=max(settings.count - settings.test_count, 1), begin=begin
        )
        if plan is not None and len(plan.training) + len(plan.calibration) >= least_training:
            found.append(plan)
    if not found:
        need = least_training * settings.every + outcome.embargo + settings.min_history
        value = f"{text_of(begin // DAY * DAY)} to {text_of(anchor)} for {least_training} training cutoffs and a later test"
        fix = f"about {need} days of history before a test are needed: give longer histories or a shorter `label.horizon`"
        raise UsageError.of("history too short for a backtest", value, fix)
    return found


def _require_one(least_training: int, folds: int | None) -> None:
    if least_training < 1 or (folds is not None and folds < 1):
        raise UsageError.of("too few folds or cutoffs", f"least_training {least_training}, folds {folds}", "give at least 1")


Part = Literal["training", "calibration", "between", "test"]
PARTS: tuple[Part, ...] = ("training", "calibration", "between", "test")
_TEST_SHARE = 0.3


def is_test_account(account: str) -> bool:
    """Say whether an account belongs to the test part of a snapshot: by a hash of its id alone.

    >>> sum(is_test_account(str(n)) for n in range(1000)) / 1000
    0.324
    """
    digest = hashlib.sha256(account.encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < _TEST_SHARE


def rows_kept(labels: Labels, plan: CutoffPlan, sampling: Sampling) -> NDArray[np.bool_]:
    """Say which pairs of account and cutoff become rows."""
    training = pairs_of(labels, plan, "training", "calibration", "between")
    return sampling.keeps(labels.churned, training, labels.population.accounts, labels.population.cutoffs)


def count_rows(labels: Labels, plan: CutoffPlan) -> tuple[int, int, int]:
    """Count churned and stayed training rows and test rows, before any is left out."""
    training = labels.churned[pairs_of(labels, plan, "training", "calibration")]
    tested = labels.churned[pairs_of(labels, plan, "test")]
    return int((training == 1).sum()), int((training == 0).sum()), int((tested >= 0).sum())


def pairs_of(labels: Labels, plan: CutoffPlan, *parts: Part) -> NDArray[np.bool_]:
    """Say which pairs of account and cutoff belong to some parts, labelled or not."""
    if plan.split == "snapshot":
        tested = np.array([is_test_account(account) for account in labels.population.accounts], dtype=bool)
        one = (tested & ("test" in parts)) | (~tested & ("training" in parts))
        return np.broadcast_to(one[:, None], labels.churned.shape)
    chosen = np.concatenate([getattr(plan, part) for part in parts])
    return np.broadcast_to(np.isin(labels.population.cutoffs, chosen)[None, :], labels.churned.shape)


def require_enough_left(
    before: NDArray[np.int8],
    left: NDArray[np.int8],
    sampling: Sampling,
    *,
    purpose: str,
    least_churners: int = LEAST_CHURNERS,
    least_stayers: int = LEAST_STAYERS,
) -> None:
    """Refuse labels of which too few are left, and say when that is due to the sample.

    >>> before, left = np.repeat([0, 1], [900, 50]), np.repeat([0, 1], [9, 50])
    >>> require_enough_left(before, left, Sampling(negatives=0.01), purpose="training")
    Traceback (most recent call last):
        ...
    staypower.errors.UsageError: too few rows of stayers are left for training: 9 of 900 at `sampling.negatives` 0.01. ...
    """
    try:
        require_enough(before, purpose=purpose, least_churners=least_churners, least_stayers=least_stayers)
    except UsageError as error:
        if sampling.accounts == 1.0:
            raise
        more = f"use more than {percent(sampling.accounts)} of the accounts: raise `sampling.accounts` or `sampling.rows`"
        raise UsageError([Problem(each.problem, each.value, f"{each.fix}; or {more}") for each in error.problems]) from None
    stayed, kept = int((before == 0).sum()), int((left == 0).sum())
    if kept < least_stayers:
        value = f"{kept:,} of {stayed:,} at `sampling.negatives` {sampling.negatives:g}"
        share = min(1.0, 2 * least_stayers / max(stayed, 1))
        fix = f"at least {least_stayers} are needed: raise `sampling.negatives` to {share:.2g} or more, or leave it out"
        raise UsageError.of(f"too few rows of stayers are left for {purpose}", value, fix)
