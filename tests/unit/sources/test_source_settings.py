"""The mapping of one source: reserved keys apart from mapped columns."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from pydantic import ValidationError

from staypower.schemas import Scale
from staypower.sources.settings import RESERVED, TableSource


def test_every_reserved_key_is_a_field_and_says_what_it_means():
    assert set(TableSource.model_fields) - {"mapping"} == set(RESERVED)
    assert all(RESERVED.values())


def test_unreserved_keys_are_the_mapping():
    source = TableSource.model_validate({"source": Path("a.csv"), "account_id": "Customer ID", "value": 5, "fixed": "mrr"})
    assert source.source == "a.csv"
    assert dict(source.mapping) == {"account_id": "Customer ID", "value": 5}
    assert source.fixed == ("mrr",)


def test_dates_become_text():
    source = TableSource.model_validate(
        {"source": "a.csv", "at": dt.date(2024, 1, 2), "constant": {"known_at": dt.date(2024, 1, 3)}}
    )
    assert source.mapping["at"] == "2024-01-02"
    assert source.constant["known_at"] == "2024-01-03"


def test_static_all_stays_a_word():
    assert TableSource.model_validate({"static": "all"}).static == "all"
    assert TableSource.model_validate({"static": "plan"}).static == ("plan",)


def test_a_round_trip_keeps_everything():
    source = TableSource.model_validate({"source": "a.csv", "account_id": "id", "constant": {"scale": "0-10"}})
    assert TableSource.model_validate(source.model_dump()) == source


@pytest.mark.parametrize("given", [{"format": "xml"}, {"decimal": ";"}, {"columns": {"a": "money"}}, {"account_id": ["a"]}])
def test_wrong_values_are_refused(given):
    with pytest.raises(ValidationError):
        TableSource.model_validate(given)


@pytest.mark.parametrize("text", ["5-1", "1", "a-b", "1-1", "-", ""])
def test_what_is_no_scale(text):
    assert not Scale.is_one(text)


@pytest.mark.parametrize(
    ("zone", "fix"),
    [("New York", "write `America/New_York`"), ("Europe/Berlln", "write `Europe/Berlin`"), ("MEZ", "continent and city")],
)
def test_a_zone_that_is_none_is_refused_with_the_nearest(zone, fix):
    with pytest.raises(ValidationError, match=fix):
        TableSource.model_validate({"source": "a.csv", "zone": zone})
    assert TableSource.model_validate({"source": "a.csv", "zone": "Europe/Berlin"}).zone == "Europe/Berlin"
