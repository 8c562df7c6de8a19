"""Bring the reference in a page up to date: `python -m staypower.config docs/configuration.md`."""

import sys
from pathlib import Path

from staypower.config.reference import replace_reference

for name in sys.argv[1:]:
    Path(name).write_text(replace_reference(Path(name).read_text(encoding="utf-8")), encoding="utf-8")
