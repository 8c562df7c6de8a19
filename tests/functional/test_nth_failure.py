"""The n-th write, rename, fsync, open or mkdir fails: afterwards the old or the new result is whole, and a rerun completes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from depth import DEEP
from failing import COMPILER, Company, Runner
from tiny_company import tiny_company

# of the calls of one command below one folder; more would be of one kind, such as writes of one database
MOST = int(os.environ.get("STAYPOWER_FAILURES", "60"))
pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler: the library that makes calls fail cannot be made")


@pytest.fixture(scope="module")
def runner(tmp_path_factory) -> Iterator[Runner]:
    started = Runner.started(tmp_path_factory.mktemp("runner"), failing=True)
    yield started
    started.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory, runner) -> Company:
    """A company with a champion, a list of scores and a page."""
    company = Company(tiny_company(tmp_path_factory.mktemp("tiny")))
    for command in ("train", "score", "report"):
        done = runner.run(command, "-c", str(company.config), "-q", root=company.folder)
        assert done["code"] == 0, done
    return company


def numbers(total: int, few: int) -> list[int]:
    """Return which calls fail: some of them, spread over all, more of them in `make test-deep`."""
    assert total > 0
    if DEEP:
        return list(range(1, total + 1, max(1, total // MOST)))
    return [round((place + 0.5) * total / few) or 1 for place in range(few)]


def fail_each(
    runner: Runner, made: Company, tmp_path: Path, words: list[str], below: str, few: int
) -> Iterator[tuple[Company, dict[str, Any]]]:
    """Run a command once to count, then once for each number that fails, each time in a new copy; 0: in deep tests only."""
    if not few and not DEEP:
        pytest.skip("in `make test-deep`: each failure takes two runs of the command")
    company = made.copied(tmp_path / "counted")
    call = [*words, "-c", str(company.config), "-q"]
    total = runner.run(*call, root=company.folder / below)["count"]
    for number in numbers(total, few):
        company = made.copied(tmp_path / "failed")
        call = [*words, "-c", str(company.config), "-q"]
        done = runner.run(*call, root=company.folder / below, at=number)
        assert done["failed"], (number, total)
        assert done.get("code") in (0, 2), (number, done)
        assert done["code"] == 0 or "Fix:" in done["err"], (number, done)
        assert not company.strays(), (number, done, company.strays())
        yield company, done
        again = runner.run(*call, root=company.folder / below)
        assert again["code"] == 0, (number, done, again)


@pytest.mark.parametrize(("below", "few"), [("models", 1), ("out", 0), ("mlruns", 0)])
def test_train(runner, made, tmp_path, below, few):
    digest = made.versions.records()["1"].digest
    for company, done in fail_each(runner, made, tmp_path, ["train"], below, few):
        assert company.champion() == "1", done
        records = company.versions.records()
        assert {record.digest for record in records.values()} == {digest}, "equal inputs, equal digest"
        if below == "mlruns":
            assert done["code"] == 0, done
            assert set(records) == {"1", "2"}, "training does not depend on the tracking store"


def test_score(runner, made, tmp_path):
    expected = made.scores()
    for company, _ in fail_each(runner, made, tmp_path, ["score"], "", 1):
        assert company.scores() == expected
        assert company.champion() == "1"


def test_report(runner, made, tmp_path):
    expected = (made.folder / "out" / "report.html").read_bytes()
    for company, _ in fail_each(runner, made, tmp_path, ["report"], "", 0):
        assert (company.folder / "out" / "report.html").read_bytes() == expected


def test_promote(runner, made, tmp_path):
    two = made.copied(tmp_path / "two")
    assert runner.run("train", "-c", str(two.config), "-q", root=two.folder)["code"] == 0
    words = ["models", "promote", "2", "--force", "--reason", "tried"]
    for below, few in (("models", 1), ("mlruns", 0)) if DEEP else (("models", 1),):
        for company, done in fail_each(runner, two, tmp_path, words, below, few):
            assert company.champion() in ("1", "2")
            assert company.champion() == "2" or done["code"] == 2, done
    # the last of them was promoted again in the end
    assert company.champion() == "2"
    assert dict(company.versions.records()["2"].promotion)["promoted_because"].startswith("tried")
