"""What matched columns amount to: waits as times, ratings as answers, cents as money, words as what they mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from staypower.proposal.facts import ColumnFacts, FileFacts, words_of
from staypower.proposal.guesses import Guess, TableGuess, raw
from staypower.proposal.vocabulary import concepts, likeness, vocabulary
from staypower.schemas import INSTRUMENTS
from staypower.sources.advice import written_name
from staypower.sources.values import quoted_text

__all__ = ["finished", "means_status"]

_SCALES = ((1, "0-1"), (4, "1-4"), (5, "1-5"), (7, "1-7"), (10, "0-10"), (100, "0-100"))
_KNOWN = 0.8  # of the rows with a status whose word is known
_ONLY = 0.35  # how sure the only words or the only time are
_MONEY = ("mrr", "arr", "amount", "price")


def finished(made: TableGuess) -> list[TableGuess]:
    """Make times, amounts, answers and states of the columns of a table."""
    made = replace(made, columns=tuple(_in_units(guess, made.file) for guess in made.columns))
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
    if guess.column in _MONEY and "cents" in words:
        guess = replace(guess, written=f"{_written(guess, file)} / 100", why=f"{guess.why}, named as cents")
    if guess.column == "mrr" and "year" in words:
        return replace(guess, written=f"{_written(guess, file)} / 12", why=f"{guess.why}, a twelfth of the yearly amount")
    if guess.column == "term_months" and "year" in words:
        return replace(guess, written=f"{_written(guess, file)} * 12", why=f"{guess.why}, named as years")
    return guess


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
    columns = [Guess("answered_at", resolved.written, "a rating is given when the ticket is closed", 0.6)]
    columns.append(Guess("value", raw(column, column.number), "named like it, all values are numbers", likely))
    ticket = made.guess("ticket_id")
    columns += [replace(ticket)] if ticket is not None else []
    keys: dict[str, object] = {
        "where": f"{written_name(column.name)} is not null",
        "touchpoint": "'ticket'",
        "instrument": "csat",
    }
    keys["scale"] = _scale(column)
    yield TableGuess("surveys", made.file, made.link, tuple(columns), keys, why="ratings of tickets", value=likely)


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
    columns = _with_reason(columns, made.file)
    names = {guess.column for guess in columns}
    accounts = made.link.column.distinct
    fixed = [name for name in ("mrr", "seats", "plan", "discount", "renews_at") if name in names]
    keys: dict[str, object] = {"fixed": fixed} if fixed and made.file.rows > 1.05 * accounts else {}
    return replace(made, columns=tuple(columns), keys=keys)


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


def means_status(column: ColumnFacts) -> bool:
    """Say whether the words of a column are mostly those of payments: paid, failed, refunded."""
    known = [rows for word, rows in column.words.items() if _status(word)]
    return bool(known) and sum(known) >= _KNOWN * column.filled and any(_status(word) == "failed" for word in column.words)


def _status(word: str) -> str | None:
    return vocabulary().payment_status.get(words_of(word))


def _payments(made: TableGuess) -> TableGuess:
    """Say which words mean paid, failed and refunded; a word that is not known means nothing."""
    status = made.guess("status")
    if status is None:
        return made
    words = made.file.column(status.written).words
    meaning = {word: _status(word) for word in words}
    if all(word.lower() == ours for word, ours in meaning.items()):
        return made
    branches = " ".join(f"when {quoted_text(word)} then '{ours}'" for word, ours in meaning.items() if ours)
    others = tuple(guess for guess in made.columns if guess.column != "status")
    return replace(made, columns=(*others, replace(status, written=f"case {written_name(status.written)} {branches} end")))
