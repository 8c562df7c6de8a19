"""A wheel and an sdist hold all that the package reads, and say which command they bring."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import staypower

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "staypower"
# each in a process of its own, as the standard says
BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The wheel and the sdist of a copy of the sources."""
    copy, *made = (tmp_path_factory.mktemp(name) for name in ("copy", "wheel", "sdist"))
    for path in (ROOT / name for name in ("pyproject.toml", "README.md", "LICENSE")):
        (copy / path.name).write_bytes(path.read_bytes())
    for path in PACKAGE.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            place = copy / "src" / path.relative_to(PACKAGE.parent)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())
    found = []
    for step, folder in zip(("build_wheel", "build_sdist"), made, strict=True):
        words = [sys.executable, "-W", "ignore", "-c", BUILD, step, str(folder)]
        done = subprocess.run(words, cwd=copy, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        found.append(folder / done.stdout.splitlines()[-1])
    return found


def test_they_hold_every_file_of_the_package(built):
    wheel, sdist = built
    with zipfile.ZipFile(wheel) as opened:
        in_wheel = set(opened.namelist())
        entry = next(name for name in in_wheel if name.endswith("entry_points.txt"))
        assert "staypower = staypower.cli.commands:main" in opened.read(entry).decode()
    with tarfile.open(sdist) as opened:
        in_sdist = {name.partition("/")[2] for name in opened.getnames()}
    there = {str(path.relative_to(PACKAGE.parent)) for path in PACKAGE.rglob("*") if path.is_file()}
    there = {name for name in there if "__pycache__" not in name}
    assert there <= in_wheel
    assert {f"src/{name}" for name in there} | {"pyproject.toml", "README.md", "LICENSE"} <= in_sdist


def test_one_version_everywhere(built):
    assert all(staypower.__version__ in path.name for path in built)
    assert f"version: {staypower.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_the_names_that_dir_shows_are_the_public_ones():
    shown = {name for name in dir(staypower) if not name.startswith("_")}
    assert shown == set(staypower.__all__) - {"__version__"}
    assert all(getattr(staypower, name).__doc__ for name in shown)
