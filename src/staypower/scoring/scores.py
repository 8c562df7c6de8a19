"""What scoring found: one row per account, in memory or in files, and the summary that both have."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from staypower.cutoffs import before, instant_of, text_of
from staypower.errors import UsageError
from staypower.gate.comparing import FeatureCounts
from staypower.portfolio.attributes import called
from staypower.portfolio.quadrants import Movement, movement, sizes_of
from staypower.results.numbers import chance, count, money, plain, plural
from staypower.results.result import Block, Heading, Items, Result, TableBlock
from staypower.scoring.ranges import Beyond, beyond_from_plain, beyond_to_plain, beyond_words, sum_beyond

if TYPE_CHECKING:
    from staypower.explanation.reasons import Explanation

__all__ = [
    "ONE_SNAPSHOT",
    "PreviousScores",
    "ScoreSummary",
    "ScoredParts",
    "Scores",
    "note_of",
    "noted",
    "outcome_words",
    "riskiest",
    "sum_notes",
    "typed_rows",
]

ONE_SNAPSHOT = (
    "One snapshot: the flag says who left, not when. A score is the probability to carry the flag, not to leave within a time; "
    "accounts that carry it have left and are not ranked."
)
NONE_SCORED = "No account could be scored: none was an active customer at the cutoff."
_SHOWN = 5
_TEXTS = ("account_id", "name", "cutoff", "status", "churn_risk_band", "tier", "quadrant", "scored_at", "run_id")
_TEXT_BEGINNINGS = ("reason_", "lever_", "model_")
_OTHERS = {"horizon_days": pa.int64(), "never_invited": pa.bool_()}
_NARROW = ("account_id", "cutoff", "status", "tier", "quadrant", "mrr")
_MOST_WATCHED = 100
_NOTES = b"staypower notes"  # of a part


def outcome_words(horizon_days: float | None) -> str:
    """Say what the probability of a score is of, by its column `horizon_days`.

    >>> outcome_words(90), outcome_words(None)
    ('within 90 days', 'to carry the flag')
    """
    return "to carry the flag" if horizon_days is None or pd.isna(horizon_days) else f"within {int(horizon_days)} days"


class ScoreSummary(Result):
    """Counts, accounts of highest risk, quadrants and movement of scores, wherever their rows are."""

    cutoff: int
    movement: Movement | None
    beyond: tuple[Beyond, ...]  # how many accounts lie beyond the training range, of each important feature

    @property
    def rows(self) -> pd.DataFrame:
        """Some columns of every account: `status`, and `tier, quadrant, mrr` where they are known."""
        raise NotImplementedError

    def watch_list(self, count: int = 10) -> pd.DataFrame:
        """Return the accounts of highest risk."""
        raise NotImplementedError

    def __len__(self) -> int:
        return sum(self.counts().values())

    @property
    def has_tiers(self) -> bool:
        """Whether any account has a tier."""
        return "tier" in self.rows and bool(self.rows["tier"].notna().any())

    @property
    def one_snapshot(self) -> bool:
        """Whether the label is a flag without a time."""
        first = self.watch_list(1)
        return "horizon_days" in first and bool(first["horizon_days"].isna().any())

    def counts(self) -> dict[str, int]:
        """Return how many accounts have each status."""
        return {str(status): int(number) for status, number in self.rows["status"].value_counts().items()}

    def quadrants(self) -> pd.DataFrame:
        """Return accounts and revenue of each quadrant."""
        return sizes_of(self.rows)

    def blocks(self) -> list[Block]:
        """Return the counts, the accounts of highest risk with their reasons, the quadrants and who moved."""
        counts = ", ".join(f"{count(number)} {status.replace('_', ' ')}" for status, number in self.counts().items())
        shown: list[Block] = [f"{plural(len(self), 'account')} at {text_of(self.cutoff)}: {counts}"]
        shown += [ONE_SNAPSHOT] if self.one_snapshot else []
        shown += [Heading("Highest risk")] if "scored" in self.counts() else [NONE_SCORED]
        for row in self.watch_list(_SHOWN).to_dict("records"):
            if row["status"] == "scored":
                shown += _account(row)
        if self.has_tiers:
            rows = [
                [row["words"], count(row["accounts"]), "" if pd.isna(row["mrr"]) else money(row["mrr"])]
                for row in self.quadrants().to_dict("records")
            ]
            shown.append(TableBlock(("quadrant", "accounts", "revenue per month"), rows, "Quadrants"))
        if self.movement is not None:
            moved = [row for row in self.movement.frame().to_dict("records") if row["before"] != row["now"]]
            rows = [[f"{row['before']} -> {row['now']}", count(row["accounts"])] for row in moved]
            shown.append(TableBlock(("quadrant change since the previous scores", "accounts"), rows))
        return [*shown, *beyond_words(self.beyond)]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        found = plain(
            {
                "cutoff": text_of(self.cutoff),
                "accounts": len(self),
                "one_snapshot": self.one_snapshot,
                "statuses": self.counts(),
                "quadrants": self.quadrants().to_dict("records"),
                "movement": None if self.movement is None else self.movement.frame().to_dict("records"),
                "highest_risk": self.watch_list().to_dict("records"),
                "beyond_training": beyond_to_plain(self.beyond),
            }
        )
        return cast("dict[str, Any]", found)


def _account(row: dict[Any, Any]) -> list[Block]:
    """Write one account of the watch list."""
    facts = [row["churn_risk_band"], *(row[name] for name in ("tier", "quadrant") if isinstance(row.get(name), str))]
    line = f"{called(row)}: {chance(row['churn_probability'])} {outcome_words(row['horizon_days'])} ({', '.join(facts)})"
    reasons = [row.get(f"reason_{number}") for number in (1, 2, 3)]
    return [line, Items([reason for reason in reasons if isinstance(reason, str)])]


@dataclass(frozen=True)
class Scores(ScoreSummary):
    """What scoring found.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per account, sorted by `account_id`.
    explanation : Explanation
        Contributions of the accounts that were scored.
    cutoff : int
        Instant.
    movement : Movement or None
        Who moved between quadrants since the previous scores, when those were given.
    beyond : tuple of Beyond
        How many accounts lie beyond the training range, for each of the most important features.
    lacking : FeatureCounts
        How many accounts lack a value of each feature.

    Notes
    -----
    Columns: `account_id`, `name` where accounts have one, `cutoff, horizon_days, status, churn_probability, churn_risk_band`,
    then the secondary outputs of the model (`p_voluntary, p_involuntary, churn_probability_30d, ..., expected_days_to_churn,
    tier, p_detractor, p_passive, p_promoter, never_invited`) and `quadrant`, then where known `clv, value_at_risk, mrr,
    days_to_renewal, satisfaction, satisfaction_age_days, asked_unanswered`, then `reason_1, lever_1, contribution_1, ...`, then
    `total_onboarding, total_adoption, ...` (by lever, in log-odds: by how much it raises the risk more than is typical of
    accounts like it; at least 0), then
    `model_name, model_version, run_id, scored_at`. Accounts whose status is not `scored` have no probability. `horizon_days` is
    missing where the label is a flag without a time.
    """

    table: pd.DataFrame
    explanation: Explanation
    cutoff: int
    movement: Movement | None = None
    beyond: tuple[Beyond, ...] = ()
    lacking: FeatureCounts = field(default_factory=FeatureCounts)

    def __len__(self) -> int:
        return len(self.table)

    def blocks(self) -> list[Block]:
        """Return the summary, and of when the typical values in the reasons are."""
        of_when = "" if self.explanation is None else self.explanation.typical.said(self.cutoff)
        return [*super().blocks(), *([f"{of_when[0].upper()}{of_when[1:]}."] if of_when else [])]

    @property
    def rows(self) -> pd.DataFrame:
        """The table."""
        return self.table

    def frame(self, columns: Sequence[str] = ()) -> pd.DataFrame:
        """Return the table, or those of some columns that it has."""
        return self.table[[name for name in self.table if name in columns]] if columns else self.table

    def watch_list(self, count: int = 10) -> pd.DataFrame:
        """Return the accounts of highest risk."""
        return self.table.sort_values(["churn_probability", "account_id"], ascending=[False, True]).head(count)


@dataclass(frozen=True)
class ScoredParts(ScoreSummary):
    """Scores as files, one per bucket, of which only a few narrow columns are kept in memory."""

    parts: tuple[Path, ...]  # parquet files; each account is in exactly one
    cutoff: int  # instant
    narrow: pd.DataFrame  # `account_id, cutoff, status, tier, quadrant, mrr` of every account, sorted by `account_id`
    watched: pd.DataFrame  # the accounts of highest risk, all columns
    movement: Movement | None = None  # who moved between quadrants since the previous scores, when those were given
    beyond: tuple[Beyond, ...] = ()
    lacking: FeatureCounts = field(default_factory=FeatureCounts)  # accounts that lack a value of each feature

    @classmethod
    def of(cls, parts: Sequence[Path], cutoff: int, previous: pd.DataFrame | None = None) -> ScoredParts:
        """Read what is needed of the parts."""
        narrow = _columns(parts, _NARROW)
        moved = None if previous is None else movement(previous, narrow)
        beyond, lacking = sum_notes(note_of(pq.read_schema(part)) for part in parts)
        return cls(
            tuple(parts), cutoff, narrow, riskiest(map(_whole, parts), _MOST_WATCHED).to_pandas(), moved, beyond, lacking
        )

    @property
    def rows(self) -> pd.DataFrame:
        """The narrow columns."""
        return self.narrow

    def frame(self, columns: Sequence[str] = ()) -> pd.DataFrame:
        """Read columns of all rows, sorted by `account_id`; only while the parts exist."""
        return _columns(self.parts, columns)

    def watch_list(self, count: int = 10) -> pd.DataFrame:
        """Return the accounts of highest risk, at most 100."""
        return self.watched.head(count)


def _whole(part: Path) -> pa.Table:
    return pq.read_table(part, partitioning=None)


def _columns(parts: Sequence[Path], columns: Sequence[str]) -> pd.DataFrame:
    there = [name for name in pq.read_schema(parts[0]).names if name in columns or not columns]
    read = list(dict.fromkeys(["account_id", *there]))
    rows = pa.concat_tables([pq.read_table(part, columns=read, partitioning=None) for part in parts])
    frame: pd.DataFrame = rows.sort_by("account_id").select(there).to_pandas()
    return frame


def riskiest(parts: Iterable[pa.Table], most: int) -> pa.Table:
    """Return the accounts of highest risk of all parts."""
    order = [("churn_probability", "descending"), ("account_id", "ascending")]
    best: list[pa.Table] = []
    for part in parts:
        together = pa.concat_tables([*best, part])
        best = [together.take(pc.sort_indices(together, sort_keys=order)[:most])]
    return best[0]


def typed_rows(scores: pd.DataFrame) -> pa.Table:
    """Turn scored rows into an Arrow table with the same columns and types whoever is among the accounts.

    >>> typed_rows(pd.DataFrame({"account_id": ["a"], "tier": [None], "mrr": [None]})).schema.types
    [DataType(string), DataType(string), DataType(double)]
    """
    schema = pa.schema([(str(name), _type_of(str(name))) for name in scores.columns])
    return pa.Table.from_pandas(scores, schema=schema, preserve_index=False).replace_schema_metadata(None)


def noted(scores: Scores) -> pa.Table:
    """Return the rows of a part, with a note of how many lie beyond the training range and lack a value of each feature."""
    notes = {"beyond": beyond_to_plain(scores.beyond), "lacking": asdict(scores.lacking)}
    return typed_rows(scores.table).replace_schema_metadata({_NOTES: json.dumps(notes).encode()})


def note_of(schema: pa.Schema) -> bytes:
    """Return the note of a part."""
    return bytes((schema.metadata or {}).get(_NOTES, b""))


def sum_notes(written: Iterable[str | bytes]) -> tuple[tuple[Beyond, ...], FeatureCounts]:
    """Add up the notes of parts: accounts beyond the training range, and those that lack values."""
    notes = [json.loads(each) for each in written if each]
    beyond = sum_beyond(beyond_from_plain(note["beyond"]) for note in notes)
    return beyond, sum((FeatureCounts(**note["lacking"]) for note in notes), FeatureCounts())


def _type_of(name: str) -> pa.DataType:
    if name in _TEXTS or name.startswith(_TEXT_BEGINNINGS):
        return pa.string()
    return _OTHERS.get(name, pa.float64())


@dataclass(frozen=True, eq=False)
class PreviousScores:
    """Scores of an earlier cutoff, and where they come from."""

    table: pd.DataFrame  # of the columns of a score list those that are compared
    name: str  # the file, or what the user calls it

    def fingerprint(self) -> str:
        """Return what changes with the rows."""
        return str(int(pd.util.hash_pandas_object(self.table, index=False).sum()))

    def cutoff_before(self, now: int) -> int:
        """Return the one cutoff of these scores, which must be before another."""
        found = sorted(set(self.table["cutoff"].astype(str))) if "cutoff" in self.table else []
        if len(found) != 1:
            value = f"{self.name}: {len(found)} cutoffs"
            raise UsageError.of("not the scores of one cutoff", value, "give a file that `staypower score` wrote")
        at = instant_of(found[0])
        if not before(np.array([at]), now).all():
            value = f"{self.name}: {found[0]}, now {text_of(now)}"
            raise UsageError.of("the previous scores are not from an earlier cutoff", value, "give scores of an earlier cutoff")
        return at

    def deviations(self, scores: pd.DataFrame) -> tuple[str, ...]:
        """Return a note when these probabilities are not those that a model gives at their cutoff."""
        written = self.table
        if "account_id" not in written or "churn_probability" not in written:
            return ()
        both = scores[["account_id", "churn_probability"]].merge(
            written[["account_id", "churn_probability"]], on="account_id", suffixes=("", "_written")
        )
        apart = int(((both["churn_probability"] - both["churn_probability_written"]).abs() > 1e-6).sum())
        if not apart:
            return ()
        what = plural(apart, "probability", "probabilities")
        return (
            f"{self.name}: {what} not matched by this model at that cutoff (another model, or rows that arrived later): "
            "changes are computed with this model at both cutoffs",
        )
