"""What the Spark engine does and does not do: the one list, which messages and documentation are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from staypower.errors import Problem

__all__ = ["ALSO_ON_SPARK", "ONE_MACHINE", "REFUSED", "Refusal"]

ALSO_ON_SPARK: Mapping[str, str] = MappingProxyType(
    {
        "features": "lists features; with `--build` writes the matrix of all accounts",
        "train": "labels, features and the draw on the cluster; learns on the driver from what was drawn",
        "evaluate": "as `train`: the test rows of the accounts drawn come to the driver",
        "backtest": "as `train`: the rows drawn for all folds come to the driver",
        "models promote": "as `evaluate`, for two versions",
        "score": "every account, written from where it is scored",
    }
)
"""The commands that run on Spark, too, and what they do there."""

ONE_MACHINE: Mapping[str, str] = MappingProxyType(
    {
        "check": "the data rules look at every row of the files, and name those that they change",
        "audit": "it trains on tables that it damages again and again",
        "tune": "it repeats training on tables as they were known at many instants",
        "models verify": "it trains the model again, from the sources themselves",
        "monitor": "the values of every feature at several cutoffs are compared from the rows of all accounts",
        "compare": "the changes of single accounts are explained from their rows",
        "explain": "single accounts are explained from their rows",
        "actions": "a capacity is shared by all accounts",
        "report": "single accounts are drawn from their rows",
        "portfolio": "figures of all accounts are set against each other",
    }
)
"""The other commands that read tables, and why they run on one machine only."""


@dataclass(frozen=True)
class Refusal:
    """What the Spark engine refuses, though the command runs on it."""

    what: str  # the option or setting
    problem: str
    fix: str

    def of(self, value: object) -> Problem:
        """Name the value that is refused.

        >>> REFUSED["account"].of("--account 7").value
        '--account 7'
        """
        return Problem(self.problem, str(value), self.fix)


_EMBEDDED = "leave it out, or use `--set engine=embedded`"

REFUSED: Mapping[str, Refusal] = MappingProxyType(
    {
        "account": Refusal("`--account`", "the Spark engine scores every account", _EMBEDDED),
        "previous": Refusal("`--previous`", "the Spark engine does not compare with earlier scores", _EMBEDDED),
        "as_of": Refusal("`--as-of`", "the Spark engine does not set rows aside that arrived later", _EMBEDDED),
        "prior": Refusal(
            "`scoring.prior: estimate`",
            "the Spark engine does not estimate a base rate",
            "give the rate itself, such as 0.16",
        ),
        "grow_on": Refusal("`sampling.grow_on: all`", "trees that grow on all rows are grown on one machine", _EMBEDDED),
        "playbook": Refusal(
            "`playbook`",
            "the Spark engine chooses no actions",
            "take it out with `--set playbook=null`; the engine `embedded` chooses actions",
        ),
        "format": Refusal(
            "`output.format: csv` and `xlsx`",
            "the Spark engine writes Parquet or a table",
            "write `format: parquet`, or use `--output table:NAME`",
        ),
        "aliases": Refusal(
            "`tables.accounts.aliases`",
            "merged accounts are not followed on Spark",
            "use the engine `embedded`, or write the ids of merged accounts anew in the source",
        ),
        "tables": Refusal(
            "tables in memory",
            "tables in memory are not on a cluster",
            "give a mapping of Spark DataFrames, or leave them out: the cluster reads the sources of the config",
        ),
    }
)
"""Options and settings that are refused on Spark."""
