"""Go back in time again and again: learn from what was known, test on what came after, and watch the model grow old."""

from __future__ import annotations

from staypower.backtesting.ageing import AgePoint
from staypower.backtesting.assembling import backtest_of
from staypower.backtesting.predictions import FoldPredictions
from staypower.backtesting.result import Backtest, FoldResult

__all__ = ["AgePoint", "Backtest", "FoldPredictions", "FoldResult", "backtest_of"]
