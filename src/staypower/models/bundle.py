"""Sealed models: all that prediction needs of a trained model, as text and plain values; never a pickle."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeGuard

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from staypower.errors import Problem, UsageError, nearest
from staypower.hashing import folds_of
from staypower.log_odds import expit
from staypower.models.calibration import CalibrationMap, calibration_from_dict
from staypower.models.frames import as_frame
from staypower.models.margin import LinearMargin
from staypower.models.model_text import check_model_text
from staypower.models.seal import (
    MARGIN,
    RESTORE,
    SECONDARY_NAME,
    digest_of,
    json_bytes,
    json_values,
    open_folder,
    seal_folder,
    secondary_files,
    secondary_names,
)
from staypower.models.shapley_values import Explained, explain_on_margin, explainer_of
from staypower.models.training_rows import encode
from staypower.models.trees import booster_of, on_margin

if TYPE_CHECKING:
    import lightgbm

__all__ = [
    "FOLD",
    "Accounts",
    "Bundle",
    "SealedModel",
    "explain_by_fold",
    "fold_models",
    "read_bundle",
    "score_by_fold",
    "take_features",
    "write_bundle",
]

Floats = NDArray[np.float64]

Accounts = Sequence[str] | NDArray[np.object_]

FOLD = "fold_{}"
"""The name in a bundle of the trees that score the accounts of one fold, and saw the outcome of none of them."""

_MOST_SECONDARY = 64
_LISTED = 10
_PARTS = {"calibration", "features", "metadata"}


@dataclass(frozen=True)
class SealedModel:
    """One trained booster with its calibration."""

    model_text: str  # LightGBM text of the trees, with feature names f0, f1, ...
    calibration: CalibrationMap | None  # from raw score to probability; None: the trees' own, 1 / (1 + exp(-raw))
    feature_names: tuple[str, ...]  # our names of the features, in the order of the trees
    metadata: Mapping[str, Any] = field(default_factory=dict)  # what readers need to know, JSON-able
    margin: LinearMargin | None = None  # what the trees start from; None: from nothing

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise UsageError(problems)
        check_model_text(self.model_text, features=len(self.feature_names))
        object.__setattr__(self, "feature_names", tuple(self.feature_names))
        self._copy_as_json("metadata")

    def _problems(self) -> Iterator[Problem]:
        names = list(self.feature_names)
        if not names or not all(isinstance(name, str) and name for name in names) or len(set(names)) != len(names):
            yield Problem("unusable feature names", str(names[:5]), "give every feature a name of its own")
        if self.margin is not None and len(self.margin) != len(names):
            yield Problem("the margin has other features than the trees", f"{len(self.margin)} of {len(names)}", RESTORE)

    def _copy_as_json(self, *names: str) -> None:
        """Keep values as JSON would give them back, so that what is read is what was written, whatever the caller changes."""
        for name in names:
            object.__setattr__(self, name, json.loads(json_bytes(getattr(self, name), name)))

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the trees as JSON-able values."""
        margin = {} if self.margin is None else {"margin": self.margin.to_dict()}
        return {
            "calibration": None if self.calibration is None else self.calibration.to_dict(),
            "features": list(self.feature_names),
            "metadata": self.metadata,
            **margin,
        }

    @classmethod
    def from_dict(cls, model_text: str, values: Mapping[str, Any], *, file: str) -> Self:
        """Build a model from its checked files."""
        calibration, names, metadata = (values.get(part) for part in sorted(_PARTS))
        fine = set(values) - {"margin"} == _PARTS and _are_names(names) and isinstance(metadata, dict)
        if not fine or not (calibration is None or isinstance(calibration, dict)):
            raise UsageError.of("unusable bundle", file, RESTORE)
        found = None if calibration is None else calibration_from_dict(calibration)
        margin = _margin_of(values.get("margin"), names or ())
        return cls(model_text, found, tuple(names or ()), metadata or {}, margin)

    @cached_property
    def booster(self) -> lightgbm.Booster:
        """The trees, read when first used."""
        return booster_of(self.model_text)

    def matrix(self, X: pd.DataFrame | Floats) -> Floats:
        """Return the features in the order of the trees; a frame may hold other columns besides."""
        return take_features(X, self.feature_names)

    def raw_score(self, X: pd.DataFrame | Floats, accounts: Accounts | None = None, *, threads: int | None = None) -> Floats:
        """Return the raw score of the margin and the trees, in uncalibrated log-odds; only folds ask whose rows they are."""
        features = self.matrix(X)
        if not len(features):
            return np.empty(0)
        return on_margin(self.margin, features, explainer_of(self.model_text).raw_score(features, threads=threads))

    def log_odds(self, X: pd.DataFrame | Floats, accounts: Accounts | None = None, *, threads: int | None = None) -> Floats:
        """Return the calibrated log-odds of each row."""
        raw = self.raw_score(X, accounts, threads=threads)
        return raw if self.calibration is None else self.calibration.log_odds(raw)

    def predict(self, X: pd.DataFrame | Floats, accounts: Accounts | None = None, *, threads: int | None = None) -> Floats:
        """Return the calibrated probability of each row."""
        raw = self.raw_score(X, accounts, threads=threads)
        return np.asarray(expit(raw)) if self.calibration is None else self.calibration.apply(raw)

    def contributions(
        self, X: pd.DataFrame | Floats, accounts: Accounts | None = None, *, threads: int | None = None
    ) -> tuple[Floats, float | Floats]:
        """Return what each feature adds to each row's raw score, and the base: exact TreeSHAP and the margin's own part."""
        found = self.explain(X, accounts, threads=threads)
        return found.contributions, found.base

    def explain(self, X: pd.DataFrame | Floats, accounts: Accounts | None = None, *, threads: int | None = None) -> Explained:
        """Return contributions, base and raw scores from one walk through the trees."""
        return explain_on_margin(self.model_text, self.margin, self.matrix(X), threads=threads)


def fold_models(trees: Sequence[tuple[str, LinearMargin | None]], names: Sequence[str]) -> tuple[SealedModel, ...]:
    """Make the models of the folds from the text of their trees and the margin that these start from."""
    known = {"folds": len(trees)}
    return tuple(SealedModel(text, None, tuple(names), known, margin) for text, margin in trees)


def score_by_fold(
    folds: Sequence[SealedModel], features: Floats, accounts: Accounts | None, *, threads: int | None = None
) -> Floats:
    """Return the raw score of each row by the trees of its account's fold."""
    found = np.empty(len(features))
    for fold, here in _by_fold(folds, accounts, len(features)):
        found[here] = fold.raw_score(features[here], threads=threads)
    return found


def explain_by_fold(
    folds: Sequence[SealedModel], features: Floats, accounts: Accounts | None, *, threads: int | None = None
) -> Explained:
    """Explain each row by the trees that score it."""
    contributions, base, raw = np.empty(features.shape), np.empty(len(features)), np.empty(len(features))
    for fold, here in _by_fold(folds, accounts, len(features)):
        found = fold.explain(features[here], threads=threads)
        contributions[here], base[here], raw[here] = found.contributions, found.base, found.raw_score
    return Explained(contributions, base, raw)


def _by_fold(
    folds: Sequence[SealedModel], accounts: Accounts | None, rows: int
) -> Iterator[tuple[SealedModel, NDArray[np.bool_]]]:
    """Yield the model and the rows of each fold that has any."""
    if accounts is None or len(accounts) != rows:
        given = "no accounts" if accounts is None else f"{len(accounts)} accounts for {rows} rows"
        fix = "give the account of each row: it is scored by trees that never saw its outcome"
        raise UsageError.of("the model needs the account of each row", given, fix)
    numbers = folds_of([str(account) for account in accounts], len(folds))
    for number, fold in enumerate(folds):
        here = numbers == number
        if here.any():
            yield fold, here


@dataclass(frozen=True)
class Bundle(SealedModel):
    """The churn model with everything that scoring needs, secondary models included."""

    calibration: CalibrationMap
    categories: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # codes of each categorical feature
    learned: Mapping[str, Any] = field(default_factory=dict)  # learned definitions, JSON-able; opaque here
    card: str = ""  # the model card, Markdown
    # kinds of churn, other horizons, the tier, by names of a to z, 0 to 9 and _
    secondary: Mapping[str, SealedModel] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._copy_as_json("categories", "learned")
        object.__setattr__(self, "secondary", {name: self.secondary[name] for name in sorted(self.secondary)})

    def _problems(self) -> Iterator[Problem]:
        yield from super()._problems()
        names = list(self.feature_names)
        for feature, codes in self.categories.items():
            if feature not in names:
                yield Problem("categories of a feature that is not there", str(feature), nearest(str(feature), names))
            if not all(isinstance(code, int) and not isinstance(code, bool) and code >= 0 for code in codes.values()):
                yield Problem("unusable category code", str(feature), "give whole numbers from 0")
        for name in self.secondary:
            if not isinstance(name, str) or not SECONDARY_NAME.fullmatch(name):
                yield Problem("unusable name of a secondary model", repr(name), "use a to z, 0 to 9 and _, at most 40")
        if len(self.secondary) > _MOST_SECONDARY:
            yield Problem("too many secondary models", str(len(self.secondary)), f"seal at most {_MOST_SECONDARY}")
        folds = self.folds
        if any(fold.metadata.get("folds") != len(folds) or fold.feature_names != tuple(names) for fold in folds):
            yield Problem("folds that do not belong together", f"{len(folds)} folds", RESTORE)

    @cached_property
    def folds(self) -> tuple[SealedModel, ...]:
        """The trees of each fold of accounts; none where the trees of `model_text` score everybody."""
        names = [FOLD.format(number) for number in range(len(self.secondary))]
        return tuple(self.secondary[name] for name in names if name in self.secondary)

    def raw_score(self, X: pd.DataFrame | Floats, accounts: Accounts | None = None, *, threads: int | None = None) -> Floats:
        """Return the raw score; where there are folds, by trees that saw no outcome of the row's account."""
        if not self.folds:
            return super().raw_score(X, threads=threads)
        return score_by_fold(self.folds, self.matrix(X), accounts, threads=threads)

    def explain(self, X: pd.DataFrame | Floats, accounts: Accounts | None = None, *, threads: int | None = None) -> Explained:
        """Return contributions, base and raw scores by the trees that `raw_score` takes; with folds a base for each row."""
        if not self.folds:
            return super().explain(X, threads=threads)
        return explain_by_fold(self.folds, self.matrix(X), accounts, threads=threads)

    @property
    def digest(self) -> str:
        """The sha256 that seals the bundle: the digest of its manifest."""
        return digest_of(self.files())

    @property
    def trained_base_rate(self) -> float:
        """The base rate that the probabilities are calibrated for."""
        return float(self.metadata.get("calibrated_base_rate", self.metadata["base_rate"]))

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
        if self.margin is not None:
            files[MARGIN] = json_bytes(self.margin.to_dict(), "margin")
        for name, model in self.secondary.items():
            trees, values = secondary_files(name)
            files[trees] = model.model_text.encode()
            files[values] = json_bytes(model.to_dict(), f"secondary model {name}")
        return files

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], values: Mapping[str, Any]) -> Bundle:
        """Build the bundle from checked files and the values of its JSON files."""
        schema = values["schema.json"]
        names, categories = schema.get("features"), schema.get("categories")
        maps = isinstance(categories, dict) and all(isinstance(codes, dict) for codes in categories.values())
        if not _are_names(names) or not maps:
            raise UsageError.of("unusable bundle", "schema.json", RESTORE)
        secondary = {}
        for name in secondary_names(files):
            text, rest = secondary_files(name)
            secondary[name] = SealedModel.from_dict(files[text].decode(), values[rest], file=rest)
        return cls(
            model_text=files["model.txt"].decode(),
            calibration=calibration_from_dict(values["calibration.json"]),
            feature_names=tuple(names),
            categories=categories,
            learned=values["learned.json"],
            metadata=values["metadata.json"],
            card=files["card.md"].decode(),
            secondary=secondary,
            margin=_margin_of(values.get(MARGIN), names),
        )

    def matrix(self, X: pd.DataFrame | Floats) -> Floats:
        """Return the features in the order of the trees, texts as codes; a frame may hold other columns besides."""
        return take_features(encode(X, self.categories) if self.categories else X, self.feature_names)


def _are_names(found: Any) -> TypeGuard[list[str]]:
    return isinstance(found, list) and all(isinstance(name, str) for name in found)


def _margin_of(plain: Mapping[str, Any] | None, names: Sequence[str]) -> LinearMargin | None:
    return None if plain is None else LinearMargin.from_dict(plain, features=len(names))


def take_features(X: pd.DataFrame | Floats, names: Sequence[str]) -> Floats:
    """Return features in the order in which trees read them.

    >>> take_features(pd.DataFrame({"b": [1.0], "a": [2.0]}), ["a", "b"]).tolist()
    [[2.0, 1.0]]
    """
    X = as_frame(X)
    if hasattr(X, "columns") and not isinstance(X, pd.DataFrame):  # a polars frame: never take its columns by position
        X = pd.DataFrame({str(name): X[name].to_pandas() for name in X.columns if str(name) in names})
    if isinstance(X, pd.DataFrame):
        X = _doubles(X, names)
    features = np.ascontiguousarray(X, dtype=np.float64)
    if features.ndim != 2 or features.shape[1] != len(names):
        raise UsageError.of("wrong shape", str(features.shape), f"give {len(names)} features per row")
    if np.isinf(features).any():
        raise UsageError.of("infinite feature value", f"{int(np.isinf(features).sum())} values", "give a missing value")
    return features


def _doubles(rows: pd.DataFrame, names: Sequence[str]) -> Floats:
    """Take the features out of a frame as doubles, whatever numbers and missing values it holds them in."""
    known = [str(column) for column in rows.columns.tolist()]
    if known == list(names) and set(rows.dtypes) == {np.dtype(np.float64)}:
        # what was built here: looking at one column after another takes longer than everything else
        return rows.to_numpy()
    place = {name: at for at, name in enumerate(known)}
    missing = [name for name in names if name not in place]
    problems = [Problem("a feature is missing", name, "build it as in training") for name in missing[:_LISTED]]
    if len(missing) > _LISTED:
        problems.append(Problem("more features are missing", str(len(missing) - _LISTED), "build them as in training"))
    twice = [name for name in names if known.count(name) > 1] if len(place) < len(known) else []
    problems += [Problem("a feature is there twice", name, "leave one of the columns out") for name in twice[:_LISTED]]
    if problems:
        raise UsageError(problems)
    if set(rows.dtypes) == {np.dtype(np.float64)}:
        return rows.to_numpy()[:, [place[name] for name in names]]
    found = np.empty((len(rows), len(names)))
    for number, name in enumerate(names):
        values = _widened(rows.iloc[:, place[name]])
        if values is None:
            problems.append(Problem("a feature is not a number", name, "give numbers; categories as their codes"))
        else:
            found[:, number] = values
    if problems:
        raise UsageError(problems)
    return found


def _widened(values: pd.Series) -> Floats | None:
    """Return a column as doubles, None where it holds anything but numbers and missing values."""
    if values.dtype == object:
        there = values.dropna()
        if not all(isinstance(value, (Real, Decimal, np.bool_)) for value in there):
            return None
    elif not pd.api.types.is_numeric_dtype(values.dtype) or values.dtype.kind == "c":
        return None
    return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))


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
        raise UsageError.of("unreadable file in the bundle", str(folder), RESTORE) from None
