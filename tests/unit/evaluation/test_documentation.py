from pathlib import Path

from staypower.evaluation.measures import METRICS

PAGE = Path(__file__).parents[3] / "docs" / "evaluation.md"


def test_every_metric_is_on_the_page():
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in METRICS if f"`{name}`" not in text] == []
