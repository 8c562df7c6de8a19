"""Pages of accounts in the report and in the folder beside it: every link leads to its account, and nothing old stays."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest
from report_contents import HOSTILE, account_page, made_report, watch_list

from staypower.reporting.page_files import MOST_BYTES, PageFolder, draw_accounts, fitting
from staypower.reporting.rendering import render_report
from staypower.reporting.watch_list import PageLinks, lay_out


@pytest.fixture
def folder(tmp_path: Path) -> PageFolder:
    return PageFolder(tmp_path / "all pages", tmp_path / "report.html", f"acme {HOSTILE}", "2025-07-01", "1")


def test_every_link_leads_to_the_page_of_its_account(folder: PageFolder) -> None:
    watch = watch_list(250)
    accounts = watch["account_id"].tolist()
    here = 3
    assert folder.write((account_page(account) for account in accounts[here:]), here + 1) == 247
    links = PageLinks(here, folder.address, "")
    files = {path.name: path.read_text(encoding="utf-8") for path in folder.folder.glob("*.html")}
    assert sorted(files) == ["00001.html", "00002.html", "00003.html"]
    for number, account in enumerate(accounts[here:], here + 1):
        name, _, place = links.of(number).removeprefix("all%20pages/").partition("#")
        heading = re.search(rf'id="{place}-title" tabindex="-1">(.*?)</h2>', files[name], re.S)
        assert heading
        assert heading[1].startswith(account[:1] if account != HOSTILE else "&lt;script")
        assert account == HOSTILE or account in heading[1]
    assert lay_out(watch, links).first[here][0].link == "all%20pages/00001.html#account-4"
    assert lay_out(watch, links).first[0][0].link == "#account-1"
    assert 'href="../report.html#watch"' in files["00002.html"]


def test_the_index_lists_everybody_and_older_files_go(folder: PageFolder) -> None:
    folder.write((account_page("x") for _ in range(450)), 1)
    kept = folder.folder / "notes.html"
    kept.write_text("mine")
    watch = watch_list(150)
    written = folder.write((account_page(account) for account in watch["account_id"][2:]), 3)
    folder.write_index(watch, 2, written + 2)
    assert sorted(path.name for path in folder.folder.iterdir()) == ["00001.html", "00002.html", "index.html", "notes.html"]
    page = (folder.folder / "index.html").read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert found
    data = json.loads(found[1])
    assert len(data["rows"]) == 150
    assert (data["pages"], data["home"], data["folder"]) == (2, "../report.html", ".")
    assert HOSTILE not in page
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", page)


def test_the_report_stays_quick_to_open_however_many_accounts_there_are() -> None:
    endless = (account_page(f"A{number}") for number in itertools.count())
    articles = fitting(draw_accounts(endless))
    assert len(articles) > 300
    assert sum(len(each) for each in articles) <= MOST_BYTES
    page = render_report(made_report(10_000), articles, folder="pages")
    assert len(page.encode()) < 10_000_000
    assert "10,000 scored accounts in all. Each has a page of its own." in page
