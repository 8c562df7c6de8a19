"""What the system refuses at a place, and values of a bundle that cannot be read, are problems with a fix."""

from __future__ import annotations

import dataclasses
import errno
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from small_bundle import small_bundle

from staypower.errors import UsageError, at_place, place_error
from staypower.models.bundle import write_bundle
from staypower.outputs.files import write_table
from staypower.results.pictures import Picture, write_pictures
from staypower.scoring.predictions import Predictor
from staypower.writing import write_atomically

FRAME = pd.DataFrame({"account_id": ["a"], "p": [0.5]})
# no such place can be made: the first two by the system's own file systems, the third because a file is in the way
CLOSED = [Path("/sys/nope"), Path("/proc/nope"), Path("/dev/null/nope")]


@pytest.mark.parametrize("place", CLOSED, ids=str)
@pytest.mark.parametrize(
    "write",
    [
        lambda place: write_table(FRAME, place / "scores.csv"),
        lambda place: write_table(FRAME, place / "scores.parquet"),
        lambda place: write_pictures({"roc": Picture(figsize=(1, 1))}, place),
        lambda place: write_bundle(small_bundle(), place / "bundle"),
    ],
    ids=["csv", "parquet", "pictures", "bundle"],
)
def test_a_place_that_cannot_be_made_is_named_with_a_fix(place: Path, write: Any) -> None:
    with pytest.raises(UsageError) as caught:
        write(place)
    assert str(place) in str(caught.value)
    assert "Fix: " in str(caught.value)


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_every_number_of_the_system_is_told_with_the_place(number: int) -> None:
    with pytest.raises(UsageError) as caught, at_place("out/scores.csv"):
        raise OSError(number, "refused")
    problem = caught.value.problems[0]
    assert (problem.problem, problem.value) == ("refused", "out/scores.csv")
    assert problem.fix


def test_an_error_without_words_or_place_still_says_something() -> None:
    problem = place_error(OSError()).problems[0]
    assert (problem.problem, problem.value) == ("refused by the system", "a place that the system does not name")


def test_a_disk_that_fills_up_leaves_the_old_file_and_names_the_users_path(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("old")

    def fill(temporary: Path) -> None:
        temporary.write_text("half")
        raise pa.ArrowIOError("[Errno 28] Error writing bytes to file")

    with pytest.raises(UsageError, match=str(path)):
        write_atomically(path, fill)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["scores.csv"]


def learned_values() -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for part in ("catalogue", "usual", "reasons"):
        found += [(part, value) for value in (None, 1, "x", [], {}, [1], {"a": 1}, {"leavers": 1}, {"leavers": {"levers": 1}})]
    # without typical values or reasons for leaving a model still scores
    lacking = [("reasons", {}), ("reasons", {"a": 1}), ("usual", {}), ("usual", {"a": 1}), ("usual", {"leavers": 1})]
    return [one for one in found if one not in lacking and one != ("usual", {"leavers": {"levers": 1}})]


@pytest.mark.parametrize(("part", "value"), learned_values(), ids=str)
def test_learned_definitions_that_were_changed_and_sealed_again_are_refused(part: str, value: Any) -> None:
    bundle = small_bundle()
    with pytest.raises(UsageError, match="unusable bundle"):
        Predictor.of(dataclasses.replace(bundle, learned={**bundle.learned, part: value}))


def test_a_feature_that_the_catalogue_lost_is_refused() -> None:
    bundle = small_bundle()
    learned = json.loads(json.dumps(bundle.learned))
    del learned["catalogue"]["definitions"][0]
    with pytest.raises(UsageError, match="usage_events_28d is not described"):
        Predictor.of(dataclasses.replace(bundle, learned=learned))
