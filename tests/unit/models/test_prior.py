"""Prior correction: the odds of everybody move by one factor, chosen once for a run."""

import numpy as np
import pytest

from staypower.errors import UsageError
from staypower.models.prior import PriorCorrection, estimate_prior, prior_of


def shifted(rows=20_000, rate=0.16, trained=0.08, seed=0):
    """Calibrated probabilities at one base rate, of a population at another."""
    rng = np.random.default_rng(seed)
    churned = rng.random(rows) < rate
    signal = rng.normal(np.where(churned, 1.5, 0.0))
    return 1 / (1 + np.exp(-(1.5 * signal - 1.125 + np.log(trained / (1 - trained))))), churned


def test_odds_are_multiplied_by_the_ratio_of_the_prior_odds():
    correction = PriorCorrection(0.1, 0.2)
    # odds 1/9 -> 1/4: a factor of 2.25
    assert correction.apply([0.1, 0.5, 0.25]).tolist() == pytest.approx([0.2, 2.25 / 3.25, 0.75 / 1.75])
    assert correction.shift == pytest.approx(np.log(2.25))


def test_certainty_and_missing_stay_and_no_shift_changes_no_bit():
    values = np.array([0.0, 1.0, np.nan, 0.3])
    moved = PriorCorrection(0.1, 0.4).apply(values)
    assert moved[:2].tolist() == [0.0, 1.0]
    assert np.isnan(moved[2])
    same = PriorCorrection(0.1, 0.1).apply(values)
    assert same.tobytes() == values.tobytes()


def test_a_value_does_not_depend_on_the_others():
    correction, values = PriorCorrection(0.08, 0.16), np.random.default_rng(1).random(50)
    alone = [float(correction.apply([value])[0]) for value in values]
    assert correction.apply(values).tolist() == alone


def test_correction_calibrates_what_label_shift_spoilt():
    probability, churned = shifted()
    assert probability.mean() < 0.12
    moved = PriorCorrection(0.08, 0.16).apply(probability)
    assert moved.mean() == pytest.approx(churned.mean(), abs=0.005)


@pytest.mark.parametrize("rate", [0.03, 0.08, 0.16, 0.4])
def test_the_base_rate_is_found_without_labels(rate):
    probability, churned = shifted(rate=rate)
    found = estimate_prior(probability, 0.08)
    assert found.target == pytest.approx(churned.mean(), abs=0.01)
    assert (found.source, found.accounts) == ("estimated", 20_000)
    # a fixed point: the mean of the corrected probabilities is the target itself
    assert found.apply(probability).mean() == pytest.approx(found.target, abs=1e-6)


def test_the_order_of_accounts_does_not_matter_to_the_estimate():
    probability, _ = shifted(rows=500)
    assert estimate_prior(probability[::-1], 0.08).target == pytest.approx(estimate_prior(probability, 0.08).target, abs=1e-12)


def test_it_is_stored_and_read_back():
    correction = PriorCorrection(0.08, 0.16, "estimated", 700)
    assert PriorCorrection.from_dict(correction.to_dict()) == correction
    assert correction.words == "probabilities moved from a base rate of 8.0% to 16.0% (estimated over 700 accounts)"


def test_settings_become_a_correction_or_none():
    probability, _ = shifted()
    assert prior_of(None, 0.08, probability) is None
    assert prior_of(0.2, 0.08, []).to_dict() == {"trained": 0.08, "target": 0.2, "source": "given", "accounts": 0}
    assert prior_of("estimate", 0.08, probability) == estimate_prior(probability, 0.08)


@pytest.mark.parametrize("rate", [0.0, 1.0, float("nan"), -0.1, True, "0.2"])
def test_what_is_no_base_rate_is_refused(rate):
    with pytest.raises(UsageError, match="target base rate is not a share"):
        PriorCorrection(0.1, rate)


def test_what_is_no_probability_is_refused_and_few_accounts_tell_nothing():
    with pytest.raises(UsageError, match=r"not a probability: 1\.5"):
        PriorCorrection(0.1, 0.2).apply([0.2, 1.5])
    with pytest.raises(UsageError, match="too few to estimate"):
        estimate_prior([0.1] * 29, 0.1)
    with pytest.raises(UsageError, match="too few to estimate"):
        estimate_prior([0.1] * 40 + [np.nan], 0.1)
