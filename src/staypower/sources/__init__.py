"""Read any source into canonical tables, and say what was found on the way."""

from __future__ import annotations

from staypower.sources.findings import Finding, Severity
from staypower.sources.fingerprints import fingerprint
from staypower.sources.reading import read_tables
from staypower.sources.schema_docs import document_schemas
from staypower.sources.settings import TableSource

__all__ = ["Finding", "Severity", "TableSource", "document_schemas", "fingerprint", "read_tables"]
