"""The truth at a cutoff, and the ceiling that it sets for every model: what the latent state implies for the coming days.

From the state at the cutoff the same dynamics as the history's are run forward in many copies of each account. No copy is
ever ended: each carries the probability that it would still be there, and every chance of an end moves some of it into the
probability of having left (a Rao-Blackwell estimate, which needs far fewer copies than counting ends). Nothing of what
really happened after the cutoff enters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import ndtr
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from staypower.errors import UsageError
from staypower.results.numbers import count, decimal, percent
from staypower.results.result import Block, Result, TableBlock
from staypower.simulation.dynamics import LEVERS, Anchors, advance_day, advance_week, removal_effects
from staypower.simulation.history import INVOLUNTARY, VOLUNTARY, History
from staypower.simulation.world import Calendar, Parameters, State

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Whole = NDArray[np.int64]

__all__ = ["TIERS", "Ceiling", "Expected", "ceiling_of", "outlook", "truth_frame"]

TIERS = ("detractor", "passive", "promoter")
#: A lever that raises the hazard by less than a tenth is no cause.
_NO_CAUSE = float(np.log(1.1))
_KINDS = {0: None, VOLUNTARY: "voluntary", INVOLUNTARY: "involuntary"}


class Expected:
    """Ends that are only counted by their probability: how much probability leaves within each horizon, by kind.

    Ends that are undone within 25 days are not churn: their share stays.
    """

    def __init__(self, count: int, first_day: int, horizons: tuple[int, ...], parameters: Parameters) -> None:
        self.first_day = first_day
        self.horizons = horizons
        self.parameters = parameters
        self.staying = np.ones(count)
        self.gone = np.zeros((2, len(horizons), count))

    def _weigh(self, who: Whole, chance: Floats, ends: int, kind: int, pause: float) -> None:
        leaving = self.staying[who] * chance * (1 - pause)
        self.staying[who] -= leaving
        for number, horizon in enumerate(self.horizons):
            if ends < self.first_day + horizon:
                self.gone[kind - 1, number, who] += leaving

    def leave(self, state: State, who: Whole, chance: Floats, decided: int, ends: int) -> None:
        """Weigh the ends by choice."""
        self._weigh(who, chance, ends, VOLUNTARY, self.parameters.pause_voluntary)

    def vanish(self, state: State, who: Whole, chance: float, ends: int) -> None:
        """Weigh the ends that nothing predicts."""
        self._weigh(who, np.full(len(who), chance), ends, VOLUNTARY, self.parameters.pause_voluntary)

    def lose(self, state: State, who: Whole, chance: Floats, ends: int) -> None:
        """Weigh the ends by failed payment."""
        self._weigh(who, chance, ends, INVOLUNTARY, self.parameters.pause_involuntary)

    def happen(self, chance: Floats, draw: Floats) -> Floats:
        """Carry the chance on: rare failures count without being drawn."""
        return chance

    def invoice(self, state: State, who: Whole, day: int, attempt: int) -> None:
        """Ignore the attempt: its outcome lives on in the state."""


def outlook(
    state: State,
    who: Whole,
    day: int,
    horizons: tuple[int, ...],
    calendar: Calendar,
    parameters: Parameters,
    rng: np.random.Generator,
    copies: int,
) -> Floats:
    """Look ahead from a state."""
    if not len(who):
        return np.zeros((2, len(horizons), 0))
    run = state.repeat(who, copies)
    anchors = Anchors(run.anchor)
    expected = Expected(len(run.fit), day, horizons, parameters)
    for ahead in range(day, day + max(horizons)):
        if ahead % 7 == 0:
            advance_week(run, ahead, calendar, parameters, rng)
        advance_day(run, ahead, anchors, calendar, parameters, expected, rng)
    mean: Floats = expected.gone.reshape(2, len(horizons), len(who), copies).mean(axis=3)
    return mean


def _renewals_ahead(state: State, who: Whole, day: int, horizon: int, calendar: Calendar) -> Floats:
    """Count the renewals of each account within the horizon."""
    days = np.arange(day, day + horizon)
    hits = calendar.day_of_month[days][None, :] == state.anchor[who][:, None]
    anniversary = (calendar.month[days][None, :] % 12 == state.anniversary[who][:, None]) & (
        days[None, :] - state.start_day[who][:, None] > 300
    )
    due = np.where(state.annual[who][:, None], anniversary, True)
    counted: Floats = (hits & due).sum(axis=1).astype(np.float64)
    return counted


def _tiers(attitude: Floats, p: Parameters) -> dict[str, NDArray[np.object_] | Floats]:
    points = p.nps_mean + p.nps_slope * attitude
    band = np.searchsorted([6.5, 8.5], points, side="right")
    below = [ndtr((edge - points) / p.nps_noise) for edge in (6.5, 8.5)]
    return {
        "tier": np.array(TIERS, dtype=object)[band],
        "attitude": attitude,
        "p_detractor": below[0],
        "p_passive": below[1] - below[0],
        "p_promoter": 1 - below[1],
    }


def _realised(history: History, who: Whole, day: int, horizon: int, days: int) -> dict[str, NDArray[np.object_] | Floats]:
    """Return what did happen: 1 when the account ended for good within the horizon; missing when it is not over yet."""
    spells = history.spells
    ended = (spells["end_day"] >= day) & (spells["end_day"] < day + horizon) & (spells["pause"] == 0)
    kind = np.zeros(history.count, dtype=np.int64)
    for spell in np.flatnonzero(ended)[::-1]:
        kind[spells["account"][spell]] = spells["kind"][spell]
    over = day + horizon <= days
    return {
        "churned": (kind[who] > 0).astype(np.float64) if over else np.full(len(who), np.nan),
        "churn_kind": np.array([_KINDS[k] if over else None for k in kind[who].tolist()], dtype=object),
    }


def truth_frame(
    history: History,
    ids: NDArray[np.object_],
    day: int,
    horizon: int,
    siblings: tuple[int, ...],
    calendar: Calendar,
    parameters: Parameters,
    rng: np.random.Generator,
    copies: int,
) -> pd.DataFrame:
    """Write the truth of one block at one cutoff, a row for every account that is active there."""
    state = history.snapshots[day]
    who = np.flatnonzero(state.active)
    notice = state.leaving_on[who] >= 0
    horizons = (horizon, *siblings)
    chances = np.zeros((2, len(horizons), len(who)))
    chances[:, :, ~notice] = outlook(state, who[~notice], day, horizons, calendar, parameters, rng, copies)
    for number, length in enumerate(horizons):
        in_time = state.leaving_on[who[notice]] < day + length
        chances[0, number, notice] = np.where(in_time, 1 - parameters.pause_voluntary, 0.0)
    month = int(calendar.month[day])
    renewals = _renewals_ahead(state, who, day, horizon, calendar)
    effects = removal_effects(state.repeat(who, 1), day, month, renewals, parameters, horizon)
    stacked = np.stack([effects[lever] for lever in LEVERS])
    strongest = np.where(stacked.max(axis=0) < _NO_CAUSE, len(LEVERS), np.argmax(stacked, axis=0))
    columns: dict[str, object] = {
        "account_id": ids[who],
        "cutoff": pd.to_datetime(np.full(len(who), calendar.start // 10**6 + day * 86400), unit="s", utc=True).as_unit("us"),
        "notice_given": notice,
        "churn_probability": chances[:, 0].sum(axis=0),
        "p_voluntary": chances[0, 0],
        "p_involuntary": chances[1, 0],
        **{f"churn_probability_{days}d": chances[:, n].sum(axis=0) for n, days in enumerate(siblings, start=1)},
        **_tiers(state.attitude[who], parameters),
        "cause": np.array([*LEVERS, None], dtype=object)[strongest],
        **{f"effect_{lever}": effect for lever, effect in effects.items()},
        **_realised(history, who, day, horizon, calendar.days),
    }
    return pd.DataFrame(columns)


@dataclass(frozen=True)
class Ceiling(Result):
    """What the true probabilities reach against what happened: no model that sees only the tables does better on average."""

    accounts: int  # accounts counted: active at the cutoff, no notice given, outcome over
    base_rate: float  # share that churned
    auroc: float  # of the true probability against what happened
    average_precision: float
    brier: float
    # the AUROC that the true probabilities reach on average over everything that could have happened: the same bound without
    # the luck of the draw
    expected_auroc: float

    def frame(self) -> pd.DataFrame:
        """Return the figures as one row."""
        return pd.DataFrame([asdict(self)])

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return asdict(self)

    def blocks(self) -> Sequence[Block]:
        """Return the figures as one table."""
        columns = ["accounts", "base rate", "AUROC", "average precision", "Brier score", "expected AUROC"]
        figures = (self.auroc, self.average_precision, self.brier, self.expected_auroc)
        return [TableBlock(columns, [[count(self.accounts), percent(self.base_rate), *map(decimal, figures)]])]


def _expected_auroc(probability: NDArray[np.float64]) -> float:
    """Return the AUROC of probabilities against outcomes drawn from them, to first order in the number of accounts."""
    ordered = np.sort(probability)
    staying = np.cumsum(1 - ordered)
    below = staying - (1 - ordered)
    # Every churned account beats the others ranked below it; ties are rare but for exact zeros, where p = 0.
    pairs = float((ordered * below).sum())
    own = float((ordered * (1 - ordered)).sum())
    return pairs / (float(ordered.sum()) * float((1 - ordered).sum()) - own)


def ceiling_of(truth: pd.DataFrame) -> Ceiling:
    """Measure the true probabilities against what happened."""
    rows = truth[~truth["notice_given"].to_numpy(dtype=bool) & truth["churned"].notna().to_numpy()]
    happened = rows["churned"].to_numpy(dtype=np.int64)
    if len(np.unique(happened)) < 2:
        cutoffs = ", ".join(str(c.date()) for c in pd.DatetimeIndex(truth["cutoff"].unique())) or "none"
        raise UsageError.of(
            "no ceiling without both outcomes", f"cutoffs {cutoffs}", "choose an earlier cutoff or more accounts"
        )
    probability = rows["churn_probability"].to_numpy(dtype=np.float64)
    return Ceiling(
        accounts=len(rows),
        base_rate=float(happened.mean()),
        auroc=float(roc_auc_score(happened, probability)),
        average_precision=float(average_precision_score(happened, probability)),
        brier=float(brier_score_loss(happened, np.clip(probability, 0, 1))),
        expected_auroc=_expected_auroc(probability),
    )
