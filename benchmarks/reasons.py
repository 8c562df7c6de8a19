"""Are the reasons right? How often the lever that truly drives an account's risk is the first, or among the first three.

The simulator knows the cause: the lever whose return to its typical value would lower the coming hazard most. For several
companies a churn model is learned on some accounts at earlier cutoffs; the others, at later cutoffs, are explained. Compared:

- chance: a lever drawn at random;
- the commonest causes: the same three levers for everybody, the commonest in truth (more than anybody without the truth knows);
- single features: plain SHAP, the features that raise the score most, by the levers that they declare; once with all
  features, once with those that declare a lever only;
- levers: the sum of the contributions of each lever;
- topics: features that say one thing summed up, each lever by its strongest topic: the order of `Explanation.reasons`;
- topics and leavers: the same, weighed by what those who left had named (`explanation.leavers_said`);
- ceiling: a classifier of the cause that is taught with the truth of other companies, on the same features.

    python benchmarks/reasons.py [--accounts 3000] [--seeds 4] [--first-seed 5]
    python benchmarks/reasons.py --listing 1000000      # instead: CPU seconds for five reasons of so many accounts
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace

import lightgbm
import numpy as np
import pandas as pd

from staypower import ChurnClassifier, build_dataset, load_config, read_tables, simulate
from staypower.config.settings import Settings
from staypower.cutoffs import DAY, instant_of
from staypower.dataset.building import DatasetRows
from staypower.dataset.cutoff_plan import is_test_account
from staypower.explanation.learned import LeaverReasons, find_typical_values, fit_leaver_reasons, named_levers
from staypower.explanation.reasons import Explanation
from staypower.features.definition import LEVERS
from staypower.tables import Tables

OBSERVED_UNTIL = "2025-06-30"
TABLES = ("accounts", "usage", "tickets", "surveys", "subscriptions", "payments", "advocacy", "goals")
LEAVERS_SAID = {
    "onboarding": "set up",
    "adoption": "features",
    "engagement": "not using",
    "support": "support",
    "satisfaction": "experience",
    "billing": ["price", "payment", "card"],
    "value": "competitor",
    "relationship": "sponsor",
}


@dataclass(frozen=True)
class Company:
    """One simulated company: a model of it, its held-out rows explained, and their truth."""

    X: pd.DataFrame
    cause: np.ndarray
    plain: Explanation
    told: Explanation
    risky: np.ndarray
    churners: int


def settings_of() -> Settings:
    """Return the config of the simulated company."""
    sources: dict[str, dict[str, object]] = {name: {"source": name} for name in TABLES}
    sources["accounts"]["static"] = ["segment", "region"]
    sources["tickets"]["fixed"] = ["priority", "category"]
    label = {"kind": "contractual", "horizon": 90, "grace": 30, "involuntary": ["payment", "card"]}
    return load_config(
        {
            "name": "reasons",
            "observed_until": OBSERVED_UNTIL,
            "tables": sources,
            "label": label,
            "explanation": {"leavers_said": LEAVERS_SAID},
        }
    )


def make_company(accounts: int, seed: int) -> Company:
    """Simulate, learn on some accounts at the earlier cutoffs, and explain the other accounts at the test cutoffs."""
    settings = settings_of()
    last = settings.label.outcome.last_mature(instant_of(OBSERVED_UNTIL, end=True))
    told = [last - number * settings.cutoffs.every * DAY for number in range(settings.cutoffs.test_count)]
    made = simulate(accounts, seed=seed, cutoffs=told, siblings=(), copies=2)
    tables = read_tables(settings, made.tables)
    dataset = build_dataset(settings, tables)
    held = np.array([is_test_account(account) for account in dataset.matrix.accounts])
    learned, test = dataset.where(dataset.rows("training", "calibration") & ~held), dataset.where(dataset.rows("test") & held)
    model = ChurnClassifier(
        split="temporal",
        embargo_days=dataset.plan.embargo,
        calibration_cutoffs=len(dataset.plan.calibration),
        categorical_features=list(dataset.matrix.categories) or None,
    ).fit(learned.X, learned.y, cutoffs=learned.cutoffs, accounts=learned.accounts)
    truth = truth_of(made.truth, test)
    asked = (truth["cause"].notna() & ~truth["notice_given"].astype(bool)).to_numpy()
    rows, cause = test.where(asked), truth["cause"].to_numpy(dtype=object)[asked]
    plain = explain(model, rows, learned, None)
    leavers = leavers_of(model, tables, settings, learned)
    told_too = explain(model, rows, learned, leavers)
    everyone = model.predict_proba(test.X)[:, 1]
    risky = model.predict_proba(rows.X)[:, 1] >= np.quantile(everyone, 0.8)
    churners = learned.churned.distinct_accounts
    return Company(rows.X.reset_index(drop=True), cause, plain, told_too, risky, churners)


def truth_of(truth: pd.DataFrame, rows: DatasetRows) -> pd.DataFrame:
    """Return the truth of some rows, in their order."""
    known = truth.assign(cutoff=truth["cutoff"].dt.as_unit("us"), account_id=truth["account_id"].astype(str))
    return known.set_index(["account_id", "cutoff"]).reindex(rows.keys).reset_index(drop=True)


def leavers_of(model: ChurnClassifier, tables: Tables, settings: Settings, learned: DatasetRows) -> LeaverReasons | None:
    """Fit the reasons that churned accounts among the training rows had named."""
    explained = explain(model, learned.churned, learned, None)
    named = named_levers(learned.churned, tables, settings.label, settings.explanation)
    return fit_leaver_reasons(explained.sums, named, learned.churned.accounts, explained.topics)


def explain(model: ChurnClassifier, rows: DatasetRows, learned: DatasetRows, leavers: LeaverReasons | None) -> Explanation:
    """Explain some rows."""
    X = rows.X.reset_index(drop=True)
    contributions, base = model.contributions(X)
    typical = find_typical_values(learned.X, learned.cutoffs, rows.dataset.matrix.categories)
    catalogue = rows.dataset.catalogue
    return Explanation(rows.accounts, X, contributions, base, catalogue=catalogue, typical=typical, leavers=leavers)


def single_features(explained: Explanation, *, with_lever: bool) -> np.ndarray:
    """Return the levers of the three features that raise each score most."""
    levers = np.array([definition.lever for definition in explained.catalogue.definitions], dtype=object)
    columns = np.flatnonzero(levers != None) if with_lever else np.arange(len(levers))  # noqa: E711 - elementwise
    order = np.argsort(-explained.contributions[:, columns], axis=1, kind="stable")[:, :3]
    return levers[columns][order]


def summed_levers(explained: Explanation) -> np.ndarray:
    """Return the three levers with the largest sums."""
    sums = explained.levers().drop(columns="none")
    return np.array(sums.columns, dtype=object)[np.argsort(-sums.to_numpy(), axis=1, kind="stable")[:, :3]]


def teach(companies: list[Company]) -> tuple[lightgbm.Booster, list[str]]:
    """Learn the cause itself from other companies' truth."""
    shared = sorted(set.intersection(*(set(company.X.columns) for company in companies)))
    X = pd.concat([company.X[shared] for company in companies])
    y = np.concatenate([[LEVERS.index(lever) for lever in company.cause] for company in companies])
    shape = {"num_leaves": 15, "min_child_samples": 50, "feature_fraction": 0.5, "learning_rate": 0.05}
    parameters = {"objective": "multiclass", "num_class": len(LEVERS), "verbosity": -1, "num_threads": 1, "seed": 0, **shape}
    return lightgbm.train(parameters, lightgbm.Dataset(X.to_numpy(), y), 120), shared


def taught(booster: lightgbm.Booster, shared: list[str], company: Company) -> np.ndarray:
    """Return the three causes that the taught classifier thinks likeliest."""
    chances = booster.predict(company.X.reindex(columns=shared).to_numpy(), num_threads=1)
    return np.array(LEVERS, dtype=object)[np.argsort(-chances, axis=1)[:, :3]]


def measure(companies: list[Company]) -> pd.DataFrame:
    """Return one row a way and company."""
    found = []
    for number, company in enumerate(companies):
        commonest = pd.Series(company.cause).value_counts().index[:3].to_numpy(dtype=object)
        ways = {
            "commonest causes": np.tile(commonest, (len(company.cause), 1)),
            "single features": single_features(company.plain, with_lever=False),
            "single features with a lever": single_features(company.plain, with_lever=True),
            "levers": summed_levers(company.plain),
            "topics": company.plain.first_levers(3),
            "topics and leavers": company.told.first_levers(3),
        }
        others = companies[:number] + companies[number + 1 :]
        if others:
            ways["ceiling"] = taught(*teach(others), company)
        for group, rows in (("with a cause", slice(None)), ("of these, a fifth at highest risk", company.risky)):
            cause = company.cause[rows]
            found.append((group, "chance", 1 / len(LEVERS), 3 / len(LEVERS), len(cause)))
            for way, named in ways.items():
                hit = named[rows] == cause[:, None]
                found.append((group, way, hit[:, 0].mean(), hit.any(axis=1).mean(), len(cause)))
    return pd.DataFrame(found, columns=["accounts", "way", "first", "among three", "rows"])


def time_listing(rows: int) -> None:
    """Print what it costs to choose and write five reasons of many accounts, their contributions given."""
    company = make_company(1000, seed=1)
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(company.plain), rows)
    # values and contributions of their own: repeated sentences would cost nothing
    many = replace(
        company.told,
        accounts=drawn.astype(str).astype(object),
        features=company.X.iloc[drawn].mul(rng.uniform(0.8, 1.2, rows), axis=0).reset_index(drop=True),
        contributions=company.told.contributions[drawn] * rng.uniform(0.5, 1.5, (rows, 1)),
    )
    for column in many.catalogue.categories:
        many.features[column] = company.X[column].to_numpy()[drawn]
    started = time.process_time()
    listed = many.frame(5)
    spent = time.process_time() - started
    distinct = len(pd.unique(listed[[f"reason_{n}" for n in range(1, 6)]].to_numpy().ravel()))
    print(f"{rows:,} accounts, {many.features.shape[1]} features: {spent:.1f} CPU s; {distinct:,} distinct sentences")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=3000)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--first-seed", type=int, default=5)
    parser.add_argument("--listing", type=int, metavar="ROWS")
    asked = parser.parse_args()
    if asked.listing:
        return time_listing(asked.listing)
    companies = []
    for seed in range(asked.first_seed, asked.first_seed + asked.seeds):
        companies.append(make_company(asked.accounts, seed))
        print(f"seed {seed}: {companies[-1].churners} accounts churned where the model learned", flush=True)
    rows = measure(companies)
    table = rows.groupby(["accounts", "way"], sort=False).agg(
        first=("first", "mean"), spread=("first", "std"), three=("among three", "mean"), rows=("rows", "sum")
    )
    return print(table.round(3).to_string())


if __name__ == "__main__":
    main()
