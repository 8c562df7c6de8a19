"""Times with zones, across changes of daylight saving, are one instant whatever the zone they are written in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
from hypothesis import given
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
