from __future__ import annotations

import os

from staypower import compiled


def test_compiled_code_is_kept_in_the_users_cache():
    assert "NUMBA_CACHE_DIR" in os.environ
    assert compiled._cache_folder().parts[-2:] == ("staypower", "numba")
