"""Every public name has an example in its docstring that runs: those of jobs where `staypower demo` was run before."""

from __future__ import annotations

import doctest
import inspect
import shutil

import pytest
from depth import DEEP

import staypower

# as a reader would run them: a second version is trained before it is compared and made champion
ORDER = ["open_scorer", "OpenScorer", "train", "list_models", "compare", "promote", "rollback", "verify"]
NAMES = [*ORDER, *sorted(set(staypower.__all__) - {*ORDER, "__version__"})]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


@pytest.fixture(scope="module")
def trained(company, tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    shutil.copytree(company.root, folder, dirs_exist_ok=True)
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
