"""How the configuration describes one source of one table."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from staypower.sources.vocabulary import RESERVED
from staypower.tables import Kind

__all__ = ["Scalar", "TableSource"]

Scalar = str | int | float | bool
Format = Literal["csv", "parquet", "json", "duckdb"]


class TableSource(BaseModel):
    """One source of one table: where its rows are, and which of its columns are which of ours.

    Every key that is not reserved maps a canonical column onto a source column, an expression or a constant.

    Parameters
    ----------
    source : str or None, default None
        A path (relative to the configuration), a glob, a folder, or the name of an object given in Python.
    format : {"csv", "parquet", "json", "duckdb"} or None, default None
        None reads it off the file's ending.
    table, query : str or None, default None
        What to read in a DuckDB file: a table, or the rows of one SELECT.
    delimiter, encoding, decimal : str
        How a CSV file is written.
    blank : tuple of str, default empty
        Words that mean that nothing is known.
    where : str or None, default None
        Only rows for which this expression is true are read.
    constant : mapping of str to str, int, float or bool, default empty
        The same value in every row.
    fixed : tuple of str, default empty
        Columns that never change while a row lives.
    static : tuple of str or "all", default empty
        Attributes of an account that never change.
    leave_out : tuple of str, default empty
        With `static="all"`: source columns that are not attributes.
    derive_from : str or None, default None
        Make one account per id of this table.
    key_via : str or None, default None
        Find `account_id` through the id of this table.
    time : str or None, default None
        A declared table's own time.
    columns : mapping of str to kind, default empty
        The kinds of a declared table's columns, or of attributes.
    mapping : mapping of str to str, int, float or bool
        Every other key: canonical column to source column, expression or constant.

    >>> usage = TableSource.model_validate({"source": "usage.csv", "account_id": "acct", "at": "when"})
    >>> dict(usage.mapping)
    {'account_id': 'acct', 'at': 'when'}
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str | None = None
    format: Format | None = None
    table: str | None = None
    query: str | None = None
    delimiter: str | None = None
    encoding: str = "utf-8"
    decimal: Literal[".", ","] = "."
    blank: tuple[str, ...] = ()
    where: str | None = None
    constant: Mapping[str, Scalar] = Field(default_factory=dict)
    fixed: tuple[str, ...] = ()
    static: tuple[str, ...] | Literal["all"] = ()
    leave_out: tuple[str, ...] = ()
    derive_from: str | None = None
    key_via: str | None = None
    time: str | None = None
    columns: Mapping[str, Kind] = Field(default_factory=dict)
    mapping: Mapping[str, Scalar] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _gather_mapping(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        kept = {key: value for key, value in given.items() if key in RESERVED}
        if isinstance(kept.get("source"), os.PathLike):
            kept["source"] = os.fspath(kept["source"])
        mapped = {str(key): value for key, value in given.items() if key not in RESERVED and key != "mapping"}
        already = given.get("mapping", {})
        kept["mapping"] = {**(already if isinstance(already, Mapping) else {"mapping": already}), **mapped}
        return kept

    @field_validator("mapping", "constant", mode="before")
    @classmethod
    def _write_dates(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        return {key: value.isoformat() if isinstance(value, date | datetime) else value for key, value in given.items()}

    @field_validator("blank", "fixed", "leave_out", "static", mode="before")
    @classmethod
    def _accept_one_word(cls, given: Any) -> Any:
        if isinstance(given, str) and given != "all":
            return (given,)
        if isinstance(given, list | tuple):
            return tuple(str(word) if isinstance(word, int | float) else word for word in cast("list[Any]", given))
        return given
