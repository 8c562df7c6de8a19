"""Proposed configurations for exports as strangers have them: what is right, and that the next commands run."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import staypower
from staypower.errors import UsageError

ENOUGH = 0.9  # of the columns that should be mapped


def days(rng, n, start="2023-01-01", span=700):
    return pd.Timestamp(start) + pd.to_timedelta(rng.integers(0, span, n), unit="D")


def german(folder, rng):
    """Semicolons, decimal commas, days first, umlauts, ids with leading zeros."""
    n = 300
    ids = [f"{number:06d}" for number in range(1, n + 1)]
    since = days(rng, n, span=300)
    text = pd.DataFrame({"Kundennr": ids, "Firma": [f"Firma {i}" for i in range(n)], "Kunde seit": since.strftime("%d.%m.%Y")})
    text["Branche"] = rng.choice(["Handel", "Industrie", "Pflege"], n)
    text.to_csv(folder / "Kundenstamm.csv", sep=";", index=False, encoding="utf-8-sig")
    ended = np.where(
        rng.random(n) < 0.4, (since + pd.to_timedelta(rng.integers(200, 600, n), unit="D")).strftime("%d.%m.%Y"), ""
    )
    money = [f"{amount:,.2f}".translate(str.maketrans(",.", ".,")) for amount in rng.uniform(100, 5000, n)]
    contracts = {"Vertragsnr": [f"V{i}" for i in range(n)], "Kundennr": ids, "Vertragsbeginn": since.strftime("%d.%m.%Y")}
    contracts |= {"Vertragsende": ended, "Monatsbetrag": money, "Laufzeit Monate": rng.choice([1, 12], n)}
    contracts |= {"K\u00fcndigungsgrund": np.where(ended == "", "", "Preis")}
    pd.DataFrame(contracts).to_csv(folder / "Vertr\u00e4ge.csv", sep=";", index=False, encoding="cp1252")
    m = 8000
    at = (pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 900 * 86400, m), unit="s")).strftime("%d.%m.%Y %H:%M")
    use = pd.DataFrame({"Kundennr": rng.choice(ids, m), "Zeitpunkt": at, "Funktion": rng.choice(["Suche", "Export"], m)})
    use.to_csv(folder / "Nutzung.csv", sep=";", index=False)
    return {
        ("accounts", "account_id"): "Kundennr",
        ("accounts", "signed_up_at"): "parse_time(\"Kunde seit\", '%d.%m.%Y')",
        ("accounts", "name"): "Firma",
        ("subscriptions", "account_id"): "Kundennr",
        ("subscriptions", "subscription_id"): "Vertragsnr",
        ("subscriptions", "started_at"): "parse_time(Vertragsbeginn, '%d.%m.%Y')",
        ("subscriptions", "ended_at"): "parse_time(Vertragsende, '%d.%m.%Y')",
        ("subscriptions", "mrr"): "Monatsbetrag",
        ("subscriptions", "term_months"): "Laufzeit Monate",
        ("subscriptions", "end_reason"): "K\u00fcndigungsgrund",
        ("usage", "account_id"): "Kundennr",
        ("usage", "at"): "parse_time(Zeitpunkt, '%d.%m.%Y %H:%M')",
        ("usage", "event"): "Funktion",
        ("label", "kind"): "contractual",
    }


def american(folder, rng):
    """Month first with AM and PM, epoch milliseconds, one file with several instruments, ids called by other names."""
    n, m = 250, 9000
    ids = [f"org_{i}" for i in range(n)]
    created = days(rng, n, span=200)
    orgs = {"id": ids, "Org Name": [f"Org {i}" for i in range(n)], "Signup Date": created.strftime("%m/%d/%Y")}
    orgs |= {"Industry": rng.choice(["health", "retail", "steel"], n), "Cancelled At": ""}
    gone = rng.random(n) < 0.3
    orgs["Cancelled At"] = np.where(
        gone, (created + pd.to_timedelta(rng.integers(200, 600, n), unit="D")).strftime("%m/%d/%Y"), ""
    )
    pd.DataFrame(orgs).to_csv(folder / "organizations.csv", index=False)
    stamp = 1_672_531_200_000 + rng.integers(0, 800 * 86_400_000, m)
    events = {
        "event_id": np.arange(m),
        "org_id": rng.choice(ids, m),
        "ts": stamp,
        "event_name": rng.choice(["open", "save"], m),
    }
    pd.DataFrame({**events, "user": [f"u{i}" for i in rng.integers(0, 900, m)]}).to_parquet(folder / "events.parquet")
    k = 1500
    when = pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 800 * 1440, k), unit="m")
    kind = rng.choice(["NPS", "CSAT"], k)
    score = np.where(kind == "NPS", rng.integers(0, 11, k), rng.integers(1, 6, k))
    answers = {"response_id": np.arange(k), "org_id": rng.choice(ids, k), "Survey": kind, "Score": score}
    answers["Responded At"] = when.strftime("%m/%d/%Y %I:%M %p")
    pd.DataFrame(answers).to_csv(folder / "survey_responses.csv", index=False)
    return {
        ("accounts", "account_id"): "id",
        ("accounts", "signed_up_at"): "parse_time(\"Signup Date\", '%m/%d/%Y')",
        ("accounts", "name"): "Org Name",
        ("usage", "account_id"): "org_id",
        ("usage", "at"): "epoch_ms(ts)",
        ("usage", "event"): "event_name",
        ("usage", "user_id"): "user",
        ("usage", "usage_id"): "event_id",
        ("surveys", "account_id"): "org_id",
        ("surveys", "value"): "Score",
        ("surveys", "answered_at"): "parse_time(\"Responded At\", '%m/%d/%Y %I:%M %p')",
        ("surveys", "survey_id"): "response_id",
        ("surveys", "instrument"): "csat",
        ("surveys", "instrument", 1): "nps",
        ("surveys", "scale"): "1-5",
        ("surveys", "scale", 1): "0-10",
        ("churn", "churned_at"): "parse_time(\"Cancelled At\", '%m/%d/%Y')",
        ("label", "kind"): "given",
    }


def desk(folder, rng):
    """Tickets with their ratings and waits as minutes, daily roll-ups, persons between events and accounts."""
    n, people = 200, 600
    ids = [f"A-{i:04d}" for i in range(n)]
    pd.DataFrame({"account_id": ids, "created_at": days(rng, n, span=100), "region": rng.choice(["n", "s"], n)}).to_csv(
        folder / "accounts.csv", index=False
    )
    m = 2000
    opened = pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 700 * 1440, m), unit="m")
    tickets = {"case_number": np.arange(10_000, 10_000 + m), "account_id": rng.choice(ids, m), "created": opened}
    tickets |= {"closed": opened + pd.Timedelta(hours=30), "first_reply_minutes": rng.integers(5, 600, m)}
    tickets |= {
        "priority": rng.choice(["low", "high"], m),
        "rating": np.where(rng.random(m) < 0.4, rng.integers(1, 6, m), np.nan),
    }
    pd.DataFrame(tickets).to_csv(folder / "support_cases.csv", index=False)
    persons = pd.DataFrame({"person_id": [f"P{i}" for i in range(people)], "account_id": rng.choice(ids, people)})
    persons.assign(joined=days(rng, people)).to_csv(folder / "people.csv", index=False)
    k = 20_000
    who, day = rng.integers(0, n, k), days(rng, k)
    daily = {
        "account_id": np.asarray(ids)[who],
        "day": day.strftime("%Y%m%d").astype(int),
        "sessions": rng.integers(0, 9, k),
    }
    # every third stops at a day of its own
    stopped = (who % 3 == 0) & (day > pd.Timestamp("2023-06-01") + pd.to_timedelta(who * 2, unit="D"))
    pd.DataFrame(daily)[~np.asarray(stopped)].to_csv(folder / "daily_usage.csv", index=False)
    return {
        ("accounts", "account_id"): "account_id",
        ("accounts", "signed_up_at"): "created_at",
        ("tickets", "ticket_id"): "case_number",
        ("tickets", "opened_at"): "created",
        ("tickets", "resolved_at"): "closed",
        ("tickets", "first_response_at"): "created + to_minutes(first_reply_minutes)",
        ("tickets", "priority"): "priority",
        ("surveys", "value"): "rating",
        ("surveys", "answered_at"): "closed",
        ("surveys", "instrument"): "csat",
        ("usage", "account_id"): "account_id",
        ("usage", "at"): "parse_time(day, '%Y%m%d')",
        ("usage", "quantity"): "sessions",
        ("label", "kind"): "non_contractual",
        # a list of persons is neither use nor orders
        ("label", "table"): "usage",
        ("orders", "at"): None,
    }


def flat(folder, rng):
    """One table with a flag, what was made from the outcome among its columns."""
    n = 900
    gone = rng.random(n) < 0.2
    table = {"CustomerId": np.arange(15_000_000, 15_000_000 + n), "Surname": [f"n{i}" for i in range(n)]}
    table |= {
        "Tenure": rng.integers(0, 10, n),
        "Balance": rng.uniform(0, 9e4, n).round(2),
        "Geography": rng.choice(["F", "D"], n),
    }
    table |= {
        "Exited": gone.astype(int),
        "Exit Reason": np.where(gone, "price", ""),
        "Complain": (gone ^ (rng.random(n) < 0.01)).astype(int),
    }
    pd.DataFrame(table).to_csv(folder / "bank.csv", index=False)
    return {
        ("accounts", "account_id"): "CustomerId",
        ("accounts", "static"): "all",
        ("accounts", "leave_out"): ["Exit Reason", "Complain", "Surname"],
        ("label", "kind"): "given",
        ("label", "flag"): "Exited",
        ("label", "positive"): "1",
    }


def shop(folder, rng):
    """Order lines of a shop, dollars and thousands commas, nothing else."""
    m = 6000
    at = (pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 900 * 1440, m), unit="m")).strftime("%b %d, %Y %I:%M %p")
    lines = {
        "Order No": rng.integers(100_000, 103_000, m),
        "Customer": [f"C{i}" for i in rng.integers(0, 400, m)],
        "Order Date": at,
    }
    lines |= {"SKU": [f"S-{i}" for i in rng.integers(0, 50, m)], "Qty": rng.integers(1, 9, m)}
    lines["Line Total"] = [f"${value:,.2f}" for value in rng.uniform(5, 3000, m)]
    pd.DataFrame(lines).to_csv(folder / "order_lines.csv", index=False)
    return {
        ("accounts", "derive_from"): "orders",
        ("orders", "account_id"): "Customer",
        ("orders", "order_id"): "Order No",
        ("orders", "at"): "parse_time(\"Order Date\", '%b %d, %Y %I:%M %p')",
        ("orders", "product"): "SKU",
        ("orders", "quantity"): "Qty",
        ("orders", "amount"): "cast(replace(replace(\"Line Total\", '$', ''), ',', '') as double)",
        ("label", "kind"): "non_contractual",
    }


@pytest.mark.parametrize("company", [german, american, desk, flat, shop])
def test_a_stranger_s_export_is_mapped_and_can_be_read(company, tmp_path):
    wanted = company(tmp_path, np.random.default_rng(3))
    proposal = staypower.propose(tmp_path, output=tmp_path / "staypower.yaml")
    settings = proposal.settings()

    def found(table, key, place=0):
        part = settings["label"] if table == "label" else settings["tables"].get(table, {})
        listed = part if isinstance(part, list) else [part]
        return listed[place].get(key) if place < len(listed) else None

    wrong = {key: (found(*key), right) for key, right in wanted.items() if found(*key) != right}
    assert 1 - len(wrong) / len(wanted) >= ENOUGH, wrong
    # what was written says the same as what Python gives, and the reader takes it as it stands
    loaded = staypower.load_config(tmp_path / "staypower.yaml")
    assert loaded.label.kind == settings["label"]["kind"]
    report = staypower.check(loaded)
    assert report.exit_code == 0, report.text()


BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def strangers():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import first_config

        yield first_config, first_config.COMPANIES
    finally:
        sys.path.remove(str(BENCHMARKS))


def test_the_columns_of_many_companies_read_what_their_owners_would_read(tmp_path, strangers):
    first_config, companies = strangers
    right, wrong, edits = 0, [], []
    # abbreviations and cents, ids through profiles, another language, one table with a flag; the benchmark has all
    # no file of accounts but of contracts, lines under their order, words of states and deleted rows in another system's names
    for name in ("telecom", "streaming", "clinic", "energy", "marketplace", "utility", "webshop", "warehouse"):
        company = companies[name]
        folder = tmp_path / name
        folder.mkdir()
        truth = company(folder, np.random.default_rng(3))
        proposed = staypower.propose(folder, output=folder / "staypower.yaml").settings()
        staypower.load_config(folder / "staypower.yaml")
        found = first_config.compare(proposed, truth, folder)
        right += len(found.right)
        wrong += [f"{name}: {item}" for item in found.wrong]
        edits.append(found.edits)
    assert right > 135
    assert not wrong
    assert max(edits) <= 1


def test_tables_under_our_own_names_are_taken_as_they_are(tmp_path):
    """Accounts with versions have several rows; answers to several instruments lie in one file."""
    staypower.simulate(150, seed=1).write(tmp_path, format="csv")
    proposal = staypower.propose(sorted(tmp_path.glob("*.csv")), output=tmp_path / "staypower.yaml")
    assert proposal.label["kind"] == "contractual"
    tables = staypower.read_tables(staypower.load_config(tmp_path / "staypower.yaml"))
    assert len(tables) == 8
    assert len(tables["accounts"]) > 150
    assert set(tables["surveys"].data["instrument"].to_pylist()) == {"nps", "csat", "ces2"}
    assert set(tables["surveys"].data["scale"].to_pylist()) == {"0-10", "1-5", "1-7"}


def test_a_file_that_is_there_is_kept(tmp_path):
    shop(tmp_path, np.random.default_rng(0))
    target = tmp_path / "staypower.yaml"
    target.write_text("name: mine\n")
    with pytest.raises(UsageError, match="there already"):
        staypower.propose(tmp_path, output=target)
    assert target.read_text() == "name: mine\n"
    staypower.propose(tmp_path, output=target, overwrite=True)
    assert "orders" in target.read_text()


def test_what_cannot_be_used_is_said_with_the_reason(tmp_path):
    with pytest.raises(UsageError, match="no such file or folder"):
        staypower.propose(tmp_path / "nothing")
    with pytest.raises(UsageError, match=r"nothing that can be read: .* is empty"):
        staypower.propose(tmp_path)
    (tmp_path / "offer.pdf").write_bytes(b"%PDF")
    with pytest.raises(UsageError, match=r"no file of a format that is read: offer\.pdf"):
        staypower.propose(tmp_path)
    (tmp_path / "colors.csv").write_text("red,green\n1,2\n3,4\n")
    with pytest.raises(UsageError, match="colors is left out: no column names an account"):
        staypower.propose(tmp_path)
    shop(tmp_path, np.random.default_rng(0))
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 this is none")
    proposal = staypower.propose(tmp_path)
    assert any("broken cannot be read" in line for line in proposal.unread)
    assert "colors is left out" in proposal.text()


def test_a_database_is_looked_into(tmp_path):
    import duckdb

    rng = np.random.default_rng(1)
    with duckdb.connect(str(tmp_path / "crm.duckdb")) as connection:
        clients = pd.DataFrame({"client_id": [f"K{i}" for i in range(150)], "since": days(rng, 150)})  # noqa: F841
        logins = pd.DataFrame({"client_id": rng.choice([f"K{i}" for i in range(150)], 4000), "login_at": days(rng, 4000)})  # noqa: F841
        connection.execute("create table clients as select * from clients")
        connection.execute("create table logins as select * from logins")
    settings = staypower.propose(tmp_path / "crm.duckdb").settings()
    assert settings["tables"]["accounts"]["table"] == "clients"
    assert settings["tables"]["usage"]["at"] == "login_at"
