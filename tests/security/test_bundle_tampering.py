"""Everything that can be done to a bundle's folder is refused before LightGBM sees a byte of it.

LightGBM ends the interpreter on a broken model, so a case that slipped through would end this very process.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import textwrap
from dataclasses import replace

import numpy as np
import pytest

from staypower.errors import UsageError
from staypower.models import bundle as bundle_module
from staypower.models.bundle import SealedModel, read_bundle, write_bundle
from staypower.models.churn import ChurnClassifier
from staypower.models.seal import FILES, json_values, secondary_files

TREES, VALUES = secondary_files("kinds")
ALL = [*FILES, TREES, VALUES]
MODELS = ["model.txt", TREES]


@pytest.fixture(scope="module")
def original():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 3))
    X[:, 2] = rng.integers(0, 30, 2000)
    y = X[:, 0] + 2 * (X[:, 2] % 3) + rng.normal(size=2000) > 2
    model = ChurnClassifier(max_trees=5, categorical_features=[2], n_jobs=1, feature_fraction=1.0, margin=False).fit(X, y)
    kinds = SealedModel(model.model_text_, model.calibration_, ("a", "b", "c"), {"for": "kinds"})
    return replace(model.to_bundle(metadata={"name": "acme"}, card="card"), secondary={"kinds": kinds})


@pytest.fixture
def folder(original, tmp_path):
    write_bundle(original, tmp_path / "b")
    return tmp_path / "b"


@pytest.fixture
def unread(monkeypatch):
    """Fail when the trees are read at all."""

    def never(text):
        raise AssertionError("LightGBM was given a bundle that should have been refused")

    monkeypatch.setattr(bundle_module, "booster_of", never)
    monkeypatch.setattr(bundle_module, "booster_of", never)


def seal_again(folder, names=ALL):
    listed = {
        name: {
            "bytes": (folder / name).stat().st_size,
            "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest(),
        }
        for name in names
    }
    (folder / "manifest.json").write_text(json.dumps({"format": "staypower bundle 1", "files": listed}))


def refused(folder, match, **given):
    with pytest.raises(UsageError, match=match) as caught:
        read_bundle(folder, **given)
    assert "Fix: " in str(caught.value)


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize("name", [*ALL, "manifest.json"])
@pytest.mark.parametrize("how", ["flip", "truncate", "empty", "extend", "remove", "link", "folder", "pipe"])
def test_every_file_is_guarded(folder, name, how, original):
    path = folder / name
    content = path.read_bytes()
    if how == "flip":
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    elif how == "truncate":
        path.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "extend":
        path.write_bytes(content + b"\n")
    else:
        path.unlink()
    if how == "link":
        (folder.parent / "outside").write_bytes(content)
        path.symlink_to(folder.parent / "outside")
    elif how == "folder":
        path.mkdir()
    elif how == "pipe":
        os.mkfifo(path)
    refused(folder, "bundle|a link|not a file", digest=original.digest)
    if how != "extend" or name != "manifest.json":  # blanks after the manifest are found by its digest only
        refused(folder, "bundle|a link|not a file")


@pytest.mark.usefixtures("unread")
def test_swapped_files_are_refused(folder):
    os.rename(folder / "learned.json", folder / "aside")
    os.rename(folder / "metadata.json", folder / "learned.json")
    os.rename(folder / "aside", folder / "metadata.json")
    refused(folder, "a file of the bundle was altered")


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize(
    "extra",
    [
        *("model.pkl", ".hidden", "MLmodel", "conda.yaml", "companion_tier.txt", "companion_tier.json", "companion_.txt"),
        *("companion_Tier.txt", "companion_kinds.txt\n", "companion_kinds.pkl", "companion_" + "a" * 41 + ".txt"),
    ],
)
def test_extra_files_are_refused(folder, extra):
    (folder / extra).write_text("x")
    refused(folder, "does not belong to the bundle")


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "sub/model.txt", "model.txt\0"])
def test_a_manifest_cannot_name_other_files(folder, path):
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][path] = manifest["files"].pop("card.md")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    refused(folder, "does not list the bundle's files")


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize("gone", [TREES, VALUES])
def test_half_a_secondary_model_is_refused_even_when_sealed_again(folder, gone):
    (folder / gone).unlink()
    seal_again(folder, [name for name in ALL if name != gone])
    refused(folder, "does not list the bundle's files")


@pytest.mark.usefixtures("unread")
def test_a_secondary_model_cannot_be_taken_away_or_slipped_in(folder, original):
    for name in (TREES, VALUES):
        os.rename(folder / name, folder.parent / name)
    refused(folder, "a file of the bundle is missing")
    seal_again(folder, FILES)
    refused(folder, "not the one that was sealed", digest=original.digest)
    assert not read_bundle(folder).secondary
    for name in (TREES, VALUES):
        os.rename(folder.parent / name, folder / name)
    refused(folder, "does not belong to the bundle")


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize(
    "manifest",
    [
        "[]",
        "{}",
        '{"format": "staypower bundle 2", "files": {}}',
        '{"format": "staypower bundle 1", "files": []}',
        '{"format": "staypower bundle 1", "format": "staypower bundle 1"}',
        "[" * 60_000,
        "\xff",
        '{"format": NaN}',
    ],
)
def test_a_senseless_manifest_is_refused(folder, manifest):
    (folder / "manifest.json").write_bytes(manifest.encode("latin-1"))
    refused(folder, "bundle")


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize("name", ["manifest.json", "calibration.json", "card.md", VALUES])
def test_oversize_files_are_refused_unread(folder, name):
    with (folder / name).open("r+b") as file:
        file.truncate(1 << 30)  # sparse: takes no room
    refused(folder, "too large")


@pytest.mark.usefixtures("unread")
def test_another_whole_bundle_is_refused_by_the_digest(folder, original):
    (folder / "card.md").write_text("forged")
    seal_again(folder)
    refused(folder, "not the one that was sealed", digest=original.digest)
    assert read_bundle(folder).card == "forged"  # which is why the digest is kept outside the folder


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("calibration.json", '{"kind": "sigmoid", "slope": -1.0, "intercept": 0.0}'),
        ("calibration.json", '{"kind": "pickle"}'),
        ("calibration.json", '{"kind": "temperature", "temperature": 1e999}'),
        ("schema.json", '{"features": ["f0"], "categories": {}}'),
        ("schema.json", '{"features": [1, 2, 3], "categories": {}}'),
        ("schema.json", '{"features": ["a", "b", 0.5], "categories": {"z": {}}}'),
        ("schema.json", '{"features": "abc", "categories": {}}'),
        ("schema.json", '{"features": ["a", "b", "c"], "categories": {"a": 5}}'),
        ("schema.json", '{"features": [["a"], ["b"], ["c"]], "categories": {}}'),
        ("learned.json", "[1]"),
        ("metadata.json", '{"a": 1, "a": 2}'),
        ("card.md", "\xff"),
        (VALUES, '{"calibration": null, "features": ["a", "b"], "metadata": {}}'),
        (VALUES, '{"calibration": null, "features": ["a", "b", "c"]}'),
        (VALUES, '{"calibration": null, "features": ["a", "b", "c"], "metadata": {}, "code": "x"}'),
        (VALUES, '{"calibration": null, "features": "abc", "metadata": {}}'),
        (VALUES, '{"calibration": null, "features": [["a"], "b", "c"], "metadata": {}}'),
        (VALUES, '{"calibration": [], "features": ["a", "b", "c"], "metadata": {}}'),
        (VALUES, '{"calibration": {"kind": "pickle"}, "features": ["a", "b", "c"], "metadata": {}}'),
        (VALUES, '{"calibration": null, "features": ["a", "b", "c"], "metadata": []}'),
        (TREES, "\xff"),
        (TREES, "tree"),
    ],
)
def test_senseless_content_is_refused_even_when_sealed_again(folder, name, content):
    (folder / name).write_bytes(content.encode("latin-1"))
    seal_again(folder)
    refused(folder, ".")


SWAPS = [
    (r"\Atree\n", "linear\n"),
    (r"version=v4", "version=v3"),
    (r"num_class=1", "num_class=2"),
    (r"max_feature_idx=2", "max_feature_idx=1"),
    (r"objective=binary sigmoid:1", "objective=regression"),
    (r"tree_sizes=\d", "tree_sizes=9"),
    (r"tree_sizes=", "tree_sizes=-"),
    (r"(?m)^num_leaves=\d", "num_leaves=9"),
    (r"(?m)^num_cat=\d", "num_cat=7"),
    (r"(?m)^left_child=1", "left_child=5"),
    (r"(?m)^left_child=1", "left_child=0"),
    (r"(?m)^split_feature=\d", "split_feature=3"),
    (r"(?m)^leaf_value=[^ ]+", "leaf_value=nan"),
    (r"(?m)^leaf_value=[^ ]+", "leaf_value=1_0"),
    (r"(?m)^threshold=", "treshold="),
    (r"(?m)^cat_boundaries=0 1", "cat_boundaries=0 900"),
    (r"(?m)^cat_threshold=\d+", "cat_threshold=9999999999"),
    (r"(?m)^is_linear=0", "is_linear=1"),
    (r"(?m)^leaf_weight", "\nleaf_weight"),
    (r"end of trees\n", ""),
    (r"end of trees\n", "end of trees\nparameters:\n"),
]


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("pattern", "instead"), SWAPS)
def test_a_forged_model_text_is_refused_even_when_sealed_again(folder, pattern, instead, model):
    text = (folder / model).read_text()
    forged, count = re.subn(pattern, lambda _: instead, text, count=1)
    assert count == 1
    if "tree_sizes" not in pattern:  # let the text reach the check that it is about
        blocks = re.findall(r"Tree=\d+\n.*?\n\n\n", forged, flags=re.DOTALL)
        forged = re.sub(r"tree_sizes=.*", "tree_sizes=" + " ".join(str(len(block)) for block in blocks), forged)
    (folder / model).write_text(forged)
    seal_again(folder)
    refused(folder, "broken model text")


def test_a_thousand_forgeries_end_no_interpreter(original, tmp_path):
    (tmp_path / "model.txt").write_text(original.model_text)
    program = textwrap.dedent(
        """
        import random, re, sys
        import numpy as np
        from staypower.errors import UsageError
        from staypower.models.bundle import Bundle
        from staypower.models.calibration import TemperatureMap

        text = open(sys.argv[1]).read()
        drawn = random.Random(0)
        X = np.vstack([np.random.default_rng(0).normal(size=(20, 3)), np.full((1, 3), np.nan), [[1e300, -5.0, 1e9]]])
        refused = 0
        for _ in range(1000):
            at = drawn.randrange(len(text))
            change = drawn.choice(["", "-", "9", " ", "\\n", "=", "nan", "999999999", "_", chr(drawn.randrange(32, 127))])
            forged = text[:at] + change + text[at + drawn.choice([0, 0, 1, 1, 1, 30]):]
            if drawn.random() < 0.1:
                forged = text[:at]
            blocks = re.findall(r"Tree=\\d+\\n.*?\\n\\n\\n", forged, flags=re.DOTALL)
            forged = re.sub("tree_sizes=.*", "tree_sizes=" + " ".join(str(len(block)) for block in blocks), forged)
            try:
                bundle = Bundle(forged, TemperatureMap(1.0), ("a", "b", "c"))
                bundle.predict(X, threads=1)
                bundle.contributions(X, threads=1)
            except UsageError:
                refused += 1
        print(refused)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "model.txt")], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 500


def test_a_missing_folder_and_a_file_are_said(tmp_path):
    refused(tmp_path / "nowhere", "no bundle there")
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file", "no bundle there")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "a file of the bundle is missing")


@pytest.mark.parametrize(
    "number", ["9223372036854775808", "-9223372036854775808", "9" * 27, "9" * 5000, "1e400", "-1e400", "Infinity"]
)
def test_a_number_that_no_model_holds_is_refused_wherever_it_stands(number):
    with pytest.raises(UsageError, match="unreadable file in the bundle"):
        json_values(f'{{"a": [{{"b": {number}}}]}}'.encode(), "learned.json")
    assert json_values(b'{"a": [9223372036854775807, -1e300, 0.5]}', "learned.json")["a"] == [2**63 - 1, -1e300, 0.5]
