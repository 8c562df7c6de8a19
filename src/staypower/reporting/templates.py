"""The templates of pages, and what makes a page safe: the policy, and data that cannot end their script element."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

__all__ = ["embedded", "environment", "file_stem", "policy_of", "read_files"]

_FILES = Path(__file__).parent / "files"


@cache
def environment() -> Environment:
    """Return the templates; everything that they are given is escaped."""
    return Environment(
        loader=FileSystemLoader(_FILES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


@cache
def read_files() -> tuple[Markup, Markup]:
    """Return the style and the script of every page."""
    style, script = (Markup((_FILES / name).read_text(encoding="utf-8")) for name in ("report.css", "report.js"))
    return style, script


def policy_of(style: str, script: str) -> str:
    """Return the policy that forbids every connection and every script but these, known by their hashes."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    return (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def embedded(data: Mapping[str, Any]) -> Markup:
    r"""Write JSON that cannot end its script element, whatever an account is called.

    >>> str(embedded({"name": "</script>"}))
    '{"name":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def file_stem(name: str, cutoff: str) -> str:
    """Return the name of a file that a page offers to save.

    >>> file_stem("acme & sons", "2025-07-01T00:00")
    'acme-sons-2025-07-01'
    """
    return f"{re.sub(r'[^A-Za-z0-9-]+', '-', name).strip('-') or 'accounts'}-{cutoff[:10]}"
