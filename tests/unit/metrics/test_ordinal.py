from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, cohen_kappa_score, confusion_matrix, f1_score

from staypower import metrics
from staypower.errors import UsageError
from staypower.metrics.ordinal import ranked_probability_scores


def test_ranked_probability_score_by_hand() -> None:
    # row 1: cumulative (0.2, 0.5) against (0, 1): (0.04 + 0.25) / 2; row 2: (0.6, 0.9) against (0, 0): (0.36 + 0.81) / 2
    likely = [[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]]

    assert ranked_probability_scores([1, 2], likely) == pytest.approx([0.145, 0.585])
    assert metrics.ranked_probability_score([1, 2], likely) == pytest.approx(0.365)
    assert metrics.ranked_probability_score([1, 2], likely, sample_weight=[3, 1]) == pytest.approx(0.255)


def test_ranked_probability_score_is_dearer_the_further_off() -> None:
    certain = np.eye(3)

    assert ranked_probability_scores([0, 0, 0], certain).tolist() == [0.0, 0.5, 1.0]


def test_ranked_probability_score_of_two_classes_is_the_brier_score() -> None:
    chance = np.array([0.1, 0.6, 0.8])

    found = metrics.ranked_probability_score([0, 1, 0], np.column_stack([1 - chance, chance]))

    assert found == pytest.approx(metrics.brier([0, 1, 0], chance))


def test_kappa_by_hand() -> None:
    # margins (2, 1, 2) and (1, 2, 2): by chance the squared steps add up to 7; one mistake of one step was made
    assert metrics.quadratic_weighted_kappa([0, 0, 1, 2, 2], [0, 1, 1, 2, 2], classes=3) == pytest.approx(6 / 7)


def test_a_mistake_by_two_steps_costs_four_times_as_much() -> None:
    true = [0, 0, 1, 1, 2, 2]

    # by chance 7 and 8
    assert metrics.quadratic_weighted_kappa(true, [0, 1, 1, 1, 2, 2], classes=3) == pytest.approx(1 - 1 / 7)
    assert metrics.quadratic_weighted_kappa(true, [0, 2, 1, 1, 2, 2], classes=3) == pytest.approx(1 - 4 / 8)


def test_a_constant_has_no_kappa_and_one_class_none_at_all() -> None:
    assert metrics.quadratic_weighted_kappa([0, 1, 2], [1, 1, 1], classes=3) == 0.0
    assert math.isnan(metrics.quadratic_weighted_kappa([1, 1], [1, 1], classes=3))


def test_macro_f1_by_hand() -> None:
    # F1: class 0: 2*1/(2+2); class 1: 2*1/(1+2); class 2: never predicted: 0
    assert metrics.macro_f1([0, 0, 1, 2], [0, 1, 1, 0], classes=3) == pytest.approx((0.5 + 2 / 3 + 0) / 3)
    assert metrics.macro_f1([0, 1], [0, 1], classes=3) == 1.0, "a class that is nowhere does not count"


@pytest.mark.parametrize("seed", range(3))
def test_agreement_with_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    true, predicted, weight = rng.integers(0, 4, 200), rng.integers(0, 4, 200), rng.random(200)

    table = metrics.confusion(true, predicted, classes=4, sample_weight=weight)

    assert table == pytest.approx(confusion_matrix(true, predicted, sample_weight=weight))
    assert metrics.accuracy(true, predicted, classes=4, sample_weight=weight) == pytest.approx(
        accuracy_score(true, predicted, sample_weight=weight)
    )
    assert metrics.macro_f1(true, predicted, classes=4, sample_weight=weight) == pytest.approx(
        f1_score(true, predicted, average="macro", sample_weight=weight)
    )
    assert metrics.quadratic_weighted_kappa(true, predicted, classes=4, sample_weight=weight) == pytest.approx(
        cohen_kappa_score(true, predicted, weights="quadratic", sample_weight=weight)
    )


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: metrics.ranked_probability_score([0, 3], np.full((2, 3), 1 / 3)), "no class in y_true: 3 in 1 rows"),
        (lambda: metrics.ranked_probability_score([0, 3], np.full((2, 3), 1 / 3)), "give whole numbers from 0 to 2"),
        (lambda: metrics.ranked_probability_score([0, -1], np.full((2, 3), 1 / 3)), "leave rows without a class out"),
        (lambda: metrics.ranked_probability_score([0], [[0.5, 0.6]]), "let each row sum to 1"),
        (lambda: metrics.ranked_probability_score([0], [[1.2, -0.2]]), "none below 0"),
        (lambda: metrics.ranked_probability_score([0], [0.5]), "no table of probabilities"),
        (lambda: metrics.ranked_probability_score([0], np.full((2, 2), 0.5)), "rows differ in number"),
        (lambda: metrics.confusion([0, 1], [0], classes=2), "classes differ in number"),
        (lambda: metrics.confusion([], [], classes=2), "at least one row"),
    ],
)
def test_what_cannot_be_used_is_said(call: object, said: str) -> None:
    with pytest.raises(UsageError) as error:
        call()  # type: ignore[operator]

    assert said in str(error.value)
