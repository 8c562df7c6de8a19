"""Each page of `docs/recipes` holds configs: they run on small made-up exports, and what comes out is what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import staypower
from staypower.spells import find_spells

RECIPES = Path(__file__).parents[2] / "docs" / "recipes"
N = 400  # ordinary customers beside those that a page speaks of


def configs(page):
    """Return the configs of a page by their names."""
    blocks = re.findall(r"```yaml\n(.*?)```", (RECIPES / f"{page}.md").read_text(encoding="utf-8"), re.DOTALL)
    return {re.search(r"^name: (\w+)$", block, re.MULTILINE)[1]: block for block in blocks}


EVERY = {(page.stem, name) for page in RECIPES.glob("*.md") for name in configs(page.stem)}


class Recipe:
    """A config of a page beside made-up files: checked once, then read."""

    def __init__(self, folder, page, name):
        (folder / "staypower.yaml").write_text(configs(page)[name], encoding="utf-8")
        self.settings = staypower.load_config(folder / "staypower.yaml")
        self.report = staypower.check(self.settings)
        assert self.report.exit_code == 0, self.report.text()
        self.tables = staypower.read_tables(self.settings)

    def rows(self, table, *ids, by="account_id"):
        """Return the rows of some accounts, times as text."""
        frame = self.tables[table].data.to_pandas()
        frame = frame[frame[by].isin(ids)].sort_values(
            [by, *(time for time in self.tables[table].schema.times if time in frame)]
        )
        for column in frame.select_dtypes(["datetime", "datetimetz"]):
            frame[column] = frame[column].dt.strftime("%Y-%m-%d %H:%M").fillna("")
        return frame.reset_index(drop=True)

    def spells(self, *ids):
        """Return account, first day, last day and reason of the spells of some accounts."""
        found = find_spells(self.tables["subscriptions"], grace_days=30).frame()
        found = found[found["account_id"].isin(ids)]
        days = found[["started", "ended"]].apply(lambda times: times.dt.strftime("%Y-%m-%d").fillna(""))
        return list(zip(found["account_id"], days["started"], days["ended"], strict=True))


def figure(settings, metric, month):
    """Return one figure of the portfolio, of all accounts in a month."""
    frame = staypower.portfolio(settings).frame()
    frame = frame[(frame["metric"] == metric) & (frame["segment"] == "all")]
    return frame.set_index(frame["period_start"].dt.strftime("%Y-%m-%d"))["value"][month]


def write(folder, name, columns, special, ordinary, **options):
    """Write a file of the rows that a test speaks of and of many ordinary ones, under the columns of the export."""
    frame = pd.DataFrame([*special, *ordinary], columns=columns, dtype=object)
    frame.to_csv(folder / name, index=False, **options)


def contracts(seed=0, n=N, start="2022-06-01", span=700, share=0.45):
    """Return starts and ends (None for half) of ordinary contracts."""
    rng = np.random.default_rng(seed)
    starts = pd.Timestamp(start) + pd.to_timedelta(rng.integers(0, span, n), unit="D")
    ends = starts + pd.to_timedelta(rng.integers(90, 700, n), unit="D")
    ended = (rng.random(n) < share) & (ends < pd.Timestamp("2025-06-15"))
    return [(start, end if over else None) for start, end, over in zip(starts, ends, ended, strict=True)]


def moments(seed=0, n=4000, accounts=N, start="2022-06-01", span=1100):
    """Return accounts and times of ordinary events; a third of the accounts stops."""
    rng = np.random.default_rng(seed)
    account, minute = rng.integers(0, accounts, n), rng.integers(0, span * 1440, n)
    stops = np.where(np.arange(accounts) % 3 == 0, rng.integers(300, span, accounts), span)
    kept = minute < stops[account] * 1440
    return [
        (int(a), pd.Timestamp(start) + pd.Timedelta(minutes=int(m))) for a, m in zip(account[kept], minute[kept], strict=True)
    ]


def seconds(text):
    return "" if text is None else str(int(pd.Timestamp(text, tz="UTC").timestamp()))


def stamp(time, how="%Y-%m-%d %H:%M"):
    return "" if time is None else pd.Timestamp(time).strftime(how)


SUBSCRIPTIONS = [
    *("id", "Customer ID", "Plan", "Quantity", "Currency", "Interval", "Amount", "Status", "Created (UTC)", "Start Date (UTC)"),
    *("Current Period End (UTC)", "Trial Start (UTC)", "Trial End (UTC)", "Canceled At (UTC)", "Ended At (UTC)"),
    "Cancellation Reason",
]
PAYMENTS = [
    *(
        "id",
        "Created date (UTC)",
        "Amount",
        "Amount Refunded",
        "Currency",
        "Captured",
        "Converted Amount",
        "Converted Currency",
    ),
    *("Decline Reason", "Refunded date (UTC)", "Status", "Customer ID"),
]


def subscription(name, start, end=None, **given):
    """Return a subscription of the Dashboard."""
    row = {"id": f"sub_{name}", "Customer ID": f"cus_{name}", "Plan": "Pro", "Quantity": 1, "Currency": "usd"}
    row |= {"Interval": "month", "Amount": "49.00", "Status": "active" if end is None else "canceled"}
    row |= {"Created (UTC)": stamp(start), "Start Date (UTC)": stamp(start), "Ended At (UTC)": stamp(end)}
    return {**dict.fromkeys(SUBSCRIPTIONS, ""), **row, **{key.replace("_", " "): value for key, value in given.items()}}


def test_stripe(tmp_path):
    trial = {"Trial Start (UTC)": "2025-02-01 00:00", "Trial End (UTC)": "2025-03-01 00:00"}
    special = [
        subscription("plain", "2024-01-01"),
        subscription("notice", "2024-01-01", "2025-05-01") | {"Canceled At (UTC)": "2025-04-10 12:00"},
        subscription("year", "2024-01-01", Interval="year", Amount="588.00", Quantity=3, Currency="eur"),
        subscription("yen", "2024-01-01", Amount="4900", Currency="jpy"),
        subscription("converted", "2025-02-01") | trial,
        subscription("tried", "2025-02-01", "2025-02-20") | trial,
        subscription("expired_trial", "2025-02-01", "2025-03-01") | trial,
        subscription("paused", "2025-02-01", Status="paused") | trial,
        subscription("never", "2025-02-01", "2025-02-02", Status="incomplete_expired"),
        subscription("late", "2024-01-01", Status="past_due"),
        subscription("owing", "2024-01-01", Status="unpaid"),
        subscription("card", "2024-01-01", "2025-03-01") | {"Cancellation Reason": "payment_failed"},
    ]
    pairs = enumerate(contracts())
    why = {"Cancellation Reason": "payment_failed"}
    ordinary = [subscription(str(i), start, end) | (why if end and i % 3 == 0 else {}) for i, (start, end) in pairs]
    write(tmp_path, "subscriptions.csv", SUBSCRIPTIONS, special, ordinary)

    def payment(name, at, amount, status, **given):
        row = {"id": f"ch_{name}_{at}", "Created date (UTC)": stamp(at), "Amount": amount, "Currency": "usd", "Status": status}
        return {**dict.fromkeys(PAYMENTS, ""), **row, "Customer ID": f"cus_{name}", **given}

    back = {"Amount Refunded": "49.00", "Refunded date (UTC)": "2024-02-09 10:00"}
    euro = {"Currency": "eur", "Converted Amount": "161.70", "Converted Currency": "usd"}
    payments = [
        payment("plain", "2024-01-01", "49.00", "Paid"),
        payment("plain", "2024-02-01", "49.00", "Refunded", **back),
        payment("plain", "2024-03-01", "49.00", "Failed", **{"Decline Reason": "insufficient_funds"}),
        payment("year", "2024-01-01", "147.00", "Paid", **euro),
    ]
    write(tmp_path, "payments.csv", PAYMENTS, payments, [])
    found = Recipe(tmp_path, "stripe", "stripe")
    # neither trials nor subscriptions that were never paid are spells; a converted trial begins with the first payment
    assert found.spells(*(f"cus_{row['id'][4:]}" for row in special)) == [
        ("cus_card", "2024-01-01", "2025-03-01"),
        ("cus_converted", "2025-03-01", ""),
        ("cus_late", "2024-01-01", ""),
        ("cus_notice", "2024-01-01", "2025-05-01"),
        ("cus_owing", "2024-01-01", ""),
        ("cus_plain", "2024-01-01", ""),
        ("cus_year", "2024-01-01", ""),
        ("cus_yen", "2024-01-01", ""),
    ]
    monthly = found.rows("subscriptions", "cus_plain", "cus_year", "cus_yen")["mrr"]
    assert monthly.tolist() == pytest.approx([49, 588 / 12 * 3 * 1.10, 4900 * 0.0067])
    assert found.rows("subscriptions", "cus_notice")["cancel_requested_at"].tolist() == ["2025-04-10 12:00"]
    paid = found.rows("payments", "cus_plain")
    assert paid["status"].tolist() == ["paid", "refunded", "failed"]
    assert paid["refunded_at"].tolist() == ["", "2024-02-09 10:00", ""]
    assert found.rows("payments", "cus_year")["amount"].tolist() == [161.70]
    # a card that failed is involuntary churn; without a reason the kind is not known
    kinds = found.report.population()[["churners", "involuntary", "unknown"]].sum()
    assert 0 < kinds["involuntary"] < kinds["churners"] == kinds["involuntary"] + kinds["unknown"]
    # a refund takes nothing from recurring revenue and adds nothing to it
    rows = found.tables["subscriptions"].data.to_pandas()
    end = pd.Timestamp("2025-06-01", tz="UTC")
    running = rows[(rows["started_at"] <= end) & ~(rows["ended_at"] <= end)]
    assert figure(found.settings, "mrr_at_end", "2025-05-01") == pytest.approx(running["mrr"].sum())


OBJECTS = [
    *(
        "id",
        "customer",
        "status",
        "created",
        "trial_end",
        "start_date",
        "canceled_at",
        "ended_at",
        "amount",
        "quantity",
        "interval",
    ),
    "currency",
]


def test_stripe_objects(tmp_path):
    def row(name, start, end=None, **given):
        base = dict.fromkeys(OBJECTS, "") | {
            "id": f"s_{name}",
            "customer": name,
            "status": "active",
            "amount": 4900,
            "quantity": 2,
        }
        base |= {"interval": "month", "currency": "usd", "start_date": seconds(start), "ended_at": seconds(end)}
        return base | given

    special = [
        row("plain", "2024-01-01"),
        row("year", "2024-01-01", interval="year", amount=58800, quantity=1),
        row("yen", "2024-01-01", currency="jpy", quantity=1),
        row("tried", "2025-02-01", "2025-02-20", trial_end=seconds("2025-03-01")),
        row("converted", "2025-02-01", trial_end=seconds("2025-03-01")),
    ]
    write(tmp_path, "subscription_objects.csv", OBJECTS, special, [row(str(i), *pair) for i, pair in enumerate(contracts())])
    found = Recipe(tmp_path, "stripe", "stripe_api")
    # cents are divided, and currencies that have none are not
    assert found.rows("subscriptions", "plain", "year", "yen")["mrr"].tolist() == pytest.approx([98, 49, 4900 * 0.0067])
    assert found.spells("tried", "converted") == [("converted", "2025-03-01", "")]


TICKETS = [
    *("Summation column", "Id", "Requester", "Requester id", "Requester external id", "Requester email", "Assignee", "Subject"),
    *("Tags", "Status", "Priority", "Via", "Ticket type", "Created at", "Updated at", "Organization", "Solved at"),
    *("Satisfaction Score", "Reopens", "Replies", "First reply time in minutes"),
    "First reply time in minutes within business hours",
]


def test_zendesk(tmp_path):
    def ticket(number, organization, opened, solved="", **given):
        row = dict.fromkeys(TICKETS, "") | {
            "Id": number,
            "Organization": organization,
            "Created at": opened,
            "Solved at": solved,
        }
        return row | {"Requester id": "7", "Via": "Mail", "Satisfaction Score": "Not Offered", "Updated at": solved} | given

    first = {"First reply time in minutes": 3510, "First reply time in minutes within business hours": 90}
    twice = ticket(104, "Bolt", "2024-03-03 10:00:00 -0500", "2024-03-04 10:00:00 -0500", Priority="Urgent")
    twice |= {"Satisfaction Score": "Bad with comment", "Updated at": "2024-03-08 09:00:00 -0500"}
    special = [
        ticket(101, "Acme", "2024-01-05 22:10:00 -0500", "2024-01-08 09:00:00 -0500", **first) | {"Satisfaction Score": "Good"},
        ticket(102, "Acme", "2024-02-01 10:00:00 -0500", "2024-02-01 10:05:00 -0500", Tags="billing closed_by_merge"),
        ticket(103, "Bolt", "2024-02-03 10:00:00 -0500", "2024-02-09 10:00:00 -0500") | {"Satisfaction Score": "Offered"},
        *(twice, twice),
    ]
    ordinary = [
        ticket(1000 + i, f"Org {a}", stamp(at, "%Y-%m-%d %H:%M:00 -0500"), stamp(at, "%Y-%m-%d %H:%M:30 -0500"))
        for i, (a, at) in enumerate(moments())
    ]
    write(tmp_path, "tickets.csv", TICKETS, special, ordinary)
    names = [["Acme", "2023-01-01"], ["Bolt", "2023-01-01"]]
    write(tmp_path, "organizations.csv", ["Organization", "Created at"], names, [[f"Org {i}", "2022-05-01"] for i in range(N)])
    found = Recipe(tmp_path, "zendesk", "zendesk")
    tickets = found.rows("tickets", "Acme", "Bolt")
    # a merged ticket and a repeated one count once
    assert tickets["ticket_id"].tolist() == ["101", "103", "104"]
    assert tickets["opened_at"][0] == "2024-01-06 03:10"
    # minutes by the clock are a time; those of business hours are a length in hours
    assert tickets["first_response_at"].tolist() == ["2024-01-08 13:40", "", ""]
    assert tickets["business_reply_hours"][0] == 1.5
    surveys = found.rows("surveys", "Acme", "Bolt")
    assert surveys["survey_id"].tolist() == ["101", "103", "104"]
    assert surveys["value"].fillna(-1).tolist() == [1, -1, 0]
    # an invitation without an answer stays one, and an answer is never known before it was given
    assert surveys["answered_at"].tolist() == ["2024-01-08 14:00", "", "2024-03-08 14:00"]


COMPANIES = [
    "Record ID",
    "Company name",
    "Company owner",
    "Create Date",
    "Became a Customer Date",
    "Lifecycle Stage",
    "Industry",
]
DEALS = [
    *("Record ID", "Deal Name", "Deal Stage", "Amount", "Amount in company currency", "Close Date", "Contract start date"),
    *("Contract end date", "Term in months", "Associated Company IDs (Primary)"),
]
HUBSPOT_TICKETS = [
    *("Record ID", "Ticket name", "Create date", "Close date", "Time to first agent reply", "Priority"),
    "Associated Company IDs (Primary)",
]


def test_hubspot(tmp_path):
    def company(number, since, merged=""):
        return [number, f"Company {number}", "Kim", "2021-01-01 09:30", since, "Customer", "Retail", merged]

    def deal(number, company, start, end="", stage="Closed Won", months=12):
        return [number, "Deal", stage, 9999, 1200, start, start, end, months, company]

    write(
        *(tmp_path, "companies.csv", [*COMPANIES, "Merged Company IDs"]),
        [company(1, "2022-01-01 00:00", "11;12"), company(2, "2022-01-01 00:00"), company(3, "")],
        [company(1000 + i, stamp(start)) for i, (start, _) in enumerate(contracts())],
    )
    special = [
        deal(51, 11, "2022-01-01", "2022-12-31"),
        deal(52, 12, "2023-01-01", "2023-12-31"),
        deal(53, 1, "2024-01-01", "2025-12-31"),
        deal(54, 2, "2022-01-01", "2022-12-31"),
        deal(55, 2, "2023-01-10", "2024-01-09", stage="Closed Lost"),
        deal(56, 3, "2024-01-01", stage="Appointment Scheduled"),
    ]
    ordinary = [deal(9000 + i, 1000 + i, stamp(s, "%Y-%m-%d"), stamp(e, "%Y-%m-%d")) for i, (s, e) in enumerate(contracts())]
    write(tmp_path, "deals.csv", DEALS, special, ordinary)
    tickets = [[71, "Help", "2023-02-01 10:00", "2023-02-03 10:00", 5_400_000, "High", 12]]
    write(tmp_path, "tickets.csv", HUBSPOT_TICKETS, tickets, [])
    found = Recipe(tmp_path, "hubspot", "hubspot")
    # three companies that were merged are one account with one spell; a prospect is none; a lost renewal is the end
    assert found.spells("1", "2", "3", "11", "12") == [("1", "2022-01-01", "2025-12-31"), ("2", "2022-01-01", "2022-12-31")]
    assert not {"3", "11", "12"} & set(found.tables.account_ids)
    assert found.rows("subscriptions", "2")["mrr"].tolist() == [100]
    assert found.rows("tickets", "1")["first_response_at"].tolist() == ["2023-02-01 11:30"]


def test_salesforce(tmp_path):
    ids = {name: f"001{name:0>15}" for name in ("KEPT", "GONE", "LEAD", "OVER")}
    accounts = ["Id", "IsDeleted", "MasterRecordId", "Name", "Type", "Industry", "BillingCountry", "CreatedDate"]
    made = "2019-01-01T08:00:00.000Z"
    special = [
        [ids["KEPT"], 0, "", "Kept", "Customer", "Health", "FR", made],
        [ids["GONE"], 1, ids["KEPT"], "Gone", "Customer", "Health", "FR", made],
        [ids["LEAD"], 0, "", "Lead", "Prospect", "Health", "FR", made],
        [ids["OVER"], 0, "", "Over", "Customer", "Retail", "FR", made],
    ]
    write(
        tmp_path, "Account.csv", accounts, special, [[f"A{i}", 0, "", "x", "Customer", "Retail", "DE", made] for i in range(N)]
    )
    contract = ["Id", "AccountId", "Status", "StartDate", "EndDate", "ContractTerm"]
    special = [
        ["C1", ids["GONE"], "Activated", "2022-01-01", "2022-12-31", 12],
        ["C2", ids["KEPT"], "Activated", "2023-01-01", "2025-12-31", 36],
        ["C3", ids["OVER"], "Activated", "2022-01-01", "2023-12-31", 24],
        ["C4", ids["OVER"], "Draft", "2024-01-01", "", 12],
    ]
    ordinary = [[f"K{i}", f"A{i}", "Activated", s.date(), e.date() if e else "", 12] for i, (s, e) in enumerate(contracts())]
    write(tmp_path, "Contract.csv", contract, special, ordinary)
    case = ["Id", "MasterRecordId", "AccountId", "Type", "Origin", "Priority", "CreatedDate", "ClosedDate"]
    closed = ("2023-03-01T10:00:00.000Z", "2023-03-02T10:00:00.000Z")
    rows = [["5A", "", ids["GONE"], "Bug", "Web", "High", *closed], ["5B", "5A", ids["GONE"], "Bug", "Web", "High", *closed]]
    write(tmp_path, "Case.csv", case, rows, [])
    deal = ["Id", "AccountId", "IsWon", "Type", "Amount", "CurrencyIsoCode", "CloseDate"]
    rows = [
        ["O1", ids["KEPT"], 1, "New", 1000, "EUR", "2022-01-01"],
        ["O2", ids["KEPT"], 0, "Renewal", 1000, "EUR", "2023-01-01"],
    ]
    write(tmp_path, "Opportunity.csv", deal, rows, [["O3", "A1", 1, "New", 500, "USD", "2023-01-01"]])
    found = Recipe(tmp_path, "salesforce", "salesforce")
    assert found.spells(*ids.values()) == [(ids["KEPT"], "2022-01-01", "2025-12-31"), (ids["OVER"], "2022-01-01", "2023-12-31")]
    assert found.rows("tickets", ids["KEPT"])["ticket_id"].tolist() == ["5A"]
    assert found.rows("won", ids["KEPT"])["amount"].tolist() == pytest.approx([1100])
    # tenure counts from the first contract, of whichever of the merged accounts, and not from the row of the CRM
    assert found.rows("accounts", ids["KEPT"])["signed_up_at"].tolist() == ["2022-01-01 00:00"]


CONVERSATIONS = [
    *("id", "created_at", "updated_at", "contact_id", "source_type", "source_delivered_as", "state"),
    *("statistics_first_admin_reply_at", "statistics_time_to_admin_reply", "statistics_last_close_at"),
    *("conversation_rating_created_at", "conversation_rating_rating"),
]


def test_intercom(tmp_path):
    def talk(number, contact, at, **given):
        row = dict.fromkeys(CONVERSATIONS, "") | {"id": number, "contact_id": contact, "created_at": seconds(at)}
        row |= {"source_type": "email", "source_delivered_as": "customer_initiated", "updated_at": seconds(at)}
        return row | given

    rated = {"conversation_rating_created_at": seconds("2024-01-08 10:00"), "updated_at": seconds("2024-01-09 09:00")}
    reply = {
        "statistics_first_admin_reply_at": seconds("2024-01-08 09:00"),
        "statistics_time_to_admin_reply": 5400,
        "statistics_last_close_at": seconds("2024-01-08 10:00"),
    }
    special = [
        talk(1, "p1", "2024-01-05 20:00", conversation_rating_rating=4, **rated, **reply),
        talk(2, "p2", "2024-02-05 20:00", **rated),
        talk(3, "p1", "2024-03-05 20:00", source_delivered_as="automated"),
    ]
    ordinary = [talk(100 + i, f"q{a}", at) for i, (a, at) in enumerate(moments())]
    write(tmp_path, "conversations.csv", CONVERSATIONS, special, ordinary)
    people = [["p1", "acme"], ["p2", "acme"]]
    write(tmp_path, "contacts.csv", ["id", "company_id"], people, [[f"q{i}", f"company{i}"] for i in range(N)])
    since = seconds("2022-01-01")
    rows = [[f"company{i}", since] for i in range(N)]
    write(tmp_path, "companies.csv", ["company_id", "remote_created_at"], [["acme", since]], rows)
    found = Recipe(tmp_path, "intercom", "intercom")
    tickets = found.rows("tickets", "acme")
    assert tickets["ticket_id"].tolist() == ["1", "2"]
    # the reply came after the weekend; without the time out of office it took an hour and a half
    assert tickets["first_response_at"].tolist() == ["2024-01-08 09:00", ""]
    assert tickets["office_reply_hours"][0] == 1.5
    surveys = found.rows("surveys", "acme").sort_values("survey_id")
    assert surveys["value"].fillna(-1).tolist() == [4, -1]
    assert surveys["answered_at"].tolist() == ["2024-01-09 09:00", ""]


@pytest.fixture
def users(tmp_path):
    write(tmp_path, "customers.csv", ["customer_id", "since"], [], [[f"{i:04d}", "2022-05-01"] for i in range(N)])
    write(tmp_path, "usage.csv", ["customer_id", "day"], [], [[f"{a:04d}", at.date()] for a, at in moments()])
    return tmp_path


def test_delighted(users):
    columns = ["id", "person", "survey_type", "score", "comment", "created_at", "updated_at", "person_properties_customer_id"]
    first, later = seconds("2024-01-05"), seconds("2024-04-05")
    rows = [
        ["r1", "p1", "nps", 10, "Great", first, "", "0001"],
        ["r1", "p1", "nps", 6, "Not any more", first, later, "0001"],
        ["r2", "p2", "csat", 3, "", first, "", "0001"],
        ["r3", "p3", "nps", 0, "No\nkey", first, "", ""],
    ]
    write(users, "responses.csv", columns, rows, [[f"x{i}", i, "nps", i % 11, "", first, "", f"{i:04d}"] for i in range(2, N)])
    answers = Recipe(users, "nps", "delighted").rows("surveys", "0001")
    # a change of mind counts from its own time on
    assert answers["value"].tolist() == [10, 6]
    assert answers["answered_at"].tolist() == ["2024-01-05 00:00", "2024-04-05 00:00"]


def test_surveymonkey(users):
    ask = "How likely are you to recommend us?"
    columns = ["Respondent ID", "Collector ID", "Start Date", "End Date", "IP Address", "Email Address", "Custom Data 1", ask]
    who = ["9", "01/05/2024 10:00:00 AM"]
    rows = [
        ["", "", "", "", "", "", "", "Response"],
        ["101", *who, "01/05/2024 01:05:00 PM", "", "a@x.com", "0001", "10 - Extremely likely"],
        ["102", *who, "", "", "b@x.com", "0001", "3"],
        ["103", *who, "01/06/2024 10:05:00 AM", "", "c@x.com", "0002", "0 - Not at all likely"],
    ]
    write(users, "survey.csv", columns, rows, [], encoding="utf-8-sig")
    answers = Recipe(users, "nps", "surveymonkey").rows("surveys", "0001", "0002")
    assert answers["value"].tolist() == [10, 0]
    assert answers["answered_at"].tolist() == ["2024-01-05 13:05", "2024-01-06 10:05"]


def test_shop_lines(tmp_path):
    columns = ["order_id", "customer_id", "ordered_at", "order_status", "sku", "quantity", "unit_price_cents", "discount_cents"]
    columns += ["refunded_at", "cancelled_at"]
    day = "2025-03-05 10:00"
    special = [
        ["o1", "anna", day, "completed", "A", 2, 1250, 100, "", ""],
        ["o1", "anna", day, "completed", "B", 1, 500, "", "2025-03-20 09:00", ""],
        ["o1", "anna", day, "completed", "SHIPPING", 1, 490, "", "", ""],
        ["o2", "anna", "2025-03-06 10:00", "failed", "A", 1, 1250, "", "", ""],
    ]
    happened = moments()
    ordinary = [[f"n{i}", f"c{a}", stamp(at), "completed", "A", 1, 1000, "", "", ""] for i, (a, at) in enumerate(happened)]
    write(tmp_path, "lines.csv", columns, special, ordinary)
    found = Recipe(tmp_path, "shop", "shop")
    lines = found.rows("orders", "anna").sort_values("product")
    assert lines["amount"].tolist() == [24, 5]
    assert lines["returned_at"].tolist() == ["", "2025-03-20 09:00"]
    # what was refunded is no revenue, and neither are shipping and an order that failed
    march = [at for _, at in happened if (at.year, at.month) == (2025, 3)]
    assert figure(found.settings, "order_revenue", "2025-03-01") == pytest.approx(10 * len(march) + 24)


def test_shopify(tmp_path):
    columns = ["Name", "Email", "Financial Status", "Paid at", "Currency", "Total", "Created at", "Lineitem quantity"]
    columns += ["Lineitem name", "Lineitem price", "Cancelled at", "Refunded Amount"]
    day = "2024-01-05 10:00:00 +0100"
    special = [
        ["#1", "Anna@x.com", "paid", day, "EUR", "37.50", day, 2, "Tea", "12.50", "", "0.00"],
        ["#1", "Anna@x.com", "", "", "", "", day, 1, "Pot", "12.50", "", ""],
        ["#2", "anna@x.com", "refunded", day, "EUR", "20.00", "2024-02-05 10:00:00 +0100", 1, "Tea", "20.00", day, "20.00"],
        ["#3", "anna@x.com", "voided", "", "EUR", "9.00", "2024-03-05 10:00:00 +0100", 1, "Tea", "9.00", "", "0.00"],
    ]
    special[2][10] = "2024-02-07 10:00:00 +0100"
    rows = [
        [f"#9{i}", f"c{a}@x.com", "paid", "", "EUR", 10, stamp(at, "%Y-%m-%d %H:%M:00 +0100"), 1, "Tea", 10, "", 0]
        for i, (a, at) in enumerate(moments())
    ]
    write(tmp_path, "orders_export.csv", columns, special, rows)
    orders = Recipe(tmp_path, "shop", "shopify").rows("orders", "anna@x.com")
    # an order of two lines counts once, one that was never paid not at all
    assert orders["order_id"].tolist() == ["#1", "#2"]
    assert orders["amount"].tolist() == [37.5, 20]
    assert orders["returned_at"].tolist() == ["", "2024-02-07 09:00"]


def test_workbook(tmp_path):
    pytest.importorskip("xlsxwriter", reason="workbooks are written with staypower[excel]")
    pytest.importorskip("python_calamine", reason="workbooks are read with staypower[excel]")
    pairs = [(f"{i:05d}", *pair) for i, pair in enumerate(contracts())]
    customers = [["0917", pd.Timestamp("2022-01-01"), "Retail"], *([number, start, "Health"] for number, start, _ in pairs)]
    sheet = pd.DataFrame([*customers, ["Total", None, None], [None, None, None]], columns=["Customer No", "Since", "Branch"])
    special = [["0917", "customer", pd.Timestamp("2022-01-01"), None, "$1,188.00"]]
    special += [["0917", "Offer", pd.Timestamp("2024-01-01"), None, "$9.00"]]
    ordinary = [[number, "customer", start, end, "$600.00"] for number, start, end in pairs]
    columns = ["Customer No", "Status", "Start", "End", "Per year"]
    with pd.ExcelWriter(tmp_path / "customers.xlsx", engine="xlsxwriter") as book:
        sheet.to_excel(book, sheet_name="Customers", index=False)
        pd.DataFrame([*special, *ordinary], columns=columns).to_excel(book, sheet_name="Contracts", index=False)
    found = Recipe(tmp_path, "spreadsheets", "workbook")
    assert found.spells("0917") == [("0917", "2022-01-01", "")]
    assert found.rows("subscriptions", "0917")["mrr"].tolist() == [99]
    assert len(found.tables.account_ids) == N + 1


def test_csv_from_excel(tmp_path):
    def german(time):
        return "offen" if time is None else time.strftime("%d.%m.%Y")

    pairs = contracts()
    rows = [["0917", "Müller", "01.02.2022"], *([f"{i:05d}", "Firma", german(s)] for i, (s, _) in enumerate(pairs))]
    write(tmp_path, "kunden.csv", ["Kundennr", "Firma", "Kunde seit"], rows, [], sep=";", encoding="cp1252")
    special = [["0917", "01.02.2022", "offen", "1.188,00", "jährlich"]]
    ordinary = [[f"{i:05d}", german(s), german(e), "50,50", "monatlich"] for i, (s, e) in enumerate(pairs)]
    columns = ["Kundennr", "Beginn", "Ende", "Betrag", "Zahlweise"]
    write(tmp_path, "vertraege.csv", columns, special, ordinary, sep=";", encoding="cp1252")
    found = Recipe(tmp_path, "spreadsheets", "csv_from_excel")
    assert found.rows("subscriptions", "0917", "00000")["mrr"].tolist() == [50.5, 99]
    assert found.spells("0917") == [("0917", "2022-02-01", "")]


def test_every_config_of_every_page_is_run():
    source = Path(__file__).read_text(encoding="utf-8")
    assert len(EVERY) >= 11
    for page, name in EVERY:
        assert f'"{page}", "{name}")' in source
