import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from staypower.cutoffs import DAY
from staypower.errors import UsageError
from staypower.models.calibration import (
    MAPS,
    BetaMap,
    SigmoidMap,
    TemperatureMap,
    calibration_from_dict,
    choose_map,
    fit_map,
    follow_level,
)
from staypower.models.evidence import level_shift


def drawn(log_odds, seed=0):
    return (np.random.default_rng(seed).random(len(log_odds)) < expit(log_odds)).astype(np.int8)


@pytest.fixture(scope="module")
def raw():
    return np.random.default_rng(1).normal(scale=1.5, size=20_000)


def test_maps_by_hand():
    raw = np.array([-2.0, 0.0, 3.0])
    assert SigmoidMap(0.5, 1.0).log_odds(raw).tolist() == [0.0, 1.0, 2.5]
    assert TemperatureMap(2.0).log_odds(raw).tolist() == [-1.0, 0.0, 1.5]
    assert TemperatureMap(2.0, centre=-2.0, shift=0.5).log_odds(raw).tolist() == [-1.5, -0.5, 1.0]
    # q = 1/2 at 0: log-odds = 2 ln(1/2) - 3 ln(1/2) + 1 = 1 + ln 2
    assert BetaMap(2.0, 3.0, 1.0).log_odds(raw)[1] == pytest.approx(1.0 + np.log(2.0), abs=1e-15)
    assert SigmoidMap(1.0, 0.0).apply(np.array([np.log(3.0)]))[0] == pytest.approx(0.75, abs=1e-15)


@pytest.mark.parametrize("kind", sorted(MAPS))
@pytest.mark.parametrize("relation", [0.3, 1.0, 3.0, 0.0, -1.0])
def test_every_fitted_map_rises_strictly(kind, relation, raw):
    fitted = fit_map(kind, raw[:2000], drawn(relation * raw[:2000] - 0.5))
    steps = np.diff(fitted.log_odds(np.linspace(-8, 8, 2001)))
    assert (steps > 0).all()


def test_sigmoid_recovers_a_known_distortion(raw):
    fitted = fit_map("sigmoid", raw, drawn(0.5 * raw - 1.0))
    assert fitted.slope == pytest.approx(0.5, abs=0.04)
    assert fitted.intercept == pytest.approx(-1.0, abs=0.04)


def test_temperature_recovers_overconfidence(raw):
    assert fit_map("temperature", raw, drawn(raw / 2.5)).temperature == pytest.approx(2.5, rel=0.06)


def test_beta_recovers_a_bent_distortion(raw):
    truth = BetaMap(0.4, 1.6, 0.3)
    fitted = fit_map("beta", raw, drawn(truth.log_odds(raw)))
    grid = np.linspace(-3, 3, 50)
    assert np.abs(fitted.apply(grid) - truth.apply(grid)).max() < 0.03


def test_sigmoid_agrees_with_another_program(raw):
    labels = drawn(0.7 * raw + 0.2)
    other = LogisticRegression(C=np.inf, tol=1e-10).fit(raw[:, None], labels)
    fitted = fit_map("sigmoid", raw, labels)
    # Platt's targets differ from 0 and 1 by about one in ten thousand here.
    assert fitted.slope == pytest.approx(other.coef_[0, 0], rel=2e-3)
    assert fitted.intercept == pytest.approx(other.intercept_[0], abs=2e-3)


@pytest.mark.parametrize("kind", sorted(MAPS))
def test_weights_count_like_repeated_rows_for_the_loss(kind, raw):
    scores, labels = raw[:3000], drawn(0.6 * raw[:3000])
    weights = np.random.default_rng(2).integers(1, 4, 3000)
    repeated = np.repeat(np.arange(3000), weights)
    weighted = fit_map(kind, scores, labels, weights.astype(float))
    plain = fit_map(kind, scores[repeated], labels[repeated])
    np.testing.assert_allclose(weighted.log_odds(scores), plain.log_odds(scores), atol=1e-5)


def test_separated_scores_keep_the_map_finite():
    fitted = fit_map("sigmoid", np.array([-3.0, -2.0, 2.0, 3.0]), np.array([0, 0, 1, 1], dtype=np.int8))
    assert 0.5 < fitted.apply(np.array([3.0]))[0] < 0.9  # Platt's target is (2 + 1) / (2 + 2)


@pytest.mark.parametrize(
    ("truth", "kind"),
    [(TemperatureMap(2.0), "temperature"), (SigmoidMap(0.8, -1.0), "temperature"), (BetaMap(0.2, 2.5, 0.0), "beta")],
)
def test_auto_finds_the_simplest_map_that_fits(truth, kind, raw):
    labels = drawn(truth.log_odds(raw))
    fitted, losses = choose_map(raw, labels, np.arange(len(raw)) % 5)
    assert fitted.kind == kind
    assert set(losses) == set(MAPS)


def test_auto_takes_the_temperature_when_churned_accounts_are_few(raw):
    """Ninety-eight churned rows of 49 accounts are 49 pieces of evidence."""
    labels = np.zeros(2000, dtype=np.int8)
    labels[:98] = 1
    accounts = np.arange(2000) // 2
    fitted, losses = choose_map(raw[:2000], labels, accounts % 5, accounts=accounts)
    assert (fitted.kind, losses) == ("temperature", {})
    assert set(choose_map(raw[:2000], labels, accounts % 5)[1]) == set(MAPS)


def test_the_three_kinds_differ_by_chance_and_the_simplest_is_taken():
    """A bent map is not taken for what two hundred churned accounts happen to show."""
    for seed in range(8):
        rng = np.random.default_rng(seed)
        scores = rng.normal(-2.0, 1.0, 2000)
        taken = choose_map(scores, drawn(scores, 1000 + seed), np.arange(2000) % 5)[0]
        assert np.abs(taken.apply(scores) - expit(scores)).mean() < 0.02


def test_a_temperature_leaves_the_mean_where_it_is():
    """180 churners that overconfident scores rank: the map flattens towards their rate, not towards one half."""
    rng = np.random.default_rng(0)
    truth = rng.normal(-2.6, 0.9, 2000)
    labels = drawn(truth)
    scores = -2.6 + 2.0 * (truth + 2.6) + 0.3
    fitted = fit_map("temperature", scores, labels)
    assert fitted.temperature > 1.5
    assert fitted.apply(scores).mean() == pytest.approx(labels.mean(), abs=0.002)


def test_rows_of_one_account_are_one_piece_of_evidence():
    """Ten copies of each account move the temperature no further than the accounts alone do."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=100)
    labels = drawn(scores / 3)
    alone = fit_map("temperature", scores, labels)
    again = np.repeat(np.arange(100), 10)
    copied = fit_map("temperature", scores[again], labels[again], accounts=again)
    as_rows = fit_map("temperature", scores[again], labels[again])
    assert copied.temperature == pytest.approx(alone.temperature, rel=1e-6)
    assert as_rows.temperature > 1.1 * alone.temperature


def grown(before, after, accounts, seed=0):
    """Accounts at six cutoffs whose base rate, in log-odds, is another one at the last two."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(accounts), 6)
    scores = rng.normal(scale=0.8, size=len(owner)) + before
    latest = np.tile(np.arange(6) >= 4, accounts)
    return scores, drawn(scores + np.where(latest, after - before, 0.0), 1000 + seed), owner, latest


def test_the_level_follows_the_latest_cutoffs_as_far_as_they_tell():
    """Odds that doubled are followed nearly whole where many accounts show it, and in part where few do."""
    followed = {}
    for accounts in (60, 4000):
        moved, apart = [], []
        for seed in range(12):
            scores, labels, owner, latest = grown(-2.5, -2.5 + np.log(2), accounts, seed)
            moved.append(follow_level(TemperatureMap(1.0), scores, labels, owner, weights=None, latest=latest)[1])
            whole = level_shift(scores, labels, None, owner)[0]
            apart.append(level_shift(scores[latest] + whole, labels[latest], None, owner[latest])[0])
        assert np.mean(apart) == pytest.approx(0.4, abs=0.12)  # the whole holds the latest third already
        followed[accounts] = np.sum(moved) / np.sum(apart)
    assert followed[4000] > 0.97
    assert followed[60] < 0.85


def test_a_level_that_did_not_move_is_left_alone():
    for seed in range(8):
        scores, labels, owner, latest = grown(-2.5, -2.5, 2000, seed)
        assert abs(follow_level(TemperatureMap(1.0), scores, labels, owner, weights=None, latest=latest)[1]) < 0.15


@pytest.mark.parametrize(("days", "followed"), [(200, False), (364, False), (365, True), (700, True)])
def test_a_history_under_a_year_does_not_tell_a_change_from_a_season(days, followed):
    scores, labels, owner, latest = grown(-2.5, -2.5 + np.log(2), 4000, 0)
    cutoffs = np.where(latest, days * DAY, 0)
    known = {"weights": None, "latest": latest}
    at, moved = follow_level(TemperatureMap(1.0), scores, labels, owner, cutoffs=cutoffs, **known)
    assert (moved > 0.2) is followed
    # the level of all rows is right either way
    whole, _ = follow_level(TemperatureMap(1.0), scores, labels, owner, weights=None, latest=np.zeros_like(latest))
    assert at == (whole if not followed else follow_level(TemperatureMap(1.0), scores, labels, owner, **known)[0])


def test_maps_of_older_bundles_still_load():
    old = {"kind": "temperature", "temperature": 1.25}
    assert calibration_from_dict(old).log_odds(np.array([-2.0, 1.0])).tolist() == [-1.6, 0.8]


@pytest.mark.parametrize("fitted", [SigmoidMap(0.1, 1 / 3), TemperatureMap(1.1, -2.0, 0.1), BetaMap(0.7, 1.3, -0.2)])
def test_maps_survive_json(fitted):
    assert calibration_from_dict(fitted.to_dict()) == fitted


@pytest.mark.parametrize(
    ("values", "fix"),
    [
        ({"kind": "sigmoidd", "slope": 1.0, "intercept": 0.0}, "write `sigmoid`"),
        ({"kind": ["temperature"]}, "Fix: write `temperature`"),
        ({}, "Fix: use one of"),
        ({"kind": "sigmoid", "slope": 1.0}, "give ['intercept', 'slope']"),
        ({"kind": "sigmoid", "slope": -1.0, "intercept": 0.0}, "give a positive number"),
        ({"kind": "sigmoid", "slope": 1.0, "intercept": float("nan")}, "give a finite number"),
        ({"kind": "temperature", "temperature": "1"}, "give a positive number"),
        ({"kind": "temperature", "temperature": True}, "give a positive number"),
    ],
)
def test_unusable_maps_are_refused(values, fix):
    with pytest.raises(UsageError) as caught:
        calibration_from_dict(values)
    assert fix in str(caught.value)
