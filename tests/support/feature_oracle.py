"""Every aggregation once more, one row and one cutoff at a time: slow, plain, and only for the tests."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import Counter
from dataclasses import replace
from fractions import Fraction

from staypower.cutoffs import DAY, MISSING
from staypower.features.definition import Combination, Feature
from staypower.tables import Table


def value_of(feature: Feature, table: Table, account: str, cutoff: int, codes: dict[str, int] | None = None) -> float:
    """Return a feature of one account at one cutoff."""
    now = cutoff - feature.offset * DAY
    if feature.reaches_back:
        ever = replace(feature, name=feature.name.rpartition("_")[0], window=None, reaches_back=False)
        starts = [row for row in rows_of(table) if row["account_id"] == account and sees(ever, table, row, cutoff, now)]
        if not any(row["instant", feature.time or ""] < now - feature.window * DAY for row in starts):
            return math.nan
    if feature.aggregation == "top_seen_since":
        return _top_seen_since(feature, table, account, cutoff, now)
    seen = []
    for row in rows_of(table):
        if row["account_id"] == account and sees(feature, table, row, cutoff, now):
            seen.append(row)
    place = feature.time or ""
    seen.sort(key=lambda row: row[("instant", place)])
    moments = [row[("instant", place)] for row in seen]
    return AGGREGATE[feature.aggregation](feature, seen, moments, now, cutoff, codes or {})


def _top_seen_since(feature: Feature, table: Table, account: str, cutoff: int, now: int) -> float:
    """Whether any of the most frequent values of the window is among the rows between its end and the cutoff."""
    rows = [row for row in rows_of(table) if row["account_id"] == account and row[feature.column] is not None]
    counts = Counter(row[feature.column] for row in rows if sees(feature, table, row, cutoff, now))
    if not counts:
        return math.nan
    top = {value for value, count in counts.items() if count == max(counts.values())}
    # the same rows, without the offset, but for those that the window or what lies before it holds
    ever = replace(feature, name=feature.name.rpartition("_")[0] if feature.window else feature.name, window=None)
    place = feature.time or ""
    # what is open is told as it was at the end of the window
    since = [row for row in rows if now <= row["instant", place] < cutoff and sees_since(ever, table, row, cutoff, now)]
    return float(any(row[feature.column] in top for row in since))


def sees_since(feature: Feature, table: Table, row: dict, cutoff: int, now: int) -> bool:
    """Say whether a row after the window is seen: by the rules of the window's own rows, but for where it lies."""
    return sees(feature, table, row, cutoff, now, upto=cutoff)


def rows_of(table: Table) -> list[dict]:
    """Return the rows as dictionaries; instants stand under ("instant", column), the row's own under ("instant", "")."""
    rows = [dict(row) for row in table.data.to_pylist()]
    times = [name for name in table.data.column_names if str(table.data.column(name).type).startswith("timestamp")]
    for column in [*times, ""]:
        instants = table.own_instants() if column == "" else table.instants(column)
        for row, instant in zip(rows, instants.tolist(), strict=True):
            row["instant", column] = instant
    return rows


def sees(feature: Feature, table: Table, row: dict, cutoff: int, now: int, upto: int | None = None) -> bool:
    """Say whether the cutoff sees the row, from the written rules alone."""
    at = row["instant", feature.time or ""]
    if at == MISSING or at >= (now if upto is None else upto):
        return False
    if feature.window is not None and at < now - feature.window * DAY:
        return False
    needed = ["", feature.time or ""] + (["known_at"] if "known_at" in table.data.column_names else [])
    read = [feature.time, feature.after, *(condition.column for condition in feature.where)]
    if feature.aggregation != "unanswered_in_a_row":
        read.append(feature.column)
    for name in read:
        column = table.schema.column(name) if name else None
        if name and column is not None:
            needed.append(column.known_from or "")
        elif name:
            needed.append("")
    # what was open some days ago is told as it was known then
    limit = now if feature.until else cutoff
    for name in needed:
        if row["instant", name] == MISSING or row["instant", name] >= limit:
            return False
    if feature.until is not None:
        gone = row["instant", feature.until]
        if gone != MISSING and gone < now:
            return False
    for condition in feature.where:
        value = row[condition.column]
        if condition.values and (value is None or value.casefold() not in {text.casefold() for text in condition.values}):
            return False
        if condition.at_least is not None and (value is None or math.isnan(value) or not value >= condition.at_least):
            return False
        if condition.below is not None and (value is None or math.isnan(value) or not value < condition.below):
            return False
    return True


def present(feature: Feature, seen: list[dict]) -> list[float]:
    found = [row[feature.column] for row in seen]
    return [float(value) for value in found if value is not None and not math.isnan(value)]


def whole(values: list[float]) -> Fraction:
    return sum((Fraction(round(value * 10_000), 10_000) for value in values), Fraction(0))


def _mean(feature, seen, moments, now, cutoff, codes):
    values = present(feature, seen)
    return float(whole(values) / len(values)) if values else math.nan


def _last(feature, seen, moments, now, cutoff, codes):
    pairs = [
        (moment, row[feature.column])
        for row, moment in zip(seen, moments, strict=True)
        if row[feature.column] is not None and not math.isnan(row[feature.column])
    ]
    if not pairs:
        return math.nan
    latest = max(moment for moment, _ in pairs)
    return float(min(value for moment, value in pairs if moment == latest))


def _last_code(feature, seen, moments, now, cutoff, codes):
    pairs = [
        (m, codes.get(row[feature.column], 0)) for row, m in zip(seen, moments, strict=True) if row[feature.column] is not None
    ]
    if not pairs:
        return math.nan
    latest = max(moment for moment, _ in pairs)
    return float(min(code for moment, code in pairs if moment == latest))


def _spread(feature, seen, moments, now, cutoff, codes):
    values = present(feature, seen)
    return statistics.stdev(values) if len(values) > 1 else math.nan


def _trend(feature, seen, moments, now, cutoff, codes):
    pairs = [
        (Fraction(m - cutoff, DAY), Fraction(row[feature.column]))
        for row, m in zip(seen, moments, strict=True)
        if row[feature.column] is not None and not math.isnan(row[feature.column])
    ]
    if len(pairs) < 3:
        return math.nan
    mean_x = sum(x for x, _ in pairs) / len(pairs)
    mean_y = sum(y for _, y in pairs) / len(pairs)
    below = sum((x - mean_x) ** 2 for x, _ in pairs)
    return math.nan if below == 0 else float(30 * sum((x - mean_x) * (y - mean_y) for x, y in pairs) / below)


def _longest_silence(feature, seen, moments, now, cutoff, codes):
    if not moments:
        return math.nan
    stops = [*moments, now]
    return max(after - before for before, after in itertools.pairwise(stops)) / DAY


def gaps(moments: list[int]) -> list[int]:
    days = sorted({moment // DAY for moment in moments})
    return [after - before for before, after in itertools.pairwise(days)]


def _gap_trend(feature, seen, moments, now, cutoff, codes):
    found = gaps(moments)
    if len(found) < 3:
        return math.nan
    return float(statistics.linear_regression(range(len(found)), found).slope)


def _gap_quantile(feature, seen, moments, now, cutoff, codes):
    found = gaps(moments)
    if len(found) < 2:
        return math.nan
    pause = Fraction(now - max(moments), DAY)
    return sum(gap < pause for gap in found) / len(found)


def _unanswered(feature, seen, moments, now, cutoff, codes):
    n = 0
    # of rows of one instant those that are not answered count as the later ones
    answers = [row["instant", feature.column] for row in seen]
    known = [answered != MISSING and answered < cutoff for answered in answers]
    for _, silent in sorted(zip(moments, (not one for one in known), strict=True), reverse=True):
        if not silent:
            break
        n += 1
    return float(n)


def _until_next(feature, seen, moments, now, cutoff, codes):
    times = [row["instant", feature.column] for row in seen if row["instant", feature.column] != MISSING]
    return float(Fraction(min(times) - now, DAY)) if times else math.nan


def _until_last(feature, seen, moments, now, cutoff, codes):
    pairs = [(m, row["instant", feature.column]) for row, m in zip(seen, moments, strict=True)]
    pairs = [(m, t) for m, t in pairs if t != MISSING]
    if not pairs:
        return math.nan
    latest = max(m for m, _ in pairs)
    return float(Fraction(min(t for m, t in pairs if m == latest) - now, DAY))


def _rate_slope(feature, seen, moments, now, cutoff, codes):
    counts = [0] * feature.window
    for moment in moments:
        counts[feature.window - 1 - (now - 1 - moment) // DAY] += 1
    return 30.0 * float(statistics.linear_regression(range(feature.window), counts).slope)


def _top_share(feature, seen, moments, now, cutoff, codes):
    counts = Counter(row[feature.column] for row in seen if row[feature.column] is not None)
    return max(counts.values()) / counts.total() if counts else math.nan


AGGREGATE = {
    "top_share": _top_share,
    "rate_slope": _rate_slope,
    "count": lambda f, s, m, n, c, k: float(len(s)),
    "sum": lambda f, s, m, n, c, k: float(whole(present(f, s))),
    "mean": _mean,
    "distinct": lambda f, s, m, n, c, k: float(len({row[f.column] for row in s if row[f.column] is not None})),
    "active_days": lambda f, s, m, n, c, k: float(len({moment // DAY for moment in m})),
    "minimum": lambda f, s, m, n, c, k: min(present(f, s), default=math.nan),
    "maximum": lambda f, s, m, n, c, k: max(present(f, s), default=math.nan),
    "last": _last,
    "last_code": _last_code,
    "spread": _spread,
    "trend": _trend,
    "days_since_last": lambda f, s, m, n, c, k: (n - max(m)) / DAY if m else math.nan,
    "days_since_first": lambda f, s, m, n, c, k: (n - min(m)) / DAY if m else math.nan,
    "longest_silence": _longest_silence,
    "gap_mean": lambda f, s, m, n, c, k: statistics.fmean(gaps(m)) if gaps(m) else math.nan,
    "gap_spread": lambda f, s, m, n, c, k: statistics.stdev(gaps(m)) if len(gaps(m)) > 1 else math.nan,
    "gap_trend": _gap_trend,
    "gap_quantile": _gap_quantile,
    "unanswered_in_a_row": _unanswered,
    "days_until_next": _until_next,
    "days_until_last": _until_last,
    "mean_age": lambda f, s, m, n, c, k: statistics.fmean([(n - moment) / DAY for moment in m]) if m else math.nan,
}


def combined(definition: Combination, first: float, second: float) -> float:
    """Return a combination of two values."""
    if math.isnan(first) or math.isnan(second):
        return math.nan
    if definition.how == "ratio":
        return first / second if second else math.nan
    if definition.how == "change":
        return (first - second) / (abs(first) + abs(second)) if first or second else 0.0
    if definition.how == "difference":
        return first - second
    if definition.how == "both_fall":
        return max(min(-first, -second), 0.0)
    return float(first < second)
