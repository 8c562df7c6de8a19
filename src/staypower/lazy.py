"""Public names that are imported when they are first used, so that nothing heavy loads before."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path
from types import ModuleType

__all__ = ["lazily"]


def lazily(package: str) -> list[str]:
    """Give a package the public names that its stub `__init__.pyi` imports, and return them.

    The stub is the one list: type checkers read it, and here it says which module each name comes from.

    >>> "score" in lazily("staypower")
    True
    """
    module = sys.modules[package]
    stub = Path(str(module.__file__)).with_suffix(".pyi")
    homes = {
        alias.name: str(statement.module)
        for statement in ast.parse(stub.read_text(encoding="utf-8")).body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }

    class Package(ModuleType):
        def __getattr__(self, name: str) -> object:
            if name not in homes:
                raise AttributeError(f"module {package!r} has no attribute {name!r}")
            if homes[name] == package:
                return importlib.import_module(f"{package}.{name}")
            value = getattr(importlib.import_module(homes[name]), name)
            super().__setattr__(name, value)
            return value

        def __setattr__(self, name: str, value: object) -> None:
            # importing the package `portfolio` binds that name here, where it must stay the function `portfolio`
            if not (isinstance(value, ModuleType) and homes.get(name, package) != package):
                super().__setattr__(name, value)

        def __dir__(self) -> list[str]:
            return sorted({*(name for name in vars(self) if name.startswith("__")), *homes})

    module.__class__ = Package
    return sorted(homes)
