"""Features that a user declares over a table of their own, from files to the matrix, by the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from command_line import run

CONFIG = """\
name: cinema
observed_until: 2025-06-30
tables:
  accounts: {source: members.csv, account_id: member, signed_up_at: since}
  subscriptions: {source: passes.csv, account_id: member, started_at: start, ended_at: stop}
  visits:
    source: visits.csv
    account_id: member
    at: entered
    columns: {seats: number, hall: text, left_at: time}
    seats: n_seats
label: {kind: contractual, horizon: 30, grace: 0}
cutoffs: {min_history: 30, every: 30}
features:
  windows: [28, 90]
  own:
    - {name: visits, table: visits, aggregation: count, windows: [28, 90], unit: visits, description: visits, lever: engagement}
    - name: seats_in_the_great_hall
      table: visits
      aggregation: sum
      column: seats
      windows: [90]
      filter: {column: hall, is: [great, Grand]}
      unit: seats
      description: seats in the great hall
      lever: value
      direction: raises
    - {name: inside_now, table: visits, aggregation: count, until: left_at, unit: visits, description: visitors inside}
    - {name: days_since_visit, table: visits, aggregation: days_since_last, unit: days, description: days since the last visit}
    - {name: last_hall, table: visits, aggregation: last_code, column: hall, description: hall last visited}
"""
# 07 stays for weeks while the model learns, so that no feature is the same for all there;
# 03 comes in at the cutoff 2025-05-01 itself, and again one second before it, and stays for a week
VISITS = """\
member,entered,n_seats,hall,left_at
07,2024-10-01 10:00:00,1,great,2024-12-20 10:00:00
07,2024-06-01 10:00:00,1,small,2024-07-20 10:00:00
01,2025-04-10 20:00:00,2,great,2025-04-10 22:00:00
01,2025-03-10 20:00:00,3,GRAND,2025-03-10 22:00:00
01,2025-03-11 20:00:00,5,small,2025-03-11 22:00:00
03,2025-05-01 00:00:00,7,great,2025-05-01 02:00:00
03,2025-04-30 23:59:59,1,small,2025-05-07 02:00:00
"""


@pytest.fixture
def cinema(tmp_path: Path) -> Path:
    members = [f"{n:02d}" for n in range(1, 41)]
    (tmp_path / "members.csv").write_text("member,since\n" + "".join(f"{m},2024-01-01\n" for m in members))
    ends = "".join(f"{m},2024-01-01,{f'2025-0{2 + int(m) % 5}-15' if int(m) % 2 == 0 else ''}\n" for m in members)
    (tmp_path / "passes.csv").write_text("member,start,stop\n" + ends)
    (tmp_path / "visits.csv").write_text(VISITS)
    (tmp_path / "staypower.yaml").write_text(CONFIG)
    return tmp_path


def test_they_are_listed_with_all_that_was_declared(cinema):
    code, out, err = run("features", "--list", "-c", str(cinema / "staypower.yaml"), "--json", "--quiet")
    assert code == 0, err
    listed = {one["name"]: one for one in json.loads(out)["features"]}
    assert listed["seats_in_the_great_hall_90d"] == {
        "name": "seats_in_the_great_hall_90d",
        "table": "visits",
        "aggregation": "sum",
        "window": "in the last 90 days",
        "unit": "seats",
        "empty": "0",
        "lever": "value",
        "direction": "raises",
        "description": "seats in the great hall",
    }
    assert listed["inside_now"]["window"] == "now"
    assert listed["days_since_visit"]["empty"] == "missing"
    assert {"visits_28d", "visits_90d", "tenure_days"} <= set(listed)


def test_they_are_built(cinema):
    path = cinema / "matrix.parquet"
    config = str(cinema / "staypower.yaml")
    settings = ["--set", "cutoffs.test=2025-05-01"]
    code, _, err = run("features", "--build", "-c", config, "--output", str(path), "--quiet", *settings)
    assert code == 0, err
    matrix = pd.read_parquet(path)
    moment = pd.to_datetime(matrix["cutoff"], utc=True)
    at = matrix[moment == pd.Timestamp("2025-05-01", tz="UTC")].set_index("account_id")
    assert at.loc["01", ["visits_28d", "visits_90d"]].tolist() == [1, 3]
    assert at.loc["01", "seats_in_the_great_hall_90d"] == 5
    # the visit at the cutoff itself is not known; the one before it goes on
    assert at.loc["03", ["visits_28d", "inside_now", "seats_in_the_great_hall_90d"]].tolist() == [1, 1, 0]
    assert at.loc["03", "days_since_visit"] == pytest.approx(1 / 86400)
    assert at.loc["05", "visits_90d"] == 0
    assert pd.isna(at.loc["05", "days_since_visit"])
    assert pd.isna(at.loc["05", "last_hall"])


def test_what_is_wrong_with_them_is_said_at_once(cinema):
    config = cinema / "staypower.yaml"
    wrong = CONFIG.replace("aggregation: sum", "aggregation: summ").replace("until: left_at", "until: left")
    config.write_text(wrong.replace("lever: engagement", "lever: engagment"))
    code, out, err = run("features", "-c", str(config), "--quiet")
    assert code == 2
    assert out == ""
    assert "Traceback" not in err
    for fix in ("write `sum`", "write `left_at`", "write `engagement`"):
        assert fix in err
