"""The command line around the pipelines: options, output, exit codes, and how little it loads."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import staypower
from staypower.cli.commands import app
from staypower.errors import Problem, UsageError

HEAVY = ["pandas", "numpy", "scipy", "sklearn", "lightgbm", "mlflow", "shap", "duckdb", "numba", "matplotlib", "pyarrow"]
HEAVY += ["pydantic", "yaml", "jinja2", "sqlglot", "rich"]

CONFIG = """\
name: acme
tables:
  usage: {source: usage.csv, account_id: acct, at: when}
label: {kind: non_contractual, table: usage}
"""

SCORING = {"cutoff": None, "model": None, "accounts": None, "previous": None, "prior": None}

COMMANDS = [
    (["check"], "check", "check", {"every_note": False}),
    (["check", "--all"], "check", "check", {"every_note": True}),
    (["features"], "features", "list_features", {"build": False, "output": None}),
    (["features", "--list"], "features", "list_features", {"build": False, "output": None}),
    (["features", "--build", "-o", "x.parquet"], "features", "list_features", {"build": True, "output": "x.parquet"}),
    (["train"], "train", "train", {"as_of": None}),
    (["train", "--as-of", "2025-10-06"], "train", "train", {"as_of": "2025-10-06"}),
    (["evaluate", "--model", "2"], "evaluate", "evaluate", {"model": "2", "prior": None}),
    (["evaluate", "--prior", "0.16"], "evaluate", "evaluate", {"model": None, "prior": "0.16"}),
    (["backtest"], "backtest", "backtest", {"folds": 6, "health_score": None}),
    (["backtest", "--folds", "3"], "backtest", "backtest", {"folds": 3, "health_score": None}),
    (
        ["score"],
        "score",
        "score",
        {**SCORING, "output": None, "accept_data": False},
    ),
    (
        ["score", "--cutoff", "2025-07-01", "--output", "s.csv", "--model", "1", "--account", "007", "--account", "a b"],
        "score",
        "score",
        {
            "cutoff": "2025-07-01",
            "output": "s.csv",
            "model": "1",
            "accounts": ["007", "a b"],
            "previous": None,
            "prior": None,
            "accept_data": False,
        },
    ),
    (["actions"], "actions", "actions", {"cutoff": None, "output": None, "model": None, "accept_data": False}),
    (
        ["actions", "--cutoff", "2025-07-01", "-o", "a.csv", "--model", "1", "--accept-data"],
        "actions",
        "actions",
        {"cutoff": "2025-07-01", "output": "a.csv", "model": "1", "accept_data": True},
    ),
    (["models", "list"], "list_models", "list_models", {}),
    (
        ["models", "promote", "3", "--force", "--reason", "better"],
        "models",
        "promote",
        {"version": "3", "force": True, "reason": "better"},
    ),
    (["models", "promote", "3"], "models", "promote", {"version": "3", "force": False, "reason": ""}),
    (["models", "compare", "1", "2"], "compare", "compare", {"first": "1", "second": "2", "cutoff": None}),
    (["models", "rollback"], "models", "rollback", {}),
    (["models", "verify", "2", "--as-of", "2025-01-01"], "verify", "verify", {"version": "2", "as_of": "2025-01-01"}),
]


class FakeResult:
    def __init__(self, exit_code: int | None = None, **values: Any) -> None:
        self.values = values or {"churners": 3}
        if exit_code is not None:
            self.exit_code = exit_code

    def text(self) -> str:
        return "all is well\n"

    def to_dict(self) -> dict[str, Any]:
        return self.values


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "staypower.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, Any]]]:
    """Put a stand-in where a pipeline is; it records its calls."""

    def install(module: str, function: str, result: Any = None) -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = []

        def run(settings: Any = None, **arguments: Any) -> Any:
            calls.append({"settings": settings, **arguments})
            if isinstance(result, BaseException):
                raise result
            return result or FakeResult()

        stand_in = types.ModuleType(f"staypower.pipelines.{module}")
        setattr(stand_in, function, run)
        monkeypatch.setitem(sys.modules, stand_in.__name__, stand_in)
        return calls

    return install


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), prog_name="staypower")


@pytest.mark.parametrize(("arguments", "module", "function", "expected"), COMMANDS, ids=lambda value: str(value)[:40])
def test_each_command_calls_its_one_pipeline(
    fake: Any, arguments: list[str], module: str, function: str, expected: dict[str, Any]
) -> None:
    calls = fake(module, function)
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    assert result.stdout == "all is well\n"
    assert len(calls) == 1
    assert calls[0].pop("settings").name == "acme"
    assert calls[0].pop("progress").quiet is False
    assert calls[0] == expected


@pytest.mark.parametrize(("arguments", "module", "function", "expected"), COMMANDS, ids=lambda value: str(value)[:40])
def test_every_command_takes_the_common_options(
    fake: Any, tmp_path: Path, arguments: list[str], module: str, function: str, expected: dict[str, Any]
) -> None:
    (tmp_path / "staypower.yaml").rename(tmp_path / "other.yaml")
    calls = fake(module, function)
    result = call(*arguments, "-c", "other.yaml", "--set", "label.horizon=60", "--set", "capacity=5", "--json", "--quiet")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"churners": 3}
    assert (calls[0]["settings"].label.horizon, calls[0]["settings"].capacity) == (60, 5)
    assert calls[0]["progress"].quiet is True


def test_demo_needs_no_config(fake: Any, config: Path) -> None:
    config.unlink()
    calls = fake("demo", "demo")
    assert call("demo", "--folder", "d", "--accounts", "500", "--seed", "3", "--json").exit_code == 0
    calls[0].pop("progress")
    assert calls == [{"settings": None, "folder": Path("d"), "accounts": 500, "seed": 3}]


def test_json_says_what_python_s_cannot(fake: Any) -> None:
    odd = FakeResult(
        nan=float("nan"), path=Path("a"), array=np.array([1.5, np.nan]), count=np.int64(3), some=(1,), flag=np.bool_(True)
    )
    fake("check", "check", odd)
    read = json.loads(call("check", "--json").stdout, parse_constant=lambda word: pytest.fail(word))
    assert read == {"nan": None, "path": "a", "array": [1.5, None], "count": 3, "some": [1], "flag": True}


def test_only_the_result_gets_to_standard_output(fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fake("check", "check")

    def noisy(settings: Any, **_: Any) -> FakeResult:
        print("a library says hello")
        return FakeResult()

    monkeypatch.setattr(sys.modules["staypower.pipelines.check"], "check", noisy)
    result = call("check", "--json")
    assert json.loads(result.stdout) == {"churners": 3}
    assert "a library says hello" in result.stderr


def test_a_check_that_finds_errors_exits_with_1(fake: Any) -> None:
    fake("check", "check", FakeResult(exit_code=1))
    result = call("check")
    assert (result.exit_code, result.stdout) == (1, "all is well\n")


def test_unusable_input_exits_with_2_and_no_traceback(fake: Any) -> None:
    fake("train", "train", UsageError([Problem("one class only", "label", "widen the horizon"), Problem("b", "c", "d")]))
    result = call("train")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == "error: one class only: label. Fix: widen the horizon.\nerror: b: c. Fix: d.\n"
    read = json.loads(call("train", "--json").stdout)
    assert read["problems"][0] == {"problem": "one class only", "value": "label", "fix": "widen the horizon"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", "-c", "nowhere.yaml"], "config file not found: nowhere.yaml"),
        (["train", "--set", "label.horizn=3"], "unknown key: `label.horizn` (--set). Fix: write `horizon`."),
        (["train", "--set", "horizon"], "not a setting: `--set horizon`"),
        (["train", "--unknown"], "--unknown"),
        (["trian"], "trian"),
        (["score", "--cutoff"], "--cutoff"),
        (["models", "promote"], "VERSION"),
        (["demo", "--accounts", "many"], "--accounts"),
        (["demo", "--accounts", "3"], "200"),
    ],
)
def test_every_misuse_exits_with_2(arguments: list[str], expected: str) -> None:
    result = call(*arguments)
    assert result.exit_code == 2
    assert expected in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_our_problem_exits_with_3_and_a_traceback(fake: Any) -> None:
    fake("train", "train", ZeroDivisionError("planted"))
    result = call("train")
    assert result.exit_code == 3
    assert "ZeroDivisionError: planted" in result.stderr
    assert "please report" in result.stderr


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.ENOENT, errno.EPERM, errno.EIO, errno.EMFILE]
)
def test_whatever_the_system_refuses_at_a_place_is_said_without_a_traceback(fake: Any, number: int) -> None:
    fake("score", "score", OSError(number, "no room", "/out/scores.parquet"))
    result = call("score")
    assert result.exit_code == 2
    assert "no room: /out/scores.parquet. Fix: " in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "no room"), OSError("no room"), MemoryError(), FileNotFoundError(errno.ENOENT, "no room")]
)
def test_a_refusal_without_a_place_is_no_bug_of_ours(fake: Any, error: Exception) -> None:
    fake("score", "score", error)
    result = call("score")
    assert (result.exit_code, "Traceback" in result.stderr) == (2, False)
    assert "Fix: " in result.stderr


def test_an_interrupt_during_a_query_is_an_interrupt(fake: Any) -> None:
    fake("score", "score", RuntimeError("Query interrupted"))
    assert call("score").exit_code == 130


@pytest.mark.parametrize(("arguments", "encoding"), [([], "ascii"), (["--json"], "ascii"), (["--json"], "utf-8")])
def test_letters_that_the_output_lacks_are_escaped(tmp_path: Path, arguments: list[str], encoding: str) -> None:
    (tmp_path / "staypower.yaml").write_text(CONFIG.replace("acct", "Künde"), encoding="utf-8")
    command = [sys.executable, "-m", "staypower.cli", "config", "show", *arguments]
    done = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONIOENCODING": encoding}, check=False)
    assert done.returncode == 0, done.stderr
    if arguments:
        source = json.loads(done.stdout.decode(encoding))["settings"]["tables"]["usage"]
        assert "Künde" in json.dumps(source, ensure_ascii=False)
    else:
        assert rb"K\xfcnde" in done.stdout


@pytest.mark.parametrize("where", ["full", "closed"])
def test_output_that_cannot_be_written_is_the_users(where: str) -> None:
    command = [sys.executable, "-m", "staypower.cli", "config", "show"]
    line = " ".join(command) + (" > /dev/full" if where == "full" else " >&-")
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "standard output" in done.stderr
    assert "Fix: " in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_an_interrupt_exits_with_130(fake: Any) -> None:
    fake("train", "train", KeyboardInterrupt())
    result = call("train")
    assert (result.exit_code, result.stderr) == (130, "stopped\n")


def test_config_show_text_is_a_config_again(tmp_path: Path) -> None:
    result = call("config", "show", "--set", "label.horizon=60")
    assert result.exit_code == 0
    assert "horizon: 60" in result.stdout
    assert "# --set" in result.stdout
    assert "# staypower.yaml, line 4" in result.stdout
    (tmp_path / "again.yaml").write_text(result.stdout)
    first = json.loads(call("config", "show", "--json", "--set", "label.horizon=60").stdout)
    second = json.loads(call("config", "show", "--json", "-c", "again.yaml").stdout)
    assert second["settings"] == first["settings"]
    assert first["origins"]["label.horizon"] == "--set"
    assert first["root"] == str(tmp_path)


def test_version() -> None:
    assert call("--version").stdout == f"staypower {staypower.__version__}\n"


@pytest.mark.parametrize(
    "code", ["from staypower.cli.commands import app; app(['--help'])", "import staypower; dir(staypower)"]
)
def test_nothing_heavy_is_loaded_for_help(code: str) -> None:
    script = f"""
import sys
try:
    {code.replace("; ", chr(10) + "    ")}
except SystemExit as stop:
    assert not stop.code
print(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stderr.strip() == ""


@pytest.mark.parametrize(("given", "holds"), [({}, "passive"), ({"OMP_WAIT_POLICY": "active"}, "active")])
def test_threads_that_wait_sleep_unless_asked_otherwise_before_any_library_looks(given: dict[str, str], holds: str) -> None:
    script = """
import os, sys
from staypower.cli.commands import main
sys.argv = ["staypower", "--version"]
try:
    main()
except SystemExit:
    print(os.environ["OMP_WAIT_POLICY"], *[name for name in ("numpy", "lightgbm", "sklearn") if name in sys.modules])
"""
    plain = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=plain | given)
    assert ended.stdout.splitlines()[-1] == holds


def test_score_loads_neither_mlflow_nor_shap_nor_matplotlib_nor_what_trains() -> None:
    script = """
import sys
import staypower.config, staypower.pipelines.score
print(*[name for name in ("mlflow", "shap", "matplotlib", "lightgbm", "sklearn") if name in sys.modules])
"""
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == ""


def test_public_names_are_listed_and_unknown_ones_refused() -> None:
    assert {"load_config", "check", "score", "simulate", "ChurnClassifier", "metrics", "features"} <= set(dir(staypower))
    with pytest.raises(AttributeError, match="nothing_such"):
        staypower.nothing_such  # noqa: B018
    from staypower.config.loading import load_config

    assert staypower.load_config is load_config


@pytest.mark.parametrize("name", [name for name in staypower.__all__ if name != "__version__"])
def test_every_public_name_resolves(name: str) -> None:
    assert callable(getattr(staypower, name)) or isinstance(getattr(staypower, name), types.ModuleType)


def test_the_reader_of_a_pipe_may_leave(tmp_path: Path) -> None:
    command = f"{sys.executable} -m staypower.cli config show | true"
    ended = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ended.stderr == ""
