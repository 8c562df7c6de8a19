"""How routines are compiled: without the interpreter's lock, kept in the user's cache folder, never rounding freely.

An installed package is never written to, so compiled code lives where the user's other caches live.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def _cache_folder() -> Path:
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "staypower" / "numba"


def _can_be_written(folder: Path) -> bool:
    """Say whether compiled code can be kept; where it cannot, every process compiles what it uses."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


# numba reads the variable when it is imported
os.environ.setdefault("NUMBA_CACHE_DIR", str(_cache_folder()))

from numba import njit  # noqa: E402 - after the cache folder is named


def _load_arrays() -> None:
    """Load numba's routines for arrays without SciPy's linear algebra, which takes longer: it is there when one asks for it."""
    from numba.np import linalg

    asked = linalg.ensure_blas
    linalg.ensure_blas = lambda: None
    try:
        from numba.np import arraymath

        arraymath.ensure_blas = asked  # type: ignore[attr-defined]
    finally:
        linalg.ensure_blas = asked


_load_arrays()

jit = njit(nogil=True, cache=_can_be_written(Path(os.environ["NUMBA_CACHE_DIR"])), fastmath=False)
