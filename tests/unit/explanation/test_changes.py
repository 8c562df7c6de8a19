"""What changed between two cutoffs, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from staypower.errors import UsageError
from staypower.explanation.changes import RiskChanges, compare_explanations
from staypower.explanation.learned import TypicalValues
from staypower.explanation.reasons import Explanation
from staypower.features.catalogue import Catalogue
from staypower.features.definition import Feature
from staypower.features.settings import FeatureSettings

FEATURES = (
    Feature(name="logins_28d", table="usage", aggregation="count", window=28, unit="events", description="logins",
            lever="engagement"),
    Feature(name="tickets_28d", table="tickets", aggregation="count", window=28, unit="tickets", description="tickets opened",
            lever="support"),
    Feature(name="tenure_days", table="accounts", aggregation="days_since_first", unit="days", description="days as a customer",
            lever=None),
)  # fmt: skip
CATALOGUE = Catalogue(FeatureSettings(), FEATURES)


def at(rows: dict[str, tuple[list[float], list[float]]], base: float = -1.0) -> Explanation:
    X = pd.DataFrame([values for values, _ in rows.values()], columns=list(CATALOGUE.names), dtype=float)
    contributions = np.array([parts for _, parts in rows.values()]).reshape(len(rows), 3)
    accounts = np.array(list(rows), dtype=object)
    return Explanation(accounts, X, contributions, base, catalogue=CATALOGUE, typical=TypicalValues({}))


THEN = {
    "ann": ([20, 0, 100], [-0.5, 0.0, 0.1]),
    "bob": ([5, 1, 300], [0.2, 0.1, 0.0]),
    "dan": ([9, 0, 50], [0.0, 0.0, 0.3]),
}
NOW = {
    "cem": ([3, 0, 20], [0.1, 0.0, 0.4]),
    "bob": ([5, 4, 330], [0.1, 0.4, 0.0]),
    "ann": ([2, 0, 130], [0.6, 0.0, 0.0]),
}


def test_each_account_is_told_what_moved_it():
    changes = compare_explanations(at(THEN), at(NOW))
    assert changes.accounts.tolist() == ["bob", "ann"]
    assert (changes.appeared, changes.gone) == (("cem",), ("dan",))
    assert changes.score_changes == pytest.approx([0.2, 1.0])
    first, second = changes.of(1)
    assert (first.feature, first.before, first.after, first.lever) == ("logins_28d", 20.0, 2.0, "engagement")
    assert first.contribution == pytest.approx(1.1)
    assert first.sentence == "Logins in the last 28 days: from 20 to 2 (raised the risk)"
    assert first.statement == "Logins in the last 28 days: from 20 to 2"
    assert second.sentence == "Days as a customer: from 100 to 130 (lowered the risk)"


def test_the_risk_of_several_buckets_is_that_of_all_accounts():
    def own(rows: dict, *names: str) -> Explanation:
        return at({name: rows[name] for name in sorted(names) if name in rows})

    whole = compare_explanations(own(THEN, *THEN), own(NOW, *NOW)).risk
    buckets = [("bob", "dan"), ("ann",), ("cem",)]
    together = RiskChanges.together([compare_explanations(own(THEN, *ids), own(NOW, *ids)).risk for ids in buckets])
    assert together.to_dict() == whole.to_dict()
    assert together.text() == whole.text()
    assert together.accounts.tolist() == ["ann", "bob"]
    assert together.score_changes.tolist() == whole.score_changes.tolist()


def test_a_value_that_stayed_is_not_told():
    changes = compare_explanations(at(THEN), at(NOW))
    told = [one.sentence for one in changes.of(0)]
    assert told == ["Tickets opened in the last 28 days: from 1 to 4 (raised the risk)"]
    assert changes.levers().loc["bob", "engagement"] == pytest.approx(-0.1), "it counts in the sum all the same"


def test_the_portfolio_adds_up():
    changes = compare_explanations(at(THEN), at(NOW))
    found = changes.portfolio().set_index("lever")
    assert found.index.tolist() == ["engagement", "support", "none"]
    assert found["mean_change"].to_dict() == pytest.approx({"engagement": 0.5, "support": 0.15, "none": -0.05})
    assert found.loc["engagement", ["raised", "lowered"]].tolist() == [1, 1]
    assert found.loc["none", ["raised", "lowered"]].tolist() == [0, 1]
    assert "the risk rose for 2 and fell for 0; the raw score changed by +0.600 log-odds" in changes.headline
    assert "(1 new, 1 no longer scored)" in changes.headline
    assert changes.headline in changes.text(300)
    assert "no lever" in changes.text()


def test_the_frame_holds_old_and_new_scores():
    frame = compare_explanations(at(THEN), at(NOW)).frame(2).set_index("account_id")
    assert frame.loc["ann", ["raw_before", "raw_after", "change"]].tolist() == pytest.approx([-1.4, -0.4, 1.0])
    assert frame.loc["ann", "moved_lever_1"] == "engagement"
    assert frame.loc["ann", "moved_by_1"] == pytest.approx(1.1)


def test_nobody_at_both_cutoffs():
    changes = compare_explanations(at({"ann": THEN["ann"]}), at({"cem": NOW["cem"]}))
    assert len(changes) == 0
    assert changes.text() == "No account has a score at both cutoffs."
    assert changes.portfolio()["mean_change"].tolist() == [0.0, 0.0, 0.0]
    assert changes.frame().empty
    assert "0" not in changes._repr_html_().replace("no account", "")


def test_two_models_cannot_be_compared():
    with pytest.raises(UsageError, match="two different models"):
        compare_explanations(at(THEN), at(NOW, base=-2.0))


def test_names_are_escaped():
    evil = {"<script>": THEN["ann"]}
    shown = compare_explanations(at(evil), at({"<script>": NOW["ann"]}))._repr_html_()
    assert "<script>" not in shown
