"""The generated part of `docs/command-line.md`: every command with its options, from what `--help` shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from staypower.cli.commands import app

__all__ = ["document_commands"]

_OF_ALL = {"--config", "--set", "--json", "--quiet", "--log-format"}


def document_commands() -> str:
    """Write every command in Markdown, without the options that all take."""
    rows = [
        f"| `{name}` | {' '.join(command.help.split())} | {'<br>'.join(_options(command))} |"
        for name, command in _commands("staypower", get_command(app))
    ]
    return "| command | does | options |\n|---|---|---|\n" + "\n".join(rows)


def _commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield name, command
        return
    for word, inner in command.commands.items():
        yield from _commands(f"{name} {word}", inner)


def _options(command: Any) -> Iterator[str]:
    for option in command.params:
        if not _OF_ALL & set(option.opts):
            words = ", ".join((*option.opts, *option.secondary_opts))
            yield f"`{words if words.startswith('-') else option.metavar}` {option.help}".replace("|", "\\|")
