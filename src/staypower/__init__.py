"""Who stays, who leaves, why, and what to do about it.

Public names are listed in `__init__.pyi` and resolved when they are first used: `import staypower` alone loads nothing heavy.

Examples
--------
>>> import staypower
>>> "load_config" in dir(staypower)
True
"""

from staypower.lazy import lazily

__version__ = "0.1.0"
__all__ = ["__version__", *lazily(__name__)]
