"""A proposed configuration: its tables, its label, what is unsure about it, and how it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd
import yaml

from staypower.addresses import is_address
from staypower.errors import UsageError
from staypower.proposal.facts import FileFacts, words_of
from staypower.proposal.guesses import Guess, TableGuess
from staypower.proposal.links import Link, find_links
from staypower.proposal.roles import guess_table
from staypower.proposal.shapes import plausible_times
from staypower.proposal.vocabulary import concepts, likeness, vocabulary
from staypower.proposal.zones import with_zones
from staypower.results.numbers import count, percent, plural
from staypower.results.result import Block, Head, Items, Result, TableBlock, Verbatim
from staypower.schemas import SCHEMAS

__all__ = ["Proposal", "propose_from"]

_COMMENT = 58  # the column at which comments begin
_MANY_AT_ONCE = 3  # contracts of one account at a time: their ends say little of its leaving
_FEW_ENDS = 20
_WEAK = 2.0  # how well a file fits whose name says nothing
_ADDRESS = "${DATABASE_URL}"


@dataclass(frozen=True)
class Proposal(Result):
    """A proposed configuration.

    Parameters
    ----------
    tables : tuple of TableGuess
        What each source is taken for.
    label : mapping
        The keys of `label`.
    label_why : str
        On what evidence.
    notes : tuple of str
        What could not be decided from the files.
    name : str
        The company's short name.
    path : str
        Where it was written, empty when it was not.
    unread : tuple of str
        Files that could not be read or that no table fits, with the reason.
    """

    tables: tuple[TableGuess, ...]
    label: Mapping[str, Any]
    label_why: str
    notes: tuple[str, ...] = ()
    name: str = "company"
    path: str = ""
    unread: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)  # other keys of the configuration

    def settings(self) -> dict[str, Any]:
        """Return the configuration as a mapping, as `load_config` takes it."""
        tables: dict[str, list[dict[str, Any]]] = {}
        for made in self.tables:
            tables.setdefault(made.table, []).append(_keys(made))
        listed = {name: each if len(each) > 1 else each[0] for name, each in tables.items()}
        return {"name": self.name, **self.more, "tables": listed, "label": dict(self.label)}

    def yaml(self) -> str:
        """Write the configuration, each guessed line with its evidence."""
        return "\n".join(_lines(self)) + "\n"

    def frame(self) -> pd.DataFrame:
        """Return one row per guess: table, column, what it is taken from, why, and how sure."""
        rows = [(made.table, one.column, one.written, one.why, one.word) for made in self.tables for one in _all(made)]
        return pd.DataFrame(rows, columns=["table", "column", "taken_from", "why", "sure"])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "settings": self.settings(),
            "yaml": self.yaml(),
            "guesses": self.frame().to_dict("records"),
            "notes": list(self.notes),
            "unread": list(self.unread),
            "path": self.path,
        }

    def blocks(self) -> list[Block]:
        """Return what each source is taken for, what is unsure, and what to run next."""
        rows = [[made.table, made.file.name, count(made.file.rows), _mapped(made), made.why] for made in self.tables]
        heads = (Head("table", "left"), Head("source", "left"), "rows", Head("columns", "left"), Head("why", "left"))
        shown: list[Block] = [f"{plural(len(self.tables), 'table')} proposed; label {self.label['kind']}: {self.label_why}."]
        shown.append(TableBlock(heads, rows))
        unsure = [
            [made.table, one.column, one.written, one.why] for made in self.tables for one in _all(made) if one.word == "guess"
        ]
        if unsure:
            columns = [Head(head, "left") for head in ("table", "column", "taken from", "why")]
            shown += [TableBlock(columns, unsure, title="Look at these first")]
        if self.notes or self.unread:
            shown.append(Items([*self.notes, *self.unread]))
        if self.path:
            commands = [f"  staypower {each} -c {self.path}" for each in ("check", "train", "score")]
            shown.append(Verbatim([f"written: {self.path}", "next:", *commands]))
        return shown


def propose_from(
    files: Sequence[FileFacts], *, name: str = "company", telling: Callable[[FileFacts, str, str], list[str]] | None = None
) -> Proposal:
    """Propose a configuration for files that were looked at; `telling` names the columns of a file that tell a flag's word."""
    links = find_links(files)
    tables, unread = [], []
    pointed, until = {link.through for link in links.values()}, _end_of_events(files, links)
    for file in files:
        found = guess_table(file, links[file.name], until) if file.name in links else []
        if file.name in pointed and all(made.value < _WEAK for made in found):
            continue  # it says whose the ids of other files are, and nothing else
        tables += found
        if not found:
            what = "no column names an account" if file.name not in links else "no table that is known fits its columns"
            unread.append(f"{file.name} is left out: {what} ({', '.join(column.name for column in file.columns[:6])})")
    if not tables:
        problem = "no table can be proposed"
        seen = "; ".join(unread) or "no file could be read"
        raise UsageError.of(problem, seen, "give files with a column for the customer and a time, or a flag of churn")
    tables += _bridges(files, links, tables)
    unread = [line for line in unread if not any(line.startswith(f"{made.file.name} is left out") for made in tables)]
    label, why, tables, more, notes = _label(_through(tables), telling)
    tables, unzoned = with_zones(tables, files)
    order = [*SCHEMAS, "churn"]
    tables.sort(key=lambda made: order.index(made.table) if made.table in order else len(order))
    return Proposal(
        tuple(tables), label, why, (*notes, *unzoned), words_of(name).replace(" ", "-") or "company", "", tuple(unread), more
    )


def _end_of_events(files: Sequence[FileFacts], links: Mapping[str, Link]) -> float | None:
    """Return the day since 1970 until which files with many rows of an account go; None where there are none."""
    many = [file for file in files if file.name in links and file.rows > _MANY_AT_ONCE * links[file.name].column.distinct]
    times = [column.last for file in many for column in plausible_times(file, None) if column.filled == file.rows]
    return max((last for last in times if last is not None), default=None)


def _bridges(files: Sequence[FileFacts], links: Mapping[str, Link], tables: Sequence[TableGuess]) -> Iterator[TableGuess]:
    """Declare tables that only say whose the ids of other files are, such as persons or devices."""
    by_name = {file.name: file for file in files}
    needed = {made.link.through: made.link.key for made in tables if made.link.through}
    for name, key in needed.items():
        there = [made for made in tables if made.file.name == name]
        if any(_row_id(made) == key for made in there):
            continue
        own, why = _own_name(key), "other files name its rows"
        guess = Guess(own, key, why, 1.0)
        yield TableGuess(_own_name(name), by_name[name], links[name], (guess,), {"columns": {own: "id"}}, why)


def _row_id(made: TableGuess) -> str | None:
    column = SCHEMAS[made.table].row_id if made.table in SCHEMAS else None
    guess = made.guess(column) if column else None
    return guess.written if guess is not None else None


def _own_name(name: str) -> str:
    return words_of(name).replace(" ", "_")


def _through(tables: Sequence[TableGuess]) -> list[TableGuess]:
    """Let files without an account reach it through the table that has it."""
    made = []
    for each in tables:
        if not each.link.through:
            made.append(each)
            continue
        through = next(
            (other.table for other in tables if other.file.name == each.link.through and _row_id(other) == each.link.key),
            _own_name(each.link.through),
        )
        key = (SCHEMAS[through].row_id if through in SCHEMAS else None) or _own_name(each.link.key)
        guess = Guess(key, each.link.column.name, f"{percent(each.link.share)} of its values are there", 1.0)
        columns = [guess, *(one for one in each.columns if one.column != key)]
        person = "respondent_id" if each.table == "surveys" else "user_id"
        if through not in SCHEMAS and _is_person(each, person) and not each.has(person):
            columns.append(replace(guess, column=person, why="names a person"))
        made.append(replace(each, columns=tuple(columns), keys={**each.keys, "key_via": through}))
    return made


def _is_person(made: TableGuess, column: str) -> bool:
    known = SCHEMAS[made.table].names if made.table in SCHEMAS else ()
    words = set(concepts(words_of(made.link.column.name))) - {"id", "number"}
    return column in known and bool(words) and words <= {"person", "user", "contact"}


def _label(
    tables: list[TableGuess], telling: Callable[[FileFacts, str, str], list[str]] | None
) -> tuple[dict[str, Any], str, list[TableGuess], dict[str, Any], list[str]]:
    """Choose what churn is: ends of contracts, dates of leaving, a flag, or no more activity."""
    by = {made.table: made for made in tables}
    master = by.get("accounts")
    left, contracts = by.get("churn"), by.get("subscriptions")
    ended = contracts.guess("ended_at") if contracts is not None else None
    if contracts is not None and ended is not None:
        ends = next((each.filled for each in contracts.file.columns if each.name in ended.written), 0)
        at_once = contracts.file.rows / max(contracts.link.column.distinct, 1)
        if ends >= _FEW_ENDS and not (left is not None and at_once > _MANY_AT_ONCE):
            kept = [made for made in tables if made.table != "churn"]
            return {"kind": "contractual"}, "contracts have ends", kept, {}, []
    active = by.get("orders") or by.get("usage")
    flag = _flag(master.file) if master is not None and active is None else None
    snapshot = master is not None and flag is not None and not master.has("signed_up_at")
    if left is not None and not snapshot:
        return {"kind": "given", "dates": "churn"}, f"{left.why}", tables, {}, []
    if master is not None and flag is not None:
        tables = [made for made in tables if made.table != "churn"]
        told = telling(master.file, *flag) if telling is not None else []
        return _snapshot(master, *flag, tables, told)
    if active is None:
        active = max(tables, key=lambda made: made.file.rows)
    notes = []
    if master is None:
        accounts = TableGuess(
            "accounts", active.file, active.link, (), {"derive_from": active.table}, "no file lists the accounts"
        )
        tables = [accounts, *tables]
    horizon = 90
    label = {"kind": "non_contractual", "table": active.table, "horizon": horizon}
    notes.append(
        f"an account counts as churned after {horizon} days without {active.table}: set `label.horizon` to your business"
    )
    return label, f"no contract has an end, so activity in {active.table} decides", tables, {}, notes


def _flag(file: FileFacts) -> tuple[str, str] | None:
    """Find the column that says who left, and its word for it."""
    best: tuple[float, str, str] | None = None
    for column in file.columns:
        likely = likeness(words_of(column.name), vocabulary().flag_of_churn, "flag")
        if not column.words or len(column.words) != 2 or likely < 0.5:
            continue
        words = {words_of(word): word for word in column.words}
        positive = next((words[each] for each in vocabulary().positive if each in words), None)
        if positive is None:
            positive = min(column.words, key=lambda word: column.words[word])
        value = likely + 0.1 * (not column.is_number)
        if best is None or value > best[0]:
            best = (value, column.name, positive)
    return None if best is None else (best[1], best[2])


def _snapshot(
    master: TableGuess, flag: str, positive: str, tables: list[TableGuess], told: Sequence[str]
) -> tuple[dict[str, Any], str, list[TableGuess], dict[str, Any], list[str]]:
    """Take one table with a flag for a snapshot of one moment."""
    file = master.file
    alike = [each.name for each in file.columns if each.distinct < 2 or _tells_the_end(each.name, flag)]
    columns = tuple(one for one in master.columns if one.column in ("signed_up_at", "name"))
    mapped = {master.link.column.name, *(one.written for one in columns)}
    names = [each.name for each in file.columns if not each.words and not each.number]
    left = [each for each in [*alike, *told, *names] if each not in mapped]
    keys: dict[str, object] = {"static": "all"}
    if left:
        keys["leave_out"] = list(dict.fromkeys(left))
    snapshot = replace(master, columns=columns, keys=keys)
    notes = [
        f"one snapshot with the flag {flag}: what was written down after a customer left must stand in `leave_out`; "
        "`staypower check` names suspects"
    ]
    latest = "2024-01-01"
    label = {"kind": "given", "flag": flag, "positive": positive, "at": latest}
    why = f"{flag} says who left, and no table has a time"
    return label, why, [snapshot if made is master else made for made in tables], {"observed_until": latest}, notes


def _tells_the_end(name: str, flag: str) -> bool:
    ends = {concept for word in vocabulary().tells_the_end for concept in concepts(word)}
    return name != flag and bool(set(concepts(words_of(name))) & ends)


def _all(made: TableGuess) -> Iterator[Guess]:
    """Give every guess of a table, the account first."""
    if not made.link.through and "derive_from" not in made.keys:
        words = "names the rows" if made.link.master else f"{percent(made.link.share)} of its values are accounts"
        yield Guess("account_id", made.link.column.name, words, 1.0 if made.link.share > 0.9 else 0.5)
    yield from made.columns


def _mapped(made: TableGuess) -> str:
    names = [one.column for one in _all(made)]
    return f"{len(names)} of {len(made.file.columns)}" if names else "derived"


def _keys(made: TableGuess) -> dict[str, Any]:
    if "derive_from" in made.keys:
        return dict(made.keys)
    found: dict[str, Any] = {**made.file.source, **made.keys}
    # a password does not belong into a file: the address is taken from the environment
    found["source"] = _ADDRESS if is_address(str(found["source"])) else found["source"]
    for one in _all(made):
        found[one.column] = one.written
    return found


def _lines(proposal: Proposal) -> Iterator[str]:
    yield "# Proposed from the files themselves: every line that was guessed says on what evidence and how sure."
    yield from _entry("name", proposal.name, "")
    for key, value in proposal.more.items():
        yield from _entry(key, value, "", "the table does not say: any date does, all rows share one moment")
    yield "tables:"
    by: dict[str, list[TableGuess]] = {}
    for made in proposal.tables:
        by.setdefault(made.table, []).append(made)
    for table, listed in by.items():
        yield f"  {table}:"
        for made in listed:
            yield f"    # {made.why}; {count(made.file.rows)} rows"
            for place, (key, value) in enumerate(_keys(made).items()):
                guess = next((one for one in _all(made) if one.column == key), None)
                indent = "    " if len(listed) == 1 else ("    - " if place == 0 else "      ")
                yield from _entry(key, value, indent, f"{guess.word}: {guess.why}" if guess is not None else "")
        yield ""
    yield f"# {proposal.label_why}"
    yield "label:"
    for key, value in proposal.label.items():
        yield from _entry(key, value, "  ")
    for note in proposal.notes:
        yield f"# note: {note}"


def _entry(key: str, value: object, indent: str, comment: str = "") -> Iterator[str]:
    style: Any = {"default_flow_style": isinstance(value, list | dict), "width": 10_000, "allow_unicode": True}
    if isinstance(value, str) and value.startswith("'"):
        style["default_style"] = '"'
    written = yaml.safe_dump(value, **style).removesuffix("\n...\n").strip()
    line = f"{indent}{key}: {written}"
    yield f"{line.ljust(_COMMENT)} # {comment}" if comment else line
