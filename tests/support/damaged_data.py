"""Companies of two mechanisms as they are known at a day, healthy and with the damage that exports come with."""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path

import pandas as pd

from staypower import load_config, read_tables
from staypower.config.settings import Settings
from staypower.tables import Tables

_BENCHMARKS = str(Path(__file__).parents[2] / "benchmarks")
sys.path.insert(0, _BENCHMARKS)
try:
    months = importlib.import_module("months")
    importlib.import_module("companies")
finally:
    sys.path.remove(_BENCHMARKS)
known_at, Frames = months.known_at, months.Frames

KINDS = ("simulated", "contracts")


def company(kind: str, accounts: int, seed: int) -> tuple[Frames, str, pd.Timestamp]:
    """Return all rows, the config with a place for the last day of the data, and the first day after all of them."""
    return months.company(kind, accounts, seed, 26)


def settings_at(config: str, end: pd.Timestamp | None, folder: Path | None = None, **others: object) -> Settings:
    """Return the settings of a run on data that end before a day; where the data end themselves without one."""
    with tempfile.TemporaryDirectory() as temporary:
        path = (folder or Path(temporary)) / "staypower.yaml"
        day = "null" if end is None else str((end - pd.Timedelta(days=1)).date())
        path.write_text(config.format(end=day))
        return load_config(path, [f"{key}={value}" for key, value in others.items()])


def tables_at(kind: str, accounts: int, seed: int, end: pd.Timestamp) -> tuple[Tables, Settings]:
    frames, config, _ = company(kind, accounts, seed)
    settings = settings_at(config, end)
    return read_tables(settings, known_at(frames, end)), settings


def usage_ends_early(frames: Frames, end: pd.Timestamp) -> Frames:
    usage = frames["usage"]
    return {**frames, "usage": usage[usage["at"] < end - pd.Timedelta(days=60)]}


def one_row_far_away(frames: Frames, end: pd.Timestamp) -> Frames:
    usage = frames["usage"].copy()
    usage.loc[0, "at"] = pd.Timestamp("2099-01-01")
    return {**frames, "usage": usage}


def categories_unseen(frames: Frames, end: pd.Timestamp) -> Frames:
    renamed = {"usage": ["event"], "accounts": ["segment", "region", "industry"]}
    found = dict(frames)
    for name, columns in renamed.items():
        there = [column for column in columns if column in frames[name]]
        found[name] = frames[name].assign(**{column: "new " + frames[name][column].astype(str) for column in there})
    return found


def loaded_twice(frames: Frames, end: pd.Timestamp) -> Frames:
    return {name: pd.concat([frame, frame], ignore_index=True) for name, frame in frames.items()}


def answers_on_another_scale(frames: Frames, end: pd.Timestamp) -> Frames:
    """Answers from 0 to 10 are given from 1 to 5 for the last 60 days."""
    surveys = frames["surveys"].copy()
    late = (surveys["answered_at"] >= end - pd.Timedelta(days=60)) & (surveys["instrument"] == "nps")
    surveys.loc[late, "value"] = (surveys.loc[late, "value"] / 2).clip(1, 5).round()
    return {**frames, "surveys": surveys}


def ends_before_starts(frames: Frames, end: pd.Timestamp) -> Frames:
    rows = frames["subscriptions"].copy()
    ended = rows["ended_at"].notna()
    rows.loc[ended, ["started_at", "ended_at"]] = rows.loc[ended, ["ended_at", "started_at"]].to_numpy()
    return {**frames, "subscriptions": rows}
