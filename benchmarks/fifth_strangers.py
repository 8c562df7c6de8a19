"""A fifth group of made-up companies: other systems and other languages than the four groups before.

Headings of the studio, the CRM and the marketplace's report are those of real systems; the others are as such exports are
written in Danish, Polish and Portuguese. Each was written with its owner's config before the rules of `init` were run on it.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fourth_strangers import comma
from numpy.random import Generator
from strangers import Company, Truth, lives, names, one_of

__all__ = ["FIFTH"]


def studio(folder: Path, rng: Generator) -> Truth:
    """Write a yoga studio's reports: memberships that expire and renew, classes that people attend or miss."""
    lived = lives(rng, 600)
    number = rng.permutation(len(lived)) + 1_204_000
    table: dict[str, Any] = {"id": number, "first_name": "Kim", "last_name": names(rng, len(lived), "L")}
    table |= {"email": [f"p{i}@mail.example" for i in number], "date_of_birth": "1990-05-01"}
    table |= {"joined": lived.starts().strftime("%Y-%m-%d"), "referred_by": one_of(rng, ["friend", "web"], len(lived))}
    pd.DataFrame(table).to_csv(folder / "customers.csv", index=False)
    deals: dict[str, Any] = {"id": np.arange(len(lived)) + 88_000, "customer_id": number}
    deals |= {"membership_name": one_of(rng, ["Unlimited", "8 a month"], len(lived)), "start_date": table["joined"]}
    deals |= {"renewal_date": ["2025-07-20"] * len(lived), "purchased_at": lived.starts().strftime("%Y-%m-%d 09:12:00")}
    deals |= {"cancelled_at": lived.ends("%Y-%m-%d 18:00:00"), "status": np.where(lived.left, "cancelled", "active")}
    deals |= {"price": [f"\u00a3{v:.2f}" for v in rng.choice([49.0, 89.0], len(lived))]}
    deals |= {"cancellation_reason": np.where(lived.left, one_of(rng, ["injury", "cost"], len(lived)), "")}
    deals["renewal_date"] = (pd.Timestamp("2025-07-03") + pd.to_timedelta(rng.integers(0, 30, len(lived)), unit="D")).strftime(
        "%Y-%m-%d"
    )
    pd.DataFrame(deals).to_csv(folder / "customer_memberships.csv", index=False)
    who, when = lived.events(rng, 0.12)
    there: dict[str, Any] = {"id": np.arange(len(who)) + 5_000_000, "customer_id": number[who]}
    there |= {"event_name": one_of(rng, ["Vinyasa", "Yin", "Hot"], len(who)), "event_start": when.strftime("%Y-%m-%d %H:%M:%S")}
    there |= {"status": rng.choice(["attended", "no_show", "late_cancelled"], len(who), p=[0.9, 0.06, 0.04])}
    pd.DataFrame(there).to_csv(folder / "attendances.csv", index=False)
    who, when = lived.events(rng, 1 / 30, fade=1)
    paid: dict[str, Any] = {"id": np.arange(len(who)) + 910_000, "customer_id": number[who], "processor": "stripe"}
    paid |= {"amount": rng.choice([49.0, 89.0], len(who)), "processed_at": when.strftime("%Y-%m-%d %H:%M:%S")}
    paid |= {"status": rng.choice(["succeeded", "failed", "refunded"], len(who), p=[0.93, 0.05, 0.02])}
    pd.DataFrame(paid).to_csv(folder / "transactions.csv", index=False)
    tables = {
        "accounts": {"source": "customers.csv", "account_id": "id", "signed_up_at": "joined"},
        "subscriptions": {
            **{"source": "customer_memberships.csv", "account_id": "customer_id", "subscription_id": "id"},
            **{"plan": "membership_name", "started_at": "start_date", "ended_at": "cancelled_at"},
            **{"renews_at": "renewal_date", "mrr": "replace(price, '\u00a3', '')::double", "end_reason": "cancellation_reason"},
        },
        "usage": {
            **{"source": "attendances.csv", "where": "status = 'attended'", "account_id": "customer_id", "usage_id": "id"},
            **{"event": "event_name", "at": "event_start"},
        },
        "payments": {
            **{"source": "transactions.csv", "account_id": "customer_id", "payment_id": "id", "at": "processed_at"},
            **{"amount": "amount", "status": "case status when 'succeeded' then 'paid' else status end"},
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


def fibre(folder: Path, rng: Generator) -> Truth:
    """Write a Danish fibre network: notice and end of subscriptions, gigabytes a day, cases, invoices and reminders."""
    lived = lives(rng, 600)
    number = np.asarray([str(i) for i in rng.permutation(len(lived)) + 340_000])
    how: dict[str, Any] = {"sep": ";", "index": False, "encoding": "cp1252"}
    table = {"Kundenr": number, "Navn": names(rng, len(lived), "Jens"), "Kunde siden": lived.starts().strftime("%d-%m-%Y")}
    pd.DataFrame({**table, "Postnr": rng.choice(["8000", "5000"], len(lived))}).to_csv(folder / "Kunder.csv", **how)
    line = np.asarray([f"FN{i:06d}" for i in rng.permutation(len(lived)) + 17])
    notice = type(lived)(lived.start, np.where(lived.left, lived.end - 30, 10_000))
    deals = {"Abonnementsnr": line, "Kundenr": number, "Hastighed": one_of(rng, ["300/300", "1000/1000"], len(lived))}
    deals |= {
        "Oprettet": table["Kunde siden"],
        "Opsagt den": notice.ends("%d-%m-%Y"),
        "Oph\u00f8rsdato": lived.ends("%d-%m-%Y"),
    }
    deals |= {"Oph\u00f8rs\u00e5rsag": np.where(lived.left, one_of(rng, ["flytning", "pris"], len(lived)), "")}
    deals |= {
        "Pris pr. md.": comma(rng.choice([249.0, 349.0], len(lived))),
        "Binding (mdr.)": rng.choice([0, 6, 12], len(lived)),
    }
    pd.DataFrame(deals).to_csv(folder / "Abonnementer.csv", **how)
    who, when = lived.events(rng, 0.12)
    day = pd.DataFrame({"l": line[who], "d": when.normalize()}).value_counts().rename("n").reset_index().sort_values(["d", "l"])
    used = {"Dato": day["d"].dt.strftime("%d-%m-%Y"), "Abonnementsnr": day["l"]}
    pd.DataFrame({**used, "Forbrug (GB)": comma(day["n"] * rng.gamma(2, 3, len(day)))}).to_csv(folder / "Forbrug.csv", **how)
    who, when = lived.events(rng, 0.006, fade=3)
    cases = {"Sagsnr": np.arange(len(who)) + 70_000, "Kundenr": number[who], "Modtaget": when.strftime("%d-%m-%Y %H:%M")}
    cases |= {"L\u00f8st": (when + pd.to_timedelta(rng.integers(3, 90, len(who)), unit="h")).strftime("%d-%m-%Y %H:%M")}
    cases |= {"Emne": one_of(rng, ["router", "regning", "hastighed"], len(who))}
    cases |= {"Medarbejder": one_of(rng, ["AKL", "MSO"], len(who))}
    pd.DataFrame(cases).to_csv(folder / "Kundesager.csv", **how)
    who, when = lived.events(rng, 1 / 30, fade=1)
    bills = {"Fakturanr": np.arange(len(who)) + 9_000_000, "Kundenr": number[who], "Fakturadato": when.strftime("%d-%m-%Y")}
    bills |= {
        "Forfaldsdato": (when + pd.Timedelta(days=14)).strftime("%d-%m-%Y"),
        "Bel\u00f8b": comma(rng.gamma(9, 30, len(who))),
    }
    bills |= {"Betalingsstatus": rng.choice(["Betalt", "Ikke betalt"], len(who), p=[0.95, 0.05])}
    pd.DataFrame(bills).to_csv(folder / "Fakturaer.csv", **how)
    day_, clock = "parse_time({}, '%d-%m-%Y')", "parse_time({}, '%d-%m-%Y %H:%M')"
    base = {"encoding": "cp1252", "decimal": ","}
    tables: dict[str, Any] = {
        "accounts": {"source": "Kunder.csv", "account_id": "Kundenr", "signed_up_at": day_.format('"Kunde siden"')},
        "subscriptions": {
            **{"source": "Abonnementer.csv", **base, "account_id": "Kundenr", "subscription_id": "Abonnementsnr"},
            **{"plan": "Hastighed", "started_at": day_.format("Oprettet"), "cancel_requested_at": day_.format('"Opsagt den"')},
            **{"ended_at": day_.format('"Oph\u00f8rsdato"'), "end_reason": "Oph\u00f8rs\u00e5rsag"},
            **{"mrr": "Pris pr. md.", "term_months": "Binding (mdr.)"},
        },
        "usage": {
            **{"source": "Forbrug.csv", **base, "key_via": "subscriptions", "subscription_id": "Abonnementsnr"},
            **{"at": day_.format("Dato"), "quantity": "Forbrug (GB)"},
        },
        "tickets": {
            **{"source": "Kundesager.csv", "encoding": "cp1252", "account_id": "Kundenr", "ticket_id": "Sagsnr"},
            **{"opened_at": clock.format("Modtaget"), "resolved_at": clock.format('"L\u00f8st"'), "category": "Emne"},
            "agent": "Medarbejder",
        },
        "payments": {
            **{"source": "Fakturaer.csv", **base, "account_id": "Kundenr", "payment_id": "Fakturanr"},
            **{"at": day_.format("Fakturadato"), "amount": "Bel\u00f8b"},
            "status": "case Betalingsstatus when 'Betalt' then 'paid' when 'Ikke betalt' then 'failed' end",
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


def courses(folder: Path, rng: Generator) -> Truth:
    """Write a Polish seller of courses: packages from a day to a day, payments in zloty, marks for courses."""
    lived = lives(rng, 600)
    user = rng.permutation(len(lived)) + 20_001
    table: dict[str, Any] = {"id_uzytkownika": user, "email": [f"u{i}@poczta.example" for i in user]}
    table |= {"data_rejestracji": lived.starts().strftime("%Y-%m-%d"), "miasto": one_of(rng, ["Gdynia", "Opole"], len(lived))}
    pd.DataFrame(table).to_csv(folder / "uzytkownicy.csv", index=False)
    deals: dict[str, Any] = {"id_subskrypcji": np.arange(len(lived)) + 500_000, "id_uzytkownika": user}
    deals |= {"pakiet": one_of(rng, ["podstawowy", "premium"], len(lived)), "data_od": table["data_rejestracji"]}
    deals |= {
        "data_do": lived.ends("%Y-%m-%d", "bezterminowo"),
        "cena_miesieczna": comma(rng.choice([49.0, 99.0], len(lived)), " z\u0142"),
    }
    deals |= {"powod_rezygnacji": np.where(lived.left, one_of(rng, ["cena", "brak czasu"], len(lived)), "")}
    pd.DataFrame(deals).to_csv(folder / "subskrypcje.csv", index=False)
    who, when = lived.events(rng, 0.15)
    seen = {"id_uzytkownika": user[who], "data_logowania": when.strftime("%Y-%m-%d %H:%M:%S")}
    pd.DataFrame({**seen, "urzadzenie": one_of(rng, ["telefon", "komputer"], len(who))}).to_csv(
        folder / "logowania.csv", index=False
    )
    who, when = lived.events(rng, 1 / 30, fade=1)
    paid: dict[str, Any] = {"id_platnosci": [f"PL{i}" for i in range(len(who))], "id_uzytkownika": user[who]}
    paid |= {"kwota": comma(rng.choice([49.0, 99.0], len(who)), " z\u0142"), "data_platnosci": when.strftime("%Y-%m-%d")}
    paid |= {"stan": rng.choice(["op\u0142acona", "nieudana", "zwr\u00f3cona"], len(who), p=[0.93, 0.05, 0.02])}
    pd.DataFrame(paid).to_csv(folder / "platnosci.csv", index=False)
    who, when = lived.events(rng, 0.006)
    mark = {"id_oceny": np.arange(len(who)) + 1, "id_uzytkownika": user[who], "ocena": rng.integers(1, 6, len(who))}
    pd.DataFrame({**mark, "data_oceny": when.strftime("%Y-%m-%d %H:%M:%S"), "komentarz": ""}).to_csv(
        folder / "oceny_kursow.csv", index=False
    )
    money = "replace(replace({}, ' z\u0142', ''), ',', '.')::double"
    tables: dict[str, Any] = {
        "accounts": {"source": "uzytkownicy.csv", "account_id": "id_uzytkownika", "signed_up_at": "data_rejestracji"},
        "subscriptions": {
            **{"source": "subskrypcje.csv", "account_id": "id_uzytkownika", "subscription_id": "id_subskrypcji"},
            **{"plan": "pakiet", "started_at": "data_od", "ended_at": "nullif(data_do, 'bezterminowo')"},
            **{"mrr": money.format("cena_miesieczna"), "end_reason": "powod_rezygnacji"},
        },
        "usage": {
            **{"source": "logowania.csv", "account_id": "id_uzytkownika", "at": "data_logowania", "event": "urzadzenie"},
        },
        "payments": {
            **{"source": "platnosci.csv", "account_id": "id_uzytkownika", "payment_id": "id_platnosci"},
            **{"at": "data_platnosci", "amount": money.format("kwota")},
            "status": "case stan when 'op\u0142acona' then 'paid' when 'nieudana' then 'failed' else 'refunded' end",
        },
        "surveys": {
            **{"source": "oceny_kursow.csv", "account_id": "id_uzytkownika", "survey_id": "id_oceny", "value": "ocena"},
            **{"answered_at": "data_oceny", "instrument": "csat", "scale": "1-5"},
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


def crm(folder: Path, rng: Generator) -> Truth:
    """Write a CRM's objects and a product's page views into an SQLite file: contacts between views and accounts."""
    lived = lives(rng, 500)
    key = np.asarray([f"0015g00000{i:05X}AAA" for i in rng.permutation(len(lived)) * 7 + 4096])
    stamp = "%Y-%m-%dT%H:%M:%S.000+0000"
    frames: dict[str, dict[str, Any]] = {}
    frames["Account"] = {"Id": key, "IsDeleted": 0, "Name": names(rng, len(lived), "Corp"), "Type": "Customer"}
    frames["Account"] |= {
        "Industry": one_of(rng, ["Energy", "Retail"], len(lived)),
        "CreatedDate": lived.starts().strftime(stamp),
    }
    frames["Account"] |= {
        "Owner.Name": one_of(rng, ["Sue Ng", "Al Roy"], len(lived)),
        "LastModifiedDate": "2025-06-30T02:00:00.000+0000",
    }
    owner = np.repeat(np.arange(len(lived)), rng.integers(1, 4, len(lived)))
    first = np.searchsorted(owner, np.arange(len(lived)))
    person = np.asarray([f"0035g00000{i:05X}AAQ" for i in rng.permutation(len(owner)) * 5 + 4096])
    frames["Contact"] = {"Id": person, "AccountId": key[owner], "LastName": names(rng, len(owner), "Doe")}
    frames["Contact"] |= {
        "CreatedDate": lived.starts()[owner].strftime(stamp),
        "Title": one_of(rng, ["CFO", "Ops"], len(owner)),
    }
    ends = (lived.starts() + pd.Timedelta(days=4 * 365)).strftime("%Y-%m-%d")
    frames["Contract"] = {"Id": [f"8005g0000{i:06X}" for i in range(len(lived))], "AccountId": key}
    frames["Contract"] |= {
        "StartDate": lived.starts().strftime("%Y-%m-%d"),
        "ContractTerm": rng.choice([12, 24, 36], len(lived)),
    }
    frames["Contract"] |= {"EndDate": ends, "Cancellation_Date__c": lived.ends("%Y-%m-%d", None)}
    frames["Contract"] |= {
        "Cancellation_Reason__c": np.where(lived.left, one_of(rng, ["Budget", "Acquired"], len(lived)), None),
    }
    frames["Contract"] |= {
        "Monthly_Amount__c": rng.gamma(3, 400, len(lived)).round(2),
        "User_Licenses__c": rng.integers(3, 90, len(lived)),
    }
    who, when = lived.events(rng, 0.008, fade=3)
    frames["Case"] = {
        "Id": [f"5005g0000{i:06X}" for i in range(len(who))],
        "AccountId": key[who],
        "ContactId": person[first[who]],
    }
    frames["Case"] |= {"CreatedDate": when.strftime(stamp), "Origin": one_of(rng, ["Phone", "Web"], len(who))}
    frames["Case"] |= {"ClosedDate": (when + pd.to_timedelta(rng.integers(3, 200, len(who)), unit="h")).strftime(stamp)}
    frames["Case"] |= {"Priority": one_of(rng, ["High", "Low"], len(who)), "Reason": one_of(rng, ["Billing", "Bug"], len(who))}
    frames["Case"] |= {"IsDeleted": (rng.random(len(who)) < 0.04).astype(int)}
    who, when = lived.events(rng, 0.2)
    frames["page_views"] = {"contact_id": person[first[who]], "viewed_at": when.strftime("%Y-%m-%d %H:%M:%S")}
    frames["page_views"] |= {"page": one_of(rng, ["/home", "/report", "/admin"], len(who))}
    who, when = lived.events(rng, 0.006)
    frames["nps_response"] = {"contact_id": person[first[who]], "score": rng.integers(0, 11, len(who)), "comment": ""}
    frames["nps_response"] |= {"responded_on": when.strftime("%Y-%m-%d")}
    with sqlite3.connect(folder / "export.sqlite") as connection:
        for name, columns in frames.items():
            pd.DataFrame(columns).to_sql(name, connection, index=False)
    base = {"source": "export.sqlite"}
    tables: dict[str, Any] = {
        "accounts": {
            **{**base, "table": "Account", "account_id": "Id", "signed_up_at": "CreatedDate", "owner": "Owner.Name"},
        },
        "contact": {**base, "table": "Contact", "account_id": "AccountId", "contact_id": "Id", "columns": {"contact_id": "id"}},
        "subscriptions": {
            **{**base, "table": "Contract", "account_id": "AccountId", "subscription_id": "Id", "started_at": "StartDate"},
            **{"term_months": "ContractTerm", "renews_at": "EndDate", "ended_at": "Cancellation_Date__c"},
            **{"end_reason": "Cancellation_Reason__c", "mrr": "Monthly_Amount__c", "seats": "User_Licenses__c"},
        },
        "tickets": {
            **{**base, "table": "Case", "where": "IsDeleted = 0", "account_id": "AccountId", "ticket_id": "Id"},
            **{"user_id": "ContactId", "opened_at": "CreatedDate", "resolved_at": "ClosedDate", "channel": "Origin"},
            **{"priority": "Priority", "category": "Reason"},
        },
        "usage": {
            **{**base, "table": "page_views", "key_via": "contact", "contact_id": "contact_id", "user_id": "contact_id"},
            **{"at": "viewed_at", "event": "page"},
        },
        "surveys": {
            **{
                **base,
                "table": "nps_response",
                "key_via": "contact",
                "contact_id": "contact_id",
                "respondent_id": "contact_id",
            },
            **{"value": "score", "answered_at": "responded_on", "instrument": "nps", "scale": "0-10"},
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


def weekly(folder: Path, rng: Generator) -> Truth:
    """Write a Portuguese weekly: subscribers, what they read, charges that come back, complaints."""
    lived = lives(rng, 600)
    number = np.asarray([f"{i:07d}" for i in rng.permutation(len(lived)) + 5_100])
    how: dict[str, Any] = {"sep": ";", "index": False, "encoding": "utf-8-sig"}
    table = {
        "N.\u00ba assinante": number,
        "Nome": names(rng, len(lived), "Rui"),
        "Data de ades\u00e3o": lived.starts().strftime("%d/%m/%Y"),
    }
    pd.DataFrame({**table, "Distrito": one_of(rng, ["Faro", "Braga"], len(lived))}).to_csv(folder / "assinantes.csv", **how)
    deals = {"N.\u00ba contrato": [f"C{i:05d}" for i in range(len(lived))], "N.\u00ba assinante": number}
    deals |= {"Modalidade": one_of(rng, ["Papel", "Digital"], len(lived)), "In\u00edcio": table["Data de ades\u00e3o"]}
    deals |= {
        "Fim": lived.ends("%d/%m/%Y"),
        "Motivo": np.where(lived.left, one_of(rng, ["pre\u00e7o", "mudan\u00e7a"], len(lived)), ""),
    }
    deals |= {"Mensalidade (\u20ac)": comma(rng.choice([7.9, 14.9], len(lived)))}
    pd.DataFrame(deals).to_csv(folder / "assinaturas.csv", **how)
    who, when = lived.events(rng, 0.15)
    read = {"N.\u00ba assinante": number[who], "Data/hora": when.strftime("%d/%m/%Y %H:%M:%S")}
    pd.DataFrame({**read, "Sec\u00e7\u00e3o": one_of(rng, ["pol\u00edtica", "cultura"], len(who))}).to_csv(
        folder / "artigos_lidos.csv", **how
    )
    who, when = lived.events(rng, 1 / 30, fade=1)
    paid = {
        "N.\u00ba assinante": number[who],
        "Data de cobran\u00e7a": when.strftime("%d/%m/%Y"),
        "Valor": comma(rng.choice([7.9, 14.9], len(who))),
    }
    paid |= {"Situa\u00e7\u00e3o": rng.choice(["Cobrado", "Devolvido"], len(who), p=[0.95, 0.05])}
    pd.DataFrame(paid).to_csv(folder / "cobrancas.csv", **how)
    who, when = lived.events(rng, 0.005, fade=3)
    wrong = {
        "Processo": np.arange(len(who)) + 300,
        "N.\u00ba assinante": number[who],
        "Aberto em": when.strftime("%d/%m/%Y %H:%M:%S"),
    }
    wrong |= {"Fechado em": (when + pd.to_timedelta(rng.integers(9, 99, len(who)), unit="h")).strftime("%d/%m/%Y %H:%M:%S")}
    wrong |= {"Assunto": one_of(rng, ["entrega", "fatura"], len(who)), "Operador": one_of(rng, ["Ana", "Rita"], len(who))}
    pd.DataFrame(wrong).to_csv(folder / "reclamacoes.csv", **how)
    day, clock = "parse_time({}, '%d/%m/%Y')", "parse_time({}, '%d/%m/%Y %H:%M:%S')"
    key = "N.\u00ba assinante"
    tables: dict[str, Any] = {
        "accounts": {"source": "assinantes.csv", "account_id": key, "signed_up_at": day.format('"Data de ades\u00e3o"')},
        "subscriptions": {
            **{"source": "assinaturas.csv", "decimal": ",", "account_id": key, "subscription_id": "N.\u00ba contrato"},
            **{"plan": "Modalidade", "started_at": day.format('"In\u00edcio"'), "ended_at": day.format("Fim")},
            **{"end_reason": "Motivo", "mrr": "Mensalidade (\u20ac)"},
        },
        "usage": {
            **{
                "source": "artigos_lidos.csv",
                "account_id": key,
                "at": clock.format('"Data/hora"'),
                "event": "Sec\u00e7\u00e3o",
            },
        },
        "payments": {
            **{"source": "cobrancas.csv", "decimal": ",", "account_id": key, "at": day.format('"Data de cobran\u00e7a"')},
            **{
                "amount": "Valor",
                "status": "case \"Situa\u00e7\u00e3o\" when 'Cobrado' then 'paid' when 'Devolvido' then 'failed' end",
            },
        },
        "tickets": {
            **{
                "source": "reclamacoes.csv",
                "account_id": key,
                "ticket_id": "Processo",
                "category": "Assunto",
                "agent": "Operador",
            },
            **{"opened_at": clock.format('"Aberto em"'), "resolved_at": clock.format('"Fechado em"')},
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


def seller(folder: Path, rng: Generator) -> Truth:
    """Write a seller's report of all orders on a marketplace: tabs, hyphens in names, addresses of buyers for a key."""
    lived = lives(rng, 700, share=0.6)
    buyer = np.asarray([f"{i:x}q@marketplace.example" for i in rng.permutation(len(lived)) * 91 + 70_000])
    who, when = lived.events(rng, 0.03)
    line = np.repeat(np.arange(len(who)), rng.integers(1, 3, len(who)))
    stamp = when.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_numpy()
    rows: dict[str, Any] = {
        "amazon-order-id": [f"305-{i:07d}-{i * 37 % 10_000_000:07d}" for i in line],
        "merchant-order-id": "",
    }
    rows |= {
        "purchase-date": stamp[line],
        "last-updated-date": (when + pd.Timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%S+00:00").to_numpy()[line],
    }
    rows |= {"order-status": rng.choice(["Shipped", "Cancelled"], len(who), p=[0.96, 0.04])[line], "sales-channel": "Amazon.de"}
    rows |= {
        "buyer-email": buyer[who[line]],
        "sku": one_of(rng, ["A-1", "A-2", "B-7"], len(line)),
        "quantity": rng.integers(1, 4, len(line)),
    }
    rows |= {"currency": "EUR", "item-price": rng.gamma(3, 8, len(line)).round(2), "item-tax": 0.0, "ship-country": "DE"}
    pd.DataFrame(rows).to_csv(folder / "all_orders.txt", index=False, sep="\t")
    tables = {
        "orders": {
            **{"source": "all_orders.txt", "account_id": "buyer-email", "order_id": "amazon-order-id", "at": "purchase-date"},
            **{"product": "sku", "quantity": "quantity", "amount": "item-price", "cancelled": "\"order-status\" = 'Cancelled'"},
        },
    }
    return {"tables": tables, "label": {"kind": "non_contractual", "table": "orders"}}


FIFTH: tuple[Company, ...] = (studio, fibre, courses, crm, weekly, seller)
