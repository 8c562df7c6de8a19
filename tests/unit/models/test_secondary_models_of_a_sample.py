"""Kinds and other horizons learned from fewer rows that stayed: what they say of churners and of stayers is not bent."""

from __future__ import annotations

import numpy as np
import pytest
from simulated_company import company

from staypower.dataset.building import build_dataset
from staypower.dataset.sampling import Sampling
from staypower.dataset.settings import CutoffSettings
from staypower.features.settings import FeatureSettings
from staypower.models import secondary as secondary_module
from staypower.models.secondary import fit_kinds
from staypower.models.settings import ModelSettings

MODEL = ModelSettings(threads=1)
KEPT = 0.4


@pytest.fixture(scope="module")
def here():
    return company(800, 5)


@pytest.fixture(scope="module")
def few(here):
    return build_dataset(
        here.tables,
        label=here.label,
        features=FeatureSettings(),
        cutoffs=CutoffSettings(),
        sampling=Sampling(negatives=KEPT),
    )


def steps_of(dataset, here):
    steps, _ = secondary_module._steps(dataset, here.tables, here.label, [30, 180])
    return {step.days: (step.rows, step.churned) for step in steps}


def test_who_churns_early_is_learned_from_every_churner(few, here):
    both = [steps_of(dataset, here)[30] for dataset in (few, here.dataset)]
    counts = [(int(rows.sum()), int(churned[rows].sum())) for rows, churned in both]
    assert counts[0] == counts[1]
    assert counts[0][1] > 20


def test_who_churns_later_is_learned_from_a_fair_part_of_those_who_stayed(few, here):
    """Rows are left out by a label that all rows of this step share: the share of them that churns later stays what it is."""
    (rows, churned), (all_rows, all_churned) = (steps_of(dataset, here)[180] for dataset in (few, here.dataset))
    assert rows.sum() / all_rows.sum() == pytest.approx(KEPT, abs=0.04)
    # three standard errors, as if accounts were independent
    share, n = all_churned[all_rows].mean(), len(set(few.matrix.accounts[rows]))
    assert churned[rows].mean() == pytest.approx(share, abs=3 * np.sqrt(share * (1 - share) / n))


def test_kinds_are_learned_from_the_same_churners_byte_for_byte(few, here):
    one, other = (fit_kinds(dataset, here.label, MODEL)[0] for dataset in (few, here.dataset))
    assert one.metadata["rows"] == other.metadata["rows"]
    assert one.model_text == other.model_text
