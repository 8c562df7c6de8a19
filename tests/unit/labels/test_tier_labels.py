from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from frozen import dataclasses_not_frozen

from staypower.cutoffs import DAY
from staypower.errors import UsageError
from staypower.labels import churn, endings, inputs, population, tier
from staypower.labels.tier import find_survey_state, find_tiers
from staypower.labels.tier_settings import TierSettings
from staypower.schemas import SCHEMAS
from staypower.tables import Table, Tables

DETRACTOR, PASSIVE, PROMOTER, NONE = 0, 1, 2, -1
SHORT = TierSettings(horizon=30)
CSAT = TierSettings(instrument="csat", horizon=30, bands={"detractor": "1-3", "passive": 4, "promoter": 5})
CES1 = TierSettings(instrument="ces1", horizon=30, bands={"detractor": "3-5", "passive": 2, "promoter": 1})


def times(*days: float | None) -> pa.Array:
    return pa.array([None if day is None else round(day * DAY) for day in days], pa.timestamp("us", "UTC"))


def company(until: float = 200, accounts: tuple[str, ...] = (), **columns: dict[str, Any]) -> Tables:
    ids = sorted({name for each in columns.values() for name in each["account_id"]} | set(accounts))
    columns["accounts"] = {"account_id": ids}
    return Tables({name: Table(SCHEMAS[name], pa.table(each)) for name, each in columns.items()}, round(until * DAY))


def surveys(
    *rows: tuple[str, float | None, float | None, float | None],
    instrument: str = "nps",
    scale: tuple[float, float] = (0, 10),
    better: bool = True,
    **more: Any,
) -> dict[str, Any]:
    """Draw a table of account, sent, answered, value."""
    account, sent, answered, value = zip(*rows, strict=True)
    return {
        "account_id": list(account),
        "sent_at": times(*sent),
        "answered_at": times(*answered),
        "value": pa.array(value, pa.float64()),
        "instrument": [instrument] * len(rows),
        "low": [float(scale[0])] * len(rows),
        "high": [float(scale[1])] * len(rows),
        "higher_is_better": [better] * len(rows),
        **more,
    }


def days(*cutoffs: float) -> np.ndarray:
    return np.array([round(cutoff * DAY) for cutoff in cutoffs], dtype=np.int64)


@pytest.mark.parametrize(
    ("value", "tier"),
    [(0, DETRACTOR), (6, DETRACTOR), (6.5, DETRACTOR), (7, PASSIVE), (8, PASSIVE), (9, PROMOTER), (10, PROMOTER)],
)
@pytest.mark.parametrize("scale", [(0, 10), (1, 10)])
def test_nps_bands(value: float, tier: int, scale: tuple[float, float]) -> None:
    value = max(value, scale[0])
    tables = company(surveys=surveys(("a", 100, 101, value), scale=scale))

    assert find_tiers(tables, SHORT, days(100)).tier.tolist() == [[tier]]


@pytest.mark.parametrize(("value", "tier"), [(1, PROMOTER), (1.5, PASSIVE), (2, PASSIVE), (2.5, DETRACTOR), (5, DETRACTOR)])
def test_declared_bands_of_an_instrument_where_lower_is_better(value: float, tier: int) -> None:
    tables = company(surveys=surveys(("a", 100, 101, value), instrument="ces1", scale=(1, 5), better=False))

    assert find_tiers(tables, CES1, days(100)).tier.tolist() == [[tier]]


def test_the_first_answer_in_the_horizon_counts_and_its_ends_are_half_open() -> None:
    tables = company(
        surveys=surveys(
            ("before", 90, 100 - 1 / DAY, 10),
            ("first_instant", 90, 100, 10),
            ("last_instant", 90, 130 - 1 / DAY, 0),
            ("too_late", 90, 130, 10),
            ("twice", 90, 105, 3),
            ("twice", 90, 110, 10),
            ("unanswered", 110, None, None),
        )
    )

    labels = find_tiers(tables, SHORT, days(100))

    found = dict(zip(labels.accounts, labels.tier[:, 0].tolist(), strict=True))
    assert found == {
        "before": NONE,
        "first_instant": PROMOTER,
        "last_instant": DETRACTOR,
        "too_late": NONE,
        "twice": DETRACTOR,
        "unanswered": NONE,
    }
    state = find_survey_state(tables, SHORT, labels.accounts, days(100))
    assert state.ever_invited[:, 0].tolist() == [True, True, True, True, True, False]
    assert labels.last_tier[:, 0].tolist() == [PROMOTER, NONE, NONE, NONE, NONE, NONE]


def test_several_people_on_one_day_are_their_median() -> None:
    tables = company(
        surveys=surveys(
            ("two", 100, 101.2, 6),
            ("two", 100, 101.9, 9),  # 7.5: passive, neither the first (detractor) nor the last (promoter)
            ("between", 100, 101.2, 6),
            ("between", 100, 101.9, 7),  # 6.5 lies between two bands: the worse
            ("next_day", 100, 101.99, 10),
            ("next_day", 100, 102.01, 0),
            ("three", 100, 101.5, 9),
            ("three", 100, 101.1, 0),
            ("three", 100, 101.7, 10),
        )
    )

    labels = find_tiers(tables, SHORT, days(100, 103))

    assert labels.accounts == ("between", "next_day", "three", "two")
    assert labels.tier[:, 0].tolist() == [DETRACTOR, PROMOTER, PROMOTER, PASSIVE]
    assert labels.last_tier[:, 1].tolist() == [DETRACTOR, DETRACTOR, PROMOTER, PASSIVE]


def test_a_day_that_the_horizon_cuts_counts_only_inside() -> None:
    rows = surveys(("a", 90, 100.2, 0), ("a", 90, 100.8, 9), ("b", 90, 130.2, 9), ("b", 90, 130.8, 0))

    labels = find_tiers(company(surveys=rows), SHORT, days(100.5))

    assert labels.tier.tolist() == [[PROMOTER], [PROMOTER]], "neither the answer before it nor the one after it"


def test_answers_fall_into_every_horizon_that_holds_them() -> None:
    tables = company(surveys=surveys(("a", 90, 100, 10), ("a", 110, 121, 0)))

    labels = find_tiers(tables, SHORT, days(60, 71, 100, 101, 122))

    assert labels.tier.tolist() == [[NONE, PROMOTER, PROMOTER, DETRACTOR, NONE]]
    assert labels.last_tier.tolist() == [[NONE, NONE, NONE, PROMOTER, DETRACTOR]]
    for number, day in enumerate((60, 71, 100, 101, 122)):
        alone = find_tiers(tables, SHORT, days(day))
        assert alone.tier[:, 0].tolist() == labels.tier[:, number].tolist(), "a cutoff does not depend on the others"


def test_other_instruments_and_answers_without_a_value_do_not_count() -> None:
    rows = surveys(("a", 90, 101, 10), ("a", 90, 102, None), ("b", 90, 103, 10))
    rows["instrument"] = ["csat", "nps", "nps"]

    labels = find_tiers(company(surveys=rows), SHORT, days(100))

    assert labels.tier.tolist() == [[NONE], [PROMOTER]]


def test_rows_that_arrive_late_are_known_late() -> None:
    rows = surveys(("a", 80, 90, 10), ("a", 91, 92, 0), known_at=times(90, 150))
    tables = company(until=160, surveys=rows)

    assert find_tiers(tables, SHORT, days(100)).last_tier.tolist() == [[PROMOTER]]
    assert find_survey_state(tables, SHORT, ["a"], days(100, 151)).last_tier.tolist() == [[PROMOTER, DETRACTOR]]
    assert find_tiers(company(until=150, surveys=rows), SHORT, days(91)).tier.tolist() == [[NONE]], "not known at the end"
    assert find_tiers(tables, SHORT, days(91)).tier.tolist() == [[DETRACTOR]]


def test_late_answers_of_the_same_day_wait_for_their_arrival() -> None:
    rows = surveys(("a", 80, 90.1, 0), ("a", 80, 90.2, 10), ("a", 80, 90.3, 10), known_at=times(90.1, 105, 105))

    state = find_survey_state(company(surveys=rows), SHORT, ["a"], days(100, 110))

    assert state.last_tier.tolist() == [[DETRACTOR, PROMOTER]]


def test_without_invitations_answers_tell_who_was_asked() -> None:
    rows = surveys(("a", None, 90, 10), ("b", None, 101, 9))
    del rows["sent_at"]

    state = find_survey_state(company(accounts=("c",), surveys=rows), SHORT, ["a", "b", "c"], days(100, 102))

    assert state.ever_invited.tolist() == [[True, True], [False, True], [False, False]]


def test_a_date_without_a_clock_is_known_at_its_end() -> None:
    columns = surveys(("a", 99, 100, 10))
    tables = company(surveys=columns)
    dated = Table(SCHEMAS["surveys"], tables["surveys"].data, date_only=frozenset({"answered_at", "sent_at"}))
    tables = Tables({**tables.tables, "surveys": dated}, tables.observed_until)

    labels = find_tiers(tables, SHORT, days(71, 70, 100)[[1, 0, 2]])

    assert labels.tier.tolist() == [[NONE, PROMOTER, PROMOTER]]
    assert find_survey_state(tables, SHORT, ["a"], days(70, 71, 100)).ever_invited.tolist() == [[False, False, True]]


def test_a_horizon_that_is_not_over_is_refused() -> None:
    tables = company(until=200, surveys=surveys(("a", 100, 101, 9)))

    find_tiers(tables, SHORT, days(170))
    with pytest.raises(UsageError, match=r"tier horizon not over: cutoff 1970-06-21 .* use 1970-06-20"):
        find_tiers(tables, SHORT, days(171))
    assert find_survey_state(tables, SHORT, ["a"], days(300)).last_tier.tolist() == [[PROMOTER]]


def mixed(scale: bool = True) -> dict[str, Any]:
    rows = surveys(("a", 90, 101, 9), ("b", 90, 102, 5), survey_id=["v1", "v2"])
    rows["low"], rows["high"] = ([0.0, 1.0], [10.0, 10.0]) if scale else ([0.0, 0.0], [10.0, 10.0])
    rows["higher_is_better"] = [True, scale]
    return rows


@pytest.mark.parametrize(
    ("settings", "rows", "said"),
    [
        (SHORT, mixed(), "`nps` is answered on more than one scale: 0-10 (higher is better) in 1 rows, such as (survey_id v1"),
        (SHORT, mixed(), "1-10 (higher is better) in 1 rows, such as (survey_id v2, account_id b, value 5.0)"),
        (SHORT, mixed(scale=False), "0-10 (lower is better) in 1 rows, such as (survey_id v2"),
        (SHORT, surveys(("a", 90, 101, 11)), "`nps` answers outside their scale: 1 rows, such as (account_id a, value 11.0)"),
        (SHORT, surveys(("a", 90, 101, 5), scale=(1, 5)), "NPS has bands on 0-10 and 1-10 only"),
        (SHORT, surveys(("a", 90, None, None)), "no account answered the survey that the tier is made from: nps"),
        (CSAT, surveys(("a", 90, 101, 9)), "use `tier.instrument: nps`"),
        (CSAT, surveys(("a", 90, 101, 6), instrument="csat", scale=(1, 7)), "bands do not cover the scale"),
        (CSAT, surveys(("a", 90, 101, 4), instrument="csat", scale=(1, 5), better=False), "against the instrument's direction"),
    ],
)
def test_what_is_not_one_instrument_on_one_scale_is_refused(settings: TierSettings, rows: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as error:
        find_tiers(company(surveys=rows), settings, days(100))

    assert said in str(error.value)


def test_missing_tables_and_columns_are_named() -> None:
    with pytest.raises(UsageError, match="table that is missing: surveys"):
        find_tiers(company(usage={"account_id": ["a"]}), SHORT, days(100))
    rows = surveys(("a", 90, 101, 9))
    del rows["instrument"]
    with pytest.raises(UsageError, match=r"surveys\.instrument"):
        find_tiers(company(surveys=rows), SHORT, days(100))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"instrument": "csat"}, "`csat` needs declared bands"),
        ({"bands": {"detractor": 1, "passive": 2, "promoter": 3}}, "NPS has its own bands"),
        ({"instrument": "csat", "bands": {"detractor": "1-3", "passive": 4}}, "give one band to each"),
        ({"instrument": "csat", "bands": {"detractor": "1-4", "passive": 4, "promoter": 5}}, "overlap"),
        ({"instrument": "csat", "bands": {"detractor": "1-3", "passive": 5, "promoter": 4}}, "out of order"),
        ({"instrument": "csat", "bands": {"detractor": "3-1", "passive": 4, "promoter": 5}}, "ends before it begins"),
        ({"instrument": "csat", "bands": {"detractor": "low", "passive": 4, "promoter": 5}}, "is no range of answers"),
        ({"classes": ("bad", "good")}, "NPS makes three tiers"),
        ({"classes": ("a", "a", "b")}, "two tiers of one name"),
        ({"kind": "behaviour", "passive_signs": ("expanded",)}, "one sign makes two tiers"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TierSettings(**values)


def test_settings_survive_being_written_down() -> None:
    for settings in (CSAT, CES1, SHORT):
        assert TierSettings(**settings.model_dump(mode="json")) == settings


def test_weighting_of_answers_is_no_setting() -> None:
    with pytest.raises(ValueError, match="weighting"):
        TierSettings(weighting="answer")  # type: ignore[call-arg]


def test_cutoffs_ascend_by_as_little_as_there_is_and_never_stand_still() -> None:
    tables = company(surveys=surveys(("a", 90, 101, 9)))

    assert find_tiers(tables, SHORT, np.array([100 * DAY, 100 * DAY + 1])).tier.tolist() == [[PROMOTER, PROMOTER]]
    with pytest.raises(ValueError, match="ascend"):
        find_tiers(tables, SHORT, days(100, 100))


def test_values_cannot_be_changed() -> None:
    assert not [name for module in (churn, endings, inputs, population, tier) for name in dataclasses_not_frozen(module)]


def test_rows_are_found_by_account_and_cutoff() -> None:
    tables = company(accounts=("c",), surveys=surveys(("a", 90, 101, 9), ("b", 110, None, None), ("a", 60, 61, 2)))
    labels = find_tiers(tables, SHORT, days(60, 100))

    tier, last_tier = labels.rows(["b", "a", "a"], days(100, 60, 100))
    assert tier.tolist() == [NONE, DETRACTOR, PROMOTER]
    assert last_tier.tolist() == [NONE, NONE, DETRACTOR]
    with pytest.raises(KeyError):
        labels.rows(["x"], days(100))


BEHAVIOUR = TierSettings(kind="behaviour", horizon=30)


def test_behaviour_of_subscribers() -> None:
    rows = {
        "account_id": ["stays", "leaves", "grows", "grows", "refers", "gone", "not_due", "shrinks", "due"],
        "subscription_id": ["1", "2", "3", "4", "5", "6", "7", "8", "9"],
        "started_at": times(0, 0, 0, 110, 0, 0, 0, 0, 0),
        "ended_at": times(None, 130, None, None, 115, 99, None, None, None),
        "mrr": [10.0, 10, 10, 1, 10, 10, 10, 10, 10],
        "renews_at": times(None, None, None, None, None, None, 130, None, 129),
    }
    referrals = {
        "account_id": ["refers", "stays", "gone"],
        "at": times(129, 100, 110),
        "kind": [" Referral", "review", "referral"],
    }
    tables = company(subscriptions=rows, advocacy=referrals)

    labels = find_tiers(tables, BEHAVIOUR, days(100))

    assert dict(zip(labels.accounts, labels.tier[:, 0].tolist(), strict=True)) == {
        "stays": PASSIVE,
        "leaves": PASSIVE,  # the end at the last instant's end lies outside the horizon
        "grows": PROMOTER,
        "refers": PROMOTER,  # left, but referred
        "gone": NONE,
        "not_due": NONE,
        "shrinks": PASSIVE,
        "due": PASSIVE,
    }
    assert find_tiers(tables, BEHAVIOUR, days(101)).tier[labels.accounts.index("leaves"), 0] == DETRACTOR


def test_versions_of_a_subscription_show_expansion() -> None:
    rows = {
        "account_id": ["a", "a", "b", "b"],
        "subscription_id": ["s", "s", "t", "t"],
        "started_at": times(0, 0, 0, 0),
        "valid_from": times(0, 110, 0, 130),
        "ended_at": times(None, None, None, None),
        "mrr": [10.0, 12.0, 10.0, 12.0],
    }

    labels = find_tiers(company(subscriptions=rows), BEHAVIOUR, days(100))

    assert labels.tier.tolist() == [[PROMOTER], [PASSIVE]], "b's version speaks only after the horizon"


def test_the_state_of_surveys_needs_answers_unless_told_otherwise() -> None:
    tables = company(surveys=surveys(("a", 90, None, None)))

    with pytest.raises(UsageError):
        find_survey_state(tables, SHORT, ("a",), days(100))
    assert find_survey_state(tables, SHORT, ("a",), days(100), need_answers=False).ever_invited.tolist() == [[True]]


def test_behaviour_needs_no_answer_and_no_invitation() -> None:
    state = find_survey_state(company(accounts=("a", "b")), BEHAVIOUR, ("a", "b"), days(100, 130))

    assert state.ever_invited.tolist() == [[True, True], [True, True]]
    assert state.last_tier.tolist() == [[NONE, NONE], [NONE, NONE]]


def test_behaviour_of_buyers() -> None:
    orders = {
        "account_id": ["silent", "again", "again", "more", "more", "returns", "returns", "first"],
        "at": times(90, 90, 110, 90, 110, 90, 110, 110),
        "amount": [5.0, 5, 5, 5, 6, 5, 9, 9],
        "quantity": [1.0, 1, 1, 1, 1, 1, -1, 1],
    }

    labels = find_tiers(company(orders=orders), BEHAVIOUR, days(100))

    assert dict(zip(labels.accounts, labels.tier[:, 0].tolist(), strict=True)) == {
        "silent": DETRACTOR,
        "again": PASSIVE,
        "more": PROMOTER,
        "returns": DETRACTOR,
        "first": NONE,
    }
    state = find_survey_state(company(orders=orders), BEHAVIOUR, labels.accounts, days(100))
    assert state.ever_invited.all(), "nobody is asked, so nobody is flagged"


def test_behaviour_that_the_tables_cannot_show_is_refused() -> None:
    with pytest.raises(UsageError, match="subscriptions or orders"):
        find_tiers(company(usage={"account_id": ["a"]}), BEHAVIOUR, days(100))
    orders = {"account_id": ["a"], "at": times(90)}
    with pytest.raises(UsageError, match=r"none of a tier's signs: `tier.promoter_signs`.* use one of \['renewed'\]"):
        find_tiers(company(orders=orders), BEHAVIOUR, days(100))
