"""Everything that scoring needs of a trained model, as text and plain values; never a pickle."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from staypower.errors import Problem, UsageError, nearest
from staypower.models.calibration import CalibrationMap, calibration_from_dict
from staypower.models.companion import CompanionModel, name_problems, take_features
from staypower.models.frames import encode
from staypower.models.model_text import check_model_text
from staypower.models.seal import (
    COMPANION,
    companion_files,
    companion_names,
    digest_of,
    json_bytes,
    json_values,
    open_folder,
    seal_folder,
)
from staypower.models.shapley.explainer import Explained, explainer_of
from staypower.models.trees import booster_of, raw_scores_of

if TYPE_CHECKING:
    import lightgbm

__all__ = ["Bundle", "CompanionModel", "read_bundle", "write_bundle"]

Floats = NDArray[np.float64]

_MOST_COMPANIONS = 64


@dataclass(frozen=True)
class Bundle:
    """A trained model, sealed.

    >>> from staypower.models.churn import ChurnClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 2))
    >>> model = ChurnClassifier(max_trees=5).fit(X, X[:, 0] > 0)
    >>> bundle = model.to_bundle(metadata={"name": "acme"})
    >>> bool((bundle.predict(X) == model.predict_proba(X)[:, 1]).all())
    True
    """

    model_text: str  # lightGBM text of the trees, with feature names f0, f1, ...
    calibration: CalibrationMap  # from raw score to probability
    feature_names: tuple[str, ...]  # our names of the features, in the order of the trees
    categories: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # codes of each categorical feature
    learned: Mapping[str, Any] = field(default_factory=dict)  # learned definitions, JSON-able; opaque here
    # name, version, horizon, gap, cutoffs, metrics and the like, JSON-able
    metadata: Mapping[str, Any] = field(default_factory=dict)
    card: str = ""  # the model card, Markdown
    # more boosters, by names of a to z, 0 to 9 and _: what they are for is their readers' affair
    companions: Mapping[str, CompanionModel] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise UsageError(problems)
        check_model_text(self.model_text, features=len(self.feature_names))
        object.__setattr__(self, "feature_names", tuple(self.feature_names))
        for name in ("categories", "learned", "metadata"):
            # A copy as JSON would give it back: what is written is what is read, whatever the caller does to his own.
            object.__setattr__(self, name, json.loads(json_bytes(getattr(self, name), name)))
        object.__setattr__(self, "companions", {name: self.companions[name] for name in sorted(self.companions)})

    def _problems(self) -> Iterator[Problem]:
        names = list(self.feature_names)
        yield from name_problems(names)
        for feature, codes in self.categories.items():
            if feature not in names:
                yield Problem("categories of a feature that is not there", str(feature), nearest(str(feature), names))
            if not all(isinstance(code, int) and not isinstance(code, bool) and code >= 0 for code in codes.values()):
                yield Problem("a category code is no code", str(feature), "give whole numbers from 0")
        for name in self.companions:
            if not isinstance(name, str) or not COMPANION.fullmatch(name):
                yield Problem("unusable name of a companion", repr(name), "use a to z, 0 to 9 and _, at most 40")
        if len(self.companions) > _MOST_COMPANIONS:
            yield Problem("too many companions", str(len(self.companions)), f"seal at most {_MOST_COMPANIONS}")

    @property
    def digest(self) -> str:
        """The sha256 that seals the bundle: the digest of its manifest."""
        return digest_of(self.files())

    def files(self) -> dict[str, bytes]:
        """Return the files of the bundle, without their manifest, by name."""
        schema = {"features": list(self.feature_names), "categories": self.categories}
        files = {
            "model.txt": self.model_text.encode(),
            "calibration.json": json_bytes(self.calibration.to_dict(), "calibration"),
            "schema.json": json_bytes(schema, "schema"),
            "learned.json": json_bytes(self.learned, "learned"),
            "metadata.json": json_bytes(self.metadata, "metadata"),
            "card.md": self.card.encode(),
        }
        for name, companion in self.companions.items():
            trees, values = companion_files(name)
            files[trees] = companion.model_text.encode()
            files[values] = json_bytes(companion.to_dict(), f"companion {name}")
        return files

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], values: Mapping[str, Any]) -> Bundle:
        """Build the bundle from checked files and the values of its JSON files."""
        schema = values["schema.json"]
        names, categories = schema.get("features"), schema.get("categories")
        maps = isinstance(categories, dict) and all(isinstance(codes, dict) for codes in categories.values())
        if not isinstance(names, list) or not maps:
            raise UsageError.of("unusable bundle", "schema.json", "fetch the bundle again or train it anew")
        companions = {}
        for name in companion_names(files):
            text, rest = companion_files(name)
            companions[name] = CompanionModel.from_dict(files[text].decode(), values[rest], file=rest)
        return cls(
            model_text=files["model.txt"].decode(),
            calibration=calibration_from_dict(values["calibration.json"]),
            feature_names=tuple(names),
            categories=categories,
            learned=values["learned.json"],
            metadata=values["metadata.json"],
            card=files["card.md"].decode(),
            companions=companions,
        )

    @cached_property
    def booster(self) -> lightgbm.Booster:
        """The trees, read when first used."""
        return booster_of(self.model_text)

    def matrix(self, X: pd.DataFrame | Floats) -> Floats:
        """Return the features in the order of the trees."""
        return take_features(encode(X, self.categories) if self.categories else X, self.feature_names)

    def raw_score(self, X: pd.DataFrame | Floats, *, threads: int | None = None) -> Floats:
        """Return the raw score of the trees, in uncalibrated log-odds."""
        features = self.matrix(X)
        if not len(features):
            return np.empty(0)
        return raw_scores_of(self.booster, features, threads=threads)

    def predict(self, X: pd.DataFrame | Floats, *, threads: int | None = None) -> Floats:
        """Return the calibrated churn probability of each row."""
        return self.calibration.apply(self.raw_score(X, threads=threads))

    def contributions(self, X: pd.DataFrame | Floats, *, threads: int | None = None) -> tuple[Floats, float]:
        """Return what each feature adds to each row's raw score, and the base: exact TreeSHAP."""
        found = self.explain(X, threads=threads)
        return found.contributions, found.base

    def explain(self, X: pd.DataFrame | Floats, *, threads: int | None = None) -> Explained:
        """Return contributions, base and raw scores from one walk through the trees."""
        return explainer_of(self.model_text).explain(self.matrix(X), threads=threads)


def write_bundle(bundle: Bundle, folder: str | Path) -> str:
    """Seal a bundle into a folder."""
    return seal_folder(bundle.files(), Path(folder))


def read_bundle(folder: str | Path, *, digest: str | None = None) -> Bundle:
    """Read a sealed bundle; nothing is parsed before every digest was checked."""
    files = open_folder(Path(folder), digest=digest)
    try:
        values = {name: json_values(content, name) for name, content in files.items() if name.endswith(".json")}
        return Bundle.from_files(files, values)
    except UnicodeDecodeError:
        raise UsageError.of("unreadable file in the bundle", str(folder), "fetch the bundle again or train it anew") from None
