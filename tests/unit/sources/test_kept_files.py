"""Rows that are kept from run to run are the rows that would have been read, whatever happened to the files meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from staypower.errors import UsageError
from staypower.sources import disk_writing
from staypower.sources.bucket_files import ENDING
from staypower.sources.disk_tables import DiskTables
from staypower.sources.disk_writing import write_buckets
from staypower.sources.kept_files import KeptFiles
from staypower.sources.settings import TableSource

DAY = 86_400_000_000
USAGE = {"source": "usage/*.parquet", "fixed": ["event"]}


def put(file: Path, *, begin: int, rows: int = 60, step: int = 7 * 3_600_000_000, seed: int = 0, **columns: object) -> None:
    """Write a file of one table: the first rows are of many accounts, some ids of rows come twice."""
    file.parent.mkdir(parents=True, exist_ok=True)
    numbers = np.arange(rows)
    at = pa.array(begin * DAY + numbers * step, pa.timestamp("us", "UTC"))
    data = {
        "account_id": pa.array([f"a{(n * 7 + seed) % 23}" for n in numbers.tolist()], pa.string()),
        "at": at,
        "opened_at": at,
        "event": pa.array([f"e{(n + seed) % 5}" for n in numbers.tolist()], pa.string()),
        "ticket_id": pa.array([f"t{(n * 3) % 40}" for n in numbers.tolist()], pa.string()),
        "quantity": (numbers % 9).astype(float),
        **columns,
    }
    pq.write_table(pa.table(data), file)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for day in range(3):
        put(tmp_path / "usage" / f"{day}.parquet", begin=19_000 + 20 * day, seed=day)
        put(tmp_path / "tickets" / f"{day}.parquet", begin=19_000 + 20 * day, seed=day)
    ids = [f"a{n}" for n in range(20)]
    pq.write_table(pa.table({"account_id": ids, "segment": ["big", "small"] * 10}), tmp_path / "accounts.parquet")
    (tmp_path / "visits.csv").write_text("account_id,at\n" + "".join(f"a{n},2022-01-{n + 1:02d}\n" for n in range(20)))
    return tmp_path


def written_out(rows: pa.Table) -> pa.Table:
    """Texts as they are, whether or not they are stored as numbers."""
    plain = [field.type.value_type if pa.types.is_dictionary(field.type) else field.type for field in rows.schema]
    return rows.cast(pa.schema(list(zip(rows.column_names, plain, strict=True)))).combine_chunks()


HARM = {
    "cut": lambda content: content[:-40],
    "changed": lambda content: content[:200] + b"?" + content[201:],
    "empty": lambda _: b"",
}


class Runs:
    """Reads a project with and without rows that are kept, and counts the files that were read to be kept."""

    def __init__(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.project, self.number, self.read, self.said = project, 0, list[str](), list[str]()
        rows = KeptFiles.rows

        def counted(kept, unit, key, into, write):
            def writing(path):
                self.read.append(Path(str(unit.source.source)).name)
                write(path)

            rows(kept, unit, key, into, writing)

        monkeypatch.setattr(KeptFiles, "rows", counted)

    def kept(self) -> KeptFiles:
        return KeptFiles(self.project / "kept", self.project, self.said.append)

    def write(self, keep: KeptFiles | None, **usage: object) -> DiskTables:
        self.number += 1
        listed = {"usage": {**USAGE, **usage}, "tickets": {"source": "tickets"}, "accounts": {"source": "accounts.parquet"}}
        listed["visits"] = {"source": "visits.csv", "time": "at"}
        listed["accounts"]["static"] = ["segment"]
        sources = {name: [TableSource.model_validate(keys)] for name, keys in listed.items()}
        into = self.project / f"into-{self.number}"
        return write_buckets(sources, folder=self.project, into=into, buckets=3, memory=10**9, keep=keep)[0]

    def check(self, **usage: object) -> list[str]:
        """Hold the tables of a run that keeps rows to those of one that does not; return what was read."""
        self.read.clear()
        kept, plain = self.write(self.kept(), **usage), self.write(None, **usage)
        assert (kept.observed_until, kept.holding, kept.listed) == (plain.observed_until, plain.holding, plain.listed)
        for number in plain.buckets:
            theirs, ours = plain.bucket(number), kept.bucket(number)
            assert list(ours) == list(theirs)
            for name, table in theirs.items():
                assert written_out(ours[name].data).equals(written_out(table.data)), name
                assert (ours[name].date_only, ours[name].changed) == (table.date_only, table.changed)
        return sorted(self.read)


@pytest.fixture
def runs(project: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    found = Runs(project, monkeypatch)
    assert len(found.check()) == 8
    assert found.check() == []
    return found


def files_in(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{ENDING}"))


def test_only_files_that_are_new_or_changed_are_read(runs, project):
    put(project / "usage" / "9.parquet", begin=19_090)
    assert runs.check() == ["9.parquet"]
    put(project / "usage" / "05.parquet", begin=18_990)  # comes before others, and so do its rows
    put(project / "tickets" / "05.parquet", begin=18_990)
    assert runs.check() == ["05.parquet", "05.parquet"]
    put(project / "tickets" / "1.parquet", begin=19_021, seed=4)
    assert runs.check() == ["1.parquet"]
    (project / "usage" / "0.parquet").unlink()
    before = files_in(project / "kept")
    assert runs.check() == []
    assert set(before) > set(files_in(project / "kept"))
    accounts = pa.table({"account_id": [f"a{n}" for n in range(23)], "segment": ["big"] * 23})
    pq.write_table(accounts, project / "accounts.parquet")  # rows that were of nobody now count
    (project / "visits.csv").write_text("account_id,at\na1,2022-01-03\n")
    assert runs.check() == ["accounts.parquet", "visits.csv"]
    assert not runs.said


def test_what_decides_the_meaning_of_rows_is_not_overlooked(runs, project):
    assert runs.check(where="quantity > 2") == ["0.parquet", "1.parquet", "2.parquet"]
    assert len(runs.check(quantity="quantity * 2")) == 3
    # one file of days among files of times: a date is then known at the end of its day
    put(project / "usage" / "5.parquet", begin=19_100, step=DAY)
    assert runs.check() == ["5.parquet"]
    for day in range(3):
        (project / "usage" / f"{day}.parquet").unlink()
    assert runs.check() == ["*.parquet"]
    # another type in one file: the files are read together
    put(project / "usage" / "6.parquet", begin=19_110, quantity=np.arange(60))
    assert runs.check() == ["*.parquet"]
    # ids that are all written as fractions, until one is not
    for day in (5, 6):
        put(project / "usage" / f"{day}.parquet", begin=19_120 + day, account_id=[f"{n % 20}.0" for n in range(60)])
    assert runs.check() == ["5.parquet", "6.parquet"]
    put(project / "usage" / "7.parquet", begin=19_130)
    assert runs.check() == ["5.parquet", "6.parquet", "7.parquet"]


def test_a_file_without_rows_and_a_folder_that_names_a_column(project, monkeypatch):
    for day in (1, 2):
        put(project / f"day={day}" / "rows.parquet", begin=19_000 + day)
    runs = Runs(project, monkeypatch)
    usage = {"source": "day=*/*.parquet", "event": "day"}
    assert len(runs.check(**usage)) == 7
    put(project / "day=3" / "rows.parquet", begin=19_003, rows=0)
    assert runs.check(**usage) == ["rows.parquet"]
    assert runs.check(**usage) == []


def test_times_that_were_set_back_do_not_hide_another_content(runs, project):
    file = project / "usage" / "1.parquet"
    state = file.stat()
    put(file, begin=19_020, seed=2)
    assert file.stat().st_size == state.st_size
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert runs.check() == ["1.parquet"]


@pytest.mark.parametrize(
    "harm", [lambda content: content[:-40], lambda content: content[:200] + b"?" + content[201:], lambda _: b""]
)
def test_what_is_damaged_is_made_anew_and_said_once(runs, project, harm):
    kept = files_in(project / "kept")
    for place in (kept[0], next((project / "kept").glob("*.json"))):
        place.write_bytes(harm(place.read_bytes()))
    assert len(runs.check()) == 1
    assert len(runs.said) == 2
    assert "damaged: made anew" in runs.said[0]
    assert runs.check() == []
    assert len(runs.said) == 2


def test_a_run_that_died_while_it_wrote_leaves_nothing_that_counts(project, monkeypatch):
    code = (
        "import os, sys; from pathlib import Path; import test_kept_files as t\n"
        "from staypower.sources import bucket_files as b\nflush = b.BucketWriter.flush; calls = []\n"
        "def dying(writer):\n    flush(writer); calls.append(1); len(calls) < 3 or os._exit(9)\n"
        "b.BucketWriter.flush = dying; import pytest\n"
        "with pytest.MonkeyPatch.context() as m:\n    r = t.Runs(Path(sys.argv[1]), m); r.write(r.kept())"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    done = subprocess.run([sys.executable, "-c", code, str(project)], env=environment, check=False)
    assert done.returncode == 9
    assert list((project / "kept").glob("*.unfinished"))
    finished = len(files_in(project / "kept"))
    runs = Runs(project, monkeypatch)
    runs.number = 1
    assert 0 < len(runs.check()) == 8 - finished
    assert not list((project / "kept").glob("*.unfinished"))


def test_two_runs_at_once_read_each_file_once(project, monkeypatch):
    runs = Runs(project, monkeypatch)
    tables: list[DiskTables] = []
    threads = [threading.Thread(target=lambda: tables.append(runs.write(runs.kept()))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(runs.read) == 8
    one, other = tables
    assert all(one.bucket(n)["usage"].data.equals(other.bucket(n)["usage"].data) for n in one.buckets)


def test_rows_that_depend_on_another_table_are_read_again(project):
    sources = {
        "subscriptions": [
            TableSource.model_validate({"source": "tickets/0.parquet", "started_at": "at", "subscription_id": "ticket_id"})
        ],
        "payments": [
            TableSource.model_validate(
                {"source": "tickets", "key_via": "subscriptions", "subscription_id": "ticket_id", "amount": "quantity"}
            )
        ],
    }
    keep = KeptFiles(project / "kept", project, print)
    for into in ("one", "two"):
        made, _ = write_buckets(sources, folder=project, into=project / into, buckets=2, memory=10**9, keep=keep)
        assert made.row_count("payments") == 180
    assert len(files_in(project / "kept")) == 1


def test_a_folder_that_cannot_be_made_is_named(project, monkeypatch):
    (project / "kept").write_text("in the way")
    with pytest.raises(UsageError, match=r"/kept.* Fix: there is a file where a folder is needed"):
        Runs(project, monkeypatch).check()


def test_where_files_cannot_be_linked_they_are_copied(project, monkeypatch):
    runs = Runs(project, monkeypatch)
    monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError("another file system")))
    assert len(runs.check()) == 8
    assert all(place.stat().st_nlink == 1 for place in files_in(project / "kept"))
    assert disk_writing.BucketWriter.sealed is False
