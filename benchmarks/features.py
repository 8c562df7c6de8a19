"""How fast features are built: against pandas, Polars, DuckDB, Featuretools, getML; how the cost grows with cutoffs, events.

Sixty features of usage, for every account at every cutoff, from Parquet files that the benchmark writes itself. Each side runs
in a process of its own, after the same work on a handful of rows, so that imports and compiled code are there; sides take
turns.

    python benchmarks/features.py [--quick] [--repeats 3] [--only sides growth events reading]
        [--featuretools PYTHON] [--fastprop PYTHON]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from feature_data import make_usage, months_back
from feature_sides import FEATURES, by_duckdb, by_pandas, by_plain_pandas, by_polars, by_staypower, only_read
from measuring import compare, machine, ratio, table

PARTS = ("sides", "growth", "events", "reading")


def main() -> None:
    """Run the parts asked for and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the events, six cutoffs, one run: about a minute")
    parser.add_argument("--repeats", type=int, default=None, help="runs of each side; default 3, quick 1")
    parser.add_argument("--cutoffs", type=int, default=None, help="of the sides; default 24, quick 6")
    parser.add_argument("--sides", nargs="+", default=None, help="only these sides, staypower always")
    parser.add_argument("--events", type=int, default=None, help="default 10,000,000, quick 1,000,000; 100 an account")
    parser.add_argument("--most-events", type=int, default=None, help="the largest size of the growth with events")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS, help="parts to run, possibly none")
    parser.add_argument("--featuretools", metavar="PYTHON", help="an interpreter whose environment has featuretools")
    parser.add_argument("--fastprop", metavar="PYTHON", help="an interpreter whose environment has getml and psutil")
    parser.add_argument("--folder", type=Path, default=None, help="where the data go, and stay; default: a temporary folder")
    told = parser.parse_args()
    events = told.events or (1_000_000 if told.quick else 10_000_000)
    most = told.most_events or events * (3 if told.quick else 10)
    repeats = told.repeats or (1 if told.quick else 3)
    with tempfile.TemporaryDirectory() as temporary:
        folder = told.folder or Path(temporary)
        print(f"{events:,} events, {events // 100:,} accounts, {len(FEATURES)} features; {machine()}")
        if "sides" in told.only:
            print_sides(folder, events, told.cutoffs or (6 if told.quick else 24), repeats, told.sides)
        if "growth" in told.only:
            print_growth(folder, events, (1, 6, 24) if told.quick else (1, 6, 12, 24, 52), repeats)
        if "reading" in told.only:
            print_reading(folder, events, repeats)
        if "events" in told.only:
            print_events(folder, (events, most), repeats)
        if told.featuretools:
            print_featuretools(folder, told.featuretools, events, 6 if told.quick else 24, repeats)
        if told.fastprop:
            sizes = [(events // 10, cutoffs) for cutoffs in (1, 4)]
            print_elsewhere(folder, "FastProp", told.fastprop, sizes, repeats, repeats)


def warm(folder: Path) -> partial[pd.DataFrame]:
    """Return what makes a process ready to build features: the same on a handful of rows."""
    return partial(by_staypower, make_usage(folder, 1_000, 50), months_back(2))


def print_sides(folder: Path, events: int, cutoffs: int, repeats: int, only: list[str] | None) -> None:
    """Compare with pandas, DuckDB and Polars, each looped over the cutoffs; then see that all give the same."""
    place, few = make_usage(folder, events, events // 100), make_usage(folder, 1_000, 50)
    calls = {"staypower": by_staypower, "pandas": by_plain_pandas, "pandas, tuned": by_pandas}
    calls |= {"DuckDB": by_duckdb, "Polars": by_polars}
    calls = {name: call for name, call in calls.items() if only is None or name in ("staypower", *only)}
    sides = {name: partial(_rows, call, place, months_back(cutoffs)) for name, call in calls.items()}
    prepare = {name: partial(call, few, months_back(2)) for name, call in calls.items()}
    rows = compare(sides, repeats, prepare)
    print(f"\n{cutoffs} cutoffs, reading included\n\n{table(rows, against='staypower')}")
    for name in list(calls)[1:]:
        times = [ratio(rows, name, "staypower", what) for what in ("walls", "cpus")]
        print(f"{name}: {times[0]:.0f}x the time, {times[1]:.0f}x the CPU time")
    ends = np.unique(months_back(cutoffs)[[0, -1]])
    print(_compared({name: call(place, ends) for name, call in calls.items()}))


def _rows(call: partial[pd.DataFrame], place: Path, cutoffs: np.ndarray) -> int:
    return len(call(place, cutoffs))


def _compared(made: dict[str, pd.DataFrame]) -> str:
    """Say whether every side gave the same values, to nine digits, as staypower."""
    ours = made["staypower"]
    wrong = [
        f"{name}.{feature}"
        for name, theirs in made.items()
        for feature in FEATURES
        if not np.allclose(ours[feature], theirs[feature], rtol=1e-9, atol=1e-9, equal_nan=True)
    ]
    return f"DIFFERENT: {', '.join(wrong)}" if wrong else f"all {ours.size:,} values at the first and last cutoff agree"


def print_growth(folder: Path, events: int, counts: tuple[int, ...], repeats: int) -> None:
    """Show what more cutoffs cost, and each number that they add."""
    place = make_usage(folder, events, events // 100)
    sides = {f"{count} cutoffs": partial(_rows, by_staypower, place, months_back(count)) for count in counts}
    rows = compare(sides, repeats, dict.fromkeys(sides, warm(folder)))
    print(f"\ngrowth with cutoffs, reading included\n\n{table(rows, against=f'{counts[0]} cutoffs')}")
    (fewer, more), (few, many) = rows[-2:], counts[-2:]
    numbers = (more.result - fewer.result) * len(FEATURES) / 1e9
    spent, system = (
        median(late - early for early, late in zip(*times, strict=True)) / numbers
        for times in ((fewer.cpus, more.cpus), (fewer.systems, more.systems))
    )
    each = f"{spent:.2f} ns of CPU time, {system:.2f} of it the system's"
    print(f"one number of the matrix, from {few} to {many} cutoffs: {each}")


def print_reading(folder: Path, events: int, repeats: int) -> None:
    """Compare one cutoff with only reading the columns that it needs."""
    place = make_usage(folder, events, events // 100)
    sides = {"Arrow reads": partial(only_read, place), "one cutoff": partial(_rows, by_staypower, place, months_back(1))}
    few = make_usage(folder, 1_000, 50)
    rows = compare(sides, repeats, {"Arrow reads": partial(only_read, few), "one cutoff": warm(folder)})
    print(f"\none cutoff against only reading its columns with Arrow\n\n{table(rows, against='Arrow reads')}")


def print_events(folder: Path, sizes: tuple[int, int], repeats: int) -> None:
    """Show what more events, and as many more accounts, cost at one cutoff, and what reading them alone costs."""
    places = {size: make_usage(folder, size, size // 100) for size in sizes}
    reading = {f"{size:,} events, only read": partial(only_read, place) for size, place in places.items()}
    sides = {f"{size:,} events": partial(_rows, by_staypower, place, months_back(1)) for size, place in places.items()}
    rows = compare(reading | sides, repeats, dict.fromkeys(sides, warm(folder)))
    print(f"\ngrowth with events, 100 an account, one cutoff, reading included\n\n{table(rows)}")
    for small, large in (list(reading), list(sides)):
        print(f"per event: {ratio(rows, large, small) * sizes[0] / sizes[1]:.2f}x the CPU time ({large} against {small})")


def print_featuretools(folder: Path, python: str, events: int, cutoffs: int, repeats: int) -> None:
    """Run Featuretools at two sizes that it can do, and extrapolate from the larger one."""
    sizes = [(events // 100, cutoffs), (events // 20, cutoffs)]
    each = print_elsewhere(folder, "Featuretools", python, sizes, repeats, 1) / sizes[-1][0] / cutoffs
    place = make_usage(folder, events, events // 100)
    ours = compare({"": partial(_rows, by_staypower, place, months_back(cutoffs))}, repeats, {"": warm(folder)})[0]
    far = each * events * cutoffs
    print(f"{each * 1e6:.0f} microseconds an event and cutoff; at {events:,} events by this rate: {far:,.0f} CPU s")
    print(f"staypower, {len(FEATURES)} features, reading included: {ours.cpu:.2f} CPU s, {far / ours.cpu:,.0f}x less")


def print_elsewhere(folder: Path, rival: str, python: str, sizes: list[tuple[int, int]], repeats: int, turns: int) -> float:
    """Compare at some events and cutoffs with what runs in an environment of its own; return its last CPU seconds of building.

    It makes features of its own choice beside those that both have, whose values are compared: so numbers are counted.
    """
    print(f"\n{rival} in one thread; numbers are features x rows\n")
    heads = ("events", "cutoffs", "", "features", "CPU s to read", "and to build", "numbers a CPU s", "without reading")
    print(f"| {' | '.join(heads)} |\n| ---: | ---: | --- |{' ---: |' * 5}")
    said = []
    for events, cutoffs in sizes:
        place, asked = make_usage(folder, events, events // 100), months_back(cutoffs)
        # a fraction of a second on a busy machine varies by half
        ours = compare({"": partial(_rows, by_staypower, place, asked)}, 3 * repeats, {"": warm(folder)})[0]
        done = [_elsewhere(rival, python, place, asked) for _ in range(turns)]
        reading, building = (median(took[what] for took, _ in done) for what in ("reading", "building"))
        count = done[0][0]["features"]
        rates = [count * ours.result / seconds for seconds in (reading + building, building)]
        own = len(FEATURES) * ours.result / ours.cpu
        start, both = f"| {events:,} | {cutoffs} |", f"{rates[0]:,.0f} | {rates[1]:,.0f}"
        print(f"{start} {rival} | {count} | {reading:.2f} | {building:.2f} | {both} |")
        print(f"{start} staypower | {len(FEATURES)} | (both) | {ours.cpu:.2f} | {own:,.0f} | |")
        times = f"{own / rates[0]:.1f}x as many numbers a CPU second, {own / rates[1]:.1f}x without {rival}'s reading"
        said.append(f"{events:,} events, {cutoffs} cutoffs: {times}; {done[-1][1]}")
    print("\n" + "\n".join(said))
    return building


def _elsewhere(rival: str, python: str, place: Path, cutoffs: np.ndarray) -> tuple[dict[str, float], str]:
    """Run a rival's script; return what it took, and whether the features that both have agree."""
    script, output = Path(__file__).with_name(f"{rival.lower()}_usage.py"), place / f"{rival.lower()}.parquet"
    told = [str(cutoff) for cutoff in cutoffs]
    done = subprocess.run([python, str(script), str(place), str(output), *told], check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{rival} failed:\n{done.stdout}{done.stderr}")
    theirs, ours = pd.read_parquet(output), by_staypower(place, cutoffs)
    # Featuretools has no row of an account before its first event: a count of nothing is missing there
    zero = [name for name in theirs if not name.startswith(("days_since", "weekend"))]
    theirs[zero] = theirs[zero].fillna(0.0)
    near = partial(np.allclose, rtol=1e-9, atol=1e-6, equal_nan=True)
    wrong = [name for name in theirs if name not in ours or not near(ours[name], theirs[name])]
    agree = f"all {theirs.size:,} values of {theirs.shape[1]} features agree"
    return json.loads(done.stdout.splitlines()[-1]), f"DIFFERENT: {', '.join(wrong)}" if wrong else agree


if __name__ == "__main__":
    main()
