"""Every generated part by its name, and the one way in which a page is renewed.

A page holds a part between `<!-- generated: NAME -->` and `<!-- end: NAME -->`; what stands outside is written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from documentation.commands import document_commands
from documentation.engines import document_engines
from documentation.features import document_aggregations, document_catalogue, document_combinations
from documentation.inputs import document_expressions, document_formats, document_keys, document_outputs, document_schemas
from documentation.metrics import document_baselines, document_family, document_measures, document_metrics
from documentation.names import document_names
from documentation.settings import document_settings
from staypower.portfolio.catalogue import FAMILIES
from staypower.simulation.world import parameter_table

__all__ = ["PARTS", "parts_of", "renew"]

PARTS: Mapping[str, Callable[[], str]] = MappingProxyType(
    {
        "catalogue": document_catalogue,
        "aggregations": document_aggregations,
        "combinations": document_combinations,
        "tables": document_schemas,
        "formats": document_formats,
        "engines": document_engines,
        "outputs": document_outputs,
        "keys": document_keys,
        "functions": document_expressions,
        "settings": document_settings,
        "metrics": document_metrics,
        "baselines": document_baselines,
        "measures": document_measures,
        "parameters": parameter_table,
        "names": document_names,
        "commands": document_commands,
        **{f"portfolio_{family}": partial(document_family, family) for family in FAMILIES},
    }
)
_MARKED = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end: \2 -->)", re.DOTALL)


def parts_of(page: str) -> list[str]:
    """Name the generated parts of a page."""
    return [found[2] for found in _MARKED.finditer(page)]


def renew(page: str) -> str:
    """Write the generated parts of a page anew, between their markers."""
    return _MARKED.sub(lambda found: f"{found[1]}{PARTS[found[2]]()}\n{found[3]}", page)
