"""Time how long a warm process takes to score one account: `open_scorer` against `score(..., accounts=...)`, tables given.

    python benchmarks/one_account.py                       # simulates and trains a company of 1,000 accounts first
    python benchmarks/one_account.py --accounts 20000      # trained on 1,000 accounts all the same
    python benchmarks/one_account.py --config acme.yaml    # a company of one's own, with its champion

Every question is about one account, at random among those that are scored. Printed are the median and the 99th percentile over
the questions, in milliseconds, by the clock and of processor time; each side in a fresh process, the sides taking turns, and of
the turns the median.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from measuring import compare, machine

Taken = list[tuple[float, float]]


def asked(rows: object, count: int) -> list[str]:
    """Choose accounts that are scored."""
    scored = rows.loc[rows["status"] == "scored", "account_id"].tolist()  # type: ignore[attr-defined]
    return list(np.random.default_rng(1).choice(scored, count))


def timed(call: object, accounts: list[str]) -> Taken:
    """Ask about one account after the other, a few of them before anything is timed."""
    taken = []
    for number, account in enumerate([*accounts[:5], *accounts]):
        wall, cpu = time.perf_counter(), time.process_time()
        call(account)  # type: ignore[operator]
        taken += [(time.perf_counter() - wall, time.process_time() - cpu)] if number >= 5 else []
    return taken


def by_score(config: Path, count: int) -> Taken:
    """Score the usual way, the tables given."""
    from staypower import read_tables, score

    tables = read_tables(config)
    accounts = asked(score(config, tables, write=False).frame(), count)
    return timed(lambda account: score(config, tables, accounts=account, write=False).frame(), accounts)


def by_open_scorer(config: Path, count: int, *, reasons: bool) -> Taken:
    """Ask a process that keeps everything."""
    from staypower import open_scorer

    scorer = open_scorer(config)
    accounts = asked(scorer.score(scorer.account_ids, reasons=False), count)
    return timed(lambda account: scorer.score(account, reasons=reasons), accounts)


def opening(config: Path) -> int:
    """Open a scorer, and say how many accounts it knows."""
    from staypower import open_scorer

    return len(open_scorer(config).account_ids)


def company(folder: Path, accounts: int) -> Path:
    """Simulate and train a company of a thousand accounts, and put as many as asked for into its place."""
    from staypower import demo, simulate

    os.chdir(folder)
    demo(Path("demo"), accounts=1_000)
    if accounts != 1_000:
        simulate(accounts, seed=11).write(folder / "demo" / "data")
    return folder / "demo" / "staypower.yaml"


def main() -> None:
    """Time the sides and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=1_000)
    parser.add_argument("--config", type=Path, help="a company of one's own")
    parser.add_argument("--questions", type=int, default=1_000)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="staypower-") as name:
        config = given.config.resolve() if given.config else company(Path(name), given.accounts)
        sides = {
            "`score(..., accounts=...)`": partial(by_score, config, max(20, given.questions // 20)),
            "`open_scorer`": partial(by_open_scorer, config, given.questions, reasons=True),
            "`open_scorer`, without reasons": partial(by_open_scorer, config, given.questions, reasons=False),
        }
        every: dict[str, list[Taken]] = {side: [] for side in sides}
        for _ in range(given.repeats):
            for row in compare(sides, repeats=1):
                every[row.side].append(row.result)
        (opened,) = compare({"opening": partial(opening, config)}, repeats=given.repeats)
    print(f"{machine()}; {opened.result:,} accounts, {given.questions:,} questions")
    print("| | clock, median ms | clock, 99 % ms | CPU, median ms | CPU, 99 % ms |\n| --- | ---: | ---: | ---: | ---: |")
    for side, turns in every.items():
        cells = [
            f"{1e3 * median(float(np.percentile([one[what] for one in turn], share)) for turn in turns):.1f}"
            for what in (0, 1)
            for share in (50, 99)
        ]
        print(f"| {' | '.join([side, *cells])} |")
    print(f"opening: {opened.cpu:.2f} CPU s, {opened.peak:,.0f} MB")


if __name__ == "__main__":
    main()
