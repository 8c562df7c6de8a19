"""Sixty features of usage built by staypower, and as they are built with pandas, Polars, DuckDB and Featuretools.

Every side reads the same Parquet files and returns one row for every account and cutoff, sorted by both.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
from feature_data import DAY, TOP, WINDOWS

import staypower
from staypower.features.declaring import declare
from staypower.features.settings import FeatureSettings

__all__ = ["FEATURES", "by_duckdb", "by_pandas", "by_plain_pandas", "by_polars", "by_staypower", "only_read"]

COLUMNS = ["account_id", "at", "event", "user_id", "quantity"]
FEATURES = (
    *(
        f"{name}_{days}d"
        for name in ("usage_events", "usage_quantity", "active_days", "active_users", "features_used")
        for days in WINDOWS
    ),
    *(f"weekend_share_{days}d" for days in WINDOWS[1:]),
    *(f"event_{event}_{days}d" for event in TOP for days in (28, 90)),
    *(f"days_since_event_{event}" for event in TOP),
    "days_since_last_use",
    "days_since_first_use",
    "features_used_ever",
    "usage_before_28d",
    "usage_before_90d",
    "active_days_before_28d",
    "active_users_before_28d",
    "usage_trend_28d",
    "usage_trend_90d",
    "usage_recent_share_28d",
    "active_days_trend_28d",
    "active_users_trend_28d",
    "events_per_active_user_28d",
)

# of nothing a time or a share is missing, all else 0; what `_combined` makes of the others
_MISSING = ("days_since", "weekend")
_COMBINED = ("usage_trend", "active_days_trend", "active_users_trend", "usage_recent_share", "events_per_active")
# a row's band is the first of these that it is within, else the next number; which band each window ends with
_BOUNDS = (7, 28, 56, 90, 180, 365)
_WITHIN = {7: 0, 28: 1, 90: 3, 365: 5}


def only_read(place: Path) -> int:
    """Read the columns with Arrow and do nothing with them."""
    return int(pq.read_table(place / "usage.parquet", columns=COLUMNS).num_rows)


def by_staypower(place: Path, cutoffs: np.ndarray, threads: int = 2) -> pd.DataFrame:
    """Read the tables by the ordinary config, data rules included, and build the features for all cutoffs at once."""
    sources = {"accounts": {"source": str(place / "accounts.parquet")}, "usage": {"source": str(place / "usage.parquet")}}
    settings = staypower.load_config(
        {
            "name": "usage",
            "observed_until": "2024-12-31",
            "tables": sources,
            "label": {"kind": "non_contractual", "table": "usage"},
        }
    )
    tables = staypower.read_tables(settings)
    # the sixty are chosen from what these tables allow
    catalogue = declare(tables, FeatureSettings(windows=WINDOWS), cutoff=int(cutoffs[0])).only(FEATURES)
    told = [str(np.datetime64(int(cutoff), "us")) for cutoff in cutoffs]
    matrix = staypower.build_features(settings, tables, cutoffs=told, catalogue=catalogue)
    return matrix.features


def by_plain_pandas(place: Path, cutoffs: np.ndarray) -> pd.DataFrame:
    """Loop over the cutoffs, filter, group and put side by side, as one writes it at first."""
    return by_pandas(place, cutoffs, tuned=False)


def by_pandas(place: Path, cutoffs: np.ndarray, *, tuned: bool = True) -> pd.DataFrame:
    """Do the same with what makes pandas fastest: ids as categories, and pairs made unique before they are counted."""
    usage = pd.read_parquet(place / "usage.parquet", columns=COLUMNS)
    if tuned:
        for name in ("account_id", "event", "user_id"):
            usage[name] = usage[name].astype("category")
    usage["day"] = usage["at"].dt.floor("D")
    usage["weekend"] = (usage["at"].dt.dayofweek >= 5).astype("float64")
    accounts = pd.read_parquet(place / "accounts.parquet", columns=["account_id"])["account_id"].sort_values()
    index = pd.CategoricalIndex(accounts, categories=usage["account_id"].cat.categories) if tuned else pd.Index(accounts)
    made = [_pandas_at(usage, index, pd.Timestamp(int(cutoff), unit="us", tz="UTC")) for cutoff in cutoffs]
    return _stacked(made)


def _pandas_at(usage: pd.DataFrame, index: pd.Index, cutoff: pd.Timestamp) -> pd.DataFrame:
    past = usage[usage["at"] < cutoff]
    made = {}
    for days in WINDOWS:
        inside = past[past["at"] >= cutoff - pd.Timedelta(days=days)]
        grouped = inside.groupby("account_id", observed=True, sort=False)
        summed = grouped.agg(n=("at", "size"), quantity=("quantity", "sum"), weekend=("weekend", "mean"))
        made[f"usage_events_{days}d"] = summed["n"]
        made[f"usage_quantity_{days}d"] = summed["quantity"]
        made[f"active_days_{days}d"] = _different(inside, "day")
        made[f"active_users_{days}d"] = _different(inside, "user_id")
        made[f"features_used_{days}d"] = _different(inside, "event")
        if days > 7:
            made[f"weekend_share_{days}d"] = summed["weekend"]
        if days in (28, 90):
            by_event = inside.groupby(["account_id", "event"], observed=True, sort=False)
            counted = by_event.size().unstack(fill_value=0)  # noqa: PD010 - counted already
            counted.columns = counted.columns.astype(str)
            made |= {f"event_{event}_{days}d": counted[event] for event in TOP if event in counted}
    for days, names in ((28, ("usage", "active_days", "active_users")), (90, ("usage",))):
        since, until = cutoff - pd.Timedelta(days=2 * days), cutoff - pd.Timedelta(days=days)
        before = past[(past["at"] >= since) & (past["at"] < until)]
        made[f"usage_before_{days}d"] = before.groupby("account_id", observed=True, sort=False).size()
        for name, column in (("active_days", "day"), ("active_users", "user_id")):
            if name in names:
                made[f"{name}_before_{days}d"] = _different(before, column)
    ends = past.groupby("account_id", observed=True, sort=False)["at"].agg(["min", "max"])
    made["days_since_first_use"] = (cutoff - ends["min"]) / pd.Timedelta(days=1)
    made["days_since_last_use"] = (cutoff - ends["max"]) / pd.Timedelta(days=1)
    by_event = past[past["event"].isin(TOP)].groupby(["account_id", "event"], observed=True, sort=False)
    last = by_event["at"].max().unstack()  # noqa: PD010 - grouped already
    last.columns = last.columns.astype(str)
    made |= {f"days_since_event_{event}": (cutoff - last[event]) / pd.Timedelta(days=1) for event in TOP if event in last}
    made["features_used_ever"] = _different(past, "event")
    frame = pd.DataFrame({name: values.reindex(index) for name, values in made.items()})
    frame = frame.reindex(columns=dict.fromkeys((*frame.columns, *(name for name in FEATURES if "event_" in name))))
    zero = [name for name in frame.columns if not name.startswith(_MISSING)]
    frame[zero] = frame[zero].fillna(0.0)
    return _combined(frame.reset_index(drop=True))


def _different(rows: pd.DataFrame, column: str) -> pd.Series:
    if not isinstance(rows["account_id"].dtype, pd.CategoricalDtype):
        return rows.groupby("account_id", sort=False)[column].nunique()
    pairs = rows[["account_id", column]].drop_duplicates()
    return pairs.groupby("account_id", observed=True, sort=False).size()


def _combined(frame: pd.DataFrame) -> pd.DataFrame:
    for name, now, before in (
        ("usage_trend_28d", "usage_events_28d", "usage_before_28d"),
        ("usage_trend_90d", "usage_events_90d", "usage_before_90d"),
        ("active_days_trend_28d", "active_days_28d", "active_days_before_28d"),
        ("active_users_trend_28d", "active_users_28d", "active_users_before_28d"),
    ):
        total = frame[now] + frame[before]
        frame[name] = ((frame[now] - frame[before]) / total.where(total != 0)).fillna(0.0)
    events = frame["usage_events_28d"]
    frame["usage_recent_share_28d"] = events / frame["usage_events_90d"].where(frame["usage_events_90d"] != 0)
    frame["events_per_active_user_28d"] = events / frame["active_users_28d"].where(frame["active_users_28d"] != 0)
    return frame[list(FEATURES)]


def _stacked(made: list[pd.DataFrame]) -> pd.DataFrame:
    """Put the cutoffs under one another and sort by account, then cutoff."""
    n, k = len(made[0]), len(made)
    values = np.stack([frame.to_numpy(dtype=np.float64) for frame in made], axis=1)
    return pd.DataFrame(values.reshape(n * k, -1), columns=list(FEATURES))


def by_polars(place: Path, cutoffs: np.ndarray) -> pd.DataFrame:
    """Loop over the cutoffs with the streaming engine: rows are read once, grouped finely, then added up for each window."""
    moment = pl.col("at").dt.epoch("us")
    texts = [pl.col(name).cast(pl.Categorical) for name in ("account_id", "event", "user_id")]
    read = pl.scan_parquet(place / "usage.parquet").select(*texts, "quantity", moment.alias("moment"))
    usage = read.with_columns(day=(pl.col("moment") // DAY).cast(pl.Int32)).collect(engine="streaming")
    accounts = pl.read_parquet(place / "accounts.parquet", columns=["account_id"]).sort("account_id")
    accounts = accounts.with_columns(key=pl.col("account_id").cast(pl.Categorical))
    return _stacked([_combined(_polars_at(usage.lazy(), accounts.lazy(), int(cutoff)).to_pandas()) for cutoff in cutoffs])


def _polars_at(usage: pl.LazyFrame, accounts: pl.LazyFrame, cutoff: int) -> pl.DataFrame:
    moment, band = pl.col("moment"), pl.lit(len(_BOUNDS), pl.Int8)
    for number, days in reversed(list(enumerate(_BOUNDS))):
        band = pl.when(moment >= cutoff - days * DAY).then(pl.lit(number, pl.Int8)).otherwise(band)
    past = usage.filter(moment < cutoff).with_columns(band=band)
    fine = past.group_by("account_id", "event", "band").agg(
        n=pl.len(),
        quantity=pl.col("quantity").sum(),
        weekend=((pl.col("day") + 3) % 7 >= 5).sum(),
        first=moment.min(),
        last=moment.max(),
    )
    n, made = pl.col("n").cast(pl.Float64), {}
    for days, number in _WITHIN.items():
        inside = pl.col("band") <= number
        made[f"usage_events_{days}d"] = n.filter(inside).sum()
        made[f"usage_quantity_{days}d"] = pl.col("quantity").filter(inside).sum()
        made[f"features_used_{days}d"] = pl.col("event").filter(inside).n_unique()
        if days > 7:
            made[f"weekend_share_{days}d"] = pl.col("weekend").filter(inside).sum() / n.filter(inside).sum()
        if days in (28, 90):
            made |= {f"event_{event}_{days}d": n.filter(inside & (pl.col("event") == event)).sum() for event in TOP}
    made["usage_before_28d"] = n.filter(pl.col("band") == 2).sum()
    made["usage_before_90d"] = n.filter(pl.col("band") == 4).sum()
    made["features_used_ever"] = pl.col("event").n_unique()
    made["days_since_first_use"] = (cutoff - pl.col("first").min()) / DAY
    made["days_since_last_use"] = (cutoff - pl.col("last").max()) / DAY
    for event in TOP:
        made[f"days_since_event_{event}"] = (cutoff - pl.col("last").filter(pl.col("event") == event).max()) / DAY
    parts = [fine.group_by("account_id").agg(**made)]
    for column, name in (("user_id", "active_users"), ("day", "active_days")):
        pairs = past.group_by("account_id", column).agg(nearest=pl.col("band").min(), before=(pl.col("band") == 2).any())
        counted = {f"{name}_{days}d": (pl.col("nearest") <= number).sum() for days, number in _WITHIN.items()}
        parts.append(pairs.group_by("account_id").agg(**counted, **{f"{name}_before_28d": pl.col("before").sum()}))
    found = accounts
    for part in parts:
        found = found.join(part, left_on="key", right_on="account_id", how="left")
    zero = [name for name in FEATURES if not name.startswith((*_MISSING, *_COMBINED))]
    kept = [name for name in FEATURES if name.startswith(_MISSING)]
    asked = [pl.col(name).fill_null(0).cast(pl.Float64) for name in zero] + [pl.col(name).cast(pl.Float64) for name in kept]
    return found.sort("account_id").select(asked).collect(engine="streaming")


def by_duckdb(place: Path, cutoffs: np.ndarray) -> pd.DataFrame:
    """Loop over the cutoffs with the best SQL found: group finely once, then add up the small groups for each window."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
    # times as whole numbers, and the day, are made once for all cutoffs
    read = f'SELECT account_id, epoch_us("at") AS moment, epoch_us("at") // {DAY} AS day, event, user_id, quantity'
    connection.execute(f"CREATE TABLE usage AS {read} FROM read_parquet('{place / 'usage.parquet'}')")
    connection.execute(f"CREATE TABLE accounts AS SELECT account_id FROM read_parquet('{place / 'accounts.parquet'}')")
    made = [_combined(connection.execute(_sql(int(cutoff))).df()) for cutoff in cutoffs]
    connection.close()
    return _stacked(made)


def _sql(cutoff: int) -> str:
    age = f"({cutoff} - moment)"
    band = (
        "CASE " + " ".join(f"WHEN {age} <= {days * DAY} THEN {number}" for number, days in enumerate(_BOUNDS)) + " ELSE 6 END"
    )
    summed, last = [], []
    for days, number in _WITHIN.items():
        rows = f"FILTER (band <= {number})"
        summed += [f"sum(n) {rows} AS usage_events_{days}d", f"sum(quantity) {rows} AS usage_quantity_{days}d"]
        summed += [f"count(DISTINCT event) {rows} AS features_used_{days}d"]
        if days > 7:
            summed.append(f"sum(weekend) {rows} / sum(n) {rows} AS weekend_share_{days}d")
        if days in (28, 90):
            summed += [f"sum(n) FILTER (band <= {number} AND event = '{event}') AS event_{event}_{days}d" for event in TOP]
    summed += ["sum(n) FILTER (band = 2) AS usage_before_28d", "sum(n) FILTER (band = 4) AS usage_before_90d"]
    summed += ["count(DISTINCT event) AS features_used_ever"]
    last += [
        f"({cutoff} - min(first)) / {DAY} AS days_since_first_use",
        f"({cutoff} - max(last)) / {DAY} AS days_since_last_use",
    ]
    last += [f"({cutoff} - max(last) FILTER (event = '{event}')) / {DAY} AS days_since_event_{event}" for event in TOP]
    users = [f"count(*) FILTER (nearest <= {number}) AS active_users_{days}d" for days, number in _WITHIN.items()]
    active = [f"count(*) FILTER (nearest <= {number}) AS active_days_{days}d" for days, number in _WITHIN.items()]
    made = [name for name in FEATURES if not name.startswith((*_MISSING, *_COMBINED))]
    kept = [name for name in FEATURES if name.startswith(_MISSING)]
    return f"""
    WITH past AS (SELECT *, {band} AS band FROM usage WHERE moment < {cutoff}),
    fine AS (
        SELECT account_id, event, band, count(*) AS n, sum(quantity) AS quantity,
            count(*) FILTER ((day + 3) % 7 >= 5) AS weekend, min(moment) AS first, max(moment) AS last
        FROM past GROUP BY ALL
    ),
    summed AS (SELECT account_id, {", ".join(summed + last)} FROM fine GROUP BY account_id),
    by_user AS (SELECT account_id, user_id, min(band) AS nearest, bool_or(band = 2) AS before FROM past GROUP BY ALL),
    users AS (
        SELECT account_id, {", ".join(users)}, count(*) FILTER (before) AS active_users_before_28d
        FROM by_user GROUP BY account_id
    ),
    by_day AS (SELECT account_id, day, min(band) AS nearest, bool_or(band = 2) AS before FROM past GROUP BY ALL),
    active AS (
        SELECT account_id, {", ".join(active)}, count(*) FILTER (before) AS active_days_before_28d
        FROM by_day GROUP BY account_id
    )
    SELECT {", ".join(f"CAST(coalesce({name}, 0) AS DOUBLE) AS {name}" for name in made)}, {", ".join(kept)}
    FROM accounts LEFT JOIN summed USING (account_id) LEFT JOIN users USING (account_id) LEFT JOIN active USING (account_id)
    ORDER BY account_id
    """
