"""Read the tables that a config names."""

from __future__ import annotations

from collections.abc import Mapping

from staypower.config import Settings
from staypower.errors import Fault, UsageError
from staypower.progress import Progress
from staypower.sources import Finding, read_tables
from staypower.tables import Tables

__all__ = ["load_tables", "refuse_errors"]


def load_tables(
    settings: Settings, *, progress: Progress, as_of: int | None = None, objects: Mapping[str, object] | None = None
) -> tuple[Tables, tuple[Finding, ...]]:
    """Read every table and what the data rules found in it.

    Parameters
    ----------
    settings : Settings
    progress : Progress
    as_of : int, optional
        Instant; what arrived later is set aside.
    objects : mapping of str to object, optional
        Tables in memory, by the names that `source` gives.

    Returns
    -------
    tables : Tables
    findings : tuple of Finding
    """
    with progress.step("reading the tables"):
        return read_tables(
            settings.tables, folder=settings.root, observed_until=settings.observed_until, as_of=as_of, objects=objects
        )


def refuse_errors(findings: tuple[Finding, ...]) -> None:
    """Raise what makes the tables unusable, all at once."""
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        raise UsageError([Fault(f"{found.fault} ({found.rows} rows)", found.place, found.mend) for found in errors])
