"""What comes from a cluster must fit into the driver's memory, which is known before it comes."""

from __future__ import annotations

from pathlib import Path

import pytest

from staypower.dataset import sampled_tables
from staypower.dataset.sampled_tables import announcer, require_labels_fit
from staypower.engines.settings import EngineSettings
from staypower.errors import UsageError
from staypower.progress import Progress


@pytest.fixture(autouse=True)
def small_driver(monkeypatch):
    monkeypatch.setattr(sampled_tables, "machine_memory", lambda: 2 * 10**9)


def test_labels_of_too_many_accounts_are_refused_with_the_rows_that_fit():
    require_labels_fit(1_000_000, 24)
    with pytest.raises(UsageError) as caught:
        require_labels_fit(10_000_000, 24)
    [problem] = caught.value.problems
    assert problem.value == "labels of 10,000,000 accounts at 24 cutoffs: about 3.9GB; the driver has 2.0GB"
    assert "`sampling: {rows: 2500000}`" in problem.fix
    # what the fix names fits: of an account that is tested there is at least one row
    require_labels_fit(2_500_000, 24)


def test_a_matrix_may_have_all_memory_of_the_driver_and_no_more():
    announce = announcer(EngineSettings(kind="spark").memory_to_learn, Progress(quiet=True), Path())
    announce(100_000, 240)
    with pytest.raises(UsageError) as caught:
        announce(1_000_000, 240)
    [problem] = caught.value.problems
    assert problem.value == "1,000,000 rows of 240 features: about 11.5GB; the machine has 2.0GB"
    assert problem.fix.startswith("train on a sample: `sampling: {rows: 170000}` keeps within it")
    announce(170_000, 240)
