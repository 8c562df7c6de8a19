"""NPS, CSAT, CES and response rates of a cell."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from staypower.portfolio.figures import Cell, Figure
from staypower.portfolio.intervals import (
    LEAST_ANSWERS,
    NONE,
    Interval,
    Resampler,
    first_over_last,
    nps_interval,
    sums_by_account,
)
from staypower.portfolio.settings import PortfolioSettings
from staypower.portfolio.surveys import Answers, Invitations

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ces_figures", "csat_figures", "nps_bands", "nps_figures", "response_figures"]

_NOBODY = "nobody answered"
_FEW = f"no interval under {LEAST_ANSWERS} answers"
_BANDS = ("detractor", "passive", "promoter")
# low effort, for each scale: `ces1` at most (lower is better), `ces2` at least
_LOW_EFFORT = {"ces1": {"1-5": 2.0}, "ces2": {"1-7": 5.0}}


def nps_bands(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the band of each answer: 0 detractor (below 7), 1 passive (7 and 8), 2 promoter (from 9).

    >>> nps_bands(np.array([0.0, 6.0, 7.0, 8.5, 9.0, 10.0])).tolist()
    [0, 0, 1, 1, 2, 2]
    """
    return (values >= 7).astype(np.int64) + (values >= 9)


def nps_figures(answers: Answers, cell: Cell, resampler: Resampler) -> Iterator[Figure]:
    """Yield the NPS over answers, the NPS over accounts, and how many accounts are in each band.

    NPS = 100 (share of promoters - share of detractors). Over accounts each counts once, by its last answer of the period;
    several at that same instant count by their median. Where accounts answered repeatedly the interval is a bootstrap over
    accounts: answers of one account resemble each other.
    """
    band = nps_bands(answers.up)
    signs = (band == 2).astype(np.int64), (band == 0).astype(np.int64)
    per_account = sums_by_account(answers.account, *signs)
    n, accounts = len(band), len(per_account)
    interval = NONE
    if n >= LEAST_ANSWERS and n > accounts:
        interval = resampler.interval(per_account, _net_score, name=f"nps|{cell.name}")
    elif n:
        interval = nps_interval(int(signs[0].sum()), int(signs[1].sum()), n)
    yield _score(cell, "nps", signs[0].sum(), signs[1].sum(), n, accounts, interval)
    last = nps_bands(_last_answers(answers))
    counts = np.bincount(last, minlength=3)
    interval = nps_interval(int(counts[2]), int(counts[0]), accounts)
    yield _score(cell, "nps_by_account", counts[2], counts[0], accounts, accounts, interval)
    for name, count in zip(_BANDS, counts, strict=True):
        yield cell.figure(f"nps_{name}_accounts", float(count), n=accounts, accounts=accounts, note="" if n else _NOBODY)


def _score(
    cell: Cell, metric: str, promoters: np.int64, detractors: np.int64, n: int, accounts: int, interval: Interval
) -> Figure:
    if not n:
        return cell.figure(metric, math.nan, n=0, accounts=0, note=_NOBODY)
    value = 100 * (int(promoters) - int(detractors)) / n
    return cell.figure(metric, value, interval, n=n, accounts=accounts, note=_FEW if n < LEAST_ANSWERS else "")


def _net_score(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    return 100 * (sums[:, 0] - sums[:, 1]) / sums[:, 2]


def _last_answers(answers: Answers) -> NDArray[np.float64]:
    """Return each account's last answer; the median where several came at that instant."""
    account, at = answers.account, answers.at
    if not len(account):
        return np.empty(0)
    final = np.flatnonzero(np.append(np.diff(account) != 0, True))
    number = np.repeat(np.arange(len(final)), np.diff(np.append(-1, final)))
    rows = np.flatnonzero(at == at[final][number])
    number = number[rows]
    order = np.lexsort((answers.up[rows], number))
    value, first = answers.up[rows][order], np.searchsorted(number, np.arange(len(final)))
    count = np.diff(np.append(first, len(rows)))
    return np.asarray((value[first + (count - 1) // 2] + value[first + count // 2]) / 2)


def csat_figures(answers: Answers, cell: Cell, settings: PortfolioSettings, resampler: Resampler) -> Iterator[Figure]:
    """Yield CSAT: 100 x satisfied answers / answers, by the declared threshold of each answer's scale."""
    figure = _share(answers, answers.up, "csat", cell, settings.satisfied, resampler)
    yield replace(figure, value=100 * figure.value, low=100 * figure.low, high=100 * figure.high)


def ces_figures(answers: Answers, version: str, cell: Cell, resampler: Resampler) -> Iterator[Figure]:
    """Yield the mean effort score of one version, as answered, and the share of answers that say low effort."""
    n, accounts = len(answers.value), len(np.unique(answers.account))
    if n:
        per_account = sums_by_account(answers.account, answers.value)
        interval = resampler.interval(per_account, first_over_last, name=f"{version}_mean|{cell.name}")
        note = "" if n >= LEAST_ANSWERS else _FEW
        yield cell.figure(f"{version}_mean", float(answers.value.mean()), interval, n=n, accounts=accounts, note=note)
    else:
        yield cell.figure(f"{version}_mean", math.nan, n=0, accounts=0, note=_NOBODY)
    sign = -1 if version == "ces1" else 1
    thresholds = {scale: sign * limit for scale, limit in _LOW_EFFORT[version].items()}
    yield _share(answers, sign * answers.value, f"{version}_low_effort_share", cell, thresholds, resampler)


def _share(
    answers: Answers,
    values: NDArray[np.float64],
    metric: str,
    cell: Cell,
    thresholds: Mapping[str, float],
    resampler: Resampler,
) -> Figure:
    """Publish the share of answers at or above the threshold of their scale."""
    n, accounts = len(values), len(np.unique(answers.account))
    if not n:
        return cell.figure(metric, math.nan, n=0, accounts=0, note=_NOBODY)
    scales = sorted(set(answers.scale))
    undeclared = [scale for scale in scales if scale not in thresholds]
    if undeclared:
        fix = ": set `portfolio.satisfied`" if metric == "csat" else ""
        note = f"no threshold for the scale {undeclared[0]}{fix}"
        return cell.figure(metric, math.nan, n=n, accounts=accounts, note=note)
    limit = np.array([thresholds[scale] for scale in answers.scale])
    good = values >= limit
    interval = resampler.share(answers.account, good, name=f"{metric}|{cell.name}") if n >= LEAST_ANSWERS else NONE
    note = "" if n >= LEAST_ANSWERS else _FEW
    return cell.figure(metric, int(good.sum()) / n, interval, n=n, accounts=accounts, note=note)


def response_figures(
    invitations: Invitations, instrument: str, cell: Cell, *, complete: bool, resampler: Resampler
) -> Iterator[Figure]:
    """Yield the share of a cell's invitations that were answered within the declared days."""
    metric, n = f"{instrument}_response_rate", len(invitations.account)
    if not n:
        yield cell.figure(metric, math.nan, n=0, accounts=0, complete=complete, note="nobody was invited")
        return
    answered, accounts = int(invitations.answered.sum()), len(np.unique(invitations.account))
    interval = resampler.share(invitations.account, invitations.answered, name=f"{metric}|{cell.name}")
    note = "" if complete or cell.running else "provisional: the latest invitations may still be answered"
    yield cell.figure(metric, answered / n, interval, n=n, accounts=accounts, complete=complete, note=note)
