"""The report: one self-contained HTML file that opens offline."""

from __future__ import annotations

from staypower.reporting.page.contents import AccountPage, Lane, Mark, Report, Said, Timeline
from staypower.reporting.page.quality import quality_of
from staypower.reporting.page.rendering import render_report

__all__ = ["AccountPage", "Lane", "Mark", "Report", "Said", "Timeline", "quality_of", "render_report"]
