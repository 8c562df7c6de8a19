"""Accounts explained by hand-made scores: hostile names, accounts without a score, accounts that came or went."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from staypower.cutoffs import instant_of
from staypower.explanation.changes import compare_explanations
from staypower.explanation.learned import TypicalValues
from staypower.explanation.reasons import Explanation
from staypower.features.catalogue import Catalogue
from staypower.features.definition import Feature
from staypower.features.settings import FeatureSettings
from staypower.pipelines.arguments import nearest_accounts
from staypower.reporting.explanations import Explanations, standing
from staypower.results.result import printable
from staypower.scoring.scores import Scores

EVIL = ("<script>alert(1)</script>", '=HYPERLINK("http://x")', "a\x1b[2Jb\nc", "‮moc")
CATALOGUE = Catalogue(
    FeatureSettings(),
    (
        Feature(name="event_x_28d", table="usage", aggregation="count", window=28, unit="events",
                description="uses of <b>\x1b[31mx", lever="adoption"),
        Feature(name="plan_now", table="subscriptions", aggregation="last_code", column="plan", until="until_at", unit="",
                description="plan", lever=None, category=True),
    ),
    codes={"plan_now": {"<i>pro": 1}},
)  # fmt: skip


def scores(day: str, rows: dict[str, tuple[float, float] | str]) -> Scores:
    """Make scores from the contributions of two features, or from a status."""
    scored = {account: parts for account, parts in rows.items() if not isinstance(parts, str)}
    # other values on every day: what stayed the same is not told
    uses, plan = {"2025-07-01": (3.0, 1.0)}.get(day, (9.0, 0.0))
    X = pd.DataFrame([[uses, plan]] * len(scored), columns=list(CATALOGUE.names))
    contributions = np.array(list(scored.values())).reshape(len(scored), 2)
    accounts = np.array(list(scored), dtype=object)
    explained = Explanation(accounts, X, contributions, -1.0, catalogue=CATALOGUE, typical=TypicalValues({}))
    table = pd.DataFrame(
        {
            "account_id": list(rows),
            "horizon_days": 90,
            "status": [parts if isinstance(parts, str) else "scored" for parts in rows.values()],
            "churn_probability": [np.nan if isinstance(parts, str) else 0.2 for parts in rows.values()],
            "churn_risk_band": [None if isinstance(parts, str) else "high" for parts in rows.values()],
        }
    )
    return Scores(table, explained, instant_of(day))


def explained(now: dict, then: dict, asked: tuple[str, ...], actions: pd.DataFrame | None = None) -> Explanations:
    later, earlier = scores("2025-07-01", now), scores("2025-06-01", then)
    changes = compare_explanations(earlier.explanation, later.explanation)
    return Explanations(later, changes, earlier, asked, actions)


@pytest.mark.parametrize("name", EVIL)
def test_a_hostile_name_reaches_neither_page_nor_terminal(name):
    made = explained({name: (0.5, 0.1)}, {name: (0.1, 0.1)}, (name,))
    page, text = made._repr_html_(), made.text()
    assert "<script" not in page
    assert "<b>" not in page
    assert "\x1b" not in text
    assert all(line.isprintable() for line in text.splitlines())
    assert len([line for line in text.splitlines() if line.startswith(printable(name))]) == 1
    assert json.loads(json.dumps(made.to_dict()))["accounts"][0]["account_id"] == name


def test_what_moved_an_account():
    made = explained({"ann": (0.5, 0.1)}, {"ann": (0.1, 0.2)}, ("ann",))
    (story,) = made.stories
    assert story.raw_score == pytest.approx(-0.4)
    assert story.change == pytest.approx(0.3)
    assert [one.lever for one in story.changes] == ["adoption", None]
    assert story.base + sum(story.levers.values()) == pytest.approx(story.raw_score)
    assert "Before: 20% within 90 days (high risk)" in made.text()


def test_an_account_that_is_new_has_no_change():
    (story,) = explained({"ann": (0.5, 0.1)}, {"bob": (0.1, 0.1)}, ("ann",)).stories
    assert story.changes == ()
    assert np.isnan(story.change)
    assert story.before == {"status": "no_history"}


def test_an_account_that_lost_its_score_says_why_and_what_it_was():
    made = explained({"ann": "notice_given"}, {"ann": (0.1, 0.1)}, ("ann",))
    (story,) = made.stories
    assert (story.reasons, story.changes) == ((), ())
    assert "ann: no score (had given notice)" in made.text()
    assert "Before: 20% within 90 days" in made.text()
    assert made.to_dict()["accounts"][0]["reasons"] == []


def test_the_action_of_the_account_is_told():
    actions = pd.DataFrame({"account_id": ["ann"], "action": ["call"], "step": ["Call."], "owner": ["Eve"], "holdout": [True]})
    made = explained({"ann": (0.5, 0.1), "bob": (0.1, 0.1)}, {}, ("ann", "bob"), actions)
    first, second = made.stories
    assert first.action == {"action": "call", "step": "Call.", "owner": "Eve", "holdout": True}
    assert second.action == {}
    assert "Action: Call. (Eve) Held back at random: do not act on this account." in made.text()


def test_accounts_come_in_the_order_of_asking():
    made = explained({"ann": (0.5, 0.1), "bob": (0.1, 0.1)}, {}, ("bob", "ann"))
    assert [story.account for story in made.stories] == ["bob", "ann"]


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # shap 0.51 on matplotlib 3.11
def test_shap_is_shown_the_texts_of_categories():
    made = explained({"ann": (0.5, 0.1)}, {}, ("ann",))
    as_shap = made.to_shap()
    assert as_shap.display_data.tolist() == [[3.0, "<i>pro"]]
    assert np.array_equal(as_shap.values, [[0.5, 0.1]])
    assert as_shap.feature_names == ["event_x_28d", "plan_now"]


def test_standing_is_never_certain():
    facts = {"status": "scored", "churn_probability": 0.999, "churn_risk_band": "high", "horizon_days": 90, "tier": None}
    assert standing(facts) == ">99% within 90 days (high risk)"


def test_nearest_ids():
    known = [f"A{number:07d}" for number in range(30_000)]
    assert nearest_accounts("a000025", known)[0] == "A0000025"
    assert nearest_accounts("A00000255", known)[0] == "A0000255"
    assert nearest_accounts("nothing like it", known) == []
    assert nearest_accounts("x", []) == []
