"""Time the reasons: ours, LightGBM's `pred_contrib` and `shap.TreeExplainer`, on the same models and rows.

    python benchmarks/explain.py            # about eight minutes
    python benchmarks/explain.py --quick    # about one

The models are LightGBM's on invented rows: 150 features, one in ten values missing, two features categorical, 500 trees of the
package's own shapes and one of 63 leaves without a limit to their depth. Sides run in fresh processes and take turns; reading
the model is not timed, nor is compiling. Rates are per second of processor time on one thread; ours gives the raw scores of
the same rows as well. `exact` is the largest difference of any contribution from LightGBM's.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

os.environ.setdefault("OMP_NUM_THREADS", "1")  # shap offers no other way to say it; read when LightGBM is imported

import lightgbm
import numpy as np
import shap
from measuring import Row, compare, machine
from numpy.typing import NDArray

from staypower.models.shapley_values import Explainer

Floats = NDArray[np.float64]
Told = tuple[float, float, Floats]

FEATURES, TRAINED_ON, TREES, COMPARED = 150, 30_000, 500, 100
CATEGORICAL = [3, 4]
# leaves, depth, rows for ours and for the others
SHAPES = [(4, 2, 50_000, 10_000), (8, 4, 50_000, 4_000), (15, 5, 30_000, 1_500), (31, 6, 20_000, 500), (63, -1, 8_000, 150)]
OWN = {"objective": "binary", "learning_rate": 0.04, "feature_fraction": 0.4, "bagging_fraction": 0.6, "bagging_freq": 1}
STEADY = {"deterministic": True, "force_col_wise": True, "num_threads": 1, "verbosity": -1}

FIRST_USE = """
import time
import numpy, lightgbm
from staypower.models.shapley_values import Explainer
text = open({model!r}).read()
begun = time.process_time()
explainer = Explainer(text)
read = time.process_time()
explainer.explain(numpy.zeros((1, {features})))
print(read - begun, time.process_time() - read)
"""


def invented(rows: int, seed: int) -> tuple[Floats, NDArray[np.int8]]:
    """Make rows with counts, measures, codes and missing values, and labels that depend on some of them."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, FEATURES))
    values[:, :50] = np.floor(np.abs(values[:, :50]) * 5)
    values[:, 3], values[:, 4] = rng.integers(0, 40, rows), rng.integers(0, 6, rows)
    score = values[:, 50:] @ np.linspace(-0.3, 0.3, FEATURES - 50) + np.sin(values[:, 5] * values[:, 6])
    score += (values[:, 3] % 3 == 0) + values[:, 7] * values[:, 60] / 5 + values[:, 8:14].sum(axis=1) / 10 - 3
    labels = (rng.random(rows) < 1 / (1 + np.exp(-score))).astype(np.int8)
    values[rng.random(values.shape) < 0.1] = np.nan
    return values, labels


def grow(folder: Path, leaves: int, depth: int, trees: int) -> Path:
    """Train a model of one shape and write it down."""
    features, labels = invented(TRAINED_ON, seed=0)
    dataset = lightgbm.Dataset(features, labels, categorical_feature=CATEGORICAL)
    shape = {"num_leaves": leaves, "max_depth": depth}
    file = folder / f"{leaves}.txt"
    lightgbm.train({**OWN, **STEADY, **shape}, dataset, trees).save_model(file)
    return file


def ours(model: Path, rows: int, threads: int = 1) -> Told:
    """Explain by the package's routine."""
    explainer = Explainer(model.read_text())
    return timed(lambda features: explainer.explain(features, threads=threads).contributions, rows)


def pred_contrib(model: Path, rows: int) -> Told:
    """Explain by LightGBM."""
    booster = lightgbm.Booster(model_file=model)
    return timed(lambda features: np.asarray(booster.predict(features, pred_contrib=True, num_threads=1))[:, :-1], rows)


def tree_explainer(model: Path, rows: int) -> Told:
    """Explain by shap, which hands the rows to LightGBM; it takes the number of threads from the model."""
    warnings.filterwarnings("ignore", message="LightGBM binary classifier with TreeExplainer")
    explainer = shap.TreeExplainer(lightgbm.Booster(model_file=model))
    return timed(lambda features: np.asarray(explainer.shap_values(features)), rows)


def timed(explain: Callable[[Floats], Floats], rows: int) -> Told:
    """Return processor and clock seconds of explaining rows, and the contributions of the first."""
    features, _ = invented(rows, seed=1)
    explain(features[:10])
    cpu, wall = time.process_time(), time.perf_counter()
    explain(features)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    explained, _ = invented(COMPARED, seed=2)
    return cpu, wall, explain(explained)


def first_use(model: Path) -> None:
    """Print what the first explanation of a process costs, with and without compiled code in the cache."""
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, "-c", FIRST_USE.format(model=str(model), features=FEATURES)]
        cold, warm = (
            subprocess.run(command, env={**os.environ, "NUMBA_CACHE_DIR": cache}, capture_output=True, text=True, check=True)
            for _ in range(2)
        )
    read, compiled = map(float, cold.stdout.split())
    _, loaded = map(float, warm.stdout.split())
    print(
        f"first use: reading the model {read:.2f} s, compiling {compiled:.1f} s once, afterwards loading {loaded:.2f} s (CPU)"
    )


def line(shape: str, turns: list[list[Row]], counts: dict[str, int]) -> list[str]:
    """Write one shape's rates, ratios, exactness and memory."""
    told = {side: [row.result for rows in turns for row in rows if row.side == side] for side in counts}
    rates = {side: [counts[side] / run[0] for run in runs] for side, runs in told.items()}
    walls = [counts["ours, 2 threads"] / run[1] for run in told["ours, 2 threads"]]
    mine = rates["ours"]
    cells = [shape, f"{median(mine):,.0f}"]
    for other in ("pred_contrib", "shap"):
        pairs = zip(mine, rates[other], strict=True)
        cells += [f"{median(rates[other]):,.0f}", f"{median(one / their for one, their in pairs):.0f}x"]
    exact = max(float(np.abs(told["ours"][0][2] - told[other][0][2]).max()) for other in ("pred_contrib", "shap"))
    peaks = {row.side: row.peak for row in turns[0]}
    return [*cells, f"{median(walls):,.0f}", f"{exact:.0e}", f"{peaks['ours']:,.0f} / {peaks['pred_contrib']:,.0f}"]


def main() -> None:
    """Train, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two shapes, fewer trees, one run")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    trees, repeats, shapes = (100, 1, SHAPES[1:4:2]) if asked.quick else (TREES, asked.repeats, SHAPES)
    head = ["leaves, depth", "ours /s", "pred_contrib /s", "", "shap /s", "", "ours, 2 threads, wall /s", "exact", "peak MB"]
    print(f"{machine()}; {trees} trees, {FEATURES} features, {repeats} runs; rows per CPU second", flush=True)
    print("| " + " | ".join(head) + " |\n|---" + "|---:" * (len(head) - 1) + "|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for leaves, depth, many, few in shapes:
            model = grow(Path(folder), leaves, depth, trees)
            sides = {
                "ours": partial(ours, model, many),
                "ours, 2 threads": partial(ours, model, many, 2),
                "pred_contrib": partial(pred_contrib, model, few),
                "shap": partial(tree_explainer, model, few),
            }
            counts = {side: many if side.startswith("ours") else few for side in sides}
            cells = line(
                f"{leaves}, {depth if depth > 0 else 'unlimited'}", [compare(sides, 1) for _ in range(repeats)], counts
            )
            print("| " + " | ".join(cells) + " |", flush=True)
        first_use(Path(folder) / "8.txt")


if __name__ == "__main__":
    main()
