"""Time whole commands, the start of Python included: help, version, and scoring a thousand accounts.

python benchmarks/startup.py             # about two minutes; simulates and trains a company of 1,000 accounts first
python benchmarks/startup.py --quick     # 300 accounts
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from measuring import compare, machine

PROGRAM = [sys.executable, "-m", "staypower.cli"]


def command(words: list[str], folder: Path) -> None:
    """Run one command to its end."""
    subprocess.run([*PROGRAM, *words], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main() -> None:
    """Simulate and train a company, then time the commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="300 accounts")
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    accounts = 300 if asked.quick else 1_000
    with tempfile.TemporaryDirectory(prefix="staypower-") as name:
        folder = Path(name)
        command(["demo", "--accounts", str(accounts), "--quiet"], folder)
        config = ["-c", "demo/staypower.yaml", "--quiet"]
        commands = {
            "--help": ["--help"],
            "--version": ["--version"],
            f"score, {accounts:,} accounts": ["score", *config, "--model", "1"],
            "the same in 8 buckets": ["score", *config, "--model", "1", "--set", "engine.buckets=8"],
        }
        rows = compare({title: partial(command, words, folder) for title, words in commands.items()}, repeats=asked.repeats)
    print(machine())
    print("| command | wall s | CPU s |\n| --- | ---: | ---: |")
    print("\n".join(f"| {row.side} | {row.wall:.2f} | {row.cpu:.2f} |" for row in rows))


if __name__ == "__main__":
    main()
