"""Two companies of other mechanisms than the simulator's, with their truth, and how much of it the product finds.

    python benchmarks/companies.py --kind contracts --accounts 4000 --seeds 1 2
    python benchmarks/companies.py --kind usage_priced --accounts 4000 --seeds 1 2
    python benchmarks/companies.py --kind contracts --accounts 500 --seeds 1 2 3 4 5 6 --set model.calibration=sigmoid
    python benchmarks/companies.py --kind contracts --accounts 2000 --seeds 1 --write FOLDER     # tables, truth and a config

`contracts`: annual, quarterly and monthly contracts that end at a renewal date only; the tables hold a start and a billing
period, no renewal date; seats stand in `accounts`. Causes: falling use, slow support, the busiest person gone, a price rise.
Unhappy accounts answer fewer surveys. `usage_priced`: no contract, a monthly bill for units above a
commitment, a seasonal business: what matters is use against the same time last year, the bill against the commitment, open
tickets and the busiest person.

The product trains with default settings on all that was known at the last day and scores that day; the truth is the share
of 400 futures, drawn from each account's inner state, in which it leaves within the horizon. Printed per company: `reach`
(AUROC - 0.5 over that of the truth, both against everything that could happen), `corr` (of probabilities), `ce`
(calibration error over ten groups), `mean` (mean probability over mean truth), `lever1`, `lever2`, `lever3` (the true main
driver is the first lever, among the first two, three; accounts whose true probability is in the highest fifth), `same2` (the
same for always saying the two commonest), `tier` (accuracy against the true tier; answerers, silent, the commonest).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from reach import calibration_error, expected_auroc

from staypower import score, train

Floats = NDArray[np.float64]
State = dict[str, Floats]

START, WEEKS = pd.Timestamp("2023-07-03"), 131
END = START + pd.Timedelta(weeks=WEEKS)
HORIZON, COPIES = 90, 400
CONTRACTS = """
name: contracts
observed_until: {end}
tables:
  accounts: {{source: accounts, static: [segment, region, seats]}}
  usage: {{source: usage}}
  tickets: {{source: tickets}}
  surveys: {{source: surveys, scale: 0-10}}
  subscriptions: {{source: subscriptions}}
label: {{kind: contractual, horizon: 90, grace: 30}}
"""
USAGE_PRICED = """
name: usage_priced
observed_until: {end}
tables:
  accounts: {{source: accounts, static: [segment, region, commitment]}}
  usage: {{source: usage}}
  tickets: {{source: tickets}}
  subscriptions: {{source: subscriptions}}
  payments: {{source: payments}}
label: {{kind: contractual, horizon: 90, grace: 30}}
"""


@dataclass(frozen=True)
class Company:
    """Tables, the config to read them, and the truth at the last day."""

    tables: Mapping[str, pd.DataFrame]
    config: str
    truth: pd.DataFrame  # account_id, churn_probability, driver, tier, answered


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


def _due(start: Floats, months: Floats, day: int) -> NDArray[np.bool_]:
    """Say whose contract renews within the seven days from `day`; months of 30.4375 days."""
    term = months * 30.4375
    since = day - start
    return (since >= 0) & (np.floor((since + 7) / term) > np.floor(since / term)) & (since + 7 >= term)


class Contracts:
    """Contracts that end at a renewal."""

    drivers = ("engagement", "support", "relationship", "value")
    config = CONTRACTS

    def __init__(self, accounts: int, rng: np.random.Generator):
        n = accounts
        self.seats = np.ceil(np.exp(rng.normal(1.5, 0.8, n)))
        self.months = rng.choice([1.0, 3.0, 12.0], n, p=[0.25, 0.15, 0.6])
        self.start = np.where(rng.random(n) < 0.45, rng.integers(-700, 0, n), rng.integers(0, 7 * (WEEKS - 8), n)).astype(float)
        self.price = np.exp(rng.normal(3.2, 0.3, n))
        self.taste = rng.normal(0.0, 0.5, n)
        self.state: State = {
            "level": rng.normal(0.0, 0.5, n),
            "e": rng.normal(0.0, 0.5, n),
            "s": np.zeros(n),
            "gone": np.zeros(n),
            "p": np.zeros(n),
            "raise": np.ones(n),
        }

    def parts(self, z: State) -> Floats:
        """Return what each driver adds to the log-odds, shape (n, drivers)."""
        return np.stack([-1.0 * z["e"], 1.0 * z["s"], 1.8 * z["gone"], 7.0 * z["p"]], axis=1)

    def step(self, z: State, day: int, rng: np.random.Generator, who: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Move the inner states by a week; return who leaves in it."""
        n = len(who)
        z["level"] = z["level"] - (rng.random(n) < 0.005) * rng.uniform(0.6, 1.6, n) + (rng.random(n) < 0.003) * 0.6
        z["e"] = z["level"] + 0.85 * (z["e"] - z["level"]) + rng.normal(0, 0.12, n)
        z["s"] = 0.88 * z["s"] + (rng.random(n) < 0.015) * rng.uniform(0.8, 2.2, n)
        z["gone"] = np.where(z["gone"] > 0, rng.random(n) > 0.03, rng.random(n) < 0.006).astype(float)
        z["p"] = 0.97 * z["p"]
        due = _due(self.start[who], self.months[who], day)
        base = np.where(self.months[who] == 12, -1.9, np.where(self.months[who] == 3, -3.2, -4.2))
        leaves = due & (rng.random(n) < _sigmoid(base + self.parts(z).sum(axis=1)))
        chance = np.where(self.months[who] == 12, 0.35, 0.04)
        rise = np.where(due & ~leaves & (rng.random(n) < chance), rng.uniform(0.05, 0.3, n), 0.0)
        z["p"], z["raise"] = z["p"] + rise, z["raise"] * (1 + rise)
        return leaves

    def attitude(self, z: State, who: NDArray[np.int64]) -> Floats:
        """Return how likely accounts are to recommend, on the scale of an answer."""
        return np.asarray(7.6 + 1.6 * z["e"][who] - 1.1 * z["s"][who] - 4.0 * z["p"][who] + 1.2 * self.taste[who])


class UsagePriced:
    """Bills by use, a season, no contract."""

    drivers = ("engagement", "value", "support", "relationship")
    config = USAGE_PRICED

    def __init__(self, accounts: int, rng: np.random.Generator):
        n = accounts
        self.size = np.exp(rng.normal(1.6, 0.7, n))
        self.start = np.where(rng.random(n) < 0.55, rng.integers(-700, 0, n), rng.integers(0, 7 * (WEEKS - 8), n)).astype(float)
        self.peak = rng.choice([0.0, 0.25, 0.5, 0.75], n)
        self.swing = rng.choice([0.0, 0.5, 0.9], n, p=[0.3, 0.4, 0.3])
        self.commitment = np.round(self.size * 4.35 * np.exp(rng.normal(0.1, 0.35, n)), 1)
        self.seats = np.ceil(self.size)
        self.months = np.ones(n)
        self.price = np.exp(rng.normal(1.0, 0.2, n))
        self.taste = np.zeros(n)
        self.state: State = {
            "level": np.zeros(n),
            "e": rng.normal(0.0, 0.1, n),
            "s": np.zeros(n),
            "gone": np.zeros(n),
            "o": np.zeros(n),
            "raise": np.ones(n),
        }

    def season(self, day: int, who: NDArray[np.int64]) -> Floats:
        """Return the log of the season's factor."""
        return np.asarray(self.swing[who] * np.cos(2 * np.pi * (day / 365.25 - self.peak[who])))

    def parts(self, z: State) -> Floats:
        """Return what each driver adds to the log-odds, shape (n, drivers)."""
        return np.stack([-2.0 * z["e"], 1.8 * z["o"], 0.9 * z["s"], 1.5 * z["gone"]], axis=1)

    def step(self, z: State, day: int, rng: np.random.Generator, who: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Move the inner states by a week; return who leaves in it."""
        n = len(who)
        z["level"] = 0.995 * z["level"] - (rng.random(n) < 0.008) * rng.uniform(0.4, 1.1, n)
        z["e"] = z["level"] + 0.8 * (z["e"] - z["level"]) + rng.normal(0, 0.08, n)
        z["s"] = 0.88 * z["s"] + (rng.random(n) < 0.012) * rng.uniform(0.8, 2.2, n)
        z["gone"] = np.where(z["gone"] > 0, rng.random(n) > 0.03, rng.random(n) < 0.006).astype(float)
        z["raise"] = z["raise"] * np.where(rng.random(n) < 0.01, rng.uniform(1.05, 1.4, n), 1.0)
        units = self.size[who] * np.exp(z["e"] + self.season(day, who)) * 4.35
        over = np.maximum(0.0, units / self.commitment[who] - 1.0) * z["raise"]
        z["o"] = 0.85 * z["o"] + 0.15 * np.minimum(over, 2.0)
        leaves = (day > self.start[who] + 28) & (rng.random(n) < _sigmoid(-6.2 + self.parts(z).sum(axis=1)))
        return np.asarray(leaves)

    def attitude(self, z: State, who: NDArray[np.int64]) -> Floats:
        """Return how likely accounts are to recommend, on the scale of an answer."""
        return np.asarray(7.6 + 1.6 * z["e"][who] - 1.1 * z["s"][who] - 1.5 * z["o"][who])


KINDS: Mapping[str, Callable[[int, np.random.Generator], Any]] = {"contracts": Contracts, "usage_priced": UsagePriced}


def make(kind: str, accounts: int, seed: int) -> Company:
    """Simulate a company week by week."""
    rng = np.random.default_rng([seed, accounts, len(kind)])
    world = KINDS[kind](accounts, rng)
    z: State = world.state
    everyone = np.arange(accounts)
    ended = np.full(accounts, np.nan)
    made: dict[str, list[pd.DataFrame]] = {"usage": [], "tickets": [], "surveys": [], "payments": [], "prices": []}
    person, units = np.zeros(accounts, dtype=int), np.zeros(accounts)
    last_answer = np.full(accounts, -np.inf)
    for week in range(WEEKS):
        day = 7 * week
        before, paid = z["gone"].copy(), z["raise"].copy()
        leaves = world.step(z, day, rng, everyone)
        here = (world.start < day + 7) & np.isnan(ended)
        leaves &= here & (world.start + 7 <= day)
        ended[leaves] = day + rng.integers(0, 7, leaves.sum())
        person = person + 2 * ((before > 0) & (z["gone"] == 0))
        at = np.flatnonzero(here & ~leaves)
        _usage(made, world, z, at, day, person, units, rng)
        _tickets(made, z, at, day, rng)
        _surveys(made, world, z, at, day, last_answer, rng)
        if hasattr(world, "commitment"):
            _payments(made, world, z, at, day, units, rng)
        risen = np.flatnonzero(here & (z["raise"] > paid * 1.0001))
        made["prices"].append(pd.DataFrame({"account": risen, "day": float(day), "raise": z["raise"][risen]}))
    tables = {name: pd.concat(parts, ignore_index=True) for name, parts in made.items() if parts}
    return Company(
        _tables(kind, world, tables, ended), world.config.format(end=END.date()), _truth(world, z, ended, last_answer, rng)
    )


def _stamps(days: Floats) -> pd.Series[Any]:
    return pd.Series(START + pd.to_timedelta((np.asarray(days, dtype=float) * 86_400).round(), unit="s")).dt.floor("s")


def _usage(
    made: dict[str, list[pd.DataFrame]],
    world: Any,
    z: State,
    at: Any,
    day: int,
    person: Any,
    units: Floats,
    rng: np.random.Generator,
) -> None:
    season = world.season(day, at) if hasattr(world, "season") else 0.0
    rate = (world.size[at] if hasattr(world, "size") else 0.9 * world.seats[at]) * np.exp(z["e"][at] + season)
    counts = rng.poisson(rate * rng.gamma(12.0, 1 / 12.0, len(at)))
    units[at] += counts
    rows = np.repeat(at, counts)
    others = 1 + np.floor(world.seats[rows] * rng.random(len(rows)) ** 1.6).astype(int)
    by_champion = (rng.random(len(rows)) < 0.5) & (z["gone"][rows] == 0)
    user = np.where(by_champion, "p" + pd.Series(person[rows]).astype(str), "m" + pd.Series(others).astype(str))
    event = rng.choice(["view", "edit", "export", "share", "report"], len(rows), p=[0.45, 0.25, 0.12, 0.1, 0.08])
    made["usage"].append(
        pd.DataFrame(
            {
                "account": rows,
                "day": day + rng.integers(0, 7, len(rows)) + rng.uniform(0.3, 0.8, len(rows)),
                "event": event,
                "user_id": user,
            }
        )
    )


def _tickets(made: dict[str, list[pd.DataFrame]], z: State, at: Any, day: int, rng: np.random.Generator) -> None:
    rows = np.repeat(at, rng.poisson(0.06 + 0.35 * z["s"][at]))
    opened = day + rng.uniform(0, 7, len(rows))
    waited = np.exp(rng.normal(1.0 + 0.9 * z["s"][rows], 0.8, len(rows)))
    made["tickets"].append(
        pd.DataFrame(
            {
                "account": rows,
                "day": opened,
                "hours": waited,
                "days": waited / 24 + np.exp(rng.normal(0.2 + 0.7 * z["s"][rows], 0.8, len(rows))),
            }
        )
    )


def _surveys(
    made: dict[str, list[pd.DataFrame]], world: Any, z: State, at: Any, day: int, last_answer: Floats, rng: np.random.Generator
) -> None:
    asked = at[rng.random(len(at)) < 1 / 13]
    mood = world.attitude(z, asked)
    answers = rng.random(len(asked)) < _sigmoid(-0.7 + 0.5 * (mood - 7.6))
    value = np.clip(np.round(mood + rng.normal(0, 0.8, len(asked))), 0, 10)
    last_answer[asked[answers]] = day
    made["surveys"].append(
        pd.DataFrame(
            {
                "account": asked,
                "day": float(day),
                "answered": np.where(answers, day + rng.uniform(0.1, 5, len(asked)), np.nan),
                "value": np.where(answers, value, np.nan),
            }
        )
    )


def _payments(
    made: dict[str, list[pd.DataFrame]], world: Any, z: State, at: Any, day: int, units: Floats, rng: np.random.Generator
) -> None:
    due = at[_due(world.start[at], np.ones(len(at)), day)]
    over = np.maximum(0, units[due] - world.commitment[due])
    amount = world.price[due] * (world.commitment[due] + over * 1.5 * z["raise"][due])
    units[due] = 0
    made["payments"].append(
        pd.DataFrame({"account": due, "day": day + rng.uniform(0, 7, len(due)), "amount": amount.round(2), "status": "paid"})
    )


def _tables(kind: str, world: Any, made: Mapping[str, pd.DataFrame], ended: Floats) -> dict[str, pd.DataFrame]:
    n = len(ended)
    ids = np.array([f"c{number:05d}" for number in range(n)])
    rng = np.random.default_rng(n)
    known = world.start < 7 * WEEKS

    def named(frame: pd.DataFrame) -> pd.Series[Any]:
        return pd.Series(ids[frame["account"].to_numpy()])

    accounts = pd.DataFrame(
        {
            "account_id": ids,
            "signed_up_at": _stamps(world.start),
            "segment": rng.choice(["s", "m", "l"], n),
            "region": rng.choice(["n", "w"], n),
        }
    )
    subscriptions = pd.DataFrame(
        {"subscription_id": ids, "account_id": ids, "started_at": _stamps(world.start), "ended_at": _stamps(ended)}
    )
    if kind == "contracts":
        accounts["seats"] = world.seats.astype(int)
        subscriptions["billing_period"] = pd.Series(world.months).map({1.0: "monthly", 3.0: "quarterly", 12.0: "annual"})
        subscriptions["mrr"] = (world.price * world.seats).round(2)
        risen = made["prices"]
        numbers = risen["account"].to_numpy()
        later = subscriptions.iloc[numbers].reset_index(drop=True)
        later["mrr"] = (later["mrr"] * risen["raise"].to_numpy()).round(2)
        subscriptions["valid_from"] = subscriptions["started_at"]
        later["valid_from"] = _stamps(risen["day"].to_numpy() + 0.5)
        later = later[later["valid_from"] > later["started_at"]]
        subscriptions = pd.concat([subscriptions, later[~(later["ended_at"] <= later["valid_from"])]], ignore_index=True)
        # an end is known when it happens
        subscriptions = subscriptions.drop(columns="valid_from") if risen.empty else subscriptions
    else:
        accounts["commitment"] = world.commitment
    tickets, surveys, usage = (made[name] for name in ("tickets", "surveys", "usage"))
    end = 7 * WEEKS

    def past(days: Floats) -> pd.Series[Any]:
        return _stamps(np.where(days < end, days, np.nan))

    found = {
        "accounts": accounts[known],
        "subscriptions": subscriptions[subscriptions["account_id"].isin(ids[known])],
        "usage": pd.DataFrame(
            {
                "account_id": named(usage),
                "at": _stamps(usage["day"].to_numpy()),
                "event": usage["event"],
                "user_id": usage["user_id"],
            }
        ),
        "tickets": pd.DataFrame(
            {
                "ticket_id": np.arange(len(tickets)).astype(str),
                "account_id": named(tickets),
                "opened_at": _stamps(tickets["day"].to_numpy()),
                "first_response_at": past(tickets["day"].to_numpy() + tickets["hours"].to_numpy() / 24),
                "resolved_at": past(tickets["day"].to_numpy() + tickets["days"].to_numpy()),
            }
        ),
    }
    if "payments" in made:
        payments = made["payments"]
        found["payments"] = pd.DataFrame(
            {
                "payment_id": np.arange(len(payments)).astype(str),
                "account_id": named(payments),
                "at": _stamps(payments["day"].to_numpy()),
                "amount": payments["amount"],
                "status": payments["status"],
            }
        )
    if kind == "contracts":
        found["surveys"] = pd.DataFrame(
            {
                "survey_id": np.arange(len(surveys)).astype(str),
                "account_id": named(surveys),
                "sent_at": _stamps(surveys["day"].to_numpy() + 0.4),
                "answered_at": past(surveys["answered"].to_numpy() + 0.4),
                "instrument": "nps",
                "value": surveys["value"],
            }
        )
        late = found["surveys"]["answered_at"].isna()
        found["surveys"].loc[late, "value"] = np.nan
    return {name: frame.reset_index(drop=True) for name, frame in found.items()}


def _truth(world: Any, z: State, ended: Floats, last_answer: Floats, rng: np.random.Generator) -> pd.DataFrame:
    end = 7 * WEEKS
    here = np.flatnonzero(np.isnan(ended) & (world.start < end))
    parts = world.parts(z)[here]
    centred = parts - parts.mean(axis=0)
    share = np.zeros(len(here))
    who = np.repeat(here, COPIES)
    state = {name: values[who].copy() for name, values in z.items()}
    gone = np.zeros(len(who), dtype=bool)
    for week in range(HORIZON // 7 + 1):
        leaves = world.step(state, end + 7 * week, rng, who)
        # the last week lies partly within the horizon
        gone |= leaves & (rng.random(len(who)) < min(1.0, (HORIZON - 7 * week) / 7))
    share = gone.reshape(len(here), COPIES).mean(axis=1)
    mood = world.attitude(z, here)
    tier = np.where(mood < 6.5, "detractor", np.where(mood < 8.5, "passive", "promoter"))
    return pd.DataFrame(
        {
            "account_id": [f"c{number:05d}" for number in here],
            "churn_probability": share,
            "driver": np.array(world.drivers)[centred.argmax(axis=1)],
            "tier": tier,
            "answered": last_answer[here] > end - 365,
        }
    )


def measure(kind: str, accounts: int, seed: int, settings: Mapping[str, str]) -> dict[str, float]:
    """Train and score with the product, and compare with the truth."""
    company = make(kind, accounts, seed)
    with tempfile.TemporaryDirectory() as folder:
        config = _write(company, Path(folder), settings)
        begun = time.process_time()
        trained = train(config)
        spent = time.process_time() - begun
        scores = score(config, cutoff=str(END.date())).frame()
        evaluation = trained.evaluation.metrics()
    rows = (
        company.truth.set_index("account_id")
        .join(scores.set_index("account_id").add_suffix("_found"))
        .dropna(subset="churn_probability_found")
    )
    true, found = (rows[name].to_numpy(dtype=float) for name in ("churn_probability", "churn_probability_found"))
    figures = {
        "accounts": len(rows),
        "auroc_test": float(evaluation.get("auroc", np.nan)),
        "reach": (expected_auroc(true, found) - 0.5) / (expected_auroc(true, true) - 0.5),
        "true_auroc": expected_auroc(true, true),
        "corr": float(np.corrcoef(true, found)[0, 1]),
        "ce": calibration_error(true, found),
        "mean": float(found.mean() / true.mean()),
        "cpu_s": spent,
    }
    return {**figures, **_levers(rows), **_tiers(rows)}


def _levers(rows: pd.DataFrame) -> dict[str, float]:
    high = rows[rows["churn_probability"] >= rows["churn_probability"].quantile(0.8)]
    # bringing people back and spreading the product are both answers to falling use
    levers = [
        high[f"lever_{place}_found"].replace("adoption", "engagement") for place in (1, 2, 3) if f"lever_{place}_found" in high
    ]
    hit = [(each == high["driver"]).to_numpy() for each in levers]
    found = {f"lever{count}": float(np.any(hit[:count], axis=0).mean()) for count in range(1, len(hit) + 1)}
    return {**found, "same2": float(high["driver"].value_counts(normalize=True).iloc[:2].sum())}


def _tiers(rows: pd.DataFrame) -> dict[str, float]:
    if "tier_found" not in rows or rows["tier_found"].isna().all():
        return {}
    said = rows[rows["tier_found"].isin(["detractor", "passive", "promoter"])]
    right = said["tier_found"] == said["tier"]
    return {
        "tier": float(right.mean()),
        "answerers": float(right[said["answered"]].mean()),
        "silent": float(right[~said["answered"]].mean()),
        "commonest": float(said["tier"].value_counts(normalize=True).iloc[0]),
    }


def _write(company: Company, folder: Path, settings: Mapping[str, str]) -> Path:
    (folder / "data").mkdir(parents=True, exist_ok=True)
    text = company.config
    for name, table in company.tables.items():
        table.to_parquet(folder / "data" / f"{name}.parquet", index=False)
        text = text.replace(f"source: {name}", f"source: data/{name}.parquet")
    for key, value in settings.items():
        head, _, rest = key.partition(".")
        text += f"{head}: {{{rest}: {value}}}\n" if rest else f"{head}: {value}\n"
    company.truth.to_parquet(folder / "truth.parquet", index=False)
    (folder / "staypower.yaml").write_text(text)
    return folder / "staypower.yaml"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=sorted(KINDS), default="contracts")
    parser.add_argument("--accounts", type=int, default=2000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="settings, such as model.calibration=sigmoid")
    parser.add_argument("--write", type=Path, help="write tables, truth and a config into this folder instead")
    asked = parser.parse_args()
    settings = dict(each.split("=", 1) for each in asked.set)
    if asked.write:
        print(_write(make(asked.kind, asked.accounts, asked.seeds[0]), asked.write, settings))
        return
    rows = []
    for seed in asked.seeds:
        rows.append({"seed": seed, **measure(asked.kind, asked.accounts, seed, settings)})
        print(pd.DataFrame(rows[-1:]).round(3).to_string(index=False), flush=True)
    if len(rows) > 1:
        print("mean\n" + pd.DataFrame(rows).mean().round(3).to_frame().T.to_string(index=False))


if __name__ == "__main__":
    main()
