"""The base of every result: values inside, and one way to show them in a terminal, a notebook, as JSON and as pictures."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from staypower.results.blocks import Block, as_html, as_text

if TYPE_CHECKING:
    import pandas as pd

    from staypower.results.pictures import Picture

__all__ = ["Result"]


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
        """Write every picture as a PNG file of its name, each whole or not at all."""
        from staypower.results import pictures

        return pictures.write_pictures({name: draw() for name, draw in self.pictures().items()}, folder)

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return as_html(self.blocks())
