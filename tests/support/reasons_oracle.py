"""Reasons chosen and written the slow, obvious way: one account after the other, in plain Python."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from staypower.explanation.reasons import Explanation
from staypower.explanation.sentences import round_as_written, sentence
from staypower.features.definition import LEVERS


def topic_sum(explanation: Explanation, row: int, columns: tuple[int, ...]) -> float:
    total = 0.0
    for column in columns:
        total += float(explanation.contributions[row, column])
    return total


def group_of(explanation: Explanation, row: int) -> float:
    by = explanation.typical.by
    if by is None or by not in explanation.features:
        return math.nan
    own = float(explanation.features[by].iloc[row])
    return own if own in explanation.typical.groups else math.nan


def tells(explanation: Explanation, row: int, column: int, *, raises: bool) -> bool:
    """Say whether a value is worth a reason: not the typical one as it is written, and not against the expected direction."""
    definition = explanation.catalogue[str(explanation.features.columns[column])]
    value = float(explanation.features.iloc[row, column])
    typical = explanation.typical.of(definition.name, group_of(explanation, row))
    written = [float(one) for one in round_as_written(definition, np.array([value, typical]))]
    if written[0] == written[1] or (math.isnan(value) and math.isnan(typical)):
        return False
    if definition.direction is None or math.isnan(value) or math.isnan(typical):
        return True
    expected_to_raise = (value > typical) == (definition.direction > 0)
    return expected_to_raise == raises


def said_with(explanation: Explanation, row: int, number: int) -> int | None:
    """Return the feature that a topic is said with; None when it is not said."""
    total = topic_sum(explanation, row, explanation.topics[number].columns)
    best, most = None, 0.0
    for column in explanation.topics[number].columns:
        pushes = float(explanation.contributions[row, column]) * (1.0 if total > 0 else -1.0 if total < 0 else 0.0)
        if pushes > most and tells(explanation, row, column, raises=total > 0):
            best, most = column, pushes
    return best


def excess(explanation: Explanation, row: int, number: int) -> float:
    """Return by how much a topic raises the risk more than is typical."""
    topic, usual = explanation.topics[number], explanation.typical.contributions
    typical = math.nan if usual is None else usual.of(topic.name, group_of(explanation, row))
    return max(topic_sum(explanation, row, topic.columns) - (0.0 if math.isnan(typical) else typical), 0.0)


def ordered_levers(explanation: Explanation, row: int) -> list[str]:
    """Return the levers, those of the largest totals first; what leavers named changes the order."""
    topics = explanation.topics
    totals = dict.fromkeys(LEVERS, 0.0)
    for number, topic in enumerate(topics):
        if topic.lever:
            totals[topic.lever] += excess(explanation, row, number)
    leavers = explanation.leavers
    if leavers is not None and leavers.topics == tuple(topic.name for topic in topics):
        shares = leavers.shares_for(explanation.sums[row : row + 1])[0]
        for lever in LEVERS:
            if lever in leavers.levers:
                place = leavers.levers.index(lever)
                totals[lever] = math.sqrt(totals[lever]) * (float(shares[place]) / math.sqrt(leavers.share[place]))
            else:
                totals[lever] = math.sqrt(totals[lever]) * math.sqrt(min(leavers.share) / 2.0)
    return sorted(LEVERS, key=lambda lever: (-totals[lever], LEVERS.index(lever)))


def chosen_topics(explanation: Explanation, row: int, count: int) -> list[int]:
    """Return the positions of the topics that are said of one account, in the order in which they are said."""
    topics = explanation.topics
    said = {
        number: topic_sum(explanation, row, topic.columns)
        for number, topic in enumerate(topics)
        if said_with(explanation, row, number) is not None
    }
    strongest = {
        kind: max((abs(said[number]) for number in said if (topics[number].lever is None) == kind), default=0.0)
        for kind in (True, False)
    }
    matter = [number for number in said if abs(said[number]) >= 0.05 * strongest[topics[number].lever is None]]
    leads: list[int] = []
    for lever in ordered_levers(explanation, row):
        raising = [number for number in matter if topics[number].lever == lever and said[number] > 0]
        if raising and len(leads) < 3:
            leads.append(min(raising, key=lambda number: (-said[number], number)))
    of_lever = {topics[number].lever: 1 for number in leads}
    fitting, left = list(leads), []
    for number in sorted(said, key=lambda number: (-abs(said[number]), number)):
        lever = topics[number].lever
        if number in leads:
            continue
        if number not in matter or (lever is not None and of_lever.get(lever, 0) >= 2):
            left.append(number)
        else:
            fitting.append(number)
            of_lever[lever] = of_lever.get(lever, 0) + 1
    taken = (fitting + left)[:count]
    rest = [number for number in taken if number not in leads]
    rest.sort(key=lambda number: (topics[number].lever is None, -abs(said[number]), number))
    return [number for number in leads if number in taken] + rest


def spoken(explanation: Explanation, row: int, number: int) -> tuple[str, str | None, float]:
    """Return sentence, lever and contribution of one topic."""
    topic = explanation.topics[number]
    total = topic_sum(explanation, row, topic.columns)
    column = said_with(explanation, row, number)
    assert column is not None
    name = str(explanation.features.columns[column])
    value = float(explanation.features[name].iloc[row])
    words = sentence(explanation.catalogue, explanation.typical, name, value, group_of(explanation, row))
    return f"{words} ({'raises' if total > 0 else 'lowers'} the risk)", topic.lever, total


def totals(explanation: Explanation, row: int) -> list[float]:
    """Return the totals by lever; missing for a lever without a feature."""
    found = []
    for lever in LEVERS:
        own = [number for number, topic in enumerate(explanation.topics) if topic.lever == lever]
        found.append(sum((excess(explanation, row, number) for number in own), 0.0) if own else math.nan)
    return found


def reasons_frame(explanation: Explanation, count: int) -> pd.DataFrame:
    """Return what `Explanation.frame` must return."""
    rows = []
    for row in range(len(explanation)):
        told = [spoken(explanation, row, number) for number in chosen_topics(explanation, row, count)]
        told += [(None, None, math.nan)] * (count - len(told))  # type: ignore[list-item]
        rows.append([explanation.accounts[row], *(part for one in told for part in one), *totals(explanation, row)])
    columns = ["account_id", *(f"{part}_{n + 1}" for n in range(count) for part in ("reason", "lever", "contribution"))]
    columns += [f"total_{lever}" for lever in LEVERS]
    return pd.DataFrame(rows, columns=columns)
