"""Are effects of actions measured rightly, and whom is it worth acting on? Answered where the truth is known.

    python benchmarks/actions.py --effects --accounts 4000 --seeds 1 2 3
    python benchmarks/actions.py --targets --accounts 2000 --seeds 1 2 3
    python benchmarks/actions.py --size

With `--effects` three actions are tried every month on simulated customers, a share of them held back at random; acting undoes
ends within the next 90 days with the planted probability, in the contracts themselves. The table shows what is measured from
the changed contracts alone.

With `--targets` a model is trained, accounts are scored at a later cutoff where the true probabilities are known, and 50 places
are given away by expected value, by churn probability, and at random. `saved` is what acting on these accounts truly brings:
true probability x lifetime value x effect - cost.

With `--size` lists are made from the packaged playbook for 100,000 and 1,000,000 accounts.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from reach import CONFIG

from staypower import load_config, read_tables, score, simulate, train
from staypower.actions.account_facts import find_outcomes, read_outreach
from staypower.actions.choosing import choose_actions
from staypower.actions.effects import measure_effects
from staypower.actions.playbook import ActionSettings, Playbook
from staypower.actions.ranking import held_back
from staypower.config.playbooks import load_playbook
from staypower.cutoffs import text_of
from staypower.features.definition import LEVERS
from staypower.portfolio.customer_value import account_values
from staypower.portfolio.settings import QUADRANTS

PLANTED = {"strong": 0.4, "weak": 0.15, "useless": 0.0}
ASSUMED = 0.2
HELD = 0.2


def playbook_of(cost: float, effects: dict[str, float]) -> Playbook:
    """Return a playbook of actions that fit everybody."""
    plain = {"lever": "any", "quadrant": "any", "step": "Act.", "owner": "team", "cost": cost}
    return Playbook.model_validate({"actions": {name: {**plain, "effect": effect} for name, effect in effects.items()}})


def tried(subscriptions: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Try the actions month by month; return the contracts that came of it, and the outreach."""
    rng = np.random.default_rng(seed)
    changed, notes = subscriptions.copy(), []
    for month in pd.date_range("2024-03-01", "2025-02-01", freq="MS", tz="UTC"):
        account = changed.groupby("account_id", sort=True)
        ended = account["ended_at"].max().where(account["ended_at"].count() == account.size())
        here = (account["started_at"].min() < month) & ~(ended < month)
        # an action at a time: whoever was listed in the six months before is left out
        rested = {name for note in notes[-6:] for name in note["account_id"]}
        free = np.array([name for name in sorted(here[here].index) if name not in rested])
        ids = free[rng.random(len(free)) < 0.25]
        action = np.array(list(PLANTED))[rng.integers(0, len(PLANTED), len(ids))]
        held = held_back(ids, share=HELD, seed=seed)
        notes.append(pd.DataFrame({"account_id": ids, "at": month, "action": action, "holdout": held}))
        leaves = (ended[ids] >= month) & (ended[ids] < month + pd.Timedelta(days=90))
        undone = leaves.to_numpy() & ~held & (rng.random(len(ids)) < np.array([PLANTED[name] for name in action]))
        rows = changed["account_id"].isin(ids[undone])
        changed.loc[rows & (changed["ended_at"] >= month), ["ended_at", "end_reason"]] = [pd.NaT, None]
    return changed, pd.concat(notes, ignore_index=True)


def measure(accounts: int, seeds: Sequence[int]) -> None:
    """Print planted and measured effects."""
    print(f"{accounts:,} accounts, {HELD:.0%} held back, every effect assumed to be {ASSUMED:.0%}")
    print("| seed | action | planted | measured | 95 % | acted on | held back | weight | used |\n" + "|---" * 9 + "|")
    for seed in seeds:
        company = simulate(accounts, seed=seed, cutoffs=[])
        contracts, outreach = tried(company.tables["subscriptions"].to_pandas(), seed)
        objects = {
            "accounts": company.tables["accounts"],
            "subscriptions": pa.Table.from_pandas(contracts, preserve_index=False),
            "outreach": pa.Table.from_pandas(outreach, preserve_index=False),
        }
        settings = load_config(
            {
                "name": "benchmark",
                "observed_until": "2025-06-30",
                "tables": {name: {"source": name} for name in objects},
                "label": {"kind": "contractual", "horizon": 90, "grace": 30},
            }
        )
        tables = read_tables(settings, objects)
        ids = tables.account_ids
        past = read_outreach(tables, ids, cutoff=tables.observed_until)
        found = measure_effects(
            playbook_of(0.0, dict.fromkeys(PLANTED, ASSUMED)), find_outcomes(tables, settings.label, past, ids)
        )
        for name, planted in PLANTED.items():
            effect = found.effects[name]
            print(
                f"| {seed} | {name} | {planted:.2f} | {effect.measured:.2f} | {effect.low:.2f} to {effect.high:.2f} | "
                f"{effect.treated:,} | {effect.held:,} | {effect.weight:.2f} | {effect.used:.2f} |"
            )


def target(accounts: int, seeds: Sequence[int]) -> None:
    """Print what the same places truly bring, given away in three ways."""
    cost, effect, places = 60.0, 0.15, 50
    playbook = playbook_of(cost, {"call": effect})
    print(f"{accounts:,} accounts, {places} places, a call costs {cost:g} and cuts churn by {effect:.0%}")
    print("| seed | by | mean true risk | mean lifetime value | saved |\n|---|---|---|---|---|")
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            company = simulate(accounts, seed=seed)
            (Path(folder) / "config.yaml").write_text(CONFIG)
            settings = load_config(Path(folder) / "config.yaml")
            tables = read_tables(settings, {name: company.tables[name] for name in settings.tables})
            trained = train(settings, tables)
            cutoff = int(trained.dataset.plan.test[-1])
            scores = score(settings, tables, cutoff=text_of(cutoff), write=False).frame()
            base_rate = float(trained.bundle.metadata["base_rate"])
        values = account_values(
            scores["mrr"].to_numpy(), scores["churn_probability"].to_numpy(), base_rate=base_rate, horizon_days=90
        )
        scores = scores.assign(clv=values.clv, value_at_risk=values.value_at_risk)
        truth = company.truth[company.truth["cutoff"] == pd.Timestamp(cutoff, unit="us", tz="UTC")]
        true = truth.set_index(truth["account_id"].astype(str))["churn_probability"]
        risk = scores["churn_probability"]
        ways = {
            "expected value": scores["value_at_risk"],
            "churn probability": risk * 1e6,
            "chance": (np.random.default_rng(seed).permutation(len(scores)) + 1.0) * 1e3,
        }
        for name, order in ways.items():
            ranked = scores.assign(value_at_risk=np.where(risk.notna(), order, np.nan))
            chosen = choose_actions(ranked, playbook, ActionSettings(holdout=0), cutoff=cutoff, team=places).table
            risks, worths = true[chosen["account_id"].astype(str)].to_numpy(), chosen["clv"].to_numpy()
            saved = float(np.nansum(risks * worths * effect - cost))
            print(f"| {seed} | {name} | {np.nanmean(risks):.2f} | {np.nanmean(worths):,.0f} | {saved:,.0f} |")


def weigh() -> None:
    """Print how long it takes to make large lists."""
    playbook = load_playbook(
        load_config({"name": "size", "tables": {"orders": {"source": "x"}}, "label": {"kind": "non_contractual"}})
    )
    choose_actions(invented(1000), playbook, cutoff=0)
    print("| accounts | listed | CPU s, median of 3 |\n|---|---|---|")
    for count in (100_000, 1_000_000):
        scores, spent, listed = invented(count), [], 0
        for _ in range(3):
            began = time.process_time()
            listed = len(choose_actions(scores, playbook, ActionSettings(), cutoff=0, team=5000))
            spent.append(time.process_time() - began)
        print(f"| {count:,} | {listed:,} | {np.median(spent):.1f} |")


def invented(count: int) -> pd.DataFrame:
    """Return scores drawn at random, with every column that the packaged playbook asks for."""
    rng = np.random.default_rng(0)
    risk = rng.beta(1, 9, count)
    columns: dict[str, object] = {
        "account_id": pd.array([f"A{number:07d}" for number in range(count)], dtype="str"),
        "status": "scored",
        "churn_probability": risk,
        "p_involuntary": risk * rng.random(count),
        "quadrant": np.array(list(QUADRANTS), dtype=object)[rng.integers(0, len(QUADRANTS), count)],
        "value_at_risk": risk * rng.lognormal(8, 1, count),
    }
    for number in range(1, 6):
        columns[f"lever_{number}"] = np.array([*LEVERS, None], dtype=object)[rng.integers(0, len(LEVERS) + 1, count)]
        columns[f"contribution_{number}"] = rng.normal(0, 0.5, count)
        columns[f"reason_{number}"] = "tickets waiting for a first response: 3 (usually 0)"
    for name in ("payments_failed_open_now", "features_no_longer_used", "repeat_contacts_90d", "asked_unanswered"):
        columns[name] = rng.integers(0, 3, count).astype(float)
    for name in ("method_expires_before_renewal", "never_invited", "nps_detractor_last"):
        columns[name] = rng.integers(0, 2, count).astype(float)
    for name in ("within_sla_share_90d", "satisfaction", "share_of_seats_active_28d"):
        columns[name] = rng.random(count)
    return pd.DataFrame(
        {
            **columns,
            "usage_trend_28d": rng.normal(0, 0.3, count),
            "satisfaction_age_days": rng.integers(0, 90, count).astype(float),
            "tenure_days": rng.integers(0, 900, count).astype(float),
        }
    )


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--effects", action="store_true")
    parser.add_argument("--targets", action="store_true")
    parser.add_argument("--size", action="store_true")
    parser.add_argument("--accounts", type=int, default=2000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    asked = parser.parse_args()
    if asked.effects:
        measure(asked.accounts, asked.seeds)
    if asked.targets:
        target(asked.accounts, asked.seeds)
    if asked.size:
        weigh()


if __name__ == "__main__":
    main()
