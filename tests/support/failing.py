"""Run commands whose n-th change of a file fails, or that are killed at some moment; and look whether what is left is whole."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from staypower.models.versions import ModelVersions

HERE = Path(__file__).parent
COMPILER = shutil.which("cc")


@dataclass
class Runner:
    """A process that has imported everything, and runs each command in a copy of itself."""

    process: subprocess.Popen[str]

    @classmethod
    def started(cls, scratch: Path, *, failing: bool) -> Runner:
        """Start it; with what makes the n-th change fail, compiled first."""
        environment = {**os.environ, "TMPDIR": str(scratch)}
        if failing:
            library = scratch / "nth_failure.so"
            words = [str(COMPILER), "-shared", "-fPIC", "-O1", "-o", str(library), str(HERE / "nth_failure.c"), "-ldl"]
            subprocess.run(words, check=True, capture_output=True)
            environment["LD_PRELOAD"] = str(library)
        server = [sys.executable, str(HERE / "failing_server.py")]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(server, text=True, env=environment, **pipes)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return cls(process)

    def run(
        self, *words: str, root: Path, at: int = 0, onwards: bool = False, kill: tuple[float, int] | None = None
    ) -> dict[str, Any]:
        """Run a command; `kill` is after how many seconds and by which signal."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        asked = {"words": words, "root": str(root), "at": at, "onwards": onwards}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        found: dict[str, Any] = {}
        while "status" not in found:
            found |= json.loads(self.process.stdout.readline())
            if kill is not None and set(found) == {"pid"}:
                time.sleep(kill[0])
                with suppress(ProcessLookupError):
                    os.kill(found["pid"], kill[1])
        return found

    def close(self) -> None:
        """End it."""
        self.process.communicate()


@dataclass
class Company:
    """A small company whose results are looked at."""

    config: Path
    seen: dict[str, str] = field(default_factory=dict)  # digest of each version

    @property
    def folder(self) -> Path:
        return self.config.parent

    def copied(self, to: Path) -> Company:
        """Return a copy to be ruined."""
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(self.folder, to)
        return Company(to / self.config.name, dict(self.seen))

    @property
    def versions(self) -> ModelVersions:
        return ModelVersions(self.folder / "models", "tiny")

    def champion(self, *, killed: bool = False) -> str:
        """Return the champion after looking whether every version is whole, and listed.

        A process that was killed can leave a sealed folder that no command lists; its number is not given again.
        """
        records = self.versions.records()
        for version in records:
            self.versions.record_of(version)
        folders = {entry.name for entry in self.versions.folder.iterdir() if entry.name.isdecimal()}
        assert folders == set(records) or (killed and folders > set(records)), "a version without a record"
        lock = self.versions.champion()
        assert lock is None or records[lock.version].digest == lock.digest
        return "" if lock is None else lock.version

    def strays(self) -> list[str]:
        """Name what is half made."""
        marks = (".building", ".tmp", ".unfinished")
        return [str(path) for path in self.folder.rglob("*") if path.name.endswith(marks)]

    def scores(self) -> list[dict[str, Any]]:
        """Return the list of scores but for when and by which run; it must be whole."""
        rows = pq.read_table(self.folder / "out" / "scores.parquet").to_pylist()
        return [
            {key: value for key, value in row.items() if key not in ("scored_at", "run_id", "model_version")} for row in rows
        ]
