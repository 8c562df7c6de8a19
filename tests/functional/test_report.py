"""`staypower report` on the demo company."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import run

import staypower


@pytest.fixture(scope="module")
def told(company, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    asked = ("--pages", "4", "--folder", str(path.parent / "pages"), "--json")
    code, out, err = run("report", "-c", str(company.config), "--quiet", "--output", str(path), *asked)
    assert code == 0, err
    return json.loads(out), path.read_text(encoding="utf-8")


def embedded(page: str) -> dict:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert found
    return json.loads(found.group(1))


# an account without a name is its id
TITLE = r'tabindex="-1">(?:[^<]* <span class="quiet">)?([^<]*)<'


def named_rows(page: str) -> list[dict]:
    """Return the rows of the list by the names of their columns."""
    data = embedded(page)
    return [
        {
            column["key"]: column["values"][cell] if cell is not None and "values" in column else cell
            for column, cell in zip(data["columns"], row, strict=True)
        }
        for row in data["rows"]
    ]


def test_it_lists_everybody_who_is_scored_as_score_does(company, told):
    said, page = told
    scores = staypower.score(company.settings).frame()
    scored = scores[scores["status"] == "scored"].set_index("account_id")["churn_probability"]
    listed = {row["account_id"]: row["churn_probability"] for row in named_rows(page)}
    assert said["listed"] == len(listed) == len(scored)
    pd.testing.assert_series_equal(
        pd.Series(listed).sort_index(), scored.round(4).sort_index(), check_names=False, check_index_type=False
    )
    assert said["pages"] == list(listed)[:4]
    # the others have theirs in the folder, in the same order
    files = sorted(Path(said["folder"]).glob("0*.html"))
    titles = [title for file in files for title in re.findall(TITLE, file.read_text(encoding="utf-8"))]
    assert titles == list(listed)[4:]
    assert said["pages_in_folder"] == len(titles)


def test_a_page_says_whose_account_it_is_and_where_the_effect_comes_from(told):
    _, page = told
    first = html.unescape(page.partition('id="account-1"')[2].partition("</article>")[0])
    assert "<dt>owner</dt>" in first
    assert re.search(
        r"<strong>Next:</strong> .* \(.+; cost \d+; effect \d+% less risk, assumed; expected value [\d,]+\)", first
    )


def test_those_to_act_on_come_first_by_expected_value_then_the_others_by_risk(company, told):
    _, page = told
    rows = named_rows(page)
    chosen = staypower.actions(company.settings).frame()
    expected = chosen.loc[~chosen["holdout"], "account_id"].tolist()
    assert expected
    assert [row["account_id"] for row in rows if row["to_do"] == "act"] == expected
    others = rows[len(expected) :]
    assert "act" not in {row["to_do"] for row in others}
    assert [row["churn_probability"] for row in others] == sorted((row["churn_probability"] for row in others), reverse=True)
    assert [row["expected_value"] for row in rows[:5]] == pytest.approx(
        chosen.loc[~chosen["holdout"], "expected_value"][:5], abs=1
    )


def test_the_head_says_what_is_at_stake_and_what_moved(company, told):
    _, page = told
    scores = staypower.score(company.settings).frame()
    scored = scores[scores["status"] == "scored"]
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    expected = (scored["churn_probability"] * scored["mrr"]).sum()
    found = re.search(r"MRR expected to churn within 90 days ([\d,]+) By chance alone between ([\d,]+) and ([\d,]+)", words)
    assert found
    said, low, high = (float(each.replace(",", "")) for each in found.groups())
    assert said == pytest.approx(expected, abs=1)
    assert low < said < high
    assert "At the previous cutoff" in words
    assert "Newly at high risk" in words
    held = int(staypower.actions(company.settings).frame()["holdout"].sum())
    assert (f"{held} account" in words) is (held > 0)


def test_a_page_of_an_account_says_what_the_tables_say_of_it(company, told):
    said, page = told
    account = said["pages"][0]
    assert re.findall(TITLE, page)[0] == account
    article = page.partition('id="account-1"')[2].partition("</article>")[0]
    facts = dict(re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", article))
    rows = pd.read_parquet(company.config.parent / "data" / "accounts.parquet").set_index("account_id").loc[[account]]
    assert facts["customer since"] == str(rows["signed_up_at"].min())[:10]
    assert facts["segment"].casefold() == str(rows["segment"].iloc[-1]).casefold()
    assert facts["next renewal"] >= said["cutoff"][:10] > facts["last use"]
    assert article.count('<svg class="size"') >= 3


def test_every_part_is_there(told):
    _, page = told
    for part in ("watch", "quadrants", "moved", "portfolio", "quality", "trust", "account-1", "account-4"):
        assert f'id="{part}"' in page
    assert "The model" in page
    assert "Not run for this report" in page


@pytest.mark.parametrize("rule", [[], ["--set", "capacity=12"], ["--set", "costs={clv: 1200, incentive: 60, contact: 10}"]])
def test_high_risk_means_one_thing_on_the_page(company, tmp_path, rule):
    path = tmp_path / "report.html"
    code, _, err = run("report", "-c", str(company.config), "--quiet", "--output", str(path), "--pages", "0", *rule)
    assert code == 0, err
    page = path.read_text(encoding="utf-8")
    rows = named_rows(page)
    high = [row for row in rows if row["churn_risk_band"] == "high"]
    head = re.search(r"high risk</dt>\s*<dd>([\d,]+) account", page)
    assert head
    assert int(head.group(1).replace(",", "")) == len(high) > 0
    lowest = min(row["churn_probability"] for row in high)
    assert all(row["churn_probability"] <= lowest for row in rows if row["churn_risk_band"] != "high")
    assert {row["quadrant"] for row in high} <= {"leaving", "loyal_but_leaving", "tier_unknown"}
    others = {row["quadrant"] for row in rows if row["churn_risk_band"] != "high"}
    assert others <= {"loyal", "content", "captive", "tier_unknown"}


def test_the_waterfall_of_a_page_adds_up(told):
    _, page = told
    waterfalls = re.findall(r'<svg class="chart waterfall"[^>]*aria-label="([^"]*)"', page)
    assert len(waterfalls) == 4
    for words in waterfalls:
        said = html.unescape(words)
        base, raw = map(float, re.findall(r"from (-?[\d.]+) to (-?[\d.]+) in log-odds", said)[0])
        parts = [float(value) for value in re.findall(r" ([+-][\d.]+)(?:;|$)", said)]
        assert base + sum(parts) == pytest.approx(raw, abs=0.06)


def test_the_file_must_be_html(company, tmp_path):
    code, _, err = run("report", "-c", str(company.config), "--quiet", "--output", str(tmp_path / "report.pdf"))
    assert code == 2
    assert "ends in `.html`" in err


def test_the_audit_comes_in_when_asked_for(company, tmp_path):
    path = tmp_path / "audited.html"
    code, _, err = run("report", "-c", str(company.config), "--quiet", "--output", str(path), "--pages", "0", "--audit")
    assert code == 0, err
    assert "time travel" in path.read_text(encoding="utf-8")


def test_one_snapshot_has_a_report_too(tmp_path):
    rng = np.random.default_rng(0)
    spent = rng.normal(size=400)
    left = np.where(rng.random(400) < 1 / (1 + np.exp(-2 * spent)), "Yes", "No")
    accounts = pd.DataFrame({"account_id": [f"A{n:03d}" for n in range(400)], "spent": spent, "left": left})
    accounts.to_csv(tmp_path / "accounts.csv", index=False)
    (tmp_path / "staypower.yaml").write_text(
        "name: flat\nobserved_until: 2025-06-30\ntables:\n"
        "  accounts: {source: accounts.csv, spent: spent, left: left, static: [spent, left]}\n"
        "label: {kind: given, flag: left}\n"
    )
    config = str(tmp_path / "staypower.yaml")
    code, _, err = run("train", "-c", config, "--quiet")
    assert code == 0, err
    code, out, err = run("report", "-c", config, "--quiet", "--model", "1", "--pages", "2", "--json")
    assert code == 0, err
    page = Path(json.loads(out)["path"]).read_text(encoding="utf-8")
    listed = {row[0] for row in embedded(page)["rows"]}
    assert listed == set(accounts["account_id"][left == "No"]), "who carries the flag has left: counted, never listed"
    assert f"{(left == 'Yes').sum()} of 400" in re.sub(r"<[^>]+>", " ", page)
    assert "The tables cover only one moment" in page
    assert "Not measured: there is no earlier cutoff" in page
    assert "no loyalty tier, so loyalty and risk cannot be combined" in page
    assert "not a temporal test" in page
    assert 'id="portfolio"' not in page
    card = next((tmp_path / "models").rglob("card.md")).read_text(encoding="utf-8")
    assert "The recency rule is left out: it needs one of the features days_since_last_use, days_since_last_order" in card
    said = {"page": page, "card": card}
    for command in ("score", "explain"):
        code, said[command], err = run(command, "-c", config, "--quiet", "--model", "1")
        assert code == 0, err
    for text in said.values():
        words = " ".join(re.sub(r"<[^>]+>", " ", text).split())
        assert "One snapshot: the flag says who left, not when" in words
        assert "to carry the flag" in words
        assert not re.search(r"within \d+ days|expected to (churn|leave)|[Ee]mbargo", words)
    code, out, err = run("score", "-c", config, "--quiet", "--model", "1", "--json")
    assert code == 0, err
    assert json.loads(out)["statuses"] == {"scored": int((left == "No").sum()), "left": int((left == "Yes").sum())}
    scores = pd.read_parquet(json.loads(out)["path"]).set_index("account_id")
    gone = scores[scores["status"] == "left"]
    assert gone[["churn_probability", "churn_risk_band", "quadrant", "reason_1"]].isna().all(axis=None)
    assert scores["horizon_days"].isna().all()
    code, out, err = run("actions", "-c", config, "--quiet", "--model", "1", "--json")
    assert code == 0, err
    acted = pd.read_parquet(json.loads(out)["path"])
    assert not set(acted.loc[acted["action"].notna(), "account_id"]) & set(gone.index)
