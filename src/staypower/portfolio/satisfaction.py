"""Satisfaction: NPS, CSAT, CES and response rates.

Answers are refused where one name stands for two instruments.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd

from staypower.cutoffs import DAY, MISSING, before
from staypower.errors import Problem, UsageError
from staypower.labels.tier_settings import TIERS
from staypower.portfolio.figures import (
    LEAST_ANSWERS,
    NONE,
    Figure,
    Interval,
    PortfolioCell,
    Resampler,
    first_over_last,
    nps_interval,
    sums_by_account,
)
from staypower.spells import instants_or_missing, number_accounts
from staypower.tables import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "ANSWER_DAYS",
    "Invitations",
    "RowsOfAccounts",
    "SurveyAnswers",
    "are_mixed",
    "nps_bands",
    "read_answers",
    "read_invitations",
    "refuse_mixtures",
    "response_figures",
    "survey_figures",
]

ANSWER_DAYS = 30  # response rate: days after the invitation within which an answer counts
_EFFORT = (("ces1", False), ("ces2", True))  # whether higher is better
# low effort, for each scale: `ces1` at most (lower is better), `ces2` at least
_LOW_EFFORT = {"ces1": {"1-5": 2.0}, "ces2": {"1-7": 5.0}}
_NO_ANSWERS = "no answers"
_FEW = f"no interval under {LEAST_ANSWERS} answers"
_FIX = "give each its own `touchpoint`, convert the answers to one scale, or leave one of them out with `where`"


@dataclass(frozen=True)
class RowsOfAccounts:
    """Rows with their account and time."""

    account: NDArray[np.int64]  # shape (n,): position in the list of accounts
    at: NDArray[np.int64]  # shape (n,): instants of answering, sending or opening

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Self:
        """Return some of the rows."""
        return replace(self, **{name: each[chosen] for name, each in vars(self).items() if isinstance(each, np.ndarray)})

    @classmethod
    def together(cls, parts: Sequence[Self], places: Sequence[NDArray[np.int64]]) -> Self:
        """Combine the rows of several buckets; places are the new positions of the accounts of each, and order the rows."""
        moved = [replace(part, account=place[part.account]) for part, place in zip(parts, places, strict=True)]
        columns = {
            name: np.concatenate([getattr(part, name) for part in moved])
            for name, each in vars(parts[0]).items()
            if isinstance(each, np.ndarray)
        }
        return replace(parts[0], **columns).take(np.argsort(columns["account"], kind="stable"))


@dataclass(frozen=True)
class SurveyAnswers(RowsOfAccounts):
    """The answers to one instrument, sorted by account and time."""

    value: NDArray[np.float64]  # shape (n,): as answered
    up: NDArray[np.float64]  # shape (n,): counted from the good end: on a scale where lower is better 1-5 becomes 5-1
    scale: NDArray[np.object_]  # shape (n,)


@dataclass(frozen=True)
class Invitations(RowsOfAccounts):
    """The invitations to one instrument, and which were answered in time."""

    answered: NDArray[np.bool_]  # shape (n,)


def read_answers(
    surveys: Table, *, accounts: Sequence[str], observed_until: int
) -> tuple[dict[str, SurveyAnswers], pd.DataFrame]:
    """Read the answers of every instrument, and `instrument, name, scale, higher` of each answer, indexed by its row.

    CSAT has a threshold for each scale, so different questionnaires may use different ones: it has a name for each touchpoint.
    """
    if not surveys.has("value", "answered_at", "instrument", "low", "high", "higher_is_better"):
        return {}, pd.DataFrame()
    value, at, account = surveys.numbers("value"), surveys.instants("answered_at"), number_accounts(surveys, accounts)
    known = np.maximum(at, instants_or_missing(surveys, "known_at"))
    seen = np.isfinite(value) & (account >= 0) & before(at, observed_until) & before(known, observed_until)
    instrument, scale = surveys.texts("instrument"), _scales(surveys)
    higher = surveys.numbers("higher_is_better") == 1
    up = np.where(higher, value, surveys.numbers("low") + surveys.numbers("high") - value)
    found = {}
    for name in sorted({str(word) for word in instrument[seen]}):
        rows = np.flatnonzero(seen & (instrument == name))
        rows = rows[np.lexsort((value[rows], at[rows], account[rows]))]
        found[name] = SurveyAnswers(account[rows], at[rows], value[rows], up[rows], scale[rows])
    variants = pd.DataFrame({"instrument": instrument, "scale": scale, "higher": higher})[seen]
    touchpoint = surveys.texts("touchpoint") if surveys.has("touchpoint") else np.full(len(surveys), None, dtype=object)
    variants["name"] = [
        f"{kind}, touchpoint {place}" if kind == "csat" and place else kind
        for kind, place in zip(instrument[seen], touchpoint[seen], strict=True)
    ]
    return found, variants


def read_invitations(surveys: Table, *, accounts: Sequence[str], observed_until: int) -> dict[str, Invitations]:
    """Read the invitations to every instrument."""
    if not surveys.has("sent_at", "instrument"):
        return {}
    sent, account = surveys.instants("sent_at"), number_accounts(surveys, accounts)
    known = np.maximum(sent, instants_or_missing(surveys, "known_at"))
    seen = (account >= 0) & before(sent, observed_until) & before(known, observed_until)
    answered_at = instants_or_missing(surveys, "answered_at")
    in_time = before(answered_at, observed_until) & (answered_at <= sent + ANSWER_DAYS * DAY) & (sent != MISSING)
    if surveys.has("value"):
        in_time &= np.isfinite(surveys.numbers("value"))
    instrument = surveys.texts("instrument")
    names = sorted({str(word) for word in instrument[seen] if word is not None})
    rows = {name: seen & (instrument == name) for name in names}
    return {name: Invitations(account[chosen], sent[chosen], in_time[chosen]) for name, chosen in rows.items()}


def _scales(surveys: Table) -> NDArray[np.object_]:
    """Write each row's scale by its ends, however the source spelt it."""
    ends = pd.DataFrame({"low": surveys.numbers("low"), "high": surveys.numbers("high")})
    number, distinct = pd.MultiIndex.from_frame(ends).factorize()
    names = np.array([f"{low:g}-{high:g}" for low, high in distinct], dtype=object)
    return np.asarray(names[number])


def are_mixed(variants: pd.DataFrame) -> bool:
    """Say whether a name stands for two scales or two directions, or an effort score for the other version's direction."""
    wrong = any((variants["higher"][variants["instrument"] == kind] != better).any() for kind, better in _EFFORT)
    several = (variants[["name", each]].drop_duplicates()["name"].duplicated().any() for each in ("scale", "higher"))
    return wrong or any(several)


def refuse_mixtures(surveys: Table, variants: pd.DataFrame) -> None:
    """Refuse a name with answers on two scales, or in two directions: their figures would mean nothing."""
    problems = [
        _wrong_way(surveys, kind, variants.index[(variants["instrument"] == kind) & (variants["higher"] != better)])
        for kind, better in _EFFORT
        if ((variants["instrument"] == kind) & (variants["higher"] != better)).any()
    ]
    for name, rows in variants.groupby("name", sort=True):
        if len(set(rows["scale"])) > 1:
            problems.append(_mixture(surveys, "a mixed scale under one name", "scale", str(name), rows["scale"]))
        elif len(set(rows["higher"])) > 1 and name not in ("ces1", "ces2"):
            words = rows["higher"].map({True: "higher is better", False: "lower is better"})
            problems.append(_mixture(surveys, "two instruments under one name", "direction", str(name), words))
    if problems:
        raise UsageError(problems)


def _mixture(surveys: Table, problem: str, column: str, name: str, words: pd.Series[str]) -> Problem:
    """Name how often each variant comes, and the first rows of the rarer ones."""
    counts = words.value_counts()
    variants = ", ".join(f"{count:,} on {word}" if column == "scale" else f"{count:,} {word}" for word, count in counts.items())
    return Problem(
        problem, f"surveys.{column} of {name}: {variants}; {_rows(surveys, words.index[words != counts.index[0]])}", _FIX
    )


def _wrong_way(surveys: Table, kind: str, rows: pd.Index[int]) -> Problem:
    """Refuse effort scores whose direction is the other version's."""
    said, other = ("higher", "ces2") if kind == "ces1" else ("lower", "ces1")
    value = f"surveys.direction of {kind}: {len(rows):,} where {said} is better; {_rows(surveys, rows)}"
    return Problem("two instruments under one name", value, f"call effort answers where {said} is better `{other}`")


def _rows(surveys: Table, rows: pd.Index[int]) -> str:
    telling = [each for each in ("account_id", "survey_id", "scale", "direction", "value") if surveys.has(each)]
    shown = surveys.data.select(telling).take(rows[:3].to_numpy()).to_pylist()
    return "rows such as " + ", ".join("(" + ", ".join(f"{key} {value}" for key, value in row.items()) + ")" for row in shown)


def nps_bands(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the band of each answer: 0 detractor (below 7), 1 passive (7 and 8), 2 promoter (from 9).

    >>> nps_bands(np.array([0.0, 6.0, 7.0, 8.5, 9.0, 10.0])).tolist()
    [0, 0, 1, 1, 2, 2]
    """
    return (values >= 7).astype(np.int64) + (values >= 9)


def survey_figures(
    answers: SurveyAnswers, instrument: str, cell: PortfolioCell, satisfied: Mapping[str, float], resampler: Resampler
) -> Iterator[Figure]:
    """Yield the figures of one instrument's answers in a cell."""
    if instrument == "nps":
        return _nps_figures(answers, cell, resampler)
    if instrument == "csat":
        return _csat_figures(answers, cell, satisfied, resampler)
    return _ces_figures(answers, instrument, cell, resampler)


def _nps_figures(answers: SurveyAnswers, cell: PortfolioCell, resampler: Resampler) -> Iterator[Figure]:
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
    for name, count in zip(TIERS, counts, strict=True):
        yield cell.figure(f"nps_{name}_accounts", float(count), n=accounts, accounts=accounts, note="" if n else _NO_ANSWERS)


def _score(
    cell: PortfolioCell, metric: str, promoters: np.int64, detractors: np.int64, n: int, accounts: int, interval: Interval
) -> Figure:
    if not n:
        return cell.figure(metric, math.nan, n=0, accounts=0, note=_NO_ANSWERS)
    value = 100 * (int(promoters) - int(detractors)) / n
    return cell.figure(metric, value, interval, n=n, accounts=accounts, note=_FEW if n < LEAST_ANSWERS else "")


def _net_score(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    return 100 * (sums[:, 0] - sums[:, 1]) / sums[:, 2]


def _last_answers(answers: SurveyAnswers) -> NDArray[np.float64]:
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


def _csat_figures(
    answers: SurveyAnswers, cell: PortfolioCell, satisfied: Mapping[str, float], resampler: Resampler
) -> Iterator[Figure]:
    """Yield CSAT: 100 x satisfied answers / answers, by the declared threshold of each answer's scale."""
    figure = _share(answers, answers.up, "csat", cell, satisfied, resampler)
    yield replace(figure, value=100 * figure.value, low=100 * figure.low, high=100 * figure.high)


def _ces_figures(answers: SurveyAnswers, version: str, cell: PortfolioCell, resampler: Resampler) -> Iterator[Figure]:
    """Yield the mean effort score of one version, as answered, and the share of answers that say low effort."""
    n, accounts = len(answers.value), len(np.unique(answers.account))
    if n:
        per_account = sums_by_account(answers.account, answers.value)
        interval = resampler.interval(per_account, first_over_last, name=f"{version}_mean|{cell.name}")
        note = "" if n >= LEAST_ANSWERS else _FEW
        yield cell.figure(f"{version}_mean", float(answers.value.mean()), interval, n=n, accounts=accounts, note=note)
    else:
        yield cell.figure(f"{version}_mean", math.nan, n=0, accounts=0, note=_NO_ANSWERS)
    sign = -1 if version == "ces1" else 1
    thresholds = {scale: sign * limit for scale, limit in _LOW_EFFORT[version].items()}
    yield _share(answers, sign * answers.value, f"{version}_low_effort_share", cell, thresholds, resampler)


def _share(
    answers: SurveyAnswers,
    values: NDArray[np.float64],
    metric: str,
    cell: PortfolioCell,
    thresholds: Mapping[str, float],
    resampler: Resampler,
) -> Figure:
    """Publish the share of answers at or above the threshold of their scale."""
    n, accounts = len(values), len(np.unique(answers.account))
    if not n:
        return cell.figure(metric, math.nan, n=0, accounts=0, note=_NO_ANSWERS)
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
    invitations: Invitations, instrument: str, cell: PortfolioCell, *, complete: bool, resampler: Resampler
) -> Iterator[Figure]:
    """Yield the share of a cell's invitations that were answered within the declared days."""
    metric, n = f"{instrument}_response_rate", len(invitations.account)
    if not n:
        yield cell.figure(metric, math.nan, n=0, accounts=0, complete=complete, note="no invitations")
        return
    answered, accounts = int(invitations.answered.sum()), len(np.unique(invitations.account))
    interval = resampler.share(invitations.account, invitations.answered, name=f"{metric}|{cell.name}")
    note = "" if complete or cell.running else "provisional: the latest invitations may still be answered"
    yield cell.figure(metric, answered / n, interval, n=n, accounts=accounts, complete=complete, note=note)
