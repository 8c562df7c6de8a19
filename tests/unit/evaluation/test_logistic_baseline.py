import numpy as np
import pandas as pd
import pytest

from staypower import metrics
from staypower.errors import UsageError
from staypower.evaluation.logistic import logistic_baseline


def company(rows=1200, seed=0):
    """Churn is driven by a skewed amount, a code with a bad middle value, and an answer's absence."""
    rng = np.random.default_rng(seed)
    amount = rng.lognormal(3, 2, rows)
    plan = rng.integers(0, 3, rows).astype(float)
    answer = np.where(rng.random(rows) < 0.5, np.nan, rng.random(rows))
    drive = 0.8 * (3 - np.log(amount)) + 1.5 * (plan == 1) + 1.2 * np.isnan(answer) - 1.5
    X = pd.DataFrame({"amount": amount, "plan": plan, "answer": answer, "constant": 1.0, "empty": np.nan})
    return X, (rng.random(rows) < 1 / (1 + np.exp(-drive))).astype(int), 1 / (1 + np.exp(-drive))


@pytest.fixture(scope="module")
def fitted():
    X, y, truth = company()
    half = len(y) // 2
    found = logistic_baseline(X[:half], y[:half], X[half:], ["plan"])
    return y[half:], found, truth[half:]


def test_it_comes_close_to_the_true_probabilities(fitted):
    y, found, truth = fitted
    assert metrics.auroc(y, found) > metrics.auroc(y, truth) - 0.015
    assert metrics.log_loss(y, found) < metrics.log_loss(y, truth) + 0.02
    assert np.abs(found - truth).mean() < 0.05


def test_codes_are_kinds_not_amounts():
    X, y, _ = company()
    half = len(y) // 2
    as_kinds = logistic_baseline(X[:half], y[:half], X[half:], ["plan"])
    as_amounts = logistic_baseline(X[:half], y[:half], X[half:])
    assert metrics.log_loss(y[half:], as_kinds) < metrics.log_loss(y[half:], as_amounts) - 0.02


def test_it_is_deterministic_and_test_rows_do_not_touch_each_other(fitted):
    X, y, _ = company()
    half = len(y) // 2
    again = logistic_baseline(X[:half], y[:half], X[half : half + 7], ["plan"])
    assert again.tolist() == fitted[1][:7].tolist()


def test_unseen_codes_and_absurd_numbers_give_probabilities():
    X, y, _ = company(400)
    odd = pd.DataFrame(
        {"amount": [np.inf, -1e300], "plan": [77.0, np.nan], "answer": [1e12, 0.0], "constant": 5.0, "empty": 3.0}
    )
    found = logistic_baseline(X, y, odd, ["plan"])
    assert ((found > 0) & (found < 1)).all()


def test_few_accounts_still_give_a_fit():
    X, y, _ = company(40)
    found = logistic_baseline(X, y, X, ["plan"], accounts=np.arange(40) // 2)
    assert metrics.auroc(y, found) > 0.6


def test_rows_of_weight_zero_do_not_count():
    X, y, _ = company(300)
    doubled = pd.concat([X, X], ignore_index=True)
    weight = np.repeat([1.0, 0.0], 300)
    accounts = np.arange(600) % 300
    found = logistic_baseline(doubled, np.append(y, 1 - y), X, ["plan"], accounts=accounts, sample_weight=weight)
    assert metrics.auroc(y, found) > 0.75


def test_unusable_input_is_refused():
    X, y, _ = company(60)
    with pytest.raises(UsageError, match="differ in columns"):
        logistic_baseline(X, y, X.drop(columns="plan"))
    with pytest.raises(UsageError, match="write `plan`"):
        logistic_baseline(X, y, X, ["plann"])
    with pytest.raises(UsageError, match="one class"):
        logistic_baseline(X, np.zeros(60), X)
