"""The base of every result, and the blocks it is written in: paragraphs, headings, lists, tables and verbatim lines."""

from __future__ import annotations

import html
import importlib
import io
import math
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from staypower.results.pictures import Picture

__all__ = [
    "Block",
    "Head",
    "Heading",
    "Items",
    "Result",
    "TableBlock",
    "Verbatim",
    "as_html",
    "as_text",
    "printable",
    "screen_width",
]

WIDTH = 100  # where no terminal says how wide it is
_NARROWEST = 40
_BETWEEN = 2  # spaces between columns
_LEAST = 12  # columns of words fold down to this width before a table is divided
_LONGEST = 32  # letters of a word, such as the name of a feature, that is not broken


@dataclass(frozen=True)
class Heading:
    """The title of what follows."""

    words: str


@dataclass(frozen=True)
class Items:
    """Short sentences under one another, each with a dash."""

    lines: Sequence[str]


@dataclass(frozen=True)
class Verbatim:
    """Lines that stay as they are: paths, commands, code."""

    lines: Sequence[str]


@dataclass(frozen=True)
class Head:
    """The head of a table's column."""

    head: str
    align: Literal["left", "right"] = "right"


@dataclass(frozen=True)
class TableBlock:
    """Cells in words, a row per thing; a plain text as column is a number's, aligned on the right, but for the first."""

    columns: Sequence[str | Head]
    rows: Sequence[Sequence[str]]
    title: str = ""

    @property
    def heads(self) -> list[Head]:
        """Every column with its alignment."""
        return [
            column if isinstance(column, Head) else Head(column, "right" if place else "left")
            for place, column in enumerate(self.columns)
        ]


Block = str | Heading | Items | Verbatim | TableBlock


def screen_width() -> int:
    """Return how many columns there are to write in: the terminal's, else 100."""
    return max(_NARROWEST, shutil.get_terminal_size((WIDTH, 24)).columns)


def as_text(blocks: Iterable[Block], width: int | None = None, *, colour: bool = False) -> str:
    """Write blocks as text of some width, folded at words, with an empty line between them.

    Colour is left out when `NO_COLOR` is set.

    >>> print(as_text(["Two accounts.", TableBlock(["account", "risk"], [["a", "12%"], ["bc", "7%"]])]))
    Two accounts.
    <BLANKLINE>
    account  risk
    a         12%
    bc         7%
    """
    # rich is imported only when something is shown
    from rich.console import Console

    written = io.StringIO()
    console = Console(
        file=written,
        width=width or screen_width(),
        color_system="standard" if colour and not os.environ.get("NO_COLOR") else None,
        force_terminal=colour,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
        force_jupyter=False,  # in a kernel it would show what it writes, too
    )
    for place, block in enumerate(blocks):
        if place:
            console.print()
        for part in _shown(block, console.width):
            console.print(part, soft_wrap=isinstance(block, Verbatim))
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines())


def printable(text: str) -> str:
    r"""Write what would steer a terminal, line ends included, as its escape.

    >>> printable("a" + chr(27) + "[2J")
    'a\\x1b[2J'
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _lines(text: str) -> str:
    return "\n".join(printable(line) for line in text.split("\n"))


def _shown(block: Block, width: int) -> Iterable[object]:
    """Turn a block into what rich can print."""
    from rich import table
    from rich.padding import Padding
    from rich.text import Text

    if isinstance(block, str):
        return [Text(_lines(block))]
    if isinstance(block, Heading):
        return [Text(_lines(block.words), style="bold")]
    if isinstance(block, Verbatim):
        return [Text(_lines(line)) for line in block.lines]
    if isinstance(block, Items):
        grid = table.Table.grid(padding=(0, 1))
        for line in block.lines:
            grid.add_row("-", Text(_lines(line)))
        return [grid]
    parts: list[object] = [Text(_lines(block.title), style="bold")] if block.title else []
    for number, places in enumerate(_divided(block, width)):
        parts += [*([Text()] if number else []), Padding(_drawn(block, places, width), 0)]
    return parts


def _drawn(block: TableBlock, places: Sequence[int], width: int) -> Table:
    """Draw some columns of a table; where they are wider than the screen, words fold and numbers do not."""
    from rich.align import Align
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, padding=(0, _BETWEEN, 0, 0), header_style="bold", show_edge=False)
    for place, fixed in zip(places, _shares(block, places, width), strict=True):
        head = block.heads[place]
        # heads of different heights end on one line, cells begin on one
        title = Align(Text(head.head), head.align, vertical="bottom")
        drawn.add_column(title, justify=head.align, vertical="top", overflow="fold", width=fixed)
    for row in block.rows:
        drawn.add_row(*(Text(_lines(row[place])) for place in places))
    return drawn


def _divided(block: TableBlock, width: int) -> list[list[int]]:
    """Share the columns among as few tables as fit the width with numbers unfolded, the first column in each."""
    least = [_least(block, place) for place in range(len(block.columns))]
    others = list(range(1, len(least)))
    for tables in range(1, len(others) + 1):
        size = math.ceil(len(others) / tables)
        parts = [[0, *others[start : start + size]] for start in range(0, len(others), size)]
        if all(sum(least[place] + _BETWEEN for place in part) - _BETWEEN <= width for part in parts):
            return parts
    return [[0, *others]]


def _shares(block: TableBlock, places: Sequence[int], width: int) -> list[int | None]:
    """Share the width of the screen among columns: first so that numbers and names are whole, then words, then heads."""
    wanted = [max(_widths(block, place)) for place in places]
    shares = [_least(block, place) for place in places]
    spare = width - _BETWEEN * (len(places) - 1) - sum(shares)
    if spare < 0 or sum(wanted) - sum(shares) <= spare:
        return [None] * len(places)
    numbers = [block.heads[place].align == "right" for place in places]
    for _ in range(spare):
        open_ones = [place for place in range(len(places)) if shares[place] < wanted[place]]
        shares[min(open_ones, key=lambda place: (numbers[place], shares[place]))] += 1
    return list(shares)


def _least(block: TableBlock, place: int) -> int:
    """Return how narrow a column may become: a number stays whole, words fold."""
    from rich.cells import cell_len

    head, cells = _widths(block, place)
    texts = [block.heads[place].head, *(row[place] for row in block.rows)]
    longest = min(max((cell_len(word) for text in texts for word in text.split()), default=0), _LONGEST)
    if block.heads[place].align == "right" and cells <= _NARROWEST:
        return max(cells, longest)
    return min(max(head, cells), max(_LEAST, longest))


def _widths(block: TableBlock, place: int) -> tuple[int, int]:
    """Return the widths of a column's head and of its widest cell."""
    from rich.cells import cell_len

    return cell_len(block.heads[place].head), max((cell_len(row[place]) for row in block.rows), default=0)


def as_html(blocks: Iterable[Block]) -> str:
    """Write blocks as HTML for a notebook; every text is escaped.

    >>> as_html(["a < b", Items(["one"])])
    '<p>a &lt; b</p><ul><li>one</li></ul>'
    """
    return "".join(_marked_up(block) for block in blocks)


def _marked_up(block: Block) -> str:
    if isinstance(block, str):
        return f"<p>{html.escape(block)}</p>"
    if isinstance(block, Heading):
        return f"<h4>{html.escape(block.words)}</h4>"
    if isinstance(block, Items):
        return f"<ul>{''.join(f'<li>{html.escape(line)}</li>' for line in block.lines)}</ul>"
    if isinstance(block, Verbatim):
        return f"<pre>{html.escape(chr(10).join(block.lines))}</pre>"
    heads = "".join(f'<th style="text-align: {head.align}">{html.escape(head.head)}</th>' for head in block.heads)
    aligned = [f'<td style="text-align: {head.align}">' for head in block.heads]
    rows = "".join(
        f"<tr>{''.join(f'{start}{html.escape(cell)}</td>' for start, cell in zip(aligned, row, strict=True))}</tr>"
        for row in block.rows
    )
    caption = f"<caption>{html.escape(block.title)}</caption>" if block.title else ""
    return f"<table>{caption}<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


class Result:
    """What a job or a measurement returns.

    A result holds values. What it says are its `blocks`, from which text and the notebook view are made; a result whose words
    fill a module of their own names it (`shown_by`): the module's `blocks(result)` is then called. Its pictures come from the
    `pictures(result)` of the module that `drawn_by` names, which may import matplotlib: it is imported when a picture is asked
    for. So words and pictures import the result and never the other way round.
    """

    _shown_by: ClassVar[str] = ""
    _drawn_by: ClassVar[str] = ""

    def __init_subclass__(cls, *, shown_by: str = "", drawn_by: str = "") -> None:
        super().__init_subclass__()
        cls._shown_by, cls._drawn_by = shown_by or cls._shown_by, drawn_by or cls._drawn_by

    def blocks(self) -> Sequence[Block]:
        """Return what the result says, as paragraphs, lists and tables."""
        found: Sequence[Block] = importlib.import_module(self._shown_by).blocks(self)
        return found

    def text(self, width: int | None = None) -> str:
        """Return what the result says as plain text, as wide as the terminal (100 columns elsewhere)."""
        return as_text(self.blocks(), width)

    def frame(self) -> pd.DataFrame:
        """Return the values as a table."""
        raise NotImplementedError(f"{type(self).__name__} has no table")

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Hand the table to whatever reads Arrow, as in `polars.DataFrame(result)` and `pyarrow.table(result)`."""
        return self.frame().__arrow_c_stream__(requested_schema)

    def to_dict(self) -> dict[str, Any]:
        """Return the values as plain ones that JSON can hold."""
        raise NotImplementedError(f"{type(self).__name__} has no plain values")

    def pictures(self) -> Mapping[str, Callable[[], Picture]]:
        """Return what draws each picture that this result has, by name."""
        if not self._drawn_by:
            return {}
        found: Mapping[str, Callable[[], Picture]] = importlib.import_module(self._drawn_by).pictures(self)
        return found

    def plot(self, picture: str = "") -> Picture:
        """Draw a picture by its name, the first one by default; an unknown name is a `UsageError` that names the nearest."""
        from staypower.results.pictures import find_picture

        there = self.pictures()
        return find_picture(picture or next(iter(there), ""), there)()

    def write_pictures(self, folder: str | Path) -> list[Path]:
        """Write every picture as a PNG file of its name, each whole or not at all; again without drawing it again."""
        from staypower.results import pictures

        return pictures.write_pictures(self._pngs, folder)

    @cached_property
    def _pngs(self) -> Mapping[str, bytes]:
        from staypower.results.pictures import png_of

        return {name: png_of(draw()) for name, draw in self.pictures().items()}

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return as_html(self.blocks())
