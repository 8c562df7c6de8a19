from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staypower.config.reading import DEEPEST, LARGEST_FILE, document_of, read_document, read_scalar, read_text
from staypower.errors import UsageError


def refused(text: str) -> str:
    with pytest.raises(UsageError) as caught:
        read_text(text, "c.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("no", "no"),
        ("on", "on"),
        ("Off", "Off"),
        ("yes", "yes"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("0123", "0123"),
        ("007", "007"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("90", 90),
        ("-3", -3),
        ("0", 0),
        ("0.5", 0.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1e999", "1e999"),
        (".nan", ".nan"),
        (".inf", ".inf"),
        ("2025-10-06", "2025-10-06"),
        ("0-10", "0-10"),
        ("~", None),
        ("null", None),
        ("", None),
        ("1234567890123456789012", "1234567890123456789012"),
    ],
)
def test_scalars_are_what_is_written(text: str, value: object) -> None:
    read = read_text(f"key: {text}").values["key"]
    assert read == value
    assert type(read) is type(value)
    assert read_scalar(text) == value


def test_quotes_make_text() -> None:
    assert read_text("a: '90'\nb: \"true\"\nc: ''\nd: |\n  90\n").values == {"a": "90", "b": "true", "c": "", "d": "90\n"}


def test_keys_are_text() -> None:
    assert read_text("{1: a, no: b, null: c, 2025-01-01: d}").values == {"1": "a", "no": "b", "null": "c", "2025-01-01": "d"}


def test_lines_of_every_part() -> None:
    lines = read_text("name: a\ntables:\n  surveys:\n    - source: a.csv\n    - {source: b.csv,\n       scale: 0-10}\n").lines
    assert lines["tables.surveys"] == 3
    assert lines["tables.surveys.0.source"] == 4
    assert lines["tables.surveys.1.scale"] == 6


def test_equal_keys_are_refused_all_at_once_with_both_lines() -> None:
    message = refused("name: a\nlabel:\n  gap: 1\n  gap: 2\nname: b\n")
    assert "`label.gap` in c.yaml, lines 3 and 4" in message
    assert "`name` in c.yaml, lines 1 and 5" in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: !!python/object/apply:os.system [ls]", "a tag"),
        ("a: !!str 1", "a tag"),
        ("a: !x {}", "a tag"),
        ("a: 1\n---\nb: 2", "a second document, c.yaml, line 2"),
        ("? [a, b]\n: 1", "a list or mapping as a key"),
        ("a: *missing", "without its anchor"),
        ("a: &a [*a]", "without its anchor"),
        ("x: &k 1\n*k : 2", "an alias as a key"),
        ("- a\n- b", "not a mapping of keys to values"),
        ("just words", "not a mapping of keys to values"),
        ("", "not a mapping of keys to values"),
        ("a: [1, 2", "not valid YAML: c.yaml, line 1"),
        ("a: 1\n b: 2", "not valid YAML: c.yaml, line 2"),
        ("a: \tb\n\t- c: 'x", "not valid YAML"),
        ("a: \x00", "not valid YAML"),
    ],
)
def test_what_is_not_a_config_is_refused(text: str, expected: str) -> None:
    assert expected.split(", c.yaml")[0] in refused(text)
    assert "Fix:" in refused(text)


def test_nesting_is_bounded_and_cannot_overflow_the_stack() -> None:
    inner = DEEPEST - 1
    assert read_text("a: " + "[" * inner + "]" * inner).values["a"] is not None
    for text in ("a: " + "[" * 200_000, "{a: " * 100_000, "- " * 100_000):
        assert "nesting deeper" in refused(text)


def test_aliases_share_but_cannot_explode() -> None:
    shared = read_text("x: &x {a: 1}\ny: *x\n").values
    assert shared["y"] == {"a": 1}
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    started = time.perf_counter()
    assert "more than 20,000 values" in refused("\n".join(lines))
    assert time.perf_counter() - started < 2


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("name: a")
    with pytest.raises(UsageError, match=r"config file not found.*other\.yaml"):
        read_document(tmp_path / "staypower.yaml")
    with pytest.raises(UsageError, match="cannot be read"):
        read_document(tmp_path)
    (tmp_path / "latin.yaml").write_bytes("name: a\ncity: Z\xfcrich".encode("latin-1"))
    with pytest.raises(UsageError, match=r"not UTF-8 text: .*latin\.yaml, line 2"):
        read_document(tmp_path / "latin.yaml")
    (tmp_path / "large.yaml").write_bytes(b"#" * (LARGEST_FILE + 1))
    with pytest.raises(UsageError, match="too large"):
        read_document(tmp_path / "large.yaml")


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbfname: a\r\nx: 1\r\n")
    assert read_document(tmp_path / "bom.yaml").values == {"name": "a", "x": 1}


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert isinstance(read_text(text).values, dict)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(min_size=1, max_size=5), values, max_size=4))
def test_json_is_read_as_json_reads_it(written: dict[str, object]) -> None:
    import json

    text = json.dumps(written, ensure_ascii=True)
    assert read_text(text).values == json.loads(text)
    assert document_of(written).values == written


def test_half_a_character_is_refused() -> None:
    assert "half of a character" in refused('a: "\\ud800"')
