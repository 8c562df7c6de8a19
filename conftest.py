"""What pytest looks at: modules of the Spark engine only where Spark, an extra, is installed.

Examples that read `demo/staypower.yaml` need a trained model: `tests/functional/test_examples.py` runs them. All others
print the same when numpy's last bits are those of another processor.
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from last_bits import FUNCTIONS, Moved

collect_ignore_glob = [] if find_spec("pyspark") else ["src/staypower/engines/spark*.py", "src/staypower/pipelines/on_spark.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the examples that need a trained model to their own test."""
    items[:] = [item for item in items if not _reads_the_demo(item)]


def _reads_the_demo(item: pytest.Item) -> bool:
    examples = item.dtest.examples if isinstance(item, pytest.DoctestItem) else []
    return any('"demo' in example.source for example in examples)


@pytest.fixture(autouse=True)
def _another_processor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let examples run with last bits of another processor."""
    if isinstance(request.node, pytest.DoctestItem):
        for name in FUNCTIONS:
            monkeypatch.setattr(np, name, Moved(getattr(np, name)))
