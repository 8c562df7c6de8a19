"""Featuretools' side of `features.py`: run in an environment of its own, since Featuretools 1.31 needs pandas below 3.

    python featuretools_usage.py FOLDER OUTPUT CUTOFF [CUTOFF ...]

FOLDER holds `usage.parquet` and `accounts.parquet`; cutoffs are microseconds since 1970. Written is one row for every account
and cutoff, sorted by both, and printed how many features were made and the CPU seconds of reading and of the synthesis.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

import pandas as pd

warnings.simplefilter("ignore")
import featuretools  # noqa: E402
from feature_data import COUNTED, TOP, WINDOWS  # noqa: E402

PRIMITIVES = ("count", "sum", "num_unique")
NAMES = {
    "COUNT(usage)": "usage_events",
    "SUM(usage.quantity)": "usage_quantity",
    "NUM_UNIQUE(usage.user_id)": "active_users",
    "NUM_UNIQUE(usage.event)": "features_used",
}


def entity_set(folder: Path) -> featuretools.EntitySet:
    """Put accounts and their usage together; times without a zone, as Featuretools wants them."""
    usage, accounts = (pd.read_parquet(folder / f"{name}.parquet") for name in ("usage", "accounts"))
    usage["at"] = usage["at"].dt.tz_localize(None)
    kinds = {"event": "Categorical", "user_id": "Categorical", "account_id": "Categorical"}
    found = featuretools.EntitySet("company")
    found.add_dataframe(dataframe_name="accounts", dataframe=accounts[["account_id"]], index="account_id")
    found.add_dataframe(
        dataframe_name="usage", dataframe=usage, index="row", make_index=True, time_index="at", logical_types=kinds
    )
    found.add_relationship("accounts", "account_id", "usage", "account_id")
    found.add_interesting_values(dataframe_name="usage", values={"event": list(TOP)})
    return found


def synthesise(company: featuretools.EntitySet, cutoffs: list[int]) -> pd.DataFrame:
    """Run deep feature synthesis with cutoff times: once for every window, and once without."""
    ids = company["accounts"]["account_id"].sort_values()
    asked = pd.DataFrame(
        {"account_id": ids.repeat(len(cutoffs)).to_numpy(), "time": pd.to_datetime(cutoffs * len(ids), unit="us")}
    )
    made = {}
    for days in (*WINDOWS, None):
        primitives = ["num_unique", "time_since_last", "time_since_first"] if days is None else list(PRIMITIVES)
        weekends = days is not None and days > 7
        where = ["time_since_last"] if days is None else ["count"] if days in COUNTED else []
        matrix = featuretools.dfs(
            entityset=company,
            target_dataframe_name="accounts",
            agg_primitives=primitives + (["percent_true"] if weekends else []),
            trans_primitives=["is_weekend"] if weekends else [],
            where_primitives=where,
            cutoff_time=asked,
            cutoff_time_in_index=True,
            include_cutoff_time=False,
            training_window=None if days is None else f"{days} days",
            n_jobs=1,
        )[0].sort_index()
        if days is None:
            made["features_used_ever"] = matrix["NUM_UNIQUE(usage.event)"]
            made["days_since_last_use"] = matrix["TIME_SINCE_LAST(usage.at)"] / 86_400
            made["days_since_first_use"] = matrix["TIME_SINCE_FIRST(usage.at)"] / 86_400
            for event in TOP:
                made[f"days_since_event_{event}"] = matrix[f"TIME_SINCE_LAST(usage.at WHERE event = {event})"] / 86_400
            continue
        made |= {f"{name}_{days}d": matrix[theirs] for theirs, name in NAMES.items()}
        if weekends:
            made[f"weekend_share_{days}d"] = matrix["PERCENT_TRUE(usage.IS_WEEKEND(at))"]
        if days in COUNTED:
            made |= {f"event_{event}_{days}d": matrix[f"COUNT(usage WHERE event = {event})"] for event in TOP}
    return pd.DataFrame({name: values.astype("float64").to_numpy() for name, values in made.items()})


def main(folder: Path, output: Path, cutoffs: list[int]) -> None:
    """Write the features, and print what they took."""
    start = time.process_time()
    company = entity_set(folder)
    read = time.process_time()
    made = synthesise(company, cutoffs)
    took = {"features": made.shape[1], "reading": read - start, "building": time.process_time() - read}
    made.to_parquet(output)
    print(json.dumps(took))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), [int(text) for text in sys.argv[3:]])
