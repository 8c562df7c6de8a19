"""Known accounts against accounts never seen: an identity that the trees can learn is found out."""

import numpy as np
import pytest

from staypower import metrics
from staypower.errors import UsageError
from staypower.evaluation.assessment import evaluate
from staypower.evaluation.memory import account_memory


def rows(n=500, memory=0.0, seed=0):
    """Rows predicted with and without their account; `memory` is how much the first knows beyond the second."""
    rng = np.random.default_rng(seed)
    truth = rng.beta(1.2, 5, n)
    churned = (rng.random(n) < truth).astype(int)
    unseen = np.clip(truth * 0.6 + 0.4 * rng.beta(1.2, 5, n), 0, 1)
    known = np.clip((1 - memory) * (truth * 0.6 + 0.4 * rng.beta(1.2, 5, n)) + memory * churned, 0, 1)
    return churned, known, unseen, np.arange(n)


def test_both_figures_and_their_difference_are_those_of_the_plain_metrics():
    churned, known, unseen, accounts = rows()
    found = account_memory(churned, known, unseen, accounts, replicates=50)
    assert found.known["auroc"].value == pytest.approx(metrics.auroc(churned, known))
    assert found.unseen["log_loss"].value == pytest.approx(metrics.log_loss(churned, unseen))
    expected = metrics.auroc(churned, known) - metrics.auroc(churned, unseen)
    assert found.difference["auroc"].value == pytest.approx(expected)


def test_memory_is_said_and_its_absence_too():
    assert account_memory(*rows(memory=0.3)).easier
    assert "The model remembers accounts" in account_memory(*rows(memory=0.3)).words
    honest = account_memory(*rows())
    assert not honest.easier
    assert "Known accounts are not shown to be easier" in honest.words


def test_copies_of_accounts_do_not_make_memory_more_certain():
    once = rows(n=120, memory=0.02, seed=4)
    copies = [np.tile(each, 8) for each in once]
    single, many = (account_memory(*each).difference["auroc"] for each in (once, copies))
    assert (many.low, many.high) == pytest.approx((single.low, single.high))


def test_one_class_is_said():
    found = account_memory([0, 0], [0.1, 0.2], [0.1, 0.2], ["a", "b"], replicates=0)
    assert "only one class" in found.words


def test_lengths_must_agree():
    with pytest.raises(UsageError, match="rows differ in number: 2, 2, 1, 2"):
        account_memory([0, 1], [0.1, 0.2], [0.1], ["a", "b"])


def test_an_evaluation_shows_known_and_new_accounts_apart():
    churned, known, unseen, accounts = rows(n=400)
    seen = accounts % 4 != 0
    memory = account_memory(churned, known, unseen, accounts, replicates=30)
    found = evaluate(
        churned,
        {"model": known},
        accounts=accounts,
        cutoffs=np.zeros(400, dtype=int),
        split="temporal",
        probability={"model"},
        known_accounts=seen,
        memory=memory,
        bootstrap=30,
    )
    groups = {group.name: group for group in found.groups if group.partition == "account"}
    assert (groups["known, later"].rows, groups["never seen"].rows) == (300, 100)
    assert groups["never seen"].auroc.value == pytest.approx(metrics.auroc(churned[~seen], known[~seen]))
    assert memory.words.split(";")[0] in " ".join(found.text().split())
    assert found.metrics()["auroc_unseen_accounts"] == memory.unseen["auroc"].value
    assert found.to_dict()["account_memory"]["easier"] is False
    assert found.worst_slice is None
