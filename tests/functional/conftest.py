"""One small simulated company, trained and scored once, for every test that looks at the result."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from staypower.config.loading import load_config
from staypower.pipelines.demo import demo


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Return the folder, the settings and the results of a demo of 400 accounts."""
    root = tmp_path_factory.mktemp("company")
    before = Path.cwd()
    os.chdir(root)
    try:
        result = demo(Path("demo"), accounts=400, seed=3)
    finally:
        os.chdir(before)
    config = root / "demo" / "staypower.yaml"
    return SimpleNamespace(root=root, config=config, settings=load_config(config), result=result)
