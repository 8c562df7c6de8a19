"""Score a large simulated company end to end, and build its training matrix, each under a limit of memory.

    python benchmarks/score.py                 # 1,000,000 accounts with 100 million events: about 12 GB of disk, for an hour
    python benchmarks/score.py --quick         # 10,000 accounts with a million events: a minute
    python benchmarks/score.py --accounts 100000 --only score

Printed are wall and CPU time of reading, features, probability, tier, five reasons and writing the list, and the peak memory of
the whole process. The model is the default one, learned on a small company of the same make.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from functools import partial
from pathlib import Path

import duckdb
from measuring import compare, machine, table

EVENTS = 100
CHUNK = 100_000
BEGIN, MONTHS = "2023-01-01", 30
DAYS = 911
CONFIG = """\
name: large
observed_until: 2025-06-30
tables:
  accounts: {{source: {data}/accounts/*.parquet, static: [segment, region]}}
  usage: {{source: {data}/usage/*.parquet}}
  tickets: {{source: {data}/tickets/*.parquet, fixed: [priority, category]}}
  surveys: {{source: {data}/surveys/*.parquet, instrument: nps, scale: 0-10}}
  subscriptions: {{source: {data}/subscriptions/*.parquet, fixed: [mrr, plan, seats]}}
  payments: {{source: {data}/payments/*.parquet}}
label: {{kind: contractual, horizon: 90, involuntary: [card]}}
output: {{folder: {out}}}
models_folder: {models}
tracking: {{folder: {models}/mlruns}}
"""


def company(folder: Path, accounts: int) -> Path:
    """Write the tables of a company, some thousands of accounts at a time, and return their folder.

    Every account signs up at some day, uses the product, opens tickets, answers surveys and pays until it leaves or the data
    end; those who leave use it less and less, and complain more.
    """
    for first in range(0, accounts, CHUNK):
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("CREATE MACRO chance(i, what) AS (hash(i, what) % 1000003) / 1000003.0")
            connection.execute(
                "CREATE TABLE account AS "
                f"SELECT *, least(ends, {DAYS}) AS until, ends < {DAYS} AS leaves FROM (SELECT i, "
                "'A' || lpad(i::VARCHAR, 8, '0') AS account_id, 700 * chance(i, 1) AS starts, "
                "starts + 30 - 3000 * ln(1 - chance(i, 2) * 0.999) AS ends, floor(4 * chance(i, 3))::INTEGER AS kind "
                f"FROM range({first}, {min(first + CHUNK, accounts)}) t(i))"
            )
            for name, select in tables_of(EVENTS).items():
                (folder / name).mkdir(parents=True, exist_ok=True)
                connection.execute(f"COPY ({select}) TO '{folder / name / f'{first:09d}.parquet'}' (FORMAT parquet)")
    return folder


def tables_of(events: int) -> dict[str, str]:
    """Write the query of each table."""

    def at(days: str) -> str:
        return f"TIMESTAMPTZ '{BEGIN}' + to_microseconds((86400000000 * ({days}))::BIGINT)"

    many = "FROM account, range({}) r(n)"
    # those who leave come less often the nearer they are to leaving
    used = "starts + (until - starts) * power(chance(i * 1000 + n, 11), CASE WHEN leaves THEN 1.6 ELSE 1.0 END)"
    some = "FROM (SELECT *, starts + (until - starts) * chance(i * 100 + n, {}) AS moment FROM account, range({}) r(n))"
    answered = "chance(i, n + 31) < 0.4"
    value = "least(10.0, round(7 + 4 * (chance(i, n + 32) - 0.5) - CASE WHEN leaves THEN 3 ELSE 0 END))"
    return {
        "accounts": f"SELECT account_id, {at('starts')} AS signed_up_at, 'segment ' || kind AS segment, "
        "'region ' || (i % 7) AS region FROM account",
        "usage": f"SELECT account_id, {at(used)} AS at, 'event ' || (hash(i, n) % 12) AS event, "
        "round(10 * chance(i * 1000 + n, 13), 1)::DOUBLE AS quantity, 'u' || (hash(n, i) % (2 + kind * 3)) AS user_id "
        + many.format(events),
        "tickets": f"SELECT account_id, 't' || i || '-' || n AS ticket_id, {at('least(moment, until)')} AS opened_at, "
        f"{at('least(moment + 3 * chance(i, n + 23), until)')} AS first_response_at, "
        f"{at('least(moment + 9 * chance(i, n + 23), until)')} AS resolved_at, "
        "['low', 'normal', 'high'][1 + (hash(i, n) % 3)::INTEGER] AS priority, 'category ' || (hash(n, i) % 5) AS category "
        + some.format(21, 3)
        + " WHERE n < CASE WHEN leaves THEN 3 ELSE 1 END",
        "surveys": f"SELECT account_id, {at('moment')} AS sent_at, CASE WHEN {answered} THEN "
        f"{at('moment + 2 * chance(i, n + 33)')} END AS answered_at, CASE WHEN {answered} THEN {value} END::DOUBLE AS value "
        + some.format(34, 2),
        "subscriptions": f"SELECT account_id, 's' || i AS subscription_id, {at('starts')} AS started_at, "
        f"CASE WHEN leaves THEN {at('ends')} END AS ended_at, (20 + 60 * kind)::DOUBLE AS mrr, 'plan ' || kind AS plan, "
        "CASE WHEN NOT leaves THEN NULL WHEN chance(i, 41) < 0.2 THEN 'card' ELSE 'price' END AS end_reason, "
        "(2 + kind * 3)::DOUBLE AS seats FROM account",
        "payments": f"SELECT account_id, {at('starts + 30 * n')} AS at, (20 + 60 * kind)::DOUBLE AS amount, "
        f"CASE WHEN chance(i, n + 51) < 0.03 THEN 'failed' ELSE 'paid' END AS status {many.format(MONTHS)} "
        "WHERE starts + 30 * n < until",
    }


def config(folder: Path, data: Path, models: Path, out: str) -> Path:
    """Write the config of a company."""
    path = folder / f"{out}.yaml"
    path.write_text(CONFIG.format(data=data, out=folder / out, models=models))
    return path


def learn(path: Path) -> None:
    """Train the default model on a small company."""
    from staypower.pipelines.train import train

    train(path)


def score(path: Path, memory: str) -> int:
    """Score every account."""
    from staypower.config.loading import load_config
    from staypower.pipelines.score import score as score_job
    from staypower.progress import Progress

    settings = load_config(path, [f"engine.memory={memory}"])
    return len(score_job(settings, progress=Progress(), model="1").scores)


def features(path: Path, memory: str) -> int:
    """Build the training matrix of 24 cutoffs."""
    from staypower.config.loading import load_config
    from staypower.pipelines.features import list_features
    from staypower.progress import Progress

    return list_features(load_config(path, [f"engine.memory={memory}"]), progress=Progress(), build=True).rows


def main() -> None:
    """Make the company, score it, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="10,000 accounts")
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--memory", nargs="*", default=["4GB", "2GB"])
    parser.add_argument("--only", choices=["score", "features"])
    parser.add_argument("--folder", type=Path, help="where to work; by default a temporary folder that is taken away")
    asked = parser.parse_args()
    accounts = 10_000 if asked.quick else asked.accounts
    # configs name their data from where they lie themselves
    folder = (asked.folder or Path(tempfile.mkdtemp(prefix="staypower-"))).resolve()
    try:
        small, large = (folder / name for name in ("small", f"large-{accounts}"))
        if not (folder / "models").exists():
            learn(config(folder, company(small, 4_000), folder / "models", "small-out"))
        if not large.exists():
            company(large, accounts)
        path = config(folder, large, folder / "models", "out")
        jobs = [job for job in (score, features) if asked.only in (None, job.__name__)]
        sides = {f"{job.__name__}, {memory}": partial(job, path, memory) for job in jobs for memory in asked.memory}
        print(f"{machine()}; {accounts:,} accounts, {accounts * EVENTS:,} events of use")
        rows = compare(sides, repeats=asked.repeats)
        print(table(rows))
        print("\n".join(f"{row.side}: {row.result:,} rows" for row in rows))
    finally:
        if asked.folder is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
