"""Equal inputs give an equal digest, and `models verify` makes a version again and says what differs."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from command_line import run
from tiny_company import tiny_company, tiny_orders

import staypower
from staypower.errors import UsageError


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tiny_company(tmp_path_factory.mktemp("tiny"))
    staypower.train(path)
    return path


def test_a_version_comes_out_again_to_the_byte(config):
    code, out, err = run("models", "verify", "1", "-c", str(config))
    assert code == 0, err
    digest = json.loads((config.parent / "models" / "tiny" / "versions.json").read_text())["1"]["digest"]
    assert f"every byte is the same (digest {digest})" in " ".join(out.split())
    assert "1" in json.loads((config.parent / "models" / "tiny" / "versions.json").read_text()), "nothing is kept"
    assert not (config.parent / "models" / "tiny" / "2").exists()


def test_rows_in_another_order_and_in_several_files_are_the_same_data(config):
    orders = tiny_orders()
    turned = orders.iloc[np.random.default_rng(0).permutation(len(orders))]
    found = staypower.verify(config, {"orders.csv": turned}, version=1)
    assert found.same, found.text()


def test_another_date_is_another_date_and_no_other_model(config, tmp_path, monkeypatch):
    shutil.copytree(config.parent, tmp_path / "again", ignore=shutil.ignore_patterns("models", "mlruns", "out"))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "946684800")
    again = staypower.train(tmp_path / "again" / "staypower.yaml")
    first, second = (
        json.loads((folder / "models" / "tiny" / "versions.json").read_text())["1"]
        for folder in (config.parent, tmp_path / "again")
    )
    assert first["digest"] == second["digest"] == again.bundle.digest
    assert second["registered_at"] == "2000-01-01T00:00:00+00:00"
    scored = staypower.score(tmp_path / "again" / "staypower.yaml", write=False).frame()
    assert set(scored["scored_at"]) == {"2000-01-01T00:00:00+00:00"}


def test_other_data_and_other_settings_are_named(config):
    orders = tiny_orders()
    orders.loc[5, "amount"] += 1
    other = staypower.verify(config, {"orders.csv": orders}, version="1")
    assert not other.same
    assert other.exit_code == 1
    assert other.causes == ("The data are not those that the version was trained on.",)
    assert any(one.place == "data_fingerprint" for one in other.differences)
    code, out, _ = run("models", "verify", "1", "-c", str(config), "--set", "model.max_trees=10", "--json")
    assert code == 1
    found = json.loads(out)
    assert not found["same"]
    assert found["causes"] == []
    assert {one["file"] for one in found["differences"]} >= {"model.txt", "card.md"}
    said = run("models", "verify", "1", "-c", str(config), "--set", "label.gap=7")[1]
    assert "The label's settings are not those that the version was trained with." in " ".join(said.split())
    assert "metadata.json label.gap: 0 in the version, 7 now" in " ".join(said.split())


def test_a_version_that_is_not_there_or_was_altered_is_refused(config, tmp_path):
    with pytest.raises(UsageError, match="no such version: tiny 7"):
        staypower.verify(config, version=7)
    shutil.copytree(config.parent, tmp_path / "altered")
    card = tmp_path / "altered" / "models" / "tiny" / "1" / "card.md"
    card.write_text(card.read_text() + "better than it is")
    with pytest.raises(UsageError, match=r"a file of the bundle was altered"):
        staypower.verify(tmp_path / "altered" / "staypower.yaml", version=1)


def test_differences_are_a_frame(config):
    orders = tiny_orders()
    found = staypower.verify(config, {"orders.csv": orders.assign(amount=orders["amount"] * 2)}, version=1).frame()
    assert list(found) == ["file", "place", "sealed", "rebuilt"]
    assert len(found)
    assert isinstance(found, pd.DataFrame)
