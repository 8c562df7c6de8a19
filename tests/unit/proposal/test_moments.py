"""A day and a time of day in two columns are one time, where that reads every row."""

from __future__ import annotations

import pandas as pd
import pytest

import staypower


def visits(folder, **columns):
    rows = {"customer_id": [f"c{n % 30}" for n in range(300)], **columns}
    pd.DataFrame(rows).to_csv(folder / "visits.csv", index=False)
    pd.DataFrame({"customer_id": [f"c{n}" for n in range(30)], "segment": ["a", "b"] * 15}).to_csv(
        folder / "customers.csv", index=False
    )
    return staypower.propose(folder, output=folder / "staypower.yaml", overwrite=True)


MOMENTS = pd.date_range("2024-01-03 00:20", periods=300, freq="31h")


@pytest.mark.parametrize(("day", "clock"), [("%Y-%m-%d", "%H:%M:%S"), ("%d.%m.%Y", "%H:%M"), ("%m/%d/%Y", "%I:%M %p")])
def test_a_day_and_its_clock(tmp_path, day, clock):
    proposal = visits(tmp_path, Day=MOMENTS.strftime(day), Hour=MOMENTS.strftime(clock))
    assert "concat(Day, ' ', Hour)" in proposal.settings()["tables"]["usage"]["at"]
    read = staypower.read_tables(staypower.load_config(tmp_path / "staypower.yaml"))["usage"].midnights("at")
    wanted = (MOMENTS.as_unit("us").asi8 // 60_000_000).tolist()
    assert sorted((read // 60_000_000).tolist()) == wanted


def test_two_days_or_a_clock_that_is_often_blank_stay_apart(tmp_path):
    day, clock = MOMENTS.strftime("%Y-%m-%d"), MOMENTS.strftime("%H:%M")
    both = visits(tmp_path, Day=day, Until=(MOMENTS + pd.Timedelta(days=1)).strftime("%Y-%m-%d"), Hour=clock)
    assert "concat" not in both.yaml()
    blank = visits(tmp_path, Day=day, Hour=["" if n % 3 else hour for n, hour in enumerate(clock)])
    assert "concat" not in blank.yaml()
