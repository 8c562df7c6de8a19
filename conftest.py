"""What pytest looks at: modules of the Spark engine only where Spark, an extra, is installed.

The examples of `open_scorer` need a trained model: `tests/functional/test_open_scorer.py` runs them.
"""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("pyspark") else ["src/staypower/engines/spark*.py", "src/staypower/pipelines/on_spark.py"]
collect_ignore_glob += ["src/staypower/pipelines/open_scorer.py"]
