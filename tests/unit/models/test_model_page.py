"""The page about the model: its table is the shape that the code takes."""

from pathlib import Path

import pytest

from staypower.models.settings import FEW, LEAST_ACCOUNTS, MANY, SOME, TreeShape

PAGE = Path(__file__).parents[3] / "docs" / "model.md"


@pytest.mark.parametrize(
    ("row", "churners"),
    [(f"under {FEW}", FEW - 1), (f"under {SOME:,}", SOME - 1), (f"under {MANY:,}", MANY - 1), ("more", MANY)],
)
def test_the_table_of_shapes_is_true(row, churners):
    line = next(line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| {row} |"))
    _, leaves, depth, rate, accounts, l2, shares = (cell.strip() for cell in line.strip("|").split("|"))
    # one row an account, so that rows in a leaf are accounts
    shape = TreeShape.by_evidence(churners=churners, accounts=10**6, rows=10**6)
    assert (int(leaves), int(depth), float(rate)) == (shape.num_leaves, shape.max_depth, shape.learning_rate)
    assert (float(l2), shares) == (shape.l2, f"{shape.feature_fraction:g}, {shape.bagging_fraction:g}")
    said = [int(word.strip("()")) for word in accounts.split() if word.strip("()").isdigit()]
    assert max(said) == shape.min_child_samples


def test_the_limit_of_too_little_is_the_one_in_force():
    assert f"- Under **{LEAST_ACCOUNTS}** churned accounts" in PAGE.read_text(encoding="utf-8")
