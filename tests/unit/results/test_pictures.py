"""Pictures that show themselves, by name."""

import sys
import warnings

import numpy as np
import pytest
from made_folds import folds_of

from staypower.errors import UsageError
from staypower.evaluation.assessment import evaluate
from staypower.evaluation.folds import backtest_of
from staypower.portfolio.figures import Figure
from staypower.portfolio.periods import Periods
from staypower.portfolio.result import Portfolio
from staypower.results.pictures import Picture, find_picture, write_pictures

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def evaluation():
    p = np.random.default_rng(2).random(200)
    y = (np.random.default_rng(3).random(200) < p).astype(int)
    return evaluate(y, {"model": p}, accounts=np.arange(200), cutoffs=np.zeros(200, dtype=int), split="temporal", bootstrap=0)


def test_a_picture_shows_itself_without_pyplot(evaluation):
    before = "matplotlib.pyplot" in sys.modules
    assert evaluation.plot()._repr_png_().startswith(PNG)
    assert ("matplotlib.pyplot" in sys.modules) == before


def test_the_named_picture_is_drawn(evaluation):
    assert evaluation.plot("roc")._suptitle.get_text().startswith("ROC curve")
    assert evaluation.plot("profit")._suptitle.get_text().startswith("Profit")


def test_a_picture_that_is_not_there_is_refused_with_the_nearest(evaluation):
    with pytest.raises(UsageError, match="lift_and_gain"):
        evaluation.plot("lift_and_gian")
    with pytest.raises(UsageError, match="no such picture"):
        evaluation.plot("reliability")  # the score is no probability here


def test_portfolio_and_backtest_draw_themselves():
    month = 2_678_400_000_000
    figure = Figure("nps", 0, month, True, "all", "all", 30.0, 10.0, 50.0, n=80)
    portfolio = Portfolio((figure,), Periods((0,), (month,), month), {})
    assert portfolio.plot("attitude")._suptitle.get_text() == "NPS and CSAT"
    with pytest.raises(UsageError, match="attitude"):
        portfolio.plot("customers")
    backtest = backtest_of(folds_of()[2][-1:], replicates=20)
    assert "1 folds" in backtest.plot()._suptitle.get_text()
    with pytest.raises(UsageError, match="folds"):
        backtest.plot("ageing")


def test_letters_that_the_font_lacks_warn_nobody(tmp_path):
    picture = Picture(figsize=(2, 1))
    picture.suptitle("静か")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert picture._repr_png_().startswith(PNG)
        assert write_pictures({"one": picture}, tmp_path / "new")[0].read_bytes().startswith(PNG)


def test_pictures_are_found_by_name():
    assert find_picture("roc", {"roc": 1}) == 1
