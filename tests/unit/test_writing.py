"""Files are whole or not there, and harmless to open."""

from __future__ import annotations

import pandas as pd
import pytest

from staypower.errors import UsageError
from staypower.writing import write_atomically, write_table

FRAME = pd.DataFrame({"account_id": ["=cmd()", "+1", "-1", "@a", "007", None], "p": [-0.5, 0.1, 0.2, 0.3, 0.4, 0.5]})


def test_formulas_are_defused_in_csv_and_numbers_left_alone(tmp_path):
    read = pd.read_csv(write_table(FRAME, tmp_path / "s.csv"), dtype={"account_id": str})
    assert read["account_id"].tolist()[:5] == ["'=cmd()", "'+1", "'-1", "'@a", "007"]
    assert read["p"].tolist() == FRAME["p"].tolist()


def test_parquet_keeps_ids_as_they_are(tmp_path):
    read = pd.read_parquet(write_table(FRAME, tmp_path / "deep" / "s.parquet"))
    assert read["account_id"].tolist()[:5] == ["=cmd()", "+1", "-1", "@a", "007"]


def test_a_failed_write_leaves_the_old_file_and_no_stray_one(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("old")

    def fail(temporary):
        temporary.write_text("half")
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        write_atomically(path, fail)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["s.csv"]


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"\.parquet"):
        write_table(FRAME, tmp_path / "s.xlsx")


def test_a_place_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write"):
        write_table(FRAME, tmp_path / "file" / "s.csv")
