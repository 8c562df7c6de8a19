"""Known against unseen accounts: an identity that the trees can learn is found out."""

import numpy as np
import pytest

from staypower import metrics
from staypower.errors import UsageError
from staypower.evaluation.assessment import evaluate
from staypower.evaluation.folds import compare_known_accounts


def rows(n=500, recognised=0.0, seed=0):
    """Rows predicted with and without their account; `recognised` is how much the first knows beyond the second."""
    rng = np.random.default_rng(seed)
    truth = rng.beta(1.2, 5, n)
    churned = (rng.random(n) < truth).astype(int)
    unseen = np.clip(truth * 0.6 + 0.4 * rng.beta(1.2, 5, n), 0, 1)
    known = np.clip((1 - recognised) * (truth * 0.6 + 0.4 * rng.beta(1.2, 5, n)) + recognised * churned, 0, 1)
    return churned, known, unseen, np.arange(n)


def test_both_figures_and_their_difference_are_those_of_the_plain_metrics():
    churned, known, unseen, accounts = rows()
    found = compare_known_accounts(churned, known, unseen, accounts, replicates=50)
    assert found.known["auroc"].value == pytest.approx(metrics.auroc(churned, known))
    assert found.unseen["log_loss"].value == pytest.approx(metrics.log_loss(churned, unseen))
    expected = metrics.auroc(churned, known) - metrics.auroc(churned, unseen)
    assert found.difference["auroc"].value == pytest.approx(expected)


def test_a_difference_is_stated_and_its_absence_too():
    assert compare_known_accounts(*rows(recognised=0.3)).easier
    assert "The model is better on accounts it was trained on" in compare_known_accounts(*rows(recognised=0.3)).words
    honest = compare_known_accounts(*rows())
    assert not honest.easier
    assert "not significantly better on accounts it was trained on" in honest.words


def test_copies_of_accounts_do_not_make_the_difference_more_certain():
    once = rows(n=120, recognised=0.02, seed=4)
    copies = [np.tile(each, 8) for each in once]
    single, many = (compare_known_accounts(*each).difference["auroc"] for each in (once, copies))
    assert (many.low, many.high) == pytest.approx((single.low, single.high))


def test_one_class_is_said():
    found = compare_known_accounts([0, 0], [0.1, 0.2], [0.1, 0.2], ["a", "b"], replicates=0)
    assert "one class only" in found.words


def test_lengths_must_agree():
    with pytest.raises(UsageError, match="rows differ in number: 2, 2, 1, 2"):
        compare_known_accounts([0, 1], [0.1, 0.2], [0.1], ["a", "b"])


def test_an_evaluation_shows_known_and_new_accounts_separately():
    churned, known, _, accounts = rows(n=400)
    seen = accounts % 4 != 0
    found = evaluate(
        churned,
        {"model": known},
        accounts=accounts,
        cutoffs=np.zeros(400, dtype=int),
        split="temporal",
        probability={"model"},
        known_accounts=seen,
        bootstrap=30,
    )
    groups = {group.name: group for group in found.groups if group.partition == "account"}
    assert (groups["known, later"].rows, groups["never seen"].rows) == (300, 100)
    assert groups["never seen"].auroc.value == pytest.approx(metrics.auroc(churned[~seen], known[~seen]))
    assert found.worst_slice is None
