"""What words in a column mean: payments that went through or failed, periods, terms, rows that were deleted."""

from __future__ import annotations

import re
from collections.abc import Mapping

from staypower.features.streams.rhythms import PERIODS, months_of
from staypower.proposal.facts import ColumnFacts, FileFacts, words_of
from staypower.proposal.vocabulary import concepts, vocabulary
from staypower.sources.advice import written_name
from staypower.sources.values import quoted_text

__all__ = ["failures", "kept_rows", "means_period", "means_status", "means_term", "period_words", "status_words"]

_KNOWN = 0.8  # of the rows with a status whose word is known
_FEW_WORDS = 5
_TERMS = frozenset({0, 1, 2, 3, 6, 9, 12, 18, 24, 30, 36, 48, 60, 72, 84, 120})  # months
_NOT = frozenset({"not", "non", "no", "nicht", "niet", "un", "pas", "nao", "ikke", "inte", "nie", "ei"})
_ENDING = re.compile(r"[aeos]+$")  # pagado, pagada, pagados
_YEAR = 12
_PER = frozenset(
    {"per", "pro", "par", "por", "al", "a", "each", "every", "la", "le", "cada", "ogni", "elke", "je", "pr", "billing"}
)
_MONTHS = {"month": 1, "quarter": 3, "semester": 6, "year": 12}


def means_status(column: ColumnFacts) -> bool:
    """Say whether the words of a column are those of payments: paid, failed, refunded."""
    return "failed" in status_words(column).values()


def status_words(column: ColumnFacts) -> Mapping[str, str]:
    """Say what the words of a column mean for a payment, where most mean something; empty where they do not.

    >>> status_words(ColumnFacts("s", 9, 2, words={"not_paid": 1, "Paid": 8}))
    {'not_paid': 'failed', 'Paid': 'paid'}
    >>> status_words(ColumnFacts("s", 9, 2, words={"gelukt": 8, "gestorneerd": 1}))
    {'gelukt': 'paid', 'gestorneerd': 'failed'}
    """
    meant = {word: ours for word in column.words if (ours := _status(words_of(word)))}
    known = sum(column.words[word] for word in meant)
    others = [word for word in column.words if word not in meant]
    # beside words of failure the one that most rows have is the other outcome
    if (
        len(others) == 1
        and len(column.words) <= _FEW_WORDS
        and set(meant.values()) == {"failed"}
        and column.words[others[0]] > column.filled / 2
        and not any(words_of(word) in vocabulary().open_words for word in meant)
    ):
        return {word: meant.get(word, "paid") for word in column.words}
    return meant if known >= _KNOWN * column.filled else {}


def _status(word: str) -> str | None:
    known = vocabulary().payment_status
    if word in known:
        return known[word]
    parts = word.split()
    stems = {_ENDING.sub("", one): ours for one, ours in known.items() if len(one) > _FEW_WORDS}
    found = {known.get(part) or stems.get(_ENDING.sub("", part)) for part in parts} - {None}
    if "failed" in found or (found == {"paid"} and set(parts) & _NOT):
        return "failed"
    return "refunded" if "refunded" in found else "paid" if found and len(parts) <= 2 else None


def failures(file: FileFacts) -> str:
    """Write the status of payments where a flag says which went through or came back; empty where none does."""
    for column in file.columns:
        meant = "failed" if "failed" in concepts(words_of(column.name)) else _status(words_of(column.name))
        yes = next((word for word in column.words if words_of(word) in vocabulary().positive), None)
        if column.is_flag and meant in ("paid", "failed") and yes is not None:
            no, other = next(word for word in column.words if word != yes), "failed" if meant == "paid" else "paid"
            name = f"cast({written_name(column.name)} as varchar)" if column.kind == "flag" else written_name(column.name)
            return f"case {name} when {quoted_text(yes)} then '{meant}' when {quoted_text(no)} then '{other}' end"
    return ""


def means_term(column: ColumnFacts) -> bool:
    """Say whether a column of months holds lengths of contracts, not money."""
    months = "month" in concepts(words_of(column.name)) and bool(column.words)
    if not months or not column.is_number or column.wholes < column.numbers:
        return False
    return {float(word.replace(",", ".")) for word in column.words} <= _TERMS


def means_period(column: ColumnFacts) -> bool:
    """Say whether every word of a column is a period: monthly, per jaar."""
    months = [_period(word) for word in column.words]
    # two years are a term
    return bool(months) and not column.is_number and all(each is not None and each <= _YEAR for each in months)


def _period(word: str) -> int | None:
    read = months_of(word)
    if read:
        return read
    said = [one for one in concepts(words_of(word)) if one not in _PER]
    return _MONTHS.get(said[0]) if len(said) == 1 else None


def period_words(column: ColumnFacts) -> str:
    """Write a period in words that are read; the column itself where its own are."""
    if all(months_of(word) for word in column.words):
        return ""
    branches = " ".join(f"when {quoted_text(word)} then '{PERIODS[_period(word) or 1]}'" for word in column.words)
    return f"case {written_name(column.name)} {branches} end"


def kept_rows(file: FileFacts, table: str) -> str:
    """Write which rows count where a flag says so: those not deleted at the source, and visits that took place."""
    rules = []
    for column in file.columns:
        meant = set(concepts(words_of(column.name)))
        if column.is_flag and "deleted" in meant:
            rules.append(_is_word(column, positive=False))
        if column.is_flag and "attended" in meant and table == "usage":
            rules.append(_is_word(column, positive=True))
        if table == "usage" and column.is_category and "status" in meant:
            rules += _took_place(column)
    return " and ".join(rules)


def _took_place(column: ColumnFacts) -> list[str]:
    """Write which state means that somebody came, where others mean that nobody did."""
    said = {word: set(concepts(words_of(word))) for word in column.words}
    came = [word for word, meant in said.items() if "attended" in meant and not meant & {"cancel", *_NOT}]
    missed = [word for word, meant in said.items() if meant & {"cancel", "missed", *_NOT}]
    return [f"{written_name(column.name)} = {quoted_text(came[0])}"] if len(came) == 1 and missed else []


def _is_word(column: ColumnFacts, *, positive: bool) -> str:
    """Write that a flag has its word for yes, or for no."""
    name = written_name(column.name)
    if column.kind == "flag":
        return name if positive else f"not {name}"
    word = next((word for word in column.words if (words_of(word) in vocabulary().positive) == positive), "")
    return f"{name} = {word if column.kind == 'number' else quoted_text(word)}"
