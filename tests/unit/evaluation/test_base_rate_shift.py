"""A base rate of 8 % in training and 16 % in the test is seen, said, and fixed by a given prior."""

import numpy as np
import pytest

from staypower.evaluation.assessment import evaluate
from staypower.models.prior import PriorCorrection


@pytest.fixture(scope="module")
def shifted():
    rng = np.random.default_rng(6)
    churned = rng.random(3000) < 0.16
    signal = rng.normal(np.where(churned, 1.5, 0.0))
    probability = 1 / (1 + np.exp(-(1.5 * signal - 1.125 + np.log(0.08 / 0.92))))
    corrected = PriorCorrection(0.08, 0.16).apply(probability)
    return evaluate(
        churned.astype(int),
        {"model": probability, "prior corrected": corrected},
        accounts=np.arange(3000),
        cutoffs=np.zeros(3000, dtype=int),
        split="temporal",
        probability={"model", "prior corrected"},
        variants={"prior corrected"},
        train_base_rate=0.08,
        segments={"half": np.array(["a", "b"], dtype=object)[np.arange(3000) % 2]},
        bootstrap=100,
    )


def test_the_shift_is_noted(shifted):
    note = next(note for note in shifted.notes if "base rate has shifted" in note)
    assert "15.0% here, 8.0% in training" in note
    assert "base rate has shifted" in " ".join(shifted.text().split())
    assert shifted.base_rate.excludes(0.08)


def test_every_group_is_predicted_too_low(shifted):
    assert all(group.calibration_gap.high < 0 for group in shifted.groups)
    assert any("differ in 2 of 2 slices, each by its own interval" in note for note in shifted.notes)


def test_a_given_prior_fixes_calibration_and_no_ranking(shifted):
    own, moved = shifted.scorers["model"], shifted.scorers["prior corrected"]
    assert own["calibration_error"].value > 0.04
    assert moved["calibration_error"].value < 0.02
    assert moved["log_loss"].value < own["log_loss"].value
    assert moved["auroc"].value == own["auroc"].value


def test_the_model_in_another_form_is_nothing_to_beat(shifted):
    assert shifted.baselines == ("base rate",)
    assert shifted.headline.startswith("The model beats every baseline in AUROC")
