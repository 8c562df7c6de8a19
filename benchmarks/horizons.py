"""Which way of predicting other horizons is best, measured where the truth is known.

    python benchmarks/horizons.py --accounts 2000 --seeds 1 2 3
    python benchmarks/horizons.py --kinds --accounts 500 --seeds 3 4
    python benchmarks/horizons.py --days --accounts 2000 --seeds 1

Every way sees the same rows, is reconciled to the same churn model, and is judged on later cutoffs against the simulator's
true probabilities. `excess` is the expected log loss above what the true probabilities themselves lose (0 is perfect); `mean`
is the mean prediction over the mean truth; `pinned` the share of accounts where a horizon had to be cut to another's value;
`falls` and `apart` describe the way before reconciling: accounts whose probability falls with the horizon, and the mean
distance to the churn model at its own horizon.

With `--kinds` the trees that learn P(voluntary | churn) are judged beside one share for everybody, each account counted by its
true churn probability; `rarer` is the number of training accounts that churned in the rarer way.

With `--days` the expected days to churn within 180 are judged: by the true curve read every 10 days, by the true curve read at
the three horizons alone, and by the model.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from reach import CONFIG, TEST

from staypower import ChurnClassifier, build_dataset, load_config, read_tables, simulate
from staypower.cutoffs import DAY, instant_of, text_of
from staypower.dataset.building import Dataset
from staypower.labels.churn import find_horizon_labels
from staypower.labels.settings import ContractualLabel
from staypower.models import secondary
from staypower.models.secondary import HorizonModel, fit_horizons, fit_kinds
from staypower.models.settings import HorizonSettings, ModelSettings
from staypower.tables import Tables

Floats = NDArray[np.float64]
Curves = dict[int, Floats]

HORIZONS, OWN = (30, 90, 180), 90
OTHERS = tuple(days for days in HORIZONS if days != OWN)


@dataclass(frozen=True)
class Case:
    """One simulated company, ready to learn from and judge on."""

    dataset: Dataset
    churned: NDArray[np.int8]
    truth: Curves

    voluntary: Floats
    tables: Tables
    label: ContractualLabel

    @property
    def learned(self) -> NDArray[np.bool_]:
        """Rows to learn from."""
        return self.dataset.rows("training", "calibration")

    @property
    def X_test(self) -> pd.DataFrame:  # noqa: N802 - scikit-learn's name
        """Features to judge on."""
        return self.dataset.part("test").X

    def complete(self, days: int) -> NDArray[np.bool_]:
        """Rows to learn a horizon from."""
        return self.learned & (self.at(days) >= 0)

    def at(self, days: int) -> NDArray[np.int8]:
        """Labels of a horizon."""
        return self.churned[HORIZONS.index(days)]

    def fit(self, rows: NDArray[np.bool_], labels: NDArray[np.int8], more: pd.Series | None = None, **given: object) -> Floats:
        """Fit the package's classifier to some rows and predict the test rows."""
        chosen, categories = self.dataset.where(rows), list(self.dataset.matrix.categories)
        model = ChurnClassifier(**{"split": "grouped", "categorical_features": categories, **given})
        model.fit(chosen.X, labels[chosen.index], cutoffs=chosen.cutoffs, accounts=chosen.accounts)
        return model.predict_proba(self.X_test)[:, 1]


def prepare(accounts: int, seed: int, siblings: tuple[int, ...] = OTHERS) -> Case:
    """Simulate a company and build its rows."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.yaml").write_text(CONFIG)
        settings = load_config(Path(folder) / "config.yaml")
    company = simulate(accounts, months=30, seed=seed, cutoffs=list(TEST), siblings=siblings)
    tables = read_tables(settings, company.tables)
    dataset = build_dataset(settings, tables)
    plan, matrix = dataset.plan, dataset.matrix
    if tuple(text_of(int(cutoff)) for cutoff in plan.test) != TEST:
        raise SystemExit(f"the plan's test cutoffs moved: {plan.to_dict()['test']}")
    labels = find_horizon_labels(tables, settings.label, plan.all, HORIZONS, known_until=int(plan.test[0]))
    ids = np.asarray(labels.population.accounts, dtype=str)
    churned = labels.churned[:, np.searchsorted(ids, matrix.accounts.astype(str)), np.searchsorted(plan.all, matrix.cutoffs)]
    truth = company.truth.set_index([company.truth["account_id"].astype(str), company.truth["cutoff"]])
    rows = truth.loc[dataset.part("test").keys]
    columns = {days: "churn_probability" if days == OWN else f"churn_probability_{days}d" for days in sorted({*siblings, OWN})}
    known = {days: rows[name].to_numpy(dtype=np.float64) for days, name in columns.items()}
    return Case(dataset, churned, known, rows["p_voluntary"].to_numpy(dtype=np.float64), tables, settings.label)


def per_horizon(case: Case, own: Floats) -> Curves:
    """One classifier a horizon."""
    return {days: case.fit(case.complete(days), case.at(days)) for days in HORIZONS}


def hazards(case: Case, own: Floats) -> Curves:
    """One classifier an interval, each on the accounts that are still there when it begins."""
    staying, before, found = np.ones(len(own)), None, {}
    for days in HORIZONS:
        rows = case.complete(days) & (case.at(before) == 0 if before else True)
        staying = staying * (1 - case.fit(rows, case.at(days)))
        found[days], before = 1 - staying, days
    return found


def stacked_hazard(case: Case, own: Floats) -> Curves:
    """One classifier for all intervals, the interval being a feature."""
    matrix, parts, before = case.dataset.matrix, [], None
    for number, days in enumerate(HORIZONS):
        rows = case.complete(days) & (case.at(before) == 0 if before else True)
        chosen = case.dataset.where(rows)
        frame = chosen.X.assign(interval=float(number))
        parts.append((frame, case.at(days)[rows], chosen.accounts, chosen.cutoffs))
        before = days
    X = pd.concat([part[0] for part in parts])
    y, accounts, cutoffs = (np.concatenate([part[n] for part in parts]) for n in (1, 2, 3))
    model = ChurnClassifier(split="grouped", categorical_features=list(matrix.categories))
    model.fit(X, y, accounts=accounts, cutoffs=cutoffs)
    staying, found = np.ones(len(own)), {}
    for number, days in enumerate(HORIZONS):
        staying = staying * (1 - model.predict_proba(case.X_test.assign(interval=float(number)))[:, 1])
        found[days] = 1 - staying
    return found


def conditional(case: Case, own: Floats) -> Curves:
    """Hazards on either side of the churn model's own horizon: when, among those who churn; whether later, among the rest."""
    found, share, after = {OWN: own}, np.ones(len(own)), OWN
    for days in sorted((days for days in HORIZONS if days < OWN), reverse=True):
        rows = case.complete(after) & (case.at(after) == 1)
        share = share * case.fit(rows, case.at(days), num_leaves=4, max_depth=2, l2=10.0)
        found[days], after = own * share, days
    staying, before = 1 - own, OWN
    for days in (days for days in HORIZONS if days > OWN):
        staying = staying * (1 - case.fit(case.complete(days) & (case.at(before) == 0), case.at(days)))
        found[days], before = 1 - staying, days
    return found


def constant_hazard(case: Case, own: Floats) -> Curves:
    """No second model: the churn model's own probability, spread evenly in time."""
    return {days: 1 - (1 - own) ** (days / OWN) for days in HORIZONS}


def by_ratio(curves: Curves, own: Floats) -> Curves:
    """Keep the shape of the curve on either side of the own horizon."""
    at = np.clip(curves[OWN], 1e-9, 1 - 1e-9)
    short = {days: own * np.minimum(curves[days] / at, 1) for days in HORIZONS if days < OWN}
    long = {days: 1 - (1 - own) * np.minimum((1 - curves[days]) / (1 - at), 1) for days in HORIZONS if days > OWN}
    return {**short, OWN: own, **long}


def by_cutting(curves: Curves, own: Floats) -> Curves:
    """Keep the values, cut where they would cross the own horizon's or each other's."""
    rising = dict(zip(HORIZONS, np.maximum.accumulate([curves[days] for days in HORIZONS]), strict=True))
    short = {days: np.minimum(rising[days], own) for days in HORIZONS if days < OWN}
    return {**short, OWN: own, **{days: np.maximum(rising[days], own) for days in HORIZONS if days > OWN}}


WAYS: Mapping[str, tuple[Callable[[Case, Floats], Curves], tuple[Callable[[Curves, Floats], Curves], ...]]] = {
    "a classifier a horizon": (per_horizon, (by_cutting, by_ratio)),
    "a hazard, stacked": (stacked_hazard, (by_cutting, by_ratio)),
    "a hazard an interval": (hazards, (by_cutting, by_ratio)),
    "conditional hazards": (conditional, ((lambda curves, own: curves),)),
    "constant hazard": (constant_hazard, ((lambda curves, own: curves),)),
}


def expected_log_loss(predicted: Floats, truth: Floats, weight: Floats | None = None) -> float:
    """Return the log loss that predictions have on average over everything that could have happened."""
    inside = np.clip(predicted, 1e-9, 1 - 1e-9)
    return float(np.average(-(truth * np.log(inside) + (1 - truth) * np.log(1 - inside)), weights=weight))


def judge(case: Case, own: Floats, raw: Curves, made: Curves, seconds: float) -> dict[str, float]:
    """Measure one way against the truth."""
    found: dict[str, float] = {}
    for days in OTHERS:
        truth = case.truth[days]
        found[f"excess_{days}d"] = expected_log_loss(made[days], truth) - expected_log_loss(truth, truth)
        found[f"mean_{days}d"] = made[days].mean() / truth.mean()
    found["pinned"] = float(np.any([np.isclose(made[days], own, rtol=1e-9) for days in OTHERS], axis=0).mean())
    found["falls"] = float(np.any([raw[low] > raw[high] for low, high in pairwise(HORIZONS)], axis=0).mean())
    found["apart"] = float(np.abs(raw[OWN] - own).mean())
    found["cpu_s"] = seconds
    return found


def compare(case: Case, own: Floats) -> dict[str, dict[str, float]]:
    """Measure every way."""
    table = {}
    for name, (way, reconcilers) in WAYS.items():
        begun = time.process_time()
        raw = way(case, own)
        seconds = time.process_time() - begun
        for reconcile in reconcilers:
            words = "" if reconcile.__name__ == "<lambda>" else f", {reconcile.__name__.replace('_', ' ')}"
            table[name + words] = judge(case, own, raw, reconcile(raw, own), seconds)
    return table


def own_probability(case: Case, split: str) -> Floats:
    """Fit the churn model itself and predict the test rows."""
    plan = case.dataset.plan
    if split == "temporal":
        given = {"split": split, "embargo_days": plan.embargo, "calibration_cutoffs": len(plan.calibration)}
        return case.fit(case.learned, case.dataset.y, **given)
    return case.fit(case.learned, case.dataset.y)


def judge_kinds(case: Case) -> dict[str, object]:
    """Measure P(voluntary | churn), trees whatever the number of churners."""
    sealed, _ = fit_kinds(case.dataset, case.label, ModelSettings())
    if sealed is None:
        raise SystemExit("no kinds in this company")
    weight = case.truth[OWN]
    truth = np.clip(case.voluntary / np.maximum(weight, 1e-12), 0, 1)
    rows = sealed.metadata["rows"]
    everybody = np.full(len(truth), rows["voluntary"] / sum(rows.values()))
    least = expected_log_loss(truth, truth, weight)
    trees = expected_log_loss(sealed.predict(case.X_test), truth, weight) - least
    share = expected_log_loss(everybody, truth, weight) - least
    return {**rows, "rarer": sealed.metadata["rarer_accounts"], "excess_trees": trees, "excess_one_share": share}


def main_kinds(accounts: int, seeds: list[int]) -> None:
    """Print the kinds of several companies."""
    secondary.LEAST_OF_A_KIND = 2
    found = pd.DataFrame([{"accounts": accounts, "seed": seed, **judge_kinds(prepare(accounts, seed))} for seed in seeds])
    print(found.to_string(index=False, float_format=lambda value: f"{value:.4f}"))


def staying_days(curve: Curves) -> Floats:
    """Integrate the probability of staying, a straight line between two horizons."""
    knots = {0: np.zeros(len(curve[OWN])), **curve}
    return sum((high - low) * (1 - (knots[low] + knots[high]) / 2) for low, high in pairwise(knots))


def main_days(accounts: int, seeds: list[int]) -> None:
    """Print how near the expected days come."""
    for seed in seeds:
        case = prepare(accounts, seed, tuple(days for days in range(10, 181, 10) if days != OWN))
        steps, _ = fit_horizons(case.dataset, case.tables, case.label, HorizonSettings(days=HORIZONS), ModelSettings())
        model = HorizonModel(OWN, 0, HORIZONS, {sealed.metadata["step"]: sealed for sealed in steps.values()})
        true = staying_days(case.truth)
        found = {
            "the true curve, three horizons": staying_days({days: case.truth[days] for days in HORIZONS}),
            "the model": model.frame(case.X_test, own_probability(case, "temporal"))["expected_days_to_churn"].to_numpy(),
            "the mean for everybody": np.full(len(true), true.mean()),
        }
        print(f"{accounts} accounts, seed {seed}: {true.mean():.2f} days on average, from {true.min():.1f} to {true.max():.1f}")
        for name, days in found.items():
            print(f"  {name}: mean {days.mean():.2f}, off by {np.abs(days - true).mean():.2f} days on average")


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=2000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--main", choices=["temporal", "grouped"], default="temporal", help="split of the churn model")
    parser.add_argument("--kinds", action="store_true", help="judge the kinds of churn instead")
    parser.add_argument("--days", action="store_true", help="judge the expected days to churn instead")
    asked = parser.parse_args()
    if asked.days:
        main_days(asked.accounts, asked.seeds)
        return
    if asked.kinds:
        main_kinds(asked.accounts, asked.seeds)
        return
    tables = []
    for seed in asked.seeds:
        case = prepare(asked.accounts, seed)
        own = own_probability(case, asked.main)
        truth = case.truth[OWN]
        excess = expected_log_loss(own, truth) - expected_log_loss(truth, truth)
        first = text_of(instant_of(TEST[0]) - 210 * DAY)
        churners = {days: int((case.at(days)[case.complete(days)] == 1).sum()) for days in HORIZONS}
        print(
            f"seed {seed}: {case.learned.sum()} rows learned from, churners {churners} (180 days: cutoffs to {first}), "
            f"{len(own)} test rows; churn model at {OWN} days: excess {excess:.5f}",
            flush=True,
        )
        tables.append(pd.DataFrame(compare(case, own)).T)
    print(f"\n{asked.accounts} accounts, churn model {asked.main}, mean of {len(tables)} seeds")
    mean = sum(tables[1:], tables[0]) / len(tables)
    print(mean.to_string(float_format=lambda value: f"{value:.4f}"))


if __name__ == "__main__":
    main()
