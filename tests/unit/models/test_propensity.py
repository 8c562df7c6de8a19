"""Weights for answers, and what they cannot fix."""

import numpy as np
import pandas as pd
import pytest

from staypower.errors import UsageError
from staypower.models.propensity import answer_weights, tilt_for_silence
from staypower.models.settings import ModelSettings

SETTINGS = ModelSettings(max_trees=80, folds=3, threads=1)


def company(seed=0, accounts=700, by="feature"):
    rng = np.random.default_rng(seed)
    shown, hidden = rng.normal(size=(2, accounts))
    X = pd.DataFrame({"shown": shown, "noise": rng.normal(size=accounts)})
    attitude = shown + hidden
    drives = shown if by == "feature" else hidden
    answers = rng.random(accounts) < 1 / (1 + np.exp(-1.5 * drives))
    return X, attitude, answers


def weighed(X, answers, invited=None, **more):
    asked = np.ones(len(X), dtype=bool) if invited is None else invited
    where = {"accounts": np.arange(len(X)), "cutoffs": np.zeros(len(X), dtype=np.int64), "settings": SETTINGS}
    return answer_weights(X, answers, asked, **{**where, **more})


def test_weights_bring_back_what_features_explain():
    X, attitude, answers = company()
    found = weighed(X, answers)

    plain = attitude[answers].mean() - attitude.mean()
    fixed = np.average(attitude[answers], weights=found.weight[answers]) - attitude.mean()
    assert plain > 0.4
    assert abs(fixed) < 0.4 * plain
    assert found.rate == pytest.approx(answers.mean())
    assert found.weight[answers].mean() == pytest.approx(1, abs=0.15), "stabilised"
    assert 0.3 * answers.sum() < found.effective < answers.sum()


def test_weights_do_not_bring_back_what_features_do_not_see():
    X, attitude, answers = company(by="attitude")
    found = weighed(X, answers)

    plain = attitude[answers].mean() - attitude.mean()
    fixed = np.average(attitude[answers], weights=found.weight[answers]) - attitude.mean()
    assert plain > 0.4
    assert fixed > 0.7 * plain


def test_weights_are_capped():
    X, _, answers = company()
    free, tight = weighed(X, answers), weighed(X, answers, cap=1.5)

    assert free.weight.max() > 1.5
    assert tight.weight.max() == 1.5
    assert tight.capped == int((free.weight[answers] > 1.5).sum()) > 0


def test_no_propensity_comes_from_trees_that_saw_the_account():
    """With a feature that names the account, trees that had seen it would know who answers: held-out ones cannot."""
    rng = np.random.default_rng(1)
    account = np.repeat(np.arange(120), 6)
    answers = (rng.random(120) < 0.5)[account]
    X = np.column_stack([account, rng.normal(size=len(account))]).astype(float)

    found = answer_weights(
        X, answers, np.ones(720, dtype=bool), accounts=account, cutoffs=np.tile(np.arange(6), 120),
        settings=SETTINGS.model_copy(update={"min_child_samples": 1, "num_leaves": 31, "max_depth": 8}),
    )  # fmt: skip

    gap = found.propensity[answers].mean() - found.propensity[~answers].mean()
    assert gap < 0.1


def test_rows_may_come_in_any_order_and_accounts_under_any_name():
    X, _, answers = company(accounts=300)
    order = np.random.default_rng(2).permutation(300)
    names = np.array([f"a{number:03d}" for number in range(300)])

    first = weighed(X, answers, accounts=names)
    second = weighed(X.iloc[order], answers[order], accounts=names[order])

    assert (first.weight[order] == second.weight).all()


def test_the_uninvited_teach_nothing():
    X, _, answers = company(accounts=400)
    invited = np.arange(400) < 300
    found = weighed(X, answers & invited, invited)

    assert np.isnan(found.propensity[~invited]).all()
    assert (found.weight[~invited] == 1).all()
    alone = weighed(X[invited], answers[invited])
    assert (found.weight[invited] == alone.weight).all()


@pytest.mark.parametrize("everybody", [True, False])
def test_nothing_to_weigh(everybody):
    X, *_ = company(accounts=50)
    found = weighed(X, np.full(50, everybody))

    assert (found.weight == 1).all()
    assert "every answer weighs 1" in found.notes[0]


def test_too_few_answers_to_cross_fit_weigh_the_same():
    X, *_ = company(accounts=30)
    found = weighed(X, np.arange(30) == 4)

    assert (found.weight == 1).all()
    assert found.notes


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"invited": np.zeros(50, dtype=bool)}, "answers without an invitation: 50 rows"),
        ({"cap": 0.5}, "cap of the weights is too small"),
        ({"accounts": np.arange(49)}, "rows differ in number"),
    ],
)
def test_what_cannot_be_weighed_is_said(more, said):
    X, *_ = company(accounts=50)
    with pytest.raises(UsageError) as error:
        weighed(X, np.ones(50, dtype=bool), **more)

    assert said in str(error.value)


def answering_by_answer(slope, rows=3000, seed=0, flat=False):
    rng = np.random.default_rng(seed)
    shown = rng.normal(size=rows)
    value = 0.9 * (0 if flat else 1) * shown + 0.6 * rng.normal(size=rows)
    came = rng.random(rows) < 1 / (1 + np.exp(-slope * value))
    return pd.DataFrame({"shown": shown, "noise": rng.normal(size=rows)}), value, came


def test_weights_by_answer_bring_back_what_depends_on_the_answer_alone():
    X, value, came = answering_by_answer(slope=1.2)
    hidden = np.where(came, value, np.nan)
    found = weighed(X, came, by="answer", value=hidden)

    assert value[came].mean() > 0.35
    assert np.average(value[came], weights=found.weight[came]) == pytest.approx(value.mean(), abs=0.08)
    assert found.slope / value[came].std() == pytest.approx(1.2, abs=0.25)
    by_features = weighed(X, came)
    assert np.average(value[came], weights=by_features.weight[came]) > value.mean() + 0.1, "features alone do not"


def test_weights_by_answer_hardly_move_when_silence_is_luck():
    X, value, _ = answering_by_answer(slope=0.0)
    came = np.random.default_rng(5).random(len(X)) < 0.5
    found = weighed(X, came, by="answer", value=value)

    assert abs(found.slope) < 0.2
    assert found.effective > 0.95 * came.sum()


@pytest.mark.parametrize(("flat", "said"), [(True, "features tell too little of the answers")])
def test_weights_by_answer_need_features_that_tell_of_answers(flat, said):
    X, value, came = answering_by_answer(slope=1.0, rows=800, flat=flat)
    found = weighed(X, came, by="answer", value=value)

    assert (found.weight == 1).all()
    assert said in found.notes[0]


def test_one_answer_for_all_weighs_the_same():
    X, _, came = answering_by_answer(slope=1.0, rows=200)

    assert (weighed(X, came, by="answer", value=np.full(200, 9.0)).weight == 1).all()


def test_weights_by_answer_need_the_answers():
    X, _, came = answering_by_answer(slope=1.0, rows=100)
    with pytest.raises(UsageError, match="answers without a value"):
        weighed(X, came, by="answer")


def test_tilting_is_bayes_rule():
    """P(tier | silent) from the model of who answers, computed the long way round."""
    tier = np.array([0.2, 0.3, 0.5])  # of everybody
    answers = 1 / (1 + np.exp(-(-1.0 + 0.8 * np.arange(3))))
    among_answerers = tier * answers / (tier * answers).sum()
    among_silent = tier * (1 - answers) / (tier * (1 - answers)).sum()

    assert tilt_for_silence([among_answerers], 0.8)[0] == pytest.approx(among_silent)
    rate = (tier * answers).sum()
    assert tilt_for_silence([among_answerers], 0.8, propensity=[rate])[0] == pytest.approx(tier)


def test_no_tilt_changes_nothing_and_a_strong_one_leaves_the_worst():
    likely = np.array([[0.2, 0.3, 0.5]])

    assert tilt_for_silence(likely, 0.0) == pytest.approx(likely)
    assert tilt_for_silence(likely, 30.0)[0] == pytest.approx([1, 0, 0])
    with pytest.raises(UsageError, match="finite"):
        tilt_for_silence(likely, float("nan"))
