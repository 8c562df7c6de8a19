"""Write the generated pages and parts of pages of `docs/` anew: `python scripts/write_docs.py`."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FAMILIES = ("usage", "onboarding", "support", "surveys", "billing", "payments", "orders", "relationship", "profile")


def generated_pages() -> Mapping[Path, str]:
    """Return every generated page as it should read."""
    from staypower.config.reference import replace_reference
    from staypower.features.document import renew as renew_features
    from staypower.sources.schema_docs import renew as renew_inputs

    docs = ROOT / "docs"
    pages = {docs / "features" / f"{family}.md": drawn_page(family) for family in FAMILIES}
    parts = {"features.md": renew_features, "inputs.md": renew_inputs, "configuration.md": replace_reference}
    pages |= {docs / name: renew((docs / name).read_text(encoding="utf-8")) for name, renew in parts.items()}
    return pages


def drawn_page(family: str) -> str:
    """Return the page of a family, from the drawn tables of its specification test."""
    from drawn_tables import write_page

    place = ROOT / "tests" / "spec" / f"test_features_{family}.py"
    spec = importlib.util.spec_from_file_location(place.stem, place)
    assert spec is not None
    assert spec.loader is not None
    drawn = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(drawn)
    return write_page(drawn.TITLE, drawn.INTRODUCTION, drawn.CASES)


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
