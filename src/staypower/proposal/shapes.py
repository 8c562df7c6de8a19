"""What the shape of a file says where its words do not: few rows of an account, a time that is partly blank, a unique id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from staypower.proposal.facts import ColumnFacts, FileFacts, words_of
from staypower.proposal.links import Link
from staypower.proposal.vocabulary import concepts, likeness, vocabulary
from staypower.schemas import SCHEMAS

__all__ = [
    "asks",
    "by_shape",
    "is_answer",
    "is_birth",
    "is_contract_like",
    "is_list_of_contracts",
    "own_time",
    "plausible_times",
]

Taken = Mapping[str, tuple[float, ColumnFacts]]
Found = dict[str, tuple[float, ColumnFacts]]

_FEW_ROWS = 3  # contracts of an account
_PARTLY = 0.97  # of the rows: a time that is filled in less often has not happened yet
_STABLE = 50  # distinct words of a category
_SHAPE = 0.4  # how sure such a guess is
_HOUR = 1 / 24
_CYCLE = (6, 400)  # days between the begin and the end of what a row adds up
_SENTENCE = 6  # words of a question
_SCALES = (5, 7, 10)  # the highest answers of usual scales that begin with 1
_ANSWERS = 11  # 0 to 10
_ALIKE = 0.02  # how much the numbers of moments and of orders differ
_TIMES = frozenset({"date", "time", "start", "end", "open", "close", "join", "cancel", "renew"})
_BIRTH = 15 * 365  # days before the end of all events
# what the only words may be
_WORDS = {"usage": "event", "tickets": "category", "orders": "product", "subscriptions": "plan"}
_ROW_IDS = ("ticket_id", "subscription_id", "payment_id", "survey_id")


def is_contract_like(file: FileFacts, link: Link) -> bool:
    """Say whether an account has few rows, as with contracts, and they end, cost something or name a plan."""
    few = file.rows <= _FEW_ROWS * max(link.column.distinct, 1)
    ends = any(column.times and column.filled < _PARTLY * file.rows for column in file.columns)
    return few and (ends or any(column.is_money or column.numbers > column.wholes for column in file.columns))


def is_list_of_contracts(file: FileFacts, link: Link) -> bool:
    """Say whether a file that has each account once lists contracts: by its name or its first id, and by their ends."""
    ends = [column for column in file.columns if column.times and 0 < column.filled < _PARTLY * file.rows]
    named = likeness(words_of(file.name), vocabulary().files["subscriptions"], "text")
    if not ends or likeness(words_of(file.name), vocabulary().files["accounts"], "text") >= max(named, 0.5):
        return False
    first = next((column for column in file.columns if column.may_be_id and file.unique(column)), link.column)
    return first is not link.column and bool(named >= 0.5 or {"id", "number"} & set(concepts(words_of(first.name))))


def is_birth(column: ColumnFacts) -> bool:
    """Say whether times are days of birth."""
    return "birth" in concepts(words_of(column.name))


def is_answer(column: ColumnFacts) -> bool:
    """Say whether numbers are answers to a question rather than ids."""
    few = column.distinct <= _ANSWERS and (column.high or 0) <= 10 and (column.low or 0) >= 0
    return column.is_number and few and column.filled > 3 * column.distinct


def asks(file: FileFacts, link: Link) -> bool:
    """Say whether a column is a question with answers, or answers are all that there is."""
    others = [column for column in file.columns if column is not link.column]
    said = [each for each in others if not each.times and not each.names_rows and each.distinct > 1]
    alone = len(said) == 1 and is_answer(said[0]) and said[0].low == 1 and said[0].high == said[0].distinct in _SCALES
    return alone or any(_is_question(column) for column in others)


def _is_question(column: ColumnFacts) -> bool:
    sentence = len(words_of(column.name).split()) >= _SENTENCE or column.name.rstrip().endswith("?")
    return sentence and is_answer(column)


def plausible_times(file: FileFacts, until: float | None) -> list[ColumnFacts]:
    """Give the times of a file that may be its rows' own: not a birth, not one moment for all rows, not when it was copied."""
    audit = set(vocabulary().audit)
    found = []
    for column in file.columns:
        long_ago = until is not None and column.middle is not None and column.middle < until - _BIRTH
        copied = bool(audit & set(words_of(column.name).split()))
        if column.numbers and not _TIMES & set(concepts(words_of(column.name))):
            continue  # any number is so many days since 1900
        if column.times and column.distinct > 1 and not is_birth(column) and not copied and not long_ago:
            found.append(column)
    return found


def own_time(table: str, file: FileFacts, times: Sequence[ColumnFacts]) -> ColumnFacts | None:
    """Choose a row's own time by shape: the only one, or the one that no other comes before."""
    if len(times) == 1:
        return times[0]
    if table in ("orders", "payments"):
        return None  # what begins and ends is a use or a case
    for column in times:
        others = [other for other in times if other is not column]
        if column.filled == file.rows and all((column.name, other.name) in file.after for other in others):
            return (_end_of_cycle(file, column, times) or column) if table == "usage" else column
    return None


def _end_of_cycle(file: FileFacts, start: ColumnFacts, times: Sequence[ColumnFacts]) -> ColumnFacts | None:
    """Find the end of what a row adds up: its sum is not known before."""
    if start.clock is not None or not any(column.numbers and not column.times for column in file.columns):
        return None
    for column in times:
        days = file.after.get((start.name, column.name), 0.0)
        if column.clock is None and column.filled == file.rows and _CYCLE[0] <= days <= _CYCLE[1]:
            return column
    return None


def by_shape(
    table: str, file: FileFacts, link: Link, taken: Taken, until: float | None
) -> dict[str, tuple[float, ColumnFacts]]:
    """Return columns that the shape gives to a table beside those that were matched by name."""
    found = dict(taken)
    if table == "subscriptions" and is_contract_like(file, link):
        found |= _start_and_end(file, found, until)
        found |= _money(file, link, found)
        if found.get("cancel_requested_at", (0, None))[1] is found.get("ended_at", (0, link.column))[1]:
            del found["cancel_requested_at"]
    if table == "tickets":
        found |= _resolved(file, found, until)
    if table == "surveys":
        found |= _answers(file, link, found, until)
    if table == "usage":
        found |= _totals(file, link, found, until)
    if table == "orders" and "quantity" not in found:
        counts = [column for column in _left(file, link, found) if _is_count(column)]
        found |= {"quantity": (_SHAPE, counts[0])} if len(counts) == 1 else {}
    row_id = SCHEMAS[table].row_id if table in SCHEMAS else None
    if row_id in _ROW_IDS or table == "orders":
        ids = [column for column in _left(file, link, found) if column.may_be_id and file.unique(column)]
        if table == "orders":
            ids += [column for column in _left(file, link, found) if _names_moments(column, file, found)]
        name = row_id or "order_id"
        if name not in found and ids:
            found[name] = (_SHAPE, ids[0])
    name = _WORDS.get(table, "")
    if name and name not in found and not (name == "plan" and "product" in found):
        words = [column for column in _left(file, link, found) if _is_category(column)]
        if len(words) == 1:
            found[name] = (0.3, words[0])
    return found


def _names_moments(column: ColumnFacts, file: FileFacts, taken: Taken) -> bool:
    """Say whether a column has as many values as there are moments: lines of one order share both."""
    at = taken["at"][1] if "at" in taken else None
    if at is None or at.clock is None or not column.may_be_id or column.filled < file.rows or column.distinct <= _STABLE:
        return False
    return not column.emails and abs(column.distinct - at.distinct) <= _ALIKE * at.distinct


def _start_and_end(file: FileFacts, taken: Taken, until: float | None) -> Found:
    """Take a time that is always there for the start, one that is partly blank for the end, one to come for the renewal."""
    used = [column for _, column in taken.values()]
    times = [column for column in plausible_times(file, until) if column not in used]
    partly = [column for column in times if 0 < column.filled < _PARTLY * file.rows]
    to_come = [each for each in times if until is not None and each.middle is not None and each.middle > until + 1]
    whole = [column for column in times if column.filled == file.rows and column not in to_come]
    found = _term_and_end(taken, partly, until)
    if found:
        taken = {**{name: each for name, each in taken.items() if name != "cancel_requested_at"}, **found}
    if "ended_at" not in taken and len(partly) == 1 and "cancel_requested_at" not in taken:
        found["ended_at"] = (0.5, partly[0])
    if "started_at" not in taken and whole:
        found["started_at"] = (_SHAPE, whole[0])
    if "renews_at" not in taken and len(to_come) == 1 and {"ended_at", "cancel_requested_at"} & {*taken, *found}:
        found["renews_at"] = (_SHAPE, to_come[0])
    return found


def _money(file: FileFacts, link: Link, taken: Taken) -> Found:
    """Take the only amount of money of a contract for what it costs, a month or a year."""
    if {"mrr", "arr"} & set(taken):
        return {}
    left = [column for column in _left(file, link, taken) if column.is_money and column.distinct > 1]
    return {"arr" if _has(left[0], "year") else "mrr": (_SHAPE, left[0])} if len(left) == 1 else {}


def _term_and_end(taken: Taken, partly: Sequence[ColumnFacts], until: float | None) -> Found:
    """Take an end that most contracts have yet to reach for that of their term, where another time is partly blank."""
    if "ended_at" not in taken or "renews_at" in taken or until is None:
        return {}
    end = taken["ended_at"][1]
    others = [*partly, *([taken["cancel_requested_at"][1]] if "cancel_requested_at" in taken else [])]
    if (end.middle or 0.0) <= until + 1 or len(others) != 1:
        return {}
    return {"renews_at": (_SHAPE, end), "ended_at": (0.5, others[0])}


def _resolved(file: FileFacts, taken: Taken, until: float | None) -> Found:
    """Take the last of the times that follow the opening by hours or days for the resolution."""
    if "opened_at" not in taken or "resolved_at" in taken:
        return {}
    opened, used = taken["opened_at"][1], [column for _, column in taken.values()]
    later = [
        column
        for column in plausible_times(file, until)
        if column not in used and file.after.get((opened.name, column.name), 0.0) > _HOUR and not _has(column, "due")
    ]
    fractions = any(column.is_money or column.numbers > column.wholes for column in file.columns if not column.times)
    return {"resolved_at": (_SHAPE, later[0])} if len(later) == 1 and not fractions else {}


def _answers(file: FileFacts, link: Link, taken: Taken, until: float | None) -> Found:
    """Take numbers under a question for answers, and the two times of a form for when it was opened and sent back."""
    found: Found = {}
    if "value" not in taken:
        left = _left(file, link, taken)
        asked = [column for column in left if _is_question(column)] or [column for column in left if is_answer(column)]
        if len(asked) == 1:
            found["value"] = (_SHAPE, asked[0])
    if "answered_at" in taken and "sent_at" not in taken:
        answered, used = taken["answered_at"][1], [column for _, column in taken.values()]
        for column in (each for each in plausible_times(file, until) if each not in used):
            if (column.name, answered.name) in file.after:
                found["sent_at"] = (_SHAPE, column)
            elif (answered.name, column.name) in file.after:
                found |= {"sent_at": (_SHAPE, answered), "answered_at": (_SHAPE, column)}
    return found


def _totals(file: FileFacts, link: Link, taken: Taken, until: float | None) -> Found:
    """Take the end of the days that a row adds up for its time, and the only number beside days for what was used."""
    found: Found = {}
    if "at" not in taken or taken["at"][1].clock is not None:
        return found
    at = taken["at"][1]
    end = _end_of_cycle(file, at, plausible_times(file, until))
    if end is not None and end not in [column for _, column in taken.values()]:
        found["at"] = (taken["at"][0], end)
        at = end
    numbers = [column for column in _left(file, link, {**taken, **found}) if _is_measure(column)]
    if "quantity" not in taken and len(numbers) == 1 and not at.numbers:
        found["quantity"] = (_SHAPE, numbers[0])
    return found


def _is_measure(column: ColumnFacts) -> bool:
    named = {"id", "number", "user", "person"} & set(concepts(words_of(column.name)))
    return column.is_number and not column.times and (column.low or 0) >= 0 and column.distinct > 1 and not named


def _is_count(column: ColumnFacts) -> bool:
    return _is_measure(column) and column.wholes == column.numbers and (column.low or 0) >= 1 and column.distinct <= _STABLE


def _has(column: ColumnFacts, concept: str) -> bool:
    return concept in concepts(words_of(column.name))


def _left(file: FileFacts, link: Link, taken: Taken) -> list[ColumnFacts]:
    used: Iterable[ColumnFacts] = [link.column, *(column for _, column in taken.values())]
    return [column for column in file.columns if column not in used]


def _is_category(column: ColumnFacts) -> bool:
    few = column.is_category and not column.number and not column.is_flag and 1 < column.distinct <= _STABLE
    # digits with leading zeros are codes of places
    return few and not column.zeros and "status" not in concepts(words_of(column.name))
