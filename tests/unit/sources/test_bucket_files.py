"""Parts of a table that were written one after the other become one stretch."""

from __future__ import annotations

import pyarrow as pa
import pytest

from staypower.sources.bucket_files import join_parts

MANY, FEW = ["a", "b", None, "a", "c"], ["c", None, "d"]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("many_numbered", [False, True])
def test_parts_are_joined_as_most_rows_are(many_numbered, turned):
    many, few = pa.table({"n": range(5), "text": pa.array(MANY)}), pa.table({"n": range(3), "text": pa.array(FEW)})
    which = many if many_numbered else few
    numbered = which.set_column(1, "text", which["text"].dictionary_encode())
    parts = [numbered, few] if many_numbered else [many, numbered]
    texts = [MANY, FEW]
    if turned:
        parts, texts = parts[::-1], texts[::-1]
    joined = join_parts(parts)
    assert joined["text"].to_pylist() == [*texts[0], *texts[1]]
    assert joined["text"].num_chunks == 1
    assert pa.types.is_dictionary(joined["text"].type) == many_numbered
