"""The simulated company: its tables in memory or in files, and the truth apart from them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from staypower.cutoffs import DAY, instant_of, text_of
from staypower.errors import Problem, UsageError, nearest
from staypower.simulation.behaviour import accounts_table, advocacy_table, goals_table, usage_table
from staypower.simulation.block import BLOCK, Block
from staypower.simulation.contracts import payments_table, sign_contracts, subscriptions_table
from staypower.simulation.history import live
from staypower.simulation.tickets_and_surveys import surveys_table, tickets_table
from staypower.simulation.truth import Ceiling, ceiling_of, truth_frame
from staypower.simulation.world import PARAMETERS, Calendar

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Format", "Simulation", "SimulationPlan", "TableFiles", "simulate", "simulate_to"]

Format = Literal["parquet", "csv"]
Silence = Literal["attitude", "features"]
#: Days after an outcome until no end can be undone any more.
_GRACE = 30
_LIVE, _TRUTH = 0, 50


class TableFiles:
    """One growing file per table."""

    def __init__(self, folder: Path, format: Format) -> None:
        if format not in get_args(Format):
            raise UsageError.of("unknown format", format, nearest(format, get_args(Format)))
        if folder.exists() and not folder.is_dir():
            raise UsageError.of("not a folder", folder, "choose a folder to write the tables into")
        self.folder = folder
        self.format = format
        self.paths: dict[str, Path] = {}
        self._writers: dict[str, Any] = {}

    def __enter__(self) -> Self:
        (self.folder / "truth").mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for name, writer in self._writers.items():
            writer.close()
            unfinished = self._unfinished(self.paths[name])
            if kind is None:
                os.replace(unfinished, self.paths[name])
            else:
                with contextlib.suppress(FileNotFoundError):
                    unfinished.unlink()

    @staticmethod
    def _unfinished(path: Path) -> Path:
        return path.with_name(f".{path.name}.unfinished")

    def add(self, name: str, table: pa.Table, *, folder: Path | None = None) -> None:
        """Append rows to a table's file."""
        if name not in self._writers:
            path = (folder or self.folder) / f"{name}.{self.format}"
            self.paths[name] = path
            unfinished = self._unfinished(path)
            if self.format == "parquet":
                self._writers[name] = pq.ParquetWriter(unfinished, table.schema)
            else:
                self._writers[name] = pacsv.CSVWriter(unfinished, table.schema)
        self._writers[name].write_table(table)

    def add_truth(self, truth: pd.DataFrame) -> None:
        """Append rows to the truth's file."""
        table = pa.Table.from_pandas(truth, preserve_index=False)
        kind = table.schema.get_field_index("churn_kind")
        # A block without churn would give the column no type of its own.
        table = table.set_column(kind, "churn_kind", table.column(kind).cast(pa.string()))
        self.add("truth", table.replace_schema_metadata(None), folder=self.folder / "truth")


@dataclass(frozen=True)
class Simulation:
    """A simulated company.

    >>> company = simulate(60, months=12, cutoffs=["2023-07-01"])
    >>> sorted(company.tables)
    ['accounts', 'advocacy', 'goals', 'payments', 'subscriptions', 'surveys', 'tickets', 'usage']
    >>> company.truth["churn_probability"].between(0, 1).all()
    np.True_
    """

    # `accounts`, `usage`, `tickets`, `surveys`, `subscriptions`, `payments`, `advocacy`, `goals` under canonical names
    tables: Mapping[str, pa.Table] = field(repr=False)
    # what the tables do not show, one row per cutoff and active account: `account_id`, `cutoff`, `notice_given`,
    # `churn_probability` within the horizon, `p_voluntary`, `p_involuntary`, `churn_probability_30d`, `..._180d`, `tier`,
    # `attitude`, `p_detractor`, `p_passive`, `p_promoter` (of an answer given now), `cause` (the lever that raises the risk
    # most), `effect_<lever>`, and what happened: `churned`, `churn_kind` (missing while it is not decided)
    truth: pd.DataFrame = field(repr=False)
    cutoffs: tuple[int, ...]  # instants at which the truth is known
    horizon: int  # days
    observed_until: int  # instant (exclusive) at which the history ends

    def ceiling(self, cutoff: str | date | int | None = None) -> Ceiling:
        """Measure the true probabilities: no model that sees only the tables does better on average."""
        if cutoff is None:
            return ceiling_of(self.truth)
        instant = instant_of(cutoff)
        if instant not in self.cutoffs:
            known = [text_of(c) for c in self.cutoffs]
            raise UsageError.of("no truth at this cutoff", text_of(instant), nearest(text_of(instant), known))
        moment = pd.Timestamp(instant, unit="us", tz="UTC")
        return ceiling_of(self.truth[self.truth["cutoff"] == moment])

    def write(self, folder: str | Path, format: Format = "parquet") -> dict[str, Path]:
        """Write every table, and the truth apart from them in `truth/`."""
        with TableFiles(Path(folder), format) as files:
            for name, table in self.tables.items():
                files.add(name, table)
            files.add_truth(self.truth)
        return files.paths


def simulate(
    accounts: int = 2000,
    *,
    months: int = 30,
    seed: int = 0,
    start: str = "2023-01-01",
    cutoffs: Sequence[str | date | datetime | int] | None = None,
    horizon: int = 90,
    silence: Silence = "attitude",
    siblings: Sequence[int] = (30, 180),
    copies: int = 96,
) -> Simulation:
    """Simulate a software company whose truth is known.

    Parameters
    ----------
    accounts : int, default 2000
        Accounts that ever sign up; at least 1.
    months : int, default 30
        Length of the history in calendar months; at least 6.
    seed : int, default 0
        Not negative. The same arguments give the same rows.
    start : str, default "2023-01-01"
        First day.
    cutoffs : sequence of str, date or int, or None, default None
        Midnights at which the truth is given; they do not change the tables. None: the end of the history, the last cutoff
        whose outcome is known (horizon + 30 days earlier), and up to three more, each one horizon earlier. An empty
        sequence gives no truth.
    horizon : int, default 90
        Days of the true churn probability; 1 to 365.
    silence : {"attitude", "features"}, default "attitude"
        Whether not answering a survey depends on the attitude itself or only on what the tables show.
    siblings : sequence of int, default (30, 180)
        Further horizons of the truth, days, 1 to 365.
    copies : int, default 96
        How often each account is run forward to find its true probability; at least 2.

    Returns
    -------
    Simulation

    Raises
    ------
    UsageError
        When an argument cannot be used; every problem at once.

    See Also
    --------
    simulate_to : the same rows, written block by block, for sizes that do not fit into memory.

    Examples
    --------
    >>> company = simulate(40, months=6, cutoffs=[])
    >>> company.tables["tickets"].column_names[:3]
    ['account_id', 'ticket_id', 'opened_at']
    """
    plan = _checked_plan(accounts, months, seed, start, cutoffs, horizon, silence, siblings, copies)
    parts = [_block(plan, number) for number in range(plan.blocks)]
    tables = {name: pa.concat_tables([tables[name] for tables, _ in parts]).combine_chunks() for name in parts[0][0]}
    truth = pd.concat([truth for _, truth in parts], ignore_index=True)
    truth = truth.sort_values(["account_id", "cutoff"], ignore_index=True, kind="stable")
    instants = tuple(int(plan.calendar.start + day * DAY) for day in plan.cutoff_days)
    return Simulation(tables, truth, instants, plan.horizon, plan.calendar.end)


def simulate_to(
    folder: str | Path,
    *,
    accounts: int = 2000,
    format: Format = "parquet",
    months: int = 30,
    seed: int = 0,
    start: str = "2023-01-01",
    cutoffs: Sequence[str | date | datetime | int] | None = None,
    horizon: int = 90,
    silence: Silence = "attitude",
    siblings: Sequence[int] = (30, 180),
    copies: int = 96,
) -> dict[str, Path]:
    """Simulate a company straight into files, a block of accounts at a time: memory stays bounded at any size.

    >>> import tempfile
    >>> files = simulate_to(tempfile.mkdtemp(), accounts=20, months=6, cutoffs=[])
    >>> files["usage"].name
    'usage.parquet'
    """
    plan = _checked_plan(accounts, months, seed, start, cutoffs, horizon, silence, siblings, copies)
    with TableFiles(Path(folder), format) as files:
        for number in range(plan.blocks):
            tables, truth = _block(plan, number)
            for name, table in tables.items():
                files.add(name, table)
            files.add_truth(truth)
    return files.paths


def _block(plan: SimulationPlan, number: int) -> tuple[dict[str, pa.Table], pd.DataFrame]:
    """Return the tables and the truth of one block of accounts."""
    ids = plan.ids(number)
    rng = np.random.default_rng([plan.seed, number, _LIVE])
    history = live(len(ids), plan.calendar, PARAMETERS, rng, plan.cutoff_days)
    block = Block(history, plan.calendar, PARAMETERS, plan.seed, number, ids, plan.silence)
    contracts = sign_contracts(block)
    usage, seen = usage_table(block, contracts)
    tickets, resolved = tickets_table(block)
    tables = {
        "accounts": accounts_table(block),
        "usage": usage,
        "tickets": tickets,
        "surveys": surveys_table(block, contracts, resolved, seen),
        "subscriptions": subscriptions_table(block, contracts),
        "payments": payments_table(block, contracts),
        "advocacy": advocacy_table(block),
        "goals": goals_table(block),
    }
    return tables, _truth(plan, block)


def _truth(plan: SimulationPlan, block: Block) -> pd.DataFrame:
    frames = [
        truth_frame(
            block.history,
            block.ids,
            day,
            plan.horizon,
            plan.siblings,
            plan.calendar,
            PARAMETERS,
            np.random.default_rng([plan.seed, block.number, _TRUTH, day]),
            plan.copies,
        )
        for day in plan.cutoff_days
    ]
    if frames:
        return pd.concat(frames, ignore_index=True)
    empty = replace(block.history, snapshots={0: block.history.traits})
    rng = np.random.default_rng(0)
    return truth_frame(empty, block.ids, 0, plan.horizon, plan.siblings, plan.calendar, PARAMETERS, rng, 2).iloc[:0]


@dataclass(frozen=True)
class SimulationPlan:
    """What to simulate."""

    accounts: int
    calendar: Calendar
    seed: int
    cutoff_days: tuple[int, ...]  # day numbers of the cutoffs, ascending
    horizon: int  # days
    siblings: tuple[int, ...]  # further horizons, days
    silence: Silence
    copies: int  # runs ahead per account and cutoff

    @property
    def blocks(self) -> int:
        """How many blocks the accounts fill."""
        return -(-self.accounts // BLOCK)

    def ids(self, number: int) -> NDArray[np.object_]:
        """Return the ids of a block's accounts."""
        first = number * BLOCK
        return np.array([f"A{n:07d}" for n in range(first, min(first + BLOCK, self.accounts))], dtype=object)


def _checked_plan(
    accounts: int,
    months: int,
    seed: int,
    start: str,
    cutoffs: Sequence[str | date | datetime | int] | None,
    horizon: int,
    silence: str,
    siblings: Sequence[int],
    copies: int,
) -> SimulationPlan:
    """Check every argument of `simulate`; all problems at once."""
    limits = (
        ("accounts", accounts, 1, 10**7 - 1),
        ("months", months, 6, 240),
        ("seed", seed, 0, 2**63 - 1),
        ("horizon", horizon, 1, 365),
        ("copies", copies, 2, 10_000),
        *(("siblings", sibling, 1, 365) for sibling in siblings),
    )
    problems = [
        Problem(f"{name} is out of range", str(value), f"give a whole number from {least} to {most}")
        for name, value, least, most in limits
        if not least <= value <= most
    ]
    if silence not in get_args(Silence):
        problems.append(Problem("unknown kind of silence", silence, nearest(silence, get_args(Silence))))
    if problems:
        raise UsageError(problems)
    calendar = Calendar.of(start, months)
    days = _cutoff_days(calendar, cutoffs, horizon)
    kind: Silence = "attitude" if silence == "attitude" else "features"
    return SimulationPlan(accounts, calendar, seed, days, horizon, tuple(s for s in siblings if s != horizon), kind, copies)


def _cutoff_days(calendar: Calendar, cutoffs: Sequence[str | date | datetime | int] | None, horizon: int) -> tuple[int, ...]:
    if cutoffs is None:
        known = calendar.days - horizon - _GRACE
        return tuple(sorted({calendar.days, *(day for k in range(4) if (day := known - k * horizon) > 0)}))
    instants = [instant_of(cutoff) for cutoff in cutoffs]
    problems = [
        Problem(
            "cutoff without a truth",
            text_of(instant),
            f"choose a midnight after {text_of(calendar.start)} and not after {text_of(calendar.end)}",
        )
        for instant in instants
        if instant % DAY or not calendar.start < instant <= calendar.end
    ]
    if problems:
        raise UsageError(problems)
    return tuple(sorted({(instant - calendar.start) // DAY for instant in instants}))
