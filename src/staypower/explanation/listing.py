"""Reasons as columns, for a million accounts: each distinct sentence is written once and then only pointed at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from staypower.explanation.choosing import NOTHING
from staypower.explanation.sentences import Phrase, alike_words, direction_of
from staypower.explanation.wording import round_as_written

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from staypower.explanation.reasons import Explanation

__all__ = ["list_reasons"]


def list_reasons(explanation: Explanation, count: int) -> pd.DataFrame:
    """Return `account_id, reason_1, lever_1, contribution_1, ...`, one row an account."""
    chosen = explanation.chosen(count)
    members = explanation.members(chosen)
    there = chosen != NOTHING
    row = np.arange(len(chosen))[:, None]
    sums = np.where(there, explanation.sums[row, np.where(there, chosen, 0)], np.nan)
    levers = np.array([*(topic.lever for topic in explanation.topics), None], dtype=object)
    words = _sentences(explanation, members, sums)
    columns: dict[str, object] = {"account_id": explanation.accounts}
    for place in range(count):
        columns[f"reason_{place + 1}"] = pd.array(words[:, place], dtype="str")
        columns[f"lever_{place + 1}"] = pd.array(levers[chosen[:, place]], dtype="str")
        columns[f"contribution_{place + 1}"] = sums[:, place]
    return pd.DataFrame(columns)


def _sentences(explanation: Explanation, members: NDArray[np.int64], sums: NDArray[np.float64]) -> NDArray[np.object_]:
    """Write the sentences of every account, each distinct one once."""
    words = np.full(members.shape, None, dtype=object)
    usual, catalogue = explanation.usual, explanation.catalogue
    codes = usual.codes(explanation.features)
    alike, group = np.unique(codes, return_inverse=True, equal_nan=True)
    definitions = {definition.name: definition for definition in catalogue.definitions}
    for column in np.unique(members[members != NOTHING]).tolist():
        name = str(explanation.features.columns[column])
        rows, places = np.nonzero(members == column)
        written = round_as_written(definitions[name], explanation.matrix[rows, column])
        distinct, value = np.unique(written, return_inverse=True, equal_nan=True)
        raising = (sums[rows, places] > 0.0).astype(np.int64)
        key = (value * len(alike) + group[rows]) * 2 + raising
        keys, place = np.unique(key, return_inverse=True)
        phrases = {
            one: Phrase(catalogue, definitions[name], usual.of(name, code), alike_words(catalogue, usual, code, name))
            for one, code in enumerate(alike.tolist())
        }
        said = [
            f"{phrases[one // 2 % len(alike)].of(float(distinct[one // 2 // len(alike)]))} ({direction_of(one % 2)})"
            for one in keys.tolist()
        ]
        words[rows, places] = np.array(said, dtype=object)[place]
    return words
