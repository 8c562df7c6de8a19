from __future__ import annotations

import pytest
from pydantic import ValidationError

from staypower.engines.settings import EngineSettings


def test_options_are_written_as_spark_reads_them():
    settings = EngineSettings(kind="spark", options={"spark.ui.enabled": False, "spark.executor.cores": 4})
    assert settings.options == {"spark.ui.enabled": "false", "spark.executor.cores": "4"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kind": "spark", "memory": "2GB"}, "`memory` is not used by the engine `spark`"),
        ({"kind": "spark", "buckets": 9}, "write `partitions`"),
        ({"kind": "embedded", "partitions": 9}, "`partitions` is not used by the engine `embedded`"),
        ({"master": "local[2]"}, "write `kind: spark`"),
        ({"kind": "spark", "options": {"executor.memory": "8g"}}, "not an option of Spark: executor.memory"),
        ({"kind": "flink"}, "'embedded' or 'spark'"),
    ],
)
def test_what_an_engine_would_not_heed_is_refused(given, said):
    with pytest.raises(ValidationError, match=said):
        EngineSettings.model_validate(given)


def test_a_setting_at_its_default_is_no_problem():
    # `config show` writes every setting; what it wrote can be read again
    for settings in (EngineSettings(), EngineSettings(kind="spark", partitions=8)):
        assert EngineSettings.model_validate(settings.model_dump()) == settings
