"""Pages of accounts: as many in the report as keep it quick to open, all others in a folder beside it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
from markupsafe import Markup

from staypower.cutoffs import text_of
from staypower.reporting.charts import MARKS, draw_timeline, draw_waterfall
from staypower.reporting.contents import AccountPage, AccountTimeline
from staypower.reporting.templates import embedded, environment, file_stem, policy_of, read_files
from staypower.reporting.watch_list import EACH, PageLinks, lay_out
from staypower.results.numbers import count, plural
from staypower.writing import write_atomically

__all__ = ["PageFolder", "draw_accounts", "fitting"]

MOST_BYTES = 5_000_000  # of account pages in the report itself
_OF_INDEX = ("account_id", "name", "owner", "churn_probability", "renewal")
_FILE = re.compile(r"[0-9]{5}\.html")


def draw_accounts(pages: Iterable[AccountPage], *, first: int = 1, back: str = "#watch") -> Iterator[Markup]:
    """Write the page of each account, numbered from `first`."""
    account = environment().get_template("parts.html.j2").module.account  # type: ignore[attr-defined]
    for number, page in enumerate(pages, first):
        yield account(_drawn(page), number, back, MARKS)


def fitting(articles: Iterable[Markup], most: int = MOST_BYTES) -> list[Markup]:
    """Take pages until they are too many for one file that opens at once.

    >>> len(fitting([Markup("abc")] * 5, most=7))
    2
    """
    kept, size = [], 0
    for article in articles:
        size += len(article.encode())
        if size > most:
            break
        kept.append(article)
    return kept


@dataclass(frozen=True)
class PageFolder:
    """A folder of files with the pages of accounts, and an index that finds them.

    >>> made = PageFolder(Path("out/report-accounts"), Path("out/report.html"), "acme", "2025-07-01")
    >>> made.address, made.home, made.file_of(101).name
    ('report-accounts', '../report.html', '00002.html')
    """

    folder: Path
    report: Path  # the file that links to it
    name: str  # of the company or question
    cutoff: str
    version: str = ""  # of the program that made it

    @property
    def address(self) -> str:
        """The folder as seen from the report."""
        return quote(Path(os.path.relpath(self.folder, self.report.parent)).as_posix())

    @property
    def home(self) -> str:
        """The report as seen from the folder."""
        return quote(Path(os.path.relpath(self.report, self.folder)).as_posix())

    def file_of(self, number: int) -> Path:
        """Return the file that holds the page of an account, by its number in the list."""
        return self.folder / f"{-(-number // EACH):05d}.html"

    def write(self, pages: Iterable[AccountPage], first: int) -> int:
        """Write the pages of accounts from a number on, file by file; return how many there are."""
        waiting: list[AccountPage] = []
        number = first
        for page in pages:
            waiting.append(page)
            if (number + len(waiting) - 1) % EACH == 0:
                self._write_file(waiting, number)
                number, waiting = number + len(waiting), []
        if waiting:
            self._write_file(waiting, number)
        return number + len(waiting) - first

    def _write_file(self, pages: Sequence[AccountPage], first: int) -> None:
        articles = draw_accounts(pages, first=first, back=f"{self.home}#watch")
        self._save(self.file_of(first), title=f"{self.name}: accounts", watch=None, words="", articles=articles, data={})

    def write_index(self, ranked: pd.DataFrame, here: int, last: int) -> None:
        """Write the index of all accounts, of which the first have their page in the report; take away older files."""
        links = PageLinks(here, folder=".", home=self.home)
        watch = lay_out(ranked[[name for name in _OF_INDEX if name in ranked]], links)
        words = f"{plural(len(ranked), 'scored account')}, in the order of the report's list."
        data = watch.data(links)
        self._save(self.folder / "index.html", title=self.name, watch=watch, words=words, articles=(), data=data)
        for file in self.folder.iterdir():
            if _FILE.fullmatch(file.name) and file.name > self.file_of(max(last, 1)).name:
                file.unlink()

    def _save(self, path: Path, **content: Any) -> None:
        style, script = read_files()
        page = (
            environment()
            .get_template("accounts.html.j2")
            .render(
                **{**content, "data": embedded(content["data"])},
                policy=policy_of(style, script),
                style=style,
                script=script,
                home=self.home,
                cutoff=self.cutoff,
                marks=MARKS,
                version=self.version,
                file_name=file_stem(self.name, self.cutoff),
            )
        )
        write_atomically(path, lambda place: place.write_bytes(page.encode()))


def _drawn(page: AccountPage) -> dict[str, Any]:
    """Draw what a page shows."""
    timeline = page.timeline
    return {
        "account": page.account,
        "name": page.name,
        "facts": page.facts,
        "reasons": page.reasons,
        "changes": page.changes,
        "change_words": page.change_words,
        "action": page.action,
        "no_action": page.no_action,
        "timeline": draw_timeline(timeline) if timeline and timeline.lanes else None,
        "events": _events(timeline) if timeline else [],
        "waterfall": draw_waterfall(page.waterfall, base=page.base, raw=page.raw),
    }


def _events(timeline: AccountTimeline) -> list[tuple[str, str, str]]:
    found = [(mark.at, lane.name, mark.words) for lane in timeline.lanes for mark in lane.marks]
    dated = [(text_of(at)[:16].replace("T", " "), name, words) for at, name, words in sorted(found, reverse=True)]
    counted = [("in total", lane.name, count(sum(lane.counts))) for lane in timeline.lanes if lane.counts]
    return [*dated, *counted]
