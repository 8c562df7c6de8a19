"""Score every account with a sealed model and write the list."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from staypower.config import Settings
from staypower.cutoffs import MISSING, before, instant_of, midnight_after, text_of
from staypower.errors import UsageError
from staypower.models import read_bundle
from staypower.models.champion import find_bundle
from staypower.pipelines.loading import load_tables, refuse_errors
from staypower.progress import Progress
from staypower.scoring import BesideSettings, Scores, score_accounts
from staypower.tables import Tables
from staypower.writing import read_table, write_table

__all__ = ["ScoreResult", "run_score", "scores_of"]

_NOBODY = "no account has the status `scored`: nobody was active, so there is no probability to give"


@dataclass(frozen=True)
class ScoreResult:
    """What scoring made.

    Parameters
    ----------
    scores : Scores
    path : Path
        The list.
    """

    scores: Scores
    path: Path

    def text(self) -> str:
        """Return the counts, the accounts of highest risk and the path."""
        table = self.scores.table
        counts = ", ".join(f"{n:,} {status}" for status, n in self.scores.counts().items())
        lines = [f"{len(table):,} accounts at {text_of(self.scores.cutoff)}: {counts}", ""]
        lines += ["highest risk:"] if "scored" in self.scores.counts() else [_NOBODY]
        for row in self.scores.watch_list(5).to_dict("records"):
            if row["status"] == "scored":
                chance = _percent(row["churn_probability"])
                told = [
                    row["churn_risk_band"],
                    *(str(row[name]) for name in ("tier", "quadrant") if isinstance(row.get(name), str)),
                ]
                lines.append(f"  {row['account_id']}: {chance} within {row['horizon_days']} days ({', '.join(told)})")
                reasons = [row.get(f"reason_{n}") for n in (1, 2, 3)]
                lines += [f"      {reason}" for reason in reasons if isinstance(reason, str)]
        if "tier" in table:
            lines += ["", "quadrants:"]
            for row in self.scores.quadrants().to_dict("records"):
                revenue = "" if pd.isna(row["mrr"]) else f", {row['mrr']:,.0f} per month"
                lines.append(f"  {row['words']}: {row['accounts']:,}{revenue}")
        if self.scores.movement is not None:
            lines += ["", "moved since the previous scores:"]
            moved = self.scores.movement.frame()
            lines += [
                f"  {r['before']} -> {r['now']}: {r['accounts']:,}" for r in moved.to_dict("records") if r["before"] != r["now"]
            ]
        return "\n".join([*lines, "", f"scores: {self.path}"])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "path": str(self.path),
            "cutoff": text_of(self.scores.cutoff),
            "accounts": len(self.scores.table),
            "statuses": self.scores.counts(),
            "quadrants": self.scores.quadrants().to_dict("records"),
            "movement": None if self.scores.movement is None else self.scores.movement.frame().to_dict("records"),
            "highest_risk": self.scores.watch_list(10).to_dict("records"),
        }


def _percent(probability: float) -> str:
    """Write a probability without claiming certainty."""
    return ">99%" if probability > 0.99 else "<1%" if probability < 0.01 else f"{probability:.0%}"


def run_score(
    settings: Settings,
    *,
    progress: Progress,
    cutoff: str | None = None,
    output: Path | None = None,
    model: str | None = None,
    accounts: tuple[str, ...] = (),
    previous: Path | None = None,
    tables: Tables | None = None,
) -> ScoreResult:
    """Score accounts and write one row for each.

    Parameters
    ----------
    settings : Settings
    progress : Progress
    cutoff : str, optional
        Date or time of knowledge; by default the midnight UTC after everything that was observed.
    output : Path, optional
        File ending in `.parquet` or `.csv`; by default `scores` in the output folder, `scores-selected` for some accounts.
    model : str, optional
        A version or the folder of a bundle; the champion by default.
    accounts : tuple of str, optional
        Whom to score; everybody by default.
    previous : Path, optional
        Scores of an earlier cutoff, written before: tiers stay steady against them, and who moved is said.
    tables : Tables, optional
        Tables read before; by default those of the settings are read.

    Returns
    -------
    ScoreResult
    """
    # a list of a few accounts must not replace everybody's
    name = "scores-selected" if accounts else "scores"
    path = output or settings.output_folder / f"{name}.{settings.output.format}"
    if path.suffix not in (".parquet", ".csv"):
        raise UsageError.of("unknown kind of output", path, "let the name end in `.parquet` or `.csv`")
    before = None if previous is None else read_table(previous)
    scores = scores_of(
        settings, progress=progress, cutoff=cutoff, model=model, accounts=accounts, previous=before, tables=tables
    )
    with progress.step("writing the scores"):
        write_table(scores.table, path)
    return ScoreResult(scores, path)


def scores_of(
    settings: Settings,
    *,
    progress: Progress,
    cutoff: str | None = None,
    model: str | None = None,
    accounts: tuple[str, ...] = (),
    previous: pd.DataFrame | None = None,
    tables: Tables | None = None,
) -> Scores:
    """Score accounts without writing; parameters as in `run_score`."""
    place = find_bundle(settings.models_path, settings.name, model)
    bundle = read_bundle(place.folder, digest=place.digest)
    if tables is None:
        tables, findings = load_tables(settings, progress=progress)
        refuse_errors(findings)
    at = midnight_after(tables.observed_until) if cutoff is None else _checked(cutoff, tables)
    with progress.step(f"scoring at {text_of(at)}"):
        return score_accounts(
            bundle,
            tables,
            settings.label,
            cutoff=at,
            accounts=accounts,
            reasons=settings.output.reasons,
            model_version=place.version,
            beside=BesideSettings(settings.tier, settings.quadrants, settings.costs, settings.capacity),
            previous=previous,
            threads=settings.model.threads or 2,
        )


def _checked(cutoff: str, tables: Tables) -> int:
    at, last = instant_of(cutoff), midnight_after(tables.observed_until)
    times = np.concatenate([table.own_instants() for table in tables.values()])
    known = times[times != MISSING]
    if len(known) and not before(known, at).any():
        mend = f"choose a date after {text_of(int(known.min()))}, when the tables begin, and {text_of(last)} at the latest"
        raise UsageError.of("cutoff outside the data", cutoff, mend)
    if at > last:
        mend = f"choose {text_of(last)} or earlier: after it nothing was observed, and silence would look like leaving"
        raise UsageError.of("cutoff outside the data", cutoff, mend)
    return at
