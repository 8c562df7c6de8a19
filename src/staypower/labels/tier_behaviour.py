"""The tier where nobody is asked: what accounts did within the horizon - renewed, expanded, referred."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import DAY, MISSING, before, entry
from staypower.errors import UsageError
from staypower.labels.runs import count_runs, newer_version
from staypower.labels.tier_settings import TierSettings
from staypower.spells import SubscriptionVersions, instants_or_missing, number_accounts, read_versions
from staypower.tables import Table, Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Signs = Mapping[str, NDArray[np.bool_]]

__all__ = ["find_behaviour"]


def find_behaviour(
    tables: Tables, settings: TierSettings, accounts: tuple[str, ...], cutoffs: NDArray[np.int64]
) -> NDArray[np.int8]:
    """Find the tier that each account's conduct in the horizon shows.

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
        fix = "map `subscriptions` (started_at, ended_at) or `orders`, or learn the tier from a survey"
        raise UsageError.of("the behavioural tier needs a table that is not there", "subscriptions or orders", fix)
    if tables.has("advocacy", "kind"):
        signs = {**signs, "referred": _referred(tables, settings, accounts, cutoffs)}
    best, middle = (_any_of(signs, wanted, customer.shape) for wanted in (settings.promoter_signs, settings.passive_signs))
    for name, wanted, found in (("promoter", settings.promoter_signs, best), ("passive", settings.passive_signs, middle)):
        if found is None and wanted:
            value = f"`tier.{name}_signs`: {', '.join(wanted)}"
            raise UsageError.of("the tables show none of a tier's signs", value, f"use one of {sorted(signs)}, or map more")
    top = np.zeros(customer.shape, dtype=bool) if best is None else best
    mid = np.zeros(customer.shape, dtype=bool) if middle is None else middle
    tier = np.where(top, 2, np.where(mid, 1, 0))
    told = customer & (top | mid | due)
    return np.where(told, tier, -1).astype(np.int8)


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
    # A blank or past date of renewal says nothing: such a subscription may renew within the horizon.
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
