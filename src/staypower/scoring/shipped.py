"""A scorer that travels: the sealed model goes as the bytes of its files, and its seal is checked where it is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from staypower.models.bundle import Bundle
from staypower.models.seal import digest_of, json_values
from staypower.scoring.score import Scorer
from staypower.tables import Tables

__all__ = ["ShippedScorer"]

# the models that this process has opened, by their seal: a worker scores many buckets with one
_OPENED: dict[str, Bundle] = {}


@dataclass(frozen=True)
class ShippedScorer:
    """Scores a bucket where it lies.

    >>> ShippedScorer(None, "", {"threads": 1}).settings["threads"]
    1
    """

    files: Any  # its `value` is what `Bundle.files` gave: a broadcast variable, say, which comes to each machine once
    digest: str  # the seal of the bundle
    settings: Mapping[str, Any]  # every parameter of `Scorer` but the bundle

    @classmethod
    def of(cls, scorer: Scorer, files: Any) -> ShippedScorer:
        """Prepare a scorer for travelling."""
        told = {field.name: getattr(scorer, field.name) for field in fields(scorer) if field.name != "bundle"}
        return cls(files, scorer.bundle.digest, {**told, "threads": 1})

    def __call__(self, bucket: Tables) -> pa.Table:
        """Return the rows of the accounts of one bucket."""
        return Scorer(bundle=_open(self.files.value, self.digest), **self.settings)(bucket)


def _open(files: Mapping[str, bytes], digest: str) -> Bundle:
    """Open a bundle, once in each process."""
    if digest not in _OPENED:
        if digest_of(files) != digest:
            raise RuntimeError("the model that arrived is not the one that was sent")
        values = {name: json_values(content, name) for name, content in files.items() if name.endswith(".json")}
        _OPENED.clear()
        _OPENED[digest] = Bundle.from_files(MappingProxyType(dict(files)), values)
    return _OPENED[digest]
