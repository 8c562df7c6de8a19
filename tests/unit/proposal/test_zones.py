"""A zone is proposed where something says it, and never because clocks lack one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import staypower

OFFICE = "America/New_York"


def moments(rng, n=1500):
    """Instants of a year in the hours of an office, in UTC."""
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 500, n), unit="D")
    local = (day + pd.to_timedelta(8 * 3600 + rng.integers(0, 10 * 3600, n), unit="s")).tz_localize(OFFICE)
    return local.tz_convert("UTC").sort_values()


def write(folder, rng, *, usage, tickets=None, **columns):
    """Usage, and tickets that name their offsets or not; each written by a function of instants."""
    when = moments(rng)
    who = [f"c{n}" for n in rng.integers(0, 60, len(when))]
    pd.DataFrame({"customer_id": who, "event_time": usage(when), "event": rng.choice(["a", "b"], len(when)), **columns}).to_csv(
        folder / "events.csv", index=False
    )
    accounts = {"customer_id": [f"c{n}" for n in range(60)], "signup_date": "2024-01-01", "segment": ["x", "y"] * 30}
    pd.DataFrame(accounts).to_csv(folder / "customers.csv", index=False)
    if tickets is not None:
        when = moments(rng, 600)
        who = [f"c{n}" for n in rng.integers(0, 60, len(when))]
        rows = {"ticket_id": range(len(when)), "customer_id": who, "created_at": tickets(when)}
        pd.DataFrame({**rows, "priority": "high"}).to_csv(folder / "tickets.csv", index=False)


def wall(when):
    return when.tz_convert(OFFICE).strftime("%Y-%m-%d %H:%M:%S")


def american(when):
    return when.tz_convert(OFFICE).strftime("%m/%d/%Y %I:%M %p")


def offset(when):
    return when.tz_convert(OFFICE).strftime("%Y-%m-%d %H:%M:%S %z")


def utc(when):
    return when.strftime("%Y-%m-%d %H:%M:%S")


def zone_of(folder, table="usage"):
    proposal = staypower.propose(folder, output=folder / "staypower.yaml", overwrite=True)
    staypower.load_config(folder / "staypower.yaml")
    return proposal.settings()["tables"][table].get("zone"), proposal


@pytest.mark.parametrize("written", [wall, american])
def test_offsets_beside_local_times_with_the_same_rhythm_say_the_zone(tmp_path, written):
    write(tmp_path, np.random.default_rng(1), usage=written, tickets=offset)
    zone, proposal = zone_of(tmp_path)
    assert zone == OFFICE
    assert "likely: offsets of other times are those there" in proposal.yaml()
    assert "zone" not in proposal.settings()["tables"]["tickets"]
    # and the times are read as what they are
    read = staypower.read_tables(staypower.load_config(tmp_path / "staypower.yaml"))["usage"].midnights("at")
    wanted = pd.DatetimeIndex(moments(np.random.default_rng(1))).as_unit("us").asi8 // (60 * 10**6)
    assert sorted(read // (60 * 10**6)) == sorted(wanted.tolist())


def test_times_in_utc_beside_offsets_stay_utc(tmp_path):
    write(tmp_path, np.random.default_rng(2), usage=utc, tickets=offset)
    zone, proposal = zone_of(tmp_path)
    assert zone is None
    assert not any("zone" in note for note in proposal.notes)


def test_a_rhythm_alone_says_no_zone_but_is_noted(tmp_path):
    write(tmp_path, np.random.default_rng(3), usage=wall, tickets=wall)
    zone, proposal = zone_of(tmp_path)
    assert zone is None
    assert any("events, tickets name no zone" in note or "tickets, events name no zone" in note for note in proposal.notes)


def test_offsets_without_a_rhythm_say_no_zone(tmp_path):
    rng = np.random.default_rng(4)

    def any_hour(when):
        return (when + pd.to_timedelta(rng.integers(0, 24, len(when)), unit="h")).strftime("%Y-%m-%d %H:%M:%S")

    write(tmp_path, rng, usage=any_hour, tickets=offset)
    assert zone_of(tmp_path)[0] is None


@pytest.mark.parametrize(("words", "wanted"), [([OFFICE], OFFICE), ([OFFICE, "Europe/Paris"], None), (["Sales/East"], None)])
def test_a_column_that_names_one_zone_in_every_row_says_it(tmp_path, words, wanted):
    write(tmp_path, np.random.default_rng(5), usage=wall, timezone=np.resize(words, 1500))
    assert zone_of(tmp_path)[0] == wanted


@pytest.mark.parametrize(("name", "wanted"), [(f"Happened ({OFFICE})", OFFICE), ("Event time (UTC)", None)])
def test_the_name_of_a_column_says_its_zone(tmp_path, name, wanted):
    write(tmp_path, np.random.default_rng(6), usage=wall)
    events = pd.read_csv(tmp_path / "events.csv").rename(columns={"event_time": name})
    events.to_csv(tmp_path / "events.csv", index=False)
    zone, proposal = zone_of(tmp_path)
    assert zone == wanted
    assert not any("name no zone" in note for note in proposal.notes)


def test_the_one_zone_of_a_file_of_settings_counts_for_all(tmp_path):
    write(tmp_path, np.random.default_rng(7), usage=wall)
    pd.DataFrame({"company": ["Acme"], "timezone": ["Europe/Paris"]}).to_csv(tmp_path / "settings.csv", index=False)
    zone, proposal = zone_of(tmp_path)
    assert zone == "Europe/Paris"
    assert "likely: settings.timezone says so" in proposal.yaml()
