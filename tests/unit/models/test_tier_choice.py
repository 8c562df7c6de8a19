"""Which tier is told: median or most probable, abstention and steadiness."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from staypower.errors import UsageError
from staypower.models.tier_prediction import UNKNOWN, choose_tiers, tell_tiers


def test_the_median_is_told_and_the_worse_of_two_that_halve_the_probability():
    assert tell_tiers([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2], [0.1, 0.1, 0.8], [0.5, 0.1, 0.4]]).tolist() == [1, 1, 2, 0]
    assert tell_tiers([[0.1, 0.2, 0.2, 0.25, 0.25]]).tolist() == [2], "0.1 + 0.2 + 0.2 is a half in decimals"


def test_the_most_probable_tier_is_told_when_asked_and_the_worse_of_equal_ones():
    likely = [[0.2, 0.5, 0.3], [0.4, 0.4, 0.2], [0.1, 0.1, 0.8], [0.4, 0.2, 0.4]]

    assert tell_tiers(likely, "most_probable").tolist() == [1, 0, 2, 0]
    assert choose_tiers(likely, told="most_probable").tolist() == [1, 0, 2, 0]
    assert choose_tiers(likely).tolist() == [1, 1, 2, 1]


@given(st.lists(st.integers(0, 20), min_size=2, max_size=6).filter(any))
def test_no_other_tier_is_nearer_to_the_answers_than_the_median(counts):
    shares = np.array(counts) / sum(counts)
    steps = np.abs(np.subtract.outer(np.arange(len(shares)), np.arange(len(shares))))
    distance = (steps * shares).sum(axis=1)

    (told,) = tell_tiers([shares])

    assert distance[told] <= distance.min() + 1e-9
    assert not (distance[:told] <= distance[told] + 1e-12).any(), "of equal ones the worse"


@pytest.mark.parametrize(("second", "told"), [(0.44, 1), (0.40, 1), (0.399, 0), (0.3, 0)])
def test_a_most_probable_tier_changes_only_when_the_margin_is_reached(second, told):
    # the first tier leads by 0.06, 0.10, 0.101 and 0.20 over the previous one, the second
    first = {0.44: 0.50, 0.40: 0.499, 0.399: 0.50, 0.3: 0.5}[second]

    assert choose_tiers([[first, second, 1 - first - second]], [1], told="most_probable", margin=0.1).tolist() == [told]


def test_a_median_changes_only_when_one_side_of_the_previous_tier_leads_by_the_margin():
    # one side of the passive holds 0.54, 0.55, 0.56 against 0.46, 0.45, 0.44
    assert choose_tiers([[0.54, 0.2, 0.26], [0.55, 0.2, 0.25], [0.56, 0.2, 0.24]], [1, 1, 1]).tolist() == [1, 0, 0]
    assert choose_tiers([[0.26, 0.2, 0.54], [0.25, 0.2, 0.55]], [1, 1]).tolist() == [1, 2]
    # from a detractor the median may go two steps at once
    assert choose_tiers([[0.2, 0.25, 0.55], [0.46, 0.0, 0.54]], [0, 0]).tolist() == [2, 0]


@pytest.mark.parametrize("told", ["median", "most_probable"])
def test_a_difference_of_exactly_the_margin_is_enough(told):
    assert choose_tiers([[0.55, 0.45, 0.0], [0.6, 0.4, 0.0]], [1, 1], told=told, margin=0.1).tolist() == [0, 0]


def test_no_margin_follows_every_change_and_a_full_margin_none():
    likely = [[0.51, 0.49, 0.0]]

    assert choose_tiers(likely, [1], margin=0.0).tolist() == [0]
    assert choose_tiers([[0.98, 0.01, 0.01]], [2], margin=1.0).tolist() == [2]


def test_flapping_around_the_edge_is_stilled():
    rng = np.random.default_rng(0)
    drift = 0.5 + 0.03 * rng.standard_normal(50)
    tier = {0.0: [], 0.1: []}
    for margin, told in tier.items():
        now = choose_tiers([[drift[0], 1 - drift[0]]])
        for value in drift[1:]:
            now = choose_tiers([[value, 1 - value]], now, margin=margin)
            told.append(int(now[0]))

    changes = {margin: int(np.abs(np.diff(told)).sum()) for margin, told in tier.items()}
    assert changes[0.0] > 10
    assert changes[0.1] <= 4


def test_thin_evidence_tells_nothing_and_the_threshold_does_not_flap_either():
    likely = [[0.39, 0.31, 0.30], [0.40, 0.30, 0.30], [0.39, 0.31, 0.30], [0.34, 0.33, 0.33]]

    found = choose_tiers(likely, [-1, -1, 0, 0], told="most_probable", margin=0.05, abstain_below=0.4)

    assert found.tolist() == [UNKNOWN, 0, 0, UNKNOWN]
    assert choose_tiers(likely, [-1, -1, 1, 1], margin=0.05, abstain_below=0.4).tolist() == [UNKNOWN, 1, 1, UNKNOWN]


def test_withheld_rows_are_unknown_whatever_the_evidence():
    found = choose_tiers([[0.9, 0.1], [0.9, 0.1]], [0, 0], withheld=[True, False])

    assert found.tolist() == [UNKNOWN, 0]
    assert found.dtype == np.int8


@pytest.mark.parametrize(
    ("previous", "settings", "said"),
    [
        ([0], {}, "previous tiers do not match"),
        ([0, 2], {}, "unusable previous tier: 1 rows"),
        ([0, -2], {}, "unusable previous tier"),
        ([0, 0], {"margin": 1.5}, "margin is not a share"),
        ([0, 0], {"abstain_below": -0.1}, "abstain_below is not a share"),
    ],
)
def test_unusable_tiers_and_shares_are_refused(previous, settings, said):
    with pytest.raises(UsageError) as error:
        choose_tiers([[0.9, 0.1], [0.9, 0.1]], previous, **settings)

    assert said in str(error.value)
