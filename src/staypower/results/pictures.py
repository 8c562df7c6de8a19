"""What every picture of a result has in common: it shows itself in a notebook, and it is written whole or not at all.

Whoever imports this module imports matplotlib: results do so only when they are asked to draw themselves.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from matplotlib.figure import Figure

from staypower.errors import UsageError, at_place, nearest

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["COLOURS", "DASHES", "GREY", "Picture", "find_picture", "label_axes", "png_of", "write_pictures"]

# Okabe and Ito's colours differ for every kind of colour vision, dashes also in black and white
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
GREY = "#777777"

Drawn = TypeVar("Drawn")


class Picture(Figure):
    """A figure that a notebook shows as a picture.

    A plain figure does so only after pyplot was imported, which a result must not do: it would set global state.

    >>> b"PNG" in Picture(figsize=(2, 1))._repr_png_()[:8]
    True
    """

    def _repr_png_(self) -> bytes:
        return png_of(self)


def png_of(figure: Figure) -> bytes:
    """Draw a figure as a PNG file."""
    drawn = io.BytesIO()
    with _boxes_for_unknown_letters():
        figure.savefig(drawn, format="png")
    return drawn.getvalue()


def label_axes(axes: Axes, x: str, y: str) -> None:
    """Label the axes, over a light grid and without a frame."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(visible=True, color="#e5e5e5", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def find_picture(name: str, there: Mapping[str, Drawn]) -> Drawn:
    """Return what belongs to a picture's name.

    >>> find_picture("roc", {"roc": 1, "profit": 2})
    1
    """
    if name not in there:
        raise UsageError.of("this result has no such picture", name, nearest(name, there))
    return there[name]


def write_pictures(figures: Mapping[str, Figure | bytes], folder: str | Path) -> list[Path]:
    """Write each figure, or what was drawn of it, as a PNG file of its name.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in write_pictures({"roc": Picture(figsize=(2, 1))}, folder)]
    ['roc.png']
    """
    place = Path(folder)
    with at_place(place):
        place.mkdir(parents=True, exist_ok=True)
        return [_write(figure, place / f"{name}.png") for name, figure in figures.items()]


def _write(figure: Figure | bytes, path: Path) -> Path:
    """Write to a draft and rename it, so that no reader ever sees half a picture."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(figure if isinstance(figure, bytes) else png_of(figure))
    draft.replace(path)
    return path


@contextmanager
def _boxes_for_unknown_letters() -> Iterator[None]:
    """Draw a box, without a warning, for letters that the font does not have."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield
