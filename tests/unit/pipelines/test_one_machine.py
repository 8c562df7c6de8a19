"""Commands that do not run on Spark say so by their name, with the reason and what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from staypower import check, portfolio
from staypower.config.loading import load_config
from staypower.engines.abilities import ALSO_ON_SPARK, ONE_MACHINE
from staypower.errors import UsageError
from staypower.pipelines import arguments
from staypower.pipelines.arguments import refuse_on_spark

CONFIG = """
name: acme
tables: {usage: {source: usage.csv}}
label: {kind: non_contractual, table: usage}
engine: {kind: spark, master: yarn}
"""


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "acme.yaml").write_text(CONFIG)
    return load_config(tmp_path / "acme.yaml")


@pytest.mark.parametrize("name", ONE_MACHINE)
def test_each_is_refused_with_its_reason(settings, name):
    with pytest.raises(UsageError) as caught:
        refuse_on_spark(settings, name)
    [problem] = caught.value.problems
    assert problem.problem == f"`{name}` does not run on the Spark engine: {ONE_MACHINE[name]}"
    assert f"`staypower {name} --set engine=embedded`" in problem.fix


@pytest.mark.parametrize("job", [check, portfolio])
def test_a_job_is_refused_before_it_looks_for_its_sources(settings, job):
    with pytest.raises(UsageError, match=f"`{job.__name__}` does not run on the Spark engine"):
        job(settings)


def test_every_job_that_opens_tables_is_in_one_of_the_lists():
    written = "".join(path.read_text() for path in Path(str(arguments.__file__)).parent.glob("*.py"))
    named = set(re.findall(r'(?:opened|to_train)\(\s*settings,.*?(?:name|command)="([a-z ]+)"', written, flags=re.DOTALL))
    assert {"evaluate", "monitor", "tune", "models promote"} <= named
    assert named <= {*ALSO_ON_SPARK, *ONE_MACHINE}
