"""Time `ChurnClassifier.fit` against LightGBM's own training of the same trees on the same rows.

    python benchmarks/train.py            # 500,000 rows of 150 features; about half an hour and 4 GB
    python benchmarks/train.py --quick    # 50,000 rows; about one minute

LightGBM's side gets its rows in order, already parted in time, and does what cannot be left out: bins them, grows the trees
and watches the log loss of the later rows. What `fit` adds is choosing among shapes and a linear margin by cross-fitting,
the calibration map, checking, ordering and parting the rows, and writing and checking the model's text. One thread; sides run
in fresh processes and take turns.
"""

from __future__ import annotations

import argparse
import time
from functools import partial

import numpy as np
from measuring import Row, compare, machine
from numpy.typing import NDArray

from staypower import ChurnClassifier
from staypower.cutoffs import DAY, instant_of
from staypower.models.partition import partition_by_time
from staypower.models.settings import TreeShape
from staypower.models.training_rows import TrainingRows, ordered_rows
from staypower.models.trees import Grower

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


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="50,000 rows, one run")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
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
