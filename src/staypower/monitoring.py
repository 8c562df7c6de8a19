"""How far features and scores have moved since the model was trained: the population stability index.

PSI sums (p - q) ln(p / q) over bins, where q is the share of accounts in a bin then and p the share now. A missing value is a
bin of its own, because that is where a source that stops arriving shows first. As is common, a PSI under 0.1 is steady, and one
of 0.25 or more has moved. With few accounts chance alone makes a PSI of about (bins - 1) (1 / n then + 1 / n now): that amount
is given with it, and what chance explains is not called moved.

References
----------
.. [1] B. Yurdakul and J. Naranjo (2020), "Statistical properties of the population stability index", Journal of Risk Model
   Validation 14(4): the index times 1 / (1/n + 1/m) is near chi-squared with bins - 1 degrees of freedom when nothing moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.stats import chi2

from staypower.cutoffs import text_of
from staypower.engines.local import each_bucket, keep_part
from staypower.features.builder import build_matrix
from staypower.features.catalogue import Catalogue
from staypower.labels.churn import find_customers
from staypower.labels.population import Status
from staypower.labels.settings import LabelSettings
from staypower.models.age import TWIN, ModelAge
from staypower.models.bundle import Bundle
from staypower.results.numbers import decimal, percent, plain, plural
from staypower.results.result import Block, Result, TableBlock
from staypower.tables import BucketedTables, Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEADY, MOVED = 0.1, 0.25
_BINS = 10
_LEVEL = 0.99
_SHOWN = 15  # rows of the text


@dataclass(frozen=True)
class Drift(Result):
    """What moved between the last training cutoff and now.

    >>> X = pd.DataFrame({"a": np.arange(1000.0)})
    >>> find_drift(X, X, np.arange(1000.0), np.arange(1000.0), then_words="May", now_words="June").headline
    'nothing moved between May and June'
    """

    # one row per feature, most moved first: `feature, psi, by_chance, verdict, usual_then, usual_now, missing_then,
    # missing_now`
    features: pd.DataFrame
    score: pd.DataFrame  # the same, one row, for the model's score
    then: str  # the last training cutoff
    now: str  # the cutoff compared with it
    accounts_then: int
    accounts_now: int

    @property
    def moved(self) -> pd.DataFrame:
        """The features whose verdict is `moved`."""
        return self.features[self.features["verdict"] == "moved"]

    @property
    def headline(self) -> str:
        """The outcome in one line."""
        names = list(self.moved["feature"])
        score = self.score["verdict"].iloc[0]
        if not names and score == "steady":
            return f"nothing moved between {self.then} and {self.now}"
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        moved = f"{len(names)} of {plural(len(self.features), 'feature')} moved ({', '.join(names[:3])}{more})"
        return f"{moved if names else 'no feature moved'}; the score: {score}"

    def frame(self) -> pd.DataFrame:
        """Return score and features as one frame."""
        return pd.concat([self.score, self.features], ignore_index=True)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        rows = plain(self.frame().to_dict("records"))
        return {"headline": self.headline, "then": self.then, "now": self.now, "rows": rows}

    def blocks(self) -> Sequence[Block]:
        """Return the headline, and the score and the features that moved most."""
        columns = ["feature", "PSI", "by chance", "verdict", "typical then", "typical now", "missing then", "missing now"]
        rows = [
            [
                row["feature"],
                *(decimal(row[name]) for name in ("psi", "by_chance")),
                row["verdict"],
                *(decimal(row[name]) for name in ("usual_then", "usual_now")),
                *(percent(row[name]) for name in ("missing_then", "missing_now")),
            ]
            for row in self.frame().head(_SHOWN).to_dict("records")
        ]
        return [self.headline, TableBlock(columns, rows)]


def population_stability(then: NDArray[np.float64], now: NDArray[np.float64], *, category: bool = False) -> tuple[float, float]:
    """Return the population stability index, and what chance alone would exceed once in a hundred times.

    >>> psi, _ = population_stability(np.arange(100.0), np.arange(100.0) + 50)
    >>> psi > 1
    True
    """
    if not len(then) or not len(now):
        return float("nan"), float("nan")
    edges = _edges(then, category=category)
    before, after = _counts(then, edges), _counts(now, edges)
    used = (before + after) > 0
    # half an account in an empty bin keeps the logarithm finite
    q = (before[used] + 0.5) / (before[used] + 0.5).sum()
    p = (after[used] + 0.5) / (after[used] + 0.5).sum()
    psi = float(((p - q) * np.log(p / q)).sum())
    return psi, float(chi2.ppf(_LEVEL, max(int(used.sum()) - 1, 1)) * (1 / len(then) + 1 / len(now)))


def _edges(then: NDArray[np.float64], *, category: bool) -> NDArray[np.float64]:
    known = then[~np.isnan(then)]
    distinct = np.unique(known)
    if category or len(distinct) <= _BINS:
        return distinct
    return np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1]))


def _counts(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    missing = np.isnan(values)
    place = np.searchsorted(edges, values[~missing], side="left")
    return np.append(np.bincount(place, minlength=len(edges) + 1), missing.sum()).astype(np.float64)


SCORE = "churn probability"  # no feature's name holds a blank


@dataclass(frozen=True)
class FeatureFiles:
    """Features and probabilities of accounts in files, of which one column is read at a time."""

    parts: Sequence[Path]  # parquet files

    def __len__(self) -> int:
        return sum(int(pq.read_metadata(part).num_rows) for part in self.parts)

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        tables = [pq.read_table(part, columns=[name], partitioning=None) for part in self.parts]
        return np.concatenate([table.column(0).to_numpy() for table in tables])

    @property
    def columns(self) -> Sequence[str]:
        """Names of the columns."""
        names: list[str] = pq.read_schema(self.parts[0]).names
        return names


def find_drift(
    then: pd.DataFrame | FeatureFiles,
    now: pd.DataFrame | FeatureFiles,
    score_then: NDArray[np.float64],
    score_now: NDArray[np.float64],
    *,
    then_words: str = "",
    now_words: str = "",
    categories: tuple[str, ...] = (),
) -> Drift:
    """Compare what the model was trained on with what it sees now."""
    rows = [
        _row(str(name), np.asarray(then[name], np.float64), np.asarray(now[name], np.float64), name in categories)
        for name in then.columns
        if name != SCORE
    ]
    features = pd.DataFrame(rows).sort_values(["psi", "feature"], ascending=[False, True], ignore_index=True)
    score = pd.DataFrame([_row("score", score_then, score_now, category=False)])
    return Drift(features, score, then_words, now_words, len(then), len(now))


def drift_since_training(
    bundle: Bundle, tables: BucketedTables, label: LabelSettings, *, cutoff: int, folder: Path, threads: int
) -> Drift | None:
    """Compare the features of accounts scored now with those at the last training cutoff; None where there are none.

    The scores are those of the twin, where there is one: it knows the outcome of neither cutoff.
    """
    trained = ModelAge.of(bundle).trained_until
    if trained == cutoff:
        return None
    then: pd.DataFrame | FeatureFiles
    now: pd.DataFrame | FeatureFiles
    if tables.whole is not None:
        then, now = (_features_at(at, bundle, tables.whole, label) for at in (trained, cutoff))
    else:

        def keep(number: int, bucket: Tables) -> list[Path]:
            made = [(_features_at(at, bundle, bucket, label), f"{at}-{number}.parquet") for at in (trained, cutoff)]
            return [keep_part(pa.Table.from_pandas(each, preserve_index=False), folder / name) for each, name in made]

        files = each_bucket(tables, keep, threads=threads)
        then, now = FeatureFiles([one for one, _ in files]), FeatureFiles([one for _, one in files])
    if not len(then) or not len(now):
        return None
    return find_drift(
        then,
        now,
        np.asarray(then[SCORE]),
        np.asarray(now[SCORE]),
        then_words=text_of(trained),
        now_words=text_of(cutoff),
        categories=tuple(Catalogue.of(bundle.learned).categories),
    )


def _features_at(cutoff: int, bundle: Bundle, tables: Tables, label: LabelSettings) -> pd.DataFrame:
    """Build the features of the accounts that have a score at a cutoff, and their probabilities."""
    at = np.array([cutoff], dtype=np.int64)
    population = find_customers(tables, label, at)
    status = population.status[:, 0]
    active = [account for account, each in zip(population.accounts, status, strict=True) if each == Status.SCORED]
    matrix = build_matrix(tables, Catalogue.of(bundle.learned), accounts=active, cutoffs=at)
    features = matrix.features[list(bundle.feature_names)].astype(np.float64)
    model = bundle.secondary.get(TWIN, bundle)
    return features.assign(**{SCORE: model.predict(features, matrix.accounts) if active else np.zeros(0)})


def _row(name: str, then: NDArray[np.float64], now: NDArray[np.float64], category: bool) -> dict[str, Any]:
    psi, by_chance = population_stability(then, now, category=category)
    verdict = "moved" if psi >= max(MOVED, by_chance) else "shifting" if psi >= max(STEADY, by_chance) else "steady"
    return {
        "feature": name,
        "psi": psi,
        "by_chance": by_chance,
        "verdict": verdict,
        "usual_then": _median(then),
        "usual_now": _median(now),
        "missing_then": float(np.isnan(then).mean()) if len(then) else float("nan"),
        "missing_now": float(np.isnan(now).mean()) if len(now) else float("nan"),
    }


def _median(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else float("nan")
