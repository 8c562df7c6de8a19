"""A fourth group of made-up companies: exports of trades and systems that the three groups of strangers.py do not have.

Each was written with its owner's config before the rules of `init` were run on it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import Generator
from strangers import Company, Truth, lives, names, one_of

__all__ = ["FOURTH"]

DAY, CLOCK = "parse_time({}, '%d/%m/%Y')", "parse_time({}, '%d/%m/%Y %H:%M:%S')"


def comma(values: Any, sign: str = "", thousands: str = ".") -> list[str]:
    """Write money with a decimal comma."""
    return [f"{value:,.2f}".replace(",", "_").replace(".", ",").replace("_", thousands) + sign for value in values]


def fitness(folder: Path, rng: Generator) -> Truth:
    """Write a French chain of gyms: badges between passages and members, euros behind the amount, rejected debits."""
    lived = lives(rng, 600)
    number = np.asarray([f"{i:06d}" for i in rng.permutation(len(lived)) + 2300])
    how: dict[str, Any] = {"sep": ";", "index": False, "encoding": "utf-8-sig"}
    table = {"N\u00b0 adh\u00e9rent": number, "Civilit\u00e9": one_of(rng, ["M.", "Mme"], len(lived))}
    table |= {"Nom": names(rng, len(lived), "N"), "N\u00e9(e) le": ["04/05/1988"] * len(lived)}
    table |= {"Inscrit(e) le": lived.starts().strftime("%d/%m/%Y"), "Club": one_of(rng, ["Lyon", "Lille"], len(lived))}
    pd.DataFrame(table).to_csv(folder / "adherents.csv", **how)
    deals: dict[str, Any] = {"R\u00e9f. contrat": [f"AB-{i:05d}" for i in range(len(lived))], "N\u00b0 adh\u00e9rent": number}
    deals |= {"Formule": one_of(rng, ["Zen", "Libert\u00e9"], len(lived)), "D\u00e9but": lived.starts().strftime("%d/%m/%Y")}
    deals |= {"Engagement (mois)": rng.choice([0, 12, 24], len(lived)), "R\u00e9sili\u00e9 le": lived.ends("%d/%m/%Y")}
    deals["Motif de r\u00e9siliation"] = np.where(lived.left, one_of(rng, ["d\u00e9m\u00e9nagement", "prix"], len(lived)), "")
    deals["Mensualit\u00e9 TTC"] = comma(rng.choice([29.9, 39.9], len(lived)), " \u20ac")
    pd.DataFrame(deals).to_csv(folder / "contrats.csv", **how)
    badge = np.asarray([f"04{i:08X}" for i in rng.permutation(len(lived)) * 977 + 5])
    pd.DataFrame({"UID badge": badge, "N\u00b0 adh\u00e9rent": number, "Remis le": table["Inscrit(e) le"]}).to_csv(
        folder / "badges.csv", **how
    )
    who, when = lived.events(rng, 0.12)
    passages = {"Horodatage": when.strftime("%d/%m/%Y %H:%M:%S"), "UID badge": badge[who]}
    pd.DataFrame({**passages, "Lecteur": one_of(rng, ["entr\u00e9e", "sauna"], len(who))}).to_csv(
        folder / "passages.csv", **how
    )
    who, when = lived.events(rng, 1 / 30, fade=1)
    debits = {"Date de pr\u00e9l\u00e8vement": when.strftime("%d/%m/%Y"), "N\u00b0 adh\u00e9rent": number[who]}
    debits |= {"Montant": comma(rng.choice([29.9, 39.9], len(who)), " \u20ac")}
    debits |= {"Retour banque": rng.choice(["accept\u00e9", "rejet\u00e9"], len(who), p=[0.93, 0.07])}
    pd.DataFrame(debits).to_csv(folder / "prelevements.csv", **how)
    money = "replace(replace({}, ' \u20ac', ''), ',', '.')::double"
    key = "N\u00b0 adh\u00e9rent"
    tables: dict[str, Any] = {
        "accounts": {"source": "adherents.csv", "account_id": key, "signed_up_at": DAY.format('"Inscrit(e) le"')},
        "subscriptions": {
            **{"source": "contrats.csv", "account_id": key, "subscription_id": "R\u00e9f. contrat", "plan": "Formule"},
            **{"started_at": DAY.format('"D\u00e9but"'), "ended_at": DAY.format('"R\u00e9sili\u00e9 le"')},
            **{"term_months": "Engagement (mois)", "end_reason": "Motif de r\u00e9siliation"},
            "mrr": money.format('"Mensualit\u00e9 TTC"'),
        },
        "badges": {"source": "badges.csv", "account_id": key, "badge": "UID badge", "columns": {"badge": "id"}},
        "usage": {
            **{"source": "passages.csv", "key_via": "badges", "badge": "UID badge", "at": CLOCK.format("Horodatage")},
            "event": "Lecteur",
        },
        "payments": {
            **{"source": "prelevements.csv", "account_id": key, "at": DAY.format('"Date de pr\u00e9l\u00e8vement"')},
            "amount": money.format("Montant"),
            "status": "case \"Retour banque\" when 'accept\u00e9' then 'paid' when 'rejet\u00e9' then 'failed' end",
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


def webshop(folder: Path, rng: Generator) -> Truth:
    """Write a shop system's orders: lines under their order, whose total stands on its first line only; reviews of products."""
    lived = lives(rng, 600, share=0.6)
    mail = np.asarray([f"{word}{i}@mail.example" for i, word in enumerate(one_of(rng, ["kim", "lou", "max"], len(lived)))])
    who, when = lived.events(rng, 0.03)
    count = rng.integers(1, 4, len(who))
    line = np.repeat(np.arange(len(who)), count)
    first = np.r_[True, line[1:] != line[:-1]]
    price, quantity = rng.choice([12.5, 19.0, 49.0], len(line)), rng.integers(1, 4, len(line))
    total = np.bincount(line, price * quantity)
    cancelled = rng.random(len(who)) < 0.03
    stamp = when.strftime("%Y-%m-%d %H:%M:%S -0500").to_numpy()
    gone = np.where(cancelled, (when + pd.Timedelta(days=2)).strftime("%Y-%m-%d %H:%M:%S -0500"), "")
    state = np.where(cancelled, "refunded", "paid")
    rows: dict[str, Any] = {"Name": [f"#{i + 1001}" for i in line], "Email": mail[who[line]]}
    rows |= {"Financial Status": np.where(first, state[line], ""), "Paid at": np.where(first, stamp[line], "")}
    rows |= {"Fulfillment Status": np.where(first, "fulfilled", ""), "Currency": np.where(first, "USD", "")}
    rows |= {"Subtotal": np.where(first, total[line].round(2).astype(str), ""), "Shipping": np.where(first, "4.90", "")}
    rows |= {"Total": np.where(first, (total[line] + 4.9).round(2).astype(str), ""), "Discount Code": ""}
    rows |= {"Created at": stamp[line], "Lineitem quantity": quantity}
    rows |= {"Lineitem name": one_of(rng, ["Mug - blue", "Tea 100g", "Pot"], len(line)), "Lineitem price": price}
    rows |= {"Lineitem sku": "", "Billing Country": np.where(first, "US", ""), "Notes": ""}
    rows |= {"Cancelled at": np.where(first, gone[line], ""), "Id": np.where(first, (line + 5 * 10**12).astype(str), "")}
    pd.DataFrame(rows).to_csv(folder / "orders_export_1.csv", index=False)
    rated = rng.random(len(who)) < 0.2
    reviews: dict[str, Any] = {"title": "", "body": "", "rating": rng.integers(1, 6, rated.sum())}
    reviews |= {"review_date": (when[rated] + pd.Timedelta(days=9)).strftime("%Y-%m-%d %H:%M:%S UTC"), "source": "email"}
    reviews |= {"reviewer_name": "x", "reviewer_email": mail[who[rated]], "product_id": rng.integers(1, 4, rated.sum())}
    pd.DataFrame(reviews).to_csv(folder / "product_reviews.csv", index=False)
    tables = {
        "orders": {
            **{"source": "orders_export_1.csv", "account_id": "Email", "order_id": "Name", "at": "Created at"},
            **{"amount": "Total", "quantity": "Lineitem quantity", "product": "Lineitem name"},
            "returned_at": "Cancelled at",
        },
        "surveys": {
            **{"source": "product_reviews.csv", "account_id": "reviewer_email", "value": "rating"},
            **{"answered_at": "replace(review_date, ' UTC', '')", "instrument": "csat", "scale": "1-5"},
        },
    }
    return {"tables": tables, "label": {"kind": "non_contractual", "table": "orders"}}


def warehouse(folder: Path, rng: Generator) -> Truth:
    """Write a warehouse of software for firms: keys and codes, loaded_at everywhere, rows that were deleted at the source."""
    lived = lives(rng, 500)
    key = rng.permutation(len(lived)) + 70_001
    loaded = pd.Timestamp("2025-07-01 03:11:00")
    owner = one_of(rng, ["Ines", "Tom"], len(lived))
    dim: dict[str, Any] = {"workspace_key": key, "workspace_name": names(rng, len(lived), "W"), "csm_name": owner}
    dim |= {"created_ts": lived.starts() + pd.Timedelta(hours=7), "industry_cd": one_of(rng, ["FIN", "EDU"], len(lived))}
    dim |= {"is_deleted": False, "_loaded_at": loaded}
    pd.DataFrame(dim).to_parquet(folder / "dim_workspace.parquet")
    ends = [pd.Timestamp(day) if day else pd.NaT for day in lived.ends("%Y-%m-%d")]
    deal: dict[str, Any] = {"contract_key": np.arange(len(lived)) + 1, "workspace_key": key, "effective_from": lived.starts()}
    deal |= {"effective_to": ends, "arr_usd": rng.gamma(3, 5000, len(lived)).round(0)}
    deal |= {"seats_purchased": rng.integers(5, 200, len(lived)), "auto_renew_flg": rng.choice(["Y", "N"], len(lived))}
    deal |= {"churn_reason_cd": np.where(lived.left, one_of(rng, ["PRICE", "MERGER"], len(lived)), None)}
    pd.DataFrame({**deal, "_loaded_at": loaded}).to_parquet(folder / "fct_contract.parquet")
    who, when = lived.events(rng, 0.15)
    day = pd.DataFrame({"workspace_key": key[who], "usage_dt": when.normalize()})
    day["feature_cd"] = one_of(rng, ["DASH", "API", "EXPORT"], len(who))
    day = day.value_counts().rename("event_cnt").reset_index()
    day["_loaded_at"] = loaded
    day.to_parquet(folder / "fct_feature_usage_daily.parquet")
    who, when = lived.events(rng, 0.01, fade=3)
    case: dict[str, Any] = {"case_key": np.arange(len(who)) + 9000, "workspace_key": key[who], "created_ts": when}
    case |= {"first_replied_ts": when + pd.to_timedelta(rng.integers(5, 600, len(who)), unit="m")}
    case |= {"solved_ts": when + pd.to_timedelta(rng.integers(11, 200, len(who)), unit="h")}
    case |= {"priority_cd": one_of(rng, ["P1", "P2", "P3"], len(who)), "channel_cd": one_of(rng, ["MAIL", "CHAT"], len(who))}
    asked = rng.random(len(who)) < 0.4
    case |= {"csat_score": np.where(asked, rng.integers(1, 6, len(who)), np.nan)}
    case |= {
        "csat_responded_ts": [
            moment + pd.Timedelta(days=1) if yes else pd.NaT for moment, yes in zip(case["solved_ts"], asked, strict=True)
        ]
    }
    case |= {"_fivetran_deleted": rng.random(len(who)) < 0.03, "_loaded_at": loaded}
    pd.DataFrame(case).to_parquet(folder / "fct_support_case.parquet")
    base = {"source": "fct_support_case.parquet", "account_id": "workspace_key"}
    tables = {
        "accounts": {
            **{"source": "dim_workspace.parquet", "account_id": "workspace_key", "signed_up_at": "created_ts"},
            "owner": "csm_name",
        },
        "subscriptions": {
            **{"source": "fct_contract.parquet", "account_id": "workspace_key", "subscription_id": "contract_key"},
            **{"started_at": "effective_from", "ended_at": "effective_to", "mrr": "arr_usd / 12"},
            **{"seats": "seats_purchased", "auto_renew": "auto_renew_flg", "end_reason": "churn_reason_cd"},
        },
        "usage": {
            **{"source": "fct_feature_usage_daily.parquet", "account_id": "workspace_key", "at": "usage_dt"},
            **{"event": "feature_cd", "quantity": "event_cnt"},
        },
        "tickets": {
            **{**base, "where": "not _fivetran_deleted", "ticket_id": "case_key", "opened_at": "created_ts"},
            **{"first_response_at": "first_replied_ts", "resolved_at": "solved_ts", "priority": "priority_cd"},
            "channel": "channel_cd",
        },
        "surveys": {
            **{**base, "where": "csat_score is not null and not _fivetran_deleted", "ticket_id": "case_key"},
            **{"answered_at": "csat_responded_ts", "value": "csat_score", "instrument": "csat", "scale": "1-5"},
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


def mobile(folder: Path, rng: Generator) -> Truth:
    """Write a Spanish mobile operator: lines of subscribers, billing cycles with begin and end, debits that come back."""
    lived = lives(rng, 600)
    code = np.asarray([f"AB{i:06d}" for i in rng.permutation(len(lived)) + 410])
    how: dict[str, Any] = {"sep": ";", "index": False, "encoding": "cp1252"}
    table = {"C\u00f3d. abonado": code, "Apellidos y nombre": names(rng, len(lived), "Ruiz")}
    table |= {"F. alta": lived.starts().strftime("%d/%m/%Y"), "Poblaci\u00f3n": one_of(rng, ["Vigo", "Lugo"], len(lived))}
    pd.DataFrame({**table, "Comercial": one_of(rng, ["Sanz", "Gil"], len(lived))}).to_csv(folder / "abonados.csv", **how)
    line = np.asarray([f"346{i:08d}" for i in rng.permutation(len(lived)) * 31 + 11_000_000])
    deals = {"MSISDN": line, "C\u00f3d. abonado": code, "Tarifa": one_of(rng, ["Mini", "Plus"], len(lived))}
    deals |= {"F. activaci\u00f3n": table["F. alta"], "F. baja": lived.ends("%d/%m/%Y")}
    deals |= {"Causa baja": np.where(lived.left, one_of(rng, ["portabilidad", "impago"], len(lived)), "")}
    deals |= {"Permanencia (meses)": rng.choice([0, 12, 18], len(lived)), "Cuota": comma(rng.choice([9.95, 24.95], len(lived)))}
    pd.DataFrame(deals).to_csv(folder / "lineas.csv", **how)
    who, when = lived.events(rng, 0.06)
    month = pd.DataFrame({"i": who, "m": when.to_period("M")}).value_counts().rename("n").reset_index().sort_values(["m", "i"])
    cycle = {"MSISDN": line[month["i"]], "Inicio ciclo": month["m"].dt.start_time.dt.strftime("%d/%m/%Y")}
    cycle |= {"Fin ciclo": month["m"].dt.end_time.dt.strftime("%d/%m/%Y")}
    cycle |= {"Datos (GB)": comma(month["n"] * rng.gamma(2, 3, len(month)))}
    pd.DataFrame(cycle).to_csv(folder / "consumos.csv", **how)
    who, when = lived.events(rng, 1 / 30, fade=1)
    bills = {"N\u00ba factura": [f"F{i:07d}" for i in range(len(who))], "C\u00f3d. abonado": code[who]}
    bills |= {"Fecha emisi\u00f3n": when.strftime("%d/%m/%Y"), "Importe": comma(rng.gamma(3, 9, len(who)))}
    bills |= {"Estado": rng.choice(["Cobrada", "Devuelta"], len(who), p=[0.94, 0.06])}
    pd.DataFrame(bills).to_csv(folder / "facturas.csv", **how)
    who, when = lived.events(rng, 0.004, fade=3)
    faults = {
        "N\u00ba parte": np.arange(len(who)) + 1,
        "C\u00f3d. abonado": code[who],
        "Apertura": when.strftime("%d/%m/%Y %H:%M:%S"),
    }
    faults |= {"Cierre": (when + pd.Timedelta(hours=30)).strftime("%d/%m/%Y %H:%M:%S")}
    faults |= {"Prioridad": one_of(rng, ["alta", "baja"], len(who)), "Aver\u00eda": one_of(rng, ["sin red", "datos"], len(who))}
    pd.DataFrame(faults).to_csv(folder / "averias.csv", **how)
    key = "C\u00f3d. abonado"
    base = {"encoding": "cp1252", "decimal": ","}
    tables: dict[str, Any] = {
        "accounts": {
            **{"source": "abonados.csv", "encoding": "cp1252", "account_id": key, "owner": "Comercial"},
            "signed_up_at": DAY.format('"F. alta"'),
        },
        "subscriptions": {
            **{"source": "lineas.csv", **base, "account_id": key, "subscription_id": "MSISDN", "plan": "Tarifa"},
            **{"started_at": DAY.format('"F. activaci\u00f3n"'), "ended_at": DAY.format('"F. baja"')},
            **{"end_reason": "Causa baja", "term_months": "Permanencia (meses)", "mrr": "Cuota"},
        },
        "usage": {
            **{"source": "consumos.csv", **base, "key_via": "subscriptions", "subscription_id": "MSISDN"},
            **{"at": DAY.format('"Fin ciclo"'), "quantity": "Datos (GB)"},
        },
        "payments": {
            **{"source": "facturas.csv", **base, "account_id": key, "payment_id": "N\u00ba factura"},
            **{"at": DAY.format('"Fecha emisi\u00f3n"'), "amount": "Importe"},
            "status": "case Estado when 'Cobrada' then 'paid' when 'Devuelta' then 'failed' end",
        },
        "tickets": {
            **{"source": "averias.csv", "encoding": "cp1252", "account_id": key, "ticket_id": "N\u00ba parte"},
            **{"opened_at": CLOCK.format("Apertura"), "resolved_at": CLOCK.format("Cierre"), "priority": "Prioridad"},
            "category": "Aver\u00eda",
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


def billing(folder: Path, rng: Generator) -> Truth:
    """Write a billing system's objects, flattened: names with dots, seconds since 1970, cents without a word about it."""
    lived = lives(rng, 600)
    customer = np.asarray([f"16BjqS{i:05x}" for i in rng.permutation(len(lived)) * 77 + 5000])
    seconds = (lived.starts() - pd.Timestamp(0)) // pd.Timedelta(seconds=1)
    table: dict[str, Any] = {"customer.id": customer, "customer.company": names(rng, len(lived), "Co")}
    table |= {"customer.auto_collection": one_of(rng, ["on", "off"], len(lived)), "customer.net_term_days": 0}
    table |= {"customer.created_at": seconds, "customer.object": "customer"}
    pd.DataFrame(table).to_csv(folder / "customers.csv", index=False)
    ends = [int(pd.Timestamp(day).timestamp()) if day else "" for day in lived.ends("%Y-%m-%d")]
    renewed = rng.integers(1, 12, len(lived)) * 30 * 86_400 + int(pd.Timestamp("2025-07-01").timestamp())
    fee, seats = rng.choice([4900, 9900], len(lived)), rng.integers(1, 30, len(lived))
    deal: dict[str, Any] = {"subscription.id": [f"AzqN{i}" for i in range(len(lived))], "subscription.customer_id": customer}
    deal |= {"subscription.plan_id": one_of(rng, ["grow-monthly", "scale-monthly"], len(lived))}
    deal |= {"subscription.plan_quantity": seats, "subscription.plan_unit_price": fee}
    deal |= {"subscription.billing_period_unit": one_of(rng, ["month", "year"], len(lived))}
    deal |= {"subscription.status": np.where(lived.left, "cancelled", "active"), "subscription.started_at": seconds}
    deal |= {"subscription.current_term_end": renewed, "subscription.cancelled_at": ends}
    deal |= {"subscription.cancel_reason": np.where(lived.left, one_of(rng, ["not_paid", "no_card"], len(lived)), "")}
    deal |= {"subscription.mrr": fee * seats, "subscription.currency_code": "EUR", "subscription.object": "subscription"}
    pd.DataFrame(deal).to_csv(folder / "subscriptions.csv", index=False)
    who, when = lived.events(rng, 1 / 30, fade=1)
    moment = (when - pd.Timestamp(0)) // pd.Timedelta(seconds=1)
    bill: dict[str, Any] = {"invoice.id": np.arange(len(who)) + 1, "invoice.customer_id": customer[who]}
    bill |= {"invoice.subscription_id": np.asarray(deal["subscription.id"])[who], "invoice.date": moment}
    bill |= {"invoice.due_date": moment, "invoice.status": rng.choice(["paid", "not_paid"], len(who), p=[0.95, 0.05])}
    bill |= {"invoice.total": (fee * seats)[who], "invoice.currency_code": "EUR"}
    pd.DataFrame(bill).to_csv(folder / "invoices.csv", index=False)
    who, when = lived.events(rng, 0.2)
    lines = zip(
        customer[who].tolist(),
        when.strftime("%Y-%m-%dT%H:%M:%S.123Z"),
        one_of(rng, ["viewed", "shared"], len(who)).tolist(),
        strict=True,
    )
    (folder / "track.jsonl").write_text(
        "\n".join(
            json.dumps({"messageId": f"m-{i}", "event": e, "originalTimestamp": t, "groupId": g})
            for i, (g, t, e) in enumerate(lines)
        )
        + "\n",
        encoding="utf-8",
    )
    tables = {
        "accounts": {
            **{
                "source": "customers.csv",
                "account_id": "customer.id",
                "signed_up_at": 'to_timestamp("customer.created_at"::bigint)',
            },
        },
        "subscriptions": {
            **{"source": "subscriptions.csv", "account_id": "subscription.customer_id", "subscription_id": "subscription.id"},
            **{"plan": "subscription.plan_id", "seats": "subscription.plan_quantity"},
            **{"billing_period": "subscription.billing_period_unit", "mrr": '"subscription.mrr" / 100'},
            "started_at": 'to_timestamp("subscription.started_at"::bigint)',
            "ended_at": 'to_timestamp("subscription.cancelled_at"::bigint)',
            "renews_at": 'to_timestamp("subscription.current_term_end"::bigint)',
            "end_reason": "subscription.cancel_reason",
        },
        "payments": {
            **{"source": "invoices.csv", "account_id": "invoice.customer_id", "payment_id": "invoice.id"},
            **{"at": 'to_timestamp("invoice.date"::bigint)', "amount": '"invoice.total" / 100'},
            "status": "case \"invoice.status\" when 'paid' then 'paid' when 'not_paid' then 'failed' end",
        },
        "usage": {
            **{"source": "track.jsonl", "account_id": "groupId", "usage_id": "messageId", "at": "originalTimestamp"},
            "event": "event",
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


def desk(folder: Path, rng: Generator) -> Truth:
    """Write a help desk's tickets, a form's answers under whole questions, events of an analytics tool; firms by name."""
    lived = lives(rng, 500, share=0.6)
    firm = np.asarray([f"{word} {i}" for i, word in enumerate(one_of(rng, ["Nordwind", "Blue Fox", "Oak & Sons"], len(lived)))])
    table = {"Company name": firm, "Domains": "", "Customer since": lived.starts().strftime("%d %b %Y")}
    table |= {
        "Account manager": one_of(rng, ["Mo", "Liz"], len(lived)),
        "Account tier": one_of(rng, ["Gold", "Basic"], len(lived)),
    }
    pd.DataFrame(table).to_csv(folder / "companies.csv", index=False)
    who, when = lived.events(rng, 0.012, fade=3)
    clock = "%d %b %Y %I:%M %p"
    jobs: dict[str, Any] = {
        "Ticket ID": np.arange(len(who)) + 20_000,
        "Subject": names(rng, len(who), "Help"),
        "Status": "Closed",
    }
    jobs |= {
        "Priority": one_of(rng, ["Low", "Medium", "Urgent"], len(who)),
        "Source": one_of(rng, ["Email", "Portal"], len(who)),
    }
    jobs |= {"Type": one_of(rng, ["Question", "Problem"], len(who)), "Agent": one_of(rng, ["Ann", "Raj"], len(who))}
    jobs |= {
        "Group": "Tier 1",
        "Created time": when.strftime(clock),
        "Due by Time": (when + pd.Timedelta(days=3)).strftime(clock),
    }
    jobs |= {"Resolved time": (when + pd.to_timedelta(rng.integers(2, 190, len(who)), unit="h")).strftime(clock)}
    jobs |= {"Last update time": (when + pd.Timedelta(days=9)).strftime(clock)}
    jobs |= {"Initial response time": (when + pd.to_timedelta(rng.integers(5, 110, len(who)), unit="m")).strftime(clock)}
    jobs |= {
        "Agent interactions": rng.integers(1, 5, len(who)),
        "Tags": "",
        "Company name": firm[who],
        "Contact ID": who * 3 + 1,
    }
    pd.DataFrame(jobs).to_csv(folder / "tickets-export.csv", index=False)
    who, when = lived.events(rng, 0.006)
    question = "How likely is it that you would recommend Acme Desk to a friend or colleague?"
    form: dict[str, Any] = {
        "#": [f"{i:016x}" for i in rng.integers(1 << 40, 1 << 60, len(who))],
        question: rng.integers(0, 11, len(who)),
    }
    form |= {
        "What is the main reason for your score?": "",
        "company": firm[who],
        "Start Date (UTC)": when.strftime("%Y-%m-%d %H:%M:%S"),
    }
    form |= {"Submit Date (UTC)": (when + pd.Timedelta(minutes=2)).strftime("%Y-%m-%d %H:%M:%S"), "Network ID": "ab12"}
    pd.DataFrame(form).to_csv(folder / "responses.csv", index=False)
    who, when = lived.events(rng, 0.2)
    acts: dict[str, Any] = {
        "$insert_id": np.arange(len(who)) + 10**8,
        "event_type": one_of(rng, ["Opened Board", "Sent Quote"], len(who)),
    }
    acts |= {
        "event_time": when.strftime("%Y-%m-%d %H:%M:%S.%f"),
        "user_id": [f"u{i}" for i in who * 4 + rng.integers(0, 4, len(who))],
    }
    acts |= {"group_properties.company": firm[who], "platform": "Web", "session_id": rng.integers(1, 10**9, len(who))}
    pd.DataFrame(acts).to_csv(folder / "events_2025.csv", index=False)
    day, moment = "parse_time({}, '%d %b %Y')", "parse_time({}, '%d %b %Y %I:%M %p')"
    tables = {
        "accounts": {
            **{"source": "companies.csv", "account_id": "Company name", "owner": "Account manager"},
            "signed_up_at": day.format('"Customer since"'),
        },
        "tickets": {
            **{"source": "tickets-export.csv", "account_id": "Company name", "ticket_id": "Ticket ID", "priority": "Priority"},
            **{"channel": "Source", "category": "Type", "agent": "Agent", "user_id": "Contact ID"},
            "opened_at": moment.format('"Created time"'),
            "first_response_at": moment.format('"Initial response time"'),
            "resolved_at": moment.format('"Resolved time"'),
        },
        "surveys": {
            **{"source": "responses.csv", "account_id": "company", "survey_id": "#", "value": question, "instrument": "nps"},
            **{"sent_at": "Start Date (UTC)", "answered_at": "Submit Date (UTC)", "scale": "0-10"},
        },
        "usage": {
            **{"source": "events_2025.csv", "account_id": "group_properties.company", "usage_id": "$insert_id"},
            **{"at": "event_time", "event": "event_type", "user_id": "user_id"},
        },
    }
    return {"tables": tables, "label": {"kind": "non_contractual", "table": "usage"}}


def insurer(folder: Path, rng: Generator) -> Truth:
    """Write a Dutch insurer: policies with a day of renewal, premiums a year and how often they are paid, claims by policy."""
    lived = lives(rng, 600)
    relation = np.asarray([str(i) for i in rng.permutation(len(lived)) + 880_000])
    how: dict[str, Any] = {"sep": ";", "index": False}
    table = {"Relatienr": relation, "Voorletters": "J.", "Achternaam": names(rng, len(lived), "Vries")}
    table |= {"Relatie sinds": lived.starts().strftime("%d-%m-%Y"), "Woonplaats": one_of(rng, ["Ede", "Goes"], len(lived))}
    pd.DataFrame({**table, "Adviseur": one_of(rng, ["Bos", "Dijk"], len(lived))}).to_csv(folder / "relaties.csv", **how)
    policy = np.asarray([f"P{i:08d}" for i in rng.permutation(len(lived)) + 600])
    deals = {"Polisnr": policy, "Relatienr": relation, "Branche": one_of(rng, ["Auto", "Woonhuis"], len(lived))}
    deals |= {
        "Ingangsdatum": table["Relatie sinds"],
        "Verlengingsdatum": (lived.starts() + pd.Timedelta(days=3 * 365)).strftime("%d-%m-%Y"),
    }
    deals |= {"Royementsdatum": lived.ends("%d-%m-%Y"), "Jaarpremie": comma(rng.gamma(3, 300, len(lived)))}
    deals |= {"Royementsreden": np.where(lived.left, one_of(rng, ["overstap", "wanbetaling"], len(lived)), "")}
    deals |= {"Betaaltermijn": one_of(rng, ["maand", "jaar"], len(lived))}
    pd.DataFrame(deals).to_csv(folder / "polissen.csv", **how)
    who, when = lived.events(rng, 0.006, fade=3)
    claims = {"Schadenr": np.arange(len(who)) + 5, "Polisnr": policy[who], "Gemeld op": when.strftime("%d-%m-%Y")}
    claims |= {"Afgewikkeld op": (when + pd.to_timedelta(rng.integers(2, 60, len(who)), unit="D")).strftime("%d-%m-%Y")}
    claims |= {"Oorzaak": one_of(rng, ["storm", "diefstal"], len(who)), "Behandelaar": one_of(rng, ["Kok", "Smit"], len(who))}
    pd.DataFrame(claims).to_csv(folder / "schades.csv", **how)
    who, when = lived.events(rng, 0.08)
    visits = {
        "Relatienr": relation[who],
        "Bezocht op": when.strftime("%d-%m-%Y %H:%M"),
        "Pagina": one_of(rng, ["polis", "contact"], len(who)),
    }
    pd.DataFrame(visits).to_csv(folder / "mijn_omgeving.csv", **how)
    who, when = lived.events(rng, 1 / 30, fade=1)
    paid = {"Relatienr": relation[who], "Incassodatum": when.strftime("%d-%m-%Y"), "Bedrag": comma(rng.gamma(3, 20, len(who)))}
    paid |= {"Resultaat": rng.choice(["ge\u00efncasseerd", "gestorneerd"], len(who), p=[0.95, 0.05])}
    pd.DataFrame(paid).to_csv(folder / "incasso.csv", **how)
    day = "parse_time({}, '%d-%m-%Y')"
    tables: dict[str, Any] = {
        "accounts": {
            **{"source": "relaties.csv", "account_id": "Relatienr", "owner": "Adviseur"},
            "signed_up_at": day.format('"Relatie sinds"'),
        },
        "subscriptions": {
            **{"source": "polissen.csv", "decimal": ",", "account_id": "Relatienr", "subscription_id": "Polisnr"},
            **{"started_at": day.format("Ingangsdatum"), "ended_at": day.format("Royementsdatum"), "product": "Branche"},
            **{"renews_at": day.format("Verlengingsdatum"), "end_reason": "Royementsreden", "mrr": "Jaarpremie / 12"},
            "billing_period": "case Betaaltermijn when 'maand' then 'monthly' when 'jaar' then 'annual' end",
        },
        "tickets": {
            **{"source": "schades.csv", "key_via": "subscriptions", "subscription_id": "Polisnr", "ticket_id": "Schadenr"},
            **{"opened_at": day.format('"Gemeld op"'), "resolved_at": day.format('"Afgewikkeld op"')},
            **{"category": "Oorzaak", "agent": "Behandelaar"},
        },
        "usage": {
            **{"source": "mijn_omgeving.csv", "account_id": "Relatienr", "event": "Pagina"},
            "at": "parse_time(\"Bezocht op\", '%d-%m-%Y %H:%M')",
        },
        "payments": {
            **{"source": "incasso.csv", "decimal": ",", "account_id": "Relatienr", "at": day.format("Incassodatum")},
            "amount": "Bedrag",
            "status": "case Resultaat when 'ge\u00efncasseerd' then 'paid' when 'gestorneerd' then 'failed' end",
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


def utility(folder: Path, rng: Generator) -> Truth:
    """Write an American utility: service agreements without a table of customers, meter reads of a month, returned cheques."""
    lived = lives(rng, 600)
    number = np.asarray([f"{i:010d}" for i in rng.permutation(len(lived)) + 31_000])
    day = "%m/%d/%Y"
    deals = {
        "SA_ID": [f"{i:012d}" for i in range(len(lived))],
        "ACCT_NBR": number,
        "SVC_START_DT": lived.starts().strftime(day),
    }
    deals |= {"SVC_STOP_DT": lived.ends(day), "STOP_RSN": np.where(lived.left, one_of(rng, ["MOVE", "NONPAY"], len(lived)), "")}
    deals |= {
        "RATE_CLASS": one_of(rng, ["R-1", "R-TOU"], len(lived)),
        "PREMISE_ZIP": rng.choice(["02139", "01002"], len(lived)),
    }
    pd.DataFrame(deals).to_csv(folder / "service_agreements.csv", index=False)
    who, when = lived.events(rng, 0.05)
    month = pd.DataFrame({"i": who, "m": when.to_period("M")}).value_counts().rename("n").reset_index().sort_values(["m", "i"])
    read = {"METER_NBR": [f"E{i * 7 + 100_000}" for i in month["i"]], "ACCT_NBR": number[month["i"]]}
    read |= {"PRIOR_READ_DT": month["m"].dt.start_time.dt.strftime(day), "READ_DT": month["m"].dt.end_time.dt.strftime(day)}
    read |= {
        "READ_TYPE": one_of(rng, ["ACT", "EST"], len(month)),
        "KWH": (month["n"] * rng.integers(80, 300, len(month))).astype(int),
    }
    pd.DataFrame(read).to_csv(folder / "meter_reads.csv", index=False)
    who, when = lived.events(rng, 1 / 30, fade=1)
    paid = {"PMT_ID": np.arange(len(who)) + 700_000, "ACCT_NBR": number[who], "PMT_DT": when.strftime(day)}
    paid |= {"PMT_AMT": rng.gamma(4, 30, len(who)).round(2), "PMT_CHNL": one_of(rng, ["ACH", "CHECK"], len(who))}
    paid |= {"NSF_FLG": rng.choice(["N", "Y"], len(who), p=[0.96, 0.04])}
    pd.DataFrame(paid).to_csv(folder / "payments.csv", index=False)
    who, when = lived.events(rng, 0.006, fade=3)
    call = {
        "INTERACTION_ID": np.arange(len(who)) + 1,
        "ACCT_NBR": number[who],
        "OPENED_DTTM": when.strftime("%m/%d/%Y %H:%M:%S"),
    }
    call |= {
        "CLOSED_DTTM": (when + pd.Timedelta(hours=28)).strftime("%m/%d/%Y %H:%M:%S"),
        "TOPIC": one_of(rng, ["BILL", "OUTAGE"], len(who)),
    }
    pd.DataFrame({**call, "CSR_ID": one_of(rng, ["C11", "C12"], len(who))}).to_csv(folder / "interactions.csv", index=False)
    day, clock = "parse_time({}, '%m/%d/%Y')", "parse_time({}, '%m/%d/%Y %H:%M:%S')"
    tables = {
        "subscriptions": {
            **{"source": "service_agreements.csv", "account_id": "ACCT_NBR", "subscription_id": "SA_ID", "plan": "RATE_CLASS"},
            **{"started_at": day.format("SVC_START_DT"), "ended_at": day.format("SVC_STOP_DT"), "end_reason": "STOP_RSN"},
        },
        "usage": {
            **{"source": "meter_reads.csv", "account_id": "ACCT_NBR", "at": day.format("READ_DT"), "event": "READ_TYPE"},
            "quantity": "KWH",
        },
        "payments": {
            **{"source": "payments.csv", "account_id": "ACCT_NBR", "payment_id": "PMT_ID", "at": day.format("PMT_DT")},
            **{"amount": "PMT_AMT", "status": "case NSF_FLG when 'Y' then 'failed' when 'N' then 'paid' end"},
        },
        "tickets": {
            **{"source": "interactions.csv", "account_id": "ACCT_NBR", "ticket_id": "INTERACTION_ID", "category": "TOPIC"},
            **{"opened_at": clock.format("OPENED_DTTM"), "resolved_at": clock.format("CLOSED_DTTM"), "agent": "CSR_ID"},
        },
    }
    return {"tables": tables, "label": {"kind": "contractual"}}


FOURTH: tuple[Company, ...] = (fitness, webshop, warehouse, mobile, billing, desk, insurer, utility)
