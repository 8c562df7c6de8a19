"""Columns that are read from files a few at a time are those of the rows, in whatever order they are asked for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from staypower.engines.local import keep_part
from staypower.monitoring.sight import FeatureFiles


@pytest.fixture
def rows():
    rng = np.random.default_rng(6)
    made = pd.DataFrame(rng.random((11, 40)), columns=[f"f{n}" for n in range(40)])
    return made.assign(account=[f"A{n}" for n in range(11)])


def test_columns_of_files_are_those_of_the_rows_in_any_order(rows, tmp_path):
    parts = [rows[:4], rows[4:4], rows[4:]]
    tables = [pa.Table.from_pandas(part, preserve_index=False) for part in parts]
    files = FeatureFiles([keep_part(table, tmp_path / f"{n}.parquet") for n, table in enumerate(tables)])
    assert (len(files), list(files.columns)) == (11, list(rows.columns))
    for name in np.random.default_rng(7).permutation([*rows.columns, *rows.columns]):
        np.testing.assert_array_equal(files[name], rows[name].to_numpy())


def test_a_file_is_opened_for_several_columns(rows, tmp_path, monkeypatch):
    opened = []
    read = pq.read_table
    monkeypatch.setattr(pq, "read_table", lambda path, **options: opened.append(path) or read(path, **options))
    files = FeatureFiles([keep_part(pa.Table.from_pandas(rows, preserve_index=False), tmp_path / "0.parquet")])
    for name in files.columns:
        np.testing.assert_array_equal(files[name], rows[name].to_numpy())
    assert len(opened) == 6  # 41 columns, eight at a time


def test_a_column_that_is_not_there_is_told(rows, tmp_path):
    files = FeatureFiles([keep_part(pa.Table.from_pandas(rows, preserve_index=False), tmp_path / "0.parquet")])
    with pytest.raises(ValueError, match="nothing"):
        files["nothing"]
