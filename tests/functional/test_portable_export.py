"""The exported folder alone, in a fresh process: no MLflow, nothing unpickled, no network, and the same bits."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from staypower.errors import UsageError
from staypower.models.bundle import read_bundle
from staypower.models.champion import read_versions

_PROGRAM = """
import sys
seen = []
def watch(event, args):
    if event in ("pickle.find_class", "socket.connect", "socket.getaddrinfo", "subprocess.Popen"):
        seen.append((event, str(args)[:80]))
    if event == "open" and isinstance(args[0], str) and args[0].startswith(sys.argv[1]):
        seen.append(("read", args[0][len(sys.argv[1]):]))
import numpy as np
from staypower.models.bundle import read_bundle
rows = np.load(sys.argv[3])
# numba reads the compiled routines that it keeps beside our source, in its own form: once, and nothing of the model
read_bundle(sys.argv[1], digest=sys.argv[2]).predict(rows)
sys.addaudithook(watch)
bundle = read_bundle(sys.argv[1], digest=sys.argv[2])
probability = bundle.predict(rows)
unsafe = [entry for entry in seen if entry[0] != "read"]
contributions, base = bundle.contributions(rows)
np.savez(sys.argv[4], probability=probability, contributions=contributions, base=base)
loaded = sorted({"mlflow", "shap", "skops"} & set(sys.modules))
files = sorted({name.strip("/") for kind, name in seen if kind == "read"})
print(repr((unsafe, loaded, files)))
"""


@pytest.fixture
def export(company, tmp_path: Path) -> tuple[Path, str]:
    """A copy of the exported folder far from its project, and the digest that is kept outside of it."""
    folder = tmp_path / "elsewhere" / "model"
    shutil.copytree(company.root / "models" / "demo" / "1", folder)
    return folder, read_versions(company.root / "models", "demo")["1"].digest


def test_it_loads_bit_identically_without_mlflow_and_pickle(company, export, tmp_path):
    folder, digest = export
    features = company.result.scored.scores.explanation.features
    np.save(tmp_path / "rows.npy", features.to_numpy())
    command = [sys.executable, "-c", _PROGRAM, str(folder), digest, str(tmp_path / "rows.npy"), str(tmp_path / "found.npz")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    unsafe, loaded, files = eval(done.stdout)
    assert unsafe == []
    assert loaded == []
    assert set(files) == {path.name for path in folder.iterdir()}
    assert {Path(name).suffix for name in files} == {".txt", ".json", ".md"}
    found = np.load(tmp_path / "found.npz")
    bundle = company.result.trained.bundle
    assert found["probability"].tobytes() == bundle.predict(features).tobytes()
    contributions, base = bundle.contributions(features)
    assert found["contributions"].tobytes() == contributions.tobytes()
    assert float(found["base"]) == base


def test_the_digest_lies_outside_and_finds_a_forger(company, export):
    folder, digest = export
    assert not any(digest.encode() in path.read_bytes() for path in folder.iterdir())
    assert json.loads((company.root / "models" / "demo" / "versions.json").read_text())["1"]["digest"] == digest
    assert read_bundle(folder, digest=digest) == company.result.trained.bundle
    with pytest.raises(UsageError, match="not the one that was sealed"):
        read_bundle(folder, digest="0" * 64)
