"""The audit, check by check."""

from __future__ import annotations

from staypower.auditing.case import Case
from staypower.auditing.overlap import find_overlap
from staypower.auditing.presence import find_presence
from staypower.auditing.report import AuditReport
from staypower.auditing.separation import find_separation
from staypower.auditing.shuffling import shuffle_target
from staypower.auditing.time_travel import travel_by_arrival, travel_in_time
from staypower.auditing.unproven import list_unproven
from staypower.progress import Progress

__all__ = ["audit_dataset"]

_CHECKS = (
    ("travelling in time", travel_in_time),
    ("travelling by arrival", travel_by_arrival),
    ("shuffling the target", shuffle_target),
    ("looking for single features that tell all", find_separation),
    ("looking for outcomes that overlap", find_overlap),
    ("looking for presence that tells all", find_presence),
    ("listing what cannot be proven", list_unproven),
)


def audit_dataset(case: Case, *, progress: Progress | None = None) -> AuditReport:
    """Make every check of the audit."""
    said = progress or Progress(quiet=True)
    checks = []
    for words, check in _CHECKS:
        with said.step(words):
            checks.append(check(case))
    return AuditReport(case.name, tuple(checks))
