"""Choose the shape of the trees: held-out log loss beside the cost of reasons.

    python benchmarks/shapes.py --accounts 2000 --seeds 1 2 3 4 5       # simulated companies
    python benchmarks/shapes.py --config configs/online_retail.yaml     # data of one's own

Everything but the shape is as shipped: restraint by the amount of evidence, trees stopped and calibrated on later cutoffs. On
simulated companies the loss is the expected one under the true probabilities, less their own: 0 cannot be beaten. On real data
it is the log loss of the test rows, the mean of five training seeds. `against` is the difference from the shipped shape and
its standard error: over companies, or over test accounts. Reasons are explained per second of processor time on one thread.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from reach import CONFIG, TEST

from staypower import ChurnClassifier, build_dataset, load_config, read_tables, simulate
from staypower.config.settings import Settings
from staypower.cutoffs import instant_of
from staypower.dataset.building import Dataset
from staypower.models.fitting import fit_classifier
from staypower.models.shapley_values import Explainer
from staypower.models.trees import contributions_of

Floats = NDArray[np.float64]

SHIPPED = "shipped"
SHAPES: dict[str, dict[str, int]] = {
    SHIPPED: {},
    "4 leaves, depth 2": {"num_leaves": 4, "max_depth": 2},
    "8 leaves, depth 3": {"num_leaves": 8, "max_depth": 3},
    "8 leaves, depth 4": {"num_leaves": 8, "max_depth": 4},
    "15 leaves, depth 5": {"num_leaves": 15, "max_depth": 5},
    "31 leaves, depth 6": {"num_leaves": 31, "max_depth": 6},
    "63 leaves, depth 16": {"num_leaves": 63, "max_depth": 16},
}


def log_loss(predicted: Floats, truth: Floats) -> Floats:
    """Return each row's log loss, expected where `truth` is a probability."""
    inside = np.clip(predicted, 1e-9, 1 - 1e-9)
    return -(truth * np.log(inside) + (1 - truth) * np.log1p(-inside))


def fitted(dataset: Dataset, settings: Settings, shape: dict[str, int], seed: int) -> ChurnClassifier:
    """Fit the shipped model with another shape."""
    model = settings.model.model_copy(update={**shape, "seed": seed})
    return fit_classifier(dataset, model)


def rates(model: ChurnClassifier, features: Floats) -> dict[str, float]:
    """Return how many rows a CPU second explains, by the package and by LightGBM, and the number of trees."""
    explainer = Explainer(model.model_text_)
    explainer.explain(features[:1])
    many = np.ascontiguousarray(np.resize(features, (20_000, features.shape[1])))
    found = {"trees": float(model.best_iteration_)}
    for name, rows, explain in (
        ("ours /s", many, lambda rows: explainer.explain(rows, threads=1)),
        ("pred_contrib /s", many[:500], lambda rows: contributions_of(model.booster_, rows, threads=1)),
    ):
        begun = time.process_time()
        explain(rows)
        found[name] = len(rows) / (time.process_time() - begun)
    return found


def companies(accounts: int, seeds: list[int]) -> Iterator[tuple[Dataset, Settings, Floats]]:
    """Simulate companies; give the true probability of each test row."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.yaml").write_text(CONFIG)
        settings = load_config(Path(folder) / "config.yaml")
    for seed in seeds:
        company = simulate(accounts, months=30, seed=seed, cutoffs=[instant_of(day) for day in TEST])
        dataset = build_dataset(settings, read_tables(settings, company.tables))
        truth = company.truth.set_index([company.truth["account_id"].astype(str), company.truth["cutoff"]])
        rows = truth.loc[dataset.part("test").keys]
        yield dataset, settings, rows["churn_probability"].to_numpy(dtype=np.float64)


def on_companies(accounts: int, seeds: list[int]) -> pd.DataFrame:
    """Measure every shape on every company."""
    told: dict[str, list[dict[str, float]]] = {name: [] for name in SHAPES}
    for dataset, settings, truth in companies(accounts, seeds):
        X = dataset.part("test").X
        for name, shape in SHAPES.items():
            model = fitted(dataset, settings, shape, seed=0)
            loss = log_loss(model.predict_proba(X)[:, 1], truth) - log_loss(truth, truth)
            told[name].append({"loss": float(loss.mean()), **rates(model, X.to_numpy(dtype=np.float64))})
    losses = {name: np.array([each["loss"] for each in found]) for name, found in told.items()}
    return _table(losses, {name: pd.DataFrame(found).drop(columns="loss").median() for name, found in told.items()})


def on_config(config: str) -> pd.DataFrame:
    """Measure every shape on one data set, each with five training seeds."""
    settings = load_config(config)
    dataset = build_dataset(settings, read_tables(settings))
    test = dataset.part("test")
    X, y = test.X, test.y.astype(np.float64)
    _, account = np.unique(test.accounts.astype(str), return_inverse=True)
    losses, told = {}, {}
    for name, shape in SHAPES.items():
        models = [fitted(dataset, settings, shape, seed) for seed in range(5)]
        loss = np.mean([log_loss(model.predict_proba(X)[:, 1], y) for model in models], axis=0)
        losses[name] = np.bincount(account, weights=loss) / np.bincount(account).mean()
        told[name] = pd.DataFrame([rates(model, X.to_numpy(dtype=np.float64)) for model in models]).median()
    return _table(losses, told)


def _table(losses: dict[str, Floats], told: dict[str, pd.Series]) -> pd.DataFrame:
    rows = []
    for name, loss in losses.items():
        apart = loss - losses[SHIPPED]
        error = apart.std(ddof=1) / np.sqrt(len(apart))
        against = "" if name == SHIPPED else f"{apart.mean():+.5f} +- {error:.5f}"
        cost = {key: f"{value:,.0f}" for key, value in told[name].items()}
        rows.append({"shape": name, "loss": f"{loss.mean():.5f}", "against": against, **cost})
    return pd.DataFrame(rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", help="a config instead of simulated companies")
    parser.add_argument("--accounts", type=int, default=2000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    asked = parser.parse_args()
    found = on_config(asked.config) if asked.config else on_companies(asked.accounts, asked.seeds)
    print(asked.config or f"{asked.accounts} accounts, companies {asked.seeds}")
    print(found.to_string(index=False))


if __name__ == "__main__":
    main()
