"""Change the code a little, one place at a time, and see whether a test notices: `python scripts/mutate.py cutoffs --most 50`.

Each mutant runs in a copy of a process that has imported the libraries already, without compiled routines, whose compiled code
would be that of the original. A mutant that no test notices is a survivor: a test is missing, or the change changes nothing.
One that takes five times the processor time of the tests without a change counts as noticed.
"""

from __future__ import annotations

import argparse
import ast
import copy
import doctest
import importlib
import importlib.machinery
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ |= {"NUMBA_DISABLE_JIT": "1", "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}

ROOT = Path(__file__).parents[1]
SLOWER, AT_LEAST = 5, 30  # seconds
# modules, and the tests that should notice besides the examples in their docstrings
TARGETS: dict[str, tuple[list[str], list[str]]] = {
    "cutoffs": (
        ["cutoffs", "crossings"],
        ["tests/unit/test_cutoffs.py", "tests/unit/test_crossings.py", "tests/unit/test_tables.py"],
    ),
    "spells": (["spells"], ["tests/unit/test_spells.py", "tests/property/test_labels.py"]),
    "labels": (
        ["labels.churn", "labels.endings", "labels.population", "labels.tier", "labels.inputs"],
        ["tests/unit/labels", "tests/spec/test_labels_tables.py", "tests/property/test_labels.py"],
    ),
    "metrics": (
        ["metrics.ordinal", "metrics.probability", "metrics.profit", "metrics.ranking", "metrics.risk"],
        ["tests/unit/metrics", "tests/property/test_metrics.py"],
    ),
    "kernel": (["features.kernel"], ["tests/unit/features/test_kernel.py", "tests/property/test_features.py"]),
}

_DOCTEST = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
SWAPS: dict[type, type] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
    ast.And: ast.Or, ast.Or: ast.And, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip


def changes(tree: ast.Module) -> Iterator[tuple[str, Callable[[ast.AST], None], int]]:
    """Give every change: what it is, how it is made in a copy of the tree, and the number of the node."""
    annotations = {id(inner) for node in ast.walk(tree) for part in _annotations(node) for inner in ast.walk(part)}
    for number, node in enumerate(ast.walk(tree)):
        if id(node) in annotations or not hasattr(node, "lineno"):
            continue
        line = f"line {node.lineno}: {ast.unparse(node)[:70]}"
        if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
            yield f"{line}: other comparison", lambda found: found.ops.__setitem__(0, SWAPS[type(found.ops[0])]()), number
        elif isinstance(node, (ast.BinOp, ast.AugAssign, ast.BoolOp)) and type(node.op) in SWAPS:
            yield f"{line}: other operator", lambda found: setattr(found, "op", SWAPS[type(found.op)]()), number
        elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
            yield f"{line}: the contrary", lambda found: setattr(found, "value", not found.value), number
        elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
            yield f"{line}: one more", lambda found: setattr(found, "value", found.value + 1), number
        elif isinstance(node, (ast.If, ast.IfExp, ast.While)) and ast.unparse(node.test) != "TYPE_CHECKING":
            yield f"{line}: negated", lambda found: setattr(found, "test", ast.UnaryOp(ast.Not(), found.test)), number


def _annotations(node: ast.AST) -> list[ast.AST]:
    parts = [getattr(node, name, None) for name in ("annotation", "returns")]
    return [part for part in parts if isinstance(part, ast.AST)]


def _path(module: str) -> Path:
    return ROOT / "src" / "staypower" / f"{module.replace('.', '/')}.py"


def mutants(module: str) -> Iterator[tuple[str, str, ast.Module]]:
    """Give every mutant of a module: the module, what was changed, and the changed tree."""
    tree = ast.parse(_path(module).read_text())
    for words, change, number in changes(tree):
        made = copy.deepcopy(tree)
        change(next(node for place, node in enumerate(ast.walk(made)) if place == number))
        yield module, words, ast.fix_missing_locations(made)


def passes(tests: list[str], modules: list[str], tree: ast.Module | None = None, *, limit: float = 0) -> bool:
    """Run tests and the examples of modules in a copy of this process, where a tree is the changed one of the only module.

    A copy that takes too much processor time has noticed.
    """
    child = os.fork()
    if child == 0:
        signal.setitimer(signal.ITIMER_PROF, limit)  # ends the copy
        null = os.open(os.devnull, os.O_RDWR)
        for number in (1, 2):
            os.dup2(null, number)
        code = 3
        try:
            code = _run(tests, modules, tree)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _run(tests: list[str], modules: list[str], tree: ast.Module | None) -> int:
    import pytest

    original, changed = importlib.machinery.SourceFileLoader.get_code, _path(modules[0])

    def get_code(self: importlib.machinery.SourceFileLoader, name: str) -> object:
        if tree is not None and Path(self.path) == changed:
            return compile(tree, self.path, "exec")
        return original(self, name)

    importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore[method-assign,assignment]
    quiet = ["-x", "-q", "-p", "no:cacheprovider", "-W", "ignore", "--no-header", "-o", "xfail_strict=false"]
    code = int(pytest.main([*quiet, *tests]))
    # pytest itself would import the modules by a loader of its own, unchanged
    documented = [] if code else [importlib.import_module(f"staypower.{module}") for module in modules]
    return code or int(any(doctest.testmod(module, optionflags=_DOCTEST).failed for module in documented))


def main() -> int:
    """Make mutants of a target, or of all, and print the score and the survivors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", nargs="*", default=list(TARGETS), help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--most", type=int, default=10**6, help="how many mutants of a target, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    os.chdir(ROOT)
    sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests" / "support")]
    import hypothesis  # noqa: F401
    import numba  # noqa: F401
    import pandas  # noqa: F401
    import pyarrow.compute  # noqa: F401
    import pytest  # noqa: F401
    import scipy.stats  # noqa: F401
    import sklearn.metrics  # noqa: F401

    for target in asked.target:
        modules, tests = TARGETS[target]
        started, used = time.perf_counter(), os.times().children_user
        if not passes(tests, modules):
            print(f"{target}: the tests fail without any change")
            return 1
        limit = max(AT_LEAST, SLOWER * (os.times().children_user - used))
        every = [mutant for module in modules for mutant in mutants(module)]
        drawn = random.Random(asked.seed).sample(every, min(asked.most, len(every)))
        survivors = []
        for module, words, tree in drawn:
            if passes(tests, [module], tree, limit=limit):
                survivors.append(f"{module} {words}")
                print(f"  survived: {survivors[-1]}", flush=True)
        share = 1 - len(survivors) / len(drawn)
        took = time.perf_counter() - started
        print(f"{target}: {len(drawn)} of {len(every)} mutants, {share:.1%} noticed, {took:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
