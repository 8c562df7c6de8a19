"""A health score that is in use, beside the model: what each would have caught with the same number of contacts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from staypower.cutoffs import text_of
from staypower.results.numbers import count, money
from staypower.results.result import TableBlock

__all__ = ["Caught", "caught_at", "caught_table"]

# of the accounts, where no capacity is given
_USUAL_SHARE = 0.1

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Caught:
    """What the model and the health score would have caught at one cutoff, each with the same number of contacts.

    >>> Caught("2025-01-02", 10, 12, 6, 3, 900.0, 400.0, 250.0).accounts_more
    3
    """

    cutoff: str
    contacted: int
    churned: int  # accounts that churned at this cutoff
    by_model: int  # of them, among those that the model would have contacted
    by_score: int
    churned_mrr: float  # monthly revenue of those that churned; NaN where none is known
    mrr_by_model: float
    mrr_by_score: float

    @property
    def accounts_more(self) -> int:
        """How many churned accounts more the model would have caught."""
        return self.by_model - self.by_score

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def caught_at(
    cutoff: int,
    churned: NDArray[np.int8],
    probability: Floats,
    score: Floats,
    mrr: Floats | None,
    *,
    capacity: int | None,
) -> Caught:
    """Count what each would have caught; who has no health score comes last, and of equal ones a mean share is taken."""
    contacted = min(len(churned), capacity or max(1, round(_USUAL_SHARE * len(churned))))
    left = churned > 0
    worth = np.full(len(left), np.nan) if mrr is None else np.asarray(mrr, dtype=np.float64)
    gone = np.where(left, np.nan_to_num(worth), 0.0)
    known = bool(np.isfinite(worth).any())
    model, old = (_first(np.nan_to_num(each, nan=-np.inf), contacted) for each in (probability, score))
    return Caught(
        *(text_of(cutoff), contacted, int(left.sum()), round(float(model @ left)), round(float(old @ left))),
        *(float(each) if known else float("nan") for each in (gone.sum(), model @ gone, old @ gone)),
    )


def _first(risk: Floats, contacted: int) -> Floats:
    """Return 1 for the highest risks, the share that there is room for among those equal to the last, else 0."""
    last = np.sort(risk)[::-1][contacted - 1]
    above, equal = risk > last, risk == last
    return np.asarray(above + equal * ((contacted - above.sum()) / equal.sum()), dtype=np.float64)


def caught_table(rows: Sequence[Caught]) -> TableBlock:
    """Lay out what was caught at each cutoff, and in all."""
    heads = ["tested at", "contacted", "churned", "model caught", "health score", "MRR lost", "model caught", "health score"]
    cells = [[row.cutoff, *_cells(row)] for row in rows]
    if len(rows) > 1:
        names = [name for name in vars(rows[0]) if name != "cutoff"]
        total = Caught("all", **{name: sum(getattr(row, name) for row in rows) for name in names})
        cells.append(["all", *_cells(total)])
    return TableBlock(heads, cells, "The model and the health score, with the same number of contacts")


def _cells(row: Caught) -> list[str]:
    accounts = [count(each) for each in (row.contacted, row.churned, row.by_model, row.by_score)]
    worth = (row.churned_mrr, row.mrr_by_model, row.mrr_by_score)
    return [*accounts, *("" if np.isnan(each) else money(each) for each in worth)]
