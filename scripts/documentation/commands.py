"""The generated part of `docs/command-line.md`: every command with its options, from what `--help` shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from typer.main import get_command

from staypower.cli.commands import app

__all__ = ["document_commands"]

_OF_ALL = {"--config", "--set", "--json", "--quiet", "--log-format"}


def document_commands() -> str:
    """Write every command in Markdown, without the options that all take; options of several commands are explained once."""
    commands = dict(_commands("staypower", get_command(app)))
    taken = Counter(option for command in commands.values() for option in _options(command))
    shared = [option for option, times in taken.items() if times > 2]
    rows = [
        f"| `{name}` | {' '.join(command.help.split())} | {'<br>'.join(_cells(command, shared))} |"
        for name, command in commands.items()
    ]
    head = "| command | does | options |\n|---|---|---|\n"
    often = "\n\n| option of several commands | meaning |\n|---|---|\n"
    return head + "\n".join(rows) + often + "\n".join(f"| {words} | {meaning} |" for words, meaning in shared)


def _cells(command: Any, shared: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Yield the options of one command with their meaning, then the names of those it shares with others."""
    yield from (" ".join(option) for option in _options(command) if option not in shared)
    if names := ", ".join(option[0] for option in _options(command) if option in shared):
        yield names


def _commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield name, command
        return
    for word, inner in command.commands.items():
        yield from _commands(f"{name} {word}", inner)


def _options(command: Any) -> Iterator[tuple[str, str]]:
    """Yield each option that not all commands take, with its help."""
    for option in command.params:
        if not _OF_ALL & set(option.opts):
            words = ", ".join((*option.opts, *option.secondary_opts))
            yield f"`{words if words.startswith('-') else option.metavar}`".replace("|", "\\|"), option.help.replace("|", "\\|")
