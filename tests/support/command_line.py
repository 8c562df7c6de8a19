"""Run a command in this process and return what a shell would see."""

from __future__ import annotations

from typer.testing import CliRunner

from staypower.cli.commands import app


def run(*arguments: str) -> tuple[int, str, str]:
    """Return the exit code, standard output and standard error of `staypower ...`."""
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.stdout, done.stderr
