"""Time travel and arrival: problems planted in features, statuses and learned definitions are caught and named."""

from dataclasses import replace

import numpy as np
import pytest

from staypower.auditing.report import Built
from staypower.auditing.time_travel import travel_by_arrival, travel_in_time
from staypower.cutoffs import DAY, MISSING
from staypower.features import builder, declaring, parts, rows, texts
from staypower.labels import definitions, population


def said(check):
    return "\n".join(check.evidence)


def test_clean_data_pass_and_the_evidence_counts_what_was_hidden(case):
    check = travel_in_time(case)
    assert check.status == "passed", said(check)
    later = 0
    for cutoff in case.audited_cutoffs:
        for name, table in case.tables.items():
            own = table.own_instants() if name != "accounts" else table.instants("signed_up_at")
            gone = (own != MISSING) & (own >= cutoff)
            if table.has("valid_from"):
                gone |= table.instants("valid_from") >= cutoff
            later += int(gone.sum())
    trips = [trip for trip in check.details["trips"] if trip["manner"] == "deleted"]
    assert sum(trip["rows"] for trip in trips) == later > 10_000
    assert f"{later:,} later rows" in check.evidence[0]
    assert len(trips) == 3


def test_every_cutoff_is_travelled_to_when_asked(case):
    assert replace(case, every_cutoff=True).audited_cutoffs.tolist() == case.dataset.plan.all.tolist()
    assert len(case.audited_cutoffs) == 3


def with_limits_moved(monkeypatch, step):
    """Plant a problem: every row is seen as if each limit in time lay a little later."""
    entry, rows_before = parts.entry, parts.rows_before
    monkeypatch.setattr(parts, "entry", lambda instants, cutoffs, **more: entry(instants, np.asarray(cutoffs) + step, **more))
    monkeypatch.setattr(parts, "rows_before", lambda start, at, limits, found: rows_before(start, at, limits + step, found))


def test_a_window_that_leaks_three_days_is_caught(case, monkeypatch):
    with_limits_moved(monkeypatch, 3 * DAY)
    check = travel_in_time(case)
    assert check.status == "failed"
    assert "`usage_events_28d` (" in said(check)
    assert "rows of `usage` up to 3 days after the cutoff" in said(check)


def test_less_or_equal_for_less_is_caught_though_no_row_lies_on_a_cutoff(case, monkeypatch):
    assert not any(np.isin(table.own_instants(), case.dataset.plan.all).any() for table in case.tables.values())
    # instants are whole microseconds: before the next one is up to and including this one
    with_limits_moved(monkeypatch, 1)
    check = travel_in_time(case)
    assert check.status == "failed"
    assert "rows of `usage` exactly at the cutoff: `<=` is used instead of `<`" in said(check)


def test_a_resolution_read_when_the_ticket_is_opened_is_caught(case, monkeypatch):
    honest = builder.make_stream

    def hasty(name, tables, settings):
        table = honest(name, tables, settings)
        if name != "tickets":
            return table
        columns = tuple(
            replace(column, known_from=None) if column.name == "resolution_hours" else column for column in table.schema.columns
        )
        return replace(table, schema=replace(table.schema, columns=columns))

    monkeypatch.setattr(builder, "make_stream", hasty)
    # a resolution feature places rows by their resolution: take one that does not
    feature = next(one for one in case.dataset.catalogue.definitions if one.name.startswith("resolution_hours"))
    placed = replace(feature, time=None)
    honest_declare = declaring.declare

    def declared(*arguments, **more):
        found = honest_declare(*arguments, **more)
        return replace(found, definitions=(placed,), helpers=())

    monkeypatch.setattr("staypower.auditing.time_travel.declare", declared)
    check = travel_in_time(case)
    assert check.status == "failed"
    assert f"`{feature.name}`" in said(check)
    assert "`tickets.resolved_at` before it is known" in said(check)


def test_values_read_from_their_rows_time_are_caught(case, monkeypatch):
    monkeypatch.setattr(rows.StreamRows, "_known_from", lambda self, name: "")
    check = travel_in_time(case)
    assert check.status == "failed"
    assert "before it is known" in said(check)


def test_a_population_that_sees_three_days_ahead_is_caught(case, monkeypatch):
    exact = population.entry
    for module in (population, definitions):
        monkeypatch.setattr(module, "entry", lambda instants, cutoffs, **more: exact(instants, cutoffs + 3 * DAY, **more))
    check = travel_in_time(case)
    assert check.status == "failed"
    assert "the status of" in said(check)
    assert "the status sees rows of `subscriptions`" in said(check) or "the status reads `subscriptions." in said(check)


def test_definitions_learned_from_the_whole_table_are_caught(case, monkeypatch):
    tables = case.tables
    usage = tables["usage"]
    late = usage.own_instants() >= case.dataset.plan.trained_until
    events = usage.texts("event")
    events[late] = "brand new"
    column = usage.data.column_names.index("event")
    usage = replace(usage, data=usage.data.set_column(column, "event", [events.tolist()]))
    planted = replace(case, tables=replace(tables, tables={**tables.tables, "usage": usage}))
    assert travel_in_time(planted).status == "passed"
    monkeypatch.setattr(texts, "before", lambda instants, cutoff: instants != MISSING)
    check = travel_in_time(planted)
    assert check.status == "failed"
    assert "definitions change when" in said(check)
    assert "brand_new" in said(check)


def test_arrival_is_not_applicable_without_known_at(case):
    assert travel_by_arrival(case).status == "not applicable"


def test_clean_arrivals_pass(late_case):
    check = travel_by_arrival(late_case)
    assert check.status == "passed", said(check)
    assert travel_in_time(late_case).status == "passed"


def test_rows_read_before_they_arrived_are_caught(late_case, monkeypatch):
    honest = builder.make_stream

    def careless(name, tables, settings):
        table = honest(name, tables, settings)
        return replace(table, data=table.data.drop_columns(["known_at"])) if name == "usage" else table

    monkeypatch.setattr(builder, "make_stream", careless)
    check = travel_by_arrival(late_case)
    assert check.status == "failed"
    assert "rows of `usage` before they arrived" in said(check)
    # what happened is still in order
    assert travel_in_time(late_case).status == "passed"


def test_tables_without_known_at_are_named(case, late_case):
    tables = replace(late_case.tables, tables={**late_case.tables.tables, "goals": case.tables["goals"]})
    check = travel_by_arrival(replace(late_case, tables=tables))
    assert check.evidence[-1] == "tables without `known_at`, assumed known at their own time: goals"


@pytest.mark.parametrize(("other", "differs"), [(1.0, 0), (np.nextafter(1.0, 2.0), 1), (np.nan, 1)])
def test_a_difference_in_the_last_bit_counts(other, differs):
    def built(value):
        status = np.zeros(2, dtype=np.int8)
        return Built(np.array(["a", "b"]), ("x",), np.array([[value], [np.nan]]), status)

    features, statuses = built(1.0).differences(built(other))
    assert sum(count for _, count in features) == differs
    assert statuses == 0


def test_an_account_that_is_gone_must_not_have_been_scored():
    whole = Built(np.array(["a", "b"]), (), np.zeros((2, 0)), np.array([0, 0], dtype=np.int8))
    part = Built(np.array(["a"]), (), np.zeros((1, 0)), np.array([0], dtype=np.int8))
    assert whole.differences(part) == ((), 1)
    assert replace(whole, status=np.array([0, 4], dtype=np.int8)).differences(part) == ((), 0)
