"""What each file is, and which of its columns are which of ours: by name, by values, and by what else is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from staypower.proposal.facts import ColumnFacts, FileFacts, words_of
from staypower.proposal.links import Link
from staypower.proposal.vocabulary import Meaning, likeness, vocabulary
from staypower.schemas import SCHEMAS
from staypower.sources.advice import written_name

__all__ = ["Guess", "TableGuess", "guess_table"]

_FILE = 2.5  # how much a file's name says about what it is
_SURE, _LIKELY = 0.9, 0.6
_STABLE = 50  # distinct words of an attribute that a model can learn from
_SCALES = ((1, "0-1"), (4, "1-4"), (5, "1-5"), (7, "1-7"), (10, "0-10"), (100, "0-100"))


@dataclass(frozen=True)
class Guess:
    """What one of our columns is taken from."""

    column: str  # ours
    written: str  # a column of the source or an expression
    why: str
    sure: float  # 0 to 1

    @property
    def word(self) -> str:
        """How sure it is."""
        return "sure" if self.sure >= _SURE else "likely" if self.sure >= _LIKELY else "guess"


@dataclass(frozen=True)
class TableGuess:
    """What one source is taken for."""

    table: str
    file: FileFacts
    link: Link
    columns: tuple[Guess, ...] = ()
    keys: Mapping[str, object] = field(default_factory=dict)  # other keys of the mapping: where, fixed, static, constants
    why: str = ""
    value: float = 0.0  # how well it fits

    def has(self, *columns: str) -> bool:
        """Say whether it has all of these columns."""
        return set(columns) <= {guess.column for guess in self.columns}

    def guess(self, column: str) -> Guess | None:
        """Return the guess for a column."""
        return next((guess for guess in self.columns if guess.column == column), None)


def guess_table(file: FileFacts, link: Link) -> list[TableGuess]:
    """Say what a file is; it may feed several tables."""
    if link.master:
        made = _fitted("accounts", file, link)
        return [replace(made, keys=_attributes(file, link, made)), *_ends_in_accounts(file, link)]
    fits = [_fitted(table, file, link) for table in vocabulary().columns if table != "accounts"]
    best = max((made for made in fits if made.value > 0), key=lambda made: made.value, default=None)
    return [] if best is None else _finished(best)


def _fitted(table: str, file: FileFacts, link: Link) -> TableGuess:
    """Match the columns of a file with those of one table, the likeliest pair first."""
    meanings = vocabulary().columns[table]
    pairs = sorted(
        (
            (likeness(words_of(column.name), meaning.words), place, name, column)
            for column in file.columns
            if column.name != link.column.name and column.filled
            for place, (name, meaning) in enumerate(meanings.items())
            if _fits(column, meaning)
        ),
        key=lambda pair: (-pair[0], pair[1]),
    )
    taken: dict[str, tuple[float, ColumnFacts]] = {}
    for likely, _, name, column in pairs:
        if likely and name not in taken and column not in [each for _, each in taken.values()]:
            taken[name] = (likely, column)
    needed = next(iter(meanings)) if table in ("accounts", "churn") else _own_time(table)
    if needed and needed not in taken and table != "accounts":
        times = [column for column in file.columns if column.times and column not in [each for _, each in taken.values()]]
        if len(times) != 1:
            return TableGuess(table, file, link)
        taken[needed] = (0.3, times[0])
    named = likeness(words_of(file.name), vocabulary().files.get(table, (table,)))
    value = _FILE * named + sum(meanings[name].telling * likely for name, (likely, _) in taken.items())
    guesses = tuple(_guess(name, meanings[name], taken[name]) for name in meanings if name in taken)
    return TableGuess(table, file, link, guesses, why=f"named {file.name}" if named else "by its columns", value=value)


def _own_time(table: str) -> str:
    times = SCHEMAS[table].times
    return "answered_at" if table == "surveys" else times[0]


def _fits(column: ColumnFacts, meaning: Meaning) -> bool:
    if meaning.kind == "time":
        # a number counts time only where its name says so: the caller matches the name
        return bool(column.times)
    if meaning.kind == "number":
        if not column.number:
            return False
        low, high = meaning.low, meaning.high
        return (low is None or column.low is None or column.low >= low) and (high is None or (column.high or 0) <= high)
    if meaning.kind == "flag":
        return column.is_flag
    if meaning.kind == "id":
        return column.may_be_id
    return not column.times and not column.is_flag


def _guess(name: str, meaning: Meaning, found: tuple[float, ColumnFacts]) -> Guess:
    likely, column = found
    written = column.name
    if meaning.kind == "time":
        written = _raw(column, column.times[0])
    elif meaning.kind == "number":
        written = _raw(column, column.number)
    values = {"time": "times", "number": "numbers", "flag": "yes or no"}.get(meaning.kind)
    doubtful = meaning.kind == "time" and len(column.times) > 1
    why = f"{'named like it' if likely > 0.5 else 'the only time'}" + (f", all values are {values}" if values else "")
    return Guess(
        name, written, why + (", day or month first is open" if doubtful else ""), min(likely, 0.55 if doubtful else 1.0)
    )


def _raw(column: ColumnFacts, way: str) -> str:
    return column.name if way == written_name(column.name) else way


def _finished(made: TableGuess) -> list[TableGuess]:
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
                start = opened.written if "(" in opened.written else written_name(opened.written)
                best = (likely - 0.2 * business, f"{start} + {unit}({column.number})")
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
    columns.append(Guess("value", _raw(column, column.number), "named like it, all values are numbers", likely))
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
        number = yearly.written if "(" in yearly.written else written_name(yearly.written)
        columns.append(Guess("mrr", f"{number} / 12", "a twelfth of the yearly amount", yearly.sure))
    names = {guess.column for guess in columns}
    accounts = made.link.column.distinct
    fixed = [name for name in ("mrr", "seats", "plan", "discount", "renews_at") if name in names]
    keys: dict[str, object] = {"fixed": fixed} if fixed and made.file.rows > 1.05 * accounts else {}
    return replace(made, columns=tuple(columns), keys=keys)


def _orders(made: TableGuess) -> TableGuess:
    """Make an amount of quantity and price, and take cancellations for what they are."""
    columns = [guess for guess in made.columns if guess.column != "price"]
    price, quantity = made.guess("price"), made.guess("quantity")
    if price is not None and quantity is not None and not made.has("amount"):
        columns.append(Guess("amount", f"{_written(quantity)} * {_written(price)}", "quantity times price", 0.8))
    elif price is not None and not made.has("amount"):
        columns.append(replace(price, column="amount", sure=min(price.sure, 0.6)))
    return replace(made, columns=tuple(columns))


def _written(guess: Guess) -> str:
    return guess.written if "(" in guess.written else written_name(guess.written)


def _payments(made: TableGuess) -> TableGuess:
    """Say which words mean paid, failed and refunded."""
    status = made.guess("status")
    if status is None:
        return made
    words = made.file.column(status.written).words
    meaning = {word: vocabulary().payment_status.get(word.strip().lower()) for word in words}
    others = tuple(guess for guess in made.columns if guess.column != "status")
    if any(ours is None for ours in meaning.values()) or not meaning:
        return replace(made, columns=others)
    if all(word == ours for word, ours in meaning.items()):
        return made
    branches = " ".join(f"when '{word}' then '{ours}'" for word, ours in meaning.items())
    return replace(made, columns=(*others, replace(status, written=f"case {written_name(status.written)} {branches} end")))


def _attributes(file: FileFacts, link: Link, made: TableGuess) -> dict[str, object]:
    """List the attributes that are unlikely to change, and those a model can learn from."""
    used = {guess.written for guess in made.columns if guess.column in ("signed_up_at", "setup_completed_at")}
    return {"static": [column.name for column in file.columns if _is_stable(column, {link.column.name, *used})]}


def _is_stable(column: ColumnFacts, used: set[str]) -> bool:
    if column.name in used or not column.filled or column.times or column.is_flag:
        return False
    words = set(words_of(column.name).split())
    return column.is_category and 1 < column.distinct <= _STABLE and not words & set(vocabulary().may_change)


def _ends_in_accounts(file: FileFacts, link: Link) -> Iterable[TableGuess]:
    """Take a date of leaving among the accounts' columns for a table of departures."""
    meaning = vocabulary().columns["churn"]["churned_at"]
    found: Sequence[tuple[float, ColumnFacts]] = [
        (likeness(words_of(column.name), meaning.words), column)
        for column in file.columns
        if column.times and 0 < column.filled < file.rows and column.name != link.column.name
    ]
    likely, column = max(found, key=lambda each: each[0], default=(0.0, None))
    if column is None or likely < 0.7:
        return []
    keys = {"where": f"{written_name(column.name)} is not null", "time": "churned_at"}
    guess = Guess("churned_at", _raw(column, column.times[0]), "named like it, filled for some accounts only", likely)
    return [TableGuess("churn", file, link, (guess,), keys, why="dates of leaving in the accounts", value=likely)]
