"""An eighth group of made-up companies, written after the rules were improved on the seventh and before they were run on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fourth_strangers import comma
from numpy.random import Generator
from strangers import Company, Truth, lives, names, one_of

__all__ = ["EIGHTH"]


def hosting(folder: Path, rng: Generator) -> Truth:
    """Write a German host: customers, contracts with notice, traffic of a day, tickets, invoices with their state."""
    lived = lives(rng, 600)
    number = np.asarray([f"K{i:06d}" for i in rng.permutation(len(lived)) + 90])
    how: dict[str, Any] = {"sep": ";", "index": False, "encoding": "utf-8-sig"}
    table = {
        "Kundennummer": number,
        "Firma/Name": names(rng, len(lived), "Ing."),
        "Kunde seit": lived.starts().strftime("%d.%m.%Y"),
    }
    table |= {
        "Land": one_of(rng, ["DE", "AT"], len(lived)),
        "Ansprechpartner intern": one_of(rng, ["Voss", "Lang"], len(lived)),
    }
    pd.DataFrame(table).to_csv(folder / "kundenliste.csv", **how)
    deal = np.asarray([str(i) for i in rng.permutation(len(lived)) + 700_100])
    notice = type(lived)(lived.start, np.where(lived.left, lived.end - 28, 10_000))
    rows = {"Vertrag": deal, "Kundennummer": number, "Produktname": one_of(rng, ["vServer S", "vServer L"], len(lived))}
    rows |= {"Vertragsbeginn": table["Kunde seit"], "K\u00fcndigung eingegangen": notice.ends("%d.%m.%Y")}
    rows |= {
        "Vertragsende": lived.ends("%d.%m.%Y"),
        "K\u00fcndigungsgrund": np.where(lived.left, one_of(rng, ["Preis", "Umzug"], len(lived)), ""),
    }
    rows |= {
        "Monatspreis netto": comma(rng.choice([4.9, 19.9], len(lived))),
        "Mindestlaufzeit (Monate)": rng.choice([1, 12, 24], len(lived)),
    }
    pd.DataFrame(rows).to_csv(folder / "vertraege.csv", **how)
    who, when = lived.events(rng, 0.12)
    day = pd.DataFrame({"v": deal[who], "d": when.normalize()}).value_counts().rename("n").reset_index().sort_values(["d", "v"])
    used = {
        "Vertrag": day["v"],
        "Tag": day["d"].dt.strftime("%Y-%m-%d"),
        "Traffic GB": comma(day["n"] * rng.gamma(2, 3, len(day))),
    }
    pd.DataFrame(used).to_csv(folder / "traffic.csv", **how)
    who, when = lived.events(rng, 0.006, fade=3)
    jobs = {
        "Vorgangsnummer": np.arange(len(who)) + 55_000,
        "Kundennummer": number[who],
        "Erstellt am": when.strftime("%d.%m.%Y %H:%M"),
    }
    jobs |= {"Erste Reaktion": (when + pd.to_timedelta(rng.integers(5, 170, len(who)), unit="m")).strftime("%d.%m.%Y %H:%M")}
    jobs |= {"Geschlossen am": (when + pd.to_timedelta(rng.integers(4, 90, len(who)), unit="h")).strftime("%d.%m.%Y %H:%M")}
    jobs |= {
        "Dringlichkeit": one_of(rng, ["hoch", "normal"], len(who)),
        "Kontaktweg": one_of(rng, ["Mail", "Telefon"], len(who)),
    }
    jobs |= {"Themengebiet": one_of(rng, ["DNS", "Rechnung"], len(who))}
    pd.DataFrame(jobs).to_csv(folder / "supportvorgaenge.csv", **how)
    who, when = lived.events(rng, 1 / 30, fade=1)
    bills = {
        "Rechnungsnummer": [f"RE-{i:07d}" for i in range(len(who))],
        "Kundennummer": number[who],
        "Rechnungsdatum": when.strftime("%d.%m.%Y"),
    }
    bills |= {
        "Bruttobetrag": comma(rng.gamma(3, 9, len(who))),
        "Zahlungsstatus": rng.choice(["bezahlt", "R\u00fccklastschrift"], len(who), p=[0.95, 0.05]),
    }
    pd.DataFrame(bills).to_csv(folder / "rechnungsausgang.csv", **how)
    d, clock = "parse_time({}, '%d.%m.%Y')", "parse_time({}, '%d.%m.%Y %H:%M')"
    tables: dict[str, Any] = {
        "accounts": {
            **{"source": "kundenliste.csv", "account_id": "Kundennummer", "signed_up_at": d.format('"Kunde seit"')},
            "owner": "Ansprechpartner intern",
        },
        "subscriptions": {
            **{"source": "vertraege.csv", "decimal": ",", "account_id": "Kundennummer", "subscription_id": "Vertrag"},
            **{"product": "Produktname", "started_at": d.format("Vertragsbeginn"), "ended_at": d.format("Vertragsende")},
            **{"cancel_requested_at": d.format('"K\u00fcndigung eingegangen"'), "end_reason": "K\u00fcndigungsgrund"},
            **{"mrr": "Monatspreis netto", "term_months": "Mindestlaufzeit (Monate)"},
        },
        "usage": {
            **{"source": "traffic.csv", "decimal": ",", "key_via": "subscriptions", "subscription_id": "Vertrag", "at": "Tag"},
            "quantity": "Traffic GB",
        },
        "tickets": {
            **{"source": "supportvorgaenge.csv", "account_id": "Kundennummer", "ticket_id": "Vorgangsnummer"},
            **{"opened_at": clock.format('"Erstellt am"'), "first_response_at": clock.format('"Erste Reaktion"')},
            **{"resolved_at": clock.format('"Geschlossen am"'), "priority": "Dringlichkeit", "channel": "Kontaktweg"},
            "category": "Themengebiet",
        },
        "payments": {
            **{"source": "rechnungsausgang.csv", "decimal": ",", "account_id": "Kundennummer", "payment_id": "Rechnungsnummer"},
            **{"at": d.format("Rechnungsdatum"), "amount": "Bruttobetrag"},
            "status": "case Zahlungsstatus when 'bezahlt' then 'paid' when 'R\u00fccklastschrift' then 'failed' end",
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


def courier(folder: Path, rng: Generator) -> Truth:
    """Write a delivery app of Latin America: restaurants order through it, orders with their state, claims, marks in stars."""
    lived = lives(rng, 600, share=0.6)
    code = np.asarray([f"COM-{i:05d}" for i in rng.permutation(len(lived)) + 300])
    table = {
        "codigo_comercio": code,
        "nombre_fantasia": names(rng, len(lived), "Taco"),
        "fecha_alta": lived.starts().strftime("%Y-%m-%d"),
    }
    table |= {"ciudad": one_of(rng, ["Lima", "Quito"], len(lived)), "ejecutivo_cuenta": one_of(rng, ["Paz", "Leo"], len(lived))}
    pd.DataFrame(table).to_csv(folder / "comercios.csv", index=False)
    who, when = lived.events(rng, 0.06)
    rows: dict[str, Any] = {"id_pedido": np.arange(len(who)) + 33_000_000, "codigo_comercio": code[who]}
    rows |= {"fecha_hora_pedido": when.strftime("%Y-%m-%d %H:%M:%S"), "cantidad_articulos": rng.integers(1, 9, len(who))}
    rows |= {"monto_total": rng.gamma(3, 9, len(who)).round(2), "moneda": "USD"}
    rows |= {"estado_pedido": rng.choice(["ENTREGADO", "CANCELADO"], len(who), p=[0.95, 0.05])}
    pd.DataFrame(rows).to_csv(folder / "pedidos.csv", index=False)
    stars = rng.random(len(who)) < 0.2
    mark = {
        "id_calificacion": np.arange(stars.sum()),
        "codigo_comercio": code[who[stars]],
        "estrellas": rng.integers(1, 6, stars.sum()),
    }
    mark |= {"fecha_calificacion": (when[stars] + pd.Timedelta(hours=2)).strftime("%Y-%m-%d %H:%M:%S")}
    pd.DataFrame(mark).to_csv(folder / "calificaciones.csv", index=False)
    who, when = lived.events(rng, 0.008, fade=3)
    claim = {
        "id_reclamo": np.arange(len(who)) + 9_000,
        "codigo_comercio": code[who],
        "fecha_apertura": when.strftime("%Y-%m-%d %H:%M:%S"),
    }
    claim |= {"fecha_cierre": (when + pd.to_timedelta(rng.integers(2, 70, len(who)), unit="h")).strftime("%Y-%m-%d %H:%M:%S")}
    claim |= {"motivo": one_of(rng, ["demora", "cobro"], len(who)), "canal": one_of(rng, ["chat", "llamada"], len(who))}
    claim |= {"agente": one_of(rng, ["a12", "a15"], len(who))}
    pd.DataFrame(claim).to_csv(folder / "reclamos.csv", index=False)
    tables = {
        "accounts": {
            **{
                "source": "comercios.csv",
                "account_id": "codigo_comercio",
                "signed_up_at": "fecha_alta",
                "owner": "ejecutivo_cuenta",
            },
        },
        "orders": {
            **{"source": "pedidos.csv", "account_id": "codigo_comercio", "order_id": "id_pedido", "at": "fecha_hora_pedido"},
            **{"quantity": "cantidad_articulos", "amount": "monto_total", "cancelled": "estado_pedido = 'CANCELADO'"},
        },
        "surveys": {
            **{"source": "calificaciones.csv", "account_id": "codigo_comercio", "survey_id": "id_calificacion"},
            **{"value": "estrellas", "answered_at": "fecha_calificacion", "instrument": "csat", "scale": "1-5"},
        },
        "tickets": {
            **{
                "source": "reclamos.csv",
                "account_id": "codigo_comercio",
                "ticket_id": "id_reclamo",
                "opened_at": "fecha_apertura",
            },
            **{"resolved_at": "fecha_cierre", "category": "motivo", "channel": "canal", "agent": "agente"},
        },
    }
    return {"tables": tables, "label": {"kind": "non_contractual", "table": "orders"}}


def association(folder: Path, rng: Generator) -> Truth:
    """Write an American association's member system: memberships paid through a day, events that members attend, emails."""
    lived = lives(rng, 600)
    number = np.asarray([f"{i}" for i in rng.permutation(len(lived)) + 118_000])
    table: dict[str, Any] = {
        "Member Number": number,
        "First Name": "Ann",
        "Last Name": names(rng, len(lived), "Q"),
        "Member Type": one_of(rng, ["Student", "Full"], len(lived)),
    }
    table |= {"Original Join Date": lived.starts().strftime("%b %d, %Y"), "Chapter": one_of(rng, ["Texas", "Ohio"], len(lived))}
    pd.DataFrame(table).to_csv(folder / "Member Directory.csv", index=False)
    deals: dict[str, Any] = {
        "Membership #": np.arange(len(lived)) + 220_000,
        "Member Number": number,
        "Level": one_of(rng, ["Basic", "Plus"], len(lived)),
    }
    deals |= {
        "Effective Date": table["Original Join Date"],
        "Paid Through": (pd.Timestamp("2025-07-15") + pd.to_timedelta(rng.integers(0, 300, len(lived)), unit="D")).strftime(
            "%b %d, %Y"
        ),
    }
    deals |= {
        "Resigned Date": lived.ends("%b %d, %Y"),
        "Resignation Reason": np.where(lived.left, one_of(rng, ["Retired", "Dues"], len(lived)), ""),
    }
    deals |= {
        "Annual Dues": [f"${v:,.0f}.00" for v in rng.choice([120, 1250], len(lived))],
        "Auto-Renew?": one_of(rng, ["Yes", "No"], len(lived)),
    }
    pd.DataFrame(deals).to_csv(folder / "Memberships.csv", index=False)
    who, when = lived.events(rng, 0.1)
    acts: dict[str, Any] = {"Member Number": number[who], "Activity Date": when.strftime("%b %d, %Y %I:%M %p")}
    acts |= {"Activity": one_of(rng, ["Webinar", "Login", "Download"], len(who)), "Points": rng.integers(1, 9, len(who))}
    pd.DataFrame(acts).to_csv(folder / "Engagement Log.csv", index=False)
    who, when = lived.events(rng, 1 / 90, fade=1)
    paid: dict[str, Any] = {
        "Receipt #": np.arange(len(who)) + 400,
        "Member Number": number[who],
        "Payment Date": when.strftime("%b %d, %Y"),
    }
    paid |= {
        "Payment Amount": [f"${v:,.2f}" for v in rng.gamma(3, 40, len(who))],
        "Payment Status": rng.choice(["Completed", "Failed"], len(who), p=[0.96, 0.04]),
    }
    pd.DataFrame(paid).to_csv(folder / "Receipts.csv", index=False)
    day, clock = "parse_time({}, '%b %d, %Y')", "parse_time({}, '%b %d, %Y %I:%M %p')"
    money = "replace(replace({}, '$', ''), ',', '')::double"
    tables: dict[str, Any] = {
        "accounts": {
            "source": "Member Directory.csv",
            "account_id": "Member Number",
            "signed_up_at": day.format('"Original Join Date"'),
        },
        "subscriptions": {
            **{"source": "Memberships.csv", "account_id": "Member Number", "subscription_id": "Membership #", "plan": "Level"},
            **{"started_at": day.format('"Effective Date"'), "renews_at": day.format('"Paid Through"')},
            **{"ended_at": day.format('"Resigned Date"'), "end_reason": "Resignation Reason", "auto_renew": "Auto-Renew?"},
            "mrr": money.format('"Annual Dues"') + " / 12",
        },
        "usage": {
            **{"source": "Engagement Log.csv", "account_id": "Member Number", "at": clock.format('"Activity Date"')},
            **{"event": "Activity", "quantity": "Points"},
        },
        "payments": {
            **{
                "source": "Receipts.csv",
                "account_id": "Member Number",
                "payment_id": "Receipt #",
                "at": day.format('"Payment Date"'),
            },
            **{"amount": money.format('"Payment Amount"')},
            "status": "case \"Payment Status\" when 'Completed' then 'paid' when 'Failed' then 'failed' end",
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


EIGHTH: tuple[Company, ...] = (hosting, courier, association)
