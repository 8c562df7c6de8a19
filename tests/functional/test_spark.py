"""The same bits from a cluster: tables, features, scores and reasons against those of one machine."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_line import run
from spark_cluster import small_cluster

from staypower import backtest, simulate, train
from staypower.config.loading import load_config
from staypower.dataset.sampling import Sampling
from staypower.errors import UsageError
from staypower.gate.facts import GATE
from staypower.models.bundle import read_bundle, write_bundle
from staypower.pipelines.features import list_features
from staypower.pipelines.gating import breaches_path
from staypower.pipelines.score import score
from staypower.progress import Progress
from staypower.sources.reading import read_tables
from staypower.sources.settings import TableSource
from staypower.tables import Tables

QUIET = Progress(quiet=True)
ON_SPARK = ["playbook=null", "engine.kind=spark", "engine.partitions=2"]


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    with small_cluster(tmp_path_factory.mktemp("spark")) as session:
        yield session


@pytest.fixture(scope="module")
def scored(spark, company, tmp_path_factory) -> SimpleNamespace:
    """Scores of a model that remembers no missing value: the gate finds those that every company has."""
    folder = tmp_path_factory.mktemp("scored")
    bundle = read_bundle(company.result.trained.registered.folder)
    kept = {**bundle.learned[GATE], "features": dict.fromkeys(bundle.learned[GATE]["features"], 0.0)}
    write_bundle(replace(bundle, learned={**bundle.learned, GATE: kept}), folder / "model")
    asked = {"model": folder / "model", "accept_data": True}
    one = score(load_config(company.config, ["playbook=null"]), output=folder / "one.parquet", **asked)
    many = score(load_config(company.config, ON_SPARK), output=folder / "many", **asked)
    return SimpleNamespace(one=one, many=many)


def in_order(place: Path, *keys: str) -> pa.Table:
    return pq.read_table(place).sort_by([(key, "ascending") for key in keys]).replace_schema_metadata(None)


def test_scores_tiers_quadrants_and_reasons_are_the_same_bits(scored):
    one = in_order(scored.one.path, "account_id").drop_columns("scored_at")
    many = in_order(Path(scored.many.path), "account_id").drop_columns("scored_at")
    assert many.schema == one.schema
    assert many.equals(one)
    assert {"tier", "quadrant", "reason_5", "churn_probability_30d", "satisfaction"} <= set(one.column_names)
    assert one.num_rows == 400
    assert len(one.column("reason_1").drop_null()) > 100


def test_the_gate_looks_at_tables_and_features_as_on_one_machine(scored):
    one, many = scored.one.gate, scored.many.gate
    assert many.to_dict() == one.to_dict()
    assert {breach.setting for breach in many.breaches} == {"missing"}
    assert len(many.breaches) > 2
    assert scored.many.scores.beyond == scored.one.scores.beyond
    one, many = (json.loads(breaches_path(Path(each.path)).read_text()) for each in (scored.one, scored.many))
    assert many == one
    assert many["scored"]
    assert many["breaches"]


def test_what_is_said_of_the_scores_is_what_one_machine_says(scored):
    one, many = scored.one.scores, scored.many.scores
    assert many.counts() == one.counts()
    assert len(many) == len(one)
    columns = ["account_id", "churn_probability", "reason_1"]
    pd.testing.assert_frame_equal(many.watch_list()[columns], one.watch_list()[columns].reset_index(drop=True))
    pd.testing.assert_frame_equal(many.quadrants(), one.quadrants(), rtol=1e-12)
    said = scored.many.text()
    assert said.endswith(f"scores: {scored.many.path}")
    assert "Highest risk" in said
    assert "Quadrants" in said
    json.dumps(scored.many.to_dict(), default=str)


def test_every_feature_of_every_cutoff_is_the_same_bits(spark, company, tmp_path):
    one = list_features(load_config(company.config), build=True, output=tmp_path / "one.parquet")
    many = list_features(load_config(company.config, ON_SPARK), build=True, output=tmp_path / "many")
    assert many.catalogue == one.catalogue
    assert many.rows == one.rows > 1_000
    keys = ("account_id", "cutoff")
    assert in_order(tmp_path / "many", *keys).equals(in_order(tmp_path / "one.parquet", *keys))
    # a family without a feature would prove nothing
    tables = {feature.table for feature in one.catalogue.definitions if hasattr(feature, "table")}
    assert {"usage", "tickets", "surveys", "subscriptions", "payments", "advocacy", "goals", "accounts"} <= tables


SMALL = {
    "name": "small",
    "observed_until": "2025-06-30",
    "tables": {
        "accounts": {"source": "accounts.parquet", "static": ["segment"]},
        **{name: {"source": f"{name}.parquet"} for name in ("usage", "tickets", "subscriptions", "payments", "surveys")},
    },
    "label": {"kind": "contractual", "involuntary": ["payment", "card"]},
    "sampling": {"accounts": 0.8, "negatives": 0.5},
    "cutoffs": {"every": 60},
    "features": {"windows": [90]},
    "horizons": {"days": [60]},
    "model": {"max_trees": 20, "threads": 1, "min_churners": 10},
    "evaluation": {"bootstrap": 20, "slices": ["segment"]},
}


@pytest.fixture(scope="module")
def learned(spark, tmp_path_factory) -> SimpleNamespace:
    """A model of a sample of a small company, trained on both engines."""
    folder = tmp_path_factory.mktemp("learned")
    for name, rows in simulate(180, months=30, seed=5).tables.items():
        pq.write_table(rows, folder / f"{name}.parquet", coerce_timestamps="us")
    made = {}
    for name, engine in (("one", {}), ("many", {"engine": {"kind": "spark", "partitions": 2}})):
        places = {"output": {"folder": name}, "models_folder": f"{name}/models", "tracking": {"folder": f"{name}/runs"}}
        (folder / f"{name}.yaml").write_text(json.dumps({**SMALL, **places, **engine}))
        settings = load_config(folder / f"{name}.yaml")
        made[name] = SimpleNamespace(settings=settings, trained=train(settings))
    return SimpleNamespace(**made)


def test_a_model_trained_where_the_tables_are_is_the_same_model(learned):
    one, many = learned.one.trained, learned.many.trained
    assert many.dataset.frame().equals(one.dataset.frame())
    assert many.bundle.card == one.bundle.card
    assert many.bundle.learned == one.bundle.learned
    assert many.to_dict()["evaluation"] == one.to_dict()["evaluation"]
    assert many.bundle.digest == one.bundle.digest
    # the sample left something out, and every secondary model was there to differ
    assert many.dataset.sampling == Sampling(0.8, 0.5)
    assert {"twin", "kinds", "horizon_60"} <= set(many.bundle.secondary)


def test_a_model_is_tested_on_the_past_where_the_tables_are(learned):
    one, many = (backtest(each.settings, folds=1).to_dict() for each in (learned.one, learned.many))
    for said in (one, many):
        for place in ("run_id", "pictures", "path"):
            del said[place]
    assert many == one


def test_rows_are_written_as_a_table_and_read_back(spark):
    from staypower.engines.spark.session import place_of, read_back, write_on_spark

    place = place_of(Path("table:scores_of_a_test"), "out", "scores")
    for rows in ("values (1), (2)", "values (3)"):
        write_on_spark(spark.sql(f"select col1 as risk from {rows}"), place)
    assert [row["risk"] for row in read_back(spark, place).collect()] == [3]


# What real exports do: ids with zeros, blanks and quotes, repeats, strangers, dates without clocks, rows from the future.
ACCOUNTS = """id,since,tier,note
007,2024-01-01,gold,"said ""yes"",
twice"
7,2024-02-01,,plain
007,2024-03-01,silver,again
 ,2024-01-01,gold,blank
a;b,,gold,
"""
DESK = """ticket;acct;opened;reply_min;rating;known
T1;007;2024-05-01 10:00:00;30;4;2024-05-01 10:00:00
T2;7;2024-05-02 10:00:00;;n/a;2024-06-02 10:00:00
T1;7;2024-04-01 10:00:00;5;5;2024-07-01 10:00:00
T3;stranger;2024-05-02 10:00:00;5;1;2024-05-02 10:00:00
T4;007;2024-05-03 10:00:00;-5;2;2024-05-03 10:00:00
T5;a;2024-05-03 10:00:00;5;2;
;7;2024-05-04 10:00:00;5;3;2024-05-04 10:00:00
"""


def write_exports(folder: Path) -> None:
    (folder / "customers.csv").write_text(ACCOUNTS)
    (folder / "desk.csv").write_text(DESK)
    for day, accounts in (("2024-05-01", ["007", "7", None]), ("2024-05-02", ["7", "nobody", "a;b"])):
        (folder / "usage" / f"shift={day[-2:]}").mkdir(parents=True)
        at = pd.to_datetime([f"{day} 08:00", f"{day} 09:30:00.000001", None], format="ISO8601")
        rows = {"acct": accounts, "when": at, "what": ["open", " ", "save"], "n": [1.5, float("inf"), -2.0]}
        pd.DataFrame(rows).to_parquet(folder / "usage" / f"shift={day[-2:]}" / "part.parquet", coerce_timestamps="us")
    # a robot: one account holds nearly all rows
    (folder / "usage" / "shift=03").mkdir()
    at = pd.date_range("2024-05-03", periods=5_000, freq="11s")
    robot = pd.DataFrame({"acct": "7", "when": at, "what": "poll", "n": [float(row % 7) for row in range(5_000)]})
    robot.to_parquet(folder / "usage" / "shift=03" / "part.parquet", coerce_timestamps="us")
    contracts = {
        "nr": [1, 2, 2, 3],
        "acct": ["007", "7", "7", "a;b"],
        "von": pd.to_datetime(["2024-01-01", "2024-02-01", "2024-02-01", "2024-03-01"]).date,
        "bis": pd.to_datetime(["2024-06-01", None, None, "2024-02-01"]).date,
        "monthly": [10.0, -1.0, 20.0, 30.0],
    }
    pd.DataFrame(contracts).to_parquet(folder / "contracts.parquet")
    paid = {"contract": [1, 2, 9], "at": ["2024-04-01", "2024-05-05T10:00:00+02:00", "2024-05-01"], "euros": ["1,5", "2", ""]}
    pd.DataFrame(paid).to_parquet(folder / "paid.parquet")
    (folder / "people.csv").write_text("nr,acct\np1,007\np2,7\np1,7\n")
    (folder / "goals.csv").write_text("who,day,size\np1,2024-05-01,3\np2,2024-05-02,\np3,2024-05-03,4\n")
    orders = {"acct": ["7", "7", "a;b"], "at": ["2024-05-01", "2031-01-01", "2024-05-09"], "amount": [1, 2, 3]}
    pd.DataFrame(orders).to_parquet(folder / "orders.parquet")


SOURCES = {
    "accounts": [{"source": "customers.csv", "account_id": "id", "signed_up_at": "since", "level": "tier", "static": "all"}],
    "usage": [{"source": "usage", "account_id": "acct", "at": "when", "event": "shift || what", "quantity": "n"}],
    "tickets": [
        {"source": "desk.csv", "ticket_id": "ticket", "account_id": "acct", "opened_at": "opened", "known_at": "known"}
        | {"first_response_at": "opened::timestamp + to_minutes(reply_min::integer)"}
    ],
    "surveys": [
        {"source": "desk.csv", "where": "rating <> 'n/a'", "key_via": "tickets", "ticket_id": "ticket", "answered_at": "opened"}
        | {"value": "rating", "instrument": "csat", "scale": "1-5"}
    ],
    "subscriptions": [
        {"source": "contracts.parquet", "subscription_id": "nr", "account_id": "acct", "started_at": "von", "ended_at": "bis"}
        | {"mrr": "monthly", "fixed": ["mrr"]}
    ],
    "payments": [
        {"source": "paid.parquet", "key_via": "subscriptions", "subscription_id": "contract", "at": "at", "decimal": ","}
        | {"amount": "euros", "constant": {"status": "paid"}}
    ],
    "orders": [{"source": "orders.parquet", "account_id": "acct", "at": "at", "amount": "amount"}],
    "people": [{"source": "people.csv", "account_id": "acct", "person": "nr", "columns": {"person": "id"}}],
    "goals": [
        {"source": "goals.csv", "key_via": "people", "person": "who", "set_at": "day", "weight": "size"}
        | {"columns": {"weight": "number"}}
    ],
}


def sources_of(listed: dict[str, list[dict]]) -> dict[str, list[TableSource]]:
    return {name: [TableSource.model_validate(one) for one in entries] for name, entries in listed.items()}


def plainly() -> Callable[[Tables], dict[str, tuple]]:
    """Return a function that travels to workers, which cannot import this module."""

    def plain(tables: Tables) -> dict[str, tuple]:
        told = {}
        for name, table in tables.items():
            rows = sorted(repr(sorted(row.items(), key=str)) for row in table.data.to_pylist())
            told[name] = (table.data.schema.names, table.date_only, table.fixed, table.derived, rows)
        return told

    return plain


@pytest.fixture(scope="module")
def gathered(spark, tmp_path_factory):
    """Hold the tables of messy exports in three buckets, and say what they are on one machine."""
    from staypower.engines.spark.gathering import gather_on_spark

    folder = tmp_path_factory.mktemp("gathered")
    write_exports(folder)
    sources = sources_of(SOURCES)
    # one source is a frame that is given
    frames = {"orders.parquet": spark.read.parquet(str(folder / "orders.parquet"))}
    with gather_on_spark(spark, sources, folder=folder, buckets=3, objects=frames) as (tables, findings):
        assert not findings
        yield SimpleNamespace(tables=tables, whole=read_tables(sources, folder=folder)[0])


def assert_same_tables(tables, whole: Tables) -> dict[str, tuple]:
    """The buckets together hold the rows of one machine, and say the same of them."""
    assert tables.observed_until == whole.observed_until
    parts, empty, expected = list(tables.each(plainly())), plainly()(tables.empty), plainly()(whole)
    assert len(parts) > 1
    for name, (columns, date_only, fixed, derived, rows) in expected.items():
        assert empty[name][:4] == (columns, date_only, fixed, derived), name
        assert sorted(row for part in parts for row in part[name][4]) == rows, name
        assert (tables.row_count(name) if name in tables.names else len(rows)) == len(rows), name
        assert name not in tables.names or tables.first_instant(name) == whole.first_instant(name), name
    return expected


def test_messy_exports_give_the_same_tables(gathered):
    expected = assert_same_tables(gathered.tables, gathered.whole)
    assert len(expected["usage"][4]) > 5_000, "one account holds nearly all of them"
    # the rules had something to do
    found = {name: len(expected[name][4]) for name in ("accounts", "tickets", "payments", "goals")}
    assert found == {"accounts": 3, "tickets": 4, "payments": 2, "goals": 2}
    assert "people" not in expected


def test_accounts_that_no_table_lists_are_derived(spark, tmp_path):
    from staypower.engines.spark.gathering import gather_on_spark

    write_exports(tmp_path)
    sources, options = sources_of({name: SOURCES[name] for name in ("usage", "orders")}), {"observed_until": "2024-05-31"}
    with gather_on_spark(spark, sources, folder=tmp_path, buckets=3, **options) as (tables, findings):
        assert not findings
        assert_same_tables(tables, read_tables(sources, folder=tmp_path, **options)[0])


@pytest.mark.parametrize(
    ("table", "changes", "said"),
    [
        ("usage", {"at": "what"}, "what holds values that are not times"),
        ("usage", {"at": "wenn"}, "wenn"),
        ("orders", {"source": "orders.jsonl"}, "does not read json"),
        ("orders", {"source": "missing.parquet"}, "Spark cannot do it"),
        ("accounts", {"encoding": "cp1252"}, "does not read cp1252"),
        ("orders", {"account_id": "'someone'"}, "rows of 1 account not in `accounts`"),
    ],
)
def test_problems_of_sources_are_told_in_words(spark, tmp_path, table, changes, said):
    from staypower.engines.spark.gathering import gather_on_spark

    write_exports(tmp_path)
    listed = {name: SOURCES[name] for name in ("accounts", "usage", "orders")}
    listed[table] = [{**SOURCES[table][0], **changes}]
    with (
        pytest.raises(UsageError, match=said) if "not in `accounts`" not in said else _nothing(),
        gather_on_spark(spark, sources_of(listed), folder=tmp_path, buckets=2) as (_, findings),
    ):
        assert any(said in finding.problem for finding in findings)


class _nothing:  # noqa: N801 - stands where a context manager of pytest stands
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def test_a_problem_that_only_a_bucket_shows_reaches_the_user(spark, tmp_path):
    from staypower.engines.spark.gathering import gather_on_spark

    write_exports(tmp_path)
    surveys = {"source": "desk.csv", "account_id": "acct", "answered_at": "opened", "value": "reply_min", "scale": "1-5"}
    listed = {"accounts": SOURCES["accounts"], "surveys": [{**surveys, "instrument": "csat"}]}
    with (
        pytest.raises(UsageError, match="scale") as caught,
        gather_on_spark(spark, sources_of(listed), folder=tmp_path, buckets=2) as (tables, _),
    ):
        list(tables.each(len))
    assert "30" in str(caught.value)


def failing_once(folder: Path, *, killed: bool) -> Callable[[Tables], dict[str, tuple]]:
    """Return a function that fails in every task, or takes its worker down, and does what it should the next time."""
    plain = plainly()

    def fail(tables: Tables) -> dict[str, tuple]:
        from pyspark import TaskContext

        mark = folder / str(TaskContext.get().partitionId())
        if not mark.exists():
            mark.touch()
            if killed:
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError("the disk of this worker is gone")
        return plain(tables)

    return fail


@pytest.mark.parametrize("killed", [False, True])
def test_a_task_that_is_tried_again_counts_once(gathered, tmp_path, killed):
    expected = sorted(map(repr, gathered.tables.each(plainly())))
    assert sorted(map(repr, gathered.tables.each(failing_once(tmp_path, killed=killed)))) == expected
    assert list(tmp_path.iterdir())


def test_a_bucket_above_the_memory_of_a_worker_names_the_partitions(gathered):
    def hold(tables: Tables) -> None:
        raise MemoryError(f"{len(tables)} tables")

    with pytest.raises(UsageError, match="does not fit into a worker's memory") as caught:
        list(gathered.tables.each(hold))
    assert "engine.partitions" in caught.value.problems[0].fix


def test_what_an_executor_kept_is_made_again_when_it_is_lost(gathered):
    before = sorted(map(repr, gathered.tables.each(plainly())))
    # nothing of what was kept is there any more: neither the tables nor the slices that they were made of
    gathered.tables.release()
    assert sorted(map(repr, gathered.tables.each(plainly()))) == before


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--account", "A0000001"], "the Spark engine scores every account"),
        (["--previous", "old.parquet"], "the Spark engine does not compare with earlier scores"),
        (["--set", "engine.memory=2GB"], "`memory` is not used by the engine `spark`"),
        (["--set", "engine.options={executor: 1}"], "not an option of Spark: executor"),
        (["--output", "scores.csv", "--set", "playbook=null"], "Spark writes many files, not one"),
        (["--output", "postgresql://ann:s3cret@host/db#scores", "--set", "playbook=null"], "does not write to databases"),
        ([], "the Spark engine chooses no actions"),
    ],
)
def test_what_a_cluster_does_not_do_is_refused_by_name(company, options, problem):
    code, _, said = run("score", "-c", str(company.config), "--set", "engine.kind=spark", *options)
    assert code == 2
    assert problem in " ".join(said.split())
