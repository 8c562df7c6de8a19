"""The base of every result: its words and pictures are found where it says, and every one says a place that exists."""

from __future__ import annotations

import importlib
import pkgutil
import sys
import types
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
import pytest

import staypower
from staypower.errors import UsageError
from staypower.results.pictures import Picture
from staypower.results.result import Head, Heading, Items, Result, TableBlock, Verbatim, as_html, as_text


@dataclass(frozen=True)
class Small(Result):
    lines: tuple[str, ...]

    def blocks(self) -> list[str]:
        return list(self.lines)


@dataclass(frozen=True)
class Large(Result, shown_by="words_of_large", drawn_by="pictures_of_large"):
    name: str


@pytest.fixture
def rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    words, pictures = types.ModuleType("words_of_large"), types.ModuleType("pictures_of_large")
    words.blocks = lambda result: [Heading(result.name)]  # type: ignore[attr-defined]
    pictures.pictures = lambda result: {"roc": lambda: Picture(figsize=(1, 1)), "profit": lambda: None}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "words_of_large", words)
    monkeypatch.setitem(sys.modules, "pictures_of_large", pictures)


def test_a_small_result_says_its_own_blocks() -> None:
    assert Small(("one", "two")).text() == "one\n\ntwo"
    assert str(Small(("one",))) == "one"
    assert Small(("a < b",))._repr_html_() == "<p>a &lt; b</p>"


@pytest.mark.usefixtures("rooms")
def test_words_and_pictures_come_from_the_modules_that_a_result_names() -> None:
    large = Large("verdict")
    assert large.text() == "verdict"
    assert isinstance(large.plot(), Picture)
    with pytest.raises(UsageError, match="roc"):
        large.plot("rok")


def test_a_result_without_pictures_says_so() -> None:
    with pytest.raises(UsageError):
        Small(()).plot()


def test_paragraphs_and_cells_fold_at_words_and_nothing_is_cut() -> None:
    words = "the quick brown fox jumps over the lazy dog " * 4
    told = as_text([words, TableBlock(["account", Head("why", "left")], [["a", words]]), Items([words])], 40)
    assert max(map(len, told.splitlines())) <= 40
    assert told.split().count("quick") == 12
    assert "quick brown" in told


def test_what_is_verbatim_is_never_folded() -> None:
    assert as_text([Verbatim(["x" * 120])], 40) == "x" * 120


def test_brackets_are_no_markup() -> None:
    assert as_text(["[bold] is a word"]) == "[bold] is a word"
    assert "[/]" in as_text([TableBlock(["a"], [["[/]"]])])


def test_colour_is_left_out_where_nobody_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in as_text([Heading("verdict")], colour=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in as_text([Heading("verdict")], colour=True)


def test_html_aligns_and_escapes() -> None:
    made = as_html([TableBlock(["<a>", "n"], [["x", "1"]], title="t & u")])
    assert "&lt;a&gt;" in made
    assert "t &amp; u" in made
    assert 'text-align: right">1' in made


def test_every_result_names_modules_that_can_show_it() -> None:
    for module in pkgutil.walk_packages(staypower.__path__, "staypower."):
        if "spark" not in module.name and not module.name.endswith(("__main__", "model_code")):
            importlib.import_module(module.name)
    for result in _all(Result):
        if result.__module__.startswith("staypower."):
            if result._shown_by:
                assert callable(importlib.import_module(result._shown_by).blocks), result
            if result._drawn_by:
                assert callable(importlib.import_module(result._drawn_by).pictures), result


def _all(kind: type[Result]) -> list[type[Result]]:
    return [each for child in kind.__subclasses__() for each in (child, *_all(child))]


def wide_table() -> TableBlock:
    names, cells = ["first_response_hours_mean_365d", "last survey answer"], ["4.15 (2.80 to 5.45)", "-0.10 (-0.32 to 1.50)"]
    columns = ["feature", *(f"lift at {share}%" for share in (5, 10, 20, 30)), Head("what it is", "left")]
    return TableBlock(columns, [[name, *(cells * 2), "a few words about it"] for name in names], "Top of the list")


def test_numbers_and_names_stay_whole_and_a_table_that_is_too_wide_is_divided() -> None:
    for width in (60, 80, 100, 140):
        text = as_text([wide_table()], width)
        assert max(map(len, text.splitlines())) <= width
        assert text.count("4.15 (2.80 to 5.45)") == text.count("-0.10 (-0.32 to 1.50)") == 4
        assert text.count("Top of the list") == 1
    narrow = as_text([wide_table()], 60)
    # each part names its rows, and a blank line stands between two parts
    assert narrow.count("first_response_hours_mean_365d") == narrow.count("feature") == narrow.count("\n\n") + 1 > 1


def test_a_table_that_fits_is_one_and_a_note_among_numbers_folds() -> None:
    assert as_text([wide_table()], 160).count("feature") == 1
    note = "too few accounts of this segment churned for a figure that would mean anything"
    text = as_text([TableBlock(["", "accounts", "AUROC"], [["large", "12", note], ["small", "120", "0.7"]])], 60)
    assert max(map(len, text.splitlines())) <= 60
    assert text.count("large") == 1


@dataclass(frozen=True)
class Rows(Result):
    def frame(self) -> pd.DataFrame:
        return pd.DataFrame({"account_id": ["a", "b"], "risk": [0.5, None]})


def test_a_result_goes_into_other_tables() -> None:
    assert pa.table(Rows()).to_pydict() == {"account_id": ["a", "b"], "risk": [0.5, None]}
    polars = pytest.importorskip("polars", reason="polars is no dependency of the package")
    assert polars.DataFrame(Rows())["account_id"].to_list() == ["a", "b"]


def test_text_is_only_returned_in_a_notebook_too(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[object] = []
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("rich.jupyter.display", lambda *given: shown.append(given))
    assert Small(("one",)).text() == "one"
    assert shown == []
