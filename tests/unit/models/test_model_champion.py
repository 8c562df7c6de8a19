from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from staypower.errors import UsageError
from staypower.models.champion import (
    ChampionLock,
    VersionRecord,
    find_bundle,
    read_champion,
    read_versions,
    write_champion,
    write_versions,
)

FOUND = {"wins": True, "metrics": {"log_loss": {"champion": 0.3, "challenger": 0.2}}}
LOCK = ChampionLock("2", "a" * 64, "run", "2026-01-01T00:00:00+00:00", "better", ("1",), "ann", "yes", FOUND)
RECORD = VersionRecord(
    "2", "a" * 64, "run", "temporal", "2026-01-01T00:00:00+00:00", {"auroc": 0.7}, {"tested_rows": "9"}, "no"
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_champion(tmp_path, "acme", LOCK)
    write_versions(tmp_path, "acme", {"2": RECORD})
    assert read_champion(tmp_path, "acme") == LOCK
    assert read_versions(tmp_path, "acme") == {"2": RECORD}
    assert json.loads((tmp_path / "acme" / "champion.json").read_text())["previous"] == "1"
    assert sorted(path.name for path in (tmp_path / "acme").iterdir()) == ["champion.json", "versions.json"]


def test_a_failed_write_leaves_the_old_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_champion(tmp_path, "acme", LOCK)

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(UsageError, match="disk full"):
        write_champion(tmp_path, "acme", dataclasses.replace(LOCK, version="3"))
    assert read_champion(tmp_path, "acme") == LOCK
    assert [path.name for path in (tmp_path / "acme").iterdir()] == ["champion.json"]


@pytest.mark.parametrize(
    "change",
    [
        {"version": "../../etc"},
        {"version": 2},
        {"version": "²"},
        {"digest": "a" * 63},
        {"digest": "A" * 64},
        {"digest": None},
        {"history": [1]},
        {"run_id": 7},
        {"comparison": "won"},
        {"promoted_by": ["ann"]},
    ],
)
def test_a_lock_that_was_tampered_with_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = write_champion(tmp_path, "acme", LOCK)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UsageError, match="unusable lock file"):
        read_champion(tmp_path, "acme")


def test_a_lock_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    path = write_champion(tmp_path, "acme", LOCK)
    kept = {
        key: value for key, value in json.loads(path.read_text()).items() if key not in ("promoted_by", "forced", "comparison")
    }
    path.write_text(json.dumps(kept))
    assert read_champion(tmp_path, "acme") == dataclasses.replace(LOCK, promoted_by="", forced="", comparison={})


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": "1"}', "null"])
def test_a_lock_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    write_champion(tmp_path, "acme", LOCK).write_text(text)
    with pytest.raises(UsageError):
        read_champion(tmp_path, "acme")


def test_which_bundle(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="train a model first"):
        find_bundle(tmp_path, "acme")
    with pytest.raises(UsageError, match="train a model first"):
        find_bundle(tmp_path, "acme", "1")
    write_versions(tmp_path, "acme", {"2": dataclasses.replace(RECORD, unfit="")})
    with pytest.raises(UsageError, match=r"promote one with `staypower models promote 2`"):
        find_bundle(tmp_path, "acme")
    write_versions(tmp_path, "acme", {"2": dataclasses.replace(RECORD, unfit="", split="snapshot")})
    with pytest.raises(UsageError, match=r"promote 2 --force --reason TEXT`, or use it this once with `--model 2`"):
        find_bundle(tmp_path, "acme")
    write_versions(tmp_path, "acme", {"2": dataclasses.replace(RECORD, unfit="is not fit: too little")})
    with pytest.raises(UsageError, match=r"version 2 is not fit: too little: .*promote 2 --force --reason TEXT`"):
        find_bundle(tmp_path, "acme")
    assert find_bundle(tmp_path, "acme", "2").folder == tmp_path / "acme" / "2"
    assert find_bundle(tmp_path, "acme", "2").digest == "a" * 64
    with pytest.raises(UsageError, match="no such version"):
        find_bundle(tmp_path, "acme", "3")
    assert find_bundle(tmp_path, "acme", "else/where").digest is None
