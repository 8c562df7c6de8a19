"""Separation, overlap, presence, and what cannot be proven: each problem planted, each clean case passing."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from audited_tables import case_of, times, with_column, with_table

from staypower.auditing.knowledge import list_unproven
from staypower.auditing.outcomes import find_overlap
from staypower.auditing.separation import find_presence, find_separation
from staypower.checking.leaks import leak_suspects
from staypower.cutoffs import DAY, instant_of
from staypower.dataset.cutoff_plan import plan_snapshot
from staypower.labels.settings import GivenLabel
from staypower.models import partition
from staypower.schemas import SCHEMAS, Column, TableSchema
from staypower.tables import Table, Tables


def said(check):
    return "\n".join(check.evidence)


def leavers_of(case):
    matrix, y = case.dataset.matrix, case.dataset.y
    return sorted(set(matrix.accounts[y == 1]))


def with_attribute(tables, name, values):
    """Declare a static attribute; the accounts of the simulation are versions, so take the first of each."""
    accounts = tables["accounts"]
    ids = accounts.data.column("account_id").to_pylist()
    first = sorted({account: place for place, account in reversed(list(enumerate(ids)))}.values())
    data = accounts.data.take(first).select(["account_id", "signed_up_at", "region"])
    table = replace(accounts, data=data, fixed=frozenset({name, "region"}))
    return with_table(
        tables, "accounts", with_column(table, name, [values(account) for account in data["account_id"].to_pylist()])
    )


# too good to be true


def test_clean_features_pass(case):
    check = find_separation(case)
    assert check.status == "passed", said(check)
    assert f"{len(case.dataset.catalogue.names)} features" in said(check)


def test_a_static_attribute_that_mirrors_the_label_is_caught(case, tables):
    leavers = set(leavers_of(case))
    planted = with_attribute(tables, "account_note", lambda account: "closed" if account in leavers else "open")
    check = find_separation(case_of(planted))
    assert check.status == "failed"
    assert "compared with whether the account ever churned" in said(check)
    assert "`accounts.account_note` is written or filled in after the outcome" in said(check)
    assert "accounts.region" not in said(check)


def test_a_number_that_mirrors_the_label_of_its_row_is_caught(case):
    dataset = case.dataset
    name = next(one for one in dataset.catalogue.names if one.startswith("usage_events"))
    values = dataset.X.copy()
    values[name] = dataset.y + np.random.default_rng(0).normal(0, 0.2, len(dataset.y))
    check = find_separation(replace(case, dataset=replace(dataset, matrix=replace(dataset.matrix, features=values))))
    assert check.status == "failed"
    assert f"`{name}`: alone it ranks" in said(check)
    assert "rows of `usage` are created because an account leaves" in said(check)


def test_an_attribute_filled_in_only_for_leavers_is_caught_by_its_missingness(case, tables):
    stayed = set(case.dataset.matrix.accounts) - set(leavers_of(case))
    words = np.random.default_rng(0)
    planted = case_of(
        with_attribute(tables, "talk", lambda account: None if account not in stayed else ["x", "y"][words.integers(2)])
    )
    check = find_separation(planted)
    assert check.status == "failed"
    assert "stayed" in said(check)
    assert "talk" in said(check)


def with_feature(case, values):
    """Put values in the place of a feature."""
    dataset = case.dataset
    features = dataset.X.copy()
    features[dataset.catalogue.names[0]] = values
    return replace(case, dataset=replace(dataset, matrix=replace(dataset.matrix, features=features)))


def test_what_young_accounts_lack_is_no_problem_of_those_who_left_young(case):
    matrix = case.dataset.matrix
    # lacking for every account at its first cutoff alone: the rows drawn of leavers lack it more often
    lacking = ~pd.Series(matrix.accounts).duplicated().to_numpy()
    rows = case.dataset.rows("training", "calibration")
    planted = with_feature(case, np.where(lacking, np.nan, np.random.default_rng(0).normal(size=len(lacking))))
    alone = replace(planted, dataset=replace(planted.dataset, y=np.where(lacking & rows, 1, 0).astype(np.int8)))
    assert find_separation(alone).status == "failed"
    stayed = set(matrix.accounts) - set(leavers_of(case))
    assert any(account in stayed for account in matrix.accounts[lacking & rows])
    assert matrix.features.columns[0] not in said(find_separation(planted))


def test_a_value_cleared_for_some_leavers_alone_is_caught(case):
    matrix = case.dataset.matrix
    # half of the leavers: too few to rank by, and yet all who lack it left
    left, lacking = (np.isin(matrix.accounts.astype(str), names) for names in (leavers_of(case), leavers_of(case)[::2]))
    planted = with_feature(case, np.where(lacking, np.nan, np.random.default_rng(0).normal(size=len(left))))
    soon = replace(planted, dataset=replace(planted.dataset, y=left.astype(np.int8)))
    told = next(line for line in find_separation(soon).evidence if f"`{matrix.features.columns[0]}`" in line)
    assert "for which it is missing left" in told


def test_a_name_alone_is_unproven(tables):
    values = np.random.default_rng(0)
    check = find_separation(case_of(with_attribute(tables, "exit_group", lambda account: "ab"[values.integers(2)])))
    assert check.status == "unproven"
    assert "`accounts.exit_group` has `exit` in its name" in said(check)


def test_a_handful_of_values_proves_nothing(case):
    dataset = case.dataset
    names = list(dataset.catalogue.names)
    values = dataset.X.copy()
    leavers = dataset.y == 1
    values[names[0]] = np.nan
    few = np.concatenate([np.flatnonzero(leavers)[:3], np.flatnonzero(~leavers)[:3]])
    values.loc[few, names[0]] = dataset.y[few].astype(float)
    check = find_separation(replace(case, dataset=replace(dataset, matrix=replace(dataset.matrix, features=values))))
    assert f"`{names[0]}`: alone" not in said(check)


def test_values_without_a_pattern_do_not_rank_backwards():
    # the share among others falls where a row is left out: with few rows that looked like a perfect ranking
    y = np.array([1, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    assert leak_suspects(pd.DataFrame({"f0": ["same"] * 10}), y) == ()
    assert leak_suspects(pd.DataFrame({"f0": np.ones(10)}), y) == ()
    y = np.repeat([0, 1], 100)
    assert len(leak_suspects(pd.DataFrame({"f0": np.where(y == 1, "gone", "here")}), y)) == 1


# outcome overlap


def test_clean_folds_pass(case):
    check = find_overlap(case)
    assert check.status == "passed", said(check)
    assert "gap + horizon + grace are 90" in said(check)


def test_an_embargo_too_small_is_caught(case):
    plan = case.dataset.plan
    # the plan believes in 30 days: what was moved nearer still says so, the rows do not
    part = case.dataset.parts.copy()
    between = case.dataset.matrix.cutoffs == plan.training[-1]
    part[between] = "test"
    planted = replace(case, dataset=replace(case.dataset, parts=part, plan=replace(plan, embargo=30)))
    check = find_overlap(planted)
    assert check.status == "failed"
    assert "but gap + horizon + grace are 90" in said(check)


def test_an_outcome_past_the_end_of_the_data_is_caught(case):
    last = int(case.dataset.matrix.cutoffs.max())
    check = find_overlap(replace(case, tables=replace(case.tables, observed_until=last + 89 * DAY)))
    assert check.status == "failed"
    assert "have an outcome that ends after 2024-06-30" in said(check)
    assert find_overlap(replace(case, tables=replace(case.tables, observed_until=last + 90 * DAY))).status == "passed"


def test_a_row_that_stands_twice_is_caught(case):
    matrix = case.dataset.matrix
    order = np.append(np.arange(len(matrix)), 0)
    doubled = replace(
        case.dataset,
        matrix=replace(
            matrix, features=matrix.features.iloc[order], accounts=matrix.accounts[order], cutoffs=matrix.cutoffs[order]
        ),
        y=case.dataset.y[order],
        parts=case.dataset.parts[order],
    )
    check = find_overlap(replace(case, dataset=doubled))
    assert check.status == "failed"
    assert "1 duplicate row" in said(check)


def test_folds_that_divide_an_account_are_caught(case, monkeypatch):
    assert case.dataset.plan.split == "grouped"
    monkeypatch.setattr(partition, "deal_folds", lambda accounts, labels, *, folds, seed: np.arange(len(accounts)) % folds)
    check = find_overlap(case)
    assert check.status == "failed"
    assert "more than one fold of the cross-fitting" in said(check)


def temporal(case, embargo):
    """Split the cutoffs, 30 days apart, in time: the last tests, the fourth from the end calibrates; outcomes take 90 days."""
    every = case.dataset.plan.all
    plan = replace(
        case.dataset.plan, split="temporal", training=every[:-4], calibration=every[-4:-3], test=every[-1:], embargo=embargo
    )
    roles = {
        **dict.fromkeys(plan.training, "training"),
        **dict.fromkeys(plan.calibration, "calibration"),
        **dict.fromkeys(plan.test, "test"),
    }
    part = np.array([roles.get(at, "") for at in case.dataset.matrix.cutoffs], dtype=object)
    return replace(case, dataset=replace(case.dataset, plan=plan, parts=part))


def test_cutoffs_of_the_embargo_that_feed_the_final_trees_alone_are_no_problem(case):
    assert len(case.dataset.plan.all) >= 8
    check = find_overlap(temporal(case, embargo=90))
    assert check.status == "passed", said(check)
    assert "training to calibration 90 days" in said(check)
    assert "2 cutoffs between training and calibration are used for the final trees only" in said(check)


def test_calibration_within_the_embargo_of_the_trees_is_caught(case):
    check = find_overlap(temporal(case, embargo=30))
    assert check.status == "failed"
    assert "training ends" in said(check)


@pytest.fixture(scope="module")
def snapshot():
    rng = np.random.default_rng(0)
    ids = [f"a{number:03d}" for number in range(300)]
    columns = {"account_id": ids, "left": rng.choice(["yes", "no"], 300).tolist(), "size": rng.normal(size=300).tolist()}
    accounts = Table(SCHEMAS["accounts"], pa.table(columns), fixed=frozenset({"left", "size"}))
    return case_of(Tables({"accounts": accounts}, 100 * DAY), label=GivenLabel(flag="left", horizon=30))


def test_a_snapshot_passes_unless_an_account_is_on_both_sides(snapshot):
    check = find_overlap(snapshot)
    assert check.status == "passed"
    assert "not a temporal test" in said(check)
    doubled = snapshot.dataset.matrix.accounts.copy()
    test = np.flatnonzero(snapshot.dataset.rows("test"))
    doubled[test[0]] = doubled[np.flatnonzero(snapshot.dataset.rows("training"))[0]]
    planted = replace(snapshot.dataset, matrix=replace(snapshot.dataset.matrix, accounts=doubled))
    check = find_overlap(replace(snapshot, dataset=planted))
    assert check.status == "failed"
    assert "1 account in both training and test" in said(check)


def test_an_undated_outcome_has_no_end_to_be_past(snapshot):
    assert plan_snapshot(snapshot.tables.observed_until).test[0] == snapshot.dataset.plan.test[0]
    assert "reaches past" not in said(find_overlap(snapshot))


# presence


def test_clean_tables_pass(case):
    check = find_presence(case)
    assert check.status == "passed", said(check)


def test_accounts_alone_have_no_presence(snapshot):
    assert find_presence(snapshot).status == "not applicable"


def interviews(ids, at):
    schema = TableSchema("exit_interviews", ("at",), (Column("at", "time", "at"), Column("mood", "number")))
    return Table(schema, pa.table({"account_id": ids, "at": times(*at), "mood": [1.0] * len(ids)}))


def test_a_table_exported_after_the_fact_is_caught(case, tables):
    leavers = leavers_of(case)
    early = instant_of("2023-01-02")
    planted = replace(case, tables=with_table(tables, "exit_interviews", interviews(leavers, [early] * len(leavers))))
    check = find_presence(planted)
    assert check.status == "failed"
    assert f"a row in `exit_interviews`: {len(leavers)} of {len(leavers)} accounts with it churned" in said(check)
    assert f"features see rows of {len(leavers)} accounts" in said(check)


def test_it_is_caught_though_its_rows_come_after_every_cutoff(case, tables):
    leavers = leavers_of(case)
    planted = replace(
        case, tables=with_table(tables, "exit_interviews", interviews(leavers, [tables.observed_until - 1] * len(leavers)))
    )
    check = find_presence(planted)
    assert check.status == "failed"
    assert "features do not see it yet" in said(check)


def test_a_table_of_some_leavers_and_some_stayers_passes(case, tables):
    accounts = sorted(set(case.dataset.matrix.accounts))[::3]
    planted = with_table(tables, "exit_interviews", interviews(accounts, [instant_of("2023-01-02")] * len(accounts)))
    assert find_presence(replace(case, tables=planted)).status == "passed"


def test_lacking_rows_is_no_problem_of_who_left_before_any_came(case, tables):
    stayed = sorted(set(case.dataset.matrix.accounts) - set(leavers_of(case)))
    some = stayed + leavers_of(case)[: len(leavers_of(case)) * 2 // 3]
    planted = with_table(tables, "exit_interviews", interviews(some, [instant_of("2023-01-02")] * len(some)))
    assert find_presence(replace(case, tables=planted)).status == "passed"


def test_rows_cleared_when_an_account_leaves_are_caught_where_features_see_them(case, tables):
    stayed = sorted(set(case.dataset.matrix.accounts) - set(leavers_of(case)))
    planted = with_table(tables, "exit_interviews", interviews(stayed, [instant_of("2023-01-02")] * len(stayed)))
    check = find_presence(replace(case, tables=planted))
    assert check.status == "failed"
    assert f"all {len(stayed)} with it stayed" in said(check)
    # a table that was begun after every outcome only meets who is still there
    begun = with_table(tables, "exit_interviews", interviews(stayed, [tables.observed_until - 1] * len(stayed)))
    assert find_presence(replace(case, tables=begun)).status == "passed"


def test_sign_ups_blanked_for_leavers_are_caught(case, tables):
    leavers = set(leavers_of(case))
    accounts = tables["accounts"]
    ids = accounts.data.column("account_id").to_pylist()
    written = accounts.data.column("signed_up_at").to_pylist()
    blanked = pa.array(
        [None if account in leavers else at for account, at in zip(ids, written, strict=True)], pa.timestamp("us", "UTC")
    )
    data = accounts.data.set_column(accounts.data.column_names.index("signed_up_at"), "signed_up_at", blanked)
    check = find_presence(replace(case, tables=with_table(tables, "accounts", replace(accounts, data=data))))
    assert check.status == "failed"
    assert "a sign-up date" in said(check)


def test_the_table_that_tells_the_outcome_is_no_leak(case, tables):
    leavers = leavers_of(case)
    planted = with_table(tables, "churn", interviews(leavers, [tables.observed_until - 1] * len(leavers)))
    asked = replace(case, tables=planted, label=GivenLabel(dates="churn", time="at", horizon=60))
    assert find_presence(asked).status == "passed"


# knowledge time


def test_what_cannot_be_proven_is_listed(case):
    check = list_unproven(case)
    assert check.status == "unproven"
    assert "tickets.priority" in check.details["columns"]
    assert "payments.status" in check.details["columns"]
    # versions carry their instant, and a late column names it
    assert not any(column.startswith(("subscriptions.", "accounts.")) for column in check.details["columns"])
    assert "tickets.category" not in check.details["columns"]


def test_static_attributes_and_the_flag_itself_are_unproven(snapshot):
    columns = list_unproven(snapshot).details["columns"]
    assert columns == ["accounts.size", "accounts.left"]


def test_flags_without_their_instant_are_unproven(case, tables):
    columns = {"account_id": ["a"], "at": times(0), "cancelled": [True]}
    bare = Table(SCHEMAS["orders"], pa.table(columns))
    dated = Table(SCHEMAS["orders"], pa.table({**columns, "returned_at": times(5)}))
    assert "orders.cancelled" in list_unproven(replace(case, tables=with_table(tables, "orders", bare))).details["columns"]
    assert "orders.cancelled" not in list_unproven(replace(case, tables=with_table(tables, "orders", dated))).details["columns"]


def test_columns_of_a_declared_table_are_unproven(case, tables):
    planted = replace(case, tables=with_table(tables, "exit_interviews", interviews(["a"], [0])))
    check = list_unproven(planted)
    assert "exit_interviews.mood" in check.details["columns"]
    assert "assumed known at `at` (no feature reads it directly)" in said(check)


def test_with_every_instant_named_it_passes(case):
    kept = {name: table for name, table in case.tables.items() if name not in ("payments", "tickets")}
    assert list_unproven(replace(case, tables=replace(case.tables, tables=kept))).status == "passed"
