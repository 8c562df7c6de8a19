"""What a release wrote stays readable: configs load, bundles score, and what they say does not change."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

import staypower

STORED = sorted((Path(__file__).parents[1] / "stored").iterdir())


def test_the_version_of_today_is_stored():
    assert staypower.__version__ in [folder.name for folder in STORED]


@pytest.mark.parametrize("release", STORED, ids=lambda folder: folder.name)
def test_a_stored_company_scores_as_it_did(release: Path, tmp_path: Path) -> None:
    shutil.copytree(release, tmp_path / "company")
    settings = staypower.load_config(tmp_path / "company" / "staypower.yaml")
    found = staypower.score(settings, model=tmp_path / "company" / "model", write=False).frame()
    expected = pd.read_csv(release / "scores.csv").set_index("account_id")["churn_probability"]
    scored = found.set_index("account_id")["churn_probability"].dropna()
    assert scored.index.tolist() == expected.index.tolist()
    pd.testing.assert_series_equal(scored, expected, check_exact=False, rtol=0, atol=1e-12, check_dtype=False)
