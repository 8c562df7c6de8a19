"""A config is read quickly: what computes is loaded by the job that computes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFIGS = sorted((Path(__file__).parents[3] / "configs").glob("*.yaml"))
# numpy is allowed: a time meets a cutoff in one module, for single times and for arrays, and that costs 0.06 s
HEAVY = {"pandas", "pyarrow", "numba", "sklearn", "scipy", "lightgbm", "duckdb", "mlflow", "shap", "matplotlib", "rich"}


def loaded(code: str, folder: Path) -> set[str]:
    script = f"import sys\n{code}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    ended = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env={"STAYPOWER_DATA": "data", **os.environ},
    )
    return set(ended.stdout.split())


@pytest.mark.parametrize("config", [path for path in CONFIGS if path.name != "playbooks.yaml"], ids=lambda path: path.stem)
def test_a_config_is_loaded_without_what_computes(config: Path, tmp_path: Path) -> None:
    code = f"from staypower.config.loading import load_config\nload_config({str(config)!r})"
    assert loaded(code, tmp_path) & HEAVY == set()


def test_expressions_are_parsed_only_where_there_are_some(tmp_path: Path) -> None:
    usage = "usage: {source: usage.csv, account_id: acct, at: %s}"
    (tmp_path / "plain.yaml").write_text("name: a\ntables:\n  " + usage % "when" + "\nlabel: {kind: non_contractual}\n")
    code = "from staypower.config.loading import load_config\nload_config('plain.yaml', ['label.table=usage'])"
    assert "sqlglot" not in loaded(code, tmp_path)


def test_a_typo_in_a_config_is_refused_before_anything_heavy_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "staypower.yaml").write_text("nmae: acme\n")
    code = (
        "from staypower.cli.commands import app\ntry:\n    app(['train'])\nexcept SystemExit as end:\n    assert end.code == 2"
    )
    assert loaded(code, tmp_path) & HEAVY == set()
