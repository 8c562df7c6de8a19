"""Whatever is wrong with the input ends with exit code 2, one message a problem, no traceback, and nothing half-written."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import run

CONFIG = """\
name: acme
observed_until: 2024-12-31
tables:
  accounts: {source: accounts.csv, static: [segment]}
  usage: {source: usage.csv}
  surveys: {source: surveys.csv, instrument: nps, scale: 0-10}
  subscriptions: {source: subscriptions.csv, fixed: [mrr]}
label: {kind: contractual, horizon: 60, grace: 10}
cutoffs: {min_history: 30}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty accounts of which every second one leaves, on files."""
    (tmp_path / "staypower.yaml").write_text(CONFIG)
    accounts = [f"{n:03d}" for n in range(40)]
    (tmp_path / "accounts.csv").write_text(
        "account_id,signed_up_at,segment\n" + "".join(f"{a},2023-12-01,{'big' if int(a) % 3 else 'small'}\n" for a in accounts)
    )
    (tmp_path / "usage.csv").write_text(
        "account_id,at,event\n"
        + "".join(f"{a},2024-{month:02d}-0{1 + int(a) % 9} 10:00,open\n" for a in accounts for month in range(1, 13))
    )
    (tmp_path / "surveys.csv").write_text(
        "account_id,answered_at,value\n" + "".join(f"{a},2024-02-0{1 + int(a) % 9},{int(a) % 11}\n" for a in accounts)
    )
    (tmp_path / "subscriptions.csv").write_text(
        "account_id,started_at,ended_at,mrr\n"
        + "".join(f"{a},2023-12-01,{f'2024-{3 + int(a) % 9:02d}-15' if int(a) % 2 else ''},10\n" for a in accounts)
    )
    return tmp_path


def refused(folder: Path, *more: str, command: str = "train") -> str:
    before = sorted(path.name for path in folder.rglob("*"))
    code, out, err = run(command, "-c", str(folder / "staypower.yaml"), "--quiet", *more)
    assert code == 2, (code, out, err)
    assert "Traceback" not in err
    assert "Fix:" in err
    assert out == ""
    assert sorted(path.name for path in folder.rglob("*")) == before
    return err


def change(folder: Path, old: str, new: str, file: str = "staypower.yaml") -> None:
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))


def test_the_sound_folder_is_accepted(folder):
    code, out, err = run("check", "-c", str(folder / "staypower.yaml"))
    assert code == 0, err + out
    assert "0 errors" in out


def test_missing_config(folder):
    (folder / "staypower.yaml").unlink()
    assert "staypower.yaml" in refused(folder)


def test_missing_file(folder):
    change(folder, "usage.csv", "usages.csv")
    err = refused(folder)
    assert "usages.csv" in err
    assert "`usage.csv`" in err


def test_missing_column(folder):
    change(folder, "{source: usage.csv}", "{source: usage.csv, quantity: amuont}")
    assert "amuont" in refused(folder)


def test_wrong_type(folder):
    change(folder, "2023-12-01,big", "first of December,big", "accounts.csv")
    err = refused(folder)
    assert "first of December" in err
    assert "signed_up_at" in err


def test_unknown_key_names_the_nearest(folder):
    change(folder, "cutoffs: {min_history: 30}", "cutofs: {min_history: 30}")
    assert "`cutoffs`" in refused(folder)


def test_every_problem_of_the_config_at_once(folder):
    change(folder, "cutoffs: {min_history: 30}", "cutofs: {}\ncapacity: many")
    change(folder, "horizon: 60", "horizon: soon")
    err = refused(folder)
    assert err.count("Fix:") >= 3


def test_undeclared_survey_scale(folder):
    change(folder, ", scale: 0-10", "")
    assert "scale" in refused(folder)


def test_survey_value_outside_its_scale(folder):
    change(folder, ",10\n", ",11\n", "surveys.csv")
    err = refused(folder)
    assert "11" in err
    assert "scale" in err


def test_test_cutoff_outside_the_data(folder):
    err = refused(folder, "--set", "cutoffs.test=2026-01-01")
    assert "2026-01-01" in err


def test_scoring_cutoff_outside_the_data(folder):
    trained = run("train", "-c", str(folder / "staypower.yaml"), "--quiet", "--set", "cutoffs.every=10")
    assert trained[0] == 0, trained
    err = refused(folder, "--model", "1", "--cutoff", "2026-01-01", command="score")
    assert "outside the data" in err
    err = refused(folder, "--model", "1", "--cutoff", "2020-01-01", command="score")
    assert "outside the data" in err


def test_a_model_is_not_asked_for_what_it_was_not_learned_for(folder):
    assert run("train", "-c", str(folder / "staypower.yaml"), "--quiet", "--set", "cutoffs.every=10")[0] == 0
    for command in ("score", "evaluate"):
        err = refused(folder, "--model", "1", "--set", "label.horizon=30", command=command)
        assert "label.horizon: the model 60, the config 30" in err
    given = ["-c", str(folder / "staypower.yaml"), "--quiet", "--model", "1"]
    code, out, _ = run("score", *given, "--set", "label.too_new=400", "-o", str(folder / "s.csv"))
    assert code == 0
    assert "No account could be scored" in out


def test_tables_that_lost_what_the_model_reads(folder):
    assert run("train", "-c", str(folder / "staypower.yaml"), "--quiet", "--set", "cutoffs.every=10")[0] == 0
    change(folder, "  surveys: {source: surveys.csv, instrument: nps, scale: 0-10}\n", "")
    change(folder, ", static: [segment]", "")
    for command in ("score", "evaluate"):
        err = refused(folder, "--model", "1", command=command)
        assert "the model reads a table that is not there: surveys" in err
        assert "the model reads a column that is not there: accounts.segment, for `account_segment`" in err


def test_one_class_only(folder):
    lines = (folder / "subscriptions.csv").read_text().splitlines()
    kept = [line if n == 0 else ",".join([*line.split(",")[:2], "", "10"]) for n, line in enumerate(lines)]
    (folder / "subscriptions.csv").write_text("\n".join(kept) + "\n")
    err = refused(folder)
    assert "churners" in err


def test_too_few_churners_says_how_many_are_needed(folder):
    lines = (folder / "subscriptions.csv").read_text().splitlines()
    kept = [line if n < 6 else ",".join([*line.split(",")[:2], "", "10"]) for n, line in enumerate(lines)]
    (folder / "subscriptions.csv").write_text("\n".join(kept) + "\n")
    err = refused(folder)
    assert "at least 20" in err


def test_how_many_churners_are_needed_is_a_setting(folder):
    err = refused(folder, "--set", "model.min_churners=5000")
    assert "at least 5000" in err


def test_no_account_active(folder):
    (folder / "subscriptions.csv").write_text("account_id,started_at,ended_at,mrr\n001,2023-12-01,2023-12-05,10\n")
    err = refused(folder)
    assert "active" in err or "churners" in err


def test_scoring_without_a_model(folder):
    assert "staypower train" in refused(folder, command="score")


def test_unknown_kind_of_output(folder):
    assert ".parquet" in refused(folder, "--output", "scores.txt", command="score")


def test_a_tampered_bundle_is_refused(folder):
    assert run("train", "-c", str(folder / "staypower.yaml"), "--quiet", "--set", "cutoffs.every=10")[0] == 0
    model = folder / "models" / "acme" / "1" / "model.txt"
    model.write_bytes(model.read_bytes()[:-100])
    assert "was altered" in refused(folder, "--model", "1", command="score")


def test_a_model_of_forty_accounts_scores_only_when_it_is_named(folder):
    code, out, _ = run("train", "-c", str(folder / "staypower.yaml"), "--quiet", "--set", "cutoffs.every=10")
    assert code == 0
    assert "version 1 cannot be promoted automatically: " in out
    assert "cannot be promoted automatically" in refused(folder, command="score")


def test_one_instrument_on_two_scales_is_named_by_check_and_refused_by_train(folder):
    change(
        folder,
        "  surveys: {source: surveys.csv, instrument: nps, scale: 0-10}",
        "  surveys:\n    - {source: surveys.csv, instrument: nps, scale: 0-10}\n"
        "    - {source: more.csv, instrument: nps, scale: 1-10}",
    )
    (folder / "more.csv").write_text("account_id,answered_at,value\n001,2024-03-01,9\n002,2024-03-02,8\n")
    code, out, _ = run("check", "-c", str(folder / "staypower.yaml"))
    assert code == 1
    assert "scale" in out
