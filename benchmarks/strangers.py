"""Exports of made-up companies as strangers have them, each with the config that its owner would write by hand.

A company is a function that writes files into a folder and returns that config. Beside what matters the files hold what exports
hold: names, notes, codes, columns that nobody needs. Accounts come and go, and before they go they do less.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray

__all__ = ["COMPANIES", "LAST", "SECOND", "THIRD"]

Truth = Mapping[str, Any]
FIRST_DAY, LAST_DAY = pd.Timestamp("2023-01-01"), pd.Timestamp("2025-06-30")
SPAN = (LAST_DAY - FIRST_DAY).days


@dataclass(frozen=True)
class Lives:
    """When accounts begin and end, in days since the first day, and what they do in between."""

    start: NDArray[np.int64]  # shape (n,)
    end: NDArray[np.int64]  # shape (n,): beyond the span while an account stays

    def __len__(self) -> int:
        return len(self.start)

    @property
    def left(self) -> NDArray[np.bool_]:
        """Say who has left."""
        return self.end < SPAN - 3

    def starts(self) -> pd.DatetimeIndex:
        """Return the first days."""
        return pd.DatetimeIndex(FIRST_DAY + pd.to_timedelta(self.start, unit="D"))

    def ends(self, form: str, never: object = "") -> list[object]:
        """Write the last days, and something else for who stays."""
        days = FIRST_DAY + pd.to_timedelta(self.end, unit="D")
        return [day.strftime(form) if left else never for day, left in zip(days, self.left, strict=True)]

    def events(self, rng: Generator, per_day: float, fade: float = 0.25) -> tuple[NDArray[np.int64], pd.DatetimeIndex]:
        """Return account and time of events: a rate of its own each, far lower in the last 60 days of who leaves."""
        rate = per_day * rng.gamma(2.0, 0.5, len(self))
        until = np.minimum(self.end, SPAN)
        number = rng.poisson(rate * np.maximum(until - self.start, 0))
        account = np.repeat(np.arange(len(self)), number)
        day = self.start[account] + rng.random(len(account)) * (until - self.start)[account]
        kept = (day < self.end[account] - 60) | ~self.left[account] | (rng.random(len(account)) < fade)
        account, seconds = account[kept], (day[kept] * 86_400).astype(np.int64)
        order = np.argsort(seconds, kind="stable")
        return account[order], pd.DatetimeIndex(FIRST_DAY + pd.to_timedelta(seconds[order], unit="s"))


def lives(rng: Generator, n: int, share: float = 0.5) -> Lives:
    """Draw when accounts begin and end."""
    start = rng.integers(0, 540, n)
    end = start + 90 + rng.exponential(420, n).astype(np.int64)
    return Lives(start, np.where(rng.random(n) < share, end, 10_000))


def one_of(rng: Generator, words: list[str], n: int) -> NDArray[np.str_]:
    """Draw words."""
    return np.asarray(rng.choice(words, n))


def names(rng: Generator, n: int, word: str) -> list[str]:
    """Make up names."""
    return [f"{word} {number}" for number in rng.permutation(n)]


def gym(folder: Path, rng: Generator) -> Truth:
    """Write a British gym: days first, pounds, notice and last day, direct debits that bounce."""
    lived = lives(rng, 700)
    number = [f"M{10_000 + i}" for i in range(len(lived))]
    members = {"Member #": number, "Forename": names(rng, len(lived), "Sam"), "Email": [f"{m}@mail.example" for m in number]}
    members |= {"Joined": lived.starts().strftime("%d/%m/%Y"), "Home Club": one_of(rng, ["Leeds", "York", "Hull"], len(lived))}
    members |= {
        "DOB": (pd.Timestamp("1960-01-01") + pd.to_timedelta(rng.integers(0, 15_000, len(lived)), unit="D")).strftime(
            "%d/%m/%Y"
        )
    }
    pd.DataFrame(members).to_csv(folder / "members.csv", index=False)
    notice = Lives(lived.start, np.where(lived.left, lived.end - 30, 10_000)).ends("%d/%m/%Y")
    term = rng.choice([1, 12], len(lived))
    deals = {"Agreement No": np.arange(50_000, 50_000 + len(lived)), "Member #": number, "Start Date": members["Joined"]}
    deals |= {"Min Term (months)": term, "Notice Given": notice, "Last Day": lived.ends("%d/%m/%Y")}
    deals |= {"Monthly Fee": [f"\u00a3{fee:.2f}" for fee in rng.choice([19.99, 29.99, 44.5], len(lived))]}
    deals |= {"Leaving Reason": np.where(lived.left, one_of(rng, ["moved away", "price", "payment default"], len(lived)), "")}
    pd.DataFrame(deals).to_csv(folder / "memberships.csv", index=False)
    who, when = lived.events(rng, 0.12)
    visits = {"Member #": np.asarray(number)[who], "Check-in": when.strftime("%d/%m/%Y %H:%M")}
    pd.DataFrame({**visits, "Club": one_of(rng, ["Leeds", "York", "Hull"], len(who))}).to_csv(
        folder / "checkins.csv", index=False
    )
    who, when = lived.events(rng, 1 / 30, fade=1)
    debits = {"DD Ref": [f"DD{i:07d}" for i in range(len(who))], "Member #": np.asarray(number)[who]}
    debits |= {
        "Collection Date": when.strftime("%d/%m/%Y"),
        "Amount": [f"\u00a3{fee:.2f}" for fee in rng.choice([19.99, 29.99], len(who))],
    }
    pd.DataFrame({**debits, "Result": rng.choice(["Collected", "Bounced"], len(who), p=[0.93, 0.07])}).to_csv(
        folder / "direct_debits.csv", index=False
    )
    day = "parse_time({}, '%d/%m/%Y')"
    tables: dict[str, Any] = {
        "accounts": {"source": "members.csv", "account_id": "Member #", "signed_up_at": day.format("Joined")},
        "subscriptions": {
            "source": "memberships.csv",
            "account_id": "Member #",
            "subscription_id": "Agreement No",
            "started_at": day.format('"Start Date"'),
            "cancel_requested_at": day.format('"Notice Given"'),
            "ended_at": day.format('"Last Day"'),
            "term_months": "Min Term (months)",
            "mrr": "replace(\"Monthly Fee\", '\u00a3', '')::double",
            "end_reason": "Leaving Reason",
        },
        "usage": {"source": "checkins.csv", "account_id": "Member #", "at": "parse_time(\"Check-in\", '%d/%m/%Y %H:%M')"},
        "payments": {
            "source": "direct_debits.csv",
            "account_id": "Member #",
            "payment_id": "DD Ref",
            "at": day.format('"Collection Date"'),
            "amount": "replace(Amount, '\u00a3', '')::double",
            "status": "case Result when 'Collected' then 'paid' when 'Bounced' then 'failed' end",
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


def telecom(folder: Path, rng: Generator) -> Truth:
    """Tables of a mainframe: abbreviations, days as numbers, 99991231 for an open end, cents, leading zeros."""
    lived = lives(rng, 800)
    number = np.asarray([f"{i:010d}" for i in rng.permutation(len(lived)) + 1200])
    master = {"CUST_NO": number, "CUST_NM": names(rng, len(lived), "N"), "ACTV_DT": lived.starts().strftime("%Y%m%d")}
    master |= {"SEG_CD": one_of(rng, ["RES", "SOH", "CRP"], len(lived)), "RGN_CD": rng.integers(1, 9, len(lived))}
    pd.DataFrame(master).to_csv(folder / "CUST_MST.csv", sep="|", index=False)
    deals = {"CNTR_NO": [f"K{i:08d}" for i in range(len(lived))], "CUST_NO": number, "STRT_DT": master["ACTV_DT"]}
    deals |= {
        "END_DT": lived.ends("%Y%m%d", "99991231"),
        "TRM_RSN_CD": np.where(lived.left, one_of(rng, ["VOL", "NPY"], len(lived)), ""),
    }
    deals |= {"TRF_CD": one_of(rng, ["S", "M", "L"], len(lived)), "MTH_FEE_CT": rng.choice([1999, 2999, 4999], len(lived))}
    pd.DataFrame(deals).to_csv(folder / "CNTR.csv", sep="|", index=False)
    who, when = lived.events(rng, 0.15)
    calls = {"CUST_NO": number[who], "CALL_TS": when.strftime("%Y%m%d%H%M%S"), "DUR_SEC": rng.integers(1, 4000, len(who))}
    pd.DataFrame({**calls, "CALL_TYP": one_of(rng, ["MOC", "MTC", "SMS"], len(who))}).to_csv(
        folder / "CDR.csv", sep="|", index=False
    )
    who, when = lived.events(rng, 0.004, fade=3)
    trouble = {"TT_ID": np.arange(900_000, 900_000 + len(who)), "CUST_NO": number[who], "OPN_TS": when.strftime("%Y%m%d%H%M%S")}
    trouble |= {"CLS_TS": (when + pd.to_timedelta(rng.integers(1, 90, len(who)), unit="h")).strftime("%Y%m%d%H%M%S")}
    pd.DataFrame({**trouble, "SEV": rng.integers(1, 5, len(who))}).to_csv(folder / "TT.csv", sep="|", index=False)
    day, clock = "parse_time({}, '%Y%m%d')", "parse_time({}, '%Y%m%d%H%M%S')"
    tables = {
        "accounts": {"source": "CUST_MST.csv", "account_id": "CUST_NO", "signed_up_at": day.format("ACTV_DT")},
        "subscriptions": {
            "source": "CNTR.csv",
            "account_id": "CUST_NO",
            "subscription_id": "CNTR_NO",
            "started_at": day.format("STRT_DT"),
            "ended_at": day.format("nullif(END_DT, '99991231')"),
            "end_reason": "TRM_RSN_CD",
            "plan": "TRF_CD",
            "mrr": "MTH_FEE_CT / 100",
        },
        "usage": {
            "source": "CDR.csv",
            "account_id": "CUST_NO",
            "at": clock.format("CALL_TS"),
            "quantity": "DUR_SEC",
            "event": "CALL_TYP",
        },
        "tickets": {
            "source": "TT.csv",
            "account_id": "CUST_NO",
            "ticket_id": "TT_ID",
            "opened_at": clock.format("OPN_TS"),
            "resolved_at": clock.format("CLS_TS"),
            "priority": "SEV",
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


def marketplace(folder: Path, rng: Generator) -> Truth:
    """Write a marketplace: buyers and suppliers in every deal; the buyers are the accounts."""
    lived = lives(rng, 600)
    buyers = np.asarray([f"buy_{i:05x}" for i in range(len(lived))])
    table = {"buyer_id": buyers, "company_name": names(rng, len(lived), "Buyer"), "registered_on": lived.starts().date}
    table |= {
        "vertical": one_of(rng, ["food", "steel", "paper"], len(lived)),
        "account_manager": one_of(rng, ["Kim", "Lee"], len(lived)),
    }
    pd.DataFrame(table).to_parquet(folder / "buyers.parquet")
    suppliers = np.asarray([f"sup_{i:04x}" for i in range(90)])
    pd.DataFrame(
        {"supplier_id": suppliers, "company_name": names(rng, 90, "Supplier"), "rating": rng.uniform(3, 5, 90).round(1)}
    ).to_parquet(folder / "suppliers.parquet")
    who, when = lived.events(rng, 0.04)
    deals = {"transaction_id": [f"T{i:07d}" for i in range(len(who))], "buyer_id": buyers[who]}
    deals |= {
        "supplier_id": rng.choice(suppliers, len(who)),
        "placed_at": when,
        "gmv_eur": rng.gamma(2, 400, len(who)).round(2),
    }
    deals |= {"state": rng.choice(["completed", "cancelled"], len(who), p=[0.95, 0.05])}
    pd.DataFrame(deals).to_parquet(folder / "transactions.parquet")
    who, when = lived.events(rng, 0.2)
    searches = {"buyer_id": buyers[who], "searched_at": when, "query_category": one_of(rng, ["a", "b", "c"], len(who))}
    pd.DataFrame(searches).to_parquet(folder / "searches.parquet")
    tables = {
        "accounts": {
            "source": "buyers.parquet",
            "account_id": "buyer_id",
            "signed_up_at": "registered_on",
            "owner": "account_manager",
        },
        "orders": {
            "source": "transactions.parquet",
            "account_id": "buyer_id",
            "order_id": "transaction_id",
            "at": "placed_at",
            "amount": "gmv_eur",
            "cancelled": "state = 'cancelled'",
        },
        "usage": {"source": "searches.parquet", "account_id": "buyer_id", "at": "searched_at", "event": "query_category"},
    }
    return {"tables": tables, "label": {"kind": "non_contractual", "table": "orders"}}


def hospital(folder: Path, rng: Generator) -> Truth:
    """Write a vendor of software for hospitals: a file of logins per year, severities, waits, NPS on paper, renewal dates."""
    lived = lives(rng, 500)
    site = np.asarray([f"RX{i:03d}" for i in range(len(lived))])
    sites = {"Site Code": site, "Hospital": names(rng, len(lived), "Hospital"), "Go-live": lived.starts().strftime("%d-%b-%Y")}
    sites |= {"Beds": rng.integers(40, 900, len(lived)), "Customer Success Manager": one_of(rng, ["Ada", "Bo"], len(lived))}
    pd.DataFrame(sites).to_csv(folder / "sites.csv", index=False)
    licences = {"Licence No": [f"LIC-{i}" for i in range(len(lived))], "Site Code": site, "From": sites["Go-live"]}
    licences |= {"Terminated On": lived.ends("%d-%b-%Y"), "Annual Value": rng.gamma(3, 9000, len(lived)).round(0)}
    licences |= {"Named Users": rng.integers(10, 300, len(lived)), "Term (years)": rng.choice([1, 3], len(lived))}
    pd.DataFrame(licences).to_csv(folder / "licences.csv", index=False)
    who, when = lived.events(rng, 0.25)
    logins = pd.DataFrame({"SITE_CODE": site[who], "USER_ID": [f"u{i}" for i in rng.integers(0, 40, len(who)) + 40 * who]})
    logins["LOGIN_TIME"], logins["MODULE"] = (
        when.strftime("%Y-%m-%d %H:%M:%S"),
        one_of(rng, ["wards", "lab", "pharmacy"], len(who)),
    )
    for year in (2023, 2024, 2025):
        logins[when.year == year].to_csv(folder / f"logins_{year}.csv", index=False)
    who, when = lived.events(rng, 0.01, fade=3)
    incidents = {"Incident": [f"INC{i:06d}" for i in range(len(who))], "Site Code": site[who], "Raised": when}
    incidents |= {"First Response": when + pd.to_timedelta(rng.integers(5, 900, len(who)), unit="m")}
    incidents |= {
        "Closed": when + pd.to_timedelta(rng.integers(20, 200, len(who)), unit="h"),
        "Severity": one_of(rng, ["P1", "P2", "P3"], len(who)),
    }
    pd.DataFrame(incidents).to_csv(folder / "incidents.csv", index=False)
    who, when = lived.events(rng, 0.006)
    back = np.where(rng.random(len(who)) < 0.5, (when + pd.Timedelta(days=6)).strftime("%Y-%m-%d"), "")
    survey = {"Site Code": site[who], "Sent": when.strftime("%Y-%m-%d"), "Returned": back}
    survey |= {"How likely are you to recommend us?": np.where(back == "", "", rng.integers(0, 11, len(who)).astype(str))}
    pd.DataFrame({**survey, "Comment": ""}).to_csv(folder / "nps_survey.csv", index=False)
    tables = {
        "accounts": {
            "source": "sites.csv",
            "account_id": "Site Code",
            "signed_up_at": "parse_time(\"Go-live\", '%d-%b-%Y')",
            "owner": "Customer Success Manager",
        },
        "subscriptions": {
            "source": "licences.csv",
            "account_id": "Site Code",
            "subscription_id": "Licence No",
            "started_at": "parse_time(\"From\", '%d-%b-%Y')",
            "ended_at": "parse_time(\"Terminated On\", '%d-%b-%Y')",
            "mrr": '"Annual Value" / 12',
            "seats": "Named Users",
            "term_months": '"Term (years)" * 12',
        },
        "usage": {
            "source": "logins_*.csv",
            "account_id": "SITE_CODE",
            "user_id": "USER_ID",
            "at": "LOGIN_TIME",
            "event": "MODULE",
        },
        "tickets": {
            "source": "incidents.csv",
            "account_id": "Site Code",
            "ticket_id": "Incident",
            "opened_at": "Raised",
            "first_response_at": "First Response",
            "resolved_at": "Closed",
            "priority": "Severity",
        },
        "surveys": {
            "source": "nps_survey.csv",
            "account_id": "Site Code",
            "sent_at": "Sent",
            "answered_at": "Returned",
            "value": "How likely are you to recommend us?",
            "instrument": "nps",
            "scale": "0-10",
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


def streaming(folder: Path, rng: Generator) -> Truth:
    """Write a streaming service: what is watched belongs to profiles, and profiles to subscribers; milliseconds, cents."""
    lived = lives(rng, 700)
    uuid = np.asarray([f"{value:032x}" for value in rng.integers(1 << 40, 1 << 60, len(lived))])
    stamp = lived.starts().strftime("%Y-%m-%dT%H:%M:%SZ")
    people = {
        "subscriber_uuid": uuid,
        "created_ts": stamp,
        "country": one_of(rng, ["DE", "SE", "PL"], len(lived)),
        "marketing_opt_in": rng.random(len(lived)) < 0.5,
    }
    pd.DataFrame(people).to_csv(folder / "subscribers.csv", index=False)
    owner = np.repeat(np.arange(len(lived)), rng.integers(1, 4, len(lived)))
    profile = np.asarray([f"prf{i:06d}" for i in range(len(owner))])
    pd.DataFrame(
        {"profile_id": profile, "subscriber_uuid": uuid[owner], "nickname": "x", "is_kids": rng.random(len(owner)) < 0.3}
    ).to_csv(folder / "profiles.csv", index=False)
    plans = {
        "subscription_id": [f"s-{i}" for i in range(len(lived))],
        "subscriber_uuid": uuid,
        "plan_name": one_of(rng, ["basic", "hd"], len(lived)),
    }
    plans |= {
        "price_cents": rng.choice([799, 1299], len(lived)),
        "started_ts": stamp,
        "ended_ts": lived.ends("%Y-%m-%dT%H:%M:%SZ"),
    }
    pd.DataFrame(plans).to_csv(folder / "subscriptions.csv", index=False)
    who, when = lived.events(rng, 0.2)
    first = np.searchsorted(owner, np.arange(len(lived)))
    plays = {"play_id": np.arange(len(who)), "profile_id": profile[first[who]], "title_id": rng.integers(1, 400, len(who))}
    plays |= {
        "started_ms": when.astype("int64") // 10**3 if when.unit == "us" else when.astype("datetime64[ms]").astype("int64")
    }
    pd.DataFrame(
        {**plays, "watched_seconds": rng.integers(30, 7000, len(who)), "device": one_of(rng, ["tv", "web"], len(who))}
    ).to_parquet(folder / "plays.parquet")
    who, when = lived.events(rng, 1 / 30, fade=1)
    bills = {
        "charge_id": [f"ch_{i}" for i in range(len(who))],
        "subscriber_uuid": uuid[who],
        "ts": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    bills |= {
        "amount_cents": rng.choice([799, 1299], len(who)),
        "outcome": rng.choice(["succeeded", "declined"], len(who), p=[0.95, 0.05]),
    }
    pd.DataFrame(bills).to_csv(folder / "charges.csv", index=False)
    tables: dict[str, Any] = {
        "accounts": {"source": "subscribers.csv", "account_id": "subscriber_uuid", "signed_up_at": "created_ts"},
        "subscriptions": {
            "source": "subscriptions.csv",
            "account_id": "subscriber_uuid",
            "subscription_id": "subscription_id",
            "started_at": "started_ts",
            "ended_at": "ended_ts",
            "plan": "plan_name",
            "mrr": "price_cents / 100",
        },
        "profiles": {
            "source": "profiles.csv",
            "account_id": "subscriber_uuid",
            "profile_id": "profile_id",
            "columns": {"profile_id": "id"},
        },
        "usage": {
            "source": "plays.parquet",
            "key_via": "profiles",
            "profile_id": "profile_id",
            "usage_id": "play_id",
            "user_id": "profile_id",
            "at": "epoch_ms(started_ms)",
            "quantity": "watched_seconds",
            "event": "device",
        },
        "payments": {
            "source": "charges.csv",
            "account_id": "subscriber_uuid",
            "payment_id": "charge_id",
            "at": "ts",
            "amount": "amount_cents / 100",
            "status": "case outcome when 'succeeded' then 'paid' when 'declined' then 'failed' end",
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


def french(folder: Path, rng: Generator) -> Truth:
    """Write an ERP in French: semicolons, decimal commas with blanks, accents in cp1252, lines that name only their order."""
    lived = lives(rng, 600)
    code = np.asarray([f"CL{i:05d}" for i in range(len(lived))])
    table = {
        "Code client": code,
        "Raison sociale": names(rng, len(lived), "Soci\u00e9t\u00e9"),
        "Date de cr\u00e9ation": lived.starts().strftime("%d/%m/%Y"),
    }
    table |= {
        "Secteur": one_of(rng, ["BTP", "Sant\u00e9", "Commerce"], len(lived)),
        "Commercial": one_of(rng, ["Dupont", "Petit"], len(lived)),
    }
    how = {"sep": ";", "index": False, "encoding": "cp1252"}
    pd.DataFrame(table).to_csv(folder / "clients.csv", **how)
    who, when = lived.events(rng, 0.05)
    order = [f"CMD{i:06d}" for i in range(len(who))]
    heads = {"N\u00b0 commande": order, "Code client": code[who], "Date commande": when.strftime("%d/%m/%Y")}
    heads |= {"Montant HT": [f"{value:,.2f}".replace(",", " ").replace(".", ",") for value in rng.gamma(2, 700, len(who))]}
    heads |= {"Statut": rng.choice(["Livr\u00e9e", "Annul\u00e9e"], len(who), p=[0.96, 0.04])}
    pd.DataFrame(heads).to_csv(folder / "commandes.csv", **how)
    who, when = lived.events(rng, 0.04)
    paid = {
        "N\u00b0 r\u00e8glement": np.arange(1, len(who) + 1) + 70_000,
        "Code client": code[who],
        "Date r\u00e8glement": when.strftime("%d/%m/%Y"),
    }
    paid |= {"Montant": [f"{value:.2f}".replace(".", ",") for value in rng.gamma(2, 700, len(who))]}
    paid |= {"\u00c9tat": rng.choice(["pay\u00e9", "impay\u00e9"], len(who), p=[0.94, 0.06])}
    pd.DataFrame(paid).to_csv(folder / "reglements.csv", **how)
    day = "parse_time({}, '%d/%m/%Y')"
    base = {"encoding": "cp1252", "decimal": ","}
    tables: dict[str, Any] = {
        "accounts": {
            **{"source": "clients.csv", "encoding": "cp1252", "account_id": "Code client", "owner": "Commercial"},
            "signed_up_at": day.format('"Date de cr\u00e9ation"'),
        },
        "orders": {
            **{"source": "commandes.csv", **base, "account_id": "Code client", "order_id": "N\u00b0 commande"},
            "at": day.format('"Date commande"'),
            "amount": "replace(\"Montant HT\", ' ', '')",
            "cancelled": "Statut = 'Annul\u00e9e'",
        },
        "payments": {
            **{"source": "reglements.csv", **base, "account_id": "Code client", "payment_id": "N\u00b0 r\u00e8glement"},
            "at": day.format('"Date r\u00e8glement"'),
            "amount": "Montant",
            "status": "case \"\u00c9tat\" when 'pay\u00e9' then 'paid' when 'impay\u00e9' then 'failed' end",
        },
    }
    return {"tables": tables, "label": {"kind": "non_contractual", "table": "orders"}}


def spanish(folder: Path, rng: Generator) -> Truth:
    """Write an insurer in Spanish: policies, claims that name only the policy, premiums a year with decimal commas."""
    lived = lives(rng, 700)
    who_is = np.asarray([f"{i:08d}{'TRWAGMYFPDX'[i % 11]}" for i in rng.integers(10_000_000, 90_000_000, len(lived))])
    table = {
        "DNI": who_is,
        "Nombre": names(rng, len(lived), "Ana"),
        "Provincia": one_of(rng, ["Madrid", "Sevilla"], len(lived)),
    }
    table |= {"Fecha de alta": lived.starts().strftime("%d-%m-%Y")}
    how = {"sep": ";", "index": False, "encoding": "utf-8"}
    pd.DataFrame(table).to_csv(folder / "clientes.csv", **how)
    policy = np.asarray([f"POL-{i:06d}" for i in range(len(lived))])
    deals = {
        "N\u00ba p\u00f3liza": policy,
        "DNI cliente": who_is,
        "Fecha inicio": table["Fecha de alta"],
        "Fecha baja": lived.ends("%d-%m-%Y"),
    }
    deals |= {
        "Ramo": one_of(rng, ["auto", "hogar"], len(lived)),
        "Prima anual": [f"{v:,.2f}".translate(str.maketrans(",.", ".,")) for v in rng.gamma(3, 300, len(lived))],
    }
    deals |= {"Motivo baja": np.where(lived.left, one_of(rng, ["precio", "impago"], len(lived)), "")}
    pd.DataFrame(deals).to_csv(folder / "polizas.csv", **how)
    who, when = lived.events(rng, 0.008, fade=3)
    claims = {
        "N\u00ba siniestro": np.arange(1, len(who) + 1),
        "N\u00ba p\u00f3liza": policy[who],
        "Fecha apertura": when.strftime("%d-%m-%Y %H:%M"),
    }
    claims |= {"Fecha cierre": (when + pd.to_timedelta(rng.integers(2, 60, len(who)), unit="D")).strftime("%d-%m-%Y %H:%M")}
    pd.DataFrame({**claims, "Tipo": one_of(rng, ["robo", "agua"], len(who))}).to_csv(folder / "siniestros.csv", **how)
    who, when = lived.events(rng, 0.08)
    calls = {
        "DNI cliente": who_is[who],
        "Fecha": when.strftime("%d-%m-%Y %H:%M"),
        "Accion": one_of(rng, ["consulta", "descarga"], len(who)),
    }
    pd.DataFrame(calls).to_csv(folder / "accesos_web.csv", **how)
    day, clock = "parse_time({}, '%d-%m-%Y')", "parse_time({}, '%d-%m-%Y %H:%M')"
    tables: dict[str, Any] = {
        "accounts": {
            "source": "clientes.csv",
            "account_id": "DNI",
            "signed_up_at": day.format('"Fecha de alta"'),
        },
        "subscriptions": {
            **{"source": "polizas.csv", "decimal": ",", "account_id": "DNI cliente", "subscription_id": "N\u00ba p\u00f3liza"},
            "started_at": day.format('"Fecha inicio"'),
            "ended_at": day.format('"Fecha baja"'),
            "product": "Ramo",
            "mrr": '"Prima anual" / 12',
            "end_reason": "Motivo baja",
        },
        "tickets": {
            **{
                "source": "siniestros.csv",
                "key_via": "subscriptions",
                "subscription_id": "N\u00ba p\u00f3liza",
                "ticket_id": "N\u00ba siniestro",
            },
            "opened_at": clock.format('"Fecha apertura"'),
            "resolved_at": clock.format('"Fecha cierre"'),
            "category": "Tipo",
        },
        "usage": {"source": "accesos_web.csv", "account_id": "DNI cliente", "at": clock.format("Fecha"), "event": "Accion"},
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


def game(folder: Path, rng: Generator) -> Truth:
    """Write a mobile game: one file of events as JSON lines, seconds with a fraction, nothing else."""
    lived = lives(rng, 900, share=0.7)
    who, when = lived.events(rng, 0.12)
    seconds = (when - pd.Timestamp(0)).total_seconds()
    kinds, amounts = one_of(rng, ["session_start", "level_up", "purchase"], len(who)), rng.integers(1, 30, len(who))
    rows = zip((who + 700_000).tolist(), seconds.tolist(), kinds.tolist(), amounts.tolist(), strict=True)
    lines = (
        json.dumps({"uid": user, "t": second + 0.25, "ev": kind, "lvl": level, "ver": "1.2"})
        for user, second, kind, level in rows
    )
    (folder / "events.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    tables = {"usage": {"source": "events.jsonl", "account_id": "uid", "at": "to_timestamp(t)", "event": "ev"}}
    return {"tables": tables, "label": {"kind": "non_contractual", "table": "usage"}}


def charity(folder: Path, rng: Generator) -> Truth:
    """Write a charity: gifts with American days and dollars, donors with letters in their ids."""
    lived = lives(rng, 800)
    donor = np.asarray([f"D-{i:04d}" for i in range(len(lived))])
    table = {
        "Constituent ID": donor,
        "Last Name": names(rng, len(lived), "L"),
        "State": one_of(rng, ["NY", "CA", "TX"], len(lived)),
    }
    pd.DataFrame({**table, "First Gift": lived.starts().strftime("%-m/%-d/%Y")}).to_csv(folder / "donors.csv", index=False)
    who, when = lived.events(rng, 0.02)
    gifts = {"Gift ID": np.arange(len(who)) + 31_000, "Constituent ID": donor[who], "Gift Date": when.strftime("%-m/%-d/%Y")}
    gifts |= {
        "Gift Amount": [f"${value:,.2f}" for value in rng.gamma(1, 300, len(who))],
        "Fund": one_of(rng, ["Water", "School"], len(who)),
    }
    pd.DataFrame(gifts).to_csv(folder / "gifts.csv", index=False)
    day = "parse_time({}, '%m/%d/%Y')"
    tables = {
        "accounts": {
            "source": "donors.csv",
            "account_id": "Constituent ID",
            "signed_up_at": day.format('"First Gift"'),
        },
        "orders": {
            "source": "gifts.csv",
            "account_id": "Constituent ID",
            "order_id": "Gift ID",
            "at": day.format('"Gift Date"'),
            "amount": "replace(replace(\"Gift Amount\", '$', ''), ',', '')::double",
            "product": "Fund",
        },
    }
    return {"tables": tables, "label": {"kind": "non_contractual", "table": "orders"}}


def energy(folder: Path, rng: Generator) -> Truth:
    """Write one flat table of an energy supplier in Portuguese: a flag in words, what the outcome wrote among the columns."""
    n = 1500
    risk = rng.normal(size=n)
    gone = rng.random(n) < 1 / (1 + np.exp(1.2 - risk))
    table = {
        "ID Cliente": rng.permutation(n) + 400_000,
        "Nome": names(rng, n, "Rui"),
        "Antiguidade (meses)": rng.integers(1, 120, n),
    }
    table |= {"Consumo mensal": [f"{value:.1f}".replace(".", ",") for value in 250 + 60 * risk + rng.normal(0, 40, n)]}
    table |= {
        "Tarifa": one_of(rng, ["simples", "bi-hor\u00e1ria"], n),
        "Reclama\u00e7\u00f5es": rng.poisson(np.exp(risk * 0.4)),
    }
    table |= {"Data de cancelamento": np.where(gone, "2025-05-12", ""), "Cancelou": np.where(gone, "Sim", "N\u00e3o")}
    pd.DataFrame(table).to_csv(folder / "clientes_energia.csv", index=False, sep=";", encoding="utf-8-sig")
    accounts = {"source": "clientes_energia.csv", "decimal": ",", "account_id": "ID Cliente", "static": "all"}
    accounts |= {"name": "Nome", "leave_out": ["Data de cancelamento"]}
    label = {"kind": "given", "flag": "Cancelou", "positive": "Sim"}
    return {"tables": {"accounts": accounts}, "label": label, "observed_until": "2025-06-30"}


def workbook(folder: Path, rng: Generator) -> Truth:
    """Write an agency with a workbook: a sheet of clients, one of retainers, one of tickets; days as days of the sheet."""
    lived = lives(rng, 400, share=0.6)
    client = np.asarray([f"AG{i:04d}" for i in range(len(lived))])
    with pd.ExcelWriter(folder / "agency.xlsx", engine="xlsxwriter") as book:
        clients = {
            "Client Ref": client,
            "Client": names(rng, len(lived), "Client"),
            "Onboarded": lived.starts(),
            "Sector": one_of(rng, ["retail", "law"], len(lived)),
        }
        pd.DataFrame(clients).to_excel(book, sheet_name="Clients", index=False)
        ends = [pd.Timestamp(day) if day else None for day in lived.ends("%Y-%m-%d")]
        deals = {
            "Client Ref": client,
            "Retainer start": lived.starts(),
            "Retainer end": ends,
            "Retainer per month": rng.choice([900, 2400.5], len(lived)),
        }
        pd.DataFrame(deals).to_excel(book, sheet_name="Retainers", index=False)
        who, when = lived.events(rng, 0.05)
        jobs = {
            "Job No": np.arange(1, len(who) + 1),
            "Client Ref": client[who],
            "Requested": when,
            "Delivered": when + pd.Timedelta(days=4),
        }
        pd.DataFrame({**jobs, "Type": one_of(rng, ["banner", "film"], len(who))}).to_excel(
            book, sheet_name="Requests", index=False
        )
    tables = {
        "accounts": {"source": "agency.xlsx", "table": "Clients", "account_id": "Client Ref", "signed_up_at": "Onboarded"},
        "subscriptions": {
            **{"source": "agency.xlsx", "table": "Retainers", "account_id": "Client Ref", "started_at": "Retainer start"},
            "ended_at": "Retainer end",
            "mrr": "Retainer per month",
        },
        "tickets": {
            **{"source": "agency.xlsx", "table": "Requests", "account_id": "Client Ref", "ticket_id": "Job No"},
            "opened_at": "Requested",
            "resolved_at": "Delivered",
            "category": "Type",
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


def newspaper(folder: Path, rng: Generator) -> Truth:
    """Write a Dutch newspaper: subscriptions with a reason and a term, articles that were read, letters of complaint."""
    lived = lives(rng, 700)
    number = np.asarray([f"{i:07d}" for i in rng.permutation(len(lived)) + 41_000])
    how = {"sep": ";", "index": False}
    table = {
        "Klantnummer": number,
        "Naam": names(rng, len(lived), "Jan"),
        "Postcode": [f"{i} AB" for i in rng.integers(1000, 9999, len(lived))],
    }
    pd.DataFrame({**table, "Klant sinds": lived.starts().strftime("%d-%m-%Y")}).to_csv(folder / "klanten.csv", **how)
    deals = {
        "Abonnementnr": [f"AB{i}" for i in range(len(lived))],
        "Klantnummer": number,
        "Ingangsdatum": lived.starts().strftime("%d-%m-%Y"),
    }
    deals |= {
        "Einddatum": lived.ends("%d-%m-%Y"),
        "Opzegreden": np.where(lived.left, one_of(rng, ["prijs", "verhuizing"], len(lived)), ""),
    }
    deals |= {
        "Prijs per maand": rng.choice(["12,50", "29,95"], len(lived)),
        "Soort": one_of(rng, ["papier", "digitaal"], len(lived)),
    }
    pd.DataFrame(deals).to_csv(folder / "abonnementen.csv", **how)
    who, when = lived.events(rng, 0.2)
    read = {
        "Klantnummer": number[who],
        "Tijdstip": when.strftime("%d-%m-%Y %H:%M:%S"),
        "Rubriek": one_of(rng, ["sport", "kunst"], len(who)),
    }
    pd.DataFrame(read).to_csv(folder / "gelezen_artikelen.csv", **how)
    who, when = lived.events(rng, 0.004, fade=3)
    letters = {"Klachtnr": np.arange(len(who)) + 1, "Klantnummer": number[who], "Ontvangen": when.strftime("%d-%m-%Y %H:%M:%S")}
    letters |= {
        "Afgehandeld": (when + pd.Timedelta(days=2)).strftime("%d-%m-%Y %H:%M:%S"),
        "Onderwerp": one_of(rng, ["bezorging", "prijs"], len(who)),
    }
    pd.DataFrame(letters).to_csv(folder / "klachten.csv", **how)
    day, clock = "parse_time({}, '%d-%m-%Y')", "parse_time({}, '%d-%m-%Y %H:%M:%S')"
    tables: dict[str, Any] = {
        "accounts": {"source": "klanten.csv", "account_id": "Klantnummer", "signed_up_at": day.format('"Klant sinds"')},
        "subscriptions": {
            **{"source": "abonnementen.csv", "decimal": ",", "account_id": "Klantnummer", "subscription_id": "Abonnementnr"},
            "started_at": day.format("Ingangsdatum"),
            "ended_at": day.format("Einddatum"),
            "end_reason": "Opzegreden",
            "mrr": "Prijs per maand",
            "product": "Soort",
        },
        "usage": {
            "source": "gelezen_artikelen.csv",
            "account_id": "Klantnummer",
            "at": clock.format("Tijdstip"),
            "event": "Rubriek",
        },
        "tickets": {
            **{"source": "klachten.csv", "account_id": "Klantnummer", "ticket_id": "Klachtnr"},
            "opened_at": clock.format("Ontvangen"),
            "resolved_at": clock.format("Afgehandeld"),
            "category": "Onderwerp",
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


def wholesaler(folder: Path, rng: Generator) -> Truth:
    """Write an Italian wholesaler: documents and their lines, returns as negative quantities, agents."""
    lived = lives(rng, 600)
    code = np.asarray([f"{i:05d}" for i in rng.permutation(len(lived)) + 300])
    how = {"sep": ";", "index": False, "encoding": "cp1252"}
    table = {
        "Cod. Cliente": code,
        "Ragione Sociale": names(rng, len(lived), "Ditta"),
        "Data apertura": lived.starts().strftime("%d/%m/%Y"),
    }
    pd.DataFrame(
        {**table, "Agente": one_of(rng, ["Rossi", "Bianchi"], len(lived)), "Zona": one_of(rng, ["Nord", "Sud"], len(lived))}
    ).to_csv(folder / "anagrafica_clienti.csv", **how)
    who, when = lived.events(rng, 0.04)
    many = rng.integers(1, 4, len(who))
    line = np.repeat(np.arange(len(who)), many)
    quantity = np.where(rng.random(len(line)) < 0.04, -1, rng.integers(1, 30, len(line)))
    rows = {
        "Num. Doc.": [f"FT{i:06d}" for i in line],
        "Data Doc.": when[line].strftime("%d/%m/%Y"),
        "Cod. Cliente": code[who[line]],
    }
    rows |= {"Articolo": [f"ART{i}" for i in rng.integers(100, 300, len(line))], "Quantit\u00e0": quantity}
    rows |= {
        "Importo": [f"{value:,.2f}".translate(str.maketrans(",.", ".,")) for value in quantity * rng.gamma(2, 40, len(line))]
    }
    pd.DataFrame(rows).to_csv(folder / "righe_fatture.csv", **how)
    tables: dict[str, Any] = {
        "accounts": {
            **{
                "source": "anagrafica_clienti.csv",
                "encoding": "cp1252",
                "account_id": "Cod. Cliente",
                "owner": "Agente",
            },
            "signed_up_at": "parse_time(\"Data apertura\", '%d/%m/%Y')",
        },
        "orders": {
            **{
                "source": "righe_fatture.csv",
                "encoding": "cp1252",
                "decimal": ",",
                "account_id": "Cod. Cliente",
                "order_id": "Num. Doc.",
            },
            "at": "parse_time(\"Data Doc.\", '%d/%m/%Y')",
            "product": "Articolo",
            "quantity": "Quantit\u00e0",
            "amount": "Importo",
        },
    }
    return {"tables": tables, "label": {"kind": "non_contractual", "table": "orders"}}


def carsharing(folder: Path, rng: Generator) -> Truth:
    """Write a car-sharing app: camel case, trips with begin and end, cents, failed cards, ratings of trips in stars."""
    lived = lives(rng, 800, share=0.6)
    driver = np.asarray([f"drv-{i:x}" for i in rng.integers(1 << 20, 1 << 28, len(lived))])
    table = {
        "driverId": driver,
        "registeredAt": lived.starts().strftime("%Y-%m-%dT08:15:00.000Z"),
        "homeZone": one_of(rng, ["north", "east"], len(lived)),
    }
    pd.DataFrame({**table, "licenseCheckedAt": table["registeredAt"]}).to_csv(folder / "drivers.csv", index=False)
    who, when = lived.events(rng, 0.06)
    trips = {
        "tripId": np.arange(len(who)) + 5_000_000,
        "driverId": driver[who],
        "tripStart": when.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    }
    trips |= {
        "tripEnd": (when + pd.Timedelta(minutes=33)).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "vehicleModel": one_of(rng, ["zoe", "up"], len(who)),
    }
    trips |= {"distanceKm": rng.gamma(2, 6, len(who)).round(1), "totalPriceCents": rng.integers(300, 9000, len(who))}
    pd.DataFrame(trips).to_csv(folder / "trips.csv", index=False)
    rated = rng.random(len(who)) < 0.3
    stars = {
        "ratingId": np.arange(rated.sum()),
        "driverId": driver[who[rated]],
        "ratedAt": trips["tripEnd"][rated],
        "stars": rng.integers(1, 6, rated.sum()),
    }
    pd.DataFrame(stars).to_csv(folder / "trip_ratings.csv", index=False)
    who, when = lived.events(rng, 0.05)
    cards = {
        "paymentId": [f"p{i}" for i in range(len(who))],
        "driverId": driver[who],
        "chargedAt": when.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    }
    cards |= {
        "amountCents": rng.integers(300, 9000, len(who)),
        "status": rng.choice(["PAID", "FAILED", "REFUNDED"], len(who), p=[0.9, 0.08, 0.02]),
    }
    pd.DataFrame(cards).to_csv(folder / "payments.csv", index=False)
    tables = {
        "accounts": {"source": "drivers.csv", "account_id": "driverId", "signed_up_at": "registeredAt"},
        "usage": {
            **{"source": "trips.csv", "account_id": "driverId", "usage_id": "tripId", "at": "tripStart"},
            "event": "vehicleModel",
            "quantity": "distanceKm",
        },
        "surveys": {
            **{
                "source": "trip_ratings.csv",
                "account_id": "driverId",
                "survey_id": "ratingId",
                "answered_at": "ratedAt",
                "value": "stars",
            },
            "instrument": "csat",
            "scale": "1-5",
        },
        "payments": {
            **{"source": "payments.csv", "account_id": "driverId", "payment_id": "paymentId", "at": "chargedAt"},
            "amount": "amountCents / 100",
            "status": "lower(status)",
        },
    }
    return {"tables": tables, "label": {"kind": "non_contractual", "table": "usage"}}


def devices(folder: Path, rng: Generator) -> Truth:
    """Sensors that farms rent: readings name the device, devices name the farm; a database of DuckDB."""
    import duckdb

    lived = lives(rng, 500)
    farm = np.asarray([f"FARM{i:04d}" for i in range(len(lived))])
    owner = np.repeat(np.arange(len(lived)), rng.integers(1, 4, len(lived)))
    first = np.searchsorted(owner, np.arange(len(lived)))
    serial = np.asarray([f"SN{i:07d}" for i in rng.permutation(len(owner))])
    frames = {
        "farms": pd.DataFrame(
            {
                "farm_code": farm,
                "farm_name": names(rng, len(lived), "Farm"),
                "onboarded_at": lived.starts(),
                "hectares": rng.integers(5, 900, len(lived)),
            }
        )
    }
    frames["devices"] = pd.DataFrame(
        {
            "serial_no": serial,
            "farm_code": farm[owner],
            "installed_at": lived.starts()[owner],
            "model": one_of(rng, ["A", "B"], len(owner)),
        }
    )
    ends = [pd.Timestamp(day) if day else pd.NaT for day in lived.ends("%Y-%m-%d")]
    frames["rental_contracts"] = pd.DataFrame(
        {
            "contract_no": np.arange(len(lived)) + 1,
            "farm_code": farm,
            "begin_date": lived.starts(),
            "end_date": ends,
            "monthly_rent": rng.choice([49.0, 99.0], len(lived)),
        }
    )
    who, when = lived.events(rng, 0.25)
    frames["readings"] = pd.DataFrame(
        {
            "serial_no": serial[first[who]],
            "reading_time": when,
            "soil_moisture": rng.random(len(who)),
            "reading_type": one_of(rng, ["soil", "air"], len(who)),
        }
    )
    who, when = lived.events(rng, 0.005, fade=3)
    frames["service_calls"] = pd.DataFrame(
        {
            "call_no": np.arange(len(who)),
            "farm_code": farm[who],
            "reported_at": when,
            "fixed_at": when + pd.Timedelta(hours=40),
            "urgency": one_of(rng, ["low", "high"], len(who)),
        }
    )
    with duckdb.connect(str(folder / "farms.duckdb")) as connection:
        for name, frame in frames.items():
            connection.register("frame", frame)
            connection.execute(f"create table {name} as select * from frame")
    base = {"source": "farms.duckdb"}
    tables: dict[str, Any] = {
        "accounts": {**base, "table": "farms", "account_id": "farm_code", "signed_up_at": "onboarded_at"},
        "devices": {
            **base,
            "table": "devices",
            "account_id": "farm_code",
            "serial_no": "serial_no",
            "columns": {"serial_no": "id"},
        },
        "subscriptions": {
            **{
                **base,
                "table": "rental_contracts",
                "account_id": "farm_code",
                "subscription_id": "contract_no",
                "started_at": "begin_date",
            },
            "ended_at": "end_date",
            "mrr": "monthly_rent",
        },
        "usage": {
            **base,
            "table": "readings",
            "key_via": "devices",
            "serial_no": "serial_no",
            "at": "reading_time",
            "event": "reading_type",
        },
        "tickets": {
            **{**base, "table": "service_calls", "account_id": "farm_code", "ticket_id": "call_no", "opened_at": "reported_at"},
            "resolved_at": "fixed_at",
            "priority": "urgency",
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


def coworking(folder: Path, rng: Generator) -> Truth:
    """Write a coworking space: passes, door openings, NPS and CSAT in one file, tabs between columns, words before money."""
    lived = lives(rng, 500)
    company = np.asarray([str(i) for i in rng.permutation(len(lived)) + 8_800])
    table = {
        "company-id": company,
        "company": names(rng, len(lived), "Co"),
        "moved-in": lived.starts().strftime("%b %d, %Y"),
        "desks": rng.integers(1, 40, len(lived)),
    }
    pd.DataFrame(table).to_csv(folder / "companies.tsv", sep="\t", index=False)
    deals = {
        "pass-id": [f"PS{i}" for i in range(len(lived))],
        "company-id": company,
        "pass-type": one_of(rng, ["flex", "fixed", "office"], len(lived)),
    }
    deals |= {
        "valid-from": table["moved-in"],
        "valid-until": lived.ends("%b %d, %Y"),
        "price-per-month": rng.choice(["EUR 250.00", "EUR 1,490.00"], len(lived)),
    }
    pd.DataFrame(deals).to_csv(folder / "passes.tsv", sep="\t", index=False)
    who, when = lived.events(rng, 0.3)
    doors = {
        "company-id": company[who],
        "card-no": rng.integers(0, 5, len(who)) + 10 * who,
        "opened": when.strftime("%Y/%m/%d %H:%M"),
        "door": one_of(rng, ["main", "roof"], len(who)),
    }
    pd.DataFrame(doors).to_csv(folder / "door_log.tsv", sep="\t", index=False)
    who, when = lived.events(rng, 0.008)
    kind = rng.choice(["nps", "csat"], len(who))
    asked = {
        "company-id": company[who],
        "kind": kind,
        "answered": when.strftime("%Y/%m/%d %H:%M"),
        "score": np.where(kind == "nps", rng.integers(0, 11, len(who)), rng.integers(1, 6, len(who))),
    }
    pd.DataFrame(asked).to_csv(folder / "feedback.tsv", sep="\t", index=False)
    day = "parse_time({}, '%b %d, %Y')"
    ask = {
        "source": "feedback.tsv",
        "account_id": "company-id",
        "answered_at": "parse_time(answered, '%Y/%m/%d %H:%M')",
        "value": "score",
    }
    tables: dict[str, Any] = {
        "accounts": {
            "source": "companies.tsv",
            "account_id": "company-id",
            "signed_up_at": day.format('"moved-in"'),
            "seats": "desks",
        },
        "subscriptions": {
            **{
                "source": "passes.tsv",
                "account_id": "company-id",
                "subscription_id": "pass-id",
                "started_at": day.format('"valid-from"'),
            },
            "ended_at": day.format('"valid-until"'),
            "plan": "pass-type",
            "mrr": "replace(replace(\"price-per-month\", 'EUR ', ''), ',', '')::double",
        },
        "usage": {
            **{"source": "door_log.tsv", "account_id": "company-id", "user_id": "card-no", "event": "door"},
            "at": "parse_time(opened, '%Y/%m/%d %H:%M')",
        },
        "surveys": [
            {**ask, "where": "kind = 'csat'", "instrument": "csat", "scale": "1-5"},
            {**ask, "where": "kind = 'nps'", "instrument": "nps", "scale": "0-10"},
        ],
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


def bank(folder: Path, rng: Generator) -> Truth:
    """Write a bank: card transactions, complaints, sessions rolled up by day; names of a warehouse; no contract that ends."""
    lived = lives(rng, 700, share=0.6)
    cif = rng.permutation(len(lived)) + 2_000_000
    table = {
        "cif": cif,
        "onboarding_dt": lived.starts(),
        "branch_cd": rng.integers(1, 30, len(lived)),
        "birth_year": rng.integers(1940, 2005, len(lived)),
    }
    pd.DataFrame(table).to_parquet(folder / "dim_customer.parquet")
    who, when = lived.events(rng, 0.1)
    spent = {
        "txn_id": np.arange(len(who)),
        "cif": cif[who],
        "txn_ts": when,
        "txn_amt": rng.gamma(1, 60, len(who)).round(2),
        "mcc_desc": one_of(rng, ["food", "fuel"], len(who)),
    }
    pd.DataFrame(spent).to_parquet(folder / "fct_card_txn.parquet")
    who, when = lived.events(rng, 0.1)
    daily = pd.DataFrame({"cif": cif[who], "dt": when.normalize()}).value_counts().rename("n_sessions").reset_index()
    daily.to_parquet(folder / "agg_app_sessions_daily.parquet")
    who, when = lived.events(rng, 0.003, fade=3)
    spoken = {
        "complaint_id": np.arange(len(who)),
        "cif": cif[who],
        "received_ts": when,
        "closed_ts": when + pd.Timedelta(days=9),
        "topic": one_of(rng, ["fee", "app"], len(who)),
    }
    pd.DataFrame(spoken).to_parquet(folder / "fct_complaints.parquet")
    tables = {
        "accounts": {"source": "dim_customer.parquet", "account_id": "cif", "signed_up_at": "onboarding_dt"},
        "orders": {
            **{
                "source": "fct_card_txn.parquet",
                "account_id": "cif",
                "order_id": "txn_id",
                "at": "txn_ts",
                "amount": "txn_amt",
            },
            "product": "mcc_desc",
        },
        "usage": {"source": "agg_app_sessions_daily.parquet", "account_id": "cif", "at": "dt", "quantity": "n_sessions"},
        "tickets": {
            **{
                "source": "fct_complaints.parquet",
                "account_id": "cif",
                "ticket_id": "complaint_id",
                "opened_at": "received_ts",
            },
            "resolved_at": "closed_ts",
            "category": "topic",
        },
    }
    return {"tables": tables, "label": {"kind": "non_contractual", "table": "orders"}}


def clinic(folder: Path, rng: Generator) -> Truth:
    """Write a Swedish vendor of software for vets: customers, agreements, cases, log-ins."""
    lived = lives(rng, 600)
    number = np.asarray([f"SE{i:05d}" for i in rng.permutation(len(lived)) + 77])
    table = {
        "Kundnummer": number,
        "Klinik": names(rng, len(lived), "Djur"),
        "Kund sedan": lived.starts().date,
        "Ort": one_of(rng, ["Lund", "Umea"], len(lived)),
    }
    pd.DataFrame(table).to_csv(folder / "kunder.csv", index=False, sep=";")
    deals = {
        "Avtalsnr": [f"AV-{i}" for i in range(len(lived))],
        "Kundnummer": number,
        "Startdatum": lived.starts().date,
        "Slutdatum": lived.ends("%Y-%m-%d"),
    }
    deals |= {
        "Manadsavgift": rng.choice(["499,00", "1299,00"], len(lived)),
        "Uppsagningsorsak": np.where(lived.left, one_of(rng, ["pris", "konkurs"], len(lived)), ""),
    }
    pd.DataFrame(deals).to_csv(folder / "avtal.csv", index=False, sep=";")
    who, when = lived.events(rng, 0.2)
    used = {
        "Kundnummer": number[who],
        "Tid": when.strftime("%Y-%m-%d %H:%M:%S"),
        "Modul": one_of(rng, ["journal", "kassa"], len(who)),
    }
    pd.DataFrame(used).to_csv(folder / "inloggningar.csv", index=False, sep=";")
    who, when = lived.events(rng, 0.006, fade=3)
    cases = {"Arendenr": np.arange(len(who)) + 1, "Kundnummer": number[who], "Skapad": when.strftime("%Y-%m-%d %H:%M")}
    cases |= {
        "Stangd": (when + pd.Timedelta(hours=50)).strftime("%Y-%m-%d %H:%M"),
        "Prioritet": one_of(rng, ["hog", "lag"], len(who)),
    }
    pd.DataFrame(cases).to_csv(folder / "supportarenden.csv", index=False, sep=";")
    tables: dict[str, Any] = {
        "accounts": {"source": "kunder.csv", "account_id": "Kundnummer", "signed_up_at": "Kund sedan"},
        "subscriptions": {
            **{
                "source": "avtal.csv",
                "decimal": ",",
                "account_id": "Kundnummer",
                "subscription_id": "Avtalsnr",
                "started_at": "Startdatum",
            },
            "ended_at": "Slutdatum",
            "mrr": "Manadsavgift",
            "end_reason": "Uppsagningsorsak",
        },
        "usage": {"source": "inloggningar.csv", "account_id": "Kundnummer", "at": "Tid", "event": "Modul"},
        "tickets": {
            **{"source": "supportarenden.csv", "account_id": "Kundnummer", "ticket_id": "Arendenr", "opened_at": "Skapad"},
            "resolved_at": "Stangd",
            "priority": "Prioritet",
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


def hotels(folder: Path, rng: Generator) -> Truth:
    """Write a hotel group's loyalty programme: stays of guests with nights and money, ratings after the stay."""
    lived = lives(rng, 700, share=0.6)
    card = np.asarray([f"{i}" for i in rng.permutation(len(lived)) + 60_000_000])
    table = {
        "loyalty_card": card,
        "enrolled_on": lived.starts().strftime("%d.%m.%y"),
        "tier": one_of(rng, ["silver", "gold"], len(lived)),
        "home_country": one_of(rng, ["AT", "IT"], len(lived)),
    }
    pd.DataFrame(table).to_csv(folder / "loyalty_members.csv", index=False)
    who, when = lived.events(rng, 0.02)
    stays = {
        "booking_ref": [f"B{i:06d}" for i in range(len(who))],
        "loyalty_card": card[who],
        "booked_on": when.strftime("%d.%m.%y"),
    }
    stays |= {
        "nights": rng.integers(1, 9, len(who)),
        "room_revenue": rng.gamma(3, 90, len(who)).round(2),
        "room_type": one_of(rng, ["dbl", "sgl"], len(who)),
    }
    pd.DataFrame({**stays, "booking_status": rng.choice(["checked_out", "cancelled"], len(who), p=[0.9, 0.1])}).to_csv(
        folder / "bookings.csv", index=False
    )
    who, when = lived.events(rng, 0.008)
    asked = {
        "loyalty_card": card[who],
        "survey_date": when.strftime("%d.%m.%y"),
        "overall_rating": rng.integers(1, 6, len(who)),
        "comment": "",
    }
    pd.DataFrame(asked).to_csv(folder / "stay_surveys.csv", index=False)
    day = "parse_time({}, '%d.%m.%y')"
    tables: dict[str, Any] = {
        "accounts": {"source": "loyalty_members.csv", "account_id": "loyalty_card", "signed_up_at": day.format("enrolled_on")},
        "orders": {
            **{
                "source": "bookings.csv",
                "account_id": "loyalty_card",
                "order_id": "booking_ref",
                "at": day.format("booked_on"),
            },
            "quantity": "nights",
            "amount": "room_revenue",
            "product": "room_type",
            "cancelled": "booking_status = 'cancelled'",
        },
        "surveys": {
            **{
                "source": "stay_surveys.csv",
                "account_id": "loyalty_card",
                "answered_at": day.format("survey_date"),
                "value": "overall_rating",
            },
            "instrument": "csat",
            "scale": "1-5",
        },
    }
    return {"tables": tables, "label": {"kind": "non_contractual", "table": "orders"}}


def software(folder: Path, rng: Generator) -> Truth:
    """Write a dump of a product's own database: tenants, members of tenants, their events, seats and invoices in cents."""
    lived = lives(rng, 500)
    tenant = np.asarray([f"tn_{i:08x}" for i in rng.integers(1 << 28, 1 << 31, len(lived))])
    table = {
        "id": tenant,
        "slug": [f"t{i}" for i in range(len(lived))],
        "created_at": lived.starts().strftime("%Y-%m-%d %H:%M:%S+00"),
        "industry": one_of(rng, ["it", "law"], len(lived)),
    }
    pd.DataFrame(table).to_csv(folder / "tenants.csv", index=False)
    owner = np.repeat(np.arange(len(lived)), rng.integers(1, 5, len(lived)))
    first = np.searchsorted(owner, np.arange(len(lived)))
    person = np.asarray([f"us_{i:06d}" for i in range(len(owner))])
    joined = lived.starts()[owner].strftime("%Y-%m-%d %H:%M:%S+00")
    pd.DataFrame(
        {"id": person, "tenant_id": tenant[owner], "role": one_of(rng, ["admin", "viewer"], len(owner)), "joined_at": joined}
    ).to_csv(folder / "users.csv", index=False)
    who, when = lived.events(rng, 0.25)
    events = {
        "id": np.arange(len(who)) + 10**9,
        "user_id": person[first[who]],
        "event_name": one_of(rng, ["open", "export"], len(who)),
        "occurred_at": when.strftime("%Y-%m-%d %H:%M:%S+00"),
    }
    pd.DataFrame(events).to_csv(folder / "audit_events.csv", index=False)
    deals = {
        "id": [f"sub{i}" for i in range(len(lived))],
        "tenant_id": tenant,
        "plan_code": one_of(rng, ["team", "corp"], len(lived)),
        "seat_count": rng.integers(1, 90, len(lived)),
    }
    deals |= {
        "monthly_price_cents": rng.choice([4900, 19900], len(lived)),
        "started_at": table["created_at"],
        "canceled_at": lived.ends("%Y-%m-%d %H:%M:%S+00"),
    }
    pd.DataFrame({**deals, "cancel_reason": np.where(lived.left, "price", "")}).to_csv(
        folder / "subscriptions.csv", index=False
    )
    tables: dict[str, Any] = {
        "accounts": {"source": "tenants.csv", "account_id": "id", "signed_up_at": "created_at"},
        "users": {"source": "users.csv", "account_id": "tenant_id", "id": "id", "columns": {"id": "id"}},
        "usage": {
            **{"source": "audit_events.csv", "key_via": "users", "id": "user_id", "user_id": "user_id", "event": "event_name"},
            "at": "occurred_at",
            "usage_id": "id",
        },
        "subscriptions": {
            **{
                "source": "subscriptions.csv",
                "account_id": "tenant_id",
                "subscription_id": "id",
                "plan": "plan_code",
                "seats": "seat_count",
            },
            "mrr": "monthly_price_cents / 100",
            "started_at": "started_at",
            "ended_at": "canceled_at",
            "end_reason": "cancel_reason",
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


def parcels(folder: Path, rng: Generator) -> Truth:
    """Write a German parcel service for firms: shipments with weights and prices, waits of complaints in hours, dunning."""
    lived = lives(rng, 600, share=0.6)
    number = np.asarray([f"{i:08d}" for i in rng.permutation(len(lived)) + 550])
    how = {"index": False, "sep": ";", "encoding": "cp1252"}
    table = {
        "KdNr": number,
        "Name1": names(rng, len(lived), "GmbH"),
        "Anlagedatum": lived.starts().strftime("%d.%m.%Y"),
        "Vertriebsgebiet": one_of(rng, ["Nord", "S\u00fcd"], len(lived)),
    }
    pd.DataFrame(table).to_csv(folder / "Debitoren.csv", **how)
    who, when = lived.events(rng, 0.08)
    sent = {
        "Sendungsnr": [f"PK{i:09d}" for i in range(len(who))],
        "KdNr": number[who],
        "Auftragsdatum": when.strftime("%d.%m.%Y %H:%M"),
    }
    sent |= {
        "Gewicht_kg": [f"{v:.1f}".replace(".", ",") for v in rng.gamma(2, 3, len(who))],
        "Nettobetrag": [f"{v:.2f}".replace(".", ",") for v in rng.gamma(2, 8, len(who))],
    }
    pd.DataFrame({**sent, "Produktart": one_of(rng, ["Standard", "Express"], len(who))}).to_csv(folder / "Sendungen.csv", **how)
    who, when = lived.events(rng, 0.004, fade=3)
    wrong = {
        "Reklamationsnr": np.arange(len(who)) + 1,
        "KdNr": number[who],
        "Eingangsdatum": when.strftime("%d.%m.%Y %H:%M"),
        "Grund": one_of(rng, ["Bruch", "Verlust"], len(who)),
    }
    wrong |= {
        "Erledigt am": (when + pd.Timedelta(days=3)).strftime("%d.%m.%Y %H:%M"),
        "Sachbearbeiter": one_of(rng, ["Meier", "Kurz"], len(who)),
    }
    pd.DataFrame(wrong).to_csv(folder / "Reklamationen.csv", **how)
    day, clock = "parse_time({}, '%d.%m.%Y')", "parse_time({}, '%d.%m.%Y %H:%M')"
    tables: dict[str, Any] = {
        "accounts": {
            "source": "Debitoren.csv",
            "encoding": "cp1252",
            "account_id": "KdNr",
            "signed_up_at": day.format("Anlagedatum"),
        },
        "orders": {
            **{"source": "Sendungen.csv", "encoding": "cp1252", "decimal": ",", "account_id": "KdNr", "order_id": "Sendungsnr"},
            "at": clock.format("Auftragsdatum"),
            "amount": "Nettobetrag",
            "product": "Produktart",
        },
        "tickets": {
            **{
                "source": "Reklamationen.csv",
                "encoding": "cp1252",
                "account_id": "KdNr",
                "ticket_id": "Reklamationsnr",
                "agent": "Sachbearbeiter",
            },
            "opened_at": clock.format("Eingangsdatum"),
            "resolved_at": clock.format('"Erledigt am"'),
            "category": "Grund",
        },
    }
    return {"tables": tables, "label": {"kind": "non_contractual", "table": "orders"}}


def school(folder: Path, rng: Generator) -> Truth:
    """Write a language school: enrolments with a first and a last lesson, attendance, invoices that are paid late, stars."""
    lived = lives(rng, 700)
    student = np.asarray([f"ST-{i:05d}" for i in rng.permutation(len(lived))])
    table = {
        "Student ID": student,
        "Full Name": names(rng, len(lived), "Kim"),
        "Date of Registration": lived.starts().strftime("%Y%m%d"),
        "Level": one_of(rng, ["A1", "B2"], len(lived)),
    }
    pd.DataFrame(table).to_csv(folder / "students.csv", index=False)
    deals = {
        "Enrolment ID": np.arange(len(lived)) + 4000,
        "Student ID": student,
        "Course": one_of(rng, ["Spanish", "Thai"], len(lived)),
        "First Lesson": table["Date of Registration"],
    }
    deals |= {
        "Withdrawal Date": lived.ends("%Y%m%d", "n/a"),
        "Withdrawal Reason": np.where(lived.left, one_of(rng, ["money", "time"], len(lived)), ""),
    }
    pd.DataFrame({**deals, "Tuition per Month": rng.choice(["$120", "$260"], len(lived))}).to_csv(
        folder / "enrolments.csv", index=False
    )
    who, when = lived.events(rng, 0.15)
    there = {
        "Student ID": student[who],
        "Lesson Time": when.strftime("%Y-%m-%d %H:%M"),
        "Room": one_of(rng, ["1", "2"], len(who)),
        "Attended": one_of(rng, ["Y", "N"], len(who)),
    }
    pd.DataFrame(there).to_csv(folder / "attendance.csv", index=False)
    who, when = lived.events(rng, 1 / 30, fade=1)
    bills = {
        "Invoice #": np.arange(len(who)) + 88_000,
        "Student ID": student[who],
        "Invoice Date": when.strftime("%Y%m%d"),
        "Total": [f"${v}.00" for v in rng.choice([120, 260], len(who))],
    }
    pd.DataFrame({**bills, "Payment Status": rng.choice(["Paid", "Overdue"], len(who), p=[0.9, 0.1])}).to_csv(
        folder / "invoices.csv", index=False
    )
    day = "parse_time({}, '%Y%m%d')"
    tables: dict[str, Any] = {
        "accounts": {
            "source": "students.csv",
            "account_id": "Student ID",
            "signed_up_at": day.format('"Date of Registration"'),
        },
        "subscriptions": {
            **{"source": "enrolments.csv", "account_id": "Student ID", "subscription_id": "Enrolment ID", "product": "Course"},
            "started_at": day.format('"First Lesson"'),
            "ended_at": day.format("nullif(\"Withdrawal Date\", 'n/a')"),
            "end_reason": "Withdrawal Reason",
            "mrr": "replace(\"Tuition per Month\", '$', '')::double",
        },
        "usage": {"source": "attendance.csv", "account_id": "Student ID", "at": "Lesson Time", "where": "Attended = 'Y'"},
        "payments": {
            **{
                "source": "invoices.csv",
                "account_id": "Student ID",
                "payment_id": "Invoice #",
                "at": day.format('"Invoice Date"'),
            },
            "amount": "replace(Total, '$', '')::double",
            "status": "case \"Payment Status\" when 'Paid' then 'paid' when 'Overdue' then 'failed' end",
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


Company = Callable[[Path, Generator], Truth]
SECOND: tuple[Company, ...] = (gym, telecom, marketplace, hospital, streaming, french, spanish, game, charity, energy, workbook)
THIRD: tuple[Company, ...] = (newspaper, wholesaler, carsharing, devices, coworking, bank)
LAST: tuple[Company, ...] = (clinic, hotels, software, parcels, school)
COMPANIES: Mapping[str, Company] = {company.__name__: company for company in (*SECOND, *THIRD, *LAST)}
