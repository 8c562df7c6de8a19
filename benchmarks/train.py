"""Time `ChurnClassifier.fit` against LightGBM's own training of the same trees on the same rows.

    python benchmarks/train.py            # 500,000 rows of 150 features; about half an hour and 4 GB
    python benchmarks/train.py --quick    # 50,000 rows; about one minute
    python benchmarks/train.py --accounts 2000 8000 --repeats 3     # all of `staypower train` on simulated companies
    python benchmarks/train.py --accounts 2000 --neighbours 2       # the same beside two processes that never rest

LightGBM's side gets its rows in order, already parted in time, and does what cannot be left out: bins them, grows the trees
and watches the log loss of the later rows. What `fit` adds is choosing among shapes and a linear margin by cross-fitting,
the calibration map, checking, ordering and parting the rows, and writing and checking the model's text. One thread; sides run
in fresh processes and take turns.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import lightgbm
import numpy as np
from measuring import Row, compare, machine, ratio, table
from numpy.typing import NDArray

from staypower import ChurnClassifier, load_config, train
from staypower.cutoffs import DAY, instant_of
from staypower.models.partition import partition_by_time
from staypower.models.settings import TreeShape
from staypower.models.training_rows import TrainingRows, ordered_rows
from staypower.models.trees import Grower
from staypower.pipelines.demo import demo_config
from staypower.simulation.company import simulate_to

Floats = NDArray[np.float64]
History = tuple[Floats, NDArray[np.int8], NDArray[np.object_], NDArray[np.int64]]

FEATURES, CUTOFFS, EMBARGO, PATIENCE = 150, 24, 120, 50
MANY_TREES = 300


def invented(rows: int) -> History:
    """Make the history of some accounts at 24 cutoffs: counts, measures, missing values; shuffled."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(rows, FEATURES))
    values[:, :50] = np.floor(np.abs(values[:, :50]) * 5)
    score = values[:, 50:] @ np.linspace(-0.2, 0.2, FEATURES - 50) + values[:, :10].sum(axis=1) / 10 - 6
    labels = (rng.random(rows) < 1 / (1 + np.exp(-score))).astype(np.int8)
    values[rng.random(values.shape) < 0.1] = np.nan
    order = rng.permutation(rows)
    accounts = np.array([f"account {number // CUTOFFS:06d}" for number in order], dtype=object)
    return values, labels, accounts, instant_of("2023-01-01") + 30 * DAY * (order % CUTOFFS)


def fit(rows: int, trees: int) -> tuple[float, int]:
    """Fit the package's classifier; return CPU seconds and the number of trees."""
    features, labels, accounts, cutoffs = invented(rows)
    model = ChurnClassifier(split="temporal", embargo_days=EMBARGO, max_trees=trees, patience=PATIENCE, n_jobs=1)
    begun = time.process_time()
    model.fit(features, labels, accounts=accounts, cutoffs=cutoffs)
    return time.process_time() - begun, model.best_iteration_


def lightgbms_own(rows: int, trees: int) -> tuple[float, int]:
    """Grow the same trees with LightGBM alone; return CPU seconds and the number of trees."""
    features, labels, accounts, cutoffs = invented(rows)
    ordered = ordered_rows(features, labels, None, accounts=accounts, cutoffs=cutoffs)
    partition = partition_by_time(cutoffs=ordered.cutoffs, embargo_days=EMBARGO, calibration_cutoffs=None)
    growing, held = ordered.take(partition.trees), ordered.take(partition.calibration)
    grower = Grower(_shape(growing), trees, PATIENCE, seed=0, threads=1)
    begun = time.process_time()
    _, losses = grower.grow_watched(growing, held)
    return time.process_time() - begun, int(np.argmin(losses)) + 1


def _shape(rows: TrainingRows) -> TreeShape:
    return TreeShape.by_evidence(churners=rows.rarer_accounts, accounts=len(np.unique(rows.accounts)), rows=len(rows))


def train_company(folder: Path) -> dict[str, float]:
    """Train on the demo's company as `staypower train` does; return how many LightGBM trainings it took and how good it is."""
    counted, real = [0], lightgbm.train

    def counting(*given: object, **named: object) -> lightgbm.Booster:
        counted[0] += 1
        return real(*given, **named)  # type: ignore[arg-type]

    lightgbm.train = counting
    with tempfile.TemporaryDirectory(prefix="staypower-") as out:
        text = demo_config(str(folder), f"{out}/out", f"{out}/mlruns", f"{out}/models")
        (Path(out) / "staypower.yaml").write_text(text, encoding="utf-8")
        result = train(load_config(Path(out) / "staypower.yaml"))
    metrics = result.evaluation.metrics()
    return {"trainings": counted[0], **{name: round(metrics[name], 4) for name in ("auroc", "log_loss", "calibration_error")}}


@contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Keep some processes busy all the while."""
    busy = [multiprocessing.get_context("spawn").Process(target=_never_rest, daemon=True) for _ in range(count)]
    for each in busy:
        each.start()
    try:
        yield
    finally:
        for each in busy:
            each.terminate()
            each.join()


def _never_rest() -> None:
    while True:
        sum(range(10_000))


def print_companies(sizes: list[int], beside: int, repeats: int) -> None:
    """Print what all of `train` takes; with busy neighbours, how many times the processor time of idle."""
    for accounts in sizes:
        with tempfile.TemporaryDirectory(prefix="staypower-") as name:
            simulate_to(Path(name), accounts=accounts, seed=7)
            side, call = f"train, {accounts:,} accounts", partial(train_company, Path(name))
            rows = compare({side: call}, repeats)
            print(table(rows), rows[0].result, sep="\n", flush=True)
            if beside:
                with neighbours(beside):
                    rows += compare({f"beside {beside}": call}, repeats)
                print(table(rows), f"{ratio(rows, rows[1].side, side):.2f} times the processor time of idle", sep="\n")


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="50,000 rows, one run")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--accounts", type=int, nargs="+", help="train on simulated companies of so many accounts instead")
    parser.add_argument("--neighbours", type=int, default=0, help="busy processes to train beside")
    asked = parser.parse_args()
    if asked.accounts:
        print(f"{machine()}; {asked.repeats} runs", flush=True)
        print_companies(asked.accounts, asked.neighbours, asked.repeats)
        return
    rows, repeats = (50_000, 1) if asked.quick else (500_000, asked.repeats)
    sides = {"fit": partial(fit, rows, MANY_TREES), "LightGBM's own": partial(lightgbms_own, rows, MANY_TREES)}
    print(f"{machine()}; {rows:,} rows, {FEATURES} features, one thread, {repeats} runs", flush=True)
    turns: list[dict[str, Row]] = [{row.side: row for row in compare(sides, 1)} for _ in range(repeats)]
    print("| | CPU s | trees | peak MB |\n|---|---:|---:|---:|")
    for side in sides:
        told = [turn[side] for turn in turns]
        seconds = np.median([row.result[0] for row in told])
        print(f"| {side} | {seconds:.1f} | {told[0].result[1]} | {max(row.peak for row in told):,.0f} |")
    more = np.median([turn["fit"].result[0] / turn["LightGBM's own"].result[0] - 1 for turn in turns])
    print(f"\n`fit` takes {more:.1%} more")


if __name__ == "__main__":
    main()
