"""Nonsense of every kind: each outcome is a result or an error of use, never a bug of ours and never the interpreter's end."""

from __future__ import annotations

import json
import os
import random
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

from depth import tries
from small_bundle import feature_rows, small_bundle
from tiny_company import CONFIG, tiny_company, tiny_orders

from staypower import load_config, read_tables
from staypower.errors import UsageError
from staypower.models.bundle import Bundle, read_bundle
from staypower.models.seal import json_values, seal_folder
from staypower.scoring.predictions import FeatureRowScorer
from staypower.sources.expressions import compile_expression
from staypower.sources.values import Value

SEED = int(os.environ.get("STAYPOWER_SEED", "15"))
CASES = int(os.environ.get("STAYPOWER_FUZZ", "100000"))


def survives(call: Callable[[], Any], given: object) -> bool:
    """Make a call and say whether it gave a result; anything but an error of use is a bug."""
    try:
        call()
    except UsageError as error:
        if not error.problems or not all(problem.fix for problem in error.problems):
            raise AssertionError(f"no fix is named for {given!r:.2000}") from error
        return False
    except Exception as error:
        raise AssertionError(f"{type(error).__name__}: {error} from {given!r:.2000}") from error
    return True


ODD = ["", "${X:-y}", "2024-02-30", "- ", "\n", "\t", "\x00", "\ufeff", "\u202e", "[" * 200, "a: " * 60, "9" * 400]
ODD += [
    "null",
    "~",
    "true",
    "-1",
    "1e400",
    ".nan",
    "0x10",
    "${X}",
    "*a",
    "&a",
    "<<",
    "!!python/none",
    "{",
    "}",
    "[",
    "]",
    "'",
    '"',
    ":",
    "é",
    "\U0001d518",
    "|",
    ">",
    "%",
    "@",
    "`",
]
WORDS = [
    "name",
    "tables",
    "orders",
    "accounts",
    "source",
    "label",
    "kind",
    "horizon",
    "cutoffs",
    "every",
    "count",
    "model",
    "output",
    "features",
    "windows",
]
WORDS += ["non_contractual", "contractual", "costs", "tier", "explanation", "tracking", "uri", "folder", "engine"]


def mutated(text: str, draw: random.Random, pieces: list[str]) -> str:
    """Return a text with a few pieces cut out, doubled, moved or put in."""
    for _ in range(draw.randint(1, 6)):
        at, size = draw.randrange(len(text) + 1), draw.randint(0, 12)
        piece = draw.choice([draw.choice(pieces), text[at : at + size], draw.choice(string.printable), ""])
        text = text[:at] + piece + text[at + draw.choice([0, 0, size]) :]
    return text


def a_value(draw: random.Random, depth: int = 0) -> Any:
    """Return a nested value of the kinds that YAML and Python know."""
    kind = draw.randrange(9 if depth < 4 else 7)
    if kind < 7:
        numbers = [0, -1, 10**30, 0.5, float("nan"), float("inf")]
        return draw.choice([None, True, draw.choice(numbers), draw.choice(ODD), draw.choice(WORDS), b"x", draw.random()])
    if kind == 7:
        return [a_value(draw, depth + 1) for _ in range(draw.randrange(4))]
    keys = [draw.choice([*WORDS, *WORDS, *ODD[:12], 3, None]) for _ in range(draw.randrange(5))]
    return {key: a_value(draw, depth + 1) for key in keys}


def test_bytes_of_a_config(tmp_path):
    draw, path = random.Random(SEED), tmp_path / "c.yaml"
    for _ in range(tries(150, CASES)):
        content = mutated(CONFIG, draw, ODD + WORDS).encode("utf-8", "surrogatepass")
        if draw.random() < 0.3:
            content = bytes(byte if draw.random() > 0.01 else draw.randrange(256) for byte in content)
        path.write_bytes(content)
        survives(lambda: load_config(path).to_dict(), content)


def test_a_mapping_as_config():
    draw = random.Random(SEED)
    base = {
        "name": "tiny",
        "tables": {"orders": {"source": "orders.csv"}},
        "label": {"kind": "non_contractual", "table": "orders"},
    }
    for _ in range(tries(150, CASES)):
        given: Any = json.loads(json.dumps(base))
        place = given
        for _ in range(draw.randrange(3)):
            inner = [value for value in place.values() if isinstance(value, dict)]
            place = draw.choice(inner) if inner else place
        place[draw.choice([*place, *WORDS])] = a_value(draw)
        survives(lambda given=given: load_config(given).to_dict(), given)


def test_overrides_of_a_config(tmp_path):
    draw, config = random.Random(SEED), tiny_company(tmp_path)
    for _ in range(tries(150, CASES)):
        path = ".".join(draw.choice([*WORDS, *WORDS, *ODD[:10], "0", "7"]) for _ in range(draw.randint(1, 4)))
        given = [
            mutated(f"{path}={draw.choice([*ODD, *WORDS, '{a: 1}', '[1, 2]', '30'])}", draw, ODD)
            for _ in range(draw.randint(1, 3))
        ]
        survives(lambda given=given: load_config(config, given).to_dict(), given)


COLUMNS = {"amount": Value('"amount"', "text"), "n": Value('"n"', "number", whole=True), "at": Value('"at"', "time")}
COLUMNS |= {"ok": Value('"ok"', "flag"), "two words": Value('"two words"', "text"), "things": Value('"things"', "other")}
TOKENS = [*COLUMNS, '"two words"', "read_csv('x')", "x -> x", "\x00"]
TOKENS += [
    "+",
    "-",
    "*",
    "/",
    "%",
    "(",
    ")",
    ",",
    "'x'",
    "''",
    "'",
    "1",
    "2.5",
    "1e9",
    "cast",
    "as",
    "case",
    "when",
    "then",
    "else",
    "end",
    "coalesce",
    "in",
    "between",
    "and",
    "or",
    "not",
    "is",
    "null",
]
TOKENS += [
    "like",
    "interval",
    "days",
    "to_minutes",
    "concat",
    "||",
    "select",
    "from",
    ";",
    "--",
    "/*",
    "*/",
    "::",
    "timestamp",
    "double",
    "varchar",
    "lower",
    "{",
    "}",
    "{:1}",
]
TOKENS += [
    "[",
    "]",
    "=",
    "<",
    ">=",
    "<>",
    "$1",
    "?",
    "@",
    ":=",
    "->",
    "lambda",
    "*",
    "exists",
    "over",
    "é",
    "days_between",
    "nullif",
    "if",
]


def test_expressions():
    draw, fine = random.Random(SEED), 0
    for _ in range(tries(400, CASES)):
        text = draw.choice([" ", " ", ""]).join(draw.choice(TOKENS) for _ in range(draw.randint(1, 12)))
        fine += survives(lambda text=text: compile_expression(text, COLUMNS, "tables.orders.at"), text)
    assert fine, "some make sense"


def test_bytes_of_a_table(tmp_path):
    """Rows that were cut, doubled, moved or filled with nonsense: they are read, or refused with a fix."""
    draw, config = random.Random(SEED), load_config(tiny_company(tmp_path, tiny_orders(6)))
    whole = (tmp_path / "orders.csv").read_text()
    head = "\n".join(whole.splitlines()[:25]) + "\n"
    pieces = [
        "\n",
        "\t",
        "\x00",
        "\r\n",
        *[",", '"', ";", "NaN", "inf", "1e400", "-1", "2099-01-01", "0000-00-00", "é", "=1+1", "account_id", "''"],
    ]
    read = 0
    for _ in range(tries(60, CASES)):
        content = mutated(draw.choice([head, head, whole]), draw, pieces).encode()
        if draw.random() < 0.2:
            content = content.decode().encode(draw.choice(["utf-16", "cp1252", "utf-8-sig"]), "replace")
        if draw.random() < 0.05:
            content = content[: draw.randrange(len(content))]
        (tmp_path / "orders.csv").write_bytes(content)
        read += survives(lambda: read_tables(config), content[:3000])
    assert read, "some can be read"


def test_bundles_that_were_changed_and_sealed_again(tmp_path):
    """Nonsense within every file, under a valid seal: it is refused, or it scores."""
    draw, original = random.Random(SEED), small_bundle()
    rows, files = feature_rows(3, 5), original.files()
    numbers = ["0", "-1", "1e308", "1e999", "nan", "inf", "null", "true", '""', "[]", "{}", "99999999999", "0.5"]
    for number in range(tries(120, CASES)):
        name = draw.choice(sorted(files))
        changed = mutated(files[name].decode(), draw, numbers).encode("utf-8", "replace")
        folder = tmp_path / f"b{number % 50}"
        made = {**files, name: changed}

        def use(made: dict[str, bytes] = made, folder: Path = folder) -> None:
            import shutil

            shutil.rmtree(folder, ignore_errors=True)
            digest = seal_folder(made, folder)
            bundle: Bundle = read_bundle(folder, digest=digest)
            FeatureRowScorer(bundle).score(rows)

        survives(use, (name, changed[:2000]))
    assert json_values(files["schema.json"], "schema.json")
