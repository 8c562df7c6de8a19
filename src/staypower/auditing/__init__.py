"""The audit: evidence that no feature saw the future, and a list of what no audit can prove."""

from __future__ import annotations

from staypower.auditing.case import Case
from staypower.auditing.report import AuditReport, Check, Verdict
from staypower.auditing.running import audit_dataset

__all__ = ["AuditReport", "Case", "Check", "Verdict", "audit_dataset"]
