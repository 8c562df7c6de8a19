"""Money as whole ten-thousandths: sums are exact, in whatever order they are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from staypower.errors import UsageError
from staypower.tables import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MONEY_SCALE", "as_money", "whole_amounts"]

MONEY_SCALE = 10_000
_LARGEST = float(np.iinfo(np.int64).max)


def whole_amounts(table: Table, column: str, *, times: int = 1) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return a number column as whole ten-thousandths, and which rows have a number.

    >>> import pyarrow as pa
    >>> from staypower.tables import SCHEMAS
    >>> rows = pa.table({"account_id": ["a", "a"], "amount": pa.array([0.1, None], pa.float64())})
    >>> amounts, known = whole_amounts(Table(SCHEMAS["orders"], rows), "amount")
    >>> amounts.tolist(), known.tolist()
    ([1000, 0], [True, False])
    """
    values = table.numbers(column)
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    if np.abs(filled).sum() * MONEY_SCALE * times >= _LARGEST:
        worst = int(np.abs(filled).argmax())
        where = f"{table.name}.{column}, row {worst + 1}: {values[worst]:g}"
        raise UsageError.of("numbers too large to be summed exactly", where, "map the column in a larger unit")
    return np.round(filled * MONEY_SCALE).astype(np.int64), known


def as_money(amount: int | np.integer) -> float:
    """Turn whole ten-thousandths into money.

    >>> as_money(1_234_500)
    123.45
    """
    return int(amount) / MONEY_SCALE
