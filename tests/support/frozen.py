"""Values that are handed around cannot be changed."""

from __future__ import annotations

from dataclasses import is_dataclass
from types import ModuleType


def dataclasses_not_frozen(module: ModuleType) -> list[str]:
    """Name the dataclasses of a module whose values can be changed."""
    own = (each for each in vars(module).values() if is_dataclass(each) and each.__module__ == module.__name__)
    return [each.__name__ for each in own if not each.__dataclass_params__.frozen]
