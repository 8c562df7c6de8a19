"""A sample follows from ids and cutoffs alone: no order, no bucket, no neighbour changes it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from staypower.cutoffs import DAY
from staypower.dataset.sampling import Sampling
from staypower.engines.local import map_buckets
from staypower.schemas import SCHEMAS
from staypower.tables import Table, Tables

shares = st.floats(0.01, 1.0)
samplings = st.builds(Sampling, accounts=shares, negatives=shares, seed=st.integers(0, 2**31 - 1))
ids = st.lists(st.text("abc019-é", min_size=1, max_size=12), min_size=1, max_size=40)
seeds = st.integers(0, 2**32 - 1)


def tables_of(names: list[str], pieces: int) -> Tables:
    chunks = [
        pa.table({"account_id": part.tolist()}) for part in np.array_split(np.array(names, dtype=object), pieces) if len(part)
    ]
    table = pa.concat_tables(chunks)
    both = {name: Table(SCHEMAS[name], table) for name in ("accounts", "usage")}
    return Tables(both, 0)


@given(ids, samplings, seeds, st.integers(1, 4))
def test_an_account_is_drawn_whatever_stands_beside_it(names, sampling, seed, pieces):
    order = np.random.default_rng(seed).permutation(len(names))
    taken = set(sampling.of_tables(tables_of(names, 1))["usage"].data.column("account_id").to_pylist())
    mixed = [names[place] for place in order]
    assert set(sampling.of_tables(tables_of(mixed, pieces))["usage"].data.column("account_id").to_pylist()) == taken
    for name in names:
        alone = sampling.of_tables(tables_of([name], 1))["accounts"]
        assert (len(alone) == 1) == (name in taken)


@given(ids, samplings, st.integers(1, 5))
def test_buckets_hold_the_sample_of_the_whole_and_twice_is_once(names, sampling, buckets):
    tables = tables_of(names, 1)
    whole = sampling.of_tables(tables)
    assert sampling.of_tables(whole)["usage"].data.equals(whole["usage"].data)
    parts = map_buckets(tables, lambda bucket: sampling.of_tables(bucket)["usage"].data, buckets=buckets)
    assert parts.column("account_id").to_pylist() == sorted(whole["usage"].data.column("account_id").to_pylist())


@given(ids, samplings, shares, seeds)
def test_a_smaller_share_is_a_part_of_a_larger_one(names, sampling, other, seed):
    small, large = sorted([sampling.negatives, other])
    cutoffs = np.random.default_rng(seed).integers(0, 40, len(names)) * 30 * DAY
    accounts = np.array(names, dtype=object)
    few, many = (Sampling(share, share, sampling.seed) for share in (small, large))
    assert (few.draws(accounts, cutoffs) <= many.draws(accounts, cutoffs)).all()
    column = pa.chunked_array([names])
    assert (few.holds(column) <= many.holds(column)).all()


@given(st.sets(st.text("abc01", min_size=1, max_size=6), min_size=1, max_size=20), samplings, seeds)
def test_only_rows_that_stayed_where_the_model_learns_are_left_out(names, sampling, seed):
    rng = np.random.default_rng(seed)
    accounts, cutoffs = tuple(sorted(names)), np.arange(5, dtype=np.int64) * 30 * DAY
    churned = rng.integers(-1, 2, (len(accounts), 5)).astype(np.int8)
    learned = np.broadcast_to(np.arange(5) < 3, churned.shape)
    kept = sampling.keeps(churned, learned, accounts, cutoffs)
    assert not kept[churned < 0].any()
    assert kept[churned == 1].all()
    assert kept[~learned & (churned >= 0)].all()
    account, cutoff = np.nonzero((churned == 0) & learned)
    drawn = sampling.draws(np.array(accounts, dtype=object)[account], cutoffs[cutoff])
    assert kept[account, cutoff].tolist() == drawn.tolist()
    # an account's rows hang on its own labels alone
    few = sampling.keeps(churned[:1], learned[:1], accounts[:1], cutoffs)
    assert few.tolist() == kept[:1].tolist()
