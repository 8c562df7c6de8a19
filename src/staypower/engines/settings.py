"""Where to compute, and how much of the machine a run may use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(MB|GB|TB|MiB|GiB|TiB)", re.IGNORECASE)
_UNITS: Mapping[str, int] = MappingProxyType({"mb": 10**6, "gb": 10**9, "tb": 10**12, "mib": 2**20, "gib": 2**30, "tib": 2**40})
LEAST_MEMORY = 10**9


def _bytes_of(size: str) -> int:
    found = _SIZE.fullmatch(size.strip())
    return round(float(found.group(1)) * _UNITS[found.group(2).lower()]) if found else 0


def _check_memory(value: object) -> object:
    if not isinstance(value, str) or not _SIZE.fullmatch(value.strip()):
        raise ValueError("not a size Fix: write a number and its unit, such as `4GB`")
    if _bytes_of(value) < LEAST_MEMORY:
        raise ValueError("too little memory Fix: give at least `1GB`; the libraries alone take half of it")
    return value.strip()


def _write_options(value: object) -> object:
    """Write options as Spark reads them, and refuse what is not an option of Spark."""
    if not isinstance(value, Mapping):
        return value
    wrong = [name for name in value if not str(name).startswith("spark.")]
    if wrong:
        raise ValueError(f"not an option of Spark: {wrong[0]} Fix: its name begins with `spark.`")
    return {str(name): str(given).lower() if isinstance(given, bool) else str(given) for name, given in value.items()}


class EngineSettings(BaseModel):
    """Settings of the engine.

    >>> EngineSettings(memory="2GB").memory_bytes
    2000000000
    >>> EngineSettings(kind="spark", options={"spark.executor.memory": "8g"}).partitions
    200
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["embedded", "spark"] = Field(
        default="embedded", description="where to compute: `embedded` on this machine, or `spark` on a cluster"
    )
    memory: Annotated[str, BeforeValidator(_check_memory)] = Field(
        default="4GB",
        description="memory that a run may use, such as `2GB`; larger tables are cut into buckets of accounts on disk",
    )
    threads: int = Field(default=2, ge=1, le=1024, description="buckets that are worked on at once; no result depends on it")
    buckets: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="number of buckets of accounts; omit for as many as the memory needs, one where everything fits",
    )
    keep: str | None = Field(
        default=None,
        min_length=1,
        description="folder, one for each config, where rows are kept in buckets so that the next run reads only new and "
        "changed files; relative to the config; omit to keep nothing",
    )
    master: str | None = Field(
        default=None,
        min_length=1,
        description="Spark only: the cluster, such as `yarn` or `local[2]`; omit for that of the session or of `spark-submit`",
    )
    partitions: int = Field(
        default=200, ge=1, le=1_000_000, description="Spark only: number of buckets of accounts; each task holds one in memory"
    )
    options: Annotated[dict[str, str], BeforeValidator(_write_options)] = Field(
        default_factory=dict, description="Spark only: its own settings, such as `spark.executor.memory: 8g`"
    )

    @model_validator(mode="after")
    def _refuse_the_other_kind(self) -> EngineSettings:
        """Refuse a setting that the engine would ignore."""
        unused = _OF_EMBEDDED if self.kind == "spark" else _OF_SPARK
        given = [name for name in unused if name in self.model_fields_set and getattr(self, name) != _default(name)]
        if given:
            raise ValueError(f"`{given[0]}` is not used by the engine `{self.kind}` Fix: {unused[given[0]]}")
        return self

    @property
    def memory_bytes(self) -> int:
        """The memory in bytes."""
        return _bytes_of(self.memory)

    @property
    def memory_to_learn(self) -> int | None:
        """What learning may take, in bytes; None on a cluster, whose driver learns with the memory that it has."""
        return None if self.kind == "spark" else self.memory_bytes


_OF_EMBEDDED: Mapping[str, str] = MappingProxyType(
    {
        "memory": "write `options: {spark.executor.memory: 8g}` and more `partitions`",
        "threads": "write `options: {spark.executor.cores: 4}`",
        "buckets": "write `partitions`",
        "keep": "leave it out: a cluster reads its sources anew",
    }
)
_OF_SPARK: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("master", "partitions", "options"), "leave it out, or write `kind: spark`")
)


def _default(name: str) -> object:
    return EngineSettings.model_fields[name].get_default(call_default_factory=True)


def read_engine(value: object) -> object:
    """Accept the kind alone where the whole section may be.

    >>> read_engine("embedded")
    {'kind': 'embedded'}
    """
    return {"kind": value} if isinstance(value, str) else value
