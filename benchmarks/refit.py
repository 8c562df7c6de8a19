"""What training on all labelled cutoffs is worth: the model that scores against its twin, at the last day, against the truth.

    python benchmarks/refit.py --kind simulator contracts usage_priced --accounts 2000 --seeds 1 2 3

The twin is what is evaluated: trained up to the embargo before the test. The model that scores has as many trees of the same
shape on all labelled cutoffs. Both predict the accounts of the last day, whose outcomes lie in the future; the truth is the
share of simulated futures in which each leaves. `own level` is the model that scores as it is, `twin's map` keeps the map of
the twin. Printed per company: AUROC and excess log loss against everything that could happen, and the calibration error.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
from companies import END, KINDS, _write, make
from numpy.typing import NDArray
from reach import calibration_error, expected_auroc, expected_log_loss

from staypower import load_config, read_tables, simulate
from staypower.config.settings import Settings
from staypower.cutoffs import instant_of
from staypower.dataset.building import build_dataset
from staypower.features.builder import build_matrix
from staypower.labels.churn import find_population
from staypower.labels.population import Status
from staypower.models.fitting import fit_classifier, fit_to_score
from staypower.tables import Tables

Floats = NDArray[np.float64]
SIMULATOR = """
name: simulator
observed_until: 2025-06-30
tables: {accounts: {source: accounts, static: [segment, region]}, usage: {source: usage}, tickets: {source: tickets},
  surveys: {source: surveys}, subscriptions: {source: subscriptions}, payments: {source: payments}}
label: {kind: contractual, involuntary: [payment, card]}
"""
LAST = "2025-07-01"


def company(kind: str, accounts: int, seed: int) -> tuple[Settings, Tables, int, dict[str, float]]:
    """Return settings, tables, the last day and the true probability of each account at it."""
    with tempfile.TemporaryDirectory() as folder:
        if kind != "simulator":
            made = make(kind, accounts, seed)
            settings = load_config(_write(made, Path(folder), {}))
            truth = dict(zip(made.truth["account_id"].astype(str), made.truth["churn_probability"], strict=True))
            return settings, read_tables(settings), instant_of(str(END.date())), truth
        config = Path(folder) / "config.yaml"
        config.write_text(SIMULATOR)
        settings = load_config(config)
        world = simulate(accounts, months=30, seed=seed, cutoffs=[LAST], copies=96)
        tables = read_tables(settings, {name: world.tables[name] for name in settings.tables})
        truth = dict(zip(world.truth["account_id"].astype(str), world.truth["churn_probability"], strict=True))
        return settings, tables, instant_of(LAST), truth


def measure(kind: str, accounts: int, seed: int) -> list[dict[str, Any]]:
    """Train both, and compare them at the last day."""
    settings, tables, last, truth = company(kind, accounts, seed)
    dataset = build_dataset(tables, label=settings.label, features=settings.features, cutoffs=settings.cutoffs, between=True)
    begun = time.process_time()
    twin = fit_classifier(dataset, settings.model)
    between = time.process_time()
    own = fit_to_score(dataset, twin, settings.model).model
    spent = {"twin": between - begun, "own level": time.process_time() - between}
    same = copy(own)
    same.calibration_ = twin.calibration_
    at = np.array([last], dtype=np.int64)
    found = find_population(tables, settings.label, at)
    status = found.status[:, 0]
    active = [one for one, each in zip(found.accounts, status, strict=True) if each == Status.SCORED and one in truth]
    X = build_matrix(tables, dataset.catalogue, accounts=active, cutoffs=at).features[list(dataset.catalogue.names)]
    true = np.array([truth[account] for account in active])
    rows = []
    for name, model in {"twin": twin, "own level": own, "twin's map": same}.items():
        scored: Floats = model.predict_proba(X)[:, 1]
        rows.append(
            {
                "kind": kind,
                "seed": seed,
                "model": name,
                "auroc": expected_auroc(true, scored),
                "of": expected_auroc(true, true),
                "excess": expected_log_loss(true, scored) - expected_log_loss(true, true),
                "ce": calibration_error(true, scored),
                "mean": float(scored.mean() / true.mean()),
                "cpu_s": spent.get(name, float("nan")),
            }
        )
    return rows


def main() -> None:
    """Measure the companies asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", nargs="+", choices=["simulator", *sorted(KINDS)], default=["simulator"])
    parser.add_argument("--accounts", type=int, default=2000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    asked = parser.parse_args()
    for kind in asked.kind:
        for seed in asked.seeds:
            for row in measure(kind, asked.accounts, seed):
                print("  ".join(f"{k} {v:.4f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()), flush=True)


if __name__ == "__main__":
    main()
