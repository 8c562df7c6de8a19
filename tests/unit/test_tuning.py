from __future__ import annotations

import math
from pathlib import Path

import optuna
import pytest

from staypower.errors import UsageError
from staypower.evaluation.resampling import Estimate
from staypower.tuning import TUNED, Budget, Search, Trial, Tuning, search_settings

DEFAULTS = {"num_leaves": 8, "max_depth": 4, "learning_rate": 0.04, "min_child_samples": 60, "l2": 1.0}
DEFAULTS |= {"feature_fraction": 0.4, "bagging_fraction": 0.6}


def bowl(overrides):
    """Two folds whose loss is lowest at a learning rate of 0.1 and few leaves; the defaults lose 0.9 a row."""
    loss = 0.9 if not overrides else abs(math.log(overrides["learning_rate"] / 0.1)) / 4 + overrides["num_leaves"] / 100
    return [lambda: (10 * loss, 10), lambda: (20 * loss, 20)]


def search(folder: Path, trials: int, *, resume: bool = False, seed: int = 0) -> Search:
    return Search(folder / "tuning.db", "question", Budget(trials=trials), seed, resume)


def test_the_defaults_come_first_and_the_same_seed_finds_the_same(tmp_path):
    first = search_settings(search(tmp_path / "a", 12), bowl, defaults=DEFAULTS)
    again = search_settings(search(tmp_path / "b", 12), bowl, defaults=DEFAULTS)
    other = search_settings(search(tmp_path / "c", 12, seed=1), bowl, defaults=DEFAULTS)
    assert first[0].is_default
    assert first[0].loss == pytest.approx(0.9)
    assert [t.settings for t in first] == [t.settings for t in again]
    assert [t.settings for t in first] != [t.settings for t in other]
    assert min(t.loss for t in first if t.state == "complete") < 0.5


def test_everything_tried_lies_within_its_range(tmp_path):
    for trial in search_settings(search(tmp_path, 10), bowl, defaults=DEFAULTS)[1:]:
        assert set(trial.settings) == set(TUNED)
        for name, value in trial.settings.items():
            assert TUNED[name].low <= value <= TUNED[name].high


def test_a_stopped_search_goes_on_and_one_that_is_not_asked_to_begins_anew(tmp_path):
    seen = []

    def stopping(overrides):
        if len(seen) == 4:
            raise KeyboardInterrupt
        seen.append(overrides)
        return bowl(overrides)

    with pytest.raises(KeyboardInterrupt):
        search_settings(search(tmp_path, 9), stopping, defaults=DEFAULTS)
    went_on = search_settings(search(tmp_path, 9, resume=True), bowl, defaults=DEFAULTS)
    finished = [t for t in went_on if t.state != "failed"]
    assert len(finished) == 9
    assert [t.settings for t in finished[:4]][1:] == [{n: pytest.approx(v) for n, v in each.items()} for each in seen[1:]]
    assert len({str(sorted(t.settings.items())) for t in finished}) == 9
    assert len(search_settings(search(tmp_path, 3), bowl, defaults=DEFAULTS)) == 3


def test_a_trial_that_falls_behind_is_dropped_after_a_fold(tmp_path):
    asked = []

    def worse_and_worse(overrides):
        number = len(asked)
        asked.append(0)

        def fold():
            asked[number] += 1
            return 10.0 * (1 + number), 10

        return [fold, fold, fold]

    trials = search_settings(search(tmp_path, 14), worse_and_worse, defaults=DEFAULTS)
    assert [t.state for t in trials[:8]] == ["complete"] * 8
    assert all(t.state == "pruned" for t in trials[9:])
    assert asked[-1] == 1


def test_a_process_that_died_leaves_no_running_trial(tmp_path):
    place = search(tmp_path, 4)
    search_settings(place, bowl, defaults=DEFAULTS)
    study = optuna.load_study(study_name="question", storage=f"sqlite:///{place.file}")
    study.ask()
    went_on = search_settings(search(tmp_path, 5, resume=True), bowl, defaults=DEFAULTS)
    assert [t.state for t in went_on].count("failed") == 1
    assert [t.state for t in went_on].count("complete") == 5


@pytest.mark.parametrize(
    ("trials", "minutes", "problem"),
    [(None, None, "no budget"), (1, None, "too few trials"), (None, 0.0, "no time"), (None, math.nan, "no time")],
)
def test_impossible_budgets(trials, minutes, problem):
    with pytest.raises(UsageError, match=problem):
        Budget(trials, minutes)


def tuned(low: float, high: float) -> Tuning:
    trials = (Trial(0, {}, 0.30, "complete", 1.0), Trial(1, {"l2": 2.0}, 0.29, "complete", 1.0))
    return Tuning(trials, ("2025-01-01",), {}, {"log_loss": Estimate((low + high) / 2, low, high)}, ("2025-06-01",))


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (-0.02, -0.01, "the tuned settings are better"),
        (-0.02, 0.01, "not significantly better than the defaults"),
        (0.01, 0.02, "the defaults are better"),
    ],
)
def test_the_headline_says_what_later_months_showed(low, high, words):
    assert words in tuned(low, high).headline
    assert "l2: 2.0" in tuned(low, high).yaml


def test_defaults_win_ties():
    trials = (
        Trial(0, {"l2": 2.0}, 0.3, "complete", 1.0),
        Trial(1, {}, 0.3, "complete", 1.0),
        Trial(2, {}, math.nan, "failed", 0),
    )
    found = Tuning(trials, (), {}, {}, ())
    assert found.best.is_default
    assert found.headline.startswith("The default settings were the best of 2")
    assert found.frame()["trial"].tolist() == [0, 1, 2]
