"""Files are whole or not there, and harmless to open."""

from __future__ import annotations

import errno
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from staypower.errors import UsageError
from staypower.outputs.files import read_table, write_rows, write_table
from staypower.writing import write_atomically

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
    with pytest.raises(UsageError, match=r"a file where a folder is needed"):
        write_table(FRAME, tmp_path / "file" / "s.csv")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_where_batches_end_leaves_no_trace(tmp_path, monkeypatch, ending):
    monkeypatch.setattr("staypower.outputs.files._ROWS_PER_GROUP", 7)
    rows = pa.table({"account_id": [f"={n}" if n % 3 else None for n in range(40)], "p": [n / 7 for n in range(40)]})
    whole = write_rows([rows], rows.schema, tmp_path / f"whole.{ending}").read_bytes()
    for cuts in ((0, 40), (0, 1, 8, 8, 39, 40), tuple(range(41))):
        batches = (rows.slice(low, high - low) for low, high in pairwise(cuts))
        assert write_rows(batches, rows.schema, tmp_path / f"cut.{ending}").read_bytes() == whole
    assert read_table(tmp_path / f"cut.{ending}")["account_id"].dropna().tolist()[:2] == ["=1", "=2"]


def test_a_file_without_rows_has_its_columns(tmp_path):
    schema = pa.schema({"account_id": pa.string(), "tier": pa.string()})
    for ending in ("csv", "parquet"):
        assert read_table(write_rows([], schema, tmp_path / f"s.{ending}")).columns.tolist() == ["account_id", "tier"]


def test_only_some_columns_are_read(tmp_path):
    for ending in ("csv", "parquet"):
        path = write_table(FRAME, tmp_path / f"s.{ending}")
        assert read_table(path, ["p", "tier"]).columns.tolist() == ["p"]


def test_the_unfinished_file_grows_in_its_staging_folder_even_on_another_disk(tmp_path, monkeypatch):
    staging = tmp_path / "staging"
    staging.mkdir()
    replace, seen = Path.replace, []

    def other_disk(self, target):
        seen.append(self.parent)
        if self.parent != Path(target).parent:
            raise OSError(errno.EXDEV, "other disk")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", other_disk)
    path = write_atomically(tmp_path / "s.csv", lambda temporary: temporary.write_text("whole"), staging=staging)
    assert path.read_text() == "whole"
    assert seen == [staging, tmp_path]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["s.csv", "staging"]
    assert not list(staging.iterdir())


@pytest.mark.parametrize("lead", ["=", "+", "-", "@", "\t", "\r"])
def test_every_beginning_of_a_formula_is_defused(tmp_path, lead):
    path = write_table(pd.DataFrame({"name": [f"{lead}1+1", f"a{lead}1"]}), tmp_path / "names.csv")
    told = path.read_bytes().decode()
    assert f'"\'{lead}1+1"' in told
    assert f'"a{lead}1"' in told
