"""How far features and scores have moved since the model was trained, beyond what they move anyway.

Features that grow with the calendar (tenure, counts since the start, windows that are not full yet) move whatever happens. So
what moved since the last training cutoff is held against what moved over as many days before it, and over the same weeks a year
earlier; all of these cutoffs are of one weekday. See `staypower.monitoring.stability` for the index.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from staypower.cutoffs import DAY, before, text_of
from staypower.features.catalogue import Catalogue
from staypower.labels.settings import LabelSettings
from staypower.models.age import ModelAge
from staypower.models.bundle import Bundle
from staypower.monitoring.sight import OTHERS, TWIN_PROBABILITY, Seen, look_at
from staypower.monitoring.stability import LEVEL, MOVED, STEADY, Stability, adjusted, population_stability
from staypower.results.numbers import decimal, percent, plain, plural
from staypower.results.result import Block, Result, TableBlock
from staypower.tables import BucketedTables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Drift", "Stretch", "compare_seen", "cutoffs_to_compare", "drift_since_training", "find_drift", "stretches_before"]

_SHOWN = 15  # rows of the text
_TIMES_USUAL = 2.0
_WEEK = 7 * DAY
_YEAR = 52 * _WEEK
_SHORTEST = 28  # days
_LEAST_HISTORY = 180  # days of history before a cutoff that others are compared with
_FEWEST = 200  # accounts of a segment


@dataclass(frozen=True)
class Stretch:
    """Two cutoffs before now, and how many times the days between them go into those since training."""

    first: int
    last: int
    times: float = 1.0


@dataclass(frozen=True)
class Drift(Result):
    """What moved between the last training cutoff and now.

    >>> X = pd.DataFrame({"a": np.arange(1000.0)})
    >>> find_drift(X, X, np.arange(1000.0), np.arange(1000.0), then_words="May", now_words="June").headline
    'nothing moved between May and June'
    """

    # one row per feature, most moved first: `feature, psi, by_chance, p, usual, verdict, usual_then, usual_now, missing_then,
    # missing_now`; `p` is adjusted for the number of features, `usual` is what it moves anyway in that time
    features: pd.DataFrame
    score: pd.DataFrame  # the same, one row, for the model's score
    then: str  # a cutoff of training, see `reference_for`
    now: str  # the cutoff compared with it
    accounts_then: int
    accounts_now: int
    segments: Mapping[str, pd.DataFrame] = field(default_factory=dict)  # the same for each segment that is large enough

    @property
    def moved(self) -> pd.DataFrame:
        """The features whose verdict is `moved`."""
        return self.features[self.features["verdict"] == "moved"]

    @property
    def moved_in_segments(self) -> dict[str, list[str]]:
        """The features that moved in a segment only, by segment."""
        everywhere = set(self.moved["feature"])
        found = {}
        for name, rows in self.segments.items():
            own = [feature for feature in rows.loc[rows["verdict"] == "moved", "feature"] if feature not in everywhere]
            if own:
                found[name] = own
        return found

    @property
    def headline(self) -> str:
        """The outcome in one line."""
        names = list(self.moved["feature"])
        score = self.score["verdict"].iloc[0]
        if not names and score == "steady":
            return f"nothing moved between {self.then} and {self.now}"
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        moved = f"{len(names)} of {plural(len(self.features), 'feature')} moved ({', '.join(names[:3])}{more})"
        return f"{moved if names else 'no feature moved'}; the score: {score}"

    def frame(self) -> pd.DataFrame:
        """Return score and features as one frame."""
        return pd.concat([self.score, self.features], ignore_index=True)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        rows = plain(self.frame().to_dict("records"))
        return {
            "headline": self.headline,
            "then": self.then,
            "now": self.now,
            "rows": rows,
            "segments": self.moved_in_segments,
        }

    def blocks(self) -> Sequence[Block]:
        """Return the headline, and the score and the features that moved most."""
        columns = ["feature", "PSI", "by chance", "usual", "verdict"]
        columns += ["typical then", "typical now", "missing then", "missing now"]
        rows = [
            [
                row["feature"],
                *(decimal(row[name]) for name in ("psi", "by_chance", "usual")),
                row["verdict"],
                *(decimal(row[name]) for name in ("usual_then", "usual_now")),
                *(percent(row[name]) for name in ("missing_then", "missing_now")),
            ]
            for row in self.frame().head(_SHOWN).to_dict("records")
        ]
        return [self.headline, TableBlock(columns, rows)]


def find_drift(
    then: Seen,
    now: Seen,
    score_then: NDArray[np.float64],
    score_now: NDArray[np.float64],
    *,
    then_words: str = "",
    now_words: str = "",
    categories: tuple[str, ...] = (),
    earlier: Sequence[tuple[Seen, Seen, float]] = (),
) -> Drift:
    """Compare what the model was trained on with what it sees now; `earlier` are pairs that show what moves anyway."""
    names = [str(name) for name in then.columns if name not in OTHERS]
    features = _rows(names, then, now, categories, earlier)
    pairs = [(np.asarray(a[TWIN_PROBABILITY]), np.asarray(b[TWIN_PROBABILITY]), times) for a, b, times in earlier]
    score = pd.DataFrame([_row("score", (score_then, score_now), pairs, category=False)])
    return Drift(_with_verdicts(features), _with_verdicts(score), then_words, now_words, len(then), len(now))


def _rows(
    names: Sequence[str], then: _Columns, now: _Columns, categories: Collection[str], earlier: Sequence[_Pair]
) -> pd.DataFrame:
    rows = []
    for name in names:
        pairs = [(np.asarray(a[name], np.float64), np.asarray(b[name], np.float64), times) for a, b, times in earlier]
        before_and_after = np.asarray(then[name], np.float64), np.asarray(now[name], np.float64)
        rows.append(_row(name, before_and_after, pairs, category=name in categories))
    return pd.DataFrame(rows)


def _with_verdicts(rows: pd.DataFrame) -> pd.DataFrame:
    """Adjust the p-values of several features for their number, say what moved, and sort by how much."""
    found = rows.assign(p=adjusted(rows["p"].to_numpy(dtype=np.float64)))
    sure = found["p"] <= LEVEL
    beyond = ~(found["psi"] <= _TIMES_USUAL * found["usual"])
    moved, shifting = sure & (found["psi"] >= MOVED), sure & (found["psi"] >= STEADY) & beyond
    verdict = np.select([moved & beyond, moved, shifting], ["moved", "as usual", "shifting"], "steady")
    return found.assign(verdict=verdict).sort_values(["psi", "feature"], ascending=[False, True], ignore_index=True)


def reference_for(trained: int, now: int) -> int:
    """Return the last cutoff of the same weekday that is no later than the last training cutoff.

    Days since the last use say on a Monday what the weekend was like.

    >>> reference_for(100 * DAY, 114 * DAY) // DAY, reference_for(100 * DAY, 120 * DAY) // DAY
    (100, 99)
    """
    return now - -(-(now - trained) // _WEEK) * _WEEK


def stretches_before(then: int, now: int, first: int) -> list[Stretch]:
    """Return pairs of cutoffs of that weekday that show what moves anyway.

    As long a stretch before, one that ends twelve weeks earlier, and the same one a year earlier.

    >>> [(one.last - one.first) // DAY for one in stretches_before(700 * DAY, 903 * DAY, 0)]
    [203, 203, 203]
    """
    earliest, found = first + _LEAST_HISTORY * DAY, []
    for last in (then, then - 12 * _WEEK):
        length = min(now - then, (last - earliest) // _WEEK * _WEEK)
        if length >= _SHORTEST * DAY:
            found.append(Stretch(last - length, last, (now - then) / length))
    found.append(Stretch(then - _YEAR, now - _YEAR))
    # nothing later than training shows what is usual
    known = [one for one in found if one.first >= earliest and not before(np.array([then]), one.last).any()]
    return list(dict.fromkeys(known))


def drift_since_training(
    bundle: Bundle,
    tables: BucketedTables,
    label: LabelSettings,
    *,
    cutoff: int,
    folder: Path,
    threads: int,
    segments: Sequence[str] = (),
) -> Drift | None:
    """Compare the features of accounts scored now with those at the last training cutoff; None where there are none.

    The scores are those of the twin, where there is one: it knows the outcome of neither cutoff. `segments` are category
    features whose groups are compared by themselves, too.
    """
    trained = ModelAge.of(bundle).trained_until
    if not before(np.array([trained]), cutoff).all():
        return None
    then, stretches, asked = cutoffs_to_compare(trained, cutoff, tables.first)
    seen = look_at(asked, bundle, tables, label, folder=folder, threads=threads)
    return compare_seen(bundle, seen, then, cutoff, stretches, segments)


def cutoffs_to_compare(trained: int, cutoff: int, first: int | None) -> tuple[int, list[Stretch], list[int]]:
    """Return the cutoff to compare with, the stretches that show what is usual, and every cutoff to look at."""
    then = reference_for(trained, cutoff)
    stretches = [] if first is None else stretches_before(then, cutoff, first)
    return then, stretches, [then, cutoff, *(at for each in stretches for at in (each.first, each.last))]


def compare_seen(
    bundle: Bundle, seen: Mapping[int, Seen], then: int, now: int, usual: Sequence[Stretch], segments: Sequence[str] = ()
) -> Drift | None:
    """Compare what was seen at two cutoffs, given what was seen at those that show what is usual."""
    if not len(seen[then]) or not len(seen[now]):
        return None
    catalogue = Catalogue.of(bundle.learned)
    earlier = [(seen[one.first], seen[one.last], one.times) for one in usual if len(seen[one.first]) and len(seen[one.last])]
    drift = find_drift(
        seen[then],
        seen[now],
        np.asarray(seen[then][TWIN_PROBABILITY]),
        np.asarray(seen[now][TWIN_PROBABILITY]),
        then_words=text_of(then),
        now_words=text_of(now),
        categories=tuple(catalogue.categories),
        earlier=earlier,
    )
    return replace(drift, segments=_by_segment(catalogue, seen[then], seen[now], earlier, segments, drift.features))


def _by_segment(
    catalogue: Catalogue,
    then: Seen,
    now: Seen,
    earlier: Sequence[tuple[Seen, Seen, float]],
    segments: Sequence[str],
    overall: pd.DataFrame,
) -> dict[str, pd.DataFrame]:
    """Compare the accounts of each segment by themselves; the p-values of all segments are adjusted together."""
    parts, everywhere = {}, overall.set_index("feature")["usual"]
    for name in segments:
        for word, code in catalogue.codes.get(name, {}).items():
            sides = [_Segment(each, name, code) for each in (then, now)]
            pairs = [(_Segment(a, name, code), _Segment(b, name, code), times) for a, b, times in earlier]
            if min(map(len, sides)) < _FEWEST:
                continue
            names = [str(one) for one in then.columns if one not in OTHERS and one != name]
            kept = [pair for pair in pairs if min(len(pair[0]), len(pair[1])) >= _FEWEST]
            rows = _rows(names, sides[0], sides[1], catalogue.categories, kept)
            # what moves anyway moves in every segment
            rows["usual"] = np.maximum(rows["usual"], everywhere.reindex(rows["feature"]).to_numpy())
            parts[f"{name} {word}"] = rows
    if not parts:
        return {}
    together = _with_verdicts(pd.concat([rows.assign(segment=name) for name, rows in parts.items()], ignore_index=True))
    return {name: together[together["segment"] == name].drop(columns="segment") for name in parts}


class _Segment:
    """The accounts of one segment among those seen at a cutoff."""

    def __init__(self, seen: Seen, name: str, code: float) -> None:
        self.seen, self.mine = seen, np.asarray(seen[name], np.float64) == code

    def __len__(self) -> int:
        return int(self.mine.sum())

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        mine: NDArray[np.float64] = np.asarray(self.seen[name], np.float64)[self.mine]
        return mine


_Columns = Seen | _Segment
_Pair = tuple[_Columns, _Columns, float]


def _row(
    name: str,
    values: tuple[NDArray[np.float64], NDArray[np.float64]],
    earlier: Sequence[tuple[NDArray[np.float64], NDArray[np.float64], float]],
    *,
    category: bool,
) -> dict[str, Any]:
    then, now = values
    found = population_stability(then, now, category=category)
    # a steady trend moves a distribution by twice as much in twice the time, and the index by four times as much
    usual = [_beyond_chance(population_stability(a, b, category=category)) * times**2 for a, b, times in earlier]
    return {
        "feature": name,
        "psi": found.psi,
        "by_chance": found.by_chance,
        "p": found.p,
        "usual": max(usual, default=0.0),
        "usual_then": _median(then),
        "usual_now": _median(now),
        "missing_then": float(np.isnan(then).mean()) if len(then) else float("nan"),
        "missing_now": float(np.isnan(now).mean()) if len(now) else float("nan"),
    }


def _beyond_chance(found: Stability) -> float:
    """Return an index; nothing where chance alone explains it."""
    return found.psi if found.p <= LEVEL else 0.0


def _median(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else float("nan")
