"""What training asks of tables is the same of tables that can only be read bucket by bucket."""

from __future__ import annotations

import numpy as np
import pytest
from bucketed_tables import InBuckets
from hypothesis import given
from hypothesis import strategies as st
from simulated_company import company

from staypower.dataset.building import build_dataset
from staypower.dataset.folds import build_folds
from staypower.dataset.sampling import Sampling
from staypower.dataset.settings import CutoffSettings
from staypower.explanation.learned import named_levers
from staypower.explanation.settings import ExplanationSettings
from staypower.features.settings import FeatureSettings
from staypower.gate.counting import _TENTHS, _ends
from staypower.gate.facts import find_facts
from staypower.labels.churn import find_horizon_labels
from staypower.reporting.card import _data
from staypower.tables import fingerprint

CUTOFFS = CutoffSettings(every=90)
FEATURES = FeatureSettings(windows=(90,), families=("usage", "billing", "profile"))


@pytest.fixture(scope="module")
def here():
    return company(150, 5)


@pytest.fixture(scope="module")
def parts(here):
    return InBuckets.of(here.tables, 3)


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(negatives=0.3)])
def test_the_data_set(here, parts, sampling):
    asked = {"label": here.label, "features": FEATURES, "cutoffs": CUTOFFS, "sampling": sampling, "between": True}
    whole, found = build_dataset(here.tables, **asked), build_dataset(parts, **asked)
    assert found.catalogue == whole.catalogue
    assert found.frame().equals(whole.frame())
    assert found.labels.population.accounts == whole.labels.population.accounts
    for name in ("churned", "kind", "gone_early"):
        assert np.array_equal(getattr(found.labels, name), getattr(whole.labels, name)), name
    assert len(whole.y) > 200


def test_the_folds_of_a_backtest_know_what_was_known_then(here, parts):
    plans = [here.dataset.plan]
    asked = {"label": here.label, "features": FEATURES}
    [whole], [found] = build_folds(here.tables, plans, **asked), build_folds(parts, plans, **asked)
    assert found.frame().equals(whole.frame())


def test_horizons_and_reasons_for_leaving(here, parts):
    cutoffs = here.dataset.plan.training
    whole, found = (find_horizon_labels(each, here.label, cutoffs, [30, 60, 90]) for each in (here.tables, parts))
    assert found.population.accounts == whole.population.accounts
    assert np.array_equal(found.churned, whole.churned)
    churned = here.dataset.part("training", "calibration").churned
    asked = here.label, ExplanationSettings()
    one, many = (named_levers(churned, each.together({"subscriptions"}), *asked) for each in (here.tables, parts))
    assert one.tolist() == many.tolist()


def test_the_fingerprint_the_facts_of_the_gate_and_those_of_the_card(here, parts):
    assert fingerprint(parts) == fingerprint(here.tables)
    assert fingerprint(parts) != fingerprint(InBuckets.of(here.tables.only_accounts(here.tables.account_ids[1:]), 3))
    assert find_facts(parts, here.label, {}).to_dict() == find_facts(here.tables, here.label, {}).to_dict()
    assert _data(parts, "") == _data(here.tables, "")


@given(st.lists(st.floats(-1e6, 1e6).map(lambda number: round(number, 1)), min_size=1, max_size=60))
def test_tenths_of_counted_numbers_are_those_of_the_numbers(numbers):
    values, counts = np.unique(np.asarray(numbers) + 0.0, return_counts=True)
    expected = values if len(values) <= len(_TENTHS) + 2 else np.unique(np.quantile(numbers, _TENTHS))
    assert list(_ends(values, counts)) == expected.tolist()
