"""Featuretools' features for accounts at cutoffs: run by `accuracy.py --featuretools PYTHON` in an environment of its own.

    python featuretools_matrix.py FOLDER

Featuretools 1.31 needs pandas below 3, staypower 3: the two meet in Parquet files. FOLDER holds `cutoffs.parquet`
(`account_id`, `cutoff`), `accounts.parquet` and one file a stream of events (`account_id`, `time` and columns known at that
time). Written is `features.parquet`, a row for each of `cutoffs`, in their order: deep feature synthesis over the whole history
and over its last 90 days, with Featuretools' default primitives, the last value and the time since the last event.
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path

import pandas as pd

warnings.simplefilter("ignore")
import featuretools  # noqa: E402
from featuretools.primitives import get_default_aggregation_primitives, get_default_transform_primitives  # noqa: E402

LAST_DAYS = "90 days"


def read(path: Path) -> pd.DataFrame:
    """Read a file, its ids marked as texts: Featuretools would make numbers of `12346`."""
    frame = pd.read_parquet(path)
    return frame.assign(account_id="account " + frame["account_id"].astype(str))


def entity_set(folder: Path) -> featuretools.EntitySet:
    """Put accounts and their events together."""
    found = featuretools.EntitySet("company")
    accounts = read(folder / "accounts.parquet")
    found.add_dataframe(dataframe_name="accounts", dataframe=accounts, index="account_id")
    for path in sorted(folder.glob("events-*.parquet")):
        name, events = path.stem.removeprefix("events-"), read(path)
        texts = {column: "Categorical" for column in events if events[column].dtype == object}
        found.add_dataframe(
            dataframe_name=name, dataframe=events, index="row", make_index=True, time_index="time", logical_types=texts
        )
        found.add_relationship("accounts", "account_id", name, "account_id")
    return found


def main(folder: Path) -> None:
    """Write the features."""
    asked = read(folder / "cutoffs.parquet")
    # Featuretools counts what happens at the cutoff itself as known; history ends before it
    times = asked.rename(columns={"cutoff": "time"}).assign(time=asked["cutoff"] - pd.Timedelta(microseconds=1))
    company = entity_set(folder)
    primitives = [*get_default_aggregation_primitives(), "last", "time_since_last"]
    parts = []
    start = time.process_time()
    for name, window in (("all", None), ("90d", LAST_DAYS)):
        matrix, _ = featuretools.dfs(
            entityset=company,
            target_dataframe_name="accounts",
            cutoff_time=times[["account_id", "time"]].drop_duplicates(),
            cutoff_time_in_index=True,
            training_window=window,
            agg_primitives=primitives,
            trans_primitives=get_default_transform_primitives(),
            # of a time, the time since it says the same
            primitive_options={"last": {"ignore_columns": {frame.ww.name: ["time"] for frame in company.dataframes[1:]}}},
            max_depth=2,
        )
        keys = pd.MultiIndex.from_frame(times[["account_id", "time"]])
        placed = matrix.loc[keys].reset_index(drop=True)
        parts.append(placed.add_prefix(f"{name}: "))
    features = pd.concat(parts, axis=1)
    features = features.loc[:, [len(features[column].unique()) > 1 for column in features]]
    for column in features:
        if features[column].dtype.kind not in "fiub":
            features[column] = features[column].astype("category").cat.codes.astype("float64").where(features[column].notna())
            features = features.rename(columns={column: f"category {column}"})
    features.astype("float64").to_parquet(folder / "features.parquet")
    print(f"{features.shape[1]} features, {len(features)} rows, {time.process_time() - start:.0f} s of CPU")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
