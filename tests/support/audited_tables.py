"""Cases to be audited, and tables changed by hand: for the tests of the audit."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from staypower.auditing.report import Case
from staypower.cutoffs import DAY
from staypower.dataset.building import build_dataset
from staypower.dataset.settings import CutoffSettings
from staypower.features.settings import FeatureSettings
from staypower.labels.settings import ContractualLabel

LABEL = ContractualLabel(horizon=60, grace=30, involuntary=("payment",))
FEATURES = FeatureSettings(windows=(28, 90), top_events=2)
CUTOFFS = CutoffSettings(every=30, min_history=60)


def case_of(tables, *, label=LABEL, features=FEATURES, cutoffs=CUTOFFS, **more):
    dataset = build_dataset(tables, label=label, features=features, cutoffs=cutoffs)
    return Case(name="acme", tables=tables, dataset=dataset, label=label, features=features, **more)


def with_table(tables, name, table):
    return replace(tables, tables={**tables.tables, name: table})


def with_column(table, name, values, **changes):
    return replace(table, data=table.data.append_column(name, pa.array(values)), **changes)


def times(*instants):
    return pa.array(instants, pa.int64()).cast(pa.timestamp("us", "UTC"))


def arriving_late(tables, days=6.0, seed=0):
    """Give every row a `known_at` some days after it happened."""
    rng = np.random.default_rng(seed)
    made = {}
    for name, table in tables.items():
        own = table.instants("valid_from") if table.has("valid_from") else table.own_instants()
        known = own + (rng.exponential(days, len(table)) * DAY).astype(np.int64)
        made[name] = with_column(table, "known_at", times(*known.tolist()))
    return replace(tables, tables=made)
