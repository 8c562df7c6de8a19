"""The audit, check by check."""

from __future__ import annotations

from staypower.auditing.case import Case
from staypower.auditing.knowledge import list_unproven
from staypower.auditing.overlap import find_overlap
from staypower.auditing.report import AuditReport
from staypower.auditing.separation import find_presence, find_separation
from staypower.auditing.shuffling import shuffle_target
from staypower.auditing.time_travel import travel_by_arrival, travel_in_time
from staypower.progress import Progress

__all__ = ["audit_dataset"]

_CHECKS = (
    ("rebuilding without later rows", travel_in_time),
    ("rebuilding without later arrivals", travel_by_arrival),
    ("shuffling the target", shuffle_target),
    ("testing single features", find_separation),
    ("testing outcomes for overlap", find_overlap),
    ("testing whether having rows gives the outcome away", find_presence),
    ("listing columns without a date", list_unproven),
)


def audit_dataset(case: Case, *, progress: Progress | None = None) -> AuditReport:
    """Run every check of the audit."""
    steps = progress or Progress(quiet=True)
    checks = []
    for words, check in _CHECKS:
        with steps.step(words):
            checks.append(check(case))
    return AuditReport(case.name, tuple(checks))
