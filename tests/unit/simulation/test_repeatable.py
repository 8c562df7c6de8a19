"""Same seed, same bytes, however many accounts are held at a time; problems are said all at once."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from staypower.errors import UsageError
from staypower.simulation.company import simulate, simulate_to

_SMALL = {"months": 9, "copies": 4, "cutoffs": ["2023-06-01"], "siblings": ()}


def test_same_seed_same_company_other_seed_another() -> None:
    first, again, other = (simulate(300, seed=seed, **_SMALL) for seed in (4, 4, 5))
    for name, table in first.tables.items():
        assert table.equals(again.tables[name]), name
        assert not table.equals(other.tables[name]), name
    pd.testing.assert_frame_equal(first.truth, again.truth)


def test_asking_for_truth_changes_no_table() -> None:
    told = simulate(100, **_SMALL)
    untold = simulate(100, months=9, cutoffs=[])
    assert untold.truth.empty
    assert list(untold.truth.columns)[:3] == ["account_id", "cutoff", "notice_given"]
    for name, table in told.tables.items():
        assert table.equals(untold.tables[name]), name


def test_silence_moves_only_the_answers() -> None:
    attitude, features = (simulate(100, months=9, cutoffs=[], silence=silence) for silence in ("attitude", "features"))
    for name, table in attitude.tables.items():
        assert table.equals(features.tables[name]) == (name != "surveys")
    for column in ("survey_id", "sent_at", "respondent_id"):
        assert attitude.tables["surveys"].column(column).equals(features.tables["surveys"].column(column))


def test_a_block_does_not_depend_on_how_many_follow() -> None:
    small, large = simulate(512, **_SMALL), simulate(600, **_SMALL)
    assert len(set(large.tables["accounts"].column("account_id").to_pylist())) == 600
    for name, table in small.tables.items():
        assert table.equals(large.tables[name].slice(0, table.num_rows)), name
    pd.testing.assert_frame_equal(small.truth, large.truth.iloc[: len(small.truth)])


def test_streamed_rows_are_the_rows_in_memory(tmp_path: Path) -> None:
    company = simulate(300, seed=2, **_SMALL)
    paths = simulate_to(tmp_path / "streamed", accounts=300, seed=2, **_SMALL)
    written = company.write(tmp_path / "written")
    assert set(paths) == set(written) == {*company.tables, "truth"}
    for name, table in company.tables.items():
        assert pq.read_table(paths[name]).combine_chunks().equals(table), name
        assert pq.read_table(written[name]).combine_chunks().equals(table), name
    streamed = pd.read_parquet(paths["truth"]).sort_values(["account_id", "cutoff"], ignore_index=True)
    pd.testing.assert_frame_equal(streamed, pd.read_parquet(written["truth"]))
    again = simulate_to(tmp_path / "again", accounts=300, seed=2, **_SMALL)
    assert all(paths[name].read_bytes() == again[name].read_bytes() for name in paths)


def test_truth_lies_apart_from_the_tables(tmp_path: Path) -> None:
    paths = simulate(50, **_SMALL).write(tmp_path)
    assert paths["truth"] == tmp_path / "truth" / "truth.parquet"
    assert sorted(path.stem for path in tmp_path.glob("*.parquet")) == sorted(set(paths) - {"truth"})


def test_csv_holds_the_same_values(tmp_path: Path) -> None:
    company = simulate(60, **_SMALL)
    paths = company.write(tmp_path, "csv")
    for name in ("tickets", "subscriptions"):
        table = company.tables[name]
        options = pacsv.ConvertOptions(column_types=table.schema, strings_can_be_null=True, quoted_strings_can_be_null=False)
        read = pacsv.read_csv(paths[name], convert_options=options).combine_chunks()
        assert read.equals(table), name


def test_an_interrupted_write_leaves_no_file(tmp_path: Path) -> None:
    company = simulate(20, months=6, cutoffs=[])
    broken = dict(company.tables) | {"zzz": "not a table"}
    object.__setattr__(company, "tables", broken)
    with pytest.raises(AttributeError):
        company.write(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_every_problem_is_said_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        simulate(0, months=3, seed=-1, horizon=0, silence="atitude", siblings=(400,), copies=1)
    text = str(caught.value)
    assert len(caught.value.problems) == 7
    assert "write `attitude`" in text


@pytest.mark.parametrize("cutoff", ["2023-01-01", "2024-01-02", "2023-06-01T12:00"])
def test_cutoffs_must_be_midnights_within_the_history(cutoff: str) -> None:
    with pytest.raises(UsageError, match="cutoff without a truth"):
        simulate(10, months=12, cutoffs=[cutoff])


def test_the_last_midnight_is_a_cutoff_and_the_start_must_be_one() -> None:
    assert len(simulate(10, months=12, cutoffs=["2024-01-01"], copies=2).truth) > 0
    with pytest.raises(UsageError, match="must start at midnight"):
        simulate(10, start="2023-01-01T05:00")


def test_writing_into_a_file_or_an_unknown_format_is_refused(tmp_path: Path) -> None:
    company = simulate(10, months=6, cutoffs=[])
    with pytest.raises(UsageError, match="write `parquet`"):
        company.write(tmp_path, "parkuet")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="not a folder"):
        company.write(tmp_path / "file")


def test_any_start_and_size() -> None:
    company = simulate(5, months=7, start="2021-03-31", cutoffs=[])
    assert company.observed_until == pd.Timestamp("2021-10-31", tz="UTC").value // 1000
    assert isinstance(company.tables["usage"], pa.Table)
