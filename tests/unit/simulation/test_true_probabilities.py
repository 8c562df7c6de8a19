"""The truth is honest: calibrated, blind to what came after the cutoff, equal to a plain count of ends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from staypower.cutoffs import instant_of
from staypower.errors import UsageError
from staypower.simulation.company import Simulation, simulate
from staypower.simulation.dynamics import LEVERS, Anchors, advance_day, advance_week
from staypower.simulation.history import History, Realised, live
from staypower.simulation.truth import Expected, ceiling_of, outlook, truth_frame
from staypower.simulation.world import NEVER, PARAMETERS, Calendar

_TIMELINE = Calendar.of("2023-01-01", 24)
_DAYS = (250, 370, 490, 610)
_COUNT = 256


def _truth(history: History, day: int, seed: int, copies: int = 48) -> pd.DataFrame:
    ids = np.array([str(n) for n in range(_COUNT)], dtype=object)
    return truth_frame(history, ids, day, 90, (), _TIMELINE, PARAMETERS, np.random.default_rng(seed), copies)


@pytest.fixture(scope="module")
def history() -> History:
    return live(_COUNT, _TIMELINE, PARAMETERS, np.random.default_rng(5), _DAYS)


@pytest.fixture(scope="module")
def pooled() -> pd.DataFrame:
    """Truth without notice given, of 28 independent blocks at four cutoffs whose outcomes do not overlap."""
    parts = []
    for seed in range(28):
        lived = live(_COUNT, _TIMELINE, PARAMETERS, np.random.default_rng([7, seed]), _DAYS)
        parts += [_truth(lived, day, 1000 * seed + day) for day in _DAYS]
    truth = pd.concat(parts, ignore_index=True)
    return truth[~truth["notice_given"]]


def _deviation(happened: pd.Series, chance: pd.Series) -> float:
    """Return how many binomial standard errors the outcomes lie from their probabilities."""
    return float((happened - chance).sum() / np.sqrt((chance * (1 - chance)).sum()))


def test_calibrated_overall_and_by_kind(pooled: pd.DataFrame) -> None:
    assert len(pooled) > 12_000
    assert abs(_deviation(pooled["churned"], pooled["churn_probability"])) < 3
    for kind in ("voluntary", "involuntary"):
        happened = (pooled["churn_kind"] == kind).astype(float)
        assert abs(_deviation(happened, pooled[f"p_{kind}"])) < 3, kind


def test_calibrated_in_every_decile(pooled: pd.DataFrame) -> None:
    decile = pd.qcut(pooled["churn_probability"].rank(method="first"), 10, labels=False)
    for number, rows in pooled.groupby(decile):
        assert abs(_deviation(rows["churned"], rows["churn_probability"])) < 3.3, number


def test_calibrated_for_every_cause(pooled: pd.DataFrame) -> None:
    assert set(pooled["cause"].dropna()) == set(LEVERS)
    for cause, rows in pooled.groupby("cause"):
        assert abs(_deviation(rows["churned"], rows["churn_probability"])) < 3.3, cause


def test_base_rate_and_ceiling_are_moderate(pooled: pd.DataFrame) -> None:
    ceiling = ceiling_of(pooled)
    assert 0.08 < ceiling.base_rate < 0.12
    assert 0.82 < ceiling.expected_auroc < 0.86
    assert 0.82 < ceiling.auroc < 0.86
    assert ceiling.brier < ceiling.base_rate * (1 - ceiling.base_rate)
    assert ceiling.average_precision > 3 * ceiling.base_rate
    involuntary = pooled["p_involuntary"].mean() / pooled["churn_probability"].mean()
    assert 0.1 < involuntary < 0.3


def test_no_lever_makes_all_the_causes(pooled: pd.DataFrame) -> None:
    risky = pooled[pooled["churn_probability"] > pooled["churn_probability"].quantile(0.8)]
    share = risky["cause"].value_counts(normalize=True)
    assert share.max() < 0.35
    assert (share > 0.04).sum() >= 6


def test_truth_sees_nothing_of_what_came_after(history: History) -> None:
    day = _DAYS[1]
    spells = {name: rows.copy() for name, rows in history.spells.items()}
    spells["end_day"] = np.where(spells["start_day"] < day, day + 1, spells["end_day"])
    spells["kind"] = np.ones_like(spells["kind"])
    tampered = replace(history, spells=spells, active=~history.active, events={}, weekly={})
    told, again = _truth(history, day, 3), _truth(tampered, day, 3)
    assert (again["churned"] == 1).mean() > 0.9 > (told["churned"] == 1).mean()
    future = ["churned", "churn_kind"]
    pd.testing.assert_frame_equal(told.drop(columns=future), again.drop(columns=future))


def test_weighing_ends_agrees_with_counting_them(history: History) -> None:
    """The plain oracle: let many copies really end, and count."""
    day, copies = _DAYS[2], 250
    state = history.snapshots[day]
    who = np.flatnonzero(state.active & (state.leaving_on < 0))[:60]
    rng = np.random.default_rng(11)
    weighed = outlook(state, who, day, (90,), _TIMELINE, PARAMETERS, rng, 200)[:, 0]

    run = state.repeat(who, copies)
    unborn = replace(run, first_day=np.full(len(run.fit), NEVER * -1))
    anchors, exits = Anchors(run.anchor), Realised(len(run.fit), PARAMETERS, rng)
    exits.open(run, np.arange(len(run.fit)), day)
    for ahead in range(day, day + 90):
        if ahead % 7 == 0:
            advance_week(run, ahead, _TIMELINE, PARAMETERS, rng)
        exits.morning(run, unborn, ahead)
        advance_day(run, ahead, anchors, _TIMELINE, PARAMETERS, exits, rng)
    spells = exits.spells.frozen()
    gone = (spells["end_day"] != NEVER) & (spells["pause"] == 0)
    for kind in (1, 2):
        counted = np.zeros(len(run.fit))
        counted[spells["account"][gone & (spells["kind"] == kind)]] = 1
        share = counted.reshape(len(who), copies).mean(axis=1)
        error = np.sqrt(np.maximum(share * (1 - share), 0.002) / copies + weighed[kind - 1] * 0.3 / 200)
        assert np.abs((share - weighed[kind - 1]) / error).max() < 4.5
        assert abs(share.mean() - weighed[kind - 1].mean()) < 0.008


def test_an_end_moves_probability_at_its_day_but_for_the_share_that_is_undone(history: History) -> None:
    state, one = history.traits, np.array([0])
    expected = Expected(1, 100, (30, 90), PARAMETERS)
    expected.leave(state, one, np.array([0.5]), decided=110, ends=140)
    gone = 0.5 * (1 - PARAMETERS.pause_voluntary)
    assert expected.gone[:, :, 0].tolist() == [[0.0, gone], [0.0, 0.0]]
    expected.lose(state, one, np.array([0.2]), ends=129)
    lost = (1 - gone) * 0.2 * (1 - PARAMETERS.pause_involuntary)
    assert expected.gone[1, :, 0].tolist() == pytest.approx([lost, lost])
    expected.vanish(state, one, 0.1, ends=190)
    assert expected.gone[0, 1, 0] == gone
    assert expected.staying[0] == pytest.approx(1 - gone - lost - (1 - gone - lost) * 0.1 * (1 - PARAMETERS.pause_voluntary))


def test_who_has_given_notice_leaves_unless_the_end_is_undone(history: History) -> None:
    truth = pd.concat([_truth(history, day, 1, copies=2) for day in _DAYS])
    notice = truth[truth["notice_given"]]
    assert len(notice) >= 3
    assert (notice["churn_probability"] == 1 - PARAMETERS.pause_voluntary).all()


def test_probabilities_add_up_and_grow_with_the_horizon(company: Simulation) -> None:
    truth = company.truth
    total = truth["p_voluntary"] + truth["p_involuntary"]
    np.testing.assert_allclose(total, truth["churn_probability"], atol=1e-12)
    assert (truth["churn_probability_30d"] <= truth["churn_probability"] + 1e-12).all()
    assert (truth["churn_probability"] <= truth["churn_probability_180d"] + 1e-12).all()
    np.testing.assert_allclose(truth[["p_detractor", "p_passive", "p_promoter"]].sum(axis=1), 1.0)
    assert truth["tier"].value_counts(normalize=True).between(0.12, 0.55).all()


def test_realised_churn_is_what_the_subscriptions_say(company: Simulation) -> None:
    """Union of the subscriptions, holes of at most 30 days closed, an end inside the outcome."""
    subscriptions = company.tables["subscriptions"].to_pandas()
    far = pd.Timestamp("2100-01-01", tz="UTC")
    spans = subscriptions.drop_duplicates("subscription_id")[["account_id", "started_at", "ended_at"]]
    spans = spans.assign(ended_at=spans["ended_at"].fillna(far)).sort_values(["account_id", "started_at"])
    ends: dict[str, list[list[pd.Timestamp]]] = {}
    for account, start, end in spans.itertuples(index=False):
        spells = ends.setdefault(account, [])
        if spells and start <= spells[-1][1] + pd.Timedelta(days=30):
            spells[-1][1] = max(spells[-1][1], end)
        else:
            spells.append([start, end])
    cutoffs = [pd.Timestamp(c, unit="us", tz="UTC") for c in company.cutoffs]
    for cutoff in cutoffs[:-1]:
        truth = company.truth[company.truth["cutoff"] == cutoff].set_index("account_id")
        over = cutoff + pd.Timedelta(days=90)
        expected = {a: any(s < cutoff <= e and e < over for s, e in ends[a]) for a in truth.index}
        assert (truth["churned"] == pd.Series(expected).astype(float)).all()
        covered = spans[(spans["started_at"] < cutoff) & (spans["ended_at"] >= cutoff)]["account_id"]
        assert set(covered) == set(truth.index)
    assert company.truth.loc[company.truth["cutoff"] == cutoffs[-1], "churned"].isna().all()


def test_the_ceiling_is_of_one_cutoff_or_of_all(company: Simulation) -> None:
    single = company.ceiling(company.cutoffs[-2])
    pooled = company.ceiling()
    assert single.accounts < pooled.accounts
    assert pooled.accounts == (~company.truth["notice_given"] & company.truth["churned"].notna()).sum()
    with pytest.raises(UsageError, match="no truth at this cutoff: 2024-01-01"):
        company.ceiling("2024-01-01")
    with pytest.raises(UsageError, match="no ceiling without both outcomes"):
        company.ceiling(company.cutoffs[-1])


def test_expected_auroc_by_hand() -> None:
    truth = pd.DataFrame(
        {
            "cutoff": pd.Timestamp("2024-01-01", tz="UTC"),
            "notice_given": False,
            "churn_probability": [0.2, 0.5],
            "churned": [0.0, 1.0],
        }
    )
    # Pairs (leaves, stays): the second leaves and the first stays 0.5 x 0.8 = 0.4; the other way round 0.2 x 0.5 = 0.1.
    assert ceiling_of(truth).expected_auroc == pytest.approx(0.8)


def test_cutoffs_are_settled_by_default() -> None:
    company = simulate(30, months=12, copies=2, siblings=())
    assert company.cutoffs[-1] == company.observed_until == instant_of("2024-01-01")
    assert company.cutoffs[-2] == instant_of("2023-09-03")
    assert len(company.cutoffs) == 4
