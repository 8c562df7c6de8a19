"""The pictures of a backtest, each a PNG file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from staypower.evaluation.backtest.drawing import pictures_of
from staypower.results.pictures import write_pictures

if TYPE_CHECKING:
    from staypower.evaluation.backtest.result import Backtest

__all__ = ["plot_backtest"]


def plot_backtest(backtest: Backtest, folder: str | Path) -> list[Path]:
    """Draw a backtest into a folder.

    >>> import tempfile
    >>> import numpy as np
    >>> from staypower.evaluation.backtest.predictions import FoldPredictions
    >>> from staypower.evaluation.backtest.assembling import backtest_of
    >>> from staypower.dataset.cutoff_plan import CutoffPlan
    >>> def fold(cutoff, later):
    ...     plan = CutoffPlan("grouped", np.array([0]), np.zeros(0, dtype=np.int64), np.array([cutoff, *later]), 1)
    ...     rows = 60 * (1 + len(later))
    ...     return FoldPredictions(
    ...         plan=plan, learned_rows=60, learned_accounts=60, train_base_rate=0.5, how="grouped",
    ...         accounts=np.tile(np.arange(60).astype(str).astype(object), 1 + len(later)),
    ...         cutoffs=np.repeat(plan.test, 60), churned=np.tile([0, 1], rows // 2),
    ...         probability=np.tile([0.4, 0.6], rows // 2),
    ...         fresh=60, scores={"recency rule": np.tile([1.0, 2.0, 2.0], 20)}, known=np.ones(60, dtype=bool))
    >>> found = backtest_of([fold(10, [20]), fold(20, [])], replicates=20)
    >>> with tempfile.TemporaryDirectory() as place:
    ...     [path.name for path in plot_backtest(found, place)]
    ['folds.png', 'ageing.png']
    """
    return write_pictures({name: draw(backtest) for name, draw in pictures_of(backtest).items()}, folder)
