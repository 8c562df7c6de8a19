"""The page about the portfolio names every metric."""

from __future__ import annotations

from pathlib import Path

from staypower.portfolio.catalogue import METRICS

PAGE = Path(__file__).parents[3] / "docs" / "portfolio.md"


def test_every_metric_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in METRICS if f"`{name}`" not in page] == []
