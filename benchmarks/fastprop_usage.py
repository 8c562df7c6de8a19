"""getML FastProp's side of `features.py`: run in an environment of its own, which has getml 1.5.1 and psutil.

    python fastprop_usage.py FOLDER OUTPUT CUTOFF [CUTOFF ...]

FOLDER holds `usage.parquet` and `accounts.parquet`; cutoffs are microseconds since 1970. Written is one row for every account
and cutoff, sorted by both, with the features that staypower has, too; printed, how many features were made and the CPU seconds
of reading and of building, those of the engine included. The engine is a process of its own (Linux only) that answers on the
network: run this where others cannot reach its ports 1708 and 1711. It is stopped at the end, and its folder deleted.

getML is under the Elastic License 2.0, which is no open-source licence: it is a rival in this benchmark and never a dependency.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import getml
import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
from feature_data import COUNTED, DAY, TOP, WINDOWS

AGGREGATIONS = getml.feature_learning.aggregations
# getml 1.5.1 says 0 for the last 5,000 rows when the rows of its one thread are 10,000, 15,000, 40,000: one more avoids that
BLOCK = 5_000
# what a feature's SQL aggregates, and what staypower calls it
NAMES = {
    "COUNT( * )": "usage_events",
    'SUM( t2."quantity" )': "usage_quantity",
    'COUNT( DISTINCT t2."user_id" )': "active_users",
    'COUNT( DISTINCT t2."event" )': "features_used",
    'COUNT( DISTINCT t2."day" )': "active_days",
    'SUM( t2."weekend" )': "weekends",
    **{f'SUM( t2."is_{event}" )': f"event_{event}" for event in TOP},
    'MIN( t1."cutoff" - t2."at" )': "seconds_since_last",
    'MAX( t1."cutoff" - t2."at" )': "seconds_since_first",
}


@contextmanager
def engine() -> Iterator[None]:
    """Start the engine in a temporary folder, without its browser; stop it at the end."""
    with tempfile.TemporaryDirectory() as folder:
        getml.engine.launch(
            launch_browser=False,
            allow_push_notifications=False,
            home_directory=folder,
            project_directory=f"{folder}/projects",
            quiet=True,
        )
        try:
            getml.engine.set_project("usage")
            yield
        finally:
            started = psutil.Process().children(recursive=True)
            getml.engine.shutdown()
            # the engine ends after the process that started it, and writes into the folder until then
            for late in psutil.wait_procs(started, timeout=20)[1]:
                late.kill()


def cpu_seconds() -> float:
    """Return the processor time of this process and of the engine so far."""
    here = psutil.Process()
    return sum(sum(each.cpu_times()[:2]) for each in (here, *here.children(recursive=True)))


def read(folder: Path, cutoffs: list[int]) -> tuple[getml.DataFrame, getml.DataFrame]:
    """Put every account and cutoff, and the usage with its columns of 0 and 1, into the engine."""
    usage, accounts = (pd.read_parquet(folder / f"{name}.parquet") for name in ("usage", "accounts"))
    usage["day"] = (usage["at"].astype("int64") // DAY).astype(str)
    usage["weekend"] = (usage["at"].dt.dayofweek >= 5).astype("float64")
    for event in TOP:
        usage[f"is_{event}"] = (usage["event"] == event).astype("float64")
    usage["at"] = usage["at"].dt.tz_localize(None)
    ids = accounts["account_id"].sort_values()
    # a join takes what happens at the time itself, too; history ends before it
    times = pd.to_datetime(np.array(cutoffs * len(ids)) - 1, unit="us").as_unit("us")
    asked = pd.DataFrame({"account_id": ids.repeat(len(cutoffs)).to_numpy(), "cutoff": times})
    if len(asked) % BLOCK == 0:
        asked = pd.concat([asked, asked.tail(1)], ignore_index=True)
    # features are found for a target; all are kept, so that any will do
    asked["target"] = np.arange(len(asked)) % 7
    numbers = ["quantity", "weekend", *(f"is_{event}" for event in TOP)]
    return (
        _sent("population", asked, {"join_key": ["account_id"], "time_stamp": ["cutoff"], "target": ["target"]}),
        _sent(
            "usage",
            usage,
            {
                "join_key": ["account_id"],
                "time_stamp": ["at"],
                "categorical": ["event", "user_id", "day"],
                "numerical": numbers,
            },
        ),
    )


def _sent(name: str, frame: pd.DataFrame, roles: dict[str, list[str]]) -> getml.DataFrame:
    return getml.DataFrame.from_arrow(pa.Table.from_pandas(frame, preserve_index=False), name, roles=roles)


def build(
    population: getml.DataFrame,
    usage: getml.DataFrame | getml.data.View,
    windows: dict[str, int | None],
    aggregations: list[str],
) -> pd.DataFrame:
    """Build all features of one join a window (None: all of history), named by what is aggregated and the window."""
    model = getml.data.DataModel(population.to_placeholder("population"))
    model.add(getml.data.to_placeholder(**dict.fromkeys(windows, usage)))
    for name, days in windows.items():
        memory = days and getml.data.time.days(days)
        model.population.join(getattr(model, name), on="account_id", time_stamps=("cutoff", "at"), memory=memory)
    learner = getml.feature_learning.FastProp(
        aggregation=aggregations,
        num_features=10_000,
        num_threads=1,
        sampling_factor=0.0,
        loss_function=getml.feature_learning.loss_functions.SquareLoss,
    )
    pipeline = getml.Pipeline(data_model=model, feature_learners=[learner])
    pipeline.fit(population, dict.fromkeys(windows, usage), check=False)
    made = pipeline.transform(population, dict.fromkeys(windows, usage), df_name="made").to_arrow()
    found = {}
    for feature in pipeline.features:
        sql = re.search(r'SELECT (.+?) AS "feature_.*?JOIN "USAGE_(\w+?)__', str(feature.sql), re.DOTALL)
        found[f"{NAMES.get(sql[1], sql[1])}_{sql[2].lower()}"] = made.column(feature.name).to_numpy()
    return pd.DataFrame(found)


def shared(made: pd.DataFrame) -> pd.DataFrame:
    """Keep what staypower builds, too; of nothing, a share and a time are missing, where FastProp says 0."""
    found = {f"{name}_{days}d": made[f"{name}_{days}d"] for name in list(NAMES.values())[:5] for days in WINDOWS}
    found |= {f"event_{event}_{days}d": made[f"event_{event}_{days}d"] for event in TOP for days in COUNTED}
    for days in WINDOWS[1:]:
        found[f"weekend_share_{days}d"] = made[f"weekends_{days}d"] / made[f"usage_events_{days}d"]
    found["features_used_ever"] = made["features_used_ever"]
    for which in ("last", "first"):
        seconds = made[f"seconds_since_{which}_ever"] + 1e-6
        found[f"days_since_{which}_use"] = seconds.where(made["usage_events_ever"] > 0) / 86_400
    return pd.DataFrame(found)


def main(folder: Path, output: Path, cutoffs: list[int]) -> None:
    """Write the features, and print what they took."""
    have = AGGREGATIONS
    with engine():
        start = cpu_seconds()
        population, usage = read(folder, cutoffs)
        done = cpu_seconds()
        inside = build(
            population, usage, {f"usage_{days}d": days for days in WINDOWS}, [have.COUNT, have.COUNT_DISTINCT, have.SUM]
        )
        # of all of history nothing but the times and the events is asked
        few = usage.drop([name for name in usage.colnames if name not in ("account_id", "at", "event")])
        ever = build(population, few, {"usage_ever": None}, [have.COUNT, have.COUNT_DISTINCT, have.MIN, have.MAX])
        made = pd.concat([inside, ever], axis=1)
        took = {"features": made.shape[1], "reading": done - start, "building": cpu_seconds() - done}
    asked = len(pd.read_parquet(folder / "accounts.parquet", columns=["account_id"])) * len(cutoffs)
    shared(made).head(asked).to_parquet(output)
    print(json.dumps(took))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), [int(text) for text in sys.argv[3:]])
