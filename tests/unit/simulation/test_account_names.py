"""Simulated accounts have names: each its own, the same for a seed, and drawn apart from everything else."""

from __future__ import annotations

import numpy as np

from staypower.simulation import behaviour
from staypower.simulation.account_names import account_names
from staypower.simulation.behaviour import INDUSTRIES
from staypower.simulation.company import simulate


def test_names_are_different_and_those_of_a_seed():
    industries = [INDUSTRIES[number % len(INDUSTRIES)] for number in range(40_000)]
    names = account_names(np.arange(40_000), industries, seed=3)
    assert len(set(names)) == 40_000
    # a block's names do not depend on the others
    assert names[512:600] == account_names(np.arange(512, 600), industries[512:600], seed=3)
    assert names[:50] != account_names(np.arange(50), industries[:50], seed=4)


def test_an_account_keeps_its_name_and_nothing_else_moves_with_names(monkeypatch):
    company = simulate(300, months=9, cutoffs=[])
    accounts = company.tables["accounts"].to_pandas()
    assert accounts.groupby("account_id")["name"].nunique().eq(1).all()
    assert accounts["name"].nunique() == 300
    assert accounts["account_id"].duplicated().any()  # versions of one account

    monkeypatch.setattr(behaviour, "account_names", lambda numbers, industries, seed: ["one"] * len(numbers))
    without = simulate(300, months=9, cutoffs=[])
    for name, table in company.tables.items():
        other = without.tables[name]
        columns = [column for column in table.column_names if (name, column) != ("accounts", "name")]
        assert table.select(columns).equals(other.select(columns)), name
