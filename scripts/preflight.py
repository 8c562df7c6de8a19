"""Say what the machine lacks before anything is installed or started.

Runs on the bare interpreter: standard library only.
"""

from __future__ import annotations

import ctypes
import importlib.util
import platform
import sys

OLDEST = (3, 11)
NEWEST = (3, 13)
MAC_OPENMP = (
    "libomp.dylib",
    "/opt/homebrew/opt/libomp/lib/libomp.dylib",
    "/usr/local/opt/libomp/lib/libomp.dylib",
)


def loads(library: str) -> bool:
    """Say whether the system can load a shared library by this name."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def problems(system_only: bool) -> list[str]:
    """Return one line for each thing that is missing, each with its fix."""
    found = []
    version = sys.version_info[:2]
    if not OLDEST <= version <= NEWEST:
        found.append(
            f"Python {version[0]}.{version[1]} is running; staypower needs 3.11, 3.12 or 3.13. "
            "Fix: name one, for example `make demo PYTHON=python3.12`."
        )
    if not system_only:
        for module, package in (("venv", "python3-venv"), ("ensurepip", "python3-venv")):
            if importlib.util.find_spec(module) is None:
                found.append(
                    f"The module `{module}` is missing from this Python. "
                    f"Fix: install it, on Debian and Ubuntu `apt-get install {package}`."
                )
    if platform.system() == "Linux" and not loads("libgomp.so.1"):
        found.append(
            "LightGBM needs the OpenMP library libgomp.so.1, which this machine lacks. "
            "Fix: on Debian and Ubuntu `apt-get install libgomp1`, on Fedora `dnf install libgomp`."
        )
    if platform.system() == "Darwin" and not any(loads(path) for path in MAC_OPENMP):
        found.append("LightGBM needs the OpenMP library libomp, which this machine lacks. Fix: `brew install libomp`.")
    return found


if __name__ == "__main__":
    found = problems("--system-only" in sys.argv[1:])
    for problem in found:
        print(problem, file=sys.stderr)
    sys.exit(2 if found else 0)
