"""The BG/NBD model of repeat buying: fitted by maximum likelihood, asked for the chance of no purchase in a stretch to come.

While a customer is active it buys at a rate of its own, the rates gamma distributed (r, alpha); after each purchase it drops
out for good with a probability of its own, the probabilities beta distributed (a, b). Fader, Hardie and Lee (2005), "Counting
Your Customers" the Easy Way: An Alternative to the Pareto/NBD Model, Marketing Science 24(2), 275-284; the likelihood is their
equation (6).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import betaln, expit, gammaln, logsumexp

__all__ = ["BgNbd", "fit_bg_nbd", "histories"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class BgNbd:
    """The four parameters; time in days."""

    r: float
    alpha: float
    a: float
    b: float

    def alive(self, x: Floats, t_x: Floats, T: Floats) -> Floats:
        """Return P(still active | x repeat purchases, the last at t_x, observed until T); 1 for who bought once."""
        log_odds_gone = (
            np.log(self.a)
            - np.log(self.b + np.maximum(x, 1) - 1)
            + (self.r + x) * (np.log(self.alpha + T) - np.log(self.alpha + t_x))
        )
        return np.where(x > 0, expit(-log_odds_gone), 1.0)

    def no_purchase(self, x: Floats, t_x: Floats, T: Floats, days: float) -> Floats:
        """Return P(no purchase in the `days` after T).

        An active customer drops out only after a purchase, so it stays silent for `days` exactly when no purchase of its rate
        comes: its rate is gamma distributed (r + x, alpha + T) by then.
        """
        silent = ((self.alpha + T) / (self.alpha + T + days)) ** (self.r + x)
        return 1.0 - self.alive(x, t_x, T) * (1.0 - silent)

    def log_likelihood(self, x: Floats, t_x: Floats, T: Floats) -> Floats:
        """Return each customer's log likelihood: equation (6)."""
        shared = gammaln(self.r + x) - gammaln(self.r) + self.r * np.log(self.alpha)
        active = betaln(self.a, self.b + x) - betaln(self.a, self.b) - (self.r + x) * np.log(self.alpha + T)
        dropped = np.where(
            x > 0,
            betaln(self.a + 1, self.b + np.maximum(x, 1) - 1)
            - betaln(self.a, self.b)
            - (self.r + x) * np.log(self.alpha + t_x),
            -np.inf,
        )
        found: Floats = shared + logsumexp(np.stack([active, dropped]), axis=0)
        return found


def fit_bg_nbd(x: Floats, t_x: Floats, T: Floats) -> BgNbd:
    """Fit the parameters by maximum likelihood, starting at several places and keeping the best."""

    def loss(logs: Floats) -> float:
        return float(-BgNbd(*np.exp(logs)).log_likelihood(x, t_x, T).mean())

    scale = float(np.log(np.maximum(T.mean(), 1.0) / 4))
    starts = [(0.0, scale, 0.0, 1.0), (-1.0, scale - 1, -1.0, 0.5), (0.7, scale, -2.0, 1.0)]
    bounds = [(-8.0, 8.0), (-8.0, 12.0), (-8.0, 8.0), (-8.0, 8.0)]
    tried = [minimize(loss, start, method="L-BFGS-B", bounds=bounds) for start in starts]
    return BgNbd(*np.exp(min(tried, key=lambda each: each.fun).x))


def histories(
    accounts: NDArray[np.int64], days: Floats, asked: NDArray[np.int64], cutoffs: Floats
) -> tuple[Floats, Floats, Floats]:
    """Summarise purchases before each asked account's cutoff: x, t_x and T.

    Parameters
    ----------
    accounts, days : array, shape (n,)
        Account number and time of each purchase, in days.
    asked, cutoffs : array, shape (m,)
        Account number and cutoff in days of each row to summarise.

    Returns
    -------
    tuple of array, shape (m,)
        Days with a purchase after the first one, days from the first to the last, days from the first to the cutoff. NaN for
        who has not bought before its cutoff.
    """
    pairs = np.unique(np.column_stack([accounts, np.floor(days)]), axis=0)  # purchases of one day are one purchase
    account, day = pairs[:, 0], pairs[:, 1]
    first_row = np.searchsorted(account, asked, side="left")
    found = np.full((3, len(asked)), np.nan)
    for row, (start, number, cutoff) in enumerate(zip(first_row, asked, cutoffs, strict=True)):
        end = start + np.searchsorted(
            day[start : np.searchsorted(account, number, side="right")], np.floor(cutoff), side="left"
        )
        if end > start:
            found[:, row] = end - start - 1, day[end - 1] - day[start], np.floor(cutoff) - day[start]
    return found[0], found[1], found[2]
