"""Draw the pictures of the pages anew: `python scripts/write_pictures.py [FOLDER]`.

With a folder that holds a report in `out/` (the one of the tutorial) and Chromium, the pictures of the report are taken, too.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from shutil import which

from PIL import Image, ImageChops

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"
BLUE, ORANGE, GREEN, RED, GREY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#666666"

# what is drawn of one account: days from the cutoff, and the row in which they stand
EVENTS: Sequence[tuple[str, str, Sequence[int]]] = (
    ("usage", BLUE, (-118, -110, -101, -88, -84, -79, -72, -66, -61, -50, -45, -38, -24, -9, 12, 31)),
    ("tickets", ORANGE, (-104, -58, -41, -30, 22)),
    ("surveys", GREEN, (-95, -33, 58)),
    ("payments", GREY, (-105, -75, -45, -15, 15, 45)),
)
WINDOW, GAP, HORIZON, CHURN = 90, 14, 90, 75


def draw_time() -> str:
    """Draw window, cutoff, gap and horizon over one account's events."""
    left, right, scale = -125, 115, 3.0

    def x(day: float) -> float:
        return 90 + (day - left) * scale

    def text(day: float, y: int, words: str, *, colour: str = "#222222", anchor: str = "middle", weight: str = "normal") -> str:
        place = f'x="{x(day):g}" y="{y}" text-anchor="{anchor}" fill="{colour}" font-weight="{weight}"'
        return f"<text {place}>{words}</text>"

    def band(begin: int, end: int, colour: str) -> str:
        return f'<rect x="{x(begin):g}" y="58" width="{(end - begin) * scale:g}" height="150" fill="{colour}" opacity="0.16"/>'

    lines = [band(-WINDOW, 0, BLUE), band(0, GAP, GREY), band(GAP, GAP + HORIZON, RED)]
    lines += [
        text(-WINDOW / 2, 30, "window", weight="bold", colour=BLUE),
        text(-WINDOW / 2, 48, f"{WINDOW} days, what features may read"),
        text(GAP / 2, 48, "gap", weight="bold", colour=GREY),
        text(GAP + HORIZON / 2, 30, "horizon", weight="bold", colour=RED),
        text(GAP + HORIZON / 2, 48, f"{HORIZON} days, where churn is looked for"),
    ]
    for row, (name, colour, days) in enumerate(EVENTS):
        y = 82 + 32 * row
        lines.append(f'<text x="80" y="{y + 4}" text-anchor="end" fill="#222222">{name}</text>')
        lines.append(f'<line x1="{x(left):g}" y1="{y}" x2="{x(right):g}" y2="{y}" stroke="#cccccc"/>')
        for day in days:
            seen = f'fill="{colour}"' if day < 0 else f'fill="#ffffff" stroke="{colour}" stroke-width="1.5"'
            lines.append(f'<circle cx="{x(day):g}" cy="{y}" r="4.5" {seen}/>')
    lines += [
        f'<line x1="{x(0):g}" y1="18" x2="{x(0):g}" y2="222" stroke="#222222" stroke-width="2"/>',
        text(0, 240, "cutoff", weight="bold"),
        text(-62, 258, "filled: known at the cutoff"),
        text(62, 258, "hollow: hidden from every feature"),
        f'<line x1="{x(CHURN):g}" y1="58" x2="{x(CHURN):g}" y2="222" stroke="{RED}" stroke-width="2" stroke-dasharray="4 3"/>',
        text(CHURN, 240, "the contract ends: churned", colour=RED),
    ]
    words = "One account's events on a time line: the window before the cutoff, the gap and the horizon after it."
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 820 270" role="img" aria-label="{words}" font-size="13"'
    ground = '<rect width="820" height="270" fill="#ffffff"/>'
    return "\n".join([f'{head} font-family="system-ui, sans-serif">', ground, *lines, "</svg>"]) + "\n"


def picture(address: str, name: str, *, width: int, height: int) -> None:
    """Take a picture of a page that lies here, without the empty part above, in few colours."""
    browser = which("chromium") or sys.exit("chromium is not installed: the report is not drawn")
    with tempfile.TemporaryDirectory() as folder:
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-prefers-reduced-motion"]
        flags += [f"--user-data-dir={folder}", f"--window-size={width},{height}", f"--screenshot={PICTURES / name}"]
        subprocess.run([browser, *flags, address], check=True, capture_output=True, timeout=120)
    taken = Image.open(PICTURES / name).convert("RGB")
    top = (ImageChops.difference(taken, Image.new("RGB", taken.size, taken.getpixel((0, 0)))).getbbox() or (0, 20, 0, 0))[1]
    taken.crop((0, max(top - 20, 0), width, height)).quantize(64).save(PICTURES / name, optimize=True)


def main(arguments: Sequence[str]) -> None:
    """Draw what can be drawn."""
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / "time.svg").write_text(draw_time(), encoding="utf-8")
    for folder in arguments:
        report = (Path(folder) / "out" / "report.html").resolve()
        first = re.findall(r'href="#(account-[^"]*)"', report.read_text(encoding="utf-8"))
        picture(report.as_uri(), "report.png", width=1180, height=1300)
        picture(f"{report.as_uri()}#{first[1]}", "account.png", width=1180, height=1100)


if __name__ == "__main__":
    main(sys.argv[1:])
