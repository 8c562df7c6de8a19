"""Commands on pages are commands that there are, with options that they take."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from staypower.cli.commands import app

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_CODE = re.compile(r"^```(?:sh|console)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def commands_of(text: str) -> Iterator[list[str]]:
    """Yield the words of each call of staypower in the shell examples of a page."""
    for block in _CODE.findall(text):
        for line in block.splitlines():
            for part in re.split(r"&&|\|\||;", line.removeprefix("$ ")):
                if part.strip().startswith("staypower "):
                    yield shlex.split(part.replace("'", '"'), comments=True)[1:]


def wrong_in(words: list[str]) -> list[str]:
    """Name what a call gives that its command does not take."""
    command: Any = get_command(app)
    while hasattr(command, "commands"):
        if words[:1] == [] or words[0] not in command.commands:
            return words[:1] or ["no command"]
        command, words = command.commands[words[0]], words[1:]
    taken = {word for option in command.params for word in (*option.opts, *option.secondary_opts)}
    return [word for word in words if word.startswith("-") and word not in {*taken, "-h", "--help"}]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_commands_of_a_page_can_be_run(page: Path) -> None:
    found = {" ".join(words): wrong_in(words) for words in commands_of(page.read_text(encoding="utf-8"))}
    assert {call: wrong for call, wrong in found.items() if wrong} == {}


def test_a_wrong_call_is_noticed() -> None:
    text = "```sh\nstaypower score -c a.yaml --accounts 7  # one\nstaypower guess && staypower check --all\n```\n"
    assert [wrong_in(words) for words in commands_of(text)] == [["--accounts"], ["guess"], []]
