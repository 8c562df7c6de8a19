"""The way to the engine of a cluster, an extra: imported when a run asks for it, refused in words when it is absent."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from staypower.errors import Problem, UsageError
from staypower.tables import Tables

__all__ = ["engine_of_cluster"]


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
