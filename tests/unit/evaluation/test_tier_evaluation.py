from __future__ import annotations

import json

import numpy as np
import pytest

from staypower.errors import UsageError
from staypower.evaluation.tier import TierEvaluation, evaluate_tiers, last_tier_baseline

TIERS = ("detractor", "passive", "promoter")
TRUE = np.array([0, 1, 2, 2])
LIKELY = np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.1, 0.3, 0.6], [0.5, 0.3, 0.2]])
LAST = np.array([0, 2, -1, 2])


def evaluated(times: int = 1, **more: object) -> TierEvaluation:
    rows = len(TRUE) * times
    given = {
        "accounts": np.arange(rows),
        "cutoffs": np.zeros(rows, dtype=np.int64),
        "split": "temporal",
        "classes": TIERS,
        "last_tier": np.tile(LAST, times),
        "train_frequencies": [0.25, 0.25, 0.5],
        "bootstrap": 0,
    }
    return evaluate_tiers(np.tile(TRUE, times), np.tile(LIKELY, (times, 1)), **{**given, **more})  # type: ignore[arg-type]


def value(found: TierEvaluation, scorer: str, metric: str, group: str = "all") -> float:
    return found.scorers[group, scorer][metric].value


def test_the_model_and_its_baselines_by_hand() -> None:
    found = evaluated()

    assert value(found, "tier model", "accuracy") == 0.75
    # rows: (.09 + .01) / 2, (.04 + .09) / 2, (.01 + .16) / 2, (.25 + .64) / 2
    assert value(found, "tier model", "ranked_probability_score") == pytest.approx((0.05 + 0.065 + 0.085 + 0.445) / 4)
    assert value(found, "tier model", "log_loss") == pytest.approx(-np.log([0.7, 0.5, 0.6, 0.2]).mean())
    # always promoter
    assert value(found, "class frequencies", "accuracy") == 0.5
    assert value(found, "class frequencies", "quadratic_weighted_kappa") == 0.0
    # 0 right, 2 for 1 wrong, frequencies (promoter) right, 2 right
    assert value(found, "last answer", "accuracy") == 0.75
    assert value(found, "last answer", "ranked_probability_score") == pytest.approx((0 + 0.5 + (0.0625 + 0.25) / 2 + 0) / 4)
    assert found.known_last == 0.75
    assert found.confusion_frame().loc["promoter"].tolist() == [1.0, 0.0, 1.0]


def test_the_verdict_says_what_is_not_beaten() -> None:
    assert evaluated().headline == (
        "The tier model beats every baseline in ranked probability score: 0.161 (class frequencies 0.219, last answer 0.164)"
    )
    assert evaluated(last_tier=TRUE).headline == "The tier model (RPS 0.161) does not beat last answer (0.000)"


def test_groups_are_measured_apart() -> None:
    found = evaluated(
        groups={"answerers": [True, True, False, False], "silent": [False, False, True, True], "none": [False] * 4}
    )

    assert found.rows == {"all": 4, "answerers": 2, "silent": 2}
    assert value(found, "tier model", "accuracy", "answerers") == 1.0
    assert value(found, "tier model", "accuracy", "silent") == 0.5
    assert found.frame().query("group == 'silent' and scorer == 'tier model'")["accuracy"].tolist() == [0.5]


def test_intervals_are_drawn_by_account() -> None:
    apart = evaluated(times=50, bootstrap=100)
    together = evaluated(times=50, bootstrap=100, accounts=np.tile([0, 1, 2, 3], 50))

    alone, few = (found.scorers["all", "tier model"]["accuracy"] for found in (apart, together))
    assert alone.low < 0.75 < alone.high
    assert few.high - few.low > 3 * (alone.high - alone.low), "four accounts are four, however many rows they have"
    assert evaluated(times=50, bootstrap=100).scorers["all", "tier model"]["accuracy"] == alone, "seeded"
    assert not evaluated().scorers["all", "tier model"]["accuracy"].bounded


def test_other_predictions_stand_beside() -> None:
    found = evaluated(others={"weighted": np.eye(3)[TRUE]})

    assert value(found, "weighted", "accuracy") == 1.0
    assert "weighted (0.000)" in found.headline


def test_results_can_be_written_down() -> None:
    found = evaluated(groups={"silent": [False, False, True, True]})

    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["groups"]["silent"]["scorers"]["tier model"]["accuracy"]["value"] == 0.5
    assert plain["groups"]["all"]["confusion"] == [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 1.0]]
    assert found.metrics()["tier_accuracy"] == 0.75
    assert max(map(len, found.text().splitlines())) <= 128
    assert "silent: 2 rows" in found.text()
    assert "<table" in found._repr_html_()


def test_frequencies_are_those_of_the_rows_unless_training_tells_others() -> None:
    found = evaluated(train_frequencies=None, last_tier=None)

    assert value(found, "class frequencies", "log_loss") == pytest.approx(-(2 * np.log(0.25) + 2 * np.log(0.5)) / 4)
    assert ("all", "last answer") not in found.scorers


def test_last_answer_falls_back_where_there_is_none() -> None:
    assert last_tier_baseline([1, -1], [0.2, 0.3, 0.5]).tolist() == [[0.0, 1.0, 0.0], [0.2, 0.3, 0.5]]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"classes": ("a", "b")}, "probabilities do not match the classes: (4, 3)"),
        ({"accounts": [1]}, "rows differ in number"),
        ({"bootstrap": -1}, "bootstrap is too small"),
    ],
)
def test_what_cannot_be_judged_is_said(more: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError) as error:
        evaluated(**more)

    assert said in str(error.value)
