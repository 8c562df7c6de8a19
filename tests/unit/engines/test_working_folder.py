from __future__ import annotations

import subprocess
import sys
from contextlib import suppress

import pytest

from staypower.engines.opening import working_folder
from staypower.errors import UsageError


def test_it_goes_with_what_was_made_for_it(tmp_path):
    cache = tmp_path / "out" / "cache"
    with working_folder(cache, "score", "abc") as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "part").write_text("x")
    assert not list(tmp_path.iterdir())


def test_what_others_keep_in_the_cache_stays(tmp_path):
    (tmp_path / "score-run.parquet").write_text("kept")
    (tmp_path / "features-run-1").mkdir()
    (tmp_path / "score-run-old").mkdir()
    with working_folder(tmp_path, "score", "abc"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["features-run-1", "score-run.parquet"]


def test_a_refusal_takes_it_away_and_a_failure_keeps_it(tmp_path):
    with pytest.raises(UsageError), working_folder(tmp_path / "cache", "score", "abc"):
        raise UsageError.of("problem", "value", "fix")
    assert not list(tmp_path.iterdir())
    with suppress(KeyboardInterrupt), working_folder(tmp_path, "score", "abc") as folder:
        (folder / "part").write_text("finished")
        raise KeyboardInterrupt
    with working_folder(tmp_path, "score", "abc") as folder:
        assert (folder / "part").read_text() == "finished"


def test_two_runs_of_the_same_do_not_work_in_one_folder(tmp_path):
    program = (
        "import sys; from pathlib import Path; from staypower.engines.opening import working_folder\n"
        f"with working_folder(Path({str(tmp_path)!r}), 'score', 'abc'): print('held', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(UsageError, match="another run"), working_folder(tmp_path, "score", "abc"):
            pass
        with working_folder(tmp_path, "score", "other"):
            pass
        assert (tmp_path / "score-run-abc").is_dir()
    finally:
        other.kill()
        other.communicate()
    with working_folder(tmp_path, "score", "abc"):
        pass
