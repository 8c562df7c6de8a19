"""Are the reasons right? How often the lever that truly drives an account's risk is the first, or among the first three.

The simulator knows the cause: the lever whose return to its typical value would lower the coming hazard most. For several
companies, each with other dominant causes than the next, a churn model is learned on some accounts at earlier cutoffs; the
others, at later cutoffs, are explained. Compared:

- chance: a lever drawn at random;
- the commonest causes: the same three levers for everybody, the commonest in truth (more than anybody without the truth knows);
- single features: plain SHAP, the features that declare a lever and raise the score most;
- sums: the sum of the contributions of each lever;
- strongest topic: features that say one thing summed up, each lever by its strongest topic;
- totals: what the topics of a lever add beyond what is typical, the order of `Explanation.reasons`;
- totals and leavers: the same, with what those who left had named (`explanation.leavers_said`);
- true model: the totals of a model that is taught the true log-odds of the same cutoffs, without noise: the best that
  contributions give;
- taught: a classifier of the cause that is taught with the truth of the other companies, on the same features.

The first three levers of the reasons are held against the cause; a lever that no reason names is not counted.

    python benchmarks/reasons.py [--accounts 3000] [--first-seed 31]
    python benchmarks/reasons.py --listing 1000000      # instead: CPU seconds for five reasons of so many accounts
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from unittest import mock

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
from staypower.explanation.topics import sum_topics, topics_of
from staypower.features.definition import LEVERS
from staypower.simulation import company as simulated
from staypower.simulation.world import PARAMETERS, Parameters
from staypower.tables import Tables

Contributions = Callable[[pd.DataFrame], tuple[np.ndarray, float]]
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


def _dominated(*levers: str, by: float, others: float, **changes: float) -> Parameters:
    """Make some levers weigh more and the others less."""
    weights = {
        f"lever_{lever}": getattr(PARAMETERS, f"lever_{lever}") * (by if lever in levers else others) for lever in LEVERS
    }
    return replace(PARAMETERS, **weights, **changes)


COMPANIES = {
    "support": _dominated("support", "satisfaction", by=1.8, others=0.6, ticket_rate=0.3, incident_rate=0.02),
    "billing": _dominated("billing", by=1.8, others=0.6, budget_tightens=0.01),
    "adoption": _dominated("adoption", "onboarding", by=2.2, others=0.55, step_rate=0.35, adoption_noise=0.11),
    "relationship": _dominated("relationship", by=1.9, others=0.55, champion_leaves=0.013),
    "value": _dominated("value", "satisfaction", by=2.2, others=0.6, shock_rate=0.011),
    "engagement": _dominated("engagement", by=1.5, others=0.6, engagement_noise=0.18),
}


@dataclass(frozen=True)
class Company:
    """One simulated company: a model of it, its held-out rows explained, and their truth."""

    X: pd.DataFrame
    cause: np.ndarray
    plain: Explanation
    told: Explanation
    true: Explanation
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


def make_company(accounts: int, seed: int, parameters: Parameters = PARAMETERS) -> Company:
    """Simulate, learn on some accounts at the earlier cutoffs, and explain the other accounts at the test cutoffs."""
    settings = settings_of()
    last = settings.label.outcome.last_mature(instant_of(OBSERVED_UNTIL, end=True))
    told = [last - number * settings.cutoffs.every * DAY for number in range(settings.cutoffs.test_count)]
    with mock.patch.object(simulated, "PARAMETERS", parameters):
        made = simulate(accounts, seed=seed, cutoffs=told, siblings=(), copies=8)
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
    plain = explain(model.contributions, rows, learned, None)
    true = explain(true_model(dataset.where(dataset.rows("test") & ~held), made.truth), rows, test, None)
    leavers = leavers_of(model, tables, settings, learned)
    told_too = explain(model.contributions, rows, learned, leavers)
    everyone = model.predict_proba(test.X)[:, 1]
    risky = model.predict_proba(rows.X)[:, 1] >= np.quantile(everyone, 0.8)
    churners = learned.churned.distinct_accounts
    return Company(rows.X.reset_index(drop=True), cause, plain, told_too, true, risky, churners)


def truth_of(truth: pd.DataFrame, rows: DatasetRows) -> pd.DataFrame:
    """Return the truth of some rows, in their order."""
    known = truth.assign(cutoff=truth["cutoff"].dt.as_unit("us"), account_id=truth["account_id"].astype(str))
    return known.set_index(["account_id", "cutoff"]).reindex(rows.keys).reset_index(drop=True)


def leavers_of(model: ChurnClassifier, tables: Tables, settings: Settings, learned: DatasetRows) -> LeaverReasons | None:
    """Fit the reasons that churned accounts among the training rows had named."""
    explained = explain(model.contributions, learned.churned, learned, None)
    named = named_levers(learned.churned, tables, settings.label, settings.explanation)
    return fit_leaver_reasons(explained.sums, named, learned.churned.accounts, explained.topics)


def true_model(rows: DatasetRows, truth: pd.DataFrame) -> Contributions:
    """Learn the true log-odds of accounts that are not explained."""
    known = truth_of(truth, rows)
    asked = ~known["notice_given"].astype(bool).to_numpy()
    chance = np.clip(known["churn_probability"].to_numpy(dtype=float)[asked], 0.002, 0.998)
    shape = {"num_leaves": 15, "min_child_samples": 30, "feature_fraction": 0.5, "learning_rate": 0.05}
    parameters = {"objective": "regression", "verbosity": -1, "num_threads": 1, "seed": 0, **shape}
    X = rows.where(asked).X.to_numpy()
    booster = lightgbm.train(parameters, lightgbm.Dataset(X, np.log(chance / (1 - chance))), 200)

    def contributions(X: pd.DataFrame) -> tuple[np.ndarray, float]:
        found = booster.predict(X.to_numpy(), pred_contrib=True, num_threads=1)
        return found[:, :-1], float(found[0, -1])

    return contributions


def explain(
    contributions_of: Contributions, rows: DatasetRows, learned: DatasetRows, leavers: LeaverReasons | None
) -> Explanation:
    """Explain some rows; typical is what is typical among those learned."""
    X, catalogue = rows.X.reset_index(drop=True), rows.dataset.catalogue
    topics = topics_of(catalogue, list(catalogue.names))

    def by_topic(X: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame(sum_topics(contributions_of(X)[0], topics), columns=[topic.name for topic in topics])

    contributions, base = contributions_of(X)
    typical = find_typical_values(learned.X, learned.cutoffs, rows.dataset.matrix.categories, contributions=by_topic)
    return Explanation(rows.accounts, X, contributions, base, catalogue=catalogue, typical=typical, leavers=leavers)


def single_features(explained: Explanation) -> np.ndarray:
    """Return the levers of the three features with a lever that raise each score most."""
    levers = np.array([definition.lever for definition in explained.catalogue.definitions], dtype=object)
    columns = np.flatnonzero(levers != None)  # noqa: E711 - elementwise
    order = np.argsort(-explained.contributions[:, columns], axis=1, kind="stable")[:, :3]
    return levers[columns][order]


def summed_levers(explained: Explanation) -> np.ndarray:
    """Return the three levers with the largest sums."""
    sums = explained.levers().drop(columns="none")
    return np.array(sums.columns, dtype=object)[np.argsort(-sums.to_numpy(), axis=1, kind="stable")[:, :3]]


def strongest_topics(explained: Explanation) -> np.ndarray:
    """Return the three levers with the strongest topics."""
    best = np.stack(
        [
            explained.sums[:, [topic.lever == lever for topic in explained.topics]].max(axis=1, initial=-np.inf)
            for lever in LEVERS
        ],
        axis=1,
    )
    return np.array(LEVERS, dtype=object)[np.argsort(-best, axis=1, kind="stable")[:, :3]]


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


def measure(companies: dict[str, Company]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return how often each way is right, one row a way and company, and how often it finds each cause."""
    found, causes = [], []
    for name, company in companies.items():
        commonest = pd.Series(company.cause).value_counts().index[:3].to_numpy(dtype=object)
        ways = {
            "commonest causes": np.tile(commonest, (len(company.cause), 1)),
            "single features": single_features(company.plain),
            "sums": summed_levers(company.plain),
            "strongest topic": strongest_topics(company.plain),
            "totals": company.plain.first_levers(3),
            "totals and leavers": company.told.first_levers(3),
            "true model": company.true.first_levers(3),
        }
        others = [other for key, other in companies.items() if key != name]
        if others:
            ways["taught"] = taught(*teach(others), company)
        for group, rows in (("with a cause", slice(None)), ("highest fifth", company.risky)):
            cause = company.cause[rows]
            found.append((name, group, "chance", 1 / len(LEVERS), 3 / len(LEVERS), len(cause)))
            for way, named in ways.items():
                hit = named[rows] == cause[:, None]
                found.append((name, group, way, hit[:, 0].mean(), hit.any(axis=1).mean(), len(cause)))
        for way, named in ways.items():
            hit = named == company.cause[:, None]
            causes += list(zip([way] * len(hit), company.cause, hit[:, 0], hit.any(axis=1), strict=True))
    found_causes = pd.DataFrame(causes, columns=["way", "cause", "first", "three"]).astype({"first": float, "three": float})
    recall = found_causes.pivot_table(index="way", columns="cause", values=["first", "three"], sort=False)
    return pd.DataFrame(found, columns=["company", "accounts", "way", "first", "three", "rows"]), recall


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
    parser.add_argument("--first-seed", type=int, default=31)
    parser.add_argument("--listing", type=int, metavar="ROWS")
    asked = parser.parse_args()
    if asked.listing:
        return time_listing(asked.listing)
    companies = {}
    for seed, (name, parameters) in enumerate(COMPANIES.items(), start=asked.first_seed):
        companies[name] = make_company(asked.accounts, seed, parameters)
        print(f"{name}, seed {seed}: {companies[name].churners} accounts churned where the model learned", flush=True)
    rows, recall = measure(companies)
    figures = rows.pivot_table(index=["accounts", "way"], columns="company", values=["first", "three"], sort=False)
    print(figures.round(2).to_string())
    together = rows.groupby(["accounts", "way"], sort=False).agg(
        first=("first", "mean"), three=("three", "mean"), rows=("rows", "sum")
    )
    print(together.round(3).to_string())
    return print(recall.round(2).to_string())


if __name__ == "__main__":
    main()
