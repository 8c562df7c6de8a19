"""Score a large simulated company again the next day: all of it anew, or with yesterday's rows kept (`engine.keep`).

    python benchmarks/daily.py                         # 100,000 accounts with 10 million events, and a file of 30,000 new ones
    python benchmarks/daily.py --accounts 1000000      # with 100 million: an hour with the making of the data
    python benchmarks/daily.py --quick                 # 20,000 accounts: a minute

Both sides score the same files; what is kept was written by a run that did not have the file of new rows. The first run that
keeps rows is timed as well. All lists are the same bytes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from functools import partial
from pathlib import Path

import duckdb
from measuring import compare, machine, table
from score import EVENTS, company, config, learn

NEW = "usage/new.parquet"
SHARE = 0.003


def add_rows(folder: Path, count: int) -> None:
    """Write a file with rows of the last day before the data end: those of some accounts, moved there."""
    last = "TIMESTAMPTZ '2025-06-30' + to_microseconds((hash(account_id, quantity) % 86400000000)::BIGINT)"
    some = f"read_parquet('{folder}/usage/0*.parquet') USING SAMPLE reservoir({count} ROWS) REPEATABLE (1)"
    rows = f'SELECT * REPLACE ({last} AS "at") FROM {some}'
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"COPY ({rows}) TO '{folder / NEW}' (FORMAT parquet)")


def score(path: Path, output: Path, keep: Path | None = None) -> int:
    """Score every account, and return how many there are."""
    from staypower.config.loading import load_config
    from staypower.pipelines.score import score as score_job
    from staypower.progress import Progress

    os.environ["SOURCE_DATE_EPOCH"] = "1800000000"  # lists that are the same say the same time
    settings = load_config(path, [] if keep is None else [f"engine.keep={keep}"])
    return len(score_job(settings, progress=Progress(quiet=True), model="1", output=output).scores)


def restore(kept: Path, keep: Path) -> None:
    """Lay out again what yesterday's run kept."""
    shutil.rmtree(keep, ignore_errors=True)
    shutil.copytree(kept, keep, copy_function=os.link)


def main() -> None:
    """Make the company, keep its rows, add a day, score both ways, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20,000 accounts")
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where to work; by default a temporary folder that is taken away")
    asked = parser.parse_args()
    accounts = 20_000 if asked.quick else asked.accounts
    folder = (asked.folder or Path(tempfile.mkdtemp(prefix="staypower-"))).absolute()
    try:
        small, large, kept = (folder / name for name in ("small", f"large-{accounts}", f"kept-{accounts}"))
        if not (folder / "models").exists():
            learn(config(folder, company(small, 4_000), folder / "models", "small-out"))
        if not large.exists():
            company(large, accounts)
        (large / NEW).unlink(missing_ok=True)
        shutil.rmtree(kept, ignore_errors=True)
        path = config(folder, large, folder / "models", "out")
        lists = {side: folder / f"{side}.parquet" for side in ("first", "full", "kept")}
        rows = compare({"the first run, which keeps rows": partial(score, path, lists["first"], kept)}, repeats=1)
        new = round(accounts * EVENTS * SHARE)
        add_rows(large, new)
        keep = folder / "keep"
        sides = {"all anew": partial(score, path, lists["full"]), "rows kept": partial(score, path, lists["kept"], keep)}
        rows += compare(sides, repeats=asked.repeats, prepare={"rows kept": partial(restore, kept, keep)})
        size = sum(file.stat().st_size for file in kept.iterdir()) / 1e6
        print(
            f"{machine()}; {accounts:,} accounts, {accounts * EVENTS:,} events of use, {round(accounts * EVENTS * SHARE):,} new"
        )
        print(table(rows))
        print(f"{size:,.0f} MB are kept; the lists are {'the same' if _same(lists) else 'NOT the same'} bytes")
    finally:
        (large / NEW).unlink(missing_ok=True)
        if asked.folder is None:
            shutil.rmtree(folder)


def _same(lists: dict[str, Path]) -> bool:
    return lists["full"].read_bytes() == lists["kept"].read_bytes()


if __name__ == "__main__":
    main()
