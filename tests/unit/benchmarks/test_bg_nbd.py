"""The rival's own formulas, so that it is beaten fairly: against quadrature, against simulated buying, by hand."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta, gamma


def _load():
    path = Path(__file__).parents[3] / "benchmarks" / "bg_nbd.py"
    spec = importlib.util.spec_from_file_location("bg_nbd", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["bg_nbd"] = module
    spec.loader.exec_module(module)
    return module


bg_nbd = _load()
MODEL = bg_nbd.BgNbd(r=1.2, alpha=20.0, a=1.5, b=4.0)


def one(*values):
    return [np.array([float(value)]) for value in values]


@pytest.mark.parametrize(("x", "t_x", "T"), [(0, 0, 40), (1, 10, 40), (4, 35, 40)])
def test_the_likelihood_is_the_integral_over_customers(x, t_x, T):
    # rates and chances to drop out are independent, so the double integral is a sum of products
    def over_rates(until):
        return quad(lambda rate: rate**x * np.exp(-rate * until) * gamma.pdf(rate, MODEL.r, scale=1 / MODEL.alpha), 0, 5)[0]

    stays = quad(lambda p: (1 - p) ** x * beta.pdf(p, MODEL.a, MODEL.b), 0, 1)[0]
    drops = quad(lambda p: p * (1 - p) ** (x - 1) * beta.pdf(p, MODEL.a, MODEL.b), 0, 1)[0] if x else 0.0
    expected = stays * over_rates(T) + drops * over_rates(t_x)
    assert np.exp(MODEL.log_likelihood(*one(x, t_x, T)))[0] == pytest.approx(expected, rel=1e-6)


def bought(customers: int, T: float, until: float, seed: int):
    """Simulate buying: x, t_x of each customer at T, and whether it buys before `until`."""
    rng = np.random.default_rng(seed)
    rates = rng.gamma(MODEL.r, 1 / MODEL.alpha, customers)
    drops = rng.beta(MODEL.a, MODEL.b, customers)
    x, t_x, again = np.zeros(customers), np.zeros(customers), np.zeros(customers, dtype=bool)
    for number in range(customers):
        now = 0.0
        while True:
            now += rng.exponential(1 / rates[number])
            if now >= until:
                break
            if now < T:
                x[number], t_x[number] = x[number] + 1, now
            else:
                again[number] = True
                break
            if rng.random() < drops[number]:
                break
    return x, t_x, again


def test_the_chance_of_silence_is_what_happens():
    x, t_x, again = bought(20_000, T=100.0, until=160.0, seed=1)
    silent = MODEL.no_purchase(x, t_x, np.full(len(x), 100.0), 60.0)
    for group in (x == 0, x == 1, (x >= 2) & (t_x < 60), (x >= 2) & (t_x >= 60)):
        spread = np.sqrt(np.mean(silent[group] * (1 - silent[group])) / group.sum())
        assert abs(silent[group].mean() - (~again[group]).mean()) < 4 * spread


def test_fitting_finds_what_simulated_the_buying():
    x, t_x, _ = bought(6_000, T=100.0, until=100.0, seed=2)
    found = bg_nbd.fit_bg_nbd(x, t_x, np.full(len(x), 100.0))
    asked = (np.array([0.0, 1.0, 5.0]), np.array([0.0, 20.0, 95.0]), np.full(3, 100.0))
    np.testing.assert_allclose(found.no_purchase(*asked, 60.0), MODEL.no_purchase(*asked, 60.0), atol=0.03)


def test_histories_by_hand():
    accounts = np.array([0, 0, 0, 0, 1])
    days = np.array([10.2, 10.9, 30.5, 50.0, 70.0])  # two purchases on day 10 are one
    found = bg_nbd.histories(accounts, days, np.array([0, 0, 1, 1]), np.array([50.0, 51.0, 100.0, 60.0]))
    x, t_x, T = found
    assert x[:3].tolist() == [1, 2, 0]
    assert t_x[:3].tolist() == [20, 40, 0]
    assert T[:3].tolist() == [40, 41, 30]
    assert np.isnan(x[3])
