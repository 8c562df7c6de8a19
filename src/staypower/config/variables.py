"""Fill environment variables into paths, so that one config serves several machines: `${DATA}/usage.csv`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

from staypower.config.problems import Origins
from staypower.config.reading import Value
from staypower.errors import Problem

__all__ = ["fill_variables"]

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")
# only where paths stand: what is filled in is shown by `config show` and kept with each run
_PLACES = re.compile(r"tables\.[^.]+(\.\d+)?\.source|output\.folder|models_folder|tracking\.(folder|uri)")


def fill_variables(
    values: dict[str, Value], origins: Origins, environment: Mapping[str, str] = os.environ
) -> tuple[dict[str, Value], list[Problem]]:
    """Replace `${NAME}` and `${NAME:-default}` where paths stand.

    >>> fill_variables({"models_folder": "${HERE}/models"}, Origins(), {"HERE": "/data"})[0]
    {'models_folder': '/data/models'}
    """
    problems: list[Problem] = []

    def filled(value: Value, path: str) -> Value:
        if isinstance(value, dict):
            return {key: filled(inner, f"{path}.{key}" if path else key) for key, inner in value.items()}
        if isinstance(value, list):
            return [filled(inner, f"{path}.{number}") for number, inner in enumerate(value)]
        if not isinstance(value, str) or not _PLACES.fullmatch(path):
            return value
        problems.extend(_unset(value, path, origins, environment))
        return _VARIABLE.sub(lambda found: environment.get(found["name"]) or found["default"] or "", value)

    return {key: filled(value, key) for key, value in values.items()}, problems


def _unset(text: str, path: str, origins: Origins, environment: Mapping[str, str]) -> Iterator[Problem]:
    for found in _VARIABLE.finditer(text):
        name = found["name"]
        if not environment.get(name) and found["default"] is None:
            fix = f"set it (`export {name}=...`), or write a default: `${{{name}:-somewhere}}`"
            yield Problem(f"the environment variable {name} is not set", f"`{path}` ({origins.of(path)})", fix)
