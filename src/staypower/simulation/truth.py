"""The truth at a cutoff: what the latent state says about the coming days, found by looking ahead many times.

From the state at the cutoff the same dynamics as the history's are run forward in many copies of each account. No copy is
ever ended: each carries the probability that it would still be there, and every chance of an end moves some of it into the
probability of having left (a Rao-Blackwell estimate, which needs far fewer copies than counting ends). Nothing of what
really happened after the cutoff enters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtr

from staypower.simulation.dynamics import Anchors, advance_day, advance_week
from staypower.simulation.history import INVOLUNTARY, VOLUNTARY, History
from staypower.simulation.levers import LEVERS, removal_effects
from staypower.simulation.parameters import Parameters
from staypower.simulation.state import State
from staypower.simulation.timeline import Timeline

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Whole = NDArray[np.int64]

__all__ = ["TIERS", "Expected", "outlook", "truth_frame"]

TIERS = ("detractor", "passive", "promoter")
#: A lever that raises the hazard by less than a tenth is no cause.
_NO_CAUSE = float(np.log(1.1))
_KINDS = {0: None, VOLUNTARY: "voluntary", INVOLUNTARY: "involuntary"}


class Expected:
    """Ends that are only weighed: how much probability leaves within each horizon, by kind.

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
        """Weigh the ends that nothing foretells."""
        self._weigh(who, np.full(len(who), chance), ends, VOLUNTARY, self.parameters.pause_voluntary)

    def lose(self, state: State, who: Whole, chance: Floats, ends: int) -> None:
        """Weigh the ends by failed payment."""
        self._weigh(who, chance, ends, INVOLUNTARY, self.parameters.pause_involuntary)

    def happen(self, chance: Floats, draw: Floats) -> Floats:
        """Carry the chance on: rare failures need no luck to be seen."""
        return chance

    def invoice(self, state: State, who: Whole, day: int, attempt: int) -> None:
        """Ignore the attempt: its outcome lives on in the state."""


def outlook(
    state: State,
    who: Whole,
    day: int,
    horizons: tuple[int, ...],
    timeline: Timeline,
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
            advance_week(run, ahead, timeline, parameters, rng)
        advance_day(run, ahead, anchors, timeline, parameters, expected, rng)
    mean: Floats = expected.gone.reshape(2, len(horizons), len(who), copies).mean(axis=3)
    return mean


def _renewals_ahead(state: State, who: Whole, day: int, horizon: int, timeline: Timeline) -> Floats:
    """Count the renewals of each account within the horizon."""
    days = np.arange(day, day + horizon)
    hits = timeline.day_of_month[days][None, :] == state.anchor[who][:, None]
    anniversary = (timeline.month[days][None, :] % 12 == state.anniversary[who][:, None]) & (
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
    timeline: Timeline,
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
    chances[:, :, ~notice] = outlook(state, who[~notice], day, horizons, timeline, parameters, rng, copies)
    for number, length in enumerate(horizons):
        in_time = state.leaving_on[who[notice]] < day + length
        chances[0, number, notice] = np.where(in_time, 1 - parameters.pause_voluntary, 0.0)
    month = int(timeline.month[day])
    renewals = _renewals_ahead(state, who, day, horizon, timeline)
    effects = removal_effects(state.repeat(who, 1), day, month, renewals, parameters, horizon)
    stacked = np.stack([effects[lever] for lever in LEVERS])
    strongest = np.where(stacked.max(axis=0) < _NO_CAUSE, len(LEVERS), np.argmax(stacked, axis=0))
    columns: dict[str, object] = {
        "account_id": ids[who],
        "cutoff": pd.to_datetime(np.full(len(who), timeline.start // 10**6 + day * 86400), unit="s", utc=True).as_unit("us"),
        "notice_given": notice,
        "churn_probability": chances[:, 0].sum(axis=0),
        "p_voluntary": chances[0, 0],
        "p_involuntary": chances[1, 0],
        **{f"churn_probability_{days}d": chances[:, n].sum(axis=0) for n, days in enumerate(siblings, start=1)},
        **_tiers(state.attitude[who], parameters),
        "cause": np.array([*LEVERS, None], dtype=object)[strongest],
        **{f"effect_{lever}": effect for lever, effect in effects.items()},
        **_realised(history, who, day, horizon, timeline.days),
    }
    return pd.DataFrame(columns)
