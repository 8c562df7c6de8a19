"""The result: every figure as a frame, as JSON and as text."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from staypower.cutoffs import text_of
from staypower.portfolio.catalogue import METRICS
from staypower.portfolio.figures import Figure
from staypower.portfolio.periods import Periods
from staypower.portfolio.segments import ALL
from staypower.portfolio.settings import PortfolioSettings
from staypower.portfolio.wording import summary_frame, text_of_portfolio

if TYPE_CHECKING:
    from staypower.results.pictures import Picture

__all__ = ["Portfolio"]


@dataclass(frozen=True, eq=False)
class Portfolio:
    """The figures of a portfolio by period, segment and cohort.

    Made by `measure_portfolio`.

    Parameters
    ----------
    figures : tuple of Figure
    periods : Periods
    settings : PortfolioSettings
    left_out : mapping of str to str
        What could not be measured, and why.

    Examples
    --------
    >>> nothing = Portfolio((), Periods((), (), 0), PortfolioSettings(), {})
    >>> nothing.alerts
    ()
    """

    figures: tuple[Figure, ...]
    periods: Periods
    settings: PortfolioSettings
    left_out: Mapping[str, str]

    @property
    def alerts(self) -> tuple[str, ...]:
        """Whom it costs more to win than they are worth."""
        found = [each for each in self.figures if each.metric == "clv_to_cac" and each.note.startswith("ALERT")]
        return tuple(f"{_who(each)}: CLV is {each.value:.2f} times CAC: {each.note.removeprefix('ALERT: ')}" for each in found)

    def __repr__(self) -> str:
        return f"Portfolio of {len(self.periods.starts)} periods, {len(self.figures):,} figures"

    def frame(self) -> pd.DataFrame:
        """Return one row a figure.

        Returns
        -------
        DataFrame
            `metric`, `period_start`, `period_end` (exclusive, UTC), `complete`, `segment` and `segment_value` (both `all` for
            everybody), `age` (cohorts: periods since the end of their first), `value`, `low` and `high` (95 % interval), `n`
            (what the value is a share or mean of), `unit`, `note`.
        """
        columns = {name: [getattr(each, name) for each in self.figures] for name in Figure.__dataclass_fields__}
        frame = pd.DataFrame(columns)
        for name in ("period_start", "period_end"):
            moments = np.array(columns[name], dtype=np.int64).view("datetime64[us]")
            frame[name] = pd.DatetimeIndex(moments).tz_localize("UTC")
        for name in ("n", "age"):
            frame[name] = pd.array(columns[name], dtype="Int64")
        for name in ("value", "low", "high"):
            frame[name] = frame[name].astype("float64")
        frame["unit"] = [METRICS[name].unit for name in columns["metric"]]
        order = ["metric", "period_start", "period_end", "complete", "segment", "segment_value", "age"]
        return frame[[*order, "value", "low", "high", "n", "unit", "note"]]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; what is missing is None."""
        return {
            "observed_until": text_of(self.periods.observed_until),
            "period": self.settings.period,
            "alerts": list(self.alerts),
            "left_out": dict(self.left_out),
            "figures": [_plain(each) for each in self.figures],
        }

    def text(self) -> str:
        """Return the latest periods, segments and cohorts as plain text of at most 100 columns."""
        return text_of_portfolio(self)

    def plot(self, picture: str = "customers") -> Picture:
        """Draw a picture.

        Parameters
        ----------
        picture : str, default "customers"
            One of `attitude`, `customers`, `revenue`, `support`, `orders` and `cohorts`, as far as there are figures.

        Returns
        -------
        Picture
            A matplotlib figure.

        Raises
        ------
        UsageError
            When there is no such picture of this result.
        """
        # only a picture needs matplotlib; scoring must do without it
        from staypower.portfolio.drawing import draw

        return draw(self, picture)

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        lines = [*self.alerts, *(f"{name} left out: {why}" for name, why in self.left_out.items())]
        said = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
        return f"{summary_frame(self).to_html(na_rep='')}<ul>{said}</ul>"


def _who(figure: Figure) -> str:
    return "all accounts" if figure.segment == ALL else f"{figure.segment} {figure.segment_value}"


def _plain(figure: Figure) -> dict[str, Any]:
    found = {name: getattr(figure, name) for name in Figure.__dataclass_fields__}
    for name in ("value", "low", "high"):
        found[name] = found[name] if math.isfinite(found[name]) else None
    dates = {name: text_of(found[name]) for name in ("period_start", "period_end")}
    return {**found, **dates, "unit": METRICS[figure.metric].unit}
