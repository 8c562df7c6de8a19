"""The picture of two models: which levers matter more or less in the second one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from staypower.explanation.reasons import lever_words
from staypower.results.pictures import COLOURS, GREY, Picture, label_axes
from staypower.scoring.differences import ScoreDifferences

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["pictures"]


def pictures(differences: ScoreDifferences) -> dict[str, Callable[[], Picture]]:
    """Return what draws each picture of two models; none where no account is scored by both."""
    return {"levers": partial(_levers, differences)} if len(differences) else {}


def _levers(differences: ScoreDifferences) -> Picture:
    found = differences.levers()
    sized, at = found[found["before"].notna()], np.arange(int(found["before"].notna().sum()))
    picture = Picture(figsize=(11.0, 4.8), dpi=130, layout="constrained")
    picture.suptitle(f"Levers in {differences.before} and {differences.after}", fontsize=11, parse_math=False)
    sizes, moves = picture.subplots(1, 2)
    for place, (name, label) in enumerate((("before", differences.before), ("after", differences.after))):
        sizes.barh(at + (place - 0.5) * 0.38, sized[name], height=0.36, color=COLOURS[place], label=label)
    sizes.set_yticks(at, [lever_words(name) for name in sized["lever"]])
    sizes.invert_yaxis()
    sizes.legend(fontsize=8, frameon=False)
    label_axes(sizes, "mean absolute contribution (log-odds)", "")
    rows = np.arange(len(found))
    moves.barh(
        rows, found["mean_change"], height=0.6, color=[COLOURS[1] if each > 0 else COLOURS[0] for each in found["mean_change"]]
    )
    moves.axvline(0, color=GREY, linewidth=1)
    moves.set_yticks(rows, [lever_words(name) for name in found["lever"]])
    moves.invert_yaxis()
    label_axes(moves, "part of the mean change (log-odds; above 0 the risk is higher)", "")
    return picture
