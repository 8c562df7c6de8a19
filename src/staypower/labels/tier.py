"""The loyalty tier of an account: the band of its first answer after the cutoff; and what was known of its surveys before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from staypower.cutoffs import Outcome, entry, text_of
from staypower.errors import UsageError
from staypower.labels.inputs import first_run, from_first
from staypower.labels.tier_settings import TierSettings
from staypower.labels.tier_signs import Answers, find_behaviour, read_answers
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SurveyState", "TierLabels", "find_survey_state", "find_tiers"]


@dataclass(frozen=True)
class SurveyState:
    """What was known about the surveys of each account before each cutoff."""

    accounts: tuple[str, ...]
    cutoffs: NDArray[np.int64]  # shape (k,)
    # shape (n_accounts, k): Whether an invitation of the instrument, or an answer, was known before the cutoff
    ever_invited: NDArray[np.bool_]
    # shape (n_accounts, k): Band of the last answer known before the cutoff (of several that UTC day: their median); -1 where
    # there is none
    last_tier: NDArray[np.int8]


@dataclass(frozen=True)
class TierLabels:
    """The tier that each account's next answer shows, and the one before."""

    accounts: tuple[str, ...]  # every account once, sorted
    cutoffs: NDArray[np.int64]  # shape (k,): Instants, ascending
    tier: NDArray[
        np.int8
    ]  # shape (n_accounts, k): number of the tier from 0, the worst; -1 where no answer came in the horizon
    # shape (n_accounts, k): Band of the last answer known before the cutoff; -1 where there is none
    last_tier: NDArray[np.int8]

    def rows(
        self, accounts: Sequence[str] | NDArray[np.object_], cutoffs: NDArray[np.int64]
    ) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        """Return tier and last tier of (account, cutoff) rows, such as those of a feature matrix."""
        account = pd.Index(self.accounts).get_indexer(pd.Index(list(accounts)))
        cutoff = pd.Index(self.cutoffs).get_indexer(pd.Index(cutoffs))
        if (account < 0).any() or (cutoff < 0).any():
            raise KeyError("rows of accounts or cutoffs that the labels were not made for")
        return self.tier[account, cutoff], self.last_tier[account, cutoff]


def find_tiers(tables: Tables, settings: TierSettings, cutoffs: NDArray[np.int64]) -> TierLabels:
    """Find the tier of every account at every cutoff, by what followed.

    - Survey: the first UTC day in `[cutoff, cutoff + horizon)` on which the instrument was answered; of several answers that
      day the median; then the band. What lies between two bands belongs to the worse one.
    - Behaviour: see `staypower.labels.tier_signs`.
    """
    cutoffs = np.asarray(cutoffs, dtype=np.int64)
    if (np.diff(cutoffs) <= 0).any():
        raise ValueError("cutoffs must ascend without repeats")
    _refuse_open_horizons(tables, settings, cutoffs)
    accounts = tuple(tables.account_ids)
    if settings.kind == "behaviour":
        tier = find_behaviour(tables, settings, accounts, cutoffs)
        return TierLabels(accounts, cutoffs, tier, np.full(tier.shape, -1, dtype=np.int8))
    answers = read_answers(tables, settings, accounts)
    last_tier = _state(answers, settings, accounts, cutoffs).last_tier
    value = _next_answers(answers, settings, cutoffs, last_tier.shape)
    tier = np.where(np.isnan(value), -1, _bands(settings, value)).astype(np.int8)
    return TierLabels(accounts, cutoffs, tier, last_tier)


def find_survey_state(
    tables: Tables, settings: TierSettings, accounts: Sequence[str], cutoffs: NDArray[np.int64], *, need_answers: bool = True
) -> SurveyState:
    """Find what was known of each account's surveys before each cutoff: no horizon need be over."""
    listed, cutoffs = tuple(accounts), np.asarray(cutoffs, dtype=np.int64)
    if settings.kind == "behaviour":
        shape = (len(listed), len(cutoffs))
        return SurveyState(listed, cutoffs, np.ones(shape, dtype=bool), np.full(shape, -1, dtype=np.int8))
    answers = read_answers(tables, settings, listed, need_answers=need_answers)
    return _state(answers, settings, listed, cutoffs)


def _refuse_open_horizons(tables: Tables, settings: TierSettings, cutoffs: NDArray[np.int64]) -> None:
    outcome = Outcome(horizon=settings.horizon)
    still_open = [text_of(int(cutoff)) for cutoff in cutoffs[~outcome.mature(cutoffs, tables.observed_until)]]
    if still_open:
        value = (
            f"cutoff {', '.join(still_open)} with a tier horizon of {settings.horizon} days; the data end at "
            f"{text_of(tables.observed_until)}"
        )
        last = text_of(outcome.last_mature(tables.observed_until))
        raise UsageError.of(
            "tier horizon not over", value, f"use {last}, the last cutoff whose horizon is over, or an earlier one"
        )


def _bands(settings: TierSettings, values: NDArray[np.float64]) -> NDArray[np.int8]:
    edges = np.asarray(settings.edges)
    sign = 1.0 if settings.higher_is_better else -1.0
    return np.searchsorted(sign * edges, sign * values, side="right").astype(np.int8)


def _next_answers(
    answers: Answers, settings: TierSettings, cutoffs: NDArray[np.int64], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Return the first answer in each horizon, NaN where there is none."""
    first, stop = entry(answers.at, cutoffs, offset_days=-settings.horizon), entry(answers.at, cutoffs)
    length = np.maximum(stop - first, 0)
    row = np.repeat(np.arange(len(answers)), length)
    cutoff = np.repeat(first, length) + np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    # Answers are sorted by account and time: the least position is the first answer of a horizon, the greatest its last.
    earliest = np.full(shape, len(answers), dtype=np.int64)
    latest = np.full(shape, -1, dtype=np.int64)
    np.minimum.at(earliest, (answers.account[row], cutoff), row)
    np.maximum.at(latest, (answers.account[row], cutoff), row)
    found = latest >= 0
    begin = earliest[found]
    value = np.full(shape, np.nan)
    value[found] = answers.medians(begin, np.minimum(answers.day_stop[begin], latest[found] + 1))
    return value


def _state(answers: Answers, settings: TierSettings, accounts: tuple[str, ...], cutoffs: NDArray[np.int64]) -> SurveyState:
    shape = (len(accounts), len(cutoffs))
    asked = first_run(answers.asked_account, entry(answers.asked_known, cutoffs), shape)
    enter = entry(answers.known, cutoffs)
    seen = np.flatnonzero(enter < shape[1])
    last = np.full(shape, -1, dtype=np.int64)
    np.maximum.at(last, (answers.account[seen], enter[seen]), seen)
    last = np.maximum.accumulate(last, axis=1)
    account, cutoff = np.nonzero(last >= 0)
    position = last[account, cutoff]
    values = answers.medians(answers.day_start[position], position + 1, enter=enter, at_cutoff=cutoff)
    tier = np.full(shape, -1, dtype=np.int8)
    tier[account, cutoff] = _bands(settings, values)
    return SurveyState(accounts, cutoffs, from_first(asked, shape), tier)
