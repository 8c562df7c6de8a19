import numpy as np
import pytest

from staypower.cutoffs import DAY
from staypower.models.partition import deal_folds, partition_by_time

CUTOFFS = np.repeat(np.arange(10), 3) * 30 * DAY


def days(cutoffs):
    return sorted({int(cutoff // DAY) for cutoff in cutoffs})


def test_embargo_leaves_out_the_cutoffs_whose_outcome_was_not_known():
    found = partition_by_time(CUTOFFS, embargo_days=90, calibration_cutoffs=2)
    assert days(CUTOFFS[found.calibration]) == [240, 270]
    # 240 - 90 = 150: that outcome ends as the first calibration cutoff begins, so it was known.
    assert days(CUTOFFS[found.trees]) == [0, 30, 60, 90, 120, 150]
    assert found.text == (
        "temporal: trees from 6 cutoffs (1970-01-01 to 1970-05-31), calibrated on 2 later cutoffs from "
        "1970-08-29, after an embargo of 90 days in which 2 cutoffs are not used"
    )


@pytest.mark.parametrize(("known", "kept"), [(1, 1), (6, 1), (9, 2), (12, 2), (24, 4)])
def test_one_in_six_cutoffs_calibrates_by_default(known, kept):
    cutoffs = np.arange(known) * DAY
    assert partition_by_time(cutoffs, embargo_days=0, calibration_cutoffs=None).calibration.sum() == kept


def test_no_row_is_on_both_sides_even_without_embargo():
    found = partition_by_time(CUTOFFS, embargo_days=0, calibration_cutoffs=3)
    assert not (found.trees & found.calibration).any()
    assert days(CUTOFFS[found.trees]) == list(range(0, 210, 30))


def test_history_is_enough_or_not():
    cutoffs = np.repeat(np.arange(12), 1200) * 30 * DAY
    accounts = np.tile(np.arange(1200), 12)
    labels = (accounts % 4 == 0).astype(np.int8)

    def enough(embargo, labels=labels, accounts=accounts):
        found = partition_by_time(cutoffs, embargo_days=embargo, calibration_cutoffs=2)
        return found.has_history(labels, cutoffs, accounts)

    assert enough(120)  # 7 of 12 cutoffs grow the trees
    assert enough(150)  # 6 of 12
    assert not enough(151)  # 5 of 12
    few = labels * (cutoffs < 300 * DAY)  # none churned at the two latest cutoffs
    assert not enough(120, few)
    # as many churned rows, of 120 accounts
    assert not enough(120, accounts=accounts // 10)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_folds_never_share_an_account_and_are_alike(count):
    rng = np.random.default_rng(0)
    accounts = rng.integers(0, 400, 3000)
    accounts = np.unique(accounts, return_inverse=True)[1]
    labels = (rng.random(3000) < 0.1).astype(np.int8)
    folds = deal_folds(accounts, labels, folds=count, seed=1)
    assert set(folds) == set(range(count))
    for account in np.unique(accounts):
        assert len(set(folds[accounts == account])) == 1
    churned = np.bincount(folds, weights=labels)
    assert churned.max() - churned.min() < 0.2 * churned.mean()
    sizes = np.bincount(folds)
    assert sizes.max() - sizes.min() < 0.2 * sizes.mean()


def test_folds_follow_the_seed_only():
    accounts, labels = np.arange(100), (np.arange(100) % 3 == 0).astype(np.int8)
    once, again, other = (deal_folds(accounts, labels, folds=4, seed=seed) for seed in (7, 7, 8))
    assert (once == again).all()
    assert (once != other).any()
