"""The compiled kernel agrees with the plain oracle on random tables, and no feature sees what comes later."""

from __future__ import annotations

import os
import random
from dataclasses import replace

import feature_oracle
import numpy as np
import pyarrow as pa
import pytest
from depth import tries
from hypothesis import given, settings
from hypothesis import strategies as st

from staypower.cutoffs import DAY, MISSING
from staypower.features import parts, sequences
from staypower.features.aggregations import AGGREGATIONS
from staypower.features.builder import build_matrix
from staypower.features.catalogue import Catalogue
from staypower.features.definition import Feature, Filter
from staypower.features.kept import KeptFeatures
from staypower.features.settings import FeatureSettings
from staypower.schemas import Column, TableSchema
from staypower.tables import Table, Tables

TIME = pa.timestamp("us", "UTC")
CUTOFFS = np.array([100 * DAY, 103 * DAY + 7, 130 * DAY], dtype=np.int64)
SCHEMA = TableSchema(
    "events",
    ("at",),
    (
        Column("at", "time", "at"),
        Column("late", "time", "late"),
        Column("due", "time"),
        Column("number", "number"),
        Column("late_number", "number", "late"),
        Column("word", "text"),
        Column("late_word", "text", "late"),
    ),
)
# most instants lie on the edges where a wrong comparison shows: at a cutoff, at the start of a window, one microsecond off
EDGES = sorted({int(cutoff) - days * DAY + step for cutoff in CUTOFFS for days in (0, 3, 5, 7, 10) for step in (-1, 0, 1)})
instants = st.one_of(st.sampled_from(EDGES), st.integers(80 * DAY, 140 * DAY), st.just(MISSING))
numbers = st.one_of(st.none(), st.integers(-3, 5).map(float), st.floats(-1e6, 1e6, allow_nan=False), st.just(float("nan")))
words = st.one_of(st.none(), st.sampled_from(["a", "A", "b", "c"]))
row = st.fixed_dictionaries(
    {
        "account_id": st.sampled_from(["one", "two", "three", "stranger"]),
        "at": instants,
        "late": instants,
        "due": instants,
        "number": numbers,
        "late_number": numbers,
        "word": words,
        "late_word": words,
        "known_at": instants,
    }
)
ACCOUNTS = ["empty", "one", "three", "two"]


def as_table(rows: list[dict], *, with_known_at: bool, date_only: frozenset[str]) -> Table:
    columns = {}
    for name in ("account_id", "at", "late", "due", "number", "late_number", "word", "late_word", "known_at"):
        values = [entry[name] for entry in rows]
        if name in ("at", "late", "due", "known_at"):
            whole_days = name in date_only
            kept = [None if v == MISSING else (v // DAY * DAY if whole_days else v) for v in values]
            columns[name] = pa.array(kept, pa.int64()).cast(TIME)
        elif name in ("number", "late_number"):
            columns[name] = pa.array(values, pa.float64())
        else:
            columns[name] = pa.array(values, pa.string())
    if not with_known_at:
        del columns["known_at"]
    return Table(SCHEMA, pa.table(columns), date_only=date_only)


def as_tables(events: Table) -> Tables:
    accounts = TableSchema("accounts", (), ())
    return Tables({"accounts": Table(accounts, pa.table({"account_id": pa.array(ACCOUNTS)})), "events": events}, 0)


COLUMN = {"number": "number", "code": "word", "time": "due", False: None}
LATE_COLUMN = {"number": "late_number", "code": "late_word", "time": "late", False: None}


@st.composite
def features(draw: st.DrawFn) -> Feature:
    # those of renewals have an oracle of their own
    name = draw(st.sampled_from(sorted(name for name, how in AGGREGATIONS.items() if how.kernel != "renewal")))
    how = AGGREGATIONS[name]
    column = draw(st.sampled_from([COLUMN[how.needs_column], LATE_COLUMN[how.needs_column]]))
    window = draw(st.sampled_from([3, 7] if name == "rate_slope" else [None, 3, 7]))
    where = draw(
        st.sampled_from(
            [(), (Filter("word", ("a",)),), (Filter("number", at_least=0.0, below=4.0),), (Filter("late_word", ("b", "c")),)]
        )
    )
    return Feature(
        name="made" if window is None else f"made_{window}d",
        table="events",
        aggregation=name,
        column=column,
        window=window,
        offset=draw(st.sampled_from([0, 0, 3])),
        time=draw(st.sampled_from([None, None, "late", "due"])),
        after=draw(st.sampled_from([None, None, "late"])),
        until=None if name == "top_seen_since" else draw(st.sampled_from([None, None, "late", "due"])),
        where=where,
        unit="",
        description="made up",
        lever=None,
        category=name == "last_code",
        reaches_back=window is not None and name not in ("rate_slope", "top_seen_since") and draw(st.booleans()),
    )


CODES = {"a": 1, "b": 2}


def built(feature: Feature, events: Table, **how: int) -> np.ndarray:
    catalogue = Catalogue(FeatureSettings(), (feature,), codes={feature.name: CODES})
    matrix = build_matrix(as_tables(events), catalogue, accounts=ACCOUNTS, cutoffs=CUTOFFS, **how)
    return matrix.features[feature.name].to_numpy().reshape(len(ACCOUNTS), len(CUTOFFS))


@settings(deadline=None)
@given(
    rows=st.lists(row, max_size=25),
    feature=features(),
    with_known_at=st.booleans(),
    date_only=st.sampled_from([frozenset(), frozenset({"at"}), frozenset({"at", "late"}), frozenset({"due", "known_at"})]),
)
def test_kernel_agrees_with_the_oracle(rows, feature, with_known_at, date_only):
    events = as_table(rows, with_known_at=with_known_at, date_only=date_only)
    fast = built(feature, events)
    slow = [
        [feature_oracle.value_of(feature, events, account, int(cutoff), CODES) for cutoff in CUTOFFS] for account in ACCOUNTS
    ]
    np.testing.assert_allclose(fast, np.array(slow), rtol=1e-9, atol=1e-9, equal_nan=True)


CELLS = int(os.environ.get("STAYPOWER_CELLS", str(tries(5_000, 1_000_000))))


def random_feature(draw: random.Random, number: int) -> Feature:
    """Draw a feature without the care, and the time, that hypothesis takes."""
    names = sorted(name for name, how in AGGREGATIONS.items() if how.kernel != "renewal")
    # every one of them in turn: by chance, some would hardly be tried
    name = names[number % len(names)]
    how = AGGREGATIONS[name]
    window = draw.choice([3, 7] if name == "rate_slope" else [None, 3, 7])
    filters = [(), (Filter("word", ("a",)),), (Filter("number", at_least=0.0, below=4.0),), (Filter("late_word", ("b", "c")),)]
    return Feature(
        name=f"made_{number}" if window is None else f"made_{number}_{window}d",
        table="events",
        aggregation=name,
        column=draw.choice([COLUMN, LATE_COLUMN])[how.needs_column],
        window=window,
        offset=draw.choice([0, 0, 3]),
        time=draw.choice([None, None, "late", "due"]),
        after=draw.choice([None, None, "late"]),
        until=None if name == "top_seen_since" else draw.choice([None, None, "late", "due"]),
        where=draw.choice(filters),
        unit="",
        description="made up",
        lever=None,
        category=name == "last_code",
        reaches_back=window is not None and name not in ("rate_slope", "top_seen_since") and draw.random() < 0.5,
    )


def random_row(draw: random.Random) -> dict:
    instant = lambda: draw.choice([draw.choice(EDGES), draw.randint(80 * DAY, 140 * DAY), MISSING])  # noqa: E731
    number = lambda: draw.choice([None, float(draw.randint(-3, 5)), draw.uniform(-1e6, 1e6), float("nan")])  # noqa: E731
    found: dict = {name: instant() for name in ("at", "late", "due", "known_at")}
    found |= {name: number() for name in ("number", "late_number")}
    found |= {name: draw.choice([None, "a", "A", "b", "c"]) for name in ("word", "late_word")}
    return {**found, "account_id": draw.choice(["one", "two", "three", "stranger"])}


def test_many_cells_agree_with_the_oracle():
    """Random cells of history, feature and cutoff: a million of them in `make test-deep`."""
    draw, cells = random.Random(os.environ.get("STAYPOWER_SEED", "9")), 0
    while cells < CELLS:
        several = [random_feature(draw, number) for number in range(60)]
        rows = [random_row(draw) for _ in range(draw.randint(0, 40))]
        events = as_table(rows, with_known_at=draw.random() < 0.5, date_only=frozenset())
        catalogue = Catalogue(FeatureSettings(), tuple(several), codes={feature.name: CODES for feature in several})
        matrix = build_matrix(as_tables(events), catalogue, accounts=ACCOUNTS, cutoffs=CUTOFFS).features
        for feature in several:
            slow = [feature_oracle.value_of(feature, events, who, int(at), CODES) for who in ACCOUNTS for at in CUTOFFS]
            fast = matrix[feature.name].to_numpy()
            np.testing.assert_allclose(fast, np.array(slow), rtol=1e-9, atol=1e-9, equal_nan=True, err_msg=str(feature))
            cells += len(slow)


@settings(deadline=None)
@given(rows=st.lists(row, max_size=25), feature=features(), with_known_at=st.booleans(), seed=st.randoms())
def test_same_bits_for_any_row_order_and_bucket_count(rows, feature, with_known_at, seed):
    events = as_table(rows, with_known_at=with_known_at, date_only=frozenset())
    mixed = list(rows)
    seed.shuffle(mixed)
    again = as_table(mixed, with_known_at=with_known_at, date_only=frozenset())
    first = built(feature, events)
    assert first.tobytes() == built(feature, again).tobytes()
    assert first.tobytes() == built(feature, again, buckets=3, threads=2).tobytes()
    assert first.tobytes() == built(feature, with_numbered_texts(again), threads=8).tobytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "_FEW_KEYS", 0)
        assert first.tobytes() == built(feature, with_numbered_texts(again)).tobytes()


def with_numbered_texts(events: Table) -> Table:
    """The same table with its texts as dictionary arrays, in two chunks whose dictionaries differ."""
    half = len(events) // 2
    chunks = [events.data.slice(0, half), events.data.slice(half)]
    texts = [name for name in events.data.column_names if pa.types.is_string(events.data.schema.field(name).type)]
    for name in texts:
        place = events.data.column_names.index(name)
        chunks = [chunk.set_column(place, name, chunk.column(name).combine_chunks().dictionary_encode()) for chunk in chunks]
    return replace(events, data=pa.concat_tables(chunks))


@settings(deadline=None)
@given(
    rows=st.lists(row, max_size=25),
    several=st.lists(features(), min_size=2, max_size=12),
    with_known_at=st.booleans(),
    rows_at_once=st.sampled_from([1, 5, 100]),
    wanted=st.lists(st.booleans(), min_size=len(ACCOUNTS) * len(CUTOFFS), max_size=len(ACCOUNTS) * len(CUTOFFS)),
)
def test_features_built_together_are_those_built_alone(rows, several, with_known_at, rows_at_once, wanted):
    """Features share rows, lists and sums; accounts share parts; and only some pairs may be asked for."""
    events = as_table(rows, with_known_at=with_known_at, date_only=frozenset())
    named = tuple(replace(feature, name=feature.name.replace("made", f"made_{n}")) for n, feature in enumerate(several))
    catalogue = Catalogue(FeatureSettings(), named, codes={feature.name: CODES for feature in named})
    asked = np.array(wanted).reshape(len(ACCOUNTS), len(CUTOFFS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sequences, "_ROWS_AT_ONCE", rows_at_once)
        patch.setattr(sequences, "_ROWS_TOGETHER", 3 * rows_at_once)
        matrix = build_matrix(as_tables(events), catalogue, accounts=ACCOUNTS, cutoffs=CUTOFFS, rows=asked, threads=2)
    for feature, alone in zip(named, several, strict=True):
        assert matrix.features[feature.name].to_numpy().tobytes() == built(alone, events)[asked].tobytes()


@settings(deadline=None)
@given(rows=st.lists(row, max_size=25), several=st.lists(features(), min_size=1, max_size=12), with_known_at=st.booleans())
def test_kept_features_have_the_bits_of_the_matrix(rows, several, with_known_at):
    """Streams that are made once for all accounts give each account, at each cutoff, what building everything gives."""
    events = as_table(rows, with_known_at=with_known_at, date_only=frozenset())
    named = tuple(replace(feature, name=feature.name.replace("made", f"made_{n}")) for n, feature in enumerate(several))
    catalogue = Catalogue(FeatureSettings(), named, codes={feature.name: CODES for feature in named})
    matrix = build_matrix(as_tables(events), catalogue, accounts=ACCOUNTS, cutoffs=CUTOFFS)
    for given_as in (events, with_numbered_texts(events)):
        kept = KeptFeatures(as_tables(given_as), catalogue, ACCOUNTS)
        for k, cutoff in enumerate(CUTOFFS.tolist()):
            whole = matrix.features.iloc[k :: len(CUTOFFS)].to_numpy()
            assert kept.build(ACCOUNTS, cutoff).to_numpy().tobytes() == whole.tobytes()
            assert kept.build(ACCOUNTS[1:2], cutoff).to_numpy().tobytes() == whole[1:2].tobytes()


@settings(deadline=None)
@given(rows=st.lists(row, max_size=25), feature=features(), with_known_at=st.booleans())
def test_nothing_from_the_future(rows, feature, with_known_at):
    events = as_table(rows, with_known_at=with_known_at, date_only=frozenset())
    whole = built(feature, events)
    for k, cutoff in enumerate(CUTOFFS.tolist()):
        past = [masked(entry, cutoff) for entry in rows if entry["at"] < cutoff and (not with_known_at or known(entry, cutoff))]
        blind = built(feature, as_table(past, with_known_at=with_known_at, date_only=frozenset()))
        assert whole[:, k].tobytes() == blind[:, k].tobytes()


def known(entry: dict, cutoff: int) -> bool:
    return entry["known_at"] != MISSING and entry["known_at"] < cutoff


def masked(entry: dict, cutoff: int) -> dict:
    """Forget what is filled in at or after the cutoff; `due` is told with the row, so it stays."""
    if entry["late"] == MISSING or entry["late"] < cutoff:
        return entry
    return {**entry, "late": MISSING, "late_number": None, "late_word": None}


@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_a_window_one_microsecond_off_is_seen(shift):
    """The edges drawn above tell `<` from `<=`: the count changes exactly when an instant crosses the cutoff."""
    at = int(CUTOFFS[0]) + shift
    entry = {"account_id": "one", "at": at, "late": MISSING, "due": MISSING, "known_at": MISSING}
    entry |= {"number": 1.0, "late_number": None, "word": "a", "late_word": None}
    feature = Feature(name="n_7d", table="events", aggregation="count", window=7, unit="", description="n", lever=None)
    events = as_table([entry], with_known_at=False, date_only=frozenset())
    assert built(feature, events)[1, 0] == (1.0 if shift < 0 else 0.0)
