"""Versions and the champion: what a step that failed left is completed by the same command again."""

from __future__ import annotations

import pytest
from small_bundle import small_bundle

from staypower.models.bundle import write_bundle
from staypower.models.versions import ModelVersions, promotion_of


def test_a_promotion_that_was_not_written_to_its_end_is_completed(tmp_path, monkeypatch):
    versions = ModelVersions(tmp_path, "acme")
    for seed in (0, 1):
        digest = write_bundle(small_bundle(seed), tmp_path / f"b{seed}")
        versions.add(tmp_path / f"b{seed}", digest, {"auroc": 0.7})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ModelVersions, "_write", full)
    with pytest.raises(OSError, match="No space"):
        versions.promote("2", forced=True, reason="tried")
    with pytest.raises(OSError, match="No space"):
        versions.add(tmp_path / "b1", digest, {"auroc": 0.7})
    monkeypatch.undo()
    assert not (tmp_path / "acme" / "3").exists(), "no folder without a record"
    assert versions.champion().version == "2"
    assert not versions.records()["2"].promotion
    lock = versions.promote("2")
    assert versions.records()["2"].promotion == promotion_of(lock)
    assert lock.reason == "tried"
