"""What matched columns amount to: waits as times, ratings as answers, cents as money, words as what they mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from staypower.proposal.facts import ColumnFacts, FileFacts, words_of
from staypower.proposal.guesses import Guess, TableGuess, raw
from staypower.proposal.states import failures, kept_rows, means_period, period_words, status_words
from staypower.proposal.vocabulary import concepts, likeness, vocabulary
from staypower.schemas import INSTRUMENTS
from staypower.sources.advice import written_name
from staypower.sources.values import quoted_text

__all__ = ["finished"]

_SCALES = ((1, "0-1"), (4, "1-4"), (5, "1-5"), (7, "1-7"), (10, "0-10"), (100, "0-100"))
_ONLY = 0.35  # how sure the only words or the only time are
_CENTS = 100
_CODE = re.compile(r"[A-Za-z]{3}")  # of a currency
_MONEY = ("mrr", "arr", "amount", "price")


def finished(made: TableGuess) -> list[TableGuess]:
    """Make times, amounts, answers and states of the columns of a table."""
    made = replace(made, columns=tuple(_in_units(guess, made.file) for guess in made.columns))
    return [_only_kept(each) for each in _detailed(made)]


def _only_kept(made: TableGuess) -> TableGuess:
    """Leave out rows that a flag calls deleted, or that did not take place."""
    rule = kept_rows(made.file, made.table)
    if not rule:
        return made
    where = made.keys.get("where")
    return replace(made, keys={**made.keys, "where": f"{where} and {rule}" if where else rule})


def _detailed(made: TableGuess) -> list[TableGuess]:
    if made.table == "tickets":
        made = replace(made, columns=(*made.columns, *_waits(made)))
        return [made, *_ratings(made)]
    if made.table == "surveys":
        return _instruments(made)
    if made.table == "subscriptions":
        return [_contracts(made)]
    if made.table == "orders":
        return [_orders(made)]
    if made.table == "payments":
        return [_payments(made)]
    return [replace(made, keys={"time": "churned_at"}) if made.table == "churn" else made]


def _in_units(guess: Guess, file: FileFacts) -> Guess:
    """Divide cents by a hundred, and count years as months."""
    if guess.column not in (*_MONEY, "term_months"):
        return guess
    column = next((each for each in file.columns if guess.written in (each.name, each.number)), None)
    words = concepts(words_of(column.name)) if column is not None else ()
    if guess.column in _MONEY and column is not None and "cents" not in words and _is_minor(column, file):
        why = "whole numbers beside a currency and seconds since 1970: cents?"
        guess = replace(guess, written=f"{_written(guess, file)} / 100", why=f"{guess.why}, {why}", sure=min(guess.sure, 0.5))
    if guess.column in _MONEY and "cents" in words:
        guess = replace(guess, written=f"{_written(guess, file)} / 100", why=f"{guess.why}, named as cents")
    if guess.column == "mrr" and "year" in words:
        return replace(guess, written=f"{_written(guess, file)} / 12", why=f"{guess.why}, a twelfth of the yearly amount")
    if guess.column == "term_months" and "year" in words:
        return replace(guess, written=f"{_written(guess, file)} * 12", why=f"{guess.why}, named as years")
    return guess


def _is_minor(column: ColumnFacts, file: FileFacts) -> bool:
    """Say whether whole amounts are probably cents: programs that write times as seconds and name the currency write so."""
    whole = column.is_number and column.numbers == column.wholes and (column.high or 0) >= _CENTS
    currency = any(_is_currency(each) for each in file.columns)
    return whole and currency and any(each.times and each.is_number for each in file.columns)


def _is_currency(column: ColumnFacts) -> bool:
    codes = bool(column.words) and all(_CODE.fullmatch(word) for word in column.words)
    return codes and "currency" in concepts(words_of(column.name))


def _waits(made: TableGuess) -> Iterator[Guess]:
    """Turn hours and minutes after the opening into times."""
    opened = made.guess("opened_at")
    if opened is None:
        return
    for name, phrases in vocabulary().waits.items():
        if made.has(name):
            continue
        best: tuple[float, str] | None = None
        for column in made.file.columns:
            words = words_of(column.name).split()
            unit = next((vocabulary().units[word] for word in reversed(words) if word in vocabulary().units), None)
            likely = likeness(" ".join(word for word in words if word not in vocabulary().units), phrases)
            business = bool({"business", "calendar"} & set(words))
            if unit and column.number and likely and (best is None or likely - 0.2 * business > best[0]):
                best = (likely - 0.2 * business, f"{_written(opened, made.file)} + {unit}({column.number})")
        if best is not None:
            yield Guess(name, best[1], "a length of time after the opening", best[0])


def _ratings(made: TableGuess) -> Iterator[TableGuess]:
    """Take the rating of a ticket for a survey answer."""
    words = vocabulary().rating_of_a_ticket
    found = [(likeness(words_of(column.name), words), column) for column in made.file.columns if column.number]
    likely, column = max(found, key=lambda each: each[0], default=(0.0, None))
    resolved = made.guess("resolved_at")
    if column is None or likely < 0.6 or resolved is None or column.low is None or column.low < 0:
        return
    when = _rated(made, column)
    columns = [when or Guess("answered_at", resolved.written, "a rating is given when the ticket is closed", 0.6)]
    columns.append(Guess("value", raw(column, column.number), "named like it, all values are numbers", likely))
    ticket = made.guess("ticket_id")
    columns += [replace(ticket)] if ticket is not None else []
    keys: dict[str, object] = {
        "where": f"{written_name(column.name)} is not null",
        "instrument": "csat",
    }
    keys["scale"] = _scale(column)
    yield TableGuess("surveys", made.file, made.link, tuple(columns), keys, why="ratings of tickets", value=likely)


def _rated(made: TableGuess, rating: ColumnFacts) -> Guess | None:
    """Find the time that is there exactly where the rating is."""
    used = [guess.written for guess in made.columns]
    for column in made.file.columns:
        if column.times and 0 < column.filled == rating.filled < made.file.rows and column.name not in used:
            return Guess("answered_at", raw(column, column.times[0]), "filled where the rating is", 0.8)
    return None


def _scale(column: ColumnFacts) -> str:
    return next((scale for top, scale in _SCALES if (column.high or 0) <= top), "0-100")


def _instruments(made: TableGuess) -> list[TableGuess]:
    """Say which question was asked, one source for each."""
    value, asked = made.guess("value"), made.guess("instrument")
    column = next(
        (each for each in made.file.columns if value and each.name in (value.written, _named_in(value.written, made.file))),
        None,
    )
    others = tuple(guess for guess in made.columns if guess.column != "instrument")
    if asked is not None:
        words = made.file.column(asked.written).words
        if set(words) <= set(INSTRUMENTS) and any(each.name == "scale" for each in made.file.columns):
            return [made]
        found = {word: _instrument(words_of(word)) for word in words}
        if all(found.values()) and found:
            return [
                replace(
                    made,
                    columns=others,
                    keys={"where": f"{written_name(asked.written)} = '{word}'", **_asked(str(one), None)},
                    why=f"{made.why}, {asked.written} says {word}",
                )
                for word, one in sorted(found.items())
            ]
    name = _instrument(f"{words_of(made.file.name)} {words_of(column.name) if column else ''}")
    guessed = name or ("nps" if column is not None and (column.high or 0) > 7 else "csat")
    return [replace(made, columns=others, keys=_asked(guessed, column))]


def _named_in(written: str, file: FileFacts) -> str:
    return next((column.name for column in file.columns if column.name in written), written)


def _instrument(words: str) -> str | None:
    return next((one for word, one in vocabulary().instruments.items() if word in words.split()), None)


def _asked(instrument: str, column: ColumnFacts | None) -> dict[str, object]:
    usual = {"nps": "0-10", "csat": "1-5", "ces1": "1-5", "ces2": "1-7"}
    if column is None or instrument == "nps":
        return {"instrument": instrument, "scale": usual[instrument]}
    scale = _scale(column)
    return {"instrument": "ces1" if instrument == "ces2" and scale == "1-5" else instrument, "scale": scale}


def _contracts(made: TableGuess) -> TableGuess:
    """Take yearly amounts for monthly ones where only they are there, and say which columns hold for the whole row."""
    columns = [guess for guess in made.columns if guess.column != "arr"]
    yearly = made.guess("arr")
    if yearly is not None and not made.has("mrr"):
        columns.append(Guess("mrr", f"{_written(yearly, made.file)} / 12", "a twelfth of the yearly amount", yearly.sure))
    notice = made.guess("cancel_requested_at")
    if notice is not None and not made.has("ended_at") and not {"notice", "requested"} & set(_concepts_of(notice, made.file)):
        columns = [guess for guess in columns if guess is not notice]
        columns.append(replace(notice, column="ended_at", sure=min(notice.sure, 0.8), why=f"{notice.why}, and no other end"))
    columns = [_readable(guess, made.file) for guess in _with_reason(columns, made.file)]
    names = {guess.column for guess in columns}
    accounts = made.link.column.distinct
    fixed = [name for name in ("mrr", "seats", "plan", "discount", "renews_at") if name in names]
    keys: dict[str, object] = {"fixed": fixed} if fixed and made.file.rows > 1.05 * accounts else {}
    return replace(made, columns=tuple(columns), keys=keys)


def _readable(guess: Guess, file: FileFacts) -> Guess:
    """Write the words of a period as they are read."""
    if guess.column != "billing_period":
        return guess
    column = file.column(guess.written)
    written = period_words(column) if means_period(column) else ""
    return replace(guess, written=written) if written else guess


def _with_reason(columns: list[Guess], file: FileFacts) -> list[Guess]:
    """Take words that only ended contracts have for the reason."""
    end = next((guess for guess in columns if guess.column == "ended_at"), None)
    if end is None or any(guess.column == "end_reason" for guess in columns):
        return columns
    ends = next((each.filled for each in file.columns if end.written == each.name or end.written in each.times), 0)
    known = {guess.written for guess in columns if guess.sure > _ONLY}
    for column in file.columns:
        if column.is_category and column.name not in known and 0 < column.filled < file.rows and column.filled == ends:
            others = [guess for guess in columns if guess.written != column.name]
            return [*others, Guess("end_reason", column.name, "filled where a contract has ended", 0.7)]
    return columns


def _concepts_of(guess: Guess, file: FileFacts) -> tuple[str, ...]:
    name = next(
        (each.name for each in file.columns if each.name == guess.written or guess.written in each.times), guess.written
    )
    return concepts(words_of(name))


def _orders(made: TableGuess) -> TableGuess:
    """Make an amount of quantity and price, and take cancellations for what they are."""
    columns = [guess for guess in made.columns if guess.column != "price"]
    price, quantity = made.guess("price"), made.guess("quantity")
    if price is not None and quantity is not None and not made.has("amount"):
        columns.append(
            Guess("amount", f"{_written(quantity, made.file)} * {_written(price, made.file)}", "quantity times price", 0.8)
        )
    elif price is not None and not made.has("amount"):
        columns.append(replace(price, column="amount", sure=min(price.sure, 0.6)))
    cancelled = None if made.has("cancelled") else _cancelled(made.file)
    if cancelled is not None:
        columns = [guess for guess in columns if guess.written not in cancelled.written or guess.column != "product"]
        columns.append(cancelled)
    return replace(made, columns=tuple(columns))


def _cancelled(file: FileFacts) -> Guess | None:
    """Find a column of states in which one word means cancelled."""
    for column in file.columns:
        void = [word for word in column.words if "cancel" in concepts(words_of(word))]
        if column.is_category and void and len(void) < len(column.words) and "status" in concepts(words_of(column.name)):
            listed = ", ".join(quoted_text(word) for word in sorted(void))
            test = f"= {listed}" if len(void) == 1 else f"in ({listed})"
            return Guess("cancelled", f"{written_name(column.name)} {test}", "the word for cancelled", 0.8)
    return None


def _written(guess: Guess, file: FileFacts) -> str:
    """Write what a guess is taken from within an expression."""
    return written_name(guess.written) if any(column.name == guess.written for column in file.columns) else guess.written


def _payments(made: TableGuess) -> TableGuess:
    """Say which words mean paid, failed and refunded; a word that is not known means nothing."""
    status = made.guess("status")
    if status is None:
        written = failures(made.file)
        why = "a flag says which failed"
        return replace(made, columns=(*made.columns, Guess("status", written, why, 0.7))) if written else made
    column = made.file.column(status.written)
    meaning = status_words(column)
    if all(word.lower() == meaning.get(word) for word in column.words):
        return made
    branches = " ".join(f"when {quoted_text(word)} then '{ours}'" for word, ours in meaning.items())
    others = tuple(guess for guess in made.columns if guess.column != "status")
    return replace(made, columns=(*others, replace(status, written=f"case {written_name(status.written)} {branches} end")))
