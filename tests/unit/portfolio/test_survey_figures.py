"""NPS, CSAT, CES and response rates against examples worked out by hand; and what is refused."""

from __future__ import annotations

import math

import pytest

from staypower.errors import UsageError

HEAD = "account_id,survey_id,sent_at,answered_at,instrument,scale,value\n"


def answers(values, instrument="nps", scale="0-10", *, account=None, day="2025-02-03"):
    """Write one answer an account, or all of one account."""
    return "".join(
        f"{account or f'x{n:03}'},{instrument}{day}{account}{n},2025-02-01,{day}T10:{n % 60:02},{instrument},{scale},{value}\n"
        for n, value in enumerate(values)
    )


def everybody(text):
    names = sorted({line.split(",")[0] for line in text.strip().split("\n")[1:]})
    return {"accounts": "account_id,signed_up_at\n" + "".join(f"{name},2024-01-01\n" for name in names), "surveys": text}


def test_nps_and_its_interval(measure, pick):
    text = HEAD + answers([9] * 12 + [10] * 8 + [7, 8] * 4 + [0, 6] * 6)
    row = pick(measure(everybody(text)), "nps", "2025-02-01")
    # 20 promoters, 8 passives, 12 detractors of 40: 50 - 30
    assert (row["value"], row["n"]) == (20.0, 40)
    reach = 1.96 * math.sqrt((0.5 + 0.3 - 0.2**2) / 40)
    assert row["low"] == pytest.approx(100 * (0.2 - reach))
    assert row["high"] == pytest.approx(100 * (0.2 + reach))
    assert row["high"] - row["low"] == pytest.approx(54.03, abs=0.01)


def test_no_interval_under_thirty_answers(measure, pick):
    row = pick(measure(everybody(HEAD + answers([10] * 20 + [0] * 9))), "nps", "2025-02-01")
    assert row["value"] == pytest.approx(100 * 11 / 29)
    assert math.isnan(row["low"])
    assert row["note"] == "no interval under 30 answers"


def test_per_account_the_last_answer_counts_and_bands_are_counts(measure, pick):
    text = HEAD
    text += answers([0], account="a") + answers([10], account="a", day="2025-02-20")  # now a promoter
    text += answers([10], account="b") + answers([7], account="b", day="2025-02-20")  # now passive
    text += answers([3], account="c") + answers([10], account="c", day="2025-03-20")  # March is another period
    found = measure(everybody(text))
    assert pick(found, "nps", "2025-02-01")["value"] == 100 * (2 - 2) / 5
    assert pick(found, "nps_by_account", "2025-02-01")["value"] == pytest.approx(100 * (1 - 1) / 3)
    bands = [pick(found, f"nps_{band}_accounts", "2025-02-01")["value"] for band in ("promoter", "passive", "detractor")]
    assert bands == [1.0, 1.0, 1.0]


def test_several_last_answers_at_one_instant_count_by_their_median(measure, pick):
    # dates without a clock: three people of one account answered that day; median 8
    text = HEAD + "".join(f"a,s{n},2025-02-01,2025-02-03,nps,0-10,{value}\n" for n, value in enumerate((2, 8, 10)))
    found = measure(everybody(text))
    assert pick(found, "nps_passive_accounts", "2025-02-01")["value"] == 1.0
    # median of 9 and 8 is 8.5: below 9, passive
    text = HEAD + "".join(f"a,s{n},2025-02-01,2025-02-03,nps,0-10,{value}\n" for n, value in enumerate((8, 9)))
    assert pick(measure(everybody(text)), "nps_passive_accounts", "2025-02-01")["value"] == 1.0


def test_repeated_answers_take_the_bootstrap_over_accounts(measure, pick):
    """Ten answers each of six accounts that never differ: six opinions, not sixty."""
    text = HEAD + "".join(answers([10 if n % 2 else 0] * 10, account=f"a{n}") for n in range(40))
    row = pick(measure(everybody(text)), "nps", "2025-02-01")
    assert (row["value"], row["n"]) == (0.0, 400)
    naive = 100 * 1.96 * math.sqrt(1.0 / 400)
    honest = 100 * 1.96 * math.sqrt(1.0 / 40)
    half = (row["high"] - row["low"]) / 2
    assert half > 2 * naive
    assert half == pytest.approx(honest, rel=0.25)
    assert pick(measure(everybody(text)), "nps", "2025-02-01")["low"] == row["low"]


def test_no_answers(measure, pick):
    text = HEAD + "a,1,2025-02-03,,nps,0-10,\na,2,2025-03-03,2025-03-04,nps,0-10,9\n"
    found = measure(everybody(text))
    row = pick(found, "nps", "2025-02-01")
    assert math.isnan(row["value"])
    assert (row["n"], row["note"]) == (0, "no answers")
    rate = pick(found, "nps_response_rate", "2025-02-01")
    assert (rate["value"], rate["n"]) == (0.0, 1)
    assert pick(found, "nps_response_rate", "2025-04-01")["note"] == "no invitations"


def test_csat_takes_the_threshold_of_each_scale(measure, pick):
    rows = [("1-5", 4), ("1-5", 5), ("1-5", 3), ("1-4", 3), ("1-4", 2)]
    head = HEAD.replace("\n", ",touchpoint\n")
    text = head + "".join(
        f"a{n},{n},2025-02-01,2025-02-03,csat,{scale},{value},{'ticket' if scale == '1-5' else 'call'}\n"
        for n, (scale, value) in enumerate(rows)
    )
    row = pick(measure(everybody(text)), "csat", "2025-02-01")
    # satisfied: 4 and 5 of 1-5, 3 of 1-4
    assert (row["value"], row["n"]) == (60.0, 5)
    stricter = measure(everybody(text), satisfied={"1-5": 5, "1-4": 4})
    assert pick(stricter, "csat", "2025-02-01")["value"] == 20.0


def test_csat_where_lower_is_better_counts_from_the_other_end(measure, pick):
    text = HEAD.replace("\n", ",direction\n") + "".join(
        f"a{n},{n},2025-02-01,2025-02-03,csat,1-5,{value},lower\n" for n, value in enumerate((1, 2, 3, 5))
    )
    assert pick(measure(everybody(text)), "csat", "2025-02-01")["value"] == 50.0


def test_csat_on_a_scale_without_a_threshold_is_not_guessed(measure, pick):
    row = pick(measure(everybody(HEAD + answers([5, 6, 7], "csat", "1-7"))), "csat", "2025-02-01")
    assert math.isnan(row["value"])
    assert row["note"] == "no threshold for the scale 1-7: set `portfolio.satisfied`"


def test_the_two_effort_scores_are_never_pooled(measure, pick):
    text = HEAD + answers([1, 2, 4], "ces1", "1-5", account="a") + answers([7, 5, 2, 2], "ces2", "1-7", account="b")
    found = measure(everybody(text))
    figures = {
        name: pick(found, name, "2025-02-01")["value"]
        for name in ("ces1_mean", "ces1_low_effort_share", "ces2_mean", "ces2_low_effort_share")
    }
    assert figures == {
        "ces1_mean": pytest.approx(7 / 3),
        "ces1_low_effort_share": pytest.approx(2 / 3),
        "ces2_mean": 4.0,
        "ces2_low_effort_share": 0.5,
    }
    assert "ces_mean" not in set(found.frame()["metric"])


def test_an_answer_after_its_days_does_not_raise_the_response_rate(measure, pick):
    text = HEAD + (
        "a,1,2025-02-03T10:00,2025-03-05T10:00,nps,0-10,9\n"  # exactly 30 days
        "b,2,2025-02-03T10:00,2025-03-05T10:01,nps,0-10,9\n"
        "c,3,2025-02-03T10:00,,nps,0-10,\n"
        "d,4,2025-02-28T10:00,2025-02-28T11:00,nps,0-10,9\n"
    )
    found = measure(everybody(text))
    assert pick(found, "nps_response_rate", "2025-02-01")["value"] == 0.5
    early = pick(measure(everybody(text), until="2025-03-10"), "nps_response_rate", "2025-02-01")
    assert (early["value"], early["complete"]) == (0.5, False)
    assert "may still be answered" in early["note"]


@pytest.mark.parametrize(
    ("rows", "problem", "named"),
    [
        (answers([9] * 3) + answers([9], scale="1-10", account="odd"), "a mixed scale under one name", "account_id odd"),
        (
            answers([4] * 3, "csat", "1-5") + answers([4], "csat", "1-10", account="odd"),
            "a mixed scale under one name",
            "1 on 1-10",
        ),
    ],
)
def test_a_mixed_scale_under_one_name_is_refused_with_its_rows(measure, rows, problem, named):
    with pytest.raises(UsageError) as error:
        measure(everybody(HEAD + rows))
    assert error.value.problems[0].problem == problem
    assert named in error.value.problems[0].value


def test_two_instruments_under_one_name_are_refused_with_their_rows(measure):
    head = HEAD.replace("\n", ",direction\n")
    rows = "a,1,2025-02-01,2025-02-03,ces1,1-5,2,lower\nodd,2,2025-02-01,2025-02-03,ces1,1-5,5,higher\n"
    rows += "a,3,2025-02-01,2025-02-03,csat,1-5,2,lower\nodd,4,2025-02-01,2025-02-03,csat,1-5,5,higher\n"
    with pytest.raises(UsageError) as error:
        measure(everybody(head + rows))
    assert [problem.problem for problem in error.value.problems] == ["two instruments under one name"] * 2
    assert all("account_id odd" in problem.value for problem in error.value.problems)
    assert "`ces2`" in error.value.problems[0].fix


def test_a_value_outside_its_scale_is_refused_with_its_row(measure):
    with pytest.raises(UsageError, match=r"answers outside their scale.*account_id odd"):
        measure(everybody(HEAD + answers([9] * 3) + answers([11], account="odd")))
