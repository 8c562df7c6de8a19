import numpy as np
import pytest

from staypower.evaluation.resampling import Estimate, estimate, row_weights


def test_an_account_is_drawn_with_all_its_rows():
    number = np.array([0, 0, 1, 2, 2, 2])
    for weight in row_weights(number, 50, seed=3):
        assert weight[0] == weight[1]
        assert weight[3] == weight[4] == weight[5]
        assert weight[[0, 2, 3]].sum() == 3


def test_the_seed_fixes_the_samples():
    number = np.arange(20)
    first, again, other = (np.array(list(row_weights(number, 5, seed))) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_interval_is_the_middle_95_percent():
    found = estimate(0.5, np.linspace(0, 1, 1001))
    assert (found.low, found.high) == pytest.approx((0.025, 0.975))


def test_recentring_takes_the_samples_shift_off_and_ends_at_zero():
    found = estimate(0.02, np.linspace(0.04, 0.14, 1001), recentre=True)
    assert (found.low, found.high) == pytest.approx((0.0, 0.0675))


@pytest.mark.parametrize(
    "replicates", [np.array([]), np.full(200, np.nan), np.append(np.ones(90), np.full(110, np.nan)), np.ones(19)]
)
def test_too_few_samples_with_a_value_give_no_interval(replicates):
    found = estimate(1.0, replicates)
    assert found.known
    assert not found.bounded
    assert not found.excludes(5.0)


def test_what_does_not_exist_has_no_interval():
    assert not estimate(np.nan, np.ones(200)).bounded
    assert not Estimate(float("nan")).known
