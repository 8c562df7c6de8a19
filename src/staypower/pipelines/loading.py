"""What the settings say about reading, for the jobs: tables to train on, tables within the memory, and a cluster's engine."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from staypower.config.settings import Settings
from staypower.dataset.sampled_tables import open_sample, resolve_sampling
from staypower.dataset.sampling import Sampling
from staypower.engines.opening import Opened, fitting, refuse_errors
from staypower.errors import Problem, UsageError
from staypower.pipelines.arguments import holding
from staypower.progress import Progress
from staypower.tables import BucketedTables, Tables

__all__ = ["engine_of_cluster", "open_to_train", "opened", "rows_for"]


@contextmanager
def opened(settings: Settings, given: Tables | None, *, name: str, progress: Progress) -> Iterator[Opened]:
    """Hold tables within `engine.memory`: those given, or the sources, in buckets on disk where they are too large."""
    if given is not None:
        yield Opened(given, ())
        return
    cache = settings.output_folder / "cache"
    with fitting(settings.sources, settings.engine, cache=cache, name=name, progress=progress) as found:
        refuse_errors(found.findings)
        yield found


def open_to_train(
    settings: Settings, *, progress: Progress, as_of: int | None = None, tables: Tables | None = None
) -> tuple[Tables, Sampling]:
    """Read the tables of the accounts that a model is trained and tested on, or sample those that are in memory."""
    if tables is not None:
        sampling = resolve_sampling(tables, settings.sampling, settings.label, settings.cutoffs)
        return sampling.of_tables(tables), sampling
    return open_sample(
        settings.sources,
        settings.engine,
        settings.sampling,
        label=settings.label,
        cutoffs=settings.cutoffs,
        cache=settings.output_folder / "cache",
        progress=progress,
        as_of=as_of,
    )


def rows_for(settings: Settings, tables: BucketedTables, accounts: tuple[str, ...]) -> Tables:
    """Return what some accounts are scored by: the rows of their buckets, or all where all accounts have a say in it.

    A capacity of actions and an estimated base rate are shared by all accounts.
    """
    within = holding(tables, accounts)
    shared = settings.playbook is not None or settings.scoring.prior == "estimate"
    return (tables if shared else within).together()


def engine_of_cluster(
    *,
    accounts: tuple[str, ...] = (),
    previous: object | None = None,
    tables: object | None = None,
    prior: float | str | None = None,
) -> Any:
    """Return the module of the jobs on a cluster."""
    problems = []
    if accounts:
        problem = "the Spark engine scores every account"
        problems.append(Problem(problem, f"--account {accounts[0]}", "leave it out, or use `--set engine=embedded`"))
    if previous is not None:
        problem = "the Spark engine does not compare with earlier scores"
        problems.append(Problem(problem, f"--previous {previous}", "leave it out, or use `--set engine=embedded`"))
    if isinstance(tables, Tables):
        problem = "tables in memory cannot be scored on a cluster"
        problems.append(
            Problem(
                problem,
                "tables",
                "give a mapping of Spark DataFrames, or leave them out: the cluster reads the sources of the config",
            )
        )
    if prior == "estimate":
        problem = "the Spark engine does not estimate a base rate"
        problems.append(Problem(problem, "scoring.prior: estimate", "give the rate itself, such as 0.16"))
    if importlib.util.find_spec("pyspark") is None:
        problem = "the Spark engine is not installed"
        problems.append(Problem(problem, "engine: spark", "pip install 'staypower[spark]', and Java 17"))
    if problems:
        raise UsageError(problems)
    return importlib.import_module("staypower.pipelines.on_spark")
