import pytest
from pydantic import ValidationError

from staypower.models.settings import FEW, MANY, SOME, ModelSettings, TreeShape


@pytest.mark.parametrize(
    ("churners", "leaves", "depth"),
    [(FEW - 1, 4, 2), (FEW, 8, 4), (SOME - 1, 8, 4), (SOME, 15, 5), (MANY - 1, 15, 5), (MANY, 31, 6)],
)
def test_trees_grow_with_the_evidence(churners, leaves, depth):
    found = TreeShape.by_evidence(churners=churners, accounts=10 * churners, rows=10 * churners)
    assert (found.num_leaves, found.max_depth) == (leaves, depth)


@pytest.mark.parametrize(
    ("churners", "accounts", "rows", "fewest"),
    [
        (200, 1000, 1000, 8),  # 8 accounts a leaf
        (200, 1000, 12_000, 96),  # twelve cutoffs an account: still 8 accounts
        (FEW - 1, 1000, 12_000, 240),  # few churners: 20 accounts
        (200, 100, 100, 5),  # a twentieth of the rows
        (200, 10, 10, 1),
    ],
)
def test_a_leaf_holds_so_many_accounts(churners, accounts, rows, fewest):
    assert TreeShape.by_evidence(churners=churners, accounts=accounts, rows=rows).min_child_samples == fewest


@pytest.mark.parametrize(
    "values", [{"folds": 5}, {"max_trees": 0}, {"learning_rate": 0.0}, {"calibration": "isotonic"}, {"leaves": 3}]
)
def test_settings_out_of_bounds_are_refused(values):
    with pytest.raises(ValidationError):
        ModelSettings(**values)
