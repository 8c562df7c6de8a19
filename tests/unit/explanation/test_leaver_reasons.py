"""What leavers said decides the order of levers, never contributions."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from staypower.explanation.learned import LeaverReasons, TypicalValues, fit_leaver_reasons
from staypower.explanation.reasons import Explanation
from staypower.explanation.settings import ExplanationSettings
from staypower.explanation.topics import Topic
from staypower.features.catalogue import Catalogue
from staypower.features.definition import Feature
from staypower.features.settings import FeatureSettings

TOPICS = (Topic("use", "use", "engagement", (0,)), Topic("tickets", "tickets", "support", (1,)))


def leavers(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make leavers whose use fell for all, and who name support when their tickets weighed."""
    rng = np.random.default_rng(seed)
    ticket = rng.random(rows) < 0.4
    sums = np.column_stack([rng.normal(1.0, 0.2, rows), np.where(ticket, 0.4, -0.1) + rng.normal(0, 0.05, rows)])
    named = np.where(ticket, "support", "engagement").astype(object)
    return sums, named, np.array([f"a{number}" for number in range(rows)], dtype=object)


def test_what_leavers_named_is_learned():
    said = fit_leaver_reasons(*leavers(400), TOPICS)
    assert said is not None
    assert dict(zip(said.levers, said.share, strict=True)) == pytest.approx({"engagement": 0.6, "support": 0.4}, abs=0.05)
    shares = said.shares_for(np.array([[1.0, 0.4], [1.0, -0.1]]))
    assert shares.sum(axis=1) == pytest.approx([1.0, 1.0])
    support = said.levers.index("support")
    assert shares[0, support] > 0.6 > 0.3 > shares[1, support]


def test_they_put_the_named_lever_first_and_leave_contributions_alone():
    said = fit_leaver_reasons(*leavers(400), TOPICS)
    features = tuple(
        Feature(name=name, table="t", aggregation="count", unit="", description=name, lever=lever)
        for name, lever in (("use", "engagement"), ("tickets", "support"))
    )
    X = pd.DataFrame([[1.0, 9.0]] * 2, columns=["use", "tickets"])
    contributions = np.array([[1.0, 0.4], [1.0, -0.1]])
    given = (np.array(["a", "b"], dtype=object), X, contributions, 0.0)
    shared = {"catalogue": Catalogue(FeatureSettings(), features), "typical": TypicalValues({})}
    # topics are named after the features here
    said = LeaverReasons(said.levers, ("use", "number_of_tickets"), said.share, said.scale, said.intercept, said.weights)
    plain, told = Explanation(*given, **shared), Explanation(*given, **shared, leavers=said)
    assert [one.lever for one in plain.reasons(0)] == ["engagement", "support"]
    assert [one.lever for one in told.reasons(0)] == ["support", "engagement"]
    assert [one.lever for one in told.reasons(1)] == ["engagement", "support"]
    assert {one.contribution for one in told.reasons(0)} == {1.0, 0.4}
    assert told.first_levers(1).tolist() == [["support"], ["engagement"]]


def test_words_learned_for_other_topics_are_not_used():
    said = fit_leaver_reasons(*leavers(400), TOPICS)
    feature = Feature(name="other", table="t", aggregation="count", unit="", description="other", lever="support")
    made = Explanation(
        *(np.array(["a"], dtype=object), pd.DataFrame({"other": [1.0]}), np.array([[0.5]]), 0.0),
        catalogue=Catalogue(FeatureSettings(), (feature,)),
        typical=TypicalValues({}),
        leavers=said,
    )
    assert made.lever_order.tolist() == made.lever_totals.tolist() == [[0, 0, 0, 0.5, 0, 0, 0, 0]]


@pytest.mark.parametrize("rows", [0, 60])
def test_too_few_leavers_say_nothing(rows):
    assert fit_leaver_reasons(*leavers(rows), TOPICS) is None


def test_an_account_counts_once_at_however_many_cutoffs():
    sums, named, accounts = leavers(300)
    many = np.arange(300) % 60
    assert fit_leaver_reasons(sums, named, accounts[many], TOPICS) is None


def test_one_account_that_is_looked_at_often_is_still_one_voice():
    sums, named, accounts = leavers(400)
    loud = np.flatnonzero(named == "support")[:1].repeat(300)
    rows = np.concatenate([np.arange(400), loud])
    once, often = (fit_leaver_reasons(sums[take], named[take], accounts[take], TOPICS) for take in (np.arange(400), rows))
    assert often.share == pytest.approx(once.share, abs=0.01)


def test_they_order_totals_and_nothing_else():
    said = LeaverReasons(("engagement", "support"), ("use", "tickets"), (0.8, 0.2), (1.0, 1.0), (0.0, 0.0), ((0.0, 0.0),) * 2)
    totals = np.array([[0.04, 0.04, 0.0, 0.25]])
    order = said.order(totals, np.zeros((1, 2)), ("engagement", "support", "value", "billing"))
    # the root of the total, times half of all by the root of how many named it; billing as if named half as often as support
    assert order[0] == pytest.approx([0.1 / 0.8**0.5, 0.1 / 0.2**0.5, 0.0, 0.5 * 0.1**0.5])


def test_it_is_read_as_it_was_written():
    fitted = fit_leaver_reasons(*leavers(400), TOPICS)
    assert LeaverReasons.of({"reasons": {"leavers": json.loads(json.dumps(fitted.to_dict()))}}) == fitted
    assert LeaverReasons.of({"reasons": {"leavers": None}}) is None
    assert LeaverReasons.of({}) is None


def test_models_sealed_with_settings_of_reasons_are_read():
    sealed = {"reasons": {"settings": {"protective": 1, "per_lever": 3}, "leavers": None}}
    assert LeaverReasons.of(sealed) is None


def test_words_of_an_end_reason():
    settings = ExplanationSettings(leavers_said={"billing": ["price"], "value": "price of a competitor", "support": ["slow"]})
    assert settings.lever_of("PRICE too high") == "billing"
    assert settings.lever_of("the price of a competitor") == "value"
    assert settings.lever_of("moved house") is None
    assert settings.lever_of(None) is None


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        ({"suport": ["slow"]}, "write `support`"),
        ({"support": []}, "write what churned customers say"),
        ({"support": [" "]}, "no words"),
    ],
)
def test_problems_of_the_words(said, fix):
    with pytest.raises(ValidationError, match=fix):
        ExplanationSettings(leavers_said=said)
