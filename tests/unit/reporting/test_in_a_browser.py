"""The report in a real browser: it loads offline without complaints, sorts, searches, opens accounts, stays whole."""

from __future__ import annotations

import base64
import csv
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import browser
import pytest
from python_calamine import CalamineWorkbook
from report_contents import HOSTILE, account_page, made_report
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from staypower.reporting.page_files import PageFolder
from staypower.reporting.rendering import render_report

PHONE = {"width": 375, "height": 800, "deviceScaleFactor": 1, "mobile": True}

pytestmark = pytest.mark.skipif(not browser.available(), reason=browser.WHY_NOT)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render_report(made_report()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    with browser.open_browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def driver(shared, page):
    shared.get("about:blank")
    shared.get(page.as_uri())
    return shared


def accounts(driver) -> list[str]:
    return [each.text for each in driver.find_elements(By.CSS_SELECTOR, "#watch-table tbody th")]


def press(driver, label: str) -> None:
    next(each for each in driver.find_elements(By.CSS_SELECTOR, "#watch-table thead button") if each.text == label).click()


def test_it_loads_without_complaints_and_without_a_network(driver, page):
    loud = [entry for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    assert loud == []
    sent = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    requests = [message["params"] for message in sent if message["method"] == "Network.requestWillBeSent"]
    asked = {each["request"]["url"] for each in requests if each["documentURL"] == page.as_uri()}
    assert all(url.startswith(("file:", "data:")) for url in asked), asked
    assert page.as_uri() in asked


def test_nothing_from_the_data_runs_or_breaks_out(driver):
    assert driver.execute_script("return window.broken") is None
    assert len(driver.find_elements(By.TAG_NAME, "script")) == 2
    assert HOSTILE in driver.find_element(By.TAG_NAME, "h1").text
    assert HOSTILE in accounts(driver)


def test_the_list_sorts_by_number_and_says_so(driver):
    assert accounts(driver)[0] == "A00000"
    press(driver, "Risk")
    press(driver, "Risk")
    assert accounts(driver)[0] == "A00299"
    heads = driver.find_elements(By.CSS_SELECTOR, "#watch-table thead th")
    assert [head.get_attribute("aria-sort") for head in heads if head.text == "Risk"] == ["ascending"]
    press(driver, "MRR")
    place = [head.text for head in heads].index("MRR") + 1
    shown = [each.text for each in driver.find_elements(By.CSS_SELECTOR, f"#watch-table tbody td:nth-child({place})")]
    values = [int(text.replace(",", "")) for text in shown]
    assert values == sorted(values, reverse=True)


def test_the_list_is_searched_and_filtered(driver):
    search = driver.find_element(By.ID, "search")
    search.send_keys("a00042")
    assert accounts(driver) == ["A00042"]
    assert driver.find_element(By.ID, "found").text == "1 of 300 accounts"
    search.clear()
    search.send_keys("EXPORT IN 7 DAYS")
    assert accounts(driver) == ["A00007"]
    search.clear()
    search.send_keys(Keys.SPACE)
    driver.find_element(By.CSS_SELECTOR, "button.pick[data-quadrant=captive]").click()
    assert driver.find_element(By.ID, "found").text == "60 of 300 accounts"
    assert len(accounts(driver)) == 25
    driver.find_element(By.ID, "more").click()
    assert len(accounts(driver)) == 50


def test_what_is_shown_is_saved_as_a_table_that_runs_nothing(driver):
    Select(driver.find_element(By.CSS_SELECTOR, "select[data-filter=to_do]")).select_by_visible_text("act")
    shown = driver.find_element(By.ID, "found").text
    link = driver.find_element(By.ID, "save")
    text = driver.execute_async_script(
        """
        const [link, done] = arguments;
        URL.createObjectURL = (blob) => { blob.text().then(done); return "blob:kept"; };
        link.addEventListener("click", (event) => event.preventDefault());
        link.click();
        """,
        link,
    )
    assert link.get_attribute("download") == "acme-script-window-broken-1-script-script-2025-07-01.csv"
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    assert rows[0][:3] == ["Account", "To do", "By"]
    assert shown == f"{len(rows) - 1} of 300 accounts"
    assert {row[1] for row in rows[1:]} == {"act"}
    assert [row[2] for row in rows[1:3]] == ["'=SUM(A1)", "ben"], "a spreadsheet would run what begins as a formula"


def test_what_is_shown_is_saved_as_a_workbook(driver, tmp_path):
    driver.find_element(By.ID, "search").send_keys("a0000")
    link = driver.find_element(By.ID, "save-workbook")
    text = driver.execute_async_script(
        """
        const [link, done] = arguments;
        URL.createObjectURL = (blob) => {
          const reader = new FileReader();
          reader.onload = () => done(reader.result.split(",")[1]);
          reader.readAsDataURL(blob);
          return "blob:kept";
        };
        link.addEventListener("click", (event) => event.preventDefault());
        link.click();
        """,
        link,
    )
    path = tmp_path / "list.xlsx"
    path.write_bytes(base64.b64decode(text))
    with zipfile.ZipFile(path) as book:
        assert book.testzip() is None
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    head, *rows = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
    assert head[:4] == ["Account", "To do", "By", "Risk"]
    assert [row[0] for row in rows] == [f"A0000{number}" for number in (0, *range(2, 10))]
    assert rows[0][head.index("By")] == "=SUM(A1)"
    assert rows[0][head.index("Value at risk")] == 120_000
    assert '<c s="1"><v>0.9</v></c>' in sheet, "a share is written in the format of shares"
    assert "<f>" not in sheet


def test_an_account_opens_by_keyboard_and_closes_again(driver):
    driver.find_element(By.LINK_TEXT, "A00000").send_keys(Keys.ENTER)
    opened = driver.find_element(By.ID, "account-1")
    wait = WebDriverWait(driver, 10)
    wait.until(lambda _: opened.is_displayed())
    assert not driver.find_element(By.ID, "overview").is_displayed()
    assert driver.switch_to.active_element.text == "A00000"
    assert "No export in 41 days" in opened.text
    assert (
        opened.find_element(By.CSS_SELECTOR, "svg.timeline").get_attribute("aria-label").startswith("Timeline. usage: 1 in the")
    )
    driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    wait.until(lambda _: driver.find_element(By.ID, "overview").is_displayed())
    assert not opened.is_displayed()


def test_the_list_stays_within_its_panel(driver):
    driver.set_window_size(1240, 900)
    table, panel = (driver.find_element(By.CSS_SELECTOR, place).rect for place in ("#watch-table", "#watch"))
    assert table["x"] + table["width"] <= panel["x"] + panel["width"]


def test_every_control_has_a_name_and_headings_do_not_jump(driver):
    unnamed = driver.execute_script(
        "return [...document.querySelectorAll('button, input, select, a, svg')].filter((e) => !(e.ariaHidden || "
        "e.textContent.trim() || e.getAttribute('aria-label') || e.closest('label'))).map((e) => e.outerHTML)"
    )
    assert unnamed == []
    levels = driver.execute_script("return [...document.querySelectorAll('h1, h2, h3, h4')].map((e) => Number(e.tagName[1]))")
    assert levels[0] == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))


def test_it_fits_a_phone(page, tmp_path):
    with browser.open_browser(tmp_path, width=500) as driver:
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
        driver.get(page.as_uri())
        assert driver.execute_script("return document.documentElement.scrollWidth") <= 375
        assert driver.find_element(By.CSS_SELECTOR, "#watch-table tbody td").value_of_css_property("display") == "block"
        # rows are cards, and still sort
        press(driver, "Risk")
        press(driver, "Risk")
        assert accounts(driver)[0] == "A00299"
        # words of drawings are at least 8 pixels high, and caption and drawing use the width there is
        small = driver.execute_script(
            "return [...document.querySelectorAll('#portfolio svg text, #quality svg text')]"
            ".map((e) => parseFloat(getComputedStyle(e).fontSize) * e.ownerSVGElement.getScreenCTM().a)"
            ".filter((size) => size < 8)"
        )
        assert small == []
        assert driver.execute_script("return document.querySelector('#watch-table caption').offsetWidth") > 250


def test_it_fits_a_printed_page(page, tmp_path):
    with browser.open_browser(tmp_path) as driver:
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**PHONE, "width": 760, "mobile": False})
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        driver.get(page.as_uri())
        assert driver.execute_script("return document.documentElement.scrollWidth") <= 760
        assert driver.find_element(By.CSS_SELECTOR, "#watch-table tbody td").value_of_css_property("display") == "table-cell"
        assert not driver.find_element(By.ID, "tools").is_displayed()
        driver.get(f"{page.as_uri()}#account-1")
        # what happened is printed without being opened
        seen = "return document.querySelector('#account-1 details table').checkVisibility()"
        assert driver.execute_script(seen)
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "screen"})
        assert not driver.execute_script(seen)


def test_an_account_in_the_folder_is_found_and_leads_back(tmp_path, shared):
    report, accounts_there = tmp_path / "report.html", [f"A{number:05d}" for number in range(130)]
    folder = PageFolder(tmp_path / "pages", report, "acme", "2025-07-01")
    made = replace(made_report(130), accounts=())
    folder.write(map(account_page, accounts_there), 1)
    folder.write_index(made.watch, 0, 130)
    report.write_text(render_report(made, folder=folder.address), encoding="utf-8")
    shared.get(report.as_uri())
    shared.find_element(By.ID, "search").send_keys("a00117")
    shared.find_element(By.LINK_TEXT, "A00117").click()
    wait = WebDriverWait(shared, 10)
    wait.until(lambda driver: driver.current_url.endswith("pages/00002.html#account-118"))
    shown = [each.text for each in shared.find_elements(By.CSS_SELECTOR, "article h2") if each.is_displayed()]
    assert shown == ["A00117"]
    shared.find_element(By.LINK_TEXT, "Back to the watch list").click()
    wait.until(lambda driver: driver.current_url == f"{report.as_uri()}#watch")
    shared.get((tmp_path / "pages" / "index.html").as_uri())
    shared.find_element(By.ID, "search").send_keys("a00003")
    shared.find_element(By.LINK_TEXT, "A00003").click()
    wait.until(lambda driver: driver.current_url.endswith("pages/00001.html#account-4"))
    assert [entry for entry in shared.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []


def test_without_scripts_the_first_accounts_and_every_page_can_be_read(page, tmp_path):
    with browser.open_browser(tmp_path) as driver:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        driver.get(page.as_uri())
        assert len(accounts(driver)) == 25
        assert driver.find_element(By.ID, "account-2").is_displayed()


def test_ten_thousand_accounts_stay_well_under_five_megabytes():
    assert len(render_report(made_report(10_000)).encode()) < 3_000_000
