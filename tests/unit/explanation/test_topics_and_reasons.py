"""Which topics are said: drawn contributions and what must come of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from staypower.explanation.learned import TypicalValues
from staypower.explanation.reasons import Explanation
from staypower.explanation.selection import choose_topics, find_members, leading_topics
from staypower.explanation.topics import NOTHING, Topic, sum_topics
from staypower.features.catalogue import Catalogue
from staypower.features.definition import Feature
from staypower.features.settings import FeatureSettings

LEVERS = ("engagement", "engagement", "engagement", "support", None, "billing")
TOPICS = tuple(Topic(f"t{number}", f"topic {number}", lever, (number,)) for number, lever in enumerate(LEVERS))


def choose(sums: list[float], count: int = 5) -> list[int]:
    values = np.array([sums])
    found = choose_topics(values, None, TOPICS, count)[0]
    return [number for number in found.tolist() if number != NOTHING]


def test_the_strongest_come_first_and_nothing_says_nothing():
    assert choose([0.1, -0.5, 0.0, 0.3, 0.0, 0.0]) == [1, 3, 0]


def test_two_of_one_lever_and_then_what_else_matters():
    assert choose([0.9, 0.8, 0.7, 0.2, 0.1, 0.3], count=4) == [0, 1, 5, 3]


def test_a_third_of_one_lever_when_nothing_else_matters():
    # a twentieth of the strongest is what matters: 0.04 of 0.9 does not
    assert choose([0.9, 0.8, 0.7, 0.04, 0.0, 0.03], count=4) == [0, 1, 2, 3]
    assert choose([0.9, 0.8, 0.7, 0.046, 0.0, 0.03], count=3) == [0, 1, 3]


def test_topics_without_a_lever_have_no_limit():
    topics = tuple(Topic(f"t{number}", "", None, (number,)) for number in range(4))
    values = np.array([[0.4, 0.3, 0.2, 0.1]])
    assert choose_topics(values, None, topics, 4).tolist() == [[0, 1, 2, 3]]


def test_equal_strength_is_decided_by_order():
    assert choose([0.0, 0.3, 0.0, 0.3, -0.3, 0.3], count=3) == [1, 3, 4]


def test_more_places_than_topics():
    values = np.array([[0.1, 0.0, 0.0, 0.0, 0.0, 0.2]])
    found = choose_topics(values, None, TOPICS, 9)
    assert found.tolist() == [[5, 0, *[NOTHING] * 7]]


def test_a_topic_is_said_with_the_member_that_pushes_its_way():
    topic = (Topic("use", "use", "engagement", (0, 1, 2)),)
    contributions = np.array([[-0.9, 0.5, 0.6], [-0.9, 0.5, 0.3], [0.2, 0.2, 0.1]])
    sums = sum_topics(contributions, topic)
    assert sums[:, 0] == pytest.approx([0.2, -0.1, 0.5])
    values, typical = np.full((3, 3), 5.0), np.full((3, 3), 1.0)
    features = [replace(feature, lever=None) for feature in FEATURES]
    found = find_members(contributions, sums, topic, features, values, lambda rows: typical[rows])
    assert found.tolist() == [[2], [0], [0]]


def test_a_topic_is_said_with_a_member_that_tells_something():
    topic = (Topic("use", "use", "engagement", (0, 1, 2)),)
    contributions = np.array([[0.6, 0.5, 0.1]] * 3)
    # the typical value, the typical value as it is written, and a value on the side from which the opposite is expected
    values = np.array([[1.0, 2.0, 2.0], [1.004, 0.0, 2.0], [1.0, 1.0, 0.0]])
    features = [FEATURES[0], replace(FEATURES[1], direction=1), replace(FEATURES[2], direction=-1)]
    found = find_members(contributions, sum_topics(contributions, topic), topic, features, values, lambda _: np.ones((3, 3)))
    assert found.tolist() == [[1], [NOTHING], [2]]


def test_levers_of_the_largest_totals_come_first():
    said = np.array([[0.3, 0.2, 0.1, 0.25, 0.9, 0.15], [0.9, 0.2, 0.1, 0.04, -2.0, -0.4]])
    order = np.array([[0.2, 0.1, 0.3], [0.2, 0.1, 0.3]])
    leading = leading_topics(said, order, TOPICS, ("engagement", "support", "billing"))
    # in the second account support does not matter (less than a twentieth of 0.9) and billing lowers the risk
    assert leading.tolist() == [[5, 0, 3], [0, NOTHING, NOTHING]]
    chosen = choose_topics(said, leading, TOPICS, 5)
    assert chosen.tolist() == [[5, 0, 3, 1, 4], [0, 5, 1, 2, 4]]


def test_what_has_no_lever_matters_beside_what_has_one():
    topics = (Topic("date", "", None, (0,)), Topic("use", "", "engagement", (1,)), Topic("size", "", None, (2,)))
    said = np.array([[3.0, 0.1, 0.2]])
    leading = leading_topics(said, np.array([[0.1]]), topics, ("engagement",))
    assert choose_topics(said, leading, topics, 2).tolist() == [[1, 0]]


FEATURES = tuple(
    Feature(name=name, table="tickets", aggregation="count", window=window, unit="tickets", description=words, lever=lever)
    for name, window, words, lever in (
        ("tickets_28d", 28, "support tickets opened", "support"),
        ("tickets_90d", 90, "support tickets opened", "support"),
        ("logins_28d", 28, "logins", "engagement"),
    )
)


def explained(contributions: list[list[float]], account: str = "a"):
    X = pd.DataFrame([[7.0, 9.0, 1.0]] * len(contributions), columns=[feature.name for feature in FEATURES])
    names = np.array([f"{account}{number}" for number in range(len(contributions))], dtype=object)
    typical = TypicalValues({"tickets_28d": 1.0, "tickets_90d": 3.0, "logins_28d": 20.0})
    catalogue = Catalogue(FeatureSettings(), FEATURES)
    return Explanation(names, X, np.array(contributions), -2.0, catalogue=catalogue, typical=typical)


def test_windows_of_one_thing_are_one_reason_with_their_sum():
    first, second = explained([[0.3, 0.4, -0.6]]).reasons(0)
    assert (first.topic, first.feature, first.contribution) == ("number_of_tickets", "tickets_90d", pytest.approx(0.7))
    assert first.sentence == "Support tickets opened in the last 90 days: 9; typical: 3 (raises the risk)"
    assert first.raises
    assert (second.direction, second.statement) == ("lowers the risk", "Logins in the last 28 days: 1; typical: 20")
    assert not second.raises


def test_an_account_without_contributions_has_no_reasons():
    made = explained([[0.3, 0.4, -0.6], [0.0, 0.0, 0.0]])
    assert made.reasons(1) == ()
    assert made.frame(2).loc[1, ["reason_1", "lever_1", "contribution_1"]].isna().all()
    assert made.waterfall(1) == ()


def test_the_waterfall_ends_at_the_raw_score():
    made = explained([[0.3, 0.4, -0.6]])
    (name, value), (rest, left) = made.waterfall(0, 1)
    assert (name, rest) == ("number of tickets", "everything else")
    assert made.base + value + left == pytest.approx(made.raw_scores[0])


def test_topics_of_one_title_are_told_apart_by_their_levers():
    made = explained([[0.3, 0.4, -0.6]])
    tickets, logins = made.topics
    made.__dict__["topics"] = (tickets, replace(logins, title=tickets.title, lever=None))
    assert [name for name, _ in made.waterfall(0)] == ["number of tickets (support)", "number of tickets (no lever)"]


def test_levers_come_in_the_order_in_which_they_raise_the_risk():
    made = explained([[0.3, 0.4, 0.6], [0.3, 0.4, -0.6], [-1.0, 0.0, -1.0]])
    assert made.first_levers(3).tolist() == [["support", "engagement", None], ["support", None, None], [None] * 3]


def test_families_are_the_tables_that_features_come_from():
    assert explained([[0.3, 0.4, -0.6]]).families().loc["a0"].to_dict() == {"tickets": pytest.approx(0.1)}


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "=1+1", '"><img src=x onerror=alert(1)>'])
def test_html_is_escaped(name):
    shown = explained([[0.3, 0.4, -0.6]], account=name)._repr_html_()
    assert "<script" not in shown
    assert "<img" not in shown


def test_a_row_from_the_end_and_a_row_that_is_not_there():
    made = explained([[0.3, 0.4, -0.6], [0.0, 0.0, 1.0]])
    assert made.reasons(-1) == made.reasons(1)
    with pytest.raises(IndexError):
        made.reasons(2)
