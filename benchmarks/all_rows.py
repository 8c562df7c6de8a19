"""What trees that grow on all rows are worth where the rest is learned from a sample, measured where the truth is known.

    python benchmarks/all_rows.py --kind simulator contracts --accounts 8000 --sample accounts=0.25 accounts=0.25,negatives=0.5

Each company is made once and written to files. Then fresh processes read it and fit the twin and the model that scores as
`staypower train` does, without evaluation and secondary models: `memory` of all rows in memory, `sample` of the sample alone,
`all rows` with `sampling.grow_on: all`. Each model that scores predicts the accounts of the last day, whose outcomes lie in the
future, and is held against their true probabilities: AUROC and that of the truth, excess log loss, calibration error, mean
probability over mean truth. Processor time and peak memory are those of the process until the model is there.

    python benchmarks/all_rows.py --rows 960000     # what it takes to hold and grow on so many made-up rows of 240 features
"""

from __future__ import annotations

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from companies import END, KINDS, make
from measuring import compare, machine, peak_megabytes
from reach import calibration_error, expected_auroc, expected_log_loss
from refit import LAST, SIMULATOR

from staypower import load_config, simulate
from staypower.cutoffs import DAY, instant_of
from staypower.dataset.all_rows import AllRows, put_in_order
from staypower.dataset.building import build_dataset
from staypower.engines.local import keep_part
from staypower.engines.opening import load_tables
from staypower.features.builder import build_matrix
from staypower.labels.churn import find_population
from staypower.labels.population import Status
from staypower.models.fitting import fit_classifier, fit_on_all, fit_to_score
from staypower.models.growing import Mould
from staypower.models.settings import TreeShape
from staypower.models.training_rows import ordered_rows
from staypower.models.trees import Grower
from staypower.pipelines.preparing import drawing_to_train
from staypower.progress import Progress

FEATURES, CUTOFFS, PARTS, TREES = 240, 12, 8, 10
_QUIET = Progress(quiet=True)


def write_company(folder: Path, kind: str, accounts: int, seed: int) -> None:
    """Make a company and write its tables, its config, and the truth at the last day."""
    if kind == "simulator":
        made = simulate(accounts, months=30, seed=seed, cutoffs=[LAST], copies=96)
        tables, config, truth = {name: table.to_pandas() for name, table in made.tables.items()}, SIMULATOR, made.truth
    else:
        other = make(kind, accounts, seed)
        tables, config, truth = dict(other.tables), other.config, other.truth
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet")
        config = config.replace(f"source: {name}", f"source: {name}.parquet")
    truth[["account_id", "churn_probability"]].to_parquet(folder / "truth.parquet")
    (folder / "config.yaml").write_text(config)


def learn(folder: Path, kind: str, overrides: list[str]) -> dict[str, Any]:
    """Read, build and fit, then predict the accounts of the last day."""
    settings = load_config(folder / "config.yaml", overrides=overrides)
    with drawing_to_train(settings, progress=_QUIET) as drawn:
        shown = {"label": settings.label, "features": settings.features, "cutoffs": settings.cutoffs}
        dataset = build_dataset(drawn.tables, **shown, sampling=drawn.sampling, between=True)
        every = None if drawn.whole is None else drawn.whole.rows_like(dataset, settings.label)
        twin = fit_classifier(dataset, settings.model)
        twin = twin if every is None else fit_on_all(dataset, twin, every)
        model = fit_to_score(dataset, twin, settings.model, every=every).model
    peak = peak_megabytes()
    truth = pd.read_parquet(folder / "truth.parquet").set_index("account_id")["churn_probability"]
    tables, _ = load_tables(settings.sources, progress=_QUIET)
    at = np.array([instant_of(LAST if kind == "simulator" else str(END.date()))], dtype=np.int64)
    found = find_population(tables, settings.label, at)
    status = zip(found.accounts, found.status[:, 0], strict=True)
    active = [account for account, each in status if each == Status.SCORED and account in truth.index]
    X = build_matrix(tables, dataset.catalogue, accounts=active, cutoffs=at).features[list(dataset.catalogue.names)]
    true, scored = truth.loc[active].to_numpy(dtype=np.float64), model.predict_proba(X)[:, 1]
    return {
        "rows": len(dataset.y) if every is None else len(every),
        "trees": model.best_iteration_,
        "leaves": int(twin._grower.shape.num_leaves) if twin._grower else 0,
        "AUROC": expected_auroc(true, scored),
        "of": expected_auroc(true, true),
        "excess": expected_log_loss(true, scored) - expected_log_loss(true, true),
        "calibration error": calibration_error(true, scored),
        "mean": float(scored.mean() / true.mean()),
        "peak MB": peak,
    }


def hold(folder: Path, rows: int) -> dict[str, float]:
    """Put made-up rows on disk in parts, then grow a few trees on them: seconds, peak memory and the size of the files."""
    rng, accounts = np.random.default_rng(0), rows // CUTOFFS
    cutoffs = (np.arange(CUTOFFS) * 30 + 19_000) * DAY
    names, parts = tuple(f"x{number}" for number in range(FEATURES)), []
    for part in range(PARTS):
        ids = np.array([f"a{number:08d}" for number in range(part, accounts, PARTS)])
        X, y = _invented(rng, len(ids) * CUTOFFS)
        keys = {"account_id": np.repeat(ids, CUTOFFS), "churned": y}
        at = pa.array(np.tile(cutoffs, len(ids))).cast(pa.timestamp("us", "UTC"))
        columns = {name: pa.array(X[:, place], from_pandas=True) for place, name in enumerate(names)}
        parts.append(keep_part(pa.table({**keys, "cutoff": at, **columns}), folder / f"part-{part}.parquet"))
    X, y = _invented(rng, 20_000)
    shape = TreeShape.by_evidence(churners=60_000, accounts=accounts, rows=rows)
    known = ordered_rows(X, y, None, accounts=np.arange(len(y)), cutoffs=None)
    mould = Mould.of(Grower(shape, 100, 50, 0, 1), known)
    spent, every = [], AllRows(folder / "rows.parquet", names, cutoffs)
    begun = time.process_time()
    put_in_order(parts, every, memory=2 * 10**8, threads=2)
    ordered = time.process_time() - begun
    for trees in (1, 1 + TREES):
        begun = time.process_time()
        mould.grow(every, trees=trees)
        spent.append(time.process_time() - begun)
    a_tree = (spent[1] - spent[0]) / TREES
    size = sum(part.stat().st_size for part in parts) / (rows * FEATURES)
    found = {"putting in order s": ordered, "reading and binning s": spent[0] - a_tree}
    return found | {"a tree s": a_tree, "bytes a number": size, "peak MB": peak_megabytes()}


def _invented(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    X = rng.exponential(3, size=(rows, FEATURES))
    X[:, 40:140], X[:, 140:] = rng.poisson(2, size=(rows, 100)), rng.poisson(0.1, size=(rows, FEATURES - 140))
    X[:, :40][rng.random((rows, 40)) < 0.3] = np.nan
    return X, (X[:, 40] + rng.exponential(3, rows) > 7).astype(np.int8)


def main() -> None:
    """Measure the companies asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", nargs="+", choices=["simulator", *sorted(KINDS)], default=["simulator"])
    parser.add_argument("--accounts", type=int, default=8000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--sample", nargs="+", default=["accounts=0.25"], help="such as `accounts=0.25,negatives=0.5`")
    parser.add_argument("--rows", type=int, help="only hold so many made-up rows and grow a few trees on them")
    asked = parser.parse_args()
    if asked.rows:
        with tempfile.TemporaryDirectory() as place:
            for name, value in compare({"held": partial(hold, Path(place), asked.rows)}, repeats=1)[0].result.items():
                print(f"{name}: {value:,.2f}")
        return
    print(f"{asked.accounts:,} accounts, {machine()}\n")
    for kind in asked.kind:
        for seed in asked.seeds:
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place)
                write_company(folder, kind, asked.accounts, seed)
                own = [f"output.folder={folder}/out", "model.threads=1"]
                sides = {"memory": partial(learn, folder, kind, own)}
                for sample in asked.sample:
                    drawn = [*own, *(f"sampling.{each}" for each in sample.split(","))]
                    sides[f"sample {sample}"] = partial(learn, folder, kind, drawn)
                    sides[f"all rows, {sample}"] = partial(learn, folder, kind, [*drawn, "sampling.grow_on=all"])
                for row in compare(sides, repeats=1):
                    told = [
                        f"{key} {value:.4f}" if key != "peak MB" and isinstance(value, float) else f"{key} {value:,.0f}"
                        for key, value in row.result.items()
                    ]
                    print(f"{kind} {seed}  {row.side}:  " + "  ".join(told) + f"  CPU s {row.cpu:.1f}", flush=True)


if __name__ == "__main__":
    main()
