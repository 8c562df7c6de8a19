"""Survey rows made ready: answers in order, refused where one name stands for two things."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from staypower.cutoffs import DAY, MISSING, before
from staypower.errors import Problem, UsageError
from staypower.spells import instants_or_missing, number_accounts
from staypower.tables import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ANSWER_DAYS", "Answers", "Invitations", "read_answers", "read_invitations"]

ANSWER_DAYS = 30  # response rate: days after the invitation within which an answer counts
_MEND = "give each its own `touchpoint`, convert the answers to one scale, or leave one of them out with `where`"


@dataclass(frozen=True)
class Answers:
    """The answers to one instrument that were seen.

    >>> Answers.__name__
    'Answers'
    """

    account: NDArray[np.int64]  # shape (n,): Position in the list of accounts
    at: NDArray[np.int64]  # shape (n,): Instants of answering
    value: NDArray[np.float64]  # shape (n,): As answered
    up: NDArray[np.float64]  # shape (n,): Counted from the good end: on a scale where lower is better 1-5 becomes 5-1
    scale: NDArray[np.object_]  # shape (n,)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Answers:
        """Return some of the answers."""
        return Answers(self.account[chosen], self.at[chosen], self.value[chosen], self.up[chosen], self.scale[chosen])


@dataclass(frozen=True)
class Invitations:
    """The invitations to one instrument, and which were answered in time.

    >>> Invitations.__name__
    'Invitations'
    """

    account: NDArray[np.int64]  # shape (n,)
    at: NDArray[np.int64]  # shape (n,): Instants of sending
    answered: NDArray[np.bool_]  # shape (n,)

    def take(self, chosen: NDArray[np.int64]) -> Invitations:
        """Return some of the invitations."""
        return Invitations(self.account[chosen], self.at[chosen], self.answered[chosen])


def read_answers(surveys: Table, *, accounts: Sequence[str], observed_until: int) -> dict[str, Answers]:
    """Read the answers of every instrument."""
    if not surveys.has("value", "answered_at", "instrument", "low", "high", "higher_is_better"):
        return {}
    value, at, account = surveys.numbers("value"), surveys.instants("answered_at"), number_accounts(surveys, accounts)
    known = np.maximum(at, instants_or_missing(surveys, "known_at"))
    seen = np.isfinite(value) & (account >= 0) & before(at, observed_until) & before(known, observed_until)
    instrument, scale = surveys.texts("instrument"), _scales(surveys)
    higher = surveys.numbers("higher_is_better") == 1
    _refuse_mixtures(surveys, seen, instrument, scale, higher)
    up = np.where(higher, value, surveys.numbers("low") + surveys.numbers("high") - value)
    found = {}
    for name in sorted({str(word) for word in instrument[seen]}):
        rows = np.flatnonzero(seen & (instrument == name))
        rows = rows[np.lexsort((value[rows], at[rows], account[rows]))]
        found[name] = Answers(account[rows], at[rows], value[rows], up[rows], scale[rows])
    return found


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


def _refuse_mixtures(
    surveys: Table,
    seen: NDArray[np.bool_],
    instrument: NDArray[np.object_],
    scale: NDArray[np.object_],
    higher: NDArray[np.bool_],
) -> None:
    """Refuse a name under which answers on two scales, or in two directions, stand: their figures would mean nothing."""
    frame = pd.DataFrame({"instrument": instrument, "scale": scale, "higher": higher})[seen]
    # CSAT has a threshold for each scale, so different questionnaires may use different ones; the others are one scale
    touchpoint = surveys.texts("touchpoint")[seen] if surveys.has("touchpoint") else np.full(len(frame), None, dtype=object)
    frame["name"] = [
        f"{kind}, touchpoint {place}" if kind == "csat" and place else kind
        for kind, place in zip(frame["instrument"], touchpoint, strict=True)
    ]
    problems = [
        _wrong_way(surveys, kind, frame.index[(frame["instrument"] == kind) & (frame["higher"] != better)])
        for kind, better in (("ces1", False), ("ces2", True))
        if ((frame["instrument"] == kind) & (frame["higher"] != better)).any()
    ]
    for name, rows in frame.groupby("name", sort=True):
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
        problem, f"surveys.{column} of {name}: {variants}; {_rows(surveys, words.index[words != counts.index[0]])}", _MEND
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
