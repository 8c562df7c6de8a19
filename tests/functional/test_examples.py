"""Every public name has an example in its docstring that runs: those of jobs where `staypower demo` was run before."""

from __future__ import annotations

import doctest
import inspect
import os
import shutil
from pathlib import Path

import pytest
from depth import DEEP

import staypower

# as a reader would run them: a second version is trained before it is compared and made champion
ORDER = ["open_scorer", "OpenScorer", "train", "list_models", "compare", "promote", "rollback", "verify"]
NAMES = [*ORDER, *sorted(set(staypower.__all__) - {*ORDER, "__version__"})]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
# examples show how a job is called: a model of few trees shows it, too
QUICK = """
features: {windows: [28]}
horizons: {days: [30]}
model: {max_trees: 20}
evaluation: {bootstrap: 20}
"""


@pytest.fixture(scope="module")
def trained(company, tmp_path_factory):
    """The data and the config of the demo, with a first version that is trained sooner than the demo's own."""
    folder, before = tmp_path_factory.mktemp("examples"), Path.cwd()
    shutil.copytree(company.config.parent / "data", folder / "demo" / "data")
    (folder / "demo" / "staypower.yaml").write_text(company.config.read_text(encoding="utf-8") + QUICK, encoding="utf-8")
    os.chdir(folder)
    try:
        staypower.train("demo/staypower.yaml")
    finally:
        os.chdir(before)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_the_example_of_a_public_name_runs(name, trained, monkeypatch):
    text = inspect.getdoc(getattr(staypower, name)) or ""
    test = doctest.DocTestParser().get_doctest(text, {name: getattr(staypower, name)}, name, None, None)
    assert test.examples, "no example"
    assert not any(doctest.SKIP in example.options for example in test.examples)
    if name == "demo":
        assert 'staypower.demo("demo", accounts=400)' in text  # what made the company
        return
    if name == "tune" and not DEEP:
        pytest.skip("in `make test-deep`: it trains for half a minute, as test_tune.py does")
    monkeypatch.chdir(trained)
    assert doctest.DocTestRunner(optionflags=FLAGS).run(test).failed == 0
