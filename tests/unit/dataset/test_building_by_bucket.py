from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from staypower.dataset.bucketed_matrix import seen_in, varying
from staypower.dataset.building import SAME_FOR_ALL
from staypower.features.catalogue import Catalogue
from staypower.features.definition import Feature
from staypower.features.settings import FeatureSettings

NAMES = ("a", "b")


@pytest.fixture
def catalogue() -> Catalogue:
    features = [
        Feature(name=name, table="usage", aggregation="count", unit="", description=name, lever=None, window=None)
        for name in NAMES
    ]
    return Catalogue(FeatureSettings(), tuple(features))


@pytest.mark.parametrize(
    ("seen", "kept"),
    [
        ([[1.0], [1.0]], False),
        ([[1.0], [2.0]], True),
        ([[None], [None]], False),
        ([[None], [1.0]], True),
        ([None, [1.0]], True),
        ([[], [1.0]], False),
        ([[0.0], [-0.0]], False),
        # nothing is learned from anywhere: nothing is known to be the same
        ([[], []], True),
    ],
)
def test_a_column_stays_when_it_varies_within_a_part_or_between_parts(tmp_path, catalogue, seen, kept):
    parts = []
    for number, values in enumerate(seen):
        rows = pa.table({"a": [1.0]}).replace_schema_metadata({b"staypower seen": json.dumps({"a": values, "b": None})})
        parts.append(tmp_path / f"{number}.parquet")
        pq.write_table(rows, parts[-1])
    found = varying(catalogue, [seen_in(pq.read_schema(part)) for part in parts])
    assert found.names == (NAMES if kept else ("b",))
    assert found.left_out == ({} if kept else {"a": SAME_FOR_ALL})
