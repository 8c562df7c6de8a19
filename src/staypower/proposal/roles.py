"""What each file is, and which of its columns are which of ours: by name, by values, and by what else is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from staypower.proposal.account_names import account_name
from staypower.proposal.details import finished
from staypower.proposal.facts import ColumnFacts, FileFacts, words_of
from staypower.proposal.guesses import Guess, TableGuess, raw
from staypower.proposal.links import Link
from staypower.proposal.shapes import (
    asks,
    by_shape,
    is_answer,
    is_birth,
    is_contract_like,
    is_list_of_contracts,
    own_time,
    plausible_times,
)
from staypower.proposal.states import means_period, means_status, means_term
from staypower.proposal.vocabulary import Meaning, concepts, likeness, vocabulary
from staypower.schemas import SCHEMAS
from staypower.sources.advice import written_name

__all__ = ["guess_table"]

_FILE = 2.5  # how much a file's name says about what it is
_RARE = ("advocacy", "goals", "outreach", "churn")  # tables that few have: the file's name must say so
_NAMED = 0.6
_FEW_ROWS = 3
_LEAVES = 3  # how often an account leaves at most, on average: some come back
# columns named after the table itself: payment date, ticket id
_OWN = {"payments": "payment", "tickets": "ticket", "orders": "order", "surveys": "survey"}
_NAMES_ITSELF = 0.8
_OF_TICKETS = frozenset({"resolved_at", "first_response_at", "priority", "category", "channel", "agent"})
_MANY_ROWS = 5  # of an account: what is done is much
_USED = 0.7  # how much many rows say that they are uses, where nothing else says what they are
_BY_WORDS = 0.9  # how sure words are that mean nothing else
_MANY_TEXTS = 50
_WHOLE = 0.97  # of the rows: a time that is filled in less often has not happened yet
_PERSONS = 0.5  # of the accounts: a column that names persons has no fewer
_STABLE = 50  # distinct words of an attribute that a model can learn from


def guess_table(file: FileFacts, link: Link, until: float | None = None) -> list[TableGuess]:
    """Say what a file is; it may feed several tables. `until` is the day since 1970 on which the events end."""
    if link.master and is_list_of_contracts(file, link):
        return finished(_fitted("subscriptions", file, link, until))
    if link.master:
        made = _with_name(_fitted("accounts", file, link, until))
        return [replace(made, keys=_attributes(file, link, made)), *_ends_in_accounts(file, link)]
    fits = [_fitted(table, file, link, until) for table in vocabulary().columns if table != "accounts"]
    best = max((made for made in fits if made.value > 0), key=lambda made: made.value, default=None)
    return [] if best is None else finished(best)


def _fitted(table: str, file: FileFacts, link: Link, until: float | None) -> TableGuess:
    """Match the columns of a file with those of one table, the likeliest pair first."""
    meanings = vocabulary().columns[table]
    pairs = sorted(
        (
            (_likely(table, name, column), place, name, column)
            for column in file.columns
            if column.name != link.column.name and column.filled
            for place, (name, meaning) in enumerate(meanings.items())
            if _fits(column, meaning) and _may_be_called(table, name, column, file, link)
        ),
        key=lambda pair: (-pair[0], pair[1]),
    )
    taken: dict[str, tuple[float, ColumnFacts]] = {}
    for likely, _, name, column in pairs:
        if likely and name not in taken and column not in [each for _, each in taken.values()]:
            taken[name] = (likely, column)
    named = likeness(words_of(file.name), vocabulary().files.get(table, (table,)), "text")
    if named < _NAMED and not _may_be(table, file, link, taken):
        return TableGuess(table, file, link)
    needed = "signed_up_at" if table == "accounts" else "churned_at" if table == "churn" else _own_time(table)
    if table == "subscriptions":
        taken = by_shape(table, file, link, taken, until)
    if needed not in taken:
        times = [column for column in plausible_times(file, until) if column not in [each for _, each in taken.values()]]
        if table == "accounts":
            whole = [column for column in times if column.filled == file.rows]
            found = whole[0] if whole else None
        else:
            found = own_time(table, file, times) or (times[0] if times and named >= _NAMED else None)
            if found is None:
                return TableGuess(table, file, link)
        if found is not None:
            taken[needed] = (0.3, found)
        elif "setup_completed_at" in taken:
            taken[needed] = (0.5, taken.pop("setup_completed_at")[1])
    taken = by_shape(table, file, link, taken, until)
    value = _FILE * named + sum(meanings[name].telling * likely for name, (likely, _) in taken.items())
    own = sum(_OWN.get(table, "") in concepts(words_of(column.name)) for column in file.columns)
    value += _NAMES_ITSELF * min(own, 3)
    if table == "usage" and file.rows >= _MANY_ROWS * link.column.distinct:
        value += _USED
    guesses = tuple(_guess(name, meanings[name], taken[name]) for name in meanings if name in taken)
    return TableGuess(table, file, link, guesses, why=f"named {file.name}" if named else "by its columns", value=value)


def _with_name(accounts: TableGuess) -> TableGuess:
    """Add the column that says how people call an account, where there is one."""
    name = account_name(accounts.file, accounts.link, [guess.written for guess in accounts.columns])
    return accounts if name is None else replace(accounts, columns=(*accounts.columns, name))


def _likely(table: str, name: str, column: ColumnFacts) -> float:
    """Say how much a column is like one of ours: by its name, or by words that mean nothing else."""
    meaning = vocabulary().columns[table][name]
    by_words = {"status": means_status, "billing_period": means_period}.get(name)
    likely = likeness(words_of(column.name), meaning.words, meaning.kind)
    return max(likely, _BY_WORDS) if by_words is not None and by_words(column) else likely


def _may_be_called(table: str, name: str, column: ColumnFacts, file: FileFacts, link: Link) -> bool:
    """Say whether the values of a column allow what its name says."""
    if name == "status":
        return means_status(column)
    if name == "mrr":
        return not means_term(column)
    if name in ("user_id", "respondent_id"):
        return column.distinct >= _PERSONS * link.column.distinct
    if name == "seats":
        return not (column.filled >= _MANY_TEXTS and column.names_rows)
    if name == "started_at":
        return column.filled >= _WHOLE * file.rows
    if name == "order_id":
        return column.filled == file.rows
    versions = table in SCHEMAS and SCHEMAS[table].version is not None
    return name != _row_id(table) or versions or column.names_rows


def _row_id(table: str) -> str | None:
    return SCHEMAS[table].row_id if table in SCHEMAS else None


def _may_be(table: str, file: FileFacts, link: Link, taken: Mapping[str, tuple[float, ColumnFacts]]) -> bool:
    """Say whether a file whose name does not say so may be a table, by what it must have."""
    if table == "churn":
        few = file.rows <= _LEAVES * link.column.distinct
        return few and "churned_at" in taken and taken["churned_at"][0] > _NAMED
    if table == "surveys":
        return "value" in taken or asks(file, link)
    if table == "subscriptions":
        return is_contract_like(file, link)
    if table == "usage":
        # a list of persons or devices has few rows of an account, or each person once
        listed = "user_id" in taken and file.unique(taken["user_id"][1])
        return file.rows > _FEW_ROWS * link.column.distinct and not listed
    if table == "tickets":
        return bool(file.after) or bool(_OF_TICKETS & set(taken))
    if table in ("orders", "payments"):
        return bool({"amount", "price", "quantity", "status"} & set(taken))
    return table not in _RARE


def _own_time(table: str) -> str:
    times = SCHEMAS[table].times
    return "answered_at" if table == "surveys" else times[0]


def _fits(column: ColumnFacts, meaning: Meaning) -> bool:
    if meaning.kind == "time":
        # a number counts time only where its name says so: the caller matches the name
        return bool(column.times) and column.distinct > 1 and not is_birth(column)
    if meaning.kind == "number":
        named = set(concepts(words_of(column.name)))
        if not column.number or (
            column.wholes == column.numbers and ("id" in named or ("number" in named and column.names_rows))
        ):
            return False
        low, high = meaning.low, meaning.high
        return (low is None or column.low is None or column.low >= low) and (high is None or (column.high or 0) <= high)
    if meaning.kind == "flag":
        return column.is_flag
    if meaning.kind == "id":
        return column.may_be_id and not is_answer(column)
    if column.is_number and "quantity" in concepts(words_of(column.name)):
        return False
    # what is nearly always another text is a subject or a name
    several = column.distinct > 1 or meaning.alone
    return not column.times and not column.is_flag and several and not (column.filled >= _MANY_TEXTS and column.names_rows)


def _guess(name: str, meaning: Meaning, found: tuple[float, ColumnFacts]) -> Guess:
    likely, column = found
    written = column.name
    if meaning.kind == "time":
        written = raw(column, column.times[0])
    elif meaning.kind == "number":
        written = raw(column, column.number)
    values = {"time": "times", "number": "numbers", "flag": "yes or no"}.get(meaning.kind)
    only = {"text": "the only words", "time": "by how often it is filled in"}.get(meaning.kind, "names the rows")
    doubtful = meaning.kind == "time" and len(column.times) > 1
    why = f"{'named like it' if likely > 0.5 else only}" + (f", all values are {values}" if values else "")
    return Guess(
        name, written, why + (", day or month first is open" if doubtful else ""), min(likely, 0.55 if doubtful else 1.0)
    )


def _attributes(file: FileFacts, link: Link, made: TableGuess) -> dict[str, object]:
    """List the attributes that are unlikely to change, and those a model can learn from."""
    used = {guess.written for guess in made.columns if guess.column in ("signed_up_at", "setup_completed_at", "name")}
    return {"static": [column.name for column in file.columns if _is_stable(column, {link.column.name, *used})]}


def _is_stable(column: ColumnFacts, used: set[str]) -> bool:
    if column.name in used or not column.filled or column.times or column.is_flag:
        return False
    words = set(words_of(column.name).split())
    # numbers with signs are no words
    return (
        column.is_category and not column.number and 1 < column.distinct <= _STABLE and not words & set(vocabulary().may_change)
    )


def _ends_in_accounts(file: FileFacts, link: Link) -> Iterable[TableGuess]:
    """Take a date of leaving among the accounts' columns for a table of departures."""
    meaning = vocabulary().columns["churn"]["churned_at"]
    found: Sequence[tuple[float, ColumnFacts]] = [
        (likeness(words_of(column.name), meaning.words, meaning.kind), column)
        for column in file.columns
        if column.times and 0 < column.filled < file.rows and column.name != link.column.name
    ]
    likely, column = max(found, key=lambda each: each[0], default=(0.0, None))
    if column is None or likely < 0.7:
        return []
    keys = {"where": f"{written_name(column.name)} is not null", "time": "churned_at"}
    guess = Guess("churned_at", raw(column, column.times[0]), "named like it, filled for some accounts only", likely)
    return [TableGuess("churn", file, link, (guess,), keys, why="dates of leaving in the accounts", value=likely)]
