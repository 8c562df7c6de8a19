"""Labels at several horizons for one population: who had churned within 30 days, within 90, within 180."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from staypower.errors import UsageError
from staypower.labels.churn import find_labels
from staypower.labels.population import Population, find_population
from staypower.labels.settings import GivenLabel, LabelSettings, NonContractualLabel
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["HorizonLabels", "find_horizon_labels", "why_no_horizons"]


@dataclass(frozen=True)
class HorizonLabels:
    """Who of one population had churned within each of several horizons.

    >>> population = Population(("a",), np.array([0]), np.array([[0]], dtype=np.int8))
    >>> HorizonLabels(population, (30, 90), np.array([[[0]], [[1]]], dtype=np.int8)).at(90).tolist()
    [[1]]
    """

    population: Population  # the same for every horizon: who is a customer at a cutoff does not depend on how far one looks
    horizons: tuple[int, ...]  # days, ascending
    # shape (horizons, n_accounts, k): 1 churned within the horizon, 0 not, -1 not in the population, gone before the outcome
    # began, or the outcome of this horizon is not complete. Who churned within one horizon churned within every longer one
    # that is complete
    churned: NDArray[np.int8]

    def at(self, horizon: int) -> NDArray[np.int8]:
        """Return the labels of one horizon, shape (n_accounts, k)."""
        found: NDArray[np.int8] = self.churned[self.horizons.index(horizon)]
        return found


def why_no_horizons(settings: LabelSettings) -> str | None:
    """Say why a label has no other horizons than its own; None when it has.

    >>> why_no_horizons(GivenLabel(flag="left"))
    'a flag says that an account left, not when'
    """
    if isinstance(settings, NonContractualLabel):
        return "silence over a longer horizon is rarer, not likelier: churn by inactivity means its own horizon only"
    if isinstance(settings, GivenLabel) and settings.flag is not None:
        return "a flag says that an account left, not when"
    return None


def find_horizon_labels(
    tables: Tables,
    settings: LabelSettings,
    cutoffs: NDArray[np.int64],
    horizons: Sequence[int],
    *,
    known_until: int | None = None,
) -> HorizonLabels:
    """Find who of the population of each cutoff had churned within each horizon.

    >>> import pyarrow as pa
    >>> from staypower.cutoffs import DAY
    >>> from staypower.tables import SCHEMAS, Column, Table, TableSchema
    >>> accounts = Table(SCHEMAS["accounts"], pa.table({"account_id": ["a", "b"]}))
    >>> left = pa.table({"account_id": ["a"], "churned_at": pa.array([40 * DAY], pa.timestamp("us", "UTC"))})
    >>> schema = TableSchema("churn", ("churned_at",), (Column("churned_at", "time"),))
    >>> tables = Tables({"accounts": accounts, "churn": Table(schema, left)}, 100 * DAY)
    >>> found = find_horizon_labels(tables, GivenLabel(dates="churn"), np.array([0]), [30, 90, 180])
    >>> found.churned[:, :, 0].tolist()
    [[0, 0], [1, 0], [-1, -1]]
    """
    reason = why_no_horizons(settings)
    if reason is not None:
        raise UsageError.of("the label has no other horizons", reason, "leave `horizons.days` empty")
    cutoffs = np.asarray(cutoffs, dtype=np.int64)
    until = tables.observed_until if known_until is None else min(known_until, tables.observed_until)
    wanted = tuple(sorted(set(horizons)))
    population = find_population(tables, settings, cutoffs)
    churned = np.full((len(wanted), *population.status.shape), -1, dtype=np.int8)
    for position, horizon in enumerate(wanted):
        label = settings.model_copy(update={"horizon": horizon})
        complete = label.outcome.mature(cutoffs, until)
        if complete.any():
            churned[position][:, complete] = find_labels(tables, label, cutoffs[complete]).churned
    return HorizonLabels(population, wanted, churned)
