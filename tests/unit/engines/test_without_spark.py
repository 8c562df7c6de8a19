"""Spark is an extra: whatever does not run on a cluster is there without it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import staypower

ROOT = Path(staypower.__file__).parent
OF_SPARK = {"staypower.pipelines.on_spark"}
BLOCKED = """
import importlib, sys
sys.modules["pyspark"] = None
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def modules() -> list[str]:
    names = [".".join(("staypower", *path.relative_to(ROOT).with_suffix("").parts)) for path in ROOT.rglob("*.py")]
    names = [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]
    return sorted(name for name in names if name not in OF_SPARK and not name.startswith("staypower.engines.spark"))


def test_every_other_module_is_there_without_spark():
    names = modules()
    assert {"staypower.pipelines.score", "staypower.pipelines.demo", "staypower.cli.commands"} <= set(names)
    done = subprocess.run([sys.executable, "-c", BLOCKED, *names], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
