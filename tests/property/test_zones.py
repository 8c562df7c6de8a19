"""Times with zones, across changes of daylight saving, are one instant whatever the zone they are written in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import pandas as pd
from bucketed_tables import assert_same_tables, whole_and_buckets
from hypothesis import given, settings
from hypothesis import strategies as st

from staypower.sources.reading import read_tables
from staypower.sources.settings import TableSource

ZONES = [ZoneInfo(name) for name in ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")]
# the nights on which clocks are put forward and back in Berlin and New York
NIGHTS = [datetime(2024, 3, 10, 6, tzinfo=UTC), datetime(2024, 3, 31, 0, tzinfo=UTC), datetime(2024, 10, 27, 0, tzinfo=UTC)]
moments = st.builds(lambda night, minutes: night + timedelta(minutes=minutes), st.sampled_from(NIGHTS), st.integers(-300, 300))
SOURCE = TableSource.model_validate({"source": "rows"})


@given(rows=st.lists(st.tuples(moments, st.sampled_from(ZONES)), min_size=1, max_size=12))
def test_mixed_zones_are_one_instant(rows):
    written = pd.DataFrame(
        {
            "account_id": [f"a{n}" for n in range(len(rows))],
            "at": [moment.astimezone(zone).isoformat() for moment, zone in rows],
            # one row with a clock keeps a column of midnights from being taken for dates
            "event": ["open"] * len(rows),
        }
    )
    until = datetime(2025, 1, 1, tzinfo=UTC)
    tables, _ = read_tables({"usage": [SOURCE]}, folder=Path(), objects={"rows": written}, observed_until=until)
    usage = tables["usage"]
    if "at" in usage.date_only:
        assert all(moment.hour == moment.minute == 0 for moment, _ in rows)
        return
    expected = [round(moment.timestamp() * 1_000_000) for moment, _ in rows]
    assert sorted(usage.instants("at").tolist()) == sorted(expected)


PLACES = ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo", "Asia/Tokyo"]
# nights on which clocks change in New York, Berlin, on Lord Howe (by half an hour) and in Sao Paulo (at midnight)
CHANGES = ["2024-03-10", "2024-11-03", "2024-03-31", "2024-10-27", "2024-04-07", "2024-10-06", "2018-11-04", "2018-02-18"]
clocks = st.builds(
    lambda day, minutes: datetime.fromisoformat(day) + timedelta(minutes=minutes),
    st.sampled_from(CHANGES),
    st.integers(-60, 300),
)
UNTIL = "2025-01-01"


def instant(clock: datetime, place: str) -> int:
    """What a clock showed, read slowly: the later of two instants."""
    return max(round(clock.replace(tzinfo=ZoneInfo(place), fold=fold).timestamp()) for fold in (0, 1)) * 1_000_000


def read(place: str | None, column: str, written: pd.DataFrame):
    source = TableSource.model_validate({"source": "rows", "at": column, **({"zone": place} if place else {})})
    tables, findings = read_tables({"usage": [source]}, folder=Path(), objects={"rows": written}, observed_until=UNTIL)
    assert place is None or not [one for one in findings if "zone" in one.problem]
    return tables["usage"], source


@given(rows=st.lists(clocks, min_size=4, max_size=20), place=st.sampled_from(PLACES), offsets=st.booleans())
@settings(max_examples=8)
def test_local_times_of_an_office_are_one_instant_in_every_form_and_engine(rows, place, offsets):
    # one clock is no midnight, so that no column is one of dates
    rows = [*rows, datetime(2024, 5, 5, 10)]
    written = pd.DataFrame({"account_id": [f"a{n}" for n in range(len(rows))]})
    written["at"] = [f"{clock:%Y-%m-%d %H:%M}{'+01:00' if offsets and at % 2 else ''}" for at, clock in enumerate(rows)]
    written["formed"] = [f"{clock:%d/%m/%Y %H:%M}" for clock in rows]
    written["typed"] = pd.Series(rows).astype("datetime64[us]")
    local = [instant(clock, place) for clock in rows]
    # a text with an offset says its instant by itself
    hour = timedelta(hours=1)
    sure = [instant(clock - hour, "UTC") if offsets and at % 2 else local[at] for at, clock in enumerate(rows)]
    forms = {"at": sure, "parse_time(formed, '%d/%m/%Y %H:%M')": local, "typed": local, "typed + interval '1 hour'": None}
    for column, expected in forms.items():
        table, source = read(place, column, written)
        found = sorted(table.instants("at").tolist())
        assert found == sorted(expected or [one + 3_600_000_000 for one in local])
        with TemporaryDirectory() as name:
            written.to_parquet(Path(name) / "rows.parquet")
            usage = {"usage": [source.model_copy(update={"source": "rows.parquet"})]}
            whole, stored = whole_and_buckets(usage, Path(name), buckets=3, observed_until=UNTIL)
            assert_same_tables(whole, stored)
            assert sorted(whole["usage"].instants("at").tolist()) == found


@given(days=st.lists(st.sampled_from(CHANGES), min_size=1, max_size=5), place=st.sampled_from(PLACES), clock=st.booleans())
@settings(max_examples=6)
def test_dates_name_the_same_day_in_every_zone(days, place, clock):
    extra = ["2024-05-05 10:00"] if clock else []
    written = pd.DataFrame({"account_id": [f"a{n}" for n in range(len(days) + len(extra))], "at": [*days, *extra]})
    written["typed"] = pd.to_datetime(written["at"], format="mixed").astype("datetime64[us]")
    columns = ["at"] if clock else ["at", "typed", "at::timestamp", "at::date", "parse_time(at, '%Y-%m-%d')"]
    for column in columns:
        tables = [read(zone, column, written)[0] for zone in (None, place)]
        dates = [sorted(table.instants("at").tolist()) for table in tables]
        if clock:
            end_of_day = 86_399_999_999
            dates = [[one for one in each if one % (end_of_day + 1) == end_of_day] for each in dates]
        assert dates[0] == dates[1]
        assert len(dates[0]) == len(days)
        assert [("at" in table.date_only) for table in tables] == [not clock] * 2
        with TemporaryDirectory() as name:
            written.to_csv(Path(name) / "rows.csv", index=False)
            source = TableSource.model_validate({"source": "rows.csv", "at": column, "zone": place})
            whole, stored = whole_and_buckets({"usage": [source]}, Path(name), buckets=2, observed_until=UNTIL)
            assert_same_tables(whole, stored)
