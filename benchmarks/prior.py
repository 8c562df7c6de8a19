"""Where correcting the base rate helps, and where it harms.

    python benchmarks/prior.py --accounts 2000 --seeds 1 2 3 4 5

A model is trained on a simulated company and judged on its three test cutoffs, as they are and after something has changed.
Three versions of its probabilities are judged: as trained; moved to the true base rate of the test (`given`: somebody knew it);
and moved to the rate that expectation maximisation reads off the probabilities of each cutoff's population (`estimated`: no
label is looked at). `log loss` and `error` (calibration error) are means over the seeds; lower is better.

- nothing: the test as it is.
- churners doubled, halved (label shift): churners and stayers look as in training, their shares change. Stayers, or churners,
  are left out of the test until the odds of churning are doubled or halved.
- everybody's odds doubled (concept shift: a price rise, a new competitor): the same accounts, the true odds of each doubled.
- monthly contracts' odds tripled (concept shift in a part): the same, for one kind of contract; once more, judged on the
  contracts whose odds have not moved: whoever moves everybody to the new rate moves them for nothing.
- usage half recorded (covariate shift): every second usage row of the 90 days before a test cutoff was never recorded; who
  churns is as it was.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from staypower import build_features, load_config, metrics, read_tables, simulate
from staypower.cutoffs import DAY, instant_of, text_of
from staypower.dataset.building import build_dataset
from staypower.models.fitting import calibrated_base_rate, fit_classifier
from staypower.models.prior import PriorCorrection, estimate_prior

Floats = NDArray[np.float64]

TEST = ("2025-01-02", "2025-02-01", "2025-03-03")
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
label: {kind: contractual, horizon: 90, grace: 30}
"""


@dataclass(frozen=True)
class Rows:
    """Test rows: what was predicted, the true probability, what happened, and the cutoff."""

    predicted: Floats
    truth: Floats
    churned: NDArray[np.int8]
    cutoffs: NDArray[np.int64]
    monthly: NDArray[np.bool_]
    half_recorded: Floats

    def take(self, kept: NDArray[np.bool_]) -> Rows:
        """Leave rows out."""
        return Rows(**{name: getattr(self, name)[kept] for name in self.__dataclass_fields__})


def prepare(accounts: int, seed: int) -> tuple[Rows, float]:
    """Simulate, train, and predict the test rows twice: as they are, and with half of the late usage never recorded."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.yaml").write_text(CONFIG)
        settings = load_config(Path(folder) / "config.yaml")
    company = simulate(accounts, months=30, seed=seed, cutoffs=list(TEST), copies=32)
    names = list(settings.tables)
    tables = read_tables(settings, {name: company.tables[name] for name in names})
    dataset = build_dataset(tables, label=settings.label, features=settings.features, cutoffs=settings.cutoffs)
    if tuple(text_of(int(cutoff)) for cutoff in dataset.plan.test) != TEST:
        raise SystemExit("the plan's test cutoffs moved")
    model, test = fit_classifier(dataset, settings.model), dataset.part("test")
    known = company.truth.set_index([company.truth["account_id"].astype(str), company.truth["cutoff"]])
    truth = known.loc[test.keys, "churn_probability"].to_numpy(dtype=np.float64)
    periods = company.tables["subscriptions"].to_pandas().drop_duplicates("account_id", keep="last")
    monthly = set(periods.loc[periods["billing_period"] == "monthly", "account_id"].astype(str))
    thinned = {**{name: company.tables[name] for name in names}, "usage": _thin(company.tables["usage"])}
    made = build_features(settings, read_tables(settings, thinned), cutoffs=list(TEST), catalogue=dataset.catalogue)
    late = made.features.set_index(pd.MultiIndex.from_arrays([made.accounts.astype(str), _times(made.cutoffs)]))
    rows = Rows(
        predicted=model.predict_proba(test.X)[:, 1],
        truth=truth,
        churned=test.y,
        cutoffs=test.cutoffs,
        monthly=np.array([account in monthly for account in test.accounts]),
        half_recorded=model.predict_proba(late.loc[test.keys, list(dataset.X.columns)])[:, 1],
    )
    return rows, calibrated_base_rate(dataset)


def _times(cutoffs: NDArray[np.int64]) -> pd.DatetimeIndex:
    return pd.to_datetime(cutoffs, unit="us", utc=True).as_unit("us")


def _thin(usage: pa.Table) -> pa.Table:
    """Leave out every second row from 90 days before the first test cutoff on."""
    at = usage.column("at").cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
    late = at >= instant_of(TEST[0]) - 90 * DAY
    keep = ~late | (np.arange(len(at)) % 2 == 0)
    return usage.filter(pa.array(keep))


def nothing(rows: Rows, rng: np.random.Generator) -> Rows:
    """Change nothing."""
    return rows


def label_shift(times: float) -> Callable[[Rows, np.random.Generator], Rows]:
    """Multiply the odds of being a churner by leaving out members of the other class."""

    def change(rows: Rows, rng: np.random.Generator) -> Rows:
        kept = np.where(rows.churned == 1, min(times, 1.0), min(1 / times, 1.0))
        return rows.take(rng.random(len(kept)) < kept)

    return change


def odds(times: float, *, of_monthly_only: bool = False) -> Callable[[Rows, np.random.Generator], Rows]:
    """Multiply the true odds of accounts and draw anew who churns."""

    def change(rows: Rows, rng: np.random.Generator) -> Rows:
        factor = np.where(rows.monthly, times, 1.0) if of_monthly_only else times
        truth = rows.truth * factor / (1 - rows.truth + rows.truth * factor)
        return replace(rows, churned=(rng.random(len(truth)) < truth).astype(np.int8))

    return change


def half_recorded(rows: Rows, rng: np.random.Generator) -> Rows:
    """Predict from features of which the usage was half recorded."""
    return replace(rows, predicted=rows.half_recorded)


OTHERS = "the same, judged on the other contracts"
CHANGES: Mapping[str, Callable[[Rows, np.random.Generator], Rows]] = {
    "nothing": nothing,
    "churners doubled (label shift)": label_shift(2.0),
    "churners halved (label shift)": label_shift(0.5),
    "everybody's odds doubled": odds(2.0),
    "monthly contracts' odds tripled": odds(3.0, of_monthly_only=True),
    OTHERS: odds(3.0, of_monthly_only=True),
    "usage half recorded": half_recorded,
}


def measure(rows: Rows, trained: float, judged: NDArray[np.bool_] | None = None) -> dict[str, float]:
    """Judge the three versions of the probabilities, on some of the rows whose whole population they were corrected for."""
    estimated, rates = np.empty(len(rows.predicted)), []
    for cutoff in np.unique(rows.cutoffs):
        here = rows.cutoffs == cutoff
        correction = estimate_prior(rows.predicted[here], trained)
        estimated[here] = correction.apply(rows.predicted[here])
        rates.append(correction.target)
    happened = float(rows.churned.mean())
    versions = {
        "as trained": rows.predicted,
        "given": PriorCorrection(trained, happened).apply(rows.predicted),
        "estimated": estimated,
    }
    seen = np.ones(len(rows.churned), dtype=bool) if judged is None else judged
    churned = rows.churned[seen]
    found = {
        "happened": float(churned.mean()),
        "predicted": float(rows.predicted[seen].mean()),
        "estimate": float(np.mean(rates)),
    }
    for name, probability in versions.items():
        found[f"log loss {name}"] = metrics.log_loss(churned, probability[seen])
        found[f"error {name}"] = metrics.calibration_error(churned, probability[seen])
    return found


def main() -> None:
    """Measure every change over the seeds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=2000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    given = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {name: [] for name in CHANGES}
    for seed in given.seeds:
        rows, trained = prepare(given.accounts, seed)
        for number, (name, change) in enumerate(CHANGES.items()):
            changed = change(rows, np.random.default_rng([seed, number]))
            found[name].append(measure(changed, trained, ~changed.monthly if name == OTHERS else None))
    table = pd.DataFrame({name: pd.DataFrame(each).mean() for name, each in found.items()}).T
    better = {
        f"{way} better": {
            name: f"{sum(one[f'log loss {way}'] < one['log loss as trained'] for one in each)} of {len(each)}"
            for name, each in found.items()
        }
        for way in ("given", "estimated")
    }
    with pd.option_context("display.width", 250, "display.max_columns", 30, "display.float_format", "{:.4f}".format):
        print(f"{given.accounts:,} accounts, seeds {given.seeds}: means")
        print(table)
        print(pd.DataFrame(better))


if __name__ == "__main__":
    main()
