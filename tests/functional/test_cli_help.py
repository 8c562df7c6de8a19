"""What the command line says of itself: examples that parse, completion, the module, and lines for machines."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from staypower.cli.commands import app


def commands(name: str, command: Any) -> dict[str, Any]:
    if not hasattr(command, "commands"):
        return {name: command}
    return {key: inner for word, each in command.commands.items() for key, inner in commands(f"{name} {word}", each).items()}


COMMANDS = commands("staypower", get_command(app))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_examples_that_parse(name: str) -> None:
    shown = CliRunner().invoke(app, [*name.split()[1:], "-h"], env={"COLUMNS": "80"}).stdout
    assert max(map(len, shown.splitlines())) <= 80
    examples = [line.strip() for line in shown.partition("Examples:")[2].splitlines() if line.strip()]
    assert examples
    for example in examples:
        words = shlex.split(example.partition(" > ")[0])
        assert " ".join(words[: len(name.split())]) == name
        COMMANDS[name].make_context(name, words[len(name.split()) :])


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "staypower", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **variables}, check=False)


def test_the_package_is_the_command_line() -> None:
    shown = run("--version")
    assert (shown.returncode, shown.stdout.split()[0]) == (0, "staypower")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_that_help_describes_is_there(shell: str) -> None:
    assert f"_STAYPOWER_COMPLETE=source_{shell} staypower" in CliRunner().invoke(app, ["-h"]).stdout
    assert "complete_" + shell in run(_STAYPOWER_COMPLETE=f"source_{shell}").stdout


def test_commands_are_completed() -> None:
    found = run(_STAYPOWER_COMPLETE="complete_bash", COMP_WORDS="staypower por", COMP_CWORD="1")
    assert found.stdout.split() == ["portfolio"]


def test_progress_and_errors_can_be_read_by_machines(tmp_path: Path) -> None:
    refused = CliRunner().invoke(app, ["check", "-c", str(tmp_path / "none.yaml"), "--log-format", "json"])
    assert refused.exit_code == 2
    line = json.loads(refused.stderr)
    assert (line["level"], line["problem"]) == ("error", "config file not found")
    (tmp_path / "orders.csv").write_text(
        "customer,ordered,total\n" + "".join(f"c{n % 7},2024-01-1{n % 9},{n}\n" for n in range(60))
    )
    output = str(tmp_path / "staypower.yaml")
    made = CliRunner().invoke(app, ["init", str(tmp_path), "-o", output, "--json", "--log-format", "json"])
    assert made.exit_code == 0, made.output
    assert {json.loads(line)["event"] for line in made.stderr.splitlines()} == {"begin", "end"}
    assert json.loads(made.stdout)["path"] == output
    assert Path(output).read_text().startswith("# yaml-language-server: $schema=file://")
