import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from staypower.errors import UsageError
from staypower.metrics.risk import RiskBands, RiskReference, high_risk_above, profit_threshold
from staypower.portfolio.quadrants import GONE, NEW, movement, quadrants_of, sizes_of
from staypower.portfolio.settings import QUADRANTS, QuadrantSettings

TIERS = ["promoter", "passive", "detractor", "unknown", None]
LOW, HIGH = 0.1, 0.5


def table(settings=None):
    """The whole table: each tier at low and at high risk."""
    given = [tier for tier in TIERS for _ in (LOW, HIGH)]
    found = quadrants_of(np.array([LOW, HIGH] * len(TIERS)), given, high_above=0.2, settings=settings)
    return {tier: tuple(found[2 * number : 2 * number + 2]) for number, tier in enumerate(TIERS)}


def test_the_table_of_the_design():
    assert table() == {
        "promoter": ("loyal", "loyal_but_leaving"),
        "passive": ("content", "loyal_but_leaving"),
        "detractor": ("captive", "leaving"),
        "unknown": ("tier_unknown", "tier_unknown"),
        None: ("tier_unknown", "tier_unknown"),
    }
    assert set(QUADRANTS) == {name for pair in table().values() for name in pair}


def test_which_tiers_are_loyal_is_a_setting():
    strict = table(QuadrantSettings(loyal_but_leaving=("promoter",)))
    assert strict["passive"] == ("content", "leaving")
    assert strict["promoter"] == ("loyal", "loyal_but_leaving")
    wide = table(QuadrantSettings(loyal=("promoter", "passive")))
    assert wide["passive"] == ("loyal", "loyal_but_leaving")
    none = table(QuadrantSettings(loyal=(), loyal_but_leaving=()))
    assert none == table() | {"promoter": ("content", "leaving"), "passive": ("content", "leaving")}


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"loyal": ["passive"]}, "`quadrants.loyal` skips a tier: passive"),
        ({"loyal": ["promoter", "passive"], "loyal_but_leaving": ["promoter"]}, "lacks a loyal tier: passive"),
        (
            {"loyal_but_leaving": ["promotor"]},
            "unknown tier in `quadrants.loyal_but_leaving`: promotor. Fix: write `promoter`",
        ),
    ],
)
def test_settings_that_contradict_themselves_are_refused(values, problem):
    with pytest.raises(UsageError) as caught:
        table(QuadrantSettings(**values))
    assert problem in str(caught.value)


def test_an_unknown_setting_is_refused():
    with pytest.raises(ValidationError, match="Extra inputs"):
        QuadrantSettings(loyl=["promoter"])


def test_tiers_of_other_names_and_numbers():
    tiers = ("angry", "unhappy", "fine", "fan")
    found = [quadrants_of(np.full(4, risk), tiers, high_above=0.2, tiers=tiers).tolist() for risk in (LOW, HIGH)]
    assert found == [["captive", "content", "content", "loyal"], ["leaving"] + ["loyal_but_leaving"] * 3]


def test_risk_is_high_strictly_above_the_line_and_missing_stays_missing():
    found = quadrants_of(np.array([0.2, np.nextafter(0.2, 1), np.nan]), ["promoter"] * 3, high_above=0.2)
    assert found.tolist() == ["loyal", "loyal_but_leaving", None]
    assert quadrants_of(np.array([0.1, np.nan]), None, high_above=0.2).tolist() == ["tier_unknown", None]
    frame = pd.DataFrame({"tier": ["passive", np.nan]})
    assert quadrants_of(np.array([0.1, 0.1]), frame["tier"].to_numpy(), high_above=0.2).tolist() == ["content", "tier_unknown"]


def test_a_strange_tier_is_named():
    with pytest.raises(UsageError, match="unknown tier: promotor"):
        quadrants_of(np.array([0.1]), ["promotor"], high_above=0.2)
    with pytest.raises(UsageError, match="2 for 1"):
        quadrants_of(np.array([0.1]), ["passive", "passive"], high_above=0.2)


def test_high_risk_is_the_larger_of_the_rules():
    assert high_risk_above(0.1) == 0.2
    assert high_risk_above(0.1, capacity_cut=0.15) == 0.2
    assert high_risk_above(0.1, capacity_cut=0.3, profit=0.25) == 0.3
    assert high_risk_above(0.1, profit=0.25) == 0.25
    assert [high_risk_above(base_rate) for base_rate in (0.3, 0.5)] == [0.6, 0.75], "halfway to 1 where twice nears it"


@given(st.lists(st.floats(0, 1) | st.just(np.nan), min_size=1), st.floats(0.01, 0.9), st.none() | st.floats(0, 1))
def test_a_band_is_high_exactly_where_the_quadrant_is(risks, base_rate, cut):
    probability, above = np.array(risks), high_risk_above(base_rate, capacity_cut=cut)
    bands = RiskBands(base_rate, above).of(probability)
    for tier, quiet in (("promoter", "loyal"), ("passive", "content"), ("detractor", "captive")):
        placed = quadrants_of(probability, [tier] * len(risks), high_above=above)
        assert (bands == "high").tolist() == np.isin(placed, ["leaving", "loyal_but_leaving"]).tolist()
        assert not ((bands == "high") & (placed == quiet)).any()


def test_the_profit_threshold_is_where_acting_breaks_even():
    found = profit_threshold(clv=1200, incentive_cost=60, contact_cost=10, acceptance=0.3)
    earned, lost = 0.3 * (1200 - 60) - 10, 60 + 10
    assert found * earned - (1 - found) * lost == pytest.approx(0)
    assert found == pytest.approx(70 / 402)
    assert profit_threshold(clv=200, incentive_cost=10, contact_cost=300, acceptance=0.3) == 1.0
    assert profit_threshold(clv=200, incentive_cost=0, contact_cost=1, acceptance=0.0) == 1.0
    with pytest.raises(UsageError):
        profit_threshold(clv=10, incentive_cost=10, contact_cost=0, acceptance=0.3)


def test_the_capacity_cut_leaves_as_many_above_as_the_team_can_act_on():
    drawn = np.random.default_rng(0).random(150)
    reference = RiskReference.of(np.append(drawn, np.nan))
    assert reference.accounts == 150
    for capacity in (1, 50, 149):
        assert (drawn > reference.cut(capacity)).sum() == capacity
    assert reference.cut(150) == reference.cut(10_000) == 0.0
    tied = RiskReference.of([0.9, 0.5, 0.5, 0.5, 0.1])
    assert tied.cut(2) == 0.5  # of three that tie, none more than fits is called high


def test_the_capacity_cut_of_many_accounts_is_near_enough():
    drawn = np.random.default_rng(1).beta(1, 9, 100_000)
    reference = RiskReference.of(drawn)
    assert len(reference.highest) < 600
    for capacity in (50, 199, 1_000, 30_000):
        assert (drawn > reference.cut(capacity)).sum() == pytest.approx(capacity, rel=0.002, abs=1)
    assert RiskReference.from_dict(reference.to_dict()) == reference
    with pytest.raises(UsageError, match="unusable risk reference"):
        RiskReference.from_dict({"accounts": 3, "highest": [0.1, 0.2, 0.3]})


SCORES = pd.DataFrame(
    {
        "account_id": ["a", "b", "c", "d", "e"],
        "cutoff": "2025-07-01",
        "quadrant": ["loyal", "loyal", "leaving", "tier_unknown", None],
        "mrr": [100.0, np.nan, 50.0, 50.0, 1000.0],
    }
)


def test_sizes_count_every_quadrant_and_what_is_known_of_its_revenue():
    found = sizes_of(SCORES).set_index("quadrant")
    assert found.index.tolist() == list(QUADRANTS)
    assert found["accounts"].tolist() == [2, 0, 0, 0, 1, 1]
    assert found["share"].tolist() == [0.5, 0, 0, 0, 0.25, 0.25]
    assert found["mrr"].tolist() == [100, 0, 0, 0, 50, 50]
    assert found["mrr_share"].tolist() == [0.5, 0, 0, 0, 0.25, 0.25]


def test_sizes_without_revenue_or_without_accounts():
    bare = sizes_of(SCORES.drop(columns="mrr"))
    assert bare["accounts"].sum() == 4
    assert bare[["mrr", "mrr_share"]].isna().all(axis=None)
    nothing = sizes_of(SCORES.iloc[4:])
    assert nothing["accounts"].tolist() == [0] * 6
    assert nothing["share"].tolist() == [0.0] * 6


def test_who_moved_where():
    previous = pd.DataFrame(
        {
            "account_id": ["a", "b", "c", "e", "f"],
            "cutoff": "2025-04-02",
            "quadrant": ["loyal", "captive", "leaving", "captive", None],
            "mrr": [90.0, 10.0, 60.0, 1000.0, 5.0],
        }
    )
    found = movement(previous, SCORES)
    assert found.accounts.set_index("account_id")[["before", "now"]].T.to_dict("list") == {
        "a": ["loyal", "loyal"],
        "b": ["captive", "loyal"],
        "c": ["leaving", "leaving"],
        "d": [NEW, "tier_unknown"],
        "e": ["captive", GONE],
    }
    assert found.moved["account_id"].tolist() == ["b", "d", "e"]
    rows = found.frame().astype(object).where(found.frame().notna(), None).to_numpy().tolist()
    assert rows == [
        ["loyal", "loyal", 1, 90.0, 100.0],
        ["captive", "loyal", 1, 10.0, None],
        ["captive", "gone", 1, 1000.0, None],
        ["leaving", "leaving", 1, 60.0, 50.0],
        ["new", "tier_unknown", 1, None, 50.0],
    ]
    square = found.table()
    assert square.to_numpy().sum() == 5
    assert square.loc["captive", "loyal"] == square.loc["captive", GONE] == 1
    assert square.shape == (7, 7)


def test_movement_of_nobody():
    nobody = SCORES.iloc[4:]
    assert movement(nobody, nobody.assign(cutoff="2025-08-01")).frame().empty


@pytest.mark.parametrize(
    ("previous", "problem"),
    [
        (SCORES, "not the earlier ones"),
        (SCORES.assign(cutoff="2025-08-01"), "not the earlier ones"),
        (pd.concat([SCORES, SCORES]).assign(cutoff="2025-01-01"), "appears twice in the previous frame: a"),
        (SCORES.assign(cutoff="2025-01-01", quadrant="loyl"), "unknown quadrant: loyl. Fix: write `loyal`"),
        (SCORES.drop(columns=["quadrant", "cutoff"]), "has no such column: quadrant"),
    ],
)
def test_previous_scores_that_cannot_be_meant_are_refused(previous, problem):
    with pytest.raises(UsageError, match=problem):
        movement(previous, SCORES)
