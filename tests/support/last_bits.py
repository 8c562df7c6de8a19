"""numpy's logarithms, exponentials and powers as another processor may compute them: off by one in the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np

FUNCTIONS = ("exp", "expm1", "log", "log1p", "log2", "log10", "power")


class Moved:
    """A function of numpy whose numbers differ in the last bit, up or down, but for whole numbers."""

    def __init__(self, function: np.ufunc) -> None:
        self._function = function

    def __call__(self, *given: Any, **more: Any) -> Any:
        exact = self._function(*given, **more)
        if more or not isinstance(exact, np.ndarray | np.floating) or exact.dtype.kind != "f":
            return exact
        up = np.signbit(np.sin(exact * 1e6, where=np.isfinite(exact), out=np.zeros_like(exact)))
        near = np.nextafter(exact, np.where(up, np.inf, -np.inf).astype(exact.dtype))
        return np.where(np.isfinite(exact) & (exact != np.rint(exact)), near, exact)[()]

    def __getattr__(self, name: str) -> Any:
        # numba asks for a ufunc's numbers of arguments
        return getattr(self._function, name)
