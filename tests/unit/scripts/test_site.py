"""The site holds together without its generator: every page is in the navigation, and no link or heading is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
from write_pictures import draw_time

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
PAGES = {path.relative_to(DOCS).with_suffix("").as_posix(): path for path in sorted(DOCS.rglob("*.md"))}
READ = [*PAGES.values(), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
_NAVIGATION = re.compile(r"^```\{toctree\}\n(.*?)^```", re.DOTALL | re.MULTILINE)
_FENCE = re.compile(r"^( *)(`{3,}).*?^\1\2", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def listed_on(page: str) -> Iterator[str]:
    """Yield the pages that a page lists below itself."""
    folder = Path(page).parent
    for block in _NAVIGATION.findall(PAGES[page].read_text(encoding="utf-8")):
        for line in block.splitlines():
            if line and not line.startswith(":"):
                wanted = (folder / (re.findall(r"<(.*)>", line) or [line])[0]).as_posix()
                yield from [name for name in PAGES if fnmatch(name, wanted)] or [wanted]


def headings_of(page: Path) -> list[str]:
    """Name the headings of a page as links to them do."""
    titles = re.findall(r"^#+ (.*)$", _FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles]


def dead_links(page: Path, text: str) -> Iterator[str]:
    """Yield what a page links to and what is not there."""
    for link in _LINK.findall(_FENCE.sub("", text)):
        if re.match(r"https?:|mailto:", link):
            continue
        place, _, heading = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        if not target.exists() or (heading and heading not in headings_of(target)):
            yield link


def test_every_page_is_in_the_navigation_once() -> None:
    listed = [name for page in PAGES for name in listed_on(page)]
    assert sorted(listed) == sorted(name for name in PAGES if name != "index"), (
        "list it in a toctree, for example in docs/index.md"
    )


@pytest.mark.parametrize("page", READ, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    assert list(dead_links(page, page.read_text(encoding="utf-8"))) == []


def test_a_dead_link_is_noticed() -> None:
    page = DOCS / "index.md"
    text = "[a](nowhere.md) [b](inputs.md#nowhere) [c](inputs.md) [d](../README.md#try-it)\n```text\n[e](gone.md)\n```\n"
    assert list(dead_links(page, text)) == ["nowhere.md", "inputs.md#nowhere"]


def test_every_page_that_the_package_names_is_there() -> None:
    named = {
        name
        for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "src").rglob("*.yaml"), *(ROOT / "configs").glob("*.yaml")]
        for name in re.findall(r"docs/([\w/-]+)\.md", path.read_text(encoding="utf-8"))
    }
    assert len(named) > 3
    assert named <= set(PAGES)


def test_nothing_on_a_page_is_loaded_from_elsewhere() -> None:
    """Pictures, styles and scripts stand in the folder of the pages."""
    loaded = re.compile(r"!\[[^\]]*\]\(https?:|<(?:img|script|link|iframe)[^>]+https?:")
    files = [*READ, *(DOCS / "_static").iterdir(), *(DOCS / "pictures").glob("*.svg")]
    assert [path.name for path in files if loaded.search(path.read_text(encoding="utf-8"))] == []


def test_every_decision_has_a_number_of_its_own() -> None:
    records = sorted(DOCS.glob("decisions/0*.md"))
    numbers = [int(path.name[:4]) for path in records]
    assert len(set(numbers)) == len(numbers), "two decisions of one number"
    wrong = [path.name for path, number in zip(records, numbers, strict=True) if f"# {number}. " not in path.read_text()[:20]]
    assert wrong == [], "the heading begins with the number"


def test_the_drawing_of_the_time_line_is_current() -> None:
    assert (DOCS / "pictures" / "time.svg").read_text(encoding="utf-8") == draw_time(), "run `python scripts/write_pictures.py`"


def test_pictures_are_small_and_shown() -> None:
    shown = " ".join(page.read_text(encoding="utf-8") for page in READ)
    for picture in (DOCS / "pictures").iterdir():
        assert picture.stat().st_size < 150_000
        assert f"pictures/{picture.name})" in shown
