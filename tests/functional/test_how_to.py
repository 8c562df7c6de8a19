"""Each config on a how-to page reads a small simulated company, and `check` finds it usable."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

import staypower

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
CONFIGS = {
    page.stem: block
    for page in sorted(HOW_TO.glob("*.md"))
    for block in re.findall(r"```yaml\n(name: .*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
}


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """Write the company as tables, a flat table, order lines, a health score and a database."""
    folder = tmp_path_factory.mktemp("exports")
    company = staypower.simulate(300, seed=3)
    company.write(folder / "data")
    tables = {name: table.to_pandas() for name, table in company.tables.items()}
    accounts, usage, contracts = tables["accounts"], tables["usage"], tables["subscriptions"]
    flat = accounts.groupby("account_id").last().reset_index().rename(columns={"account_id": "customer"})
    left = contracts.groupby("account_id")["ended_at"].apply(lambda ends: ends.notna().all())
    flat["Churned"] = flat["customer"].map(left).fillna(False).map({True: "Yes", False: "No"})
    flat["reason_of_leaving"] = flat["Churned"].map({"Yes": "price", "No": ""})
    flat.drop(columns=["signed_up_at", "valid_from", "setup_completed_at"]).to_csv(
        folder / "data" / "customers.csv", index=False
    )
    lines = usage[["account_id", "at", "quantity"]].sample(8000, random_state=0).reset_index()
    lines = lines.rename(columns={"account_id": "customer", "at": "day", "index": "invoice"}).assign(price=9.5)
    lines.to_csv(folder / "data" / "lines.csv", index=False)
    days = usage.groupby(["account_id", usage["at"].dt.strftime("%Y-%m-01")]).size().rename("score").reset_index()
    days.rename(columns={"account_id": "account", "at": "day"}).to_csv(folder / "data" / "health.csv", index=False)
    last = accounts.groupby("account_id").last().reset_index()
    in_base = {
        "customers": last.rename(columns={"account_id": "id", "signed_up_at": "created"}),
        "events": usage.rename(columns={"account_id": "account"}).assign(internal=False),
        "contracts": contracts.rename(columns={"account_id": "customer", "started_at": "begins", "ended_at": "ends"}),
    }
    with duckdb.connect(str(folder / "crm.duckdb")) as base:
        for name, frame in in_base.items():
            base.register("rows", frame)
            base.execute(f"create table {name} as select * from rows")
    return folder


@pytest.mark.parametrize("page", CONFIGS)
def test_the_config_of_a_page_is_usable(page, exports):
    path = exports / f"{page}.yaml"
    path.write_text(CONFIGS[page], encoding="utf-8")
    report = staypower.check(staypower.load_config(path))
    assert report.exit_code == 0, report.text()


def test_every_page_with_a_mapping_has_its_config():
    assert len(CONFIGS) == 9
