import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from staypower.errors import UsageError
from staypower.models.silence import Silence, find_silence

ANSWERS = [2]


def company(slope, *, accounts=4000, by_use=0.0, seed=0):
    """Attitude shows in use and in an earlier answer; answering depends on use, and by `slope` on the tier itself."""
    rng = np.random.default_rng(seed)
    attitude, noise = rng.normal(size=accounts), rng.normal(size=(accounts, 3))
    use = attitude + noise[:, 0]
    before = np.where(rng.random(accounts) < 0.6, np.round(attitude + noise[:, 1] / 2), np.nan)
    true = np.digitize(attitude, [-0.5, 0.5])
    answers = rng.random(accounts) < expit(-0.3 + by_use * use + slope * (true - 1))
    told = np.digitize(attitude + noise[:, 2] / 4, [-0.5, 0.5])
    features = np.column_stack([use, rng.normal(size=accounts), before])
    ids = np.array([f"a{number}" for number in range(accounts)], dtype=object)
    return features, np.where(answers, told, -1), ids, true


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_better_tiers_that_answer_more_readily_are_found_from_earlier_answers(seed):
    features, tier, ids, _ = company(1.0, seed=seed)
    found = find_silence(features, tier, ids, answers=ANSWERS, threads=1)
    assert 0.6 < found.slope <= 1.5
    features, tier, ids, _ = company(-1.0, seed=seed)
    assert find_silence(features, tier, ids, answers=ANSWERS, threads=1).slope < -0.6


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_silence_that_follows_use_alone_tells_little(seed):
    features, tier, ids, _ = company(0.0, by_use=1.0, seed=seed)
    assert abs(find_silence(features, tier, ids, answers=ANSWERS, threads=1).slope) < 0.35


def test_the_shares_of_all_accounts_come_nearer_to_the_truth():
    features, tier, ids, true = company(1.0)
    found = find_silence(features, tier, ids, answers=ANSWERS, threads=1)
    shares = np.bincount(tier[tier >= 0], minlength=3) / (tier >= 0).sum()
    all_of_them = np.bincount(true, minlength=3) / len(true)
    moved = found.everybody(shares[None])[0]
    assert np.abs(moved - all_of_them).sum() < 0.35 * np.abs(shares - all_of_them).sum()


def test_few_accounts_tell_nothing():
    features, tier, ids, _ = company(1.0, accounts=150)
    assert find_silence(features, tier, ids, answers=ANSWERS, threads=1) == Silence.none()
    assert Silence.none().words() == []


def test_an_account_at_many_cutoffs_is_one_piece_of_evidence():
    features, tier, ids, _ = company(0.4, accounts=600)
    once = find_silence(features, tier, ids, answers=ANSWERS, threads=1).slope
    often = find_silence(*(np.repeat(each, 12, axis=0) for each in (features, tier, ids)), answers=ANSWERS, threads=1).slope
    # ten times as many rows of the same accounts do not make a chance finding certain
    assert often <= once + 0.25


@given(st.floats(-1.5, 1.5), st.floats(0.01, 1.0), st.lists(st.floats(0.01, 1.0), min_size=3, max_size=3))
def test_probabilities_stay_probabilities_and_move_one_way(slope, answering, weights):
    given_ = np.array([weights]) / np.sum(weights)
    moved = Silence(slope, answering, 0.8).everybody(given_)
    assert moved.sum() == pytest.approx(1.0)
    better = moved[0].cumsum() - given_[0].cumsum()
    assert (better >= -1e-12).all() if slope >= 0 else (better <= 1e-12).all()


def test_no_row_depends_on_its_neighbours():
    rows = np.random.default_rng(0).dirichlet([1, 1, 1], size=500)
    silence = Silence(0.7, 0.4, 0.5)
    assert (silence.everybody(rows)[7:8] == silence.everybody(rows[7:8])).all()


def test_it_is_read_back_and_refused_when_damaged():
    silence = Silence(0.7, 0.4, 0.5)
    assert Silence.from_dict(silence.to_dict()) == silence
    assert "odds times 2.01 per tier" in silence.words()[0]
    for damaged in ({}, {"slope": "x", "answering": 0.4, "tilt": 0.5}, {"slope": 0.1, "answering": 0.0, "tilt": 0.5}):
        with pytest.raises(UsageError, match="unusable tier calibration"):
            Silence.from_dict(damaged)
