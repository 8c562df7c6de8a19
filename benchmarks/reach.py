"""How much of what can be known the model finds: measured where the true probabilities are known.

    python benchmarks/reach.py --quick                        # two companies of 2,000 accounts; about a minute
    python benchmarks/reach.py --accounts 2000 20000 --seeds 20 --keep reach.jsonl
    python benchmarks/reach.py --accounts 2000 --seeds 5 --together 8      # learn from 8 more companies of the size as well

Each company is simulated, its rows are built and a model is fitted exactly as `staypower train` does with default settings;
the three test cutoffs lie later than everything learned from. On the test rows the model's probabilities are held against
the true ones:

- `reach`: AUROC - 0.5 of the model over that of the true probabilities, both against everything that could have happened
  (not only what did), summed over companies before they are divided. Interval: bootstrap over companies.
- `calibration error`: ten groups of equal size by predicted probability; mean distance between the mean prediction and
  the mean true probability of a group; the mean over companies.
- `excess log loss`: expected log loss above what the true probabilities themselves lose; 0 is perfect.
- `base rate`: mean prediction over mean truth.

The true probability knows each account's inner state, which no table shows: it is a bound that no model can meet. With
`--together` the same features are learned from many more companies: what is still lost then, the features do not tell.
A company that stands in the file given with `--keep` is not measured again, so that a long run can be continued.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from staypower import ChurnClassifier, build_dataset, load_config, read_tables, simulate
from staypower.config.settings import Settings
from staypower.cutoffs import text_of
from staypower.dataset.building import Dataset
from staypower.models.fitting import fit_classifier

Floats = NDArray[np.float64]

TEST = ("2025-01-02", "2025-02-01", "2025-03-03")
OTHERS = 1000  # seeds of the companies learned from together with the one tested
GROUPS, REPLICATES = 10, 4000
GOAL, ALLOWED = 0.9, 0.02
CONFIG = """
name: benchmark
observed_until: 2025-06-30
tables:
  accounts: {source: accounts, static: [segment, region]}
  usage: {source: usage}
  tickets: {source: tickets, fixed: [priority, category]}
  surveys: {source: surveys}
  subscriptions: {source: subscriptions}
  payments: {source: payments}
  advocacy: {source: advocacy}
  goals: {source: goals}
label: {kind: contractual, horizon: 90, grace: 30, involuntary: [payment, card]}
"""


@dataclass(frozen=True)
class Measured:
    """One company: AUROC above a coin's, of the truth and of the model, and what the model's probabilities lose."""

    accounts: int
    seed: int
    together: int
    rows: int
    churned_accounts: int
    true_above: float
    found_above: float
    calibration_error: float
    excess_log_loss: float
    base_rate: float
    trees: int
    cpu_seconds: float
    split: str


def prepare(accounts: int, seed: int, copies: int) -> tuple[Settings, Dataset, Floats]:
    """Simulate a company, build its rows, and find the true probability of each test row."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.yaml").write_text(CONFIG)
        settings = load_config(Path(folder) / "config.yaml")
    company = simulate(accounts, months=30, seed=seed, cutoffs=list(TEST), siblings=(), copies=copies)
    dataset = build_dataset(settings, read_tables(settings, company.tables))
    if tuple(text_of(int(cutoff)) for cutoff in dataset.plan.test) != TEST:
        raise SystemExit(f"the plan's test cutoffs moved: {dataset.plan.to_dict()['test']}")
    truth = company.truth.set_index([company.truth["account_id"].astype(str), company.truth["cutoff"]])
    known = truth.loc[dataset.part("test").keys, "churn_probability"]
    return settings, dataset, known.to_numpy(dtype=np.float64)


def fit_together(dataset: Dataset, others: Sequence[Dataset]) -> ChurnClassifier:
    """Fit one model to the learning rows of several companies, their accounts kept apart."""
    parts = [dataset, *others]
    names = [name for name in dataset.X if all(name in part.X for part in parts)]
    learned = [part.part("training", "calibration") for part in parts]
    model = ChurnClassifier(
        embargo_days=dataset.plan.embargo,
        calibration_cutoffs=len(dataset.plan.calibration) or None,
        categorical_features=[name for name in dataset.matrix.categories if name in names],
    )
    return model.fit(
        pd.concat([rows.X[names] for rows in learned], ignore_index=True),
        np.concatenate([rows.y for rows in learned]),
        cutoffs=np.concatenate([rows.cutoffs for rows in learned]),
        accounts=np.concatenate([[f"{n} {name}" for name in rows.accounts] for n, rows in enumerate(learned)]),
    )


def measure(accounts: int, seed: int, copies: int, together: int) -> Measured:
    """Simulate, fit and compare with the truth."""
    settings, dataset, truth = prepare(accounts, seed, copies)
    others = [prepare(accounts, OTHERS + seed * together + number, 2)[1] for number in range(together)]
    begun = time.process_time()
    model = fit_together(dataset, others) if others else fit_classifier(dataset, settings.model)
    spent = time.process_time() - begun
    learned = dataset.part("training", "calibration")
    found = model.predict_proba(dataset.part("test").X[list(model.feature_names_in_)])[:, 1]
    return Measured(
        accounts=accounts,
        seed=seed,
        together=together,
        rows=len(learned),
        churned_accounts=learned.churned.distinct_accounts,
        true_above=expected_auroc(truth, truth) - 0.5,
        found_above=expected_auroc(truth, found) - 0.5,
        calibration_error=calibration_error(truth, found),
        excess_log_loss=expected_log_loss(truth, found) - expected_log_loss(truth, truth),
        base_rate=float(found.mean() / truth.mean()),
        trees=model.best_iteration_,
        cpu_seconds=spent,
        split=model.split_.split(":")[0],
    )


def expected_auroc(truth: Floats, score: Floats) -> float:
    """Return the AUROC of scores against outcomes drawn from the true probabilities; equal scores count half."""
    order = np.argsort(score, kind="stable")
    churns, stays = truth[order], 1.0 - truth[order]
    begins = np.concatenate([[0], np.flatnonzero(np.diff(score[order])) + 1])
    leaving, staying, itself = (np.add.reduceat(each, begins) for each in (churns, stays, churns * stays))
    below = np.concatenate([[0.0], np.cumsum(staying)[:-1]])
    pairs = (leaving * below).sum() + 0.5 * (leaving * staying - itself).sum()
    return float(pairs / (churns.sum() * stays.sum() - itself.sum()))


def expected_log_loss(truth: Floats, found: Floats) -> float:
    """Return the log loss that probabilities have on average over everything that could have happened."""
    inside = np.clip(found, 1e-9, 1 - 1e-9)
    return float(-(truth * np.log(inside) + (1 - truth) * np.log(1 - inside)).mean())


def calibration_error(truth: Floats, found: Floats) -> float:
    """Return the mean distance of mean prediction and mean truth over groups of equal size."""
    groups = np.array_split(np.argsort(found, kind="stable"), GROUPS)
    return float(sum(abs(found[rows].mean() - truth[rows].mean()) * len(rows) for rows in groups) / len(found))


def reach_of(measured: Sequence[Measured]) -> tuple[float, float, float]:
    """Return the pooled reach and its 95 % interval over companies."""
    true, found = (np.array([getattr(each, name) for each in measured]) for name in ("true_above", "found_above"))
    drawn = np.random.default_rng(0).integers(0, len(true), (REPLICATES, len(true)))
    low, high = np.quantile(found[drawn].sum(axis=1) / true[drawn].sum(axis=1), [0.025, 0.975])
    return float(found.sum() / true.sum()), float(low), float(high)


def table_of(measured: Iterable[Measured]) -> str:
    """Write one line a size."""
    lines = [
        "accounts  together  companies  reach  95 % interval    true AUROC  found AUROC  calibration error  "
        "excess log loss  base rate  trees  CPU s"
    ]
    groups: dict[tuple[int, int], list[Measured]] = {}
    for each in measured:
        groups.setdefault((each.accounts, each.together), []).append(each)
    for (accounts, together), each in sorted(groups.items()):
        mean = pd.DataFrame([asdict(one) for one in each]).mean(numeric_only=True)
        reach, low, high = reach_of(each)
        lines.append(
            f"{accounts:8d}  {together:8d}  {len(each):9d}  {reach:.3f}  {low:.3f} to {high:.3f}  "
            f"{0.5 + mean.true_above:10.3f}  {0.5 + mean.found_above:11.3f}  {mean.calibration_error:17.4f}  "
            f"{mean.excess_log_loss:15.4f}  "
            f"{mean.base_rate:9.3f}  {mean.trees:5.0f}  {mean.cpu_seconds:5.1f}"
        )
        met = [f"reach {'meets' if reach >= GOAL else 'misses'} {GOAL:.2f}"]
        met.append(f"calibration error {'within' if mean.calibration_error <= ALLOWED else 'above'} {ALLOWED:.2f}")
        lines.append(f"          {', '.join(met)}; {mean.churned_accounts:.0f} churned accounts to learn from, {each[0].split}")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, nargs="+", default=[2000], help="sizes of the companies")
    parser.add_argument("--seeds", type=int, default=5, help="companies of each size")
    parser.add_argument("--first", type=int, default=0, help="seed of the first company")
    parser.add_argument("--together", type=int, default=0, help="learn from so many more companies of the size as well")
    parser.add_argument("--copies", type=int, default=96, help="look-aheads per account for its true probability")
    parser.add_argument("--keep", type=Path, help="file of the companies measured so far, one JSON line each")
    parser.add_argument("--quick", action="store_true", help="two companies of 2,000 accounts")
    asked = parser.parse_args()
    sizes, seeds = ([2000], 2) if asked.quick else (asked.accounts, asked.seeds)
    kept = asked.keep.read_text().splitlines() if asked.keep and asked.keep.exists() else []
    measured = [Measured(**json.loads(line)) for line in kept]
    done = {(each.accounts, each.seed, each.together) for each in measured}
    for accounts in sizes:
        for seed in range(asked.first, asked.first + seeds):
            if (accounts, seed, asked.together) in done:
                continue
            measured.append(measure(accounts, seed, asked.copies, asked.together))
            if asked.keep:
                with asked.keep.open("a") as file:
                    file.write(json.dumps(asdict(measured[-1])) + "\n")
    print(table_of(measured))


if __name__ == "__main__":
    main()
