from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from staypower.config.loading import apply_overrides, load_config, parse_override
from staypower.config.reading import read_text
from staypower.config.showing import show_config
from staypower.cutoffs import instant_of
from staypower.errors import UsageError

DESIGN = """\
name: acme
observed_until: 2025-10-06
tables:
  accounts:      {source: data/customers.csv, account_id: customer, signed_up_at: since, static: [segment]}
  usage:         {source: data/events/*.parquet, account_id: acct, at: when, event: feature, user_id: person}
  tickets:       {source: data/desk.csv, account_id: acct, opened_at: created, first_response_at: "created + to_minutes(reply_min)", resolved_at: solved}
  surveys:
    - {source: data/nps.csv, account_id: acct, sent_at: sent, answered_at: answered, value: answer, instrument: nps, scale: 0-10}
    - {source: data/desk.csv, where: "rating is not null", account_id: acct, answered_at: solved, value: rating, instrument: csat, scale: 1-5}
  subscriptions: {source: data/contracts.csv, account_id: acct, started_at: von, ended_at: bis, mrr: monthly, end_reason: reason, fixed: [mrr]}
label:   {kind: contractual, horizon: 90, gap: 0, grace: 30, involuntary: [payment]}
tier:    {instrument: nps, horizon: 90}
cutoffs: {every: 30, test: 2025-07-01}
costs:   {clv: 1200, incentive: 60, contact: 10}
capacity: 50
output:  {folder: out}
"""  # noqa: E501 - the design's example, as it stands there

USAGE = {"source": "usage.csv", "account_id": "acct", "at": "when"}
LABEL = {"kind": "non_contractual", "table": "usage"}


def small(**more: Any) -> dict[str, Any]:
    return {"name": "acme", "tables": {"usage": USAGE}, "label": LABEL, **more}


def problems(config: Any, overrides: Any = ()) -> list[str]:
    with pytest.raises(UsageError) as caught:
        load_config(config, overrides)
    return [str(problem) for problem in caught.value.problems]


@pytest.fixture
def design(tmp_path: Path) -> Path:
    path = tmp_path / "acme.yaml"
    path.write_text(DESIGN)
    return path


def test_the_design_s_example_is_read(design: Path) -> None:
    settings = load_config(design)
    assert settings.name == "acme"
    assert [source.source for source in settings.tables["surveys"]] == ["data/nps.csv", "data/desk.csv"]
    assert settings.tables["surveys"][0].mapping["scale"] == "0-10"
    assert settings.label.horizon == 90
    assert settings.costs.clv == 1200
    assert settings.capacity == 50
    assert settings.tracking.folder == "mlruns"
    assert settings.output.reasons == 5


def test_a_day_is_observed_to_its_end_and_survives_being_written(design: Path) -> None:
    settings = load_config(design)
    assert settings.observed_until == instant_of("2025-10-07")
    assert load_config(settings.to_dict()).observed_until == settings.observed_until
    assert load_config(design, ["observed_until=2025-10-06T12:00"]).observed_until == instant_of("2025-10-06T12:00")
    assert load_config(small()).observed_until is None


def test_what_is_written_back_is_read_the_same(design: Path) -> None:
    settings = load_config(design)
    again = load_config(settings.to_dict())
    assert again.to_dict() == settings.to_dict()
    shown = design.with_name("shown.yaml")
    shown.write_text(show_config(settings).text())
    assert load_config(shown).to_dict() == settings.to_dict()


def test_a_column_is_shown_once_with_its_line(design: Path) -> None:
    shown = show_config(load_config(design)).text().splitlines()
    assert not [line for line in shown if line.strip().startswith("mapping")]
    (column,) = [line for line in shown if line.strip().startswith("signed_up_at:")]
    assert "acme.yaml, line" in column


def test_origins(design: Path) -> None:
    origins = load_config(design, ["label.horizon=60"]).origins()
    assert origins["label.horizon"] == "--set"
    assert origins["label.grace"] == "acme.yaml, line 11"
    assert origins["tables.surveys.1.scale"] == "acme.yaml, line 9"
    assert origins["features.windows"] == "default"


def test_relative_paths_start_at_the_config_s_folder(design: Path, tmp_path: Path) -> None:
    settings = load_config(design)
    assert settings.root == tmp_path
    assert settings.output_folder == tmp_path / "out"
    assert settings.models_path == tmp_path / "models"
    assert settings.path("/else/where") == Path("/else/where")
    assert load_config(small(), root="/tmp/x").output_folder == Path("/tmp/x/out")


def test_every_problem_at_once_each_with_place_value_and_fix(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(
        """\
nam: acme
name: my company
observed_until: 2025-13-01
tables:
  usage: {sorce: u.csv, account_id: a, at: t, evnt: e}
  subscription: {source: s.csv, account_id: a}
label: {kind: contractual, horzon: 90, grace: "30", gap: -1, keep_notice: yes, flag: churned}
capacity: true
costs: {clv: lots}
cutoffs: [1]
output: {format: xlsx}
engine: flink
"""
    )
    assert problems(path) == [
        "unknown key: `nam` (bad.yaml, line 1). Fix: write `name`.",
        "not usable as the name of a folder and a model: `name` = 'my company' (bad.yaml, line 2). "
        "Fix: use letters, digits, `-` and `_`, a letter first: `my-company`.",
        "not a date or time: `observed_until` = '2025-13-01' (bad.yaml, line 3). "
        "Fix: write it as 2025-07-01 or 2025-07-01T12:00.",
        "unknown key: `tables.usage.sorce` (bad.yaml, line 5). Fix: write `source`.",
        "unknown key: `tables.usage.evnt` (bad.yaml, line 5). Fix: write `event`.",
        "unknown table: `tables.subscription` (bad.yaml, line 6). "
        "Fix: write `subscriptions`, or declare a table of your own with `columns:`.",
        "not a whole number: `label.grace` = '30' (bad.yaml, line 7). Fix: write a whole number such as 30, without quotes.",
        "neither true nor false: `label.keep_notice` = 'yes' (bad.yaml, line 7). "
        "Fix: write `true` or `false`; yes, no, on and off are text.",
        "too small: `label.gap` = -1 (bad.yaml, line 7). Fix: give at least 0.",
        "unknown key: `label.horzon` (bad.yaml, line 7). Fix: write `horizon`.",
        "key of another kind: `label.flag` (bad.yaml, line 7). Fix: leave it out; here use one of `gap`, `grace`, `horizon`, "
        "`involuntary`, `keep_notice`, `keep_too_new`, `kind`, `of`, `too_new`.",
        "not a mapping: `cutoffs` = [1] (bad.yaml, line 10). Fix: write `key: value` pairs under it; use one of "
        + ", ".join(f"`{key}`" for key in sorted(cutoff_keys()))
        + ".",
        "not a number: `costs.clv` = 'lots' (bad.yaml, line 9). Fix: write a number such as 0.5, without quotes.",
        "not a whole number: `capacity` = True (bad.yaml, line 8). Fix: write a whole number such as 30, without quotes.",
        "not one of the choices: `output.format` = 'xlsx' (bad.yaml, line 11). Fix: use one of `csv`, `parquet`.",
        "not one of the choices: `engine` = 'flink' (bad.yaml, line 12). Fix: use one of `embedded`, `spark`.",
    ]


def cutoff_keys() -> list[str]:
    from staypower.dataset.settings import CutoffSettings

    return list(CutoffSettings.model_fields)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"name": None}, "missing key: `name`"),
        ({"tables": {}}, "too few entries: `tables`"),
        ({"tables": {"usage": None}}, "no source for `usage`"),
        ({"tables": {"usage": []}}, "no source for `usage`"),
        ({"label": None}, "missing key: `label`"),
        ({"label": {"horizon": 90}}, "missing key: `label.kind`"),
        ({"label": {"kind": "contractul"}}, "Fix: write `contractual`"),
        ({"label": {"kind": "contractual"}}, "it needs the table `subscriptions`: `label.kind`"),
        ({"label": {"kind": "non_contractual"}}, "it needs the table `orders`: `label.table`"),
        ({"label": {"kind": "given", "flag": "a", "dates": "b"}}, "keep the one that says who churned"),
        ({"features": {"windows": [7, "28"]}}, "not a whole number: `features.windows.1` = '28'"),
        ({"features": {"windows": [7.5]}}, "not a whole number: `features.windows.0` = 7.5"),
        ({"features": {"own": [{"name": "x", "filter": {"colum": "a"}}]}}, "write `column`"),
        ({"capacity": 0}, "too small: `capacity` = 0 (config). Fix: give at least 1"),
        ({"observed_until": 2025}, "not a date or time: `observed_until` = 2025"),
        ({"output": {"folder": 7}}, "not text: `output.folder` = 7 (config). Fix: put it in quotes: `'7'`"),
        ({"output": "out"}, "not a mapping: `output` = 'out'"),
        ({"tables": "usage.csv"}, "not a mapping: `tables`"),
    ],
)
def test_single_problems(change: dict[str, Any], expected: str) -> None:
    assert expected in "\n".join(problems({**small(), **change}))


@pytest.mark.parametrize("name", ["a/b", "../x", "", "1a", "a b", "a" * 65, "a\n", "ä"])
def test_names_that_could_leave_a_folder_are_refused(name: str) -> None:
    assert "not usable as the name" in problems(small(name=name))[0]


def test_accounts_and_declared_tables_may_have_columns_of_any_name() -> None:
    tables = {
        "usage": USAGE,
        "accounts": {"source": "a.csv", "account_id": "id", "state": "st", "sector": "x", "static": ["state"]},
        "logins": {"source": "l.csv", "account_id": "id", "at": "t", "columns": {"device": "text"}, "device": "d"},
    }
    assert set(load_config(small(tables=tables)).tables) == {"usage", "accounts", "logins"}
    tables["accounts"] = {"source": "a.csv", "account_id": "id", "statc": ["state"]}
    assert problems(small(tables=tables)) == ["unknown key: `tables.accounts.statc` (config). Fix: write `static`."]


def test_an_empty_section_is_its_defaults() -> None:
    assert load_config(small(output=None)).output.folder == "out"


def test_environment_variables_fill_paths_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", "/data")
    monkeypatch.delenv("NOWHERE", raising=False)
    usage = {**USAGE, "source": "${WHERE}/${NOWHERE:-events}/*.csv", "where": "name = '${WHERE}'"}
    settings = load_config(small(tables={"usage": usage}), ["output.folder=${WHERE}/out"])
    assert settings.tables["usage"][0].source == "/data/events/*.csv"
    assert settings.tables["usage"][0].where == "name = '${WHERE}'"
    assert settings.output.folder == "/data/out"
    found = problems(small(tables={"usage": [{**USAGE, "source": "${NOWHERE}/a.csv"}]}, models_folder="${WHERE}", nam="x"))
    assert found == [
        "the environment variable NOWHERE is not set: `tables.usage.0.source` (config). "
        "Fix: set it (`export NOWHERE=...`), or write a default: `${NOWHERE:-somewhere}`.",
        "unknown key: `nam` (config). Fix: write `name`.",
    ]


def test_overrides() -> None:
    config = small(tables={"usage": [USAGE, {**USAGE, "source": "b.csv"}]})
    settings = load_config(
        config,
        [
            "tables.usage.1.source=c/*.csv",
            "tables.usage.0.where=x is not null # all",
            "features.windows=[7, 14]",
            "label.gap=7",
        ],
    )
    assert settings.tables["usage"][1].source == "c/*.csv"
    assert settings.tables["usage"][0].where == "x is not null # all"
    assert settings.features.windows == (7, 14)
    assert settings.label.gap == 7
    assert config["tables"]["usage"][1]["source"] == "b.csv"
    assert load_config(config, {"label.gap": 8}).label.gap == 8
    assert load_config(config, {"label.gap": "9"}).label.gap == 9


def test_an_override_changes_only_one_of_two_aliases() -> None:
    document = read_text("a: &x {k: 1}\nb: *x\n")
    values, done = apply_overrides(document, ["a.k=2"])
    assert values == {"a": {"k": 2}, "b": {"k": 1}}
    assert done == ("a.k",)
    assert document.values == {"a": {"k": 1}, "b": {"k": 1}}


@pytest.mark.parametrize("text", ["label.horizon", "=1", "label..horizon=1", ".a=1", "a.=1"])
def test_overrides_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="not a setting"):
        parse_override(text)


def test_problems_in_overrides_come_at_once_and_name_themselves() -> None:
    found = problems(small(), ["label", "name.first=x", "capacity=[1"])
    assert len(found) == 3
    assert problems(small(), ["label.horizn=3"]) == ["unknown key: `label.horizn` (--set). Fix: write `horizon`."]
    assert "`label.horizon` = 'x' (--set)" in problems(small(), ["label.horizon=x"])[0]
    assert "no such place in a list" in problems(small(tables={"usage": [USAGE]}), ["tables.usage.1.source=x"])[0]


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_config(small()).name = "other"  # type: ignore[misc]


@pytest.mark.parametrize("twice", [False, True])
def test_a_mapping_that_holds_itself_is_refused(twice: bool) -> None:
    config: dict[str, Any] = {"name": "acme", "tables": {"usage": {"source": "u.csv"}}}
    config["tables"]["again"] = [config, config] if twice else config
    with pytest.raises(UsageError, match="no part may hold itself"):
        load_config(config)


def test_no_secret_of_an_address_is_shown_or_kept() -> None:
    tables = {"usage": {"source": "postgresql://ann:s3cret@host/db?sslpassword=s3cret&table=u", "account_id": "a", "at": "t"}}
    label = {"kind": "non_contractual", "table": "usage"}
    tracking = {"uri": "https://ann:s3cret@host/mlflow?token=s3cret"}
    settings = load_config({"name": "acme", "tables": tables, "label": label, "tracking": tracking})
    assert settings.tracking.uri == tracking["uri"]
    shown = show_config(settings)
    for text in (shown.text(), str(shown.to_dict()), str(settings.to_dict())):
        assert "s3cret" not in text
        assert "https://ann:***@host/mlflow?token=***" in text
