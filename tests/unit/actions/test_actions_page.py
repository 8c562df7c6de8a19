"""The page about actions says what the code does."""

from __future__ import annotations

from pathlib import Path

import yaml

from staypower.actions.playbook import FEATURE_MEASURES, MEASURES, Action, Playbook
from staypower.features.definition import LEVERS
from staypower.portfolio.settings import QUADRANTS

PAGE = Path(__file__).parents[3] / "docs" / "actions.md"


def test_every_measure_key_lever_and_quadrant_is_there() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name, words in MEASURES.items():
        assert f"| `{name}` | {words} | {'features' if name in FEATURE_MEASURES else 'scores'} |" in page
    for key in (*Action.model_fields, "pause", "lever_share"):
        assert f"| `{key}` |" in page
    for word in (*LEVERS, *QUADRANTS):
        assert f"`{word}`" in page


def test_its_playbook_is_one() -> None:
    page = PAGE.read_text(encoding="utf-8")
    example = page.split("```yaml\n")[1].split("```")[0]
    assert list(Playbook.model_validate(yaml.safe_load(example)).actions) == ["faster_responses"]
