"""Accounts scored now and at an earlier cutoff by one model, in memory or one bucket of accounts at a time."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from staypower.config.settings import Settings
from staypower.cutoffs import DAY, text_of
from staypower.engines.local import each_bucket, keep_part
from staypower.engines.opening import Opened
from staypower.errors import UsageError
from staypower.explanation.changes import RiskChanges, compare_explanations
from staypower.gate.report import GateReport
from staypower.models.bundle import Bundle
from staypower.models.champion import BundlePlace
from staypower.pipelines.gating import Gate, pass_tables
from staypower.pipelines.preparing import prepare_scorer
from staypower.portfolio.building import has_a_past
from staypower.progress import Progress
from staypower.reporting.explanations import Explanations, explain_scores
from staypower.scoring.scorer import Scorer
from staypower.scoring.scores import PreviousScores, ScoredParts, Scores, noted
from staypower.tables import Tables

__all__ = ["AllScores", "TwoCutoffs", "prepare_two_cutoffs"]


@dataclass(frozen=True)
class AllScores:
    """Scores of every account; those in files can be read while the tables are open."""

    scores: Scores | ScoredParts
    gate: GateReport  # the data against those of training
    earlier: Scores | ScoredParts | None = None
    risk: RiskChanges | None = None  # where the scores are in files


@dataclass(frozen=True)
class TwoCutoffs:
    """One model at two cutoffs, and the tables that it scores."""

    found: Opened
    now: Scorer
    then: Scorer | None  # None where nothing is compared
    previous: PreviousScores | None
    notes: tuple[str, ...]  # why nothing is compared
    progress: Progress
    gate: Gate  # which the tables have passed

    def score_everyone(self, *, compare: bool = True) -> AllScores:
        """Score every account, at both cutoffs when they are to be compared."""
        scorers = [self.now, *([self.then] if compare and self.then is not None else [])]
        whole, risk = self.found.tables.whole, None
        made: list[Scores] | list[ScoredParts]
        with self.progress.step(f"scoring at {' and '.join(text_of(scorer.cutoff) for scorer in scorers)}"):
            if whole is not None:
                made = [scorer.everyone(whole) for scorer in scorers]
            else:
                made, risk = self._in_parts(scorers)
        gate = self.gate.with_features(made[0].lacking)
        return AllScores(made[0], gate.found, made[1] if len(made) > 1 else None, risk)

    def _in_parts(self, scorers: list[Scorer]) -> tuple[list[ScoredParts], RiskChanges | None]:
        """Score bucket by bucket into files, and keep of the explanations only how the risk changed."""
        folder = self.found.folder or Path()

        def score(number: int, bucket: Tables) -> tuple[list[Path], list[RiskChanges]]:
            made = [replace(scorer, threads=1).score(bucket, bucket.account_ids) for scorer in scorers]
            files = [keep_part(noted(one), folder / str(one.cutoff) / f"{number:05d}.parquet") for one in made]
            return files, [compare_explanations(then.explanation, made[0].explanation).risk for then in made[1:]]

        found = each_bucket(self.found.tables, score, threads=self.now.threads)
        parts = [ScoredParts.of([files[n] for files, _ in found], scorer.cutoff) for n, scorer in enumerate(scorers)]
        return parts, RiskChanges.together([one for _, risk in found for one in risk]) if len(scorers) > 1 else None

    def explain(
        self,
        accounts: Collection[str],
        everyone: AllScores | None,
        *,
        asked: tuple[str, ...] = (),
        actions: pd.DataFrame | None = None,
    ) -> Explanations:
        """Explain the accounts asked for, or all; where the scores of all are in files, contributions of some are held."""
        if everyone is not None and isinstance(everyone.scores, Scores) and not asked:
            scores, earlier = everyone.scores, everyone.earlier
        else:
            rows, ids = self.found.tables.rows_of(accounts), sorted(accounts)
            scores, earlier = self.now.score(rows, ids), None if self.then is None else self.then.score(rows, ids)
        assert not isinstance(earlier, ScoredParts)
        compared = everyone.earlier if everyone is not None and not asked else earlier
        notes = self.notes
        if self.previous is not None and compared is not None:
            notes += self.previous.deviations(compared.frame(("account_id", "churn_probability")))
        made = explain_scores(scores, earlier, accounts=asked, actions=actions, notes=notes, reasons=self.now.reasons)
        if everyone is None or asked or isinstance(everyone.scores, Scores):
            return made
        return replace(made, portfolio=everyone.risk, scored=everyone.scores.counts().get("scored", 0))


def prepare_two_cutoffs(
    settings: Settings,
    bundle: Bundle,
    place: BundlePlace,
    found: Opened,
    *,
    cutoff: int | None,
    previous: PreviousScores | None,
    progress: Progress,
    accept: bool,
) -> TwoCutoffs:
    """Prepare scorers for a cutoff and for the one to compare with, or say why nothing can be compared.

    The tables pass the gate as they are known at the later cutoff.
    """

    def prepared(at: int | None) -> Scorer:
        scorer = prepare_scorer(settings, bundle, place, found.tables, cutoff=at)
        folder = (found.folder or Path()) / f"estimating-{scorer.cutoff}"
        return scorer.at_estimated_prior(found.tables, folder, scorer.threads)

    at_now = prepare_scorer(settings, bundle, place, found.tables, cutoff=cutoff).cutoff
    gate = pass_tables(settings, bundle, found.tables, cutoff=at_now, accept=accept, progress=progress)
    now = prepared(at_now)
    at = now.cutoff - settings.cutoffs.every * DAY if previous is None else previous.cutoff_before(now.cutoff)
    then: Scorer | None = None
    notes: tuple[str, ...] = ("the tables cover only one moment, so there are no changes to show",)
    if previous is not None or has_a_past(found.tables):
        try:
            then, notes = prepared(at), ()
        except UsageError as error:
            if previous is not None:
                raise
            notes = (f"no comparison with {text_of(at)}: {error.problems[0].problem}",)
    return TwoCutoffs(found, now, then, previous, notes, progress, gate)
