"""What learning from fewer accounts, or from fewer rows that stayed, saves and costs: measured where the truth is known.

    python benchmarks/sampling.py --quick                     # one company of 1,000 accounts, three samples; about a minute
    python benchmarks/sampling.py --accounts 10000 --seeds 3 --keep sampling.jsonl

Each company is simulated and written to files. For each sample a fresh process reads them, builds rows and fits a model as
`staypower train` does; its processor time and peak memory are those until then. Every model then predicts all rows of the same
three later cutoffs, whatever it learned from, and is held against the true probabilities by the measures of `reach.py`:

- `reach`: AUROC - 0.5 of the model over that of the true probabilities, summed over companies before they are divided.
- `calibration error`, `excess log loss`, `base rate`: the means over companies; base rate is mean prediction over mean truth.
- `uncorrected`: the base rate that the same model would give if its odds were not corrected.

A model that stands in the file given with `--keep` is not measured again, so that a long run can be continued.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from measuring import compare, machine, peak_megabytes
from reach import CONFIG, TEST, calibration_error, expected_auroc, expected_log_loss, reach_of
from scipy.special import expit

from staypower import load_config, simulate
from staypower.cutoffs import instant_of
from staypower.dataset.building import build_dataset
from staypower.engines.opening import load_tables
from staypower.features.builder import build_matrix
from staypower.labels.churn import find_labels
from staypower.models.fitting import fit_classifier
from staypower.pipelines.preparing import open_to_train
from staypower.progress import Progress

SAMPLES = ("", "accounts=0.5", "accounts=0.25", "negatives=0.5", "negatives=0.25", "negatives=0.1")
QUICK = ("", "accounts=0.5", "negatives=0.25")
_QUIET = Progress(quiet=True)


@dataclass(frozen=True)
class Measured:
    """One model of one company: what it learned from and cost, and how near it came to the truth."""

    sample: str
    accounts: int
    seed: int
    learned_accounts: int
    churned: int
    stayed: int
    features: int
    true_above: float
    found_above: float
    calibration_error: float
    excess_log_loss: float
    base_rate: float
    uncorrected: float
    cpu_seconds: float
    peak_megabytes: float


def learn(folder: Path, sample: str, accounts: int, seed: int) -> dict[str, Any]:
    """Read, build and fit, then predict everybody's later rows."""
    overrides = [f"sampling.{sample}"] if sample else []
    settings = load_config(folder / "config.yaml", overrides=overrides)
    begun = time.process_time()
    tables, sampling = open_to_train(settings, progress=_QUIET)
    shown = {"label": settings.label, "features": settings.features, "cutoffs": settings.cutoffs}
    dataset = build_dataset(tables, **shown, sampling=sampling)
    model = fit_classifier(dataset, settings.model)
    spent, peak = time.process_time() - begun, peak_megabytes()
    truth, X = _later(folder, settings, dataset)
    odds = model.decision_function(X[list(model.feature_names_in_)])
    found, plain = expit(odds), expit(odds - np.log(sampling.negatives))
    learned = dataset.part("training", "calibration")
    return asdict(
        Measured(
            sample=sample,
            accounts=accounts,
            seed=seed,
            learned_accounts=learned.distinct_accounts,
            churned=len(learned.churned),
            stayed=len(learned) - len(learned.churned),
            features=dataset.X.shape[1],
            true_above=expected_auroc(truth, truth) - 0.5,
            found_above=expected_auroc(truth, found) - 0.5,
            calibration_error=calibration_error(truth, found),
            excess_log_loss=expected_log_loss(truth, found) - expected_log_loss(truth, truth),
            base_rate=float(found.mean() / truth.mean()),
            uncorrected=float(plain.mean() / truth.mean()),
            cpu_seconds=spent,
            peak_megabytes=peak,
        )
    )


def _later(folder: Path, settings: Any, dataset: Any) -> tuple[np.ndarray, pd.DataFrame]:
    """Build the features of everybody at the test cutoffs, by what the model has learned, and find the true probabilities."""
    tables, _ = load_tables(settings.sources, progress=_QUIET)
    cutoffs = np.array([instant_of(text) for text in TEST])
    labels = find_labels(tables, settings.label, cutoffs)
    known = labels.churned >= 0
    matrix = build_matrix(tables, dataset.catalogue, accounts=labels.population.accounts, cutoffs=cutoffs, rows=known)
    truth = pd.read_parquet(folder / "truth.parquet")
    moments = pd.to_datetime(matrix.cutoffs, unit="us", utc=True).as_unit("us")
    by_key = truth.set_index([truth["account_id"].astype(str), truth["cutoff"]])
    keys = pd.MultiIndex.from_arrays([matrix.accounts.astype(str), moments])
    return by_key.loc[keys, "churn_probability"].to_numpy(dtype=np.float64), matrix.features


def write_company(folder: Path, accounts: int, seed: int, copies: int) -> None:
    """Simulate a company and write its tables, its config and the truth."""
    company = simulate(accounts, months=30, seed=seed, cutoffs=list(TEST), siblings=(), copies=copies)
    config = CONFIG
    for name, table in company.tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
        config = config.replace(f"source: {name}", f"source: {name}.parquet")
    company.truth.to_parquet(folder / "truth.parquet")
    (folder / "config.yaml").write_text(config)


def table_of(measured: Sequence[Measured]) -> str:
    """Write one line a sample."""
    head = ["sample", "companies", "accounts", "churned", "stayed", "reach", "calibration error", "excess log loss"]
    head += ["base rate", "uncorrected", "CPU s", "peak MB"]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for sample in dict.fromkeys(each.sample for each in measured):
        own = [each for each in measured if each.sample == sample]
        mean = pd.DataFrame([asdict(each) for each in own]).mean(numeric_only=True)
        counts = [f"{mean[name]:,.0f}" for name in ("learned_accounts", "churned", "stayed")]
        quality = [f"{reach_of(own)[0]:.3f}", f"{mean.calibration_error:.4f}", f"{mean.excess_log_loss:.4f}"]
        rates = [f"{mean.base_rate:.3f}", f"{mean.uncorrected:.3f}"]
        costs = [f"{mean.cpu_seconds:.1f}", f"{mean.peak_megabytes:,.0f}"]
        lines.append([sample or "everything", str(len(own)), *counts, *quality, *rates, *costs])
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=10_000, help="size of the companies")
    parser.add_argument("--seeds", type=int, default=3, help="how many companies")
    parser.add_argument("--copies", type=int, default=64, help="look-aheads per account for its true probability")
    parser.add_argument(
        "--samples", nargs="+", default=list(SAMPLES), help="such as `negatives=0.25`; an empty one: everything"
    )
    parser.add_argument("--keep", type=Path, help="file of the models measured so far, one JSON line each")
    parser.add_argument("--quick", action="store_true", help="one company of 1,000 accounts, three samples")
    asked = parser.parse_args()
    accounts, seeds, samples = (1_000, 1, QUICK) if asked.quick else (asked.accounts, asked.seeds, asked.samples)
    kept = asked.keep.read_text().splitlines() if asked.keep and asked.keep.exists() else []
    measured = [Measured(**json.loads(line)) for line in kept]
    done = {(each.sample, each.accounts, each.seed) for each in measured}
    for seed in range(seeds):
        missing = [sample for sample in samples if (sample, accounts, seed) not in done]
        if not missing:
            continue
        with tempfile.TemporaryDirectory() as place:
            write_company(Path(place), accounts, seed, asked.copies)
            for sample in missing:
                told = compare({sample: partial(learn, Path(place), sample, accounts, seed)}, repeats=1)
                measured.append(Measured(**told[0].result))
                if asked.keep:
                    with asked.keep.open("a") as file:
                        file.write(json.dumps(asdict(measured[-1])) + "\n")
    chosen = [each for each in measured if each.accounts == accounts and each.sample in samples]
    print(f"{accounts:,} accounts, {machine()}\n")
    print(table_of(sorted(chosen, key=lambda each: samples.index(each.sample))))


if __name__ == "__main__":
    main()
