"""One term for one thing: words that the glossary replaces stand in no message, docstring or comment, nor in the README."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "docs" / "glossary.md"
PAGES = [ROOT / "README.md"]
ROOMS = sorted(path.name for path in (ROOT / "src" / "staypower").iterdir() if path.suffix in ("", ".py"))


def replaced_words() -> dict[str, str]:
    """Return every word that is not used, with the term that is."""
    rows = [line.strip("|").split("|") for line in GLOSSARY.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return {word.strip(): term.strip() for term, _, words in rows[1:] for word in words.split(",") if word.strip()}


def texts_of(module: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of every string and comment."""
    for token in tokenize.generate_tokens(io.StringIO(module.read_text(encoding="utf-8")).readline):
        if token.type in (tokenize.STRING, tokenize.COMMENT):
            yield token.start[0], token.string


def found_in(text: str, words: dict[str, str]) -> list[str]:
    """Name the replaced words that stand in a text, each with its term."""
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, words))})\b", re.IGNORECASE)
    return [f"{word}: say {words[word.lower()]}" for word in pattern.findall(text)]


def test_the_check_finds_a_replaced_word() -> None:
    assert found_in("How to mend it", replaced_words()) == ["mend: say fix"]
    assert not found_in("recommended", replaced_words())


@pytest.mark.parametrize(
    "room", sorted(path.name for path in (ROOT / "src" / "staypower").iterdir() if path.suffix in ("", ".py"))
)
def test_the_package_says_one_term(room: str) -> None:
    place = ROOT / "src" / "staypower" / room
    words = replaced_words()
    modules = [place] if place.suffix else sorted(place.rglob("*.py"))
    found = [
        f"{module.relative_to(ROOT)}:{line} {said}"
        for module in modules
        for line, text in texts_of(module)
        for said in found_in(text, words)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_pages_say_one_term(page: Path) -> None:
    words = replaced_words()
    lines = page.read_text(encoding="utf-8").splitlines()
    found = [f"{page.name}:{number} {said}" for number, line in enumerate(lines, start=1) for said in found_in(line, words)]
    assert not found, "\n".join(found)
