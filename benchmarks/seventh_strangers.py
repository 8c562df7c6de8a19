"""A seventh group of made-up companies, written after the rules had been improved on the sixth and before they were run on it.

Headings of the studio software and of the app's subscriptions are those of real systems; the club and the supplier are as such
exports are written in German and French.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fourth_strangers import comma
from numpy.random import Generator
from strangers import Company, Truth, lives, names, one_of

__all__ = ["SEVENTH"]


def wellness(folder: Path, rng: Generator) -> Truth:
    """Write a studio software's reports: day and hour of a visit in two columns, contracts that are terminated, autopays."""
    lived = lives(rng, 600)
    number = np.asarray([f"1000{i:05d}" for i in rng.permutation(len(lived))])
    table: dict[str, Any] = {"Client ID": number, "Client": names(rng, len(lived), "Lee"), "Birthday": "5/1/1991"}
    table |= {
        "Creation Date": lived.starts().strftime("%m/%d/%Y"),
        "Home Location": one_of(rng, ["Main St", "Harbor"], len(lived)),
    }
    pd.DataFrame(table).to_csv(folder / "Clients.csv", index=False)
    deals: dict[str, Any] = {"Client ID": number, "Contract ID": np.arange(len(lived)) + 5_500}
    deals |= {"Contract Name": one_of(rng, ["Gold Monthly", "Flex"], len(lived)), "Start Date": table["Creation Date"]}
    deals |= {
        "End Date": (lived.starts() + pd.Timedelta(days=5 * 365)).strftime("%m/%d/%Y"),
        "Terminated On": lived.ends("%m/%d/%Y"),
    }
    deals |= {"Termination Reason": np.where(lived.left, one_of(rng, ["Moved", "Too expensive"], len(lived)), "")}
    deals |= {"Autopay Amount": [f"${v:,.2f}" for v in rng.choice([79.0, 129.0], len(lived))]}
    pd.DataFrame(deals).to_csv(folder / "Contracts.csv", index=False)
    who, when = lived.events(rng, 0.12)
    seen: dict[str, Any] = {"Date": when.strftime("%m/%d/%Y"), "Time": when.strftime("%I:%M %p"), "Client ID": number[who]}
    seen |= {"Class": one_of(rng, ["Barre", "Spin", "Flow"], len(who)), "Instructor": one_of(rng, ["Ty", "Bea"], len(who))}
    pd.DataFrame(seen).to_csv(folder / "Attendance.csv", index=False)
    who, when = lived.events(rng, 1 / 30, fade=1)
    paid: dict[str, Any] = {
        "Sale ID": np.arange(len(who)) + 71_000,
        "Client ID": number[who],
        "Autopay Date": when.strftime("%m/%d/%Y"),
    }
    paid |= {"Amount": [f"${v:,.2f}" for v in rng.choice([79.0, 129.0], len(who))]}
    paid |= {"Result": rng.choice(["Approved", "Declined"], len(who), p=[0.95, 0.05])}
    pd.DataFrame(paid).to_csv(folder / "Autopays.csv", index=False)
    day = "parse_time({}, '%m/%d/%Y')"
    money = "replace(replace({}, '$', ''), ',', '')::double"
    tables: dict[str, Any] = {
        "accounts": {"source": "Clients.csv", "account_id": "Client ID", "signed_up_at": day.format('"Creation Date"')},
        "subscriptions": {
            **{"source": "Contracts.csv", "account_id": "Client ID", "subscription_id": "Contract ID", "plan": "Contract Name"},
            **{"started_at": day.format('"Start Date"'), "renews_at": day.format('"End Date"')},
            **{"ended_at": day.format('"Terminated On"'), "end_reason": "Termination Reason"},
            "mrr": money.format('"Autopay Amount"'),
        },
        "usage": {
            **{"source": "Attendance.csv", "account_id": "Client ID", "event": "Class"},
            "at": "parse_time(concat(Date, ' ', Time), '%m/%d/%Y %I:%M %p')",
        },
        "payments": {
            **{
                "source": "Autopays.csv",
                "account_id": "Client ID",
                "payment_id": "Sale ID",
                "at": day.format('"Autopay Date"'),
            },
            **{
                "amount": money.format("Amount"),
                "status": "case Result when 'Approved' then 'paid' when 'Declined' then 'failed' end",
            },
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


def supplier(folder: Path, rng: Generator) -> Truth:
    """Write a French supplier of energy to firms: readings by contract, invoices that are settled or not, requests."""
    lived = lives(rng, 600)
    siret = np.asarray([f"{i:014d}" for i in rng.permutation(len(lived)) * 9_001 + 30_200_000_000_000])
    how: dict[str, Any] = {"sep": ";", "index": False, "encoding": "cp1252"}
    table = {
        "SIRET": siret,
        "Raison sociale": names(rng, len(lived), "SARL"),
        "Client depuis le": lived.starts().strftime("%d/%m/%Y"),
    }
    table |= {
        "Gestionnaire": one_of(rng, ["Roux", "Noir"], len(lived)),
        "Code NAF": one_of(rng, ["56.10A", "47.11B"], len(lived)),
    }
    pd.DataFrame(table).to_csv(folder / "entreprises.csv", **how)
    deal = np.asarray([f"EN-{i:06d}" for i in rng.permutation(len(lived)) + 40])
    deals = {"R\u00e9f\u00e9rence": deal, "SIRET": siret, "Offre": one_of(rng, ["Verte", "Fixe"], len(lived))}
    deals |= {
        "Date d'effet": table["Client depuis le"],
        "\u00c9ch\u00e9ance": (lived.starts() + pd.Timedelta(days=4 * 365)).strftime("%d/%m/%Y"),
    }
    deals |= {"Date de r\u00e9siliation": lived.ends("%d/%m/%Y")}
    deals |= {"Motif": np.where(lived.left, one_of(rng, ["concurrence", "liquidation"], len(lived)), "")}
    deals |= {"Abonnement mensuel HT": comma(rng.choice([18.5, 42.9], len(lived)))}
    pd.DataFrame(deals).to_csv(folder / "contrats.csv", **how)
    who, when = lived.events(rng, 0.06)
    read = {"R\u00e9f\u00e9rence contrat": deal[who], "Date du relev\u00e9": when.strftime("%d/%m/%Y")}
    pd.DataFrame({**read, "Consommation (kWh)": rng.integers(40, 4000, len(who))}).to_csv(folder / "releves.csv", **how)
    who, when = lived.events(rng, 1 / 30, fade=1)
    bills = {
        "N\u00b0 facture": [f"FA{i:07d}" for i in range(len(who))],
        "SIRET": siret[who],
        "\u00c9mise le": when.strftime("%d/%m/%Y"),
    }
    bills |= {"Montant TTC": comma(rng.gamma(4, 60, len(who)), thousands=" ")}
    bills |= {"R\u00e9gl\u00e9e": rng.choice(["Oui", "Non"], len(who), p=[0.94, 0.06])}
    pd.DataFrame(bills).to_csv(folder / "factures.csv", **how)
    who, when = lived.events(rng, 0.005, fade=3)
    asked = {
        "N\u00b0 demande": np.arange(len(who)) + 12_000,
        "SIRET": siret[who],
        "Re\u00e7ue le": when.strftime("%d/%m/%Y %H:%M"),
    }
    asked |= {"Trait\u00e9e le": (when + pd.to_timedelta(rng.integers(5, 200, len(who)), unit="h")).strftime("%d/%m/%Y %H:%M")}
    asked |= {
        "Objet": one_of(rng, ["facturation", "raccordement"], len(who)),
        "Canal": one_of(rng, ["t\u00e9l\u00e9phone", "courriel"], len(who)),
    }
    pd.DataFrame(asked).to_csv(folder / "demandes.csv", **how)
    day, clock = "parse_time({}, '%d/%m/%Y')", "parse_time({}, '%d/%m/%Y %H:%M')"
    base = {"encoding": "cp1252", "decimal": ","}
    tables: dict[str, Any] = {
        "accounts": {
            **{"source": "entreprises.csv", "encoding": "cp1252", "account_id": "SIRET", "owner": "Gestionnaire"},
            "signed_up_at": day.format('"Client depuis le"'),
        },
        "subscriptions": {
            **{
                "source": "contrats.csv",
                **base,
                "account_id": "SIRET",
                "subscription_id": "R\u00e9f\u00e9rence",
                "plan": "Offre",
            },
            **{"started_at": day.format('"Date d\'effet"'), "renews_at": day.format('"\u00c9ch\u00e9ance"')},
            **{"ended_at": day.format('"Date de r\u00e9siliation"'), "end_reason": "Motif", "mrr": "Abonnement mensuel HT"},
        },
        "usage": {
            **{
                "source": "releves.csv",
                "encoding": "cp1252",
                "key_via": "subscriptions",
                "subscription_id": "R\u00e9f\u00e9rence contrat",
            },
            **{"at": day.format('"Date du relev\u00e9"'), "quantity": "Consommation (kWh)"},
        },
        "payments": {
            **{"source": "factures.csv", **base, "account_id": "SIRET", "payment_id": "N\u00b0 facture"},
            **{"at": day.format('"\u00c9mise le"'), "amount": "replace(\"Montant TTC\", ' ', '')"},
            "status": "case \"R\u00e9gl\u00e9e\" when 'Oui' then 'paid' when 'Non' then 'failed' end",
        },
        "tickets": {
            **{"source": "demandes.csv", "encoding": "cp1252", "account_id": "SIRET", "ticket_id": "N\u00b0 demande"},
            **{"opened_at": clock.format('"Re\u00e7ue le"'), "resolved_at": clock.format('"Trait\u00e9e le"')},
            **{"category": "Objet", "channel": "Canal"},
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


def club(folder: Path, rng: Generator) -> Truth:
    """Write a German sports club: one list of members with their day of leaving, trainings, dues that come back."""
    lived = lives(rng, 600)
    number = np.asarray([f"{i:05d}" for i in rng.permutation(len(lived)) + 210])
    how: dict[str, Any] = {"sep": ";", "index": False, "encoding": "cp1252"}
    born = pd.Timestamp("1950-01-01") + pd.to_timedelta(rng.integers(0, 20_000, len(lived)), unit="D")
    table = {"Mitgliedsnr.": number, "Nachname": names(rng, len(lived), "M"), "Geb.-Datum": born.strftime("%d.%m.%Y")}
    table |= {"Eintritt": lived.starts().strftime("%d.%m.%Y"), "Austritt": lived.ends("%d.%m.%Y")}
    table |= {
        "Abteilung": one_of(rng, ["Turnen", "Schwimmen"], len(lived)),
        "Beitragsart": one_of(rng, ["Kind", "Erwachsen"], len(lived)),
    }
    pd.DataFrame(table).to_csv(folder / "Mitgliederliste.csv", **how)
    who, when = lived.events(rng, 0.12)
    there = {
        "Mitgliedsnr.": number[who],
        "Trainingstag": when.strftime("%d.%m.%Y"),
        "Gruppe": one_of(rng, ["A", "B", "C"], len(who)),
    }
    pd.DataFrame(there).to_csv(folder / "Trainingsteilnahmen.csv", **how)
    who, when = lived.events(rng, 1 / 90, fade=1)
    paid = {"Buchungsnr.": np.arange(len(who)) + 3_000, "Mitgliedsnr.": number[who], "Einzugsdatum": when.strftime("%d.%m.%Y")}
    paid |= {"Betrag": comma(rng.choice([36.0, 54.5], len(who)))}
    paid |= {"Ergebnis": rng.choice(["eingezogen", "R\u00fccklastschrift"], len(who), p=[0.95, 0.05])}
    pd.DataFrame(paid).to_csv(folder / "Beitragseinzug.csv", **how)
    day = "parse_time({}, '%d.%m.%Y')"
    base = {"encoding": "cp1252"}
    tables: dict[str, Any] = {
        "accounts": {
            **{"source": "Mitgliederliste.csv", **base, "account_id": "Mitgliedsnr.", "signed_up_at": day.format("Eintritt")},
        },
        "churn": {
            **{"source": "Mitgliederliste.csv", **base, "where": "Austritt is not null", "time": "churned_at"},
            **{"account_id": "Mitgliedsnr.", "churned_at": day.format("Austritt")},
        },
        "usage": {
            **{"source": "Trainingsteilnahmen.csv", **base, "account_id": "Mitgliedsnr.", "at": day.format("Trainingstag")},
            "event": "Gruppe",
        },
        "payments": {
            **{
                "source": "Beitragseinzug.csv",
                **base,
                "decimal": ",",
                "account_id": "Mitgliedsnr.",
                "payment_id": "Buchungsnr.",
            },
            **{"at": day.format("Einzugsdatum"), "amount": "Betrag"},
            "status": "case Ergebnis when 'eingezogen' then 'paid' when 'R\u00fccklastschrift' then 'failed' end",
        },
    }
    return {"tables": tables, "label": {"kind": "given", "dates": "churn"}}


def app(folder: Path, rng: Generator) -> Truth:
    """Write a mobile app: one row per paid period with its real end, microseconds, events as JSON lines."""
    lived = lives(rng, 500)
    user = np.asarray([f"$RCAnonymousID:{i * 104_729:016x}" for i in range(1, len(lived) + 1)])
    table: dict[str, Any] = {"app_user_id": user, "first_seen_at": lived.starts(), "last_seen_at": pd.Timestamp("2025-06-30")}
    table |= {"country": one_of(rng, ["US", "JP"], len(lived)), "install_source": one_of(rng, ["organic", "ads"], len(lived))}
    table["last_seen_at"] = lived.starts() + pd.to_timedelta(np.minimum(lived.end, 900) - lived.start, unit="D")
    pd.DataFrame(table).to_parquet(folder / "customers.parquet")
    months = np.maximum((np.minimum(lived.end, 910) - lived.start) // 30, 1)
    who = np.repeat(np.arange(len(lived)), months)
    nth = np.arange(len(who)) - np.repeat(np.cumsum(months) - months, months)
    start = lived.starts()[who] + pd.to_timedelta(30 * nth, unit="D")
    last = nth == months[who] - 1
    notice = last & lived.left[who]
    deals: dict[str, Any] = {"store_transaction_id": np.arange(len(who)) + 2_000_000_000, "rc_original_app_user_id": user[who]}
    deals |= {
        "product_identifier": np.where(who % 2 == 0, "pro_month", "max_month"),
        "start_time": start,
        "end_time": start + pd.Timedelta(days=30),
    }
    deals |= {
        "price_in_usd": np.where(who % 2 == 0, 9.99, 19.99),
        "country": "US",
        "store": one_of(rng, ["app_store", "play_store"], len(who)),
    }
    deals["unsubscribe_detected_at"] = pd.Series(start + pd.Timedelta(days=20)).where(notice)
    pd.DataFrame(deals).sort_values("start_time").to_parquet(folder / "subscription_transactions.parquet")
    who, when = lived.events(rng, 0.15)
    micros = ((when - pd.Timestamp(0)) // pd.Timedelta(microseconds=1)).tolist()
    kinds = one_of(rng, ["screen_view", "export_done"], len(who)).tolist()
    rows = zip(user[who].tolist(), micros, kinds, strict=True)
    lines = (json.dumps({"event_name": kind, "event_timestamp": moment, "user_id": one}) for one, moment, kind in rows)
    (folder / "events.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    tables: dict[str, Any] = {
        "accounts": {"source": "customers.parquet", "account_id": "app_user_id", "signed_up_at": "first_seen_at"},
        "subscriptions": {
            **{"source": "subscription_transactions.parquet", "account_id": "rc_original_app_user_id"},
            **{"subscription_id": "store_transaction_id", "product": "product_identifier", "mrr": "price_in_usd"},
            **{"started_at": "start_time", "ended_at": "end_time", "cancel_requested_at": "unsubscribe_detected_at"},
        },
        "usage": {
            **{"source": "events.jsonl", "account_id": "user_id", "event": "event_name"},
            "at": "epoch_ms(event_timestamp / 1000)",
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


SEVENTH: tuple[Company, ...] = (wellness, supplier, club, app)
