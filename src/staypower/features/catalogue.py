"""The features to build, in order, with the codes of their texts, as JSON in a model's bundle.

Scoring uses the catalogue of training as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from staypower.errors import UsageError, readable
from staypower.features.definition import DIRECTIONS, Combination, Definition, Feature, Filter
from staypower.features.settings import FeatureSettings

__all__ = ["OTHER", "Catalogue", "in_order", "needed_by"]

OTHER = "other"


@dataclass(frozen=True)
class Catalogue:
    """The features to build, with the codes of their texts.

    Parameters
    ----------
    settings : FeatureSettings
    definitions : tuple of Feature or Combination
        The columns of the matrix, in order.
    helpers : tuple of Feature or Combination, default ()
        Definitions that a combination needs but that are no columns of the matrix.
    codes : mapping of str to mapping of str to int
        For each category feature its texts and their codes; 0 is every other text.
    left_out : mapping of str to str
        Features that were not built, and why.
    derived : mapping of str to str
        Features computed from other columns than those meant for them, and why.

    Examples
    --------
    >>> Catalogue(FeatureSettings(), ()).names
    ()
    """

    settings: FeatureSettings
    definitions: tuple[Definition, ...]
    helpers: tuple[Definition, ...] = ()
    codes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    derived: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(definition.name for definition in self.definitions)

    @property
    def everything(self) -> tuple[Definition, ...]:
        """Definitions and helpers, features first and combinations after what they need."""
        return in_order((*self.helpers, *self.definitions))

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of the columns that are codes."""
        return tuple(definition.name for definition in self.definitions if definition.category)

    def __getitem__(self, name: str) -> Definition:
        return next(definition for definition in self.definitions if definition.name == name)

    def text_of(self, name: str, value: float) -> str:
        """Return the text that a code of a category feature stands for."""
        return next((text for text, code in self.codes.get(name, {}).items() if code == value), OTHER)

    def frame(self) -> pd.DataFrame:
        """Return one row per feature: name, table, aggregation, window, unit, empty value, lever, direction, description."""
        rows = [
            {
                "name": definition.name,
                "table": definition.table,
                "aggregation": definition.aggregation if isinstance(definition, Feature) else definition.how,
                "window": definition.window_text,
                "unit": definition.unit,
                "empty": ("0" if definition.empty == 0 else "missing") if isinstance(definition, Feature) else "",
                "lever": definition.lever or "",
                "direction": DIRECTIONS.get(definition.direction, ""),
                "description": definition.description,
            }
            for definition in self.definitions
        ]
        return pd.DataFrame(rows)

    def only(self, names: Iterable[str]) -> Catalogue:
        """Return the catalogue with some columns only; what their combinations need stays as helpers."""
        wanted = set(names)
        kept = tuple(definition for definition in self.definitions if definition.name in wanted)
        rest = tuple(definition for definition in self.definitions if definition.name not in wanted)
        helpers = needed_by(kept, (*self.helpers, *rest))
        codes = {name: codes for name, codes in self.codes.items() if name in wanted}
        return Catalogue(self.settings, kept, helpers, codes, self.left_out, self.derived)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "settings": self.settings.model_dump(mode="json", by_alias=True),
            "definitions": [_to_dict(definition) for definition in self.definitions],
            "helpers": [_to_dict(definition) for definition in self.helpers],
            "codes": {name: dict(codes) for name, codes in self.codes.items()},
        }

    @classmethod
    def of(cls, learned: Mapping[str, Any]) -> Catalogue:
        """Read the features of a model from its learned definitions."""
        with readable("learned.json, catalogue"):
            return cls.from_dict(learned["catalogue"])

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Catalogue:
        """Rebuild what `to_dict` wrote."""
        return cls(
            FeatureSettings.model_validate(plain["settings"]),
            tuple(_from_dict(one) for one in plain["definitions"]),
            tuple(_from_dict(one) for one in plain["helpers"]),
            plain["codes"],
        )


def needed_by(kept: Iterable[Definition], rest: Iterable[Definition]) -> tuple[Definition, ...]:
    """Return what the combinations among `kept` need and `kept` does not hold."""
    available = {definition.name: definition for definition in rest}
    found: dict[str, Definition] = {}
    queue = [name for definition in kept if isinstance(definition, Combination) for name in definition.inputs]
    while queue:
        name = queue.pop()
        if name in available and name not in found:
            helper = found[name] = available[name]
            queue += helper.inputs if isinstance(helper, Combination) else ()
    return tuple(found[name] for name in sorted(found))


def in_order(definitions: Iterable[Definition]) -> tuple[Definition, ...]:
    """Put features first and every combination after what it needs."""
    given = list(definitions)
    names = {definition.name for definition in given}
    done: list[Definition] = [definition for definition in given if isinstance(definition, Feature)]
    placed = {definition.name for definition in done}
    waiting = [definition for definition in given if isinstance(definition, Combination)]
    while waiting:
        ready = [one for one in waiting if all(name in placed or name not in names for name in one.inputs)]
        if not ready:
            raise UsageError.of("features that need each other", ", ".join(one.name for one in waiting), "remove one of them")
        done = [*done, *ready]
        placed |= {one.name for one in ready}
        waiting = [one for one in waiting if one.name not in placed]
    return tuple(done)


def _to_dict(definition: Definition) -> dict[str, Any]:
    kind = "feature" if isinstance(definition, Feature) else "combination"
    return {"kind": kind, **asdict(definition)}


def _from_dict(plain: Mapping[str, Any]) -> Definition:
    rest = {key: value for key, value in plain.items() if key != "kind"}
    if plain["kind"] == "combination":
        return Combination(**{**rest, "inputs": tuple(rest["inputs"])})
    where = tuple(Filter(f["column"], tuple(f["values"]), f["at_least"], f["below"]) for f in rest["where"])
    return Feature(**{**rest, "where": where})
