"""The tables are canonical, and the stories in them hang together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from staypower.schemas import SCHEMAS
from staypower.simulation.company import Simulation
from staypower.tables import Table

_TYPES = {
    "id": pa.string(),
    "text": pa.string(),
    "number": pa.float64(),
    "flag": pa.bool_(),
    "time": pa.timestamp("us", "UTC"),
}
_IDS = {"tickets": "ticket_id", "surveys": "survey_id", "payments": "payment_id"}
_INVOLUNTARY = ("payment_failed", "card_expired")


@pytest.fixture(scope="module")
def frames(company: Simulation) -> dict[str, pd.DataFrame]:
    return {name: table.to_pandas() for name, table in company.tables.items()}


@pytest.fixture(scope="module")
def core(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The last version of every subscription of the core product."""
    rows = frames["subscriptions"]
    rows = rows[rows["product"] == "core"].sort_values(["account_id", "subscription_id", "valid_from"])
    return rows.groupby("subscription_id", as_index=False).last()


@pytest.mark.parametrize("name", ["accounts", "usage", "tickets", "surveys", "subscriptions", "payments", "advocacy", "goals"])
def test_columns_are_canonical_and_typed(company: Simulation, name: str) -> None:
    schema, data = SCHEMAS[name], company.tables[name]
    table = Table(schema, data)
    assert table.has("account_id", *schema.times)
    assert data.num_rows > 1000
    assert data.column("account_id").null_count == 0
    assert data.column(schema.times[0]).null_count == 0
    for field in data.schema:
        column = schema.column(field.name)
        if column is None:
            assert name == "accounts" or field.name == "account_id"
            assert field.type in (pa.string(), pa.float64())
        else:
            assert field.type == _TYPES[column.kind], field
    known = set(data.column("account_id").to_pylist())
    assert known <= set(company.tables["accounts"].column("account_id").to_pylist())


@pytest.mark.parametrize(("name", "key"), _IDS.items())
def test_ids_name_one_row(frames: dict[str, pd.DataFrame], name: str, key: str) -> None:
    assert frames[name][key].is_unique


def test_every_account_is_there_and_versions_begin_at_sign_up(company: Simulation, frames: dict[str, pd.DataFrame]) -> None:
    accounts = frames["accounts"]
    assert accounts["account_id"].nunique() == 2000
    assert not accounts.duplicated(["account_id", "valid_from"]).any()
    first = accounts.groupby("account_id").first()
    assert (first["valid_from"] == first["signed_up_at"]).all()
    stock = (first["signed_up_at"] < pd.Timestamp("2023-01-01", tz="UTC")).mean()
    assert 0.38 < stock < 0.46
    months = first["signed_up_at"][first["signed_up_at"] >= pd.Timestamp("2023-01-01", tz="UTC")].dt.strftime("%Y-%m")
    assert months.nunique() == 30


def test_the_history_is_of_moderate_size_and_ends_where_it_says(company: Simulation, frames: dict[str, pd.DataFrame]) -> None:
    assert 500_000 < len(frames["usage"]) < 1_500_000
    end = pd.Timestamp(company.observed_until, unit="us", tz="UTC")
    assert end == pd.Timestamp("2025-07-01", tz="UTC")
    begin = pd.Timestamp("2023-01-01", tz="UTC")
    for name, time in (
        ("usage", "at"),
        ("tickets", "opened_at"),
        ("surveys", "sent_at"),
        ("payments", "at"),
        ("goals", "set_at"),
    ):
        assert frames[name][time].between(begin, end, inclusive="left").all(), name
    for name, times in {
        "tickets": ("first_response_at", "resolved_at", "reopened_at"),
        "surveys": ("answered_at",),
        "subscriptions": ("ended_at", "cancel_requested_at", "valid_from"),
        "payments": ("refunded_at",),
        "goals": ("met_at",),
        "accounts": ("setup_completed_at", "valid_from"),
    }.items():
        for time in times:
            assert not (frames[name][time] >= end).any(), (name, time)
    assert frames["usage"]["at"].max() > end - pd.Timedelta(hours=12)


def _inside(rows: pd.DataFrame, time: str, core: pd.DataFrame) -> np.ndarray:
    """Say which rows fall into a spell of their account, its ends included."""
    spells = core[["account_id", "started_at", "ended_at"]].set_axis(["account_id", "begins", "ends"], axis=1)
    rows = rows[["account_id", time]].reset_index(names="row")
    joined = rows.merge(spells, on="account_id")
    good = (joined[time] >= joined["begins"]) & ~(joined[time] > joined["ends"])
    return joined[good].drop_duplicates("row")["row"].to_numpy()


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("usage", "at"),
        ("tickets", "opened_at"),
        ("payments", "at"),
        ("advocacy", "at"),
        ("goals", "set_at"),
        ("surveys", "sent_at"),
    ],
)
def test_nothing_happens_outside_a_spell(
    company: Simulation, frames: dict[str, pd.DataFrame], core: pd.DataFrame, name: str, time: str
) -> None:
    rows = frames[name]
    if name == "usage":
        rows = rows.iloc[::7]
    assert len(_inside(rows, time, core)) == len(rows)


def test_versions_of_a_subscription_agree_and_products_lie_within_the_core(
    frames: dict[str, pd.DataFrame], core: pd.DataFrame
) -> None:
    rows = frames["subscriptions"]
    assert not rows.duplicated(["subscription_id", "valid_from"]).any()
    fixed = rows.groupby("subscription_id")[["started_at", "ended_at", "end_reason", "term_months"]].nunique()
    assert (fixed <= 1).all().all()
    assert (rows["valid_from"] >= rows["started_at"]).all()
    assert not (rows["valid_from"] > rows["ended_at"]).any()
    add_ons = rows[rows["product"] != "core"].reset_index(drop=True)
    assert len(add_ons) > 300
    assert len(_inside(add_ons, "started_at", core)) == len(add_ons)
    ended = add_ons[add_ons["ended_at"].notna()].reset_index(drop=True)
    assert len(_inside(ended, "ended_at", core)) == len(ended)
    seats = rows.groupby("subscription_id")["seats"]
    assert (seats.max() > seats.min()).mean() > 0.1


def test_annual_terms_are_left_only_at_their_renewal(core: pd.DataFrame) -> None:
    annual = core[(core["term_months"] == 12) & core["ended_at"].notna()]
    foretold = annual[annual["cancel_requested_at"].notna()]
    assert len(foretold) > 30
    months = foretold["ended_at"].dt.month == foretold["started_at"].dt.month
    assert months.all()
    ahead = (foretold["ended_at"] - foretold["cancel_requested_at"]).dt.days
    assert (ahead == 30).all()
    running = core[(core["term_months"] == 12) & core["ended_at"].isna()]
    assert (running["renews_at"] > pd.Timestamp("2025-07-01", tz="UTC")).all()


def test_ends_have_reasons_of_their_kind(frames: dict[str, pd.DataFrame], core: pd.DataFrame) -> None:
    assert core.loc[core["ended_at"].isna(), "end_reason"].isna().all()
    ended = core[core["ended_at"].notna()]
    assert 0.05 < ended["end_reason"].isna().mean() < 0.2
    assert {"payment_failed", "card_expired", "price", "missing features", "support"} <= set(ended["end_reason"].dropna())
    lost = ended[ended["end_reason"].isin(_INVOLUNTARY)]
    assert 0.08 < len(lost) / len(ended) < 0.3
    assert lost["cancel_requested_at"].isna().all()
    chosen = ended[~ended["end_reason"].isin(_INVOLUNTARY) & ended["end_reason"].notna()]
    assert 0.2 < chosen["cancel_requested_at"].notna().mean() < 0.7
    failed = frames["payments"].query("status == 'failed'")[["account_id", "at", "method_expires_at"]]
    joined = ended.merge(failed, on="account_id")
    joined = joined[(joined["at"] <= joined["ended_at"]) & (joined["at"] > joined["ended_at"] - pd.Timedelta(days=15))]
    attempts = joined.groupby("subscription_id").size()
    assert (attempts.reindex(lost["subscription_id"]) == 4).all()
    assert not (attempts.reindex(chosen["subscription_id"]).fillna(0) == 4).any()
    expired = joined[joined["end_reason"] == "card_expired"]
    first = expired.sort_values("at").groupby("subscription_id").first()
    assert (first["method_expires_at"] < first["at"]).all()


def test_failed_payments_are_often_recovered(frames: dict[str, pd.DataFrame]) -> None:
    payments = frames["payments"].sort_values(["account_id", "at"])
    failed = payments["status"] == "failed"
    followed = payments.groupby("account_id")["status"].shift(-1)
    assert 0.02 < failed.mean() < 0.12
    assert 0.35 < (followed[failed] == "paid").mean() < 0.8


def test_some_come_back_soon_and_some_late(core: pd.DataFrame) -> None:
    ordered = core.sort_values(["account_id", "started_at"])
    pause = (ordered["started_at"] - ordered.groupby("account_id")["ended_at"].shift()).dt.total_seconds() / 86400
    pause = pause.dropna()
    assert (pause > 0).all()
    assert ((pause < 30) | (pause >= 59)).all()
    assert (pause < 30).sum() > 10
    assert (pause > 59).sum() > 20


def _signs(frames: dict[str, pd.DataFrame], cutoff: pd.Timestamp) -> dict[str, pd.Series]:
    """Name the accounts that show a sign in the 60 days before a cutoff."""
    recent = cutoff - pd.Timedelta(days=60)
    payments, accounts, goals, tickets = (frames[name] for name in ("payments", "accounts", "goals", "tickets"))
    slow = (tickets["first_response_at"] - tickets["opened_at"]) > pd.Timedelta(hours=15)
    met_in_time = goals["met_at"] < goals["due_at"]
    later_version = accounts["valid_from"] > accounts["signed_up_at"]
    return {
        "failed payment": payments["account_id"][(payments["status"] == "failed") & payments["at"].between(recent, cutoff)],
        "another contact": accounts["account_id"][accounts["valid_from"].between(recent, cutoff) & later_version],
        "goal missed": goals["account_id"][goals["due_at"].between(recent, cutoff) & ~met_in_time],
        "slow answer": tickets["account_id"][tickets["opened_at"].between(recent, cutoff) & slow],
    }


def test_signs_in_the_tables_move_with_the_true_risk(company: Simulation, frames: dict[str, pd.DataFrame]) -> None:
    shown: dict[str, list[pd.Series]] = {}
    risks = []
    for instant in company.cutoffs:
        cutoff = pd.Timestamp(instant, unit="us", tz="UTC")
        truth = company.truth[(company.truth["cutoff"] == cutoff) & ~company.truth["notice_given"]]
        risks.append(truth["churn_probability"])
        for sign, accounts in _signs(frames, cutoff).items():
            shown.setdefault(sign, []).append(truth["account_id"].isin(accounts))
    risk = pd.concat(risks)
    lift = {sign: risk[pd.concat(marks)].mean() / risk[~pd.concat(marks)].mean() for sign, marks in shown.items()}
    assert all(1.2 < value < 4 for value in lift.values()), lift
