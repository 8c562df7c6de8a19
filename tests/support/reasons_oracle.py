"""Reasons chosen and written the slow, obvious way: one account after the other, in plain Python."""

from __future__ import annotations

import math

import pandas as pd

from staypower.explanation.reasons import Explanation
from staypower.explanation.sentences import sentence


def topic_sum(explanation: Explanation, row: int, columns: tuple[int, ...]) -> float:
    total = 0.0
    for column in columns:
        total += float(explanation.contributions[row, column])
    return total


def chosen_topics(explanation: Explanation, row: int, count: int) -> list[int]:
    """Return the positions of the topics that are said of one account, strongest first."""
    topics = explanation.topics
    sums = [topic_sum(explanation, row, topic.columns) for topic in topics]
    strength = [float(value) for value in explanation.strength[row]]
    order = sorted(range(len(topics)), key=lambda number: (-strength[number], number))
    strongest = strength[order[0]] if order else 0.0
    of_lever: dict[str, int] = {}
    fitting, left = [], []
    for number in order:
        if sums[number] == 0.0:
            continue
        lever = topics[number].lever
        if strength[number] < 0.1 * strongest or (lever is not None and of_lever.get(lever, 0) >= 2):
            left.append(number)
        else:
            fitting.append(number)
            if lever is not None:
                of_lever[lever] = of_lever.get(lever, 0) + 1
    taken = (fitting + left)[:count]
    return [number for number in order if number in taken]


def spoken(explanation: Explanation, row: int, number: int) -> tuple[str, str | None, float]:
    """Return sentence, lever and contribution of one topic."""
    topic = explanation.topics[number]
    total = topic_sum(explanation, row, topic.columns)
    way = 1.0 if total > 0 else -1.0
    best = max(topic.columns, key=lambda column: (way * float(explanation.contributions[row, column]), -column))
    name = str(explanation.features.columns[best])
    code = float("nan")
    if explanation.typical.by is not None and explanation.typical.by in explanation.features:
        own = float(explanation.features[explanation.typical.by].iloc[row])
        code = own if own in explanation.typical.groups else float("nan")
    words = sentence(explanation.catalogue, explanation.typical, name, float(explanation.features[name].iloc[row]), code)
    return f"{words} ({'raises' if total > 0 else 'lowers'} the risk)", topic.lever, total


def reasons_frame(explanation: Explanation, count: int) -> pd.DataFrame:
    """Return what `Explanation.frame` must return."""
    rows = []
    for row in range(len(explanation)):
        told = [spoken(explanation, row, number) for number in chosen_topics(explanation, row, count)]
        told += [(None, None, math.nan)] * (count - len(told))  # type: ignore[list-item]
        rows.append([explanation.accounts[row], *(part for one in told for part in one)])
    columns = ["account_id", *(f"{part}_{n + 1}" for n in range(count) for part in ("reason", "lever", "contribution"))]
    return pd.DataFrame(rows, columns=columns)
