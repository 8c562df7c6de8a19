"""Addresses are shown without their secrets, wherever in them and in whatever text they stand."""

from __future__ import annotations

import pytest

from staypower.addresses import shown_address, shown_in
from staypower.errors import Problem

SECRET = "c4n4ry-%40/x"


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ann:{}@host:5432/db",
        "postgresql://ann:p@{}@host/db#public.scores",
        "postgresql://ann:a#{}@host/db",
        "postgresql://ann:a?{}@host/db",
        "postgresql+psycopg2://host/db?user=ann&password={}",
        "postgresql://host/db?sslmode=require&sslpassword={}&options=-c%20x={}",
        "s3://AKIA:{}@bucket/data/*.csv?region=eu",
        "s3://bucket/data.parquet?secret_key={}&session_token={}",
        "abfss://files@account.dfs.core.windows.net/x?sv=2024&sig={}",
        "https://{}@host/mlflow",
        "https://ann:{}@host/mlflow?api={}",
        "https://host/mlflow?email=a@b.c&apikey={}",
        "postgresql:/ann:{}@host/db",
        "mysql://ann:{}@[::1]:3306/db",
    ],
)
def test_no_part_of_a_secret_is_shown(address):
    written = address.format(SECRET, SECRET)
    for shown in (shown_address(written), shown_in(f"cannot open '{written}': no answer"), str(Problem("x", written, written))):
        if "://" in written or shown != written:
            assert "c4n4ry" not in shown
            assert "***" in shown


@pytest.mark.parametrize(
    "harmless",
    ["s3://bucket/a/*.parquet?region=eu&endpoint_override=localhost:9000", "data/a.csv", "postgresql://ann@host:5432/db?sslmode=require",
     "sqlite:////tmp/x.db", "http://127.0.0.1:5000", "C:/data/a.csv", "unknown key: tables.usage.sorce", "a token: b"],
)  # fmt: skip
def test_what_is_no_secret_is_shown(harmless):
    assert shown_address(harmless) == harmless
    assert shown_in(f"at {harmless}, twice") == f"at {harmless}, twice"


def test_pairs_of_a_connection_string_are_hidden_in_texts():
    said = shown_in(f"connection to host=db user=ann password='{SECRET}' sslmode=require; PWD={SECRET}; refused")
    assert said == "connection to host=db user=ann password=*** sslmode=require; PWD=***; refused"
