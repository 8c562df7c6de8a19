"""Only the command line, the jobs and the config know the whole settings: everything below takes what it needs."""

from __future__ import annotations

import ast
from pathlib import Path

import staypower

ROOT = Path(staypower.__file__).parent
ABOVE = {"cli", "config", "pipelines"}


def names_settings(path: Path) -> bool:
    """Say whether a module names the class `Settings` or imports from the config."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name) and node.id == "Settings":
            return True
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("staypower.config"):
            return True
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in ("Settings", "Settings | None"):
            return True
    return False


def test_no_function_below_the_jobs_takes_the_settings() -> None:
    below = [path for path in ROOT.rglob("*.py") if path.relative_to(ROOT).parts[0] not in ABOVE]
    assert len(below) > 100
    assert [str(path.relative_to(ROOT)) for path in below if names_settings(path)] == []


def test_the_test_sees_them_where_they_are() -> None:
    assert names_settings(ROOT / "pipelines" / "arguments.py")
