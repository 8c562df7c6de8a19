"""Pictures of an evaluation, each a PNG file that names the split."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from staypower.evaluation.drawing import draw_importance, pictures_of
from staypower.results.pictures import write_pictures

if TYPE_CHECKING:
    from staypower.evaluation.result import Evaluation

__all__ = ["plot_evaluation"]


def plot_evaluation(evaluation: Evaluation, folder: str | Path, *, importance: Mapping[str, float] | None = None) -> list[Path]:
    """Draw an evaluation into a folder.

    >>> import tempfile
    >>> from staypower.evaluation.assessment import evaluate
    >>> y, risk = [0, 1] * 30, {"model": [0.2, 0.8] * 30}
    >>> found = evaluate(y, risk, accounts=range(60), cutoffs=[0] * 60, split="temporal", bootstrap=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in plot_evaluation(found, folder)]
    ['precision_recall.png', 'roc.png', 'lift_and_gain.png', 'profit.png']
    """
    figures = {name: draw(evaluation) for name, draw in pictures_of(evaluation).items()}
    if importance:
        figures["importance"] = draw_importance(evaluation, importance)
    return write_pictures(figures, folder)
