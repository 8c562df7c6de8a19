"""Labels said in sentences."""

import pytest

from staypower.labels.settings import ContractualLabel, GivenLabel, NonContractualLabel


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (ContractualLabel(horizon=60, gap=14), "ends from 14 to 74 days after the cutoff and no other begins within 30 days"),
        (
            NonContractualLabel(table="usage", key_events=("export",)),
            "no row of `usage` with one of the events export in",
        ),
        (GivenLabel(flag="Churn", positive=("Yes", "1")), "the column `Churn` of `accounts` says Yes or 1; not when"),
        (GivenLabel(time="day"), "the first date `day` in the table `churn` lies within 90 days after the cutoff"),
    ],
)
def test_what_counts_as_churn(label, said):
    assert said in label.churn_in_words()


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (ContractualLabel(keep_notice=True, too_new=0), "a subscription that covers the cutoff"),
        (ContractualLabel(keep_too_new=True), "a subscription that covers the cutoff, without those that have given notice"),
        (
            NonContractualLabel(activity_window=30),
            "a row of `orders` in the 30 days before the cutoff, without those younger than 14 days",
        ),
    ],
)
def test_who_is_trained_on(label, said):
    assert label.population_in_words() == f"accounts with {said}"


def test_who_is_trained_on_where_churn_is_given():
    assert GivenLabel(flag="Churn", too_new=0).population_in_words() == "all accounts, at the one cutoff of the flag"
    assert GivenLabel(too_new=0).population_in_words() == "accounts that have signed up and had not churned before the cutoff"


def test_what_a_score_is_the_likelihood_of():
    assert ContractualLabel(horizon=30, gap=7).outcome_in_words() == "to leave from 7 to 37 days after the cutoff"
    assert GivenLabel(flag="Churn").outcome_in_words() == "to carry the flag `Churn`"  # it says nothing of a horizon
