"""A source format is declared once, and whatever lists formats finds it there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from staypower.sources.formats import FORMATS

HEAVY = ("pandas", "pyarrow", "duckdb", "sqlglot", "numba")
LOOKED_FOR = """
import sys
from pathlib import Path

from staypower.sources import formats
from staypower.sources.format import Format, listed


def relation(opening):
    return f"read_csv({listed(opening.files)}, delim='@', columns={{'account_id': 'VARCHAR', 'at': 'VARCHAR'}}, header=false)"


tally = Format("tally", "Tally", (".tly",), "`source: data/a.tly`", relation)
formats.FORMATS = {**formats.FORMATS, "tally": tally}
sys.path.append("scripts")
from documentation.inputs import document_formats, document_keys
from staypower.errors import UsageError
from staypower.sources.opening import files_of
from staypower.sources.reading import read_tables
from staypower.sources.settings import TableSource
from staypower.sources.opening import source_files

folder = Path(sys.argv[1])
for given in ({"source": "one.tly"}, {"source": "one.dat", "format": "tally"}, {"source": "all"}):
    source = {"usage": [TableSource.model_validate(given)]}
    assert read_tables(source, folder=folder)[0].account_ids == ["a", "b"], given
assert source_files({"usage": [TableSource(source="one.tly")]}, folder)[0].rows == 0
for wrong in ("none", "odd"):
    try:
        files_of("none", "here", folder, {})
    except UsageError as error:
        assert "Tally" in str(error), error
try:
    TableSource(source="one.dat", format="tall")
except ValueError as error:
    assert "write `tally`" in str(error), error
assert "| Tally | `tally` | `.tly` | no: write Parquet | `source: data/a.tly` |" in document_formats()
assert "`tally`" in document_keys()
"""


def test_a_planted_format_is_found_everywhere(tmp_path):
    for name in ("one.tly", "one.dat", "all/a.tly"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("a@2024-01-02\nb@2024-01-03\n")
    (tmp_path / "none").mkdir()
    call = [sys.executable, "-c", LOOKED_FOR, str(tmp_path)]
    done = subprocess.run(call, capture_output=True, text=True, cwd=Path(__file__).parents[3])
    assert done.returncode == 0, done.stderr[-2000:]


def test_no_ending_means_two_formats():
    endings = [ending for form in FORMATS.values() for ending in form.endings]
    assert len(endings) == len(set(endings))
    assert all(name == form.name for name, form in FORMATS.items())


def test_formats_load_nothing_heavy():
    code = f"import sys; import staypower.sources.settings; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
