"""Score companies of several sizes on Spark and on one machine's engine, and print processor time by size.

    python benchmarks/spark.py                       # 2,000 to 20,000 accounts with 100 events each
    python benchmarks/spark.py --accounts 1000 4000  # other sizes

Processor time is that of all processes of a run: the driver, Java and its Python workers. What grows with the rows is the
difference between two sizes; what does not is the start of Spark. `worker MB` is the largest peak memory of a Python worker.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from measuring import machine
from score import EVENTS, company, config, learn

CALL = """
import sys
from pathlib import Path
from staypower.config.loading import load_config
from staypower.pipelines.score import score
from staypower.progress import Progress
if __name__ == "__main__":
    settings = load_config(sys.argv[1], sys.argv[3:])
    score(settings, progress=Progress(), model="1", output=Path(sys.argv[2]))
"""
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True)
class Taken:
    """What a run took: seconds by the clock, of processors, and the largest worker in megabytes."""

    wall: float
    cpu: float
    worker: float


def measure(path: Path, output: Path, overrides: list[str]) -> Taken:
    """Score in processes of their own and add up what all of them took (Linux)."""
    began = time.perf_counter()
    command = [sys.executable, "-c", CALL, str(path), str(output), *overrides]
    run = subprocess.Popen(command, start_new_session=True)
    seen: dict[int, tuple[float, float]] = {}
    while run.poll() is None:
        for number, (cpu, peak) in processes(run.pid).items():
            before = seen.get(number, (0.0, 0.0))
            seen[number] = (max(cpu, before[0]), max(peak, before[1]))
        time.sleep(0.2)
    if run.returncode:
        raise SystemExit(f"the run failed: {run.returncode}")
    peaks = [peak for number, (_, peak) in seen.items() if number != run.pid]
    return Taken(time.perf_counter() - began, sum(cpu for cpu, _ in seen.values()), max(peaks, default=0.0))


def processes(session: int) -> dict[int, tuple[float, float]]:
    """Return processor seconds and peak memory of every process of a session; peaks of Python workers only."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            number = int(folder.name)
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) != session:
                continue
            status = (folder / "status").read_text()
        except (ValueError, OSError):
            continue
        python = status.startswith("Name:\tpython")
        peak = next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0.0)
        found[number] = ((int(fields[11]) + int(fields[12])) / TICKS, peak if python else 0.0)
    return found


def main() -> None:
    """Make the companies, score them, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, nargs="*", default=[2_000, 6_000, 20_000])
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to work; by default a temporary folder that is taken away")
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="staypower-"))
    engine = ["engine.kind=spark", "engine.master=local[2]", f"engine.partitions={asked.partitions}"]
    engine.append("engine.options={spark.driver.memory: 2g, spark.local.dir: " + str(folder / "local") + "}")
    try:
        if not (folder / "models").exists():
            learn(config(folder, company(folder / "small", 2_000), folder / "models", "small-out"))
        print(f"{machine()}; {EVENTS} events of use for each account, {asked.partitions} partitions")
        print("| accounts | events | engine | wall s | CPU s | worker MB |\n|---:|---:|---|---:|---:|---:|")
        for accounts in asked.accounts:
            data = folder / f"large-{accounts}"
            if not data.exists():
                company(data, accounts)
            path = config(folder, data, folder / "models", "out")
            for name, output, overrides in (("spark", "many", engine), ("embedded", "one.parquet", [])):
                turns = sorted((measure(path, folder / output, overrides) for _ in range(asked.repeats)), key=lambda t: t.cpu)
                told = turns[len(turns) // 2]
                row = f"| {accounts:,} | {accounts * EVENTS:,} | {name} | {told.wall:.0f} | {told.cpu:.1f} | "
                print(row + (f"{told.worker:,.0f} |" if name == "spark" else "|"), flush=True)
    finally:
        if asked.folder is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
