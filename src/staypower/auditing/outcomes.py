"""Checks 3 and 5: with the target shuffled no model may beat chance, and no outcome may reach into the next part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from staypower.auditing.report import Case, Check
from staypower.cutoffs import DAY, text_of
from staypower.dataset.cutoff_plan import PARTS, Part
from staypower.models import partition
from staypower.models.binned import BinnedFeatures
from staypower.models.settings import TreeShape
from staypower.models.training_rows import TrainingRows
from staypower.models.trees import Grower, threads_for
from staypower.results.numbers import decimal, interval, plural

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["find_overlap", "shuffle_target", "shuffled_by_account"]

REPEATS = 5
_FOLDS = 2
_TREES = 30
_DRAWS = 60
_FEWEST = 10
_MOST_ROWS = 8_000
_NOISE = 3.3
_LEAST_BOUND = 0.02

# large trees on purpose: they would recognise an account that is on both sides
_SHAPE = TreeShape(
    num_leaves=31, max_depth=8, learning_rate=0.1, min_child_samples=3, l2=0.0, feature_fraction=0.5, bagging_fraction=1.0
)


@dataclass(frozen=True)
class _Panel:
    """Labels of accounts at cutoffs, -1 where there is none, and the place of each row in it."""

    account: NDArray[np.int64]
    cutoff: NDArray[np.int64]
    labels: NDArray[np.int8]

    @classmethod
    def of(cls, account: NDArray[np.int64], cutoff: NDArray[np.int64], y: NDArray[np.int8]) -> _Panel:
        labels = np.full((int(account.max()) + 1, int(cutoff.max()) + 1), -1, dtype=np.int8)
        labels[account, cutoff] = y
        return cls(account, cutoff, labels)


def shuffle_target(case: Case) -> Check:
    """Shuffle who churned, train on some accounts and rank the others: no better than chance.

    Within each cutoff accounts exchange their outcomes, an account taking over the whole course of another's as far as both
    are there. Trees are grown on one half of the accounts and rank the other, with the folds that training deals. AUROC is
    taken within fold and cutoff, where a shuffled target leaves nothing to find, and averaged by its number of pairs. The
    bound is 3.3 standard deviations (0.1 % two-sided) of that average when the outcomes of the ranked accounts are
    shuffled again under fixed rankings, and never under 0.02.
    """
    rows = _rows(case)
    if rows.rarer_accounts < _FEWEST:
        few = f"only {plural(rows.rarer_accounts, 'account')} with the rarer outcome; {_FEWEST} are needed"
        return Check("shuffled target", "unproven", (few,))
    assert rows.cutoffs is not None
    _, cutoff = np.unique(rows.cutoffs, return_inverse=True)
    panel = _Panel.of(rows.accounts, cutoff.astype(np.int64), rows.labels)
    measured, noise, shared = [], [], 0
    for repeat in range(REPEATS):
        rng = np.random.default_rng([case.seed, repeat])
        shuffled = shuffled_by_account(panel.labels, rng)[panel.account, panel.cutoff]
        folds = partition.deal_folds(rows.accounts, shuffled, folds=_FOLDS, seed=case.seed + repeat)
        shared = max(shared, _accounts_in_several(rows.accounts, folds))
        scores = _held_out(rows, shuffled, folds, case, seed=case.seed + repeat)
        measured.append(_concordance(scores, shuffled, folds, panel.cutoff))
        noise.append([_by_chance(panel, shuffled, scores, folds, rng) for _ in range(_DRAWS)])
    mean = float(np.mean(measured))
    bound = max(_LEAST_BOUND, _NOISE * float(np.mean(noise, axis=0).std(ddof=1)))
    good = abs(mean - 0.5) <= bound and not shared
    evidence = [
        f"held-out AUROC {decimal(mean)} over {REPEATS} shuffles ({interval(min(measured), max(measured))}); "
        f"chance is 0.5 within {decimal(bound)} (3.3 standard deviations)",
        f"{len(rows):,} rows of {len(np.unique(rows.accounts)):,} accounts, {_TREES} trees, {_FOLDS} folds by account",
    ]
    if shared:
        evidence.append(f"{shared:,} accounts are in both folds: the model is tested on accounts it was trained on")
    elif not good:
        evidence.append("likely cause: something carries the outcome from one fold to the other, or into the features")
    details = {"auroc": measured, "mean": mean, "bound": bound, "accounts_in_several_folds": shared}
    return Check("shuffled target", "passed" if good else "failed", tuple(evidence), details)


def shuffled_by_account(labels: NDArray[np.int8], rng: np.random.Generator) -> NDArray[np.int8]:
    """Let accounts exchange their outcomes within each cutoff.

    >>> labels = np.array([[0, 1], [0, 0], [1, -1]], dtype=np.int8)
    >>> shuffled = shuffled_by_account(labels, np.random.default_rng(0))
    >>> (shuffled >= 0).tolist() == (labels >= 0).tolist(), shuffled[:, 0].sum(), shuffled[:2, 1].sum()
    (True, np.int64(1), np.int64(1))
    """
    donor = rng.permutation(len(labels))
    given = labels[donor]
    made = np.where(labels >= 0, given, np.int8(-1)).astype(np.int8)
    for cutoff in range(labels.shape[1]):
        present = labels[:, cutoff] >= 0
        without = present & (given[:, cutoff] < 0)
        taken = np.zeros(len(labels), dtype=bool)
        taken[donor[present & ~without]] = True
        made[without, cutoff] = rng.permutation(labels[present & ~taken, cutoff])
    return made


def _rows(case: Case) -> TrainingRows:
    """Return the rows of every part, of as many accounts as a few quick trees can take."""
    dataset = case.dataset
    _, account = np.unique(dataset.matrix.accounts.astype(str), return_inverse=True)
    values = BinnedFeatures(dataset.X.to_numpy(dtype=np.float64))
    rows = TrainingRows(values, dataset.y, None, account.astype(np.int64), dataset.matrix.cutoffs)
    if len(rows) <= _MOST_ROWS:
        return rows
    order = np.random.default_rng(case.seed).permutation(int(account.max()) + 1)
    kept = rows.take(order[rows.accounts] < len(order) * _MOST_ROWS / len(rows))
    return TrainingRows(
        BinnedFeatures(kept.features),
        kept.labels,
        None,
        np.unique(kept.accounts, return_inverse=True)[1].astype(np.int64),
        kept.cutoffs,
    )


def _accounts_in_several(accounts: NDArray[np.int64], folds: NDArray[np.int64]) -> int:
    pairs = np.unique(np.column_stack([accounts, folds]), axis=0)
    return int(len(pairs) - len(np.unique(accounts)))


def _held_out(
    rows: TrainingRows, shuffled: NDArray[np.int8], folds: NDArray[np.int64], case: Case, *, seed: int
) -> NDArray[np.float64]:
    categorical = [list(case.dataset.X.columns).index(name) for name in case.dataset.matrix.categories]
    threads = threads_for(None, rows.features.size)
    grower = Grower(_SHAPE, _TREES, _TREES, seed, threads, categorical)
    scores = np.zeros(len(rows))
    for fold in range(_FOLDS):
        held = folds == fold
        trained = replace(rows, labels=shuffled, weights=None).take(~held)
        scores[held] = grower.grow(trained, trees=_TREES).raw(rows.features[held], threads=threads)
    return scores


def _concordance(
    scores: NDArray[np.float64], y: NDArray[np.int8], folds: NDArray[np.int64], cutoff: NDArray[np.int64]
) -> float:
    """Return the share of pairs of one fold and cutoff that are ranked correctly, ties counted half."""
    group = np.unique(folds * (cutoff.max() + 1) + cutoff, return_inverse=True)[1]
    order = np.lexsort((scores, group))
    ranks = np.empty(len(scores))
    ranks[order] = _mid_ranks(scores[order], group[order])
    positives = np.bincount(group, weights=y)
    negatives = np.bincount(group) - positives
    right = np.bincount(group, weights=ranks * y) - positives * (positives + 1) / 2
    pairs = float((positives * negatives).sum())
    return float(right.sum() / pairs) if pairs else 0.5


def _mid_ranks(scores: NDArray[np.float64], group: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return ranks from 1 within groups, of rows sorted by group and score; ties share their middle."""
    start = np.flatnonzero(np.diff(group, prepend=-1))
    begin = np.repeat(start, np.diff(np.append(start, len(group))))
    tied = np.flatnonzero((np.diff(group, prepend=-1) != 0) | (np.diff(scores, prepend=np.nan) != 0))
    size = np.diff(np.append(tied, len(scores)))
    first = np.repeat(tied, size)
    ranks: NDArray[np.float64] = first - begin + (np.repeat(size, size) + 1) / 2
    return ranks


def _by_chance(
    panel: _Panel, y: NDArray[np.int8], scores: NDArray[np.float64], folds: NDArray[np.int64], rng: np.random.Generator
) -> float:
    """Return the concordance when the outcomes of the ranked accounts are shuffled again, each fold by itself."""
    again = np.zeros(len(y), dtype=np.int8)
    for fold in range(_FOLDS):
        held = folds == fold
        account = np.unique(panel.account[held], return_inverse=True)[1]
        part = _Panel.of(account, panel.cutoff[held], y[held])
        again[held] = shuffled_by_account(part.labels, rng)[part.account, part.cutoff]
    return _concordance(scores, again, folds, panel.cutoff)


def find_overlap(case: Case) -> Check:
    """Look for outcomes that one part of the data shares with the next."""
    parts = _cutoffs_of_parts(case)
    problems = [*_doubled(case), *_open(case)]
    evidence = []
    if case.dataset.plan.split == "snapshot":
        shared = _on_both_sides(case)
        problems += [f"{plural(shared, 'account')} in both training and test"] if shared else []
        evidence.append(f"one cutoff split by account{'' if shared else ': no account in both training and test'}")
        evidence.append("not a temporal test: patterns that hold only at this moment are not detected")
    else:
        problems += [*_too_close(case, parts), *_inside_training(case)]
        evidence.append(_distances(case, parts))
        between = _after_calibration(case, parts)
        evidence += [f"{between} cutoffs between training and calibration are used for the final trees only"] if between else []
    details = {"embargo_days": case.label.outcome.embargo, "problems": problems}
    return Check("outcome overlap", "failed" if problems else "passed", (*problems, *evidence), details)


def _cutoffs_of_parts(case: Case) -> dict[Part, NDArray[np.int64]]:
    """Return the cutoffs of each part that has any; of training those from which the calibrated trees grow."""
    dataset = case.dataset
    parts = {part: np.unique(dataset.part(part).cutoffs) for part in PARTS}
    if dataset.plan.split == "temporal":
        learned = dataset.part("training", "calibration").cutoffs
        kept = len(dataset.plan.calibration)
        made = partition.partition_by_time(learned, embargo_days=dataset.plan.embargo, calibration_cutoffs=kept)
        parts["training"] = np.unique(learned[made.trees])
    return {part: cutoffs for part, cutoffs in parts.items() if len(cutoffs)}


def _after_calibration(case: Case, parts: dict[Part, NDArray[np.int64]]) -> int:
    """Count the training cutoffs whose outcomes were not over when calibration began."""
    if "training" not in parts:
        return 0
    every = np.unique(case.dataset.part("training").cutoffs)
    return int((every > parts["training"][-1]).sum())


def _too_close(case: Case, parts: dict[Part, NDArray[np.int64]]) -> Iterator[str]:
    """Name neighbouring parts whose outcomes meet."""
    embargo = case.label.outcome.embargo
    names = list(parts)
    for first, second in pairwise(names):
        distance = (int(parts[second][0]) - int(parts[first][-1])) / DAY
        if distance < embargo:
            late = parts[first][parts[first] > parts[second][0] - embargo * DAY]
            rows = case.dataset.rows(first) & np.isin(case.dataset.matrix.cutoffs, late)
            ends, begins = text_of(int(parts[first][-1])), text_of(int(parts[second][0]))
            yield (
                f"{first} ends {ends} and {second} begins {begins}: {distance:g} days, but gap + horizon + grace are "
                f"{embargo}; {plural(int(rows.sum()), 'row')} of {first} have outcomes that reach past the start of {second}"
            )


def _distances(case: Case, parts: dict[Part, NDArray[np.int64]]) -> str:
    names = list(parts)
    steps = [
        f"{first} to {second} {(int(parts[second][0]) - int(parts[first][-1])) / DAY:g} days"
        for first, second in pairwise(names)
    ]
    return f"{', '.join(steps)}; gap + horizon + grace are {case.label.outcome.embargo}"


def _open(case: Case) -> Iterator[str]:
    """Name cutoffs whose outcome was not over when observation ended."""
    if case.label.is_snapshot:
        return
    cutoffs = np.unique(case.dataset.matrix.cutoffs)
    late = cutoffs[~case.label.outcome.mature(cutoffs, case.tables.observed_until)]
    if len(late):
        rows = int(np.isin(case.dataset.matrix.cutoffs, late).sum())
        dates = ", ".join(text_of(int(cutoff)) for cutoff in late)
        yield f"{plural(rows, 'row')} at {dates} have an outcome that ends after {text_of(case.tables.observed_until)}"


def _doubled(case: Case) -> Iterator[str]:
    matrix = case.dataset.matrix
    keys = np.column_stack([np.unique(matrix.accounts.astype(str), return_inverse=True)[1], matrix.cutoffs])
    twice = len(keys) - len(np.unique(keys, axis=0))
    if twice:
        yield f"{plural(twice, 'duplicate row')}: one account at one cutoff must be one row"


def _on_both_sides(case: Case) -> int:
    training, test = case.dataset.part("training", "calibration"), case.dataset.part("test")
    return len(set(training.accounts) & set(test.accounts))


def _inside_training(case: Case) -> Iterator[str]:
    """Check that cross-fitting divides the training rows by account."""
    dataset = case.dataset
    if dataset.plan.split == "temporal":
        return
    training = dataset.part("training", "calibration")
    _, account = np.unique(training.accounts.astype(str), return_inverse=True)
    folds = partition.deal_folds(account.astype(np.int64), training.y, folds=5, seed=case.seed)
    shared = len(np.unique(np.column_stack([account, folds]), axis=0)) - len(np.unique(account))
    if shared:
        yield f"{plural(shared, 'account')} in more than one fold of the cross-fitting"
