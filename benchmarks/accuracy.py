"""How well churn is predicted, beside what a team would do without this package, on the same cutoffs and the same rows.

    export STAYPOWER_DATA=FOLDER
    python benchmarks/accuracy.py -c configs/online_retail.yaml --simulate 2000 --seeds 1 2 3 --featuretools /path/to/python

Every way learns from the same accounts at the same training and calibration cutoffs and is judged on the same later rows:

- staypower: what `staypower train` fits, with the shipped defaults.
- recency rule: the longer silent, the likelier to leave.
- logistic regression: regularised, on staypower's features.
- LightGBM defaults: LightGBM as it comes, on staypower's features.
- LightGBM, 90-day counts: LightGBM's defaults on the rows of each table in the last 90 days.
- LightGBM, Featuretools: LightGBM's defaults on deep feature synthesis (`featuretools_matrix.py`).
- Featuretools, our model: the same features with staypower's way of training, so that features and training are told apart.
- BG/NBD: where purchases are the label (`bg_nbd.py`).
- truth: the simulator's own probabilities, which nobody can beat but by luck.

`-c` takes any config with a temporal test; `--simulate` adds simulated companies, the seeds pooled. In brackets: 95 % intervals
from a bootstrap over accounts; differences are paired.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
from bg_nbd import fit_bg_nbd, histories
from deep_features import Featuretools
from numpy.typing import NDArray
from reach import CONFIG, TEST

from staypower import ChurnClassifier, build_dataset, load_config, read_tables, simulate
from staypower.config.settings import Settings
from staypower.cutoffs import ALWAYS, DAY, text_of
from staypower.dataset.building import Dataset
from staypower.evaluation.baselines import lightgbm_baseline, recency_rule
from staypower.evaluation.logistic import logistic_baseline
from staypower.evaluation.measures import paired_difference
from staypower.evaluation.resampling import estimate, row_weights
from staypower.features.streams.making import make_stream
from staypower.labels.settings import NonContractualLabel
from staypower.metrics.probability import calibration_error, log_losses
from staypower.metrics.ranking import Ranking
from staypower.models.fitting import fit_classifier
from staypower.tables import Table, Tables

Floats = NDArray[np.float64]

OURS, TRUTH = "staypower", "truth"
RANKS_ONLY = ("recency rule",)
_RECENCY = ("days_since_last_use", "days_since_last_order")
_WINDOW = 90


@dataclass(frozen=True)
class Case:
    """One company: its tables, its rows, and the true probabilities of the test rows where they are known."""

    name: str
    settings: Settings
    tables: Tables
    dataset: Dataset
    truth: Floats | None = None

    @property
    def learned(self) -> NDArray[np.bool_]:
        """Rows to learn from."""
        return self.dataset.rows("training", "calibration")

    @property
    def test(self) -> NDArray[np.bool_]:
        """Rows to judge on."""
        return self.dataset.rows("test")


@dataclass
class Judged:
    """Labels and scores of the test rows, of one company or of several pooled."""

    name: str
    churned: list[NDArray[np.int8]] = field(default_factory=list)
    accounts: list[NDArray[np.object_]] = field(default_factory=list)
    scores: dict[str, list[Floats]] = field(default_factory=dict)
    facts: list[str] = field(default_factory=list)


def configured(path: Path) -> Case:
    """Read the company of a config."""
    settings = load_config(path)
    tables = read_tables(settings)
    dataset = build_dataset(settings, tables)
    if dataset.plan.split == "snapshot":
        raise SystemExit(f"{path}: a snapshot has no later rows to judge on")
    return Case(settings.name, settings, tables, dataset)


def simulated(accounts: int, seed: int) -> Case:
    """Simulate a company whose true probabilities are known."""
    made = simulate(accounts, months=30, seed=seed, cutoffs=list(TEST), copies=64)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(CONFIG)
        settings = load_config(path)
    tables = read_tables(settings, {name: made.tables[name] for name in settings.tables})
    dataset = build_dataset(settings, tables)
    keys = dataset.part("test").keys
    known = made.truth.set_index([made.truth["account_id"].astype(str), "cutoff"]).loc[keys]
    return Case(f"simulated, seed {seed}", settings, tables, dataset, known["churn_probability"].to_numpy(dtype=np.float64))


def ours(case: Case) -> Floats:
    """Predict as `staypower train` and `staypower score` do."""
    return np.asarray(fit_classifier(case.dataset, case.settings.model).predict_proba(case.dataset.part("test").X)[:, 1])


def recency(case: Case) -> Floats | None:
    """Score by silence."""
    X = case.dataset.part("test").X
    present = [column for column in _RECENCY if column in X]
    return np.asarray(recency_rule(X, present)) if present else None


def logistic(case: Case) -> Floats:
    """Predict with a logistic regression on staypower's features."""
    learned, test = case.dataset.part("training", "calibration"), case.dataset.part("test")
    found = logistic_baseline(learned.X, learned.y, test.X, case.dataset.matrix.categories, accounts=learned.accounts)
    return np.asarray(found)


def defaults(case: Case) -> Floats:
    """Predict with LightGBM as it comes, on staypower's features."""
    learned, test = case.dataset.part("training", "calibration"), case.dataset.part("test")
    return lightgbm_baseline(learned.X, learned.y, test.X, case.dataset.matrix.categories)


def plain_lightgbm(case: Case, X: pd.DataFrame) -> Floats:
    """Predict with LightGBM as it comes."""
    model = lightgbm.LGBMClassifier(random_state=0, n_jobs=1, verbosity=-1)
    features = X.to_numpy(dtype=np.float64)
    model.fit(features[case.learned], case.dataset.y[case.learned])
    return np.asarray(model.predict_proba(features[case.test])[:, 1])


def counts(case: Case) -> Floats:
    """Predict from how many rows each table has of an account in the last 90 days."""
    data = case.dataset.matrix
    columns = {}
    for name, table in case.tables.items():
        if name == "accounts":
            continue
        accounts, instants = _events(table)
        order = np.lexsort((instants, accounts))
        keys = np.rec.fromarrays([accounts[order], instants[order]])
        first, last = (
            np.searchsorted(keys, np.rec.fromarrays([_names(data.accounts), data.cutoffs - days * DAY]))
            for days in (_WINDOW, 0)
        )
        columns[name] = (last - first).astype(np.float64)
    return plain_lightgbm(case, pd.DataFrame(columns))


def _names(accounts: NDArray[np.object_]) -> NDArray[np.str_]:
    return accounts.astype("U64")


def _events(table: Table) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """Return account and own time of the rows that have one."""
    accounts = _names(np.asarray(table.data.column("account_id").to_pandas(), dtype=object))
    instants = table.own_instants()
    known = instants > ALWAYS
    return accounts[known], instants[known]


def buying(case: Case) -> Floats | None:
    """Predict with BG/NBD, where a purchase is what the label waits for."""
    label = case.settings.label
    if not isinstance(label, NonContractualLabel) or label.table != "orders" or label.gap:
        return None
    orders = make_stream("orders", case.tables, case.settings.features)
    data, plan = case.dataset.matrix, case.dataset.plan
    names = np.unique(np.asarray(orders.data.column("account_id").to_pandas(), dtype=object).astype(str))
    account = np.searchsorted(names, np.asarray(orders.data.column("account_id").to_pandas(), dtype=object).astype(str))
    days = orders.instants("at") / DAY
    # fitted to everybody known at the last cutoff that anything is learned at
    until = np.full(len(names), plan.trained_until / DAY)
    known = [part[~np.isnan(part)] for part in histories(account, days, np.arange(len(names)), until)]
    model = fit_bg_nbd(*known)
    asked = np.searchsorted(names, data.accounts[case.test].astype(str))
    x, t_x, T = histories(account, days, asked, data.cutoffs[case.test] / DAY)
    return model.no_purchase(x, t_x, T, label.horizon)


def our_training(case: Case, X: pd.DataFrame) -> Floats:
    """Predict with staypower's way of training on other features."""
    data, learned = case.dataset, case.dataset.part("training", "calibration")
    chosen = case.settings.model.model_copy(update={"split": "temporal" if data.plan.split == "temporal" else "grouped"})
    if data.plan.split == "temporal":
        chosen = chosen.model_copy(update={"calibration_cutoffs": len(data.plan.calibration)})
    named = X.set_axis([f"x{number}" for number in range(X.shape[1])], axis=1)
    codes = [name for name, told in zip(named, X, strict=True) if told.startswith("category ")]
    model = ChurnClassifier.from_settings(chosen, embargo_days=data.plan.embargo, categorical_features=codes or None)
    model.fit(named.iloc[learned.index], learned.y, cutoffs=learned.cutoffs, accounts=learned.accounts)
    return np.asarray(model.predict_proba(named[case.test])[:, 1])


def score(case: Case, featuretools: Featuretools | None) -> dict[str, Floats]:
    """Score the test rows in every way that the case allows."""
    ways: dict[str, Callable[[Case], Floats | None]] = {
        OURS: ours,
        "recency rule": recency,
        "logistic regression": logistic,
        "LightGBM defaults": defaults,
        "LightGBM, 90-day counts": counts,
        "BG/NBD": buying,
    }
    found = {}
    for name, way in ways.items():
        start = time.process_time()
        scores = way(case)
        if scores is not None:
            found[name] = scores
            print(f"{case.name}: {name}: {time.process_time() - start:.1f} s of CPU", file=sys.stderr)
    if featuretools:
        deep = featuretools.features(case.name, case.tables, case.dataset.matrix)
        found["LightGBM, Featuretools"] = plain_lightgbm(case, deep)
        found["Featuretools, our model"] = our_training(case, deep)
    if case.truth is not None:
        found[TRUTH] = case.truth
    return found


def pool(name: str, cases: Sequence[Case], featuretools: Featuretools | None) -> Judged:
    """Score the cases and put their rows together."""
    judged = Judged(name)
    for case in cases:
        plan, test = case.dataset.plan, case.dataset.part("test")
        judged.churned.append(test.y)
        judged.accounts.append(np.array([f"{case.name} {account}" for account in test.accounts], dtype=object))
        for way, scores in score(case, featuretools).items():
            judged.scores.setdefault(way, []).append(scores)
        cutoffs, tested = len(plan.training) + len(plan.calibration), ", ".join(text_of(int(at)) for at in plan.test)
        learned = f"{int(case.learned.sum()):,} rows at {cutoffs} cutoffs until {text_of(plan.trained_until)}"
        judged.facts.append(f"- {case.name}: learned from {learned}, tested on {len(test):,} rows at {tested}")
    return judged


def table(judged: Judged, replicates: int) -> str:
    """Write the results as a Markdown table."""
    churned, accounts = np.concatenate(judged.churned), np.concatenate(judged.accounts)
    number = np.unique(accounts, return_inverse=True)[1]
    scores = {way: np.concatenate(parts) for way, parts in judged.scores.items()}
    head = [
        "",
        "AUROC",
        "average precision",
        "log loss",
        "calibration error",
        "staypower minus it: AUROC",
        "log loss",
    ]
    lines = [f"### {judged.name}", "", *judged.facts, ""]
    lines += [f"{len(churned):,} rows of {number.max() + 1:,} accounts, {churned.mean():.1%} churned.", ""]
    lines += [f"| {' | '.join(head)} |", f"|{'|'.join(['---', *['---:'] * (len(head) - 1)])}|"]
    for way, score_of in scores.items():
        cells = [way, *_measured(churned, score_of, number, replicates, probability=way not in RANKS_ONLY)]
        cells += ["", ""] if way == OURS else _apart(churned, scores[OURS], score_of, number, replicates, way not in RANKS_ONLY)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _measured(
    churned: NDArray[np.int8], score_of: Floats, number: NDArray[np.intp], replicates: int, *, probability: bool
) -> list[str]:
    ranking = Ranking(churned, score_of)
    drawn = np.array(
        [(tally.auroc(), tally.average_precision()) for tally in map(ranking.tally, row_weights(number, replicates, 0))]
    )
    tally = ranking.tally()
    cells = []
    for value, samples in ((tally.auroc(), drawn[:, 0]), (tally.average_precision(), drawn[:, 1])):
        found = estimate(value, samples)
        cells.append(f"{found.value:.3f} ({found.low:.3f}-{found.high:.3f})")
    if not probability:
        return [*cells, "", ""]
    return [*cells, f"{log_losses(churned, score_of).mean():.4f}", f"{calibration_error(churned, score_of):.4f}"]


def _apart(
    churned: NDArray[np.int8], mine: Floats, theirs: Floats, number: NDArray[np.intp], replicates: int, probability: bool
) -> list[str]:
    cells = []
    for metric, digits in (("auroc", 3), ("log_loss", 4)):
        if metric == "log_loss" and not probability:
            cells.append("")
            continue
        found = paired_difference(churned, mine, theirs, number, metric, replicates=replicates)
        cells.append(f"{found.value:+.{digits}f} ({found.low:+.{digits}f} to {found.high:+.{digits}f})")
    return cells


def main() -> None:
    """Print a table for each data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--config", type=Path, action="append", default=[], metavar="FILE")
    parser.add_argument("--simulate", type=int, metavar="ACCOUNTS", help="add simulated companies of this size")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--featuretools", metavar="PYTHON", help="interpreter that has featuretools")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep Featuretools' features here between runs")
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--quick", action="store_true", help="one simulated company of 500 accounts")
    given = parser.parse_args()
    groups: list[tuple[str, Callable[[], list[Case]]]] = [
        (f"{path.stem}", lambda path=path: [configured(path)]) for path in given.config
    ]
    size = 500 if given.quick else given.simulate
    if size:
        seeds = given.seeds[:1] if given.quick else given.seeds
        name = f"simulated, {size:,} accounts, seeds {', '.join(map(str, seeds))}"
        groups.append((name, lambda: [simulated(size, seed) for seed in seeds]))
    deep = Featuretools(given.featuretools, given.keep) if given.featuretools else None
    for name, cases in groups:
        print(table(pool(name, cases(), deep), given.replicates), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
