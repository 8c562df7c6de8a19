"""Write the generated pages and parts of pages of `docs/` anew: `python scripts/write_docs.py`."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
FAMILIES = (
    *("usage", "onboarding", "support", "surveys", "billing", "payments", "orders", "relationship", "profile"),
    *("year_ago", "persons", "price"),
)


def generated_pages() -> Mapping[Path, str]:
    """Return every generated page as it should read."""
    from documentation.parts import parts_of, renew

    from staypower.config.schema import SCHEMA_FILE, config_schema

    docs = ROOT / "docs"
    pages = {docs / "features" / f"{family}.md": drawn_page(family) for family in FAMILIES}
    for path in sorted(docs.rglob("*.md")):
        page = path.read_text(encoding="utf-8")
        if parts_of(page):
            pages[path] = renew(page)
    schema = json.dumps(config_schema(), indent=1, ensure_ascii=False) + "\n"
    return {**pages, ROOT / "src" / "staypower" / "config" / SCHEMA_FILE: schema}


def drawn_page(family: str) -> str:
    """Return the page of a family."""
    from drawn_tables import write_page

    drawn = drawn_tables_of(family)
    return write_page(drawn.TITLE, drawn.INTRODUCTION, drawn.CASES)


def drawn_tables_of(family: str) -> ModuleType:
    """Return the specification test of a family, which draws its tables."""
    place = ROOT / "tests" / "spec" / f"test_features_{family}.py"
    spec = importlib.util.spec_from_file_location(place.stem, place)
    assert spec is not None
    assert spec.loader is not None
    drawn = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(drawn)
    return drawn


def main() -> None:
    """Write what is not current, and say which."""
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    for path, text in generated_pages().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"written: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
