"""Learn how reasons are chosen: from what those who left before the test had said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from staypower.config.settings import Settings
from staypower.dataset.building import Dataset
from staypower.explanation.choosing import sum_topics
from staypower.explanation.leavers import learn_leaver_words
from staypower.explanation.manner import Manner
from staypower.explanation.topics import topics_of
from staypower.models.churn import ChurnClassifier
from staypower.spells import find_spells
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["learn_manner", "named_levers"]


def learn_manner(
    model: ChurnClassifier, dataset: Dataset, tables: Tables, settings: Settings
) -> tuple[Manner, tuple[str, ...]]:
    """Settle how reasons are chosen, from the settings and from the churners of the training and calibration rows."""
    chosen = settings.explanation
    if not chosen.leavers_said:
        return Manner(chosen), ()
    churned = dataset.rows("training", "calibration") & (dataset.y == 1)
    named = named_levers(dataset, tables, settings, churned)
    topics = topics_of(dataset.catalogue, list(dataset.catalogue.names))
    sums = sum_topics(model.contributions(dataset.X[churned])[0], topics)
    accounts = dataset.matrix.accounts[churned]
    learned = learn_leaver_words(sums, named, accounts, topics)
    said, all_of_them = (len(set(accounts[rows])) for rows in (named != None, slice(None)))  # noqa: E711 - elementwise
    told = f"{said:,} of {all_of_them:,} leavers said why in words of `explanation.leavers_said`"
    if learned is None:
        return Manner(chosen), (f"{told}: too few, reasons are ordered by their contributions alone",)
    return Manner(chosen, learned), (f"{told}: reasons are ordered by what leavers like the account named",)


def named_levers(dataset: Dataset, tables: Tables, settings: Settings, rows: NDArray[np.bool_]) -> NDArray[np.object_]:
    """Return the lever that each churned row named when it left."""
    accounts, cutoffs = dataset.matrix.accounts[rows], dataset.matrix.cutoffs[rows]
    named = np.full(len(accounts), None, dtype=object)
    label = settings.label
    if not label.by_subscriptions or not tables.has("subscriptions", "end_reason", "ended_at"):
        return named
    listed = sorted(set(accounts.tolist()))
    spells = find_spells(tables["subscriptions"], grace_days=label.outcome.grace, accounts=listed)
    levers = np.array([settings.explanation.lever_of(reason) for reason in spells.end_reason], dtype=object)
    place = {account: number for number, account in enumerate(listed)}
    number = np.array([place[account] for account in accounts], dtype=np.int64)
    for cutoff in np.unique(cutoffs).tolist():
        ends = label.outcome.contains(spells.ended, cutoff)
        said = np.full(len(listed), None, dtype=object)
        said[spells.account[ends]] = levers[ends]
        at = cutoffs == cutoff
        named[at] = said[number[at]]
    return named
