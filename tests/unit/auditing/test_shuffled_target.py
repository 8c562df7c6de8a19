"""A shuffled target is chance, unless an account is on both sides."""

from dataclasses import replace

import numpy as np
import pytest

from staypower.auditing.outcomes import _concordance, shuffle_target, shuffled_by_account
from staypower.metrics.ranking import auroc
from staypower.models import partition


def test_clean_data_are_within_chance(case):
    check = shuffle_target(case)
    assert check.status == "passed", check.evidence
    assert abs(check.details["mean"] - 0.5) <= check.details["bound"] < 0.1
    assert "chance is 0.5 within" in check.evidence[0]


def test_an_account_in_both_folds_is_caught(case, monkeypatch):
    def by_row(accounts, labels, *, folds, seed):
        return np.random.default_rng(seed).permutation(len(accounts)) % folds

    monkeypatch.setattr(partition, "deal_folds", by_row)
    check = shuffle_target(case)
    assert check.status == "failed"
    # not only counted: the trees know the accounts again
    assert check.details["mean"] > 0.5 + 1.5 * check.details["bound"]
    assert "accounts are in both folds" in check.evidence[-1]


def test_an_outcome_that_reaches_the_held_out_scores_is_caught(case, monkeypatch):
    def telling(rows, shuffled, folds, case, *, seed):
        return shuffled + np.random.default_rng(seed).normal(0, 1.5, len(shuffled))

    monkeypatch.setattr("staypower.auditing.outcomes._held_out", telling)
    check = shuffle_target(case)
    assert check.status == "failed"
    assert check.details["accounts_in_several_folds"] == 0
    assert check.evidence[-1].startswith("likely cause: something carries the outcome")


def test_too_few_churners_prove_nothing(case):
    y = case.dataset.y.copy()
    churners = np.unique(case.dataset.matrix.accounts[y == 1].astype(str))
    y[~np.isin(case.dataset.matrix.accounts.astype(str), churners[:9])] = 0
    check = shuffle_target(replace(case, dataset=replace(case.dataset, y=y)))
    assert check.status == "unproven"
    assert check.evidence[0].startswith("only 9 accounts")


@pytest.mark.parametrize("seed", range(5))
def test_shuffling_keeps_every_cutoffs_churners_and_every_accounts_places(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(-1, 2, (40, 6)).astype(np.int8)
    shuffled = shuffled_by_account(labels, rng)
    assert ((shuffled >= 0) == (labels >= 0)).all()
    assert ((shuffled == 1).sum(axis=0) == (labels == 1).sum(axis=0)).all()
    assert (shuffled != labels).any()


def test_where_everybody_is_there_whole_courses_are_exchanged():
    labels = np.array([[0, 0, 1], [0, 1, 1], [0, 0, 0], [1, 1, 0]], dtype=np.int8)
    shuffled = shuffled_by_account(labels, np.random.default_rng(1))
    assert sorted(map(tuple, shuffled)) == sorted(map(tuple, labels))


def test_pairs_are_counted_within_fold_and_cutoff_only():
    rng = np.random.default_rng(0)
    scores, y = rng.integers(0, 4, 90).astype(float), rng.integers(0, 2, 90).astype(np.int8)
    folds, cutoff = np.arange(90) % 2, np.arange(90) // 30
    right, pairs = 0.0, 0.0
    for fold in range(2):
        for number in range(3):
            part = (folds == fold) & (cutoff == number)
            weight = y[part].sum() * (1 - y[part]).sum()
            right, pairs = right + weight * auroc(y[part], scores[part]), pairs + weight
    assert _concordance(scores, y, folds, cutoff) == pytest.approx(right / pairs)
