"""Labels said in sentences."""

import pytest

from staypower.labels.settings import ContractualLabel, GivenLabel, NonContractualLabel
from staypower.pipelines.label_words import churn_in_words, outcome_in_words, population_in_words


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
    assert said in churn_in_words(label)


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
def test_who_is_learned_from(label, said):
    assert population_in_words(label) == f"accounts with {said}"


def test_who_is_learned_from_where_churn_is_given():
    assert population_in_words(GivenLabel(flag="Churn", too_new=0)) == "all accounts, at the one cutoff that the flag knows"
    assert population_in_words(GivenLabel(too_new=0)) == "accounts that have signed up and had not churned before the cutoff"


def test_what_a_score_is_the_likelihood_of():
    assert outcome_in_words(ContractualLabel(horizon=30, gap=7)) == "to leave from 7 to 37 days after the cutoff"
    assert outcome_in_words(GivenLabel(flag="Churn")) == "to bear the flag `Churn`"  # it says nothing of a horizon
