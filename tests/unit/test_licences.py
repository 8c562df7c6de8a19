"""What the package stands on: every dependency has a licence that it may be used under, and nothing reports home."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from email.message import Message

import pytest
from packaging.requirements import Requirement

# permissive licences, and those of the weak kind that bind changes of the library itself only
ALLOWED = ("Apache", "MIT", "BSD", "ISC", "PSF", "Python Software Foundation", "MPL", "Mozilla Public", "Zlib", "HPND")
ALLOWED += ("Unlicense", "CC0", "BSL-1.0", "LGPL")


def dependencies() -> Iterator[str]:
    """Name every package that staypower needs without extras, those that they need included."""
    waiting, seen = ["staypower"], set[str]()
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        if name != "staypower":
            yield name
        try:
            asked = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for one in map(Requirement, asked):
            if one.marker is None or one.marker.evaluate({"extra": ""}):
                waiting.append(one.name)


def licence_of(name: str) -> str:
    """Return what a package says of its licence."""
    known: Message = importlib.metadata.metadata(name)  # type: ignore[assignment]
    classifiers = [one.rpartition("::")[2].strip() for one in known.get_all("Classifier", []) if one.startswith("License")]
    words = [known.get("License-Expression") or "", *classifiers, (known.get("License") or "").strip().partition("\n")[0]]
    return next((word for word in words if word and word != "OSI Approved"), "") or written_licence(name)


def written_licence(name: str) -> str:
    """Return the first line of a package's licence, for those that name it in no field."""
    files = importlib.metadata.files(name) or []
    texts = (file.read_text() for file in files if re.fullmatch(r"(LICEN[CS]E|COPYING)([.-]\w+)?", file.name, re.IGNORECASE))
    text = next(texts, "")
    return "MIT" if "Permission is hereby granted, free of charge" in text else text.strip().partition("\n")[0]


LISTED = sorted(dependencies())


def test_the_list_is_whole():
    assert {"numpy", "pandas", "lightgbm", "mlflow", "duckdb", "sqlalchemy", "numba", "shap"} <= set(LISTED)
    assert len(LISTED) > 50


@pytest.mark.parametrize("name", LISTED)
def test_every_dependency_has_a_licence_that_allows_its_use(name):
    try:
        found = licence_of(name)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("not needed on this system")
    assert any(word.lower() in found.lower() for word in ALLOWED), f"{name}: {found or 'no licence stated'}"
    strong = re.search(r"(?<!L)(A?GPL)", found)
    assert not strong or " OR " in found, f"{name}: {found}"


def test_nothing_reports_home():
    """Whatever the environment says, the telemetry of MLflow is off."""
    program = "import staypower.tracking, os; print(os.environ['MLFLOW_DISABLE_TELEMETRY'], os.environ['DO_NOT_TRACK'])"
    bare = {name: value for name, value in os.environ.items() if name not in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK")}
    for given in ({}, {"MLFLOW_DISABLE_TELEMETRY": "false"}):
        words = [sys.executable, "-c", program]
        done = subprocess.run(words, capture_output=True, text=True, env={**bare, **given}, check=True)
        assert done.stdout.split() == ["true", "true"]
