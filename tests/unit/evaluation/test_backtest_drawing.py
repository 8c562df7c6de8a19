"""Pictures of a backtest."""

import numpy as np
import pytest
from made_folds import folds_of

from staypower.evaluation import backtest_drawing
from staypower.evaluation.folds import backtest_of

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def found():
    return backtest_of(folds_of(blur=0.3)[2], replicates=30)


def test_both_pictures_are_written_and_nothing_else(found, tmp_path):
    paths = found.write_pictures(tmp_path / "new")
    assert [path.name for path in paths] == ["folds.png", "ageing.png"]
    assert all(path.read_bytes().startswith(PNG) for path in paths)
    assert sorted((tmp_path / "new").iterdir()) == sorted(paths)


def test_the_lines_are_the_folds_figures(found):
    ranking, calibration = backtest_drawing._folds(found).axes
    model = next(line for line in ranking.get_lines() if line.get_label() == "model")
    assert np.asarray(model.get_ydata()).tolist() == [fold.evaluation.metrics()["auroc"] for fold in found.folds]
    assert ranking.get_xticklabels()[0].get_text() == "2025-01-01"
    assert {line.get_label() for line in calibration.get_lines()} >= {"predicted, mean", "in training"}


def test_ageing_shows_the_changes(found):
    axes = backtest_drawing._ageing(found).axes[0]
    line = axes.get_lines()[0]
    assert np.asarray(line.get_ydata()).tolist() == [point.changes["auroc"].value for point in found.ages[1:]]


def test_one_fold_has_one_picture(tmp_path):
    paths = backtest_of(folds_of()[2][-1:], replicates=20).write_pictures(tmp_path)
    assert [path.name for path in paths] == ["folds.png"]
