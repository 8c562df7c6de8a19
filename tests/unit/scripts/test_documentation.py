"""The generated pages are current, and one way renews them all."""

from __future__ import annotations

from pathlib import Path

import write_docs
from documentation import commands, features, inputs, names, settings
from documentation.parts import PARTS, parts_of, renew

DOCS = Path(__file__).parents[3] / "docs"


def test_every_page_is_current():
    stale = [path.name for path, text in write_docs.generated_pages().items() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "run `python scripts/write_docs.py`"


def test_every_part_stands_on_exactly_one_page():
    standing = [part for page in DOCS.rglob("*.md") for part in parts_of(page.read_text(encoding="utf-8"))]
    assert sorted(standing) == sorted(PARTS)


def test_renewing_a_page_changes_what_stands_between_its_markers_alone():
    page = "above\n<!-- generated: keys -->\noutdated\n<!-- end: keys -->\nbelow <!-- generated: keys --> not a part"
    renewed = renew(page)
    assert "outdated" not in renewed
    assert "| `where` |" in renewed
    assert renewed.startswith("above\n<!-- generated: keys -->\n|")
    assert renewed.endswith("|\n<!-- end: keys -->\nbelow <!-- generated: keys --> not a part")
    assert renew(renewed) == renewed


def test_the_parts_say_what_the_code_does():
    assert [entry.name for entry in features.every_family()["profile"]] == ["account_name", "account_name"]
    assert "| `tickets_open_now` | open tickets | `count` | support | raises |" in features.document_catalogue()
    assert "| `count` | - | 0 | number of rows |" in features.document_aggregations()
    assert "| `difference` | a minus b |" in features.document_combinations()
    assert "### `usage`" in inputs.document_schemas()
    assert "| `where` |" in inputs.document_keys()
    assert "date_trunc" in inputs.document_expressions()
    assert "| `capacity` |" in settings.document_settings()
    assert "| `staypower score` |" in commands.document_commands()
    assert "--config" not in commands.document_commands()


def test_every_public_name_stands_on_the_page_with_what_it_is_for():
    page = (DOCS / "reference.md").read_text(encoding="utf-8")
    for module, listed in names.public_names().items():
        assert listed
        part = page.partition(f"## `{module}`\n")[2].partition("\n## ")[0]
        for name in listed:
            assert len(part.partition(f"| `{name}` |")[2].partition("\n")[0].split()) > 3, f"{module}.{name} has no docstring"


def test_the_public_names_are_few():
    assert len(names.public_names()["staypower"]) <= 40
