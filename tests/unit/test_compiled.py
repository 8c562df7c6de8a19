from __future__ import annotations

import os
import subprocess
import sys

from staypower import compiled


def test_compiled_code_is_kept_in_the_users_cache():
    assert "NUMBA_CACHE_DIR" in os.environ
    assert compiled._cache_folder().parts[-2:] == ("staypower", "numba")


def test_linear_algebra_of_scipy_is_not_loaded_and_still_there_for_others():
    program = (
        "import sys, numpy as np\n"
        "from staypower.hashing import TextEncoder\n"
        "import pyarrow as pa\n"
        "TextEncoder().encode(pa.array(['a', 'b']))\n"
        "print('scipy.linalg' in sys.modules)\n"
        "import numba\n"
        "print(numba.njit(lambda a, b: np.dot(a, b))(np.ones(2), np.ones(2)))\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "2.0"]


def test_where_nothing_can_be_kept_code_is_compiled_each_time(tmp_path):
    (tmp_path / "cache").write_text("a file, where the folder would be")
    code = "from staypower.compiled import jit; f = jit(lambda x: x + 1); print(f(1), type(f._cache).__name__)"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache" / "numba")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["2", "NullCache"], done.stderr
