import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from staypower.evaluation.health_score import Caught, caught_at, caught_table

CUTOFF = 1_735_689_600_000_000  # 2025-01-01


def test_each_is_given_the_same_number_of_contacts():
    churned = np.array([1, 1, 0, 0, 1, 0], dtype=np.int8)
    model, score = np.array([0.9, 0.8, 0.1, 0.2, 0.3, 0.1]), -np.array([90.0, 10, 20, 80, 70, 60])
    found = caught_at(CUTOFF, churned, model, score, np.array([100.0, 50, 1, 1, np.nan, 1]), capacity=2)
    assert found == Caught("2025-01-01", 2, 3, 2, 1, 150.0, 150.0, 50.0)
    assert found.accounts_more == 1


def test_accounts_without_a_health_score_come_last_and_unknown_revenue_is_blank():
    churned = np.array([1, 0, 1], dtype=np.int8)
    found = caught_at(CUTOFF, churned, np.array([0.1, 0.5, 0.2]), np.array([np.nan, -10.0, -5.0]), None, capacity=2)
    assert (found.by_model, found.by_score) == (1, 1)
    assert np.isnan(found.churned_mrr)
    assert caught_table([found]).rows[0][-3:] == ["", "", ""]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1, max_size=40), st.integers(1, 50), st.randoms())
def test_ties_do_not_depend_on_the_order_of_rows(rows, capacity, random):
    def count(given_rows):
        churned, score = (np.array(each) for each in zip(*given_rows, strict=True))
        return caught_at(CUTOFF, churned.astype(np.int8), score * 1.0, score * 1.0, None, capacity=capacity)

    shuffled = list(rows)
    random.shuffle(shuffled)
    assert count(rows).by_score == count(shuffled).by_score <= count(rows).churned


def test_the_table_ends_with_the_sum():
    rows = [Caught("2025-01-01", 2, 3, 2, 1, 150.0, 150.0, 50.0), Caught("2025-02-01", 2, 1, 1, 1, 10.0, 10.0, 10.0)]
    assert caught_table(rows).rows[-1] == ["all", "4", "4", "3", "2", "160", "160", "60"]
