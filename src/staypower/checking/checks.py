"""Check whether tables can be used, and say it in a report: problem, what it means, how to fix it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from staypower.checking.coverage import absent, blanks, changing, history, nothing_to_learn
from staypower.checking.leaks import leak_suspects, suspicious_name
from staypower.checking.report import CheckReport, TableSummary
from staypower.cutoffs import MISSING, text_of
from staypower.sources.findings import Finding
from staypower.tables import Table, Tables

__all__ = ["CheckReport", "TableSummary", "attribute_frame", "check_tables", "leak_suspects", "suspicious_name"]


def check_tables(
    tables: Tables,
    findings: Sequence[Finding] = (),
    *,
    outcome_days: int | None = None,
    target: Mapping[str, int] | None = None,
    label: Collection[str] = (),
) -> CheckReport:
    """Check whether tables can be used.

    >>> import pyarrow as pa
    >>> from staypower.schemas import SCHEMAS
    >>> accounts = Table(SCHEMAS["accounts"], pa.table({"account_id": ["a"]}))
    >>> check_tables(Tables({"accounts": accounts}, 0)).errors[0].problem
    'neither an event table nor a usable attribute'
    """
    found = [*findings, *nothing_to_learn(tables), *changing(tables), *_leaks(tables, target, label)]
    found += [*history(tables, outcome_days), *blanks(tables), *absent(tables)]
    return CheckReport.of(found, {name: _summary(table) for name, table in tables.items()})


def attribute_frame(accounts: Table) -> pd.DataFrame:
    """Give the attributes of each account, one row per account, the last given row of each.

    >>> import pyarrow as pa
    >>> from staypower.schemas import SCHEMAS
    >>> rows = pa.table({"account_id": ["a", "b"], "plan": ["x", "y"]})
    >>> attribute_frame(Table(SCHEMAS["accounts"], rows, fixed=frozenset({"plan"}))).loc["b"].to_dict()
    {'plan': 'y'}
    """
    names = ["account_id", *(name for name in accounts.data.column_names if accounts.schema.column(name) is None)]
    frame: pd.DataFrame = accounts.data.select(list(dict.fromkeys(names))).to_pandas()
    return frame.drop_duplicates("account_id", keep="last").set_index("account_id").drop(columns="known_at", errors="ignore")


def _leaks(tables: Tables, target: Mapping[str, int] | None, label: Collection[str]) -> Iterator[Finding]:
    accounts = tables["accounts"]
    frame = attribute_frame(accounts).drop(columns=list(label), errors="ignore")
    left_out = set(frame.columns) - accounts.fixed
    if target is None:
        yield from leak_suspects(frame, left_out=left_out)
        return
    known = frame[frame.index.isin(list(target))]
    yield from leak_suspects(known, [target[account] for account in known.index], left_out=left_out)


def _summary(table: Table) -> TableSummary:
    times = table.own_instants() if len(table) else np.zeros(0, dtype=np.int64)
    there = times[times != MISSING]
    days = (text_of(int(there.min()))[:10], text_of(int(there.max()))[:10]) if len(there) else (None, None)
    accounts = len(pc.unique(table.data.column("account_id")))
    return TableSummary(len(table), int(accounts), tuple(table.data.column_names), *days)
