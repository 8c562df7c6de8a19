"""Look at a sealed model at one cutoff: what it sees, what to expect of it, and what came true of its earlier scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from staypower.cutoffs import before, cutoffs_between, instant_of
from staypower.engines.local import each_bucket
from staypower.evaluation.resampling import Estimate
from staypower.features.catalogue import Catalogue
from staypower.features.definition import Feature
from staypower.labels.churn import Labels, find_labels
from staypower.labels.settings import LabelSettings
from staypower.models.age import ModelAge
from staypower.models.bundle import Bundle
from staypower.monitoring.drift import compare_seen, cutoffs_to_compare
from staypower.monitoring.expected import Expected, Spread, expect, observe
from staypower.monitoring.result import Monitoring, Month
from staypower.monitoring.sight import ACCOUNT, PROBABILITY, TWIN_PROBABILITY, Seen, look_at
from staypower.tables import BucketedTables, Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from staypower.gate.report import GateReport

__all__ = ["segments_of", "watch"]

_MATURE = 6  # cutoffs whose outcomes are looked up, the latest
_FEWEST, _MOST_WORDS, _MOST_SEGMENTS = 50, 12, 3


def watch(
    bundle: Bundle,
    tables: BucketedTables,
    label: LabelSettings,
    *,
    cutoff: int,
    every: int,
    folder: Path,
    threads: int,
    version: str = "",
    gate: GateReport | None = None,
) -> Monitoring:
    """Monitor a model at a cutoff; its earlier scores are those that it would have given, one cutoff every so many days."""
    age, segments = ModelAge.of(bundle), segments_of(Catalogue.of(bundle.learned))
    then, usual, asked = cutoffs_to_compare(age.trained_until, cutoff, tables.first)
    mature = _mature(age, label, cutoff, tables.observed_until, every)
    tested = [instant_of(text) for text in bundle.metadata["cutoffs"]["test"]]
    narrow = dict.fromkeys((*mature, *tested), segments)
    seen = look_at(asked, bundle, tables, label, folder=folder, threads=threads, narrow=narrow)
    drift = compare_seen(bundle, seen, then, cutoff, usual, segments)
    churned = _churned(tables, label, sorted({*mature, *tested}), threads)
    outcomes = {at: _outcomes(seen[at], churned[at]) for at in churned}
    # what is expected rests on outcomes that were known by then: of the test at first, later of what came true, too
    at_test = [(seen[at], TWIN_PROBABILITY, outcomes[at]) for at in tested]
    since = [(seen[at], PROBABILITY, outcomes[at]) for at in mature]
    first_spread, spread = _spread(at_test), _spread([*at_test, *since])
    months = tuple(_month(bundle, at, seen[at], segments, first_spread, outcomes[at]) for at in mature)
    now = _month(bundle, cutoff, seen[cutoff], segments, spread, None)
    return Monitoring(cutoff, version, age, now, months, drift, gate, _evaluated(bundle))


def _spread(known: Sequence[tuple[Seen, str, NDArray[np.int8]]]) -> Spread:
    """Find how far apart the risks are on rows with known outcomes."""
    if not known:
        return Spread()
    probability = np.concatenate([np.asarray(seen[name], np.float64)[outcome >= 0] for seen, name, outcome in known])
    gone = [account for seen, _, outcome in known for account in np.asarray(seen[ACCOUNT])[outcome == 1].tolist()]
    # an account that churns is seen from every cutoff of the horizon before: it tells of one outcome
    weight = len(set(gone)) / len(gone) if gone else 1.0
    return Spread.of(probability, np.concatenate([outcome[outcome >= 0] for *_, outcome in known]), weight=weight)


def segments_of(catalogue: Catalogue) -> tuple[str, ...]:
    """Name the category features of `accounts` with a handful of words, at most three."""
    found = [
        one.name
        for one in catalogue.definitions
        if isinstance(one, Feature) and one.category and one.table == "accounts"
        and 2 <= len(catalogue.codes.get(one.name, {})) <= _MOST_WORDS
    ]  # fmt: skip
    return tuple(found[:_MOST_SEGMENTS])


def _mature(age: ModelAge, label: LabelSettings, cutoff: int, until: int, every: int) -> list[int]:
    """Return the latest cutoffs whose outcomes are complete, and of which the model knew nothing when it was trained."""
    if age.newest_outcome is None:
        return []
    last = label.last_cutoff(min(cutoff, until))
    known = cutoffs_between(last, every=every, count=_MATURE, first=age.newest_outcome - 1)
    return [at for at in known.tolist() if not before(np.array([at]), age.newest_outcome).any()]


def _groups(bundle: Bundle, seen: Seen, segments: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    """Return who is in each segment that is large enough."""
    codes, found = Catalogue.of(bundle.learned).codes, {}
    for name in segments:
        values = np.asarray(seen[name], np.float64)
        for word, code in codes[name].items():
            mine = values == code
            if mine.sum() >= _FEWEST:
                found[f"{name} {word}"] = mine
    return found


def _outcomes(seen: Seen, churned: Mapping[str, int]) -> NDArray[np.int8]:
    """Return what became of each account: 1 churned, 0 stayed, -1 not known."""
    return np.array([churned.get(account, -1) for account in np.asarray(seen[ACCOUNT]).tolist()], dtype=np.int8)


def _month(
    bundle: Bundle, cutoff: int, seen: Seen, segments: Sequence[str], spread: Spread, outcome: NDArray[np.int8] | None
) -> Month:
    probability = np.asarray(seen[PROBABILITY], np.float64)

    def expected(mine: NDArray[np.bool_]) -> Expected:
        kept = mine if outcome is None else mine & (outcome >= 0)
        found = expect(probability[kept], spread=spread)
        return found if outcome is None or not kept.any() else observe(found, probability[kept], outcome[kept])

    slices = {name: expected(mine) for name, mine in _groups(bundle, seen, segments).items()}
    return Month(cutoff, expected(np.ones(len(probability), dtype=np.bool_)), slices)


def _churned(tables: BucketedTables, label: LabelSettings, cutoffs: Sequence[int], threads: int) -> dict[int, dict[str, int]]:
    """Find what became of each account after each of these cutoffs."""
    if not cutoffs:
        return {}
    asked = np.array(cutoffs, dtype=np.int64)

    def find(_: int, bucket: Tables) -> Labels:
        return find_labels(bucket, label, asked, need_churners=False)

    parts = [find(0, tables.whole)] if tables.whole is not None else each_bucket(tables, find, threads=threads)
    labels = Labels.together(parts)
    accounts = labels.population.accounts
    return {at: dict(zip(accounts, labels.churned[:, place].tolist(), strict=True)) for place, at in enumerate(cutoffs)}


def _evaluated(bundle: Bundle) -> Estimate | None:
    """Return the AUROC at the test, where the bundle keeps it."""
    quality = bundle.metadata.get("quality")
    found = quality and quality["scorers"].get(quality["model"], {}).get("auroc")
    if not found or found.get("value") is None:
        return None
    ends = [float("nan") if found.get(end) is None else float(found[end]) for end in ("low", "high")]
    return Estimate(float(found["value"]), *ends)
