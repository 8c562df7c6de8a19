"""What the tier is made of: invitations and answers of one survey instrument, or what accounts did within the horizon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import DAY, MISSING, before, entry
from staypower.errors import Problem, UsageError
from staypower.labels.inputs import count_runs, newer_version, require_columns
from staypower.labels.tier_settings import TierSettings
from staypower.spells import SubscriptionVersions, instants_or_missing, number_accounts, read_versions
from staypower.tables import Table, Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Signs = Mapping[str, NDArray[np.bool_]]


__all__ = ["Answers", "find_behaviour", "has_answers", "read_answers"]

_NPS_SCALES = ((0.0, 10.0), (1.0, 10.0))


def has_answers(tables: Tables, instrument: str) -> bool:
    """Say whether the surveys hold answers to an instrument."""
    if not tables.has("surveys", "instrument", "answered_at", "value"):
        return False
    return bool(pc.any(pc.equal(tables["surveys"].data.column("instrument"), instrument)).as_py())


@dataclass(frozen=True)
class Answers:
    """Answers sorted by account and time, and invitations."""

    account: NDArray[np.int64]  # shape (n,): Position in the list of accounts
    at: NDArray[np.int64]  # shape (n,): when each answer was given
    known: NDArray[np.int64]  # shape (n,): from when it is known
    value: NDArray[np.float64]  # shape (n,): On the raw scale
    # shape (m,): invitations; an answer without the time of its invitation counts as one at its own time
    asked_account: NDArray[np.int64]
    asked_known: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.at)

    @property
    def _breaks(self) -> NDArray[np.int64]:
        """Positions at which another account or another UTC day begins, and the end."""
        day = self.at // DAY
        other = (self.account[1:] != self.account[:-1]) | (day[1:] != day[:-1])
        return np.concatenate([[0], np.flatnonzero(other) + 1, [len(self)]])

    @property
    def day_start(self) -> NDArray[np.int64]:
        """Position of the first answer of each answer's account and UTC day."""
        breaks = self._breaks
        return np.repeat(breaks[:-1], np.diff(breaks))

    @property
    def day_stop(self) -> NDArray[np.int64]:
        """Position after the last answer of each answer's account and UTC day."""
        breaks = self._breaks
        return np.repeat(breaks[1:], np.diff(breaks))

    def medians(
        self,
        begin: NDArray[np.int64],
        stop: NDArray[np.int64],
        *,
        enter: NDArray[np.int32] | None = None,
        at_cutoff: NDArray[np.int64] | None = None,
    ) -> NDArray[np.float64]:
        """Return the median of the answers at positions `[begin, stop)`, pair by pair.

        With `enter` (the first cutoff that knows each answer) and `at_cutoff`, answers that are not known there are left out.
        """
        found = self.value[stop - 1].astype(np.float64)
        several = np.flatnonzero(stop - begin > 1)
        late = enter is not None and at_cutoff is not None and bool((self.known > self.at).any())
        seen = at_cutoff[several] if late and at_cutoff is not None else np.zeros(len(several), dtype=np.int64)
        days, which = np.unique(np.column_stack([begin[several], stop[several], seen]), axis=0, return_inverse=True)
        medians = np.empty(len(days))
        for number, (first, end, cutoff) in enumerate(days.tolist()):
            values = self.value[first:end]
            medians[number] = np.median(values[enter[first:end] <= cutoff] if late and enter is not None else values)
        found[several] = medians[which]
        return found


def read_answers(tables: Tables, settings: TierSettings, accounts: Sequence[str], *, need_answers: bool = True) -> Answers:
    """Read the invitations and answers of the declared instrument."""
    table = require_columns(tables, "surveys", "instrument", "value", "answered_at", "low", "high")
    named = pc.equal(table.data.column("instrument").combine_chunks(), settings.instrument)
    ours = np.asarray(pc.fill_null(named, False).to_numpy(zero_copy_only=False), dtype=bool)
    at, value = table.instants("answered_at"), table.numbers("value")
    arrived = instants_or_missing(table, "known_at")
    known = np.maximum(at, arrived)
    account = number_accounts(table, accounts)
    answered = ours & (at != MISSING) & np.isfinite(value)
    if need_answers or answered.any():
        _refuse(table, settings, answered)
    ours &= account >= 0
    kept = np.flatnonzero(answered & ours & before(known, tables.observed_until))
    kept = kept[np.lexsort((value[kept], at[kept], account[kept]))]
    sent = instants_or_missing(table, "sent_at")
    asked_at = np.where(sent == MISSING, np.where(answered, at, MISSING), sent)
    asked_known = np.where(asked_at == MISSING, MISSING, np.maximum(asked_at, arrived))
    asked = np.flatnonzero(ours & before(asked_known, tables.observed_until))
    return Answers(account[kept], at[kept], known[kept], value[kept], account[asked], asked_known[asked])


def _refuse(table: Table, settings: TierSettings, answered: NDArray[np.bool_]) -> None:
    """Refuse what is not one instrument on one scale that the bands fit; every problem at once."""
    name = settings.instrument
    if not answered.any():
        others = [word for word in pc.unique(table.data.column("instrument")).to_pylist() if word and word != name]
        use = f"use `tier.instrument: {others[0]}`, or " if others else ""
        raise UsageError.of(
            "no account answered the survey that the tier is made from", name, f"{use}map the answers of `{name}`"
        )
    value, low, high = (table.numbers(column) for column in ("value", "low", "high"))
    better = table.numbers("higher_is_better") if table.has("higher_is_better") else np.full(len(table), np.nan)
    kinds, number = np.unique(np.column_stack([low, high, better])[answered], axis=0, return_inverse=True)
    rows = np.flatnonzero(answered)
    problems = []
    if len(kinds) > 1:
        shown = "; ".join(
            f"{_scale(kind)} in {int((number == each).sum()):,} rows, such as {_row(table, int(rows[number == each][0]))}"
            for each, kind in enumerate(kinds)
        )
        problems.append(Problem(f"`{name}` is answered on more than one scale", shown, _FIX_SCALES))
    outside = answered & ~((value >= low) & (value <= high))
    if outside.any():
        shown = f"{int(outside.sum()):,} rows, such as {_row(table, int(np.flatnonzero(outside)[0]))}"
        problems.append(
            Problem(f"`{name}` answers outside their scale", shown, "declare the scale that was used, or fix the source")
        )
    if not problems:
        problems = _band_problems(settings, float(kinds[0][0]), float(kinds[0][1]), float(kinds[0][2]))
    if problems:
        raise UsageError(problems)


_FIX_SCALES = (
    "answers on two scales, or of two instruments under one name, cannot share bands: keep one with `where`, or name the other "
    "instrument by its own name"
)


def _band_problems(settings: TierSettings, low: float, high: float, better: float) -> list[Problem]:
    declared = f"the scale is {low:g}-{high:g}"
    if settings.bands is None:
        fits = (low, high) in _NPS_SCALES and better != 0.0
        return [] if fits else [Problem("NPS has bands on 0-10 and 1-10 only, higher is better", declared, "call it `csat`")]
    problems = []
    ends = [end for band in settings.bands.values() for end in band]
    if (min(ends), max(ends)) != (low, high):
        value = f"`tier.bands` runs from {min(ends):g} to {max(ends):g}, {declared}"
        problems.append(Problem("the bands do not cover the scale", value, "write the bands on the raw scale, end to end"))
    if better == better and bool(better) != settings.higher_is_better:
        way = "higher" if better else "lower"
        value = f"`{settings.instrument}`: {way} answers are better, `tier.bands` has the opposite order"
        problems.append(
            Problem("the bands run against the instrument's direction", value, "swap the bands, or declare `direction`")
        )
    return problems


def _scale(kind: NDArray[np.float64]) -> str:
    low, high, better = kind
    way = "" if np.isnan(better) else f" ({'higher' if better else 'lower'} is better)"
    return f"{low:g}-{high:g}{way}"


def _row(table: Table, row: int) -> str:
    """Name a row by what identifies it."""
    shown = [column for column in ("survey_id", "account_id", "value") if table.has(column)]
    values = table.data.select(shown).take(pa.array([row])).to_pylist()[0]
    return "(" + ", ".join(f"{column} {value}" for column, value in values.items()) + ")"


def find_behaviour(
    tables: Tables, settings: TierSettings, accounts: tuple[str, ...], cutoffs: NDArray[np.int64]
) -> NDArray[np.int8]:
    """Find the tier that each account's behaviour in the horizon shows.

    *With subscriptions.* Customer: one covers the last microsecond before the cutoff. Renewed: one covers the last microsecond
    of the horizon, and not every one at the cutoff has a `renews_at` after the horizon. Expanded: more `mrr` (without it: more
    `seats`) then than at the cutoff.

    *With orders* (neither cancelled nor returns). Customer: ordered before the cutoff. Renewed: ordered within the horizon.
    Expanded: for a larger amount within it than in as many days before the cutoff, if there was any then.

    *Referred*: a row of `advocacy` of one of `referral_kinds` within the horizon.
    """
    if "subscriptions" in tables and tables.has("subscriptions", "started_at", "ended_at"):
        customer, due, signs = _by_subscriptions(tables, settings, accounts, cutoffs)
    elif "orders" in tables:
        customer, due, signs = _by_orders(tables, settings, accounts, cutoffs)
    else:
        fix = "map `subscriptions` (started_at, ended_at) or `orders`, or use a survey for the tier"
        raise UsageError.of("the behavioural tier needs a table that is missing", "subscriptions or orders", fix)
    if tables.has("advocacy", "kind"):
        signs = {**signs, "referred": _referred(tables, settings, accounts, cutoffs)}
    best, middle = (_any_of(signs, wanted, customer.shape) for wanted in (settings.promoter_signs, settings.passive_signs))
    for name, wanted, found in (("promoter", settings.promoter_signs, best), ("passive", settings.passive_signs, middle)):
        if found is None and wanted:
            value = f"`tier.{name}_signs`: {', '.join(wanted)}"
            raise UsageError.of("the tables have none of a tier's signs", value, f"use one of {sorted(signs)}, or map more")
    top = np.zeros(customer.shape, dtype=bool) if best is None else best
    mid = np.zeros(customer.shape, dtype=bool) if middle is None else middle
    tier = np.where(top, 2, np.where(mid, 1, 0))
    known = customer & (top | mid | due)
    return np.where(known, tier, -1).astype(np.int8)


def _any_of(signs: Signs, wanted: tuple[str, ...], shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    there = [signs[name] for name in wanted if name in signs]
    return np.logical_or.reduce(there) if there else None


_Found = tuple["NDArray[np.bool_]", "NDArray[np.bool_]", "dict[str, NDArray[np.bool_]]"]


def _by_subscriptions(tables: Tables, settings: TierSettings, accounts: tuple[str, ...], cutoffs: NDArray[np.int64]) -> _Found:
    table = tables["subscriptions"]
    versions = read_versions(table, accounts, observed_until=tables.observed_until)
    ends = cutoffs + settings.horizon * DAY
    shape = (len(accounts), len(cutoffs))
    then, now = _runs(versions, ends), _runs(versions, cutoffs)
    customer = count_runs(versions.account, *now, shape) > 0
    still = count_runs(versions.account, *then, shape) > 0
    renews = instants_or_missing(table, "renews_at")[versions.row]
    # A blank or past date of renewal is ignored: such a subscription may renew within the horizon.
    later = np.where(renews == MISSING, 0, entry(renews, cutoffs, offset_days=-settings.horizon))
    free = count_runs(versions.account, np.maximum(now[0], later), now[1], shape) > 0
    due = customer & (free | ~still)
    signs = {"renewed": customer & still & free}
    amount = next((column for column in ("mrr", "seats") if table.has(column)), None)
    if amount is not None:
        values = np.nan_to_num(table.numbers(amount)[versions.row])
        before_it, after_it = (_sums(versions.account, values, run, shape) for run in (now, then))
        signs["expanded"] = customer & still & (after_it > before_it + 1e-6)
    return customer, due, signs


def _runs(versions: SubscriptionVersions, instants: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the run of instants at which each version is the one known and covers the microsecond before."""
    entered = entry(versions.known, instants)
    newer = newer_version(versions.subscription, entered, len(instants))
    return entered.astype(np.int64), np.minimum(newer, entry(versions.ended, instants))


def _sums(
    account: NDArray[np.int64],
    values: NDArray[np.float64],
    run: tuple[NDArray[np.int64], NDArray[np.int64]],
    shape: tuple[int, int],
) -> NDArray[np.float64]:
    total = np.zeros(shape)
    for number in range(shape[1]):
        there = (run[0] <= number) & (number < run[1])
        total[:, number] = np.bincount(account[there], weights=values[there], minlength=shape[0])
    return total


def _by_orders(tables: Tables, settings: TierSettings, accounts: tuple[str, ...], cutoffs: NDArray[np.int64]) -> _Found:
    table = tables["orders"]
    account, at = number_accounts(table, accounts), table.own_instants()
    counts = np.ones(len(table), dtype=bool)
    if table.has("cancelled"):
        counts &= table.numbers("cancelled") != 1
    if table.has("quantity"):
        counts &= ~(table.numbers("quantity") < 0)
    keep = counts & (account >= 0) & _known(table, at, tables.observed_until)
    account, at = account[keep], at[keep]
    shape = (len(accounts), len(cutoffs))
    here, ahead = entry(at, cutoffs), entry(at, cutoffs, offset_days=-settings.horizon)
    gone = entry(at, cutoffs, offset_days=settings.horizon)
    everyone = np.ones(shape, dtype=bool)
    customer = count_runs(account, here, np.full(len(at), shape[1]), shape) > 0
    signs = {"renewed": customer & (count_runs(account, ahead, here, shape) > 0)}
    if table.has("amount"):
        values = np.nan_to_num(table.numbers("amount")[keep])
        past = _sums(account, values, (here.astype(np.int64), gone.astype(np.int64)), shape)
        future = _sums(account, values, (ahead.astype(np.int64), here.astype(np.int64)), shape)
        signs["expanded"] = signs["renewed"] & (past > 0) & (future > past + 1e-6)
    return customer, everyone, signs


def _referred(
    tables: Tables, settings: TierSettings, accounts: tuple[str, ...], cutoffs: NDArray[np.int64]
) -> NDArray[np.bool_]:
    table = tables["advocacy"]
    wanted = pa.array(sorted({kind.strip().casefold() for kind in settings.referral_kinds}), pa.string())
    words = pc.utf8_lower(pc.utf8_trim_whitespace(table.data.column("kind").combine_chunks().cast(pa.string())))
    chosen = np.asarray(pc.is_in(words, value_set=wanted).to_numpy(zero_copy_only=False), dtype=bool)
    account, at = number_accounts(table, accounts), table.own_instants()
    keep = chosen & (account >= 0) & _known(table, at, tables.observed_until)
    runs = entry(at[keep], cutoffs, offset_days=-settings.horizon), entry(at[keep], cutoffs)
    return count_runs(account[keep], *runs, (len(accounts), len(cutoffs))) > 0


def _known(table: Table, at: NDArray[np.int64], until: int) -> NDArray[np.bool_]:
    known: NDArray[np.bool_] = (at != MISSING) & before(np.maximum(at, instants_or_missing(table, "known_at")), until)
    return known
