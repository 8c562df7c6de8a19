"""A sixth group of made-up companies, written after the rules had been improved on the fifth and before they were run on it.

Headings of the two software companies are those of real systems (billing, conversations, CRM, product analytics); the others
are as such exports are written in Italian, Swedish and Spanish.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fourth_strangers import comma
from numpy.random import Generator
from strangers import Company, Lives, Truth, lives, names, one_of

__all__ = ["SIXTH"]

YES = "S\u00ec"


def provider(folder: Path, rng: Generator) -> Truth:
    """Write an Italian provider's workbook: contracts with an expiry and a termination, invoices that were paid or not."""
    lived = lives(rng, 400)
    code = np.asarray([f"C{i:05d}" for i in rng.permutation(len(lived)) + 80])
    ends = [pd.Timestamp(day) if day else None for day in lived.ends("%Y-%m-%d")]
    with pd.ExcelWriter(folder / "gestionale.xlsx", engine="xlsxwriter") as book:
        table: dict[str, Any] = {
            "Codice": code,
            "Denominazione": names(rng, len(lived), "Ditta"),
            "Cliente dal": lived.starts(),
        }
        table |= {
            "Provincia": one_of(rng, ["TO", "BO", "BA"], len(lived)),
            "Commerciale": one_of(rng, ["Riva", "Galli"], len(lived)),
        }
        pd.DataFrame(table).to_excel(book, sheet_name="Clienti", index=False)
        deals: dict[str, Any] = {"N. contratto": [f"{i}/A" for i in range(len(lived))], "Codice cliente": code}
        deals |= {"Offerta": one_of(rng, ["Base", "Pro"], len(lived)), "Attivato il": lived.starts()}
        deals |= {"Scadenza": lived.starts() + pd.Timedelta(days=4 * 365), "Disdetta il": ends}
        deals |= {"Motivo disdetta": np.where(lived.left, one_of(rng, ["prezzo", "cessata attivit\u00e0"], len(lived)), None)}
        deals |= {"Canone mensile": rng.choice([29.9, 79.5], len(lived)), "Postazioni": rng.integers(1, 20, len(lived))}
        pd.DataFrame(deals).to_excel(book, sheet_name="Contratti", index=False)
        who, when = lived.events(rng, 1 / 60, fade=1)
        bills: dict[str, Any] = {
            "N. fattura": np.arange(len(who)) + 1,
            "Codice cliente": code[who],
            "Data fattura": when.normalize(),
        }
        bills |= {"Importo": rng.gamma(3, 30, len(who)).round(2), "Pagata": rng.choice([YES, "No"], len(who), p=[0.94, 0.06])}
        pd.DataFrame(bills).to_excel(book, sheet_name="Fatture", index=False)
        who, when = lived.events(rng, 0.006, fade=3)
        jobs: dict[str, Any] = {"N. segnalazione": np.arange(len(who)) + 500, "Codice cliente": code[who], "Aperta il": when}
        jobs |= {"Chiusa il": when + pd.to_timedelta(rng.integers(3, 90, len(who)), unit="h")}
        jobs |= {
            "Priorit\u00e0": one_of(rng, ["alta", "bassa"], len(who)),
            "Argomento": one_of(rng, ["linea", "fattura"], len(who)),
        }
        jobs |= {"Tecnico": one_of(rng, ["Ugo", "Pia"], len(who))}
        pd.DataFrame(jobs).to_excel(book, sheet_name="Segnalazioni", index=False)
        who, when = lived.events(rng, 0.08)
        used = {"Codice cliente": code[who], "Data e ora": when, "Funzione": one_of(rng, ["bolle", "magazzino"], len(who))}
        pd.DataFrame(used).to_excel(book, sheet_name="Accessi", index=False)
    base = {"source": "gestionale.xlsx"}
    tables: dict[str, Any] = {
        "accounts": {
            **{**base, "table": "Clienti", "account_id": "Codice", "signed_up_at": "Cliente dal", "owner": "Commerciale"},
        },
        "subscriptions": {
            **{**base, "table": "Contratti", "account_id": "Codice cliente", "subscription_id": "N. contratto"},
            **{"plan": "Offerta", "started_at": "Attivato il", "renews_at": "Scadenza", "ended_at": "Disdetta il"},
            **{"end_reason": "Motivo disdetta", "mrr": "Canone mensile", "seats": "Postazioni"},
        },
        "payments": {
            **{**base, "table": "Fatture", "account_id": "Codice cliente", "payment_id": "N. fattura", "at": "Data fattura"},
            **{"amount": "Importo", "status": f"case Pagata when '{YES}' then 'paid' when 'No' then 'failed' end"},
        },
        "tickets": {
            **{**base, "table": "Segnalazioni", "account_id": "Codice cliente", "ticket_id": "N. segnalazione"},
            **{"opened_at": "Aperta il", "resolved_at": "Chiusa il", "priority": "Priorit\u00e0", "category": "Argomento"},
            "agent": "Tecnico",
        },
        "usage": {**base, "table": "Accessi", "account_id": "Codice cliente", "at": "Data e ora", "event": "Funzione"},
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


def recurring(folder: Path, rng: Generator) -> Truth:
    """Write a billing system's and a messenger's exports: ends of periods, UTC behind the times, a zone in the headings."""
    lived = lives(rng, 500)
    code = np.asarray([f"acme-{i:x}" for i in rng.permutation(len(lived)) * 13 + 300])
    stamp = "%Y-%m-%d %H:%M:%S UTC"
    table: dict[str, Any] = {"account_code": code, "company_name": names(rng, len(lived), "Co"), "vat_number": ""}
    table |= {"created_at": lived.starts().strftime(stamp), "country": one_of(rng, ["US", "CA"], len(lived))}
    pd.DataFrame(table).to_csv(folder / "accounts.csv", index=False)
    notice = Lives(lived.start, np.where(lived.left, lived.end - 20, 10_000))
    deals: dict[str, Any] = {"subscription_uuid": [f"{i * 7919:032x}" for i in range(1, len(lived) + 1)], "account_code": code}
    deals |= {"plan_code": one_of(rng, ["starter", "scale"], len(lived)), "state": np.where(lived.left, "expired", "active")}
    deals |= {"quantity": rng.integers(1, 40, len(lived)), "total_recurring_amount": rng.gamma(3, 90, len(lived)).round(2)}
    deals |= {
        "currency": "USD",
        "activated_at": table["created_at"],
        "canceled_at": notice.ends(stamp),
        "expires_at": lived.ends(stamp),
    }
    renewed = pd.Timestamp("2025-07-02") + pd.to_timedelta(rng.integers(0, 29, len(lived)), unit="D")
    deals |= {"current_period_ends_at": renewed.strftime(stamp)}
    pd.DataFrame(deals).to_csv(folder / "subscriptions.csv", index=False)
    who, when = lived.events(rng, 1 / 30, fade=1)
    paid: dict[str, Any] = {
        "transaction_id": [f"t{i:07x}" for i in range(len(who))],
        "account_code": code[who],
        "type": "purchase",
    }
    paid |= {"date": when.strftime(stamp), "amount": rng.gamma(3, 90, len(who)).round(2), "currency": "USD"}
    paid |= {"status": rng.choice(["success", "declined"], len(who), p=[0.94, 0.06])}
    pd.DataFrame(paid).to_csv(folder / "transactions.csv", index=False)
    who, when = lived.events(rng, 0.012, fade=3)
    zone = "(America/Los_Angeles)"
    local = when.tz_localize("UTC").tz_convert("America/Los_Angeles")
    talk: dict[str, Any] = {
        "Conversation ID": np.arange(len(who)) + 1_840_000,
        f"Conversation started at {zone}": local.strftime("%Y-%m-%d %H:%M:%S"),
    }
    wait, done = rng.integers(60, 40_000, len(who)), pd.to_timedelta(rng.integers(12, 150, len(who)), unit="h")
    talk |= {"Time to first response (seconds)": wait, f"Last closed at {zone}": (local + done).strftime("%Y-%m-%d %H:%M:%S")}
    talk |= {"Company ID": code[who], "Channel": one_of(rng, ["Chat", "Email"], len(who))}
    talk |= {"Teammate assigned": one_of(rng, ["Noa", "Ed"], len(who)), "Topic": one_of(rng, ["billing", "api"], len(who))}
    talk["Conversation rating"] = np.where(rng.random(len(who)) < 0.3, rng.integers(1, 6, len(who)).astype(str), "")
    pd.DataFrame(talk).to_csv(folder / "conversations.csv", index=False)
    began, closed = f'"Conversation started at {zone}"', f"Last closed at {zone}"
    base = {
        "source": "conversations.csv",
        "zone": "America/Los_Angeles",
        "account_id": "Company ID",
        "ticket_id": "Conversation ID",
    }
    tables: dict[str, Any] = {
        "accounts": {"source": "accounts.csv", "account_id": "account_code", "signed_up_at": "created_at"},
        "subscriptions": {
            **{"source": "subscriptions.csv", "account_id": "account_code", "subscription_id": "subscription_uuid"},
            **{"plan": "plan_code", "seats": "quantity", "mrr": "total_recurring_amount", "started_at": "activated_at"},
            **{"cancel_requested_at": "canceled_at", "ended_at": "expires_at", "renews_at": "current_period_ends_at"},
        },
        "payments": {
            **{"source": "transactions.csv", "account_id": "account_code", "payment_id": "transaction_id", "at": "date"},
            **{"amount": "amount", "status": "case status when 'success' then 'paid' when 'declined' then 'failed' end"},
        },
        "tickets": {
            **{**base, "opened_at": began.strip('"'), "resolved_at": closed, "channel": "Channel", "category": "Topic"},
            **{"first_response_at": f'{began} + to_seconds("Time to first response (seconds)")', "agent": "Teammate assigned"},
        },
        "surveys": {
            **{**base, "where": '"Conversation rating" is not null', "answered_at": closed, "value": "Conversation rating"},
            **{"instrument": "csat", "scale": "1-5"},
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


def outfitter(folder: Path, rng: Generator) -> Truth:
    """Write a Swedish shop: orders that were voided, what customers answered to a question, returns by their day."""
    lived = lives(rng, 600, share=0.6)
    number = np.asarray([str(i) for i in rng.permutation(len(lived)) + 710_000])
    how: dict[str, Any] = {"sep": ";", "index": False, "encoding": "utf-8-sig"}
    table = {
        "Kundnr": number,
        "F\u00f6rnamn": names(rng, len(lived), "Eva"),
        "Registrerad": lived.starts().strftime("%Y-%m-%d"),
    }
    pd.DataFrame({**table, "Postort": one_of(rng, ["Kiruna", "Ystad"], len(lived))}).to_csv(folder / "Kundregister.csv", **how)
    who, when = lived.events(rng, 0.03)
    back = rng.random(len(who)) < 0.06
    rows: dict[str, Any] = {"Ordernr": [f"O-{i:06d}" for i in range(len(who))], "Kundnr": number[who]}
    rows |= {"Orderdatum": when.strftime("%Y-%m-%d %H:%M"), "Antal": rng.integers(1, 5, len(who))}
    rows |= {
        "Artikelgrupp": one_of(rng, ["skor", "jackor"], len(who)),
        "Summa inkl. moms": comma(rng.gamma(4, 200, len(who)), thousands=" "),
    }
    rows |= {"Orderstatus": rng.choice(["Levererad", "Makulerad"], len(who), p=[0.96, 0.04])}
    rows |= {"Returdatum": np.where(back, (when + pd.Timedelta(days=12)).strftime("%Y-%m-%d"), "")}
    pd.DataFrame(rows).to_csv(folder / "Orderlista.csv", **how)
    who, when = lived.events(rng, 0.008)
    asked: dict[str, Any] = {"Svarsdatum": when.strftime("%Y-%m-%d %H:%M"), "Kundnr": number[who]}
    asked |= {"Hur n\u00f6jd \u00e4r du med ditt k\u00f6p?": rng.integers(1, 6, len(who)), "Kommentar": ""}
    pd.DataFrame(asked).to_csv(folder / "Kundenkat.csv", **how)
    tables: dict[str, Any] = {
        "accounts": {"source": "Kundregister.csv", "account_id": "Kundnr", "signed_up_at": "Registrerad"},
        "orders": {
            **{"source": "Orderlista.csv", "decimal": ",", "account_id": "Kundnr", "order_id": "Ordernr", "at": "Orderdatum"},
            **{"quantity": "Antal", "product": "Artikelgrupp", "amount": "replace(\"Summa inkl. moms\", ' ', '')"},
            **{"cancelled": "Orderstatus = 'Makulerad'", "returned_at": "Returdatum"},
        },
        "surveys": {
            **{"source": "Kundenkat.csv", "account_id": "Kundnr", "answered_at": "Svarsdatum"},
            **{"value": "Hur n\u00f6jd \u00e4r du med ditt k\u00f6p?", "instrument": "csat", "scale": "1-5"},
        },
    }
    return {"tables": tables, "label": {"kind": "non_contractual", "table": "orders"}}


def analytics(folder: Path, rng: Generator) -> Truth:
    """Write a CRM's companies and tickets, a reseller's subscriptions and a product's events in Parquet."""
    lived = lives(rng, 500)
    record = rng.permutation(len(lived)) + 9_871_000_000
    table: dict[str, Any] = {
        "Record ID": record,
        "Company name": names(rng, len(lived), "Inc"),
        "Number of Employees": rng.integers(2, 900, len(lived)),
    }
    table |= {"Create Date": lived.starts().strftime("%Y-%m-%d %H:%M"), "Company owner": one_of(rng, ["Jo", "Vi"], len(lived))}
    table |= {"Industry": one_of(rng, ["RETAIL", "BANKING"], len(lived)), "Last Modified Date": "2025-06-30 10:00"}
    pd.DataFrame(table).to_csv(folder / "hubspot-crm-exports-all-companies.csv", index=False)
    deals: dict[str, Any] = {"subscription_id": np.arange(len(lived)) + 401_000, "crm_record_id": record}
    deals |= {"plan_name": one_of(rng, ["Team", "Business"], len(lived)), "status": np.where(lived.left, "deleted", "active")}
    deals |= {"signup_date": lived.starts().strftime("%Y-%m-%d"), "cancellation_effective_date": lived.ends("%Y-%m-%d")}
    deals |= {
        "next_payment_date": (pd.Timestamp("2025-07-02") + pd.to_timedelta(rng.integers(0, 28, len(lived)), unit="D")).strftime(
            "%Y-%m-%d"
        ),
    }
    deals |= {"monthly_amount_usd": rng.choice([49.0, 249.0], len(lived)), "quantity": rng.integers(1, 60, len(lived))}
    pd.DataFrame(deals).to_csv(folder / "paddle_subscriptions.csv", index=False)
    who, when = lived.events(rng, 0.2)
    acts: dict[str, Any] = {
        "uuid": [f"0190{i:08x}" for i in range(len(who))],
        "event": one_of(rng, ["$pageview", "report_run"], len(who)),
    }
    acts |= {"timestamp": when.tz_localize("UTC"), "distinct_id": [f"d{i}" for i in who * 3 + rng.integers(0, 3, len(who))]}
    acts |= {"$group_0": record[who], "$lib": "web", "$browser": one_of(rng, ["Chrome", "Safari"], len(who))}
    pd.DataFrame(acts).to_parquet(folder / "posthog_events.parquet")
    who, when = lived.events(rng, 0.01, fade=3)
    jobs: dict[str, Any] = {"Ticket ID": np.arange(len(who)) + 66_000_000, "Ticket name": names(rng, len(who), "Help with")}
    jobs |= {
        "Create date": when.strftime("%Y-%m-%d %H:%M"),
        "Ticket status": "Closed",
        "Priority": one_of(rng, ["HIGH", "LOW"], len(who)),
    }
    jobs |= {"Close date": (when + pd.to_timedelta(rng.integers(4, 160, len(who)), unit="h")).strftime("%Y-%m-%d %H:%M")}
    jobs |= {
        "First agent response date": (when + pd.to_timedelta(rng.integers(5, 200, len(who)), unit="m")).strftime(
            "%Y-%m-%d %H:%M"
        ),
    }
    jobs |= {"Source": one_of(rng, ["EMAIL", "FORM"], len(who)), "Category": one_of(rng, ["BUG", "HOWTO"], len(who))}
    jobs |= {"Ticket owner": one_of(rng, ["Jo", "Kit"], len(who)), "Associated Company ID": record[who]}
    pd.DataFrame(jobs).to_csv(folder / "hubspot-crm-exports-all-tickets.csv", index=False)
    tables: dict[str, Any] = {
        "accounts": {
            **{"source": "hubspot-crm-exports-all-companies.csv", "account_id": "Record ID", "signed_up_at": "Create Date"},
            "owner": "Company owner",
        },
        "subscriptions": {
            **{"source": "paddle_subscriptions.csv", "account_id": "crm_record_id", "subscription_id": "subscription_id"},
            **{"plan": "plan_name", "started_at": "signup_date", "ended_at": "cancellation_effective_date"},
            **{"renews_at": "next_payment_date", "mrr": "monthly_amount_usd", "seats": "quantity"},
        },
        "usage": {
            **{"source": "posthog_events.parquet", "account_id": "$group_0", "usage_id": "uuid", "user_id": "distinct_id"},
            **{"at": "timestamp", "event": "event"},
        },
        "tickets": {
            **{
                "source": "hubspot-crm-exports-all-tickets.csv",
                "account_id": "Associated Company ID",
                "ticket_id": "Ticket ID",
            },
            **{"opened_at": "Create date", "first_response_at": "First agent response date", "resolved_at": "Close date"},
            **{"priority": "Priority", "channel": "Source", "category": "Category", "agent": "Ticket owner"},
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


def academy(folder: Path, rng: Generator) -> Truth:
    """Write a Spanish academy: enrolments with a planned and a real end, who came to lessons, receipts, a question."""
    lived = lives(rng, 600)
    pupil = rng.permutation(len(lived)) + 3_000
    how: dict[str, Any] = {"sep": ";", "index": False, "encoding": "utf-8-sig"}
    table: dict[str, Any] = {
        "Id alumno": pupil,
        "Nombre completo": names(rng, len(lived), "Eva"),
        "Fecha de nacimiento": "03/02/1999",
    }
    table |= {"Fecha de registro": lived.starts().strftime("%d/%m/%Y"), "Pa\u00eds": one_of(rng, ["ES", "MX"], len(lived))}
    pd.DataFrame(table).to_csv(folder / "alumnos.csv", **how)
    deals: dict[str, Any] = {"N\u00ba matr\u00edcula": [f"MT{i:05d}" for i in range(len(lived))], "Id alumno": pupil}
    deals |= {
        "Curso": one_of(rng, ["Ingl\u00e9s B2", "Alem\u00e1n A1"], len(lived)),
        "Fecha inicio": table["Fecha de registro"],
    }
    deals |= {
        "Fecha fin prevista": (lived.starts() + pd.Timedelta(days=4 * 365)).strftime("%d/%m/%Y"),
        "Fecha de baja": lived.ends("%d/%m/%Y"),
    }
    deals |= {"Motivo de baja": np.where(lived.left, one_of(rng, ["precio", "horario"], len(lived)), "")}
    deals |= {"Cuota mensual (\u20ac)": comma(rng.choice([65.0, 120.5], len(lived)))}
    pd.DataFrame(deals).to_csv(folder / "matriculas.csv", **how)
    who, when = lived.events(rng, 0.12)
    there: dict[str, Any] = {"Id alumno": pupil[who], "Fecha y hora": when.strftime("%d/%m/%Y %H:%M")}
    there |= {
        "Aula": one_of(rng, ["A1", "B3"], len(who)),
        "Asisti\u00f3": rng.choice(["S\u00ed", "No"], len(who), p=[0.9, 0.1]),
    }
    pd.DataFrame(there).to_csv(folder / "asistencia.csv", **how)
    who, when = lived.events(rng, 1 / 30, fade=1)
    paid: dict[str, Any] = {
        "N\u00ba recibo": np.arange(len(who)) + 41_000,
        "Id alumno": pupil[who],
        "Fecha de cargo": when.strftime("%d/%m/%Y"),
    }
    paid |= {
        "Importe (\u20ac)": comma(rng.choice([65.0, 120.5], len(who))),
        "Estado": rng.choice(["Pagado", "Devuelto"], len(who), p=[0.95, 0.05]),
    }
    pd.DataFrame(paid).to_csv(folder / "recibos.csv", **how)
    who, when = lived.events(rng, 0.006)
    back = rng.random(len(who)) < 0.5
    asked: dict[str, Any] = {"Id alumno": pupil[who], "Enviada": when.strftime("%d/%m/%Y %H:%M")}
    asked |= {"Respondida": np.where(back, (when + pd.Timedelta(days=2)).strftime("%d/%m/%Y %H:%M"), "")}
    asked |= {"\u00bfRecomendar\u00edas la academia a un amigo?": np.where(back, rng.integers(0, 11, len(who)).astype(str), "")}
    pd.DataFrame(asked).to_csv(folder / "encuestas.csv", **how)
    day, clock = "parse_time({}, '%d/%m/%Y')", "parse_time({}, '%d/%m/%Y %H:%M')"
    tables: dict[str, Any] = {
        "accounts": {"source": "alumnos.csv", "account_id": "Id alumno", "signed_up_at": day.format('"Fecha de registro"')},
        "subscriptions": {
            **{
                "source": "matriculas.csv",
                "decimal": ",",
                "account_id": "Id alumno",
                "subscription_id": "N\u00ba matr\u00edcula",
            },
            **{"product": "Curso", "started_at": day.format('"Fecha inicio"'), "ended_at": day.format('"Fecha de baja"')},
            **{
                "renews_at": day.format('"Fecha fin prevista"'),
                "end_reason": "Motivo de baja",
                "mrr": "Cuota mensual (\u20ac)",
            },
        },
        "usage": {
            **{"source": "asistencia.csv", "where": "\"Asisti\u00f3\" = 'S\u00ed'", "account_id": "Id alumno"},
            **{"at": clock.format('"Fecha y hora"'), "event": "Aula"},
        },
        "payments": {
            **{"source": "recibos.csv", "decimal": ",", "account_id": "Id alumno", "payment_id": "N\u00ba recibo"},
            **{"at": day.format('"Fecha de cargo"'), "amount": "Importe (\u20ac)"},
            "status": "case Estado when 'Pagado' then 'paid' when 'Devuelto' then 'failed' end",
        },
        "surveys": {
            **{"source": "encuestas.csv", "account_id": "Id alumno", "sent_at": clock.format("Enviada")},
            **{"answered_at": clock.format("Respondida"), "value": "\u00bfRecomendar\u00edas la academia a un amigo?"},
            **{"instrument": "nps", "scale": "0-10"},
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


SIXTH: tuple[Company, ...] = (provider, recurring, outfitter, analytics, academy)
