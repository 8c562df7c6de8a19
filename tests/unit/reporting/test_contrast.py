"""Every colour that words or marks have is readable on every ground, in the light, in the dark and in print (WCAG 2 AA)."""

from __future__ import annotations

import re

import pytest

from staypower.reporting.templates import read_files

STYLE = str(read_files()[0])
WORDS = ("ink", "soft", "link", "risk", "good", "c0", "c1", "c2", "c3")
GROUNDS = ("ground", "panel", "wash")


def colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6})", block))


LIGHT = colours(STYLE.partition("@media")[0])
DARK = {**LIGHT, **colours(STYLE.partition("(prefers-color-scheme: dark)")[2].partition("}")[0])}
# a dark screen prints dark words on white paper, too
PRINT = {**DARK, **colours(STYLE.partition("@media print")[2].partition("}")[0])}


def luminance(colour: str) -> float:
    digits = colour.removeprefix("#")
    digits = "".join(each * 2 for each in digits) if len(digits) == 3 else digits
    shares = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (share / 12.92 if share <= 0.03928 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_measure_is_that_of_the_standard() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#fff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("palette", [LIGHT, DARK, PRINT], ids=["light", "dark", "print"])
def test_every_colour_of_words_is_readable(palette: dict[str, str]) -> None:
    pale = {(word, ground) for word in WORDS for ground in GROUNDS if contrast(palette[word], palette[ground]) < 4.5}
    assert pale == set()
