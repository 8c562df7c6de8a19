"""Install the lowest, the newest and a random allowed set of dependencies, and train and score a small company with each.

`python scripts/try_versions.py` needs `uv`. It takes every Python from 3.11 to 3.13 that uv finds; `--resolve` only resolves.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.11", "3.12", "3.13")
SMOKE = """
import sys, warnings
sys.path.insert(0, {support!r})
from pathlib import Path
from tiny_company import tiny_company
import staypower
config = tiny_company(Path({folder!r}))
trained = staypower.train(config)
scores = staypower.score(config).frame()
staypower.report(config)
assert trained.registered.champion and len(scores) == 80, (trained.registered, len(scores))
assert staypower.verify(config, version=1).same
print("trained, scored, reported and verified")
"""


def uv(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run uv."""
    done = subprocess.run(["uv", *words], capture_output=True, text=True, cwd=ROOT)
    if check and done.returncode:
        sys.exit(f"uv {' '.join(words)}\n{done.stderr}")
    return done


def resolved(python: str, resolution: str, constraints: Path | None = None) -> dict[str, str] | None:
    """Return the versions that uv chooses; None where it finds none."""
    words = ["pip", "compile", "pyproject.toml", "--python-version", python, "--resolution", resolution, "--no-annotate", "-q"]
    done = uv(*words, "--no-header", *(["-c", str(constraints)] if constraints else []), check=False)
    found = re.findall(r"^([a-z0-9-]+)==([^\s;]+)", done.stdout, re.MULTILINE)
    return dict(found) if done.returncode == 0 else None


def mixed(lowest: dict[str, str], newest: dict[str, str], python: str, scratch: Path, seed: int) -> dict[str, str]:
    """Draw for each package one of its two versions until a set goes together; without the last ones where none does."""
    draw = random.Random(seed)
    names = sorted(set(lowest) & set(newest))
    for tries in range(40):
        kept = draw.sample(names, max(0, len(names) - 3 * tries))
        lines = [f"{name}=={draw.choice([lowest, newest])[name]}" for name in kept]
        path = scratch / "mixed.txt"
        path.write_text("\n".join(lines) + "\n")
        found = resolved(python, "highest", path)
        if found is not None:
            return found
    sys.exit(f"no random set goes together on Python {python}")


def smoke(python: str, versions: dict[str, str], scratch: Path) -> None:
    """Install a set of versions into an environment of its own, and use it."""
    home, wanted = scratch / "venv", scratch / "wanted.txt"
    shutil.rmtree(home, ignore_errors=True)
    wanted.write_text("".join(f"{name}=={version}\n" for name, version in versions.items()))
    interpreter = str(home / "bin" / "python")
    uv("venv", "-q", "--python", python, str(home))
    uv("pip", "install", "-q", "--python", interpreter, "-r", str(wanted))
    uv("pip", "install", "-q", "--python", interpreter, "--no-deps", str(ROOT))
    folder = scratch / "tiny"
    shutil.rmtree(folder, ignore_errors=True)
    program = SMOKE.format(support=str(ROOT / "tests" / "support"), folder=str(folder))
    done = subprocess.run([interpreter, "-W", "ignore", "-c", program], capture_output=True, text=True, cwd=scratch)
    if done.returncode:
        sys.exit(f"the smoke test fails:\n{done.stdout}{done.stderr}")


def main() -> None:
    """Try every set on every Python."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resolve", action="store_true", help="only resolve, install nothing")
    parser.add_argument("--seed", type=int, default=0, help="of the random set")
    parser.add_argument("--python", nargs="*", default=list(PYTHONS))
    parser.add_argument("--sets", nargs="*", default=["lowest", "newest", "random"])
    asked = parser.parse_args()
    for python in asked.python:
        if not asked.resolve and uv("python", "find", python, check=False).returncode:
            print(f"Python {python}: not found here")
            continue
        with tempfile.TemporaryDirectory() as scratch:
            lowest, newest = resolved(python, "lowest-direct"), resolved(python, "highest")
            if lowest is None or newest is None:
                sys.exit(f"Python {python}: the dependencies do not go together")
            sets = {"lowest": lowest, "newest": newest}
            if "random" in asked.sets:
                sets["random"] = mixed(lowest, newest, python, Path(scratch), asked.seed)
            for name in asked.sets:
                if not asked.resolve:
                    smoke(python, sets[name], Path(scratch))
                done = "resolved" if asked.resolve else "trained, scored, reported and verified"
                print(f"Python {python}, {name} versions ({len(sets[name])} packages): {done}", flush=True)


if __name__ == "__main__":
    main()
