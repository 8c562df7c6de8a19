"""Champion and challenger on the same later cutoffs: which one predicts better, and is that more than chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from staypower.cutoffs import DAY, Outcome, cutoffs_between, instant_of, text_of
from staypower.dataset.cache import MatrixCache
from staypower.dataset.settings import CutoffSettings
from staypower.errors import UsageError
from staypower.evaluation.measures import DECISIVE, METRICS, listed_in, measure_of_weights, paired_difference
from staypower.evaluation.resampling import Estimate
from staypower.evaluation.result import Evaluation
from staypower.evaluation.rows import describe_cutoffs
from staypower.features.builder import FeatureMatrix, build_matrix
from staypower.features.catalogue import Catalogue
from staypower.labels.churn import Labels, find_labels
from staypower.labels.settings import LabelSettings
from staypower.models.age import TWIN, ModelAge
from staypower.models.agreement import require_same_label, require_what_is_read
from staypower.models.bundle import Bundle
from staypower.results.numbers import count, decimal, plain, plural
from staypower.results.result import Block, Head, Result, TableBlock
from staypower.tables import BucketedTables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LEAST_ACCOUNTS", "LEAST_CHURNED", "Comparison", "compare_models", "not_compared", "problems_of", "unfit_because"]

_SAMPLES_DECISIVE, _SAMPLES = 1000, 200
LEAST_ACCOUNTS = 30
LEAST_CHURNED = 10


@dataclass(frozen=True, kw_only=True)
class Comparison(Result):
    """Two versions of a model on the same rows.

    Parameters
    ----------
    challenger, champion : str
        The versions.
    obstacle : str
        Why they could not be compared, with what to do; empty when they were.
    cutoffs : tuple of int
        Instants, later than anything that either was trained on.
    rows, accounts, churned : int
        What they were compared on; `churned` counts rows.
    values : mapping of str to (float, float)
        For each metric that of the champion and that of the challenger.
    differences : mapping of str to Estimate
        For each metric challenger minus champion, with the interval of a paired bootstrap over accounts.
    too_little : str
        What there is too little of for a decision; empty when there is enough.
    seen_by : str
        The version that was trained on outcomes of these cutoffs, where there were no others; empty when neither was.
    against_champion : bool, default True
        Whether the second of the two is the champion, rather than any other version.

    Examples
    --------
    >>> not_compared("2", "1", "no later cutoffs").wins
    False
    """

    challenger: str
    champion: str
    obstacle: str = ""
    cutoffs: tuple[int, ...] = ()
    rows: int = 0
    accounts: int = 0
    churned: int = 0
    values: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    differences: Mapping[str, Estimate] = field(default_factory=dict)
    too_little: str = ""
    seen_by: str = ""
    against_champion: bool = True

    @property
    def wins(self) -> bool:
        """Whether the challenger's log loss is lower by more than chance: the whole interval lies below 0."""
        if self.obstacle or self.too_little or self.seen_by:
            return False
        found = self.differences[DECISIVE]
        return found.excludes(0.0) and found.value < 0

    @property
    def verdict(self) -> str:
        """What was found, in one sentence."""
        who = f"version {self.challenger}"
        other = f"{'the champion, ' if self.against_champion else ''}version {self.champion}"
        if self.obstacle:
            return f"{who} was not compared with {other}: {self.obstacle}"
        if self.too_little:
            return f"{who} is not significantly better than {other}: {self.too_little}"
        if self.seen_by:
            saw = f"version {self.seen_by} was trained on outcomes of these cutoffs, so its figures are too good"
            return f"{who} cannot be compared fairly with {other}: {saw}"
        metric, found = METRICS[DECISIVE], self.differences[DECISIVE]
        figure = f"{metric.label} {metric.write_difference(found, more=1)} on later cutoffs"
        if self.wins:
            return f"{who} is better than {other}: {figure}"
        if found.excludes(0.0):
            return f"{who} is worse than {other}: {figure}"
        return f"{who} is not significantly better than {other}: {figure}; the 95% interval includes 0"

    @property
    def outlook(self) -> str:
        """What `staypower models promote` would do now."""
        command = f"`staypower models promote {self.challenger}`"
        return f"{command} would make it the champion" if self.wins else f"{command} would refuse it"

    def blocks(self) -> Sequence[Block]:
        """Return the verdict and the table."""
        if not self.differences:
            return [self.verdict]
        when, accounts = describe_cutoffs(self.cutoffs), plural(self.accounts, "account")
        unseen = "" if self.seen_by else ", whose outcomes neither was trained on"
        rows = f"Both on the same {count(self.rows)} rows of {accounts} at {when}{unseen}; {count(self.churned)} churned."
        lines = []
        for name, found in self.differences.items():
            metric, (champion, challenger) = METRICS[name], self.values[name]
            values = (decimal(value, metric.digits + 1) for value in (champion, challenger))
            decides = "decides" if name == DECISIVE else ""
            lines.append([metric.label, *values, metric.write_difference(found, more=1), decides])
        versions = [f"version {self.champion}", f"version {self.challenger}"]
        heads: list[str | Head] = ["", *versions, "difference (95% interval)", Head("", "left")]
        return [self.verdict, rows, TableBlock(heads, lines)]

    def frame(self) -> pd.DataFrame:
        """Return one row per metric: `metric, champion, challenger, difference, low, high`."""
        rows = [
            {
                "metric": name,
                "champion": self.values[name][0],
                "challenger": self.values[name][1],
                "difference": found.value,
                "low": found.low,
                "high": found.high,
            }
            for name, found in self.differences.items()
        ]
        return pd.DataFrame(rows, columns=["metric", "champion", "challenger", "difference", "low", "high"])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        measured = {
            name: {"champion": self.values[name][0], "challenger": self.values[name][1], "difference": plain(asdict(found))}
            for name, found in self.differences.items()
        }
        return {
            "challenger": self.challenger,
            "champion": self.champion,
            "wins": self.wins,
            "verdict": self.verdict,
            "seen_by": self.seen_by or None,
            "cutoffs": [text_of(cutoff) for cutoff in self.cutoffs],
            "rows": self.rows,
            "accounts": self.accounts,
            "churned": self.churned,
            "decisive": DECISIVE,
            "metrics": measured,
        }


def not_compared(challenger: str, champion: str, obstacle: str) -> Comparison:
    """Return a comparison that could not be made, and why."""
    return Comparison(challenger=challenger, champion=champion, obstacle=obstacle)


def problems_of(error: UsageError) -> str:
    """Put every problem in one line, as part of a sentence.

    >>> problems_of(UsageError.of("no such version", "acme 9", "train it"))
    'no such version: acme 9. Fix: train it'
    """
    return "; ".join(str(problem).rstrip(".") for problem in error.problems)


def compare_models(
    tables: BucketedTables,
    *,
    challenger: tuple[str, Bundle],
    champion: tuple[str, Bundle],
    label: LabelSettings,
    cutoffs: CutoffSettings,
    seed: int = 0,
    threads: int = 2,
    cache: MatrixCache | None = None,
    seen: bool = False,
) -> Comparison:
    """Measure two versions on the cutoffs that are mature now and later than anything that either was evaluated with.

    Where a model that scores was trained on its own test, too, its twin stands for it: the comparison is of two ways of
    training, at cutoffs that neither has seen. With `seen`, cutoffs that one has seen will do where there are no others, and
    the comparison says which one.
    """
    versions = challenger[0], champion[0]
    bundles = challenger[1], champion[1]
    if any(bundle.metadata["cutoffs"]["split"] == "snapshot" for bundle in bundles):
        return not_compared(*versions, "one of them was trained on one snapshot, so there is no common test in time")
    try:
        for bundle in bundles:
            require_same_label(bundle, label)
            require_what_is_read(Catalogue.of(bundle.learned), tables.empty)
    except UsageError as error:
        return not_compared(*versions, problems_of(error))
    known = [ModelAge.of(bundle).evaluated_until for bundle in bundles]
    until, seen_by = max(known), ""
    later = _later_cutoffs(label.outcome, cutoffs, until, tables.observed_until)
    if seen and not len(later):
        later = _later_cutoffs(label.outcome, cutoffs, min(known), tables.observed_until)
        seen_by = versions[known.index(until)]
    if not len(later):
        return not_compared(*versions, _wait(label.outcome, until, tables.observed_until))
    labels = find_labels(tables, label, later)
    if not (labels.churned >= 0).any():
        return not_compared(*versions, f"no account was active at the later cutoffs ({text_of(int(later[0]))} and after)")
    account, _, churned = labels.pairs()
    mine, theirs = (_predict(bundle, tables, labels, threads, cache) for bundle in bundles)
    return replace(_measured(*versions, later, account, churned, mine, theirs, seed=seed), seen_by=seen_by)


def _later_cutoffs(outcome: Outcome, chosen: CutoffSettings, trained_until: int, observed_until: int) -> NDArray[np.int64]:
    """Step back from the last mature cutoff, as a test does, to the first that no training outcome reaches into."""
    last = outcome.last_mature(observed_until)
    if chosen.test is not None:
        step = chosen.every * DAY
        last = instant_of(chosen.test) + (last - instant_of(chosen.test)) // step * step
    # the first cutoff may lie right at the end of the embargo
    earliest = trained_until + outcome.embargo * DAY - 1
    return cutoffs_between(last, every=chosen.every, count=chosen.count, first=earliest)


def _wait(outcome: Outcome, trained_until: int, observed_until: int) -> str:
    first = trained_until + outcome.embargo * DAY
    needed = first + outcome.embargo * DAY
    days = -(-(needed - observed_until) // DAY)
    return (
        f"no cutoff with a complete outcome is later than their training (outcomes until {text_of(first)}); the first, "
        f"{text_of(first)}, is complete once the data reach {text_of(needed)}: wait for {plural(days, 'more day')} of data"
    )


def _predict(
    bundle: Bundle, tables: BucketedTables, labels: Labels, threads: int, cache: MatrixCache | None
) -> NDArray[np.float64]:
    """Return the probability of a model, or of its twin, for every labelled pair of account and cutoff."""
    catalogue, known = Catalogue.of(bundle.learned), labels.churned >= 0
    accounts, cutoffs = list(labels.population.accounts), labels.population.cutoffs

    def build() -> FeatureMatrix:
        return build_matrix(tables, catalogue, accounts=accounts, cutoffs=cutoffs, rows=known, threads=threads)

    matrix = build() if cache is None else cache.get(catalogue, cutoffs, known, build)
    features = matrix.features[list(bundle.feature_names)]
    return bundle.secondary.get(TWIN, bundle).predict(features, matrix.accounts)


def _measured(
    challenger: str,
    champion: str,
    cutoffs: NDArray[np.int64],
    account: NDArray[np.int64],
    churned: NDArray[np.int8],
    mine: NDArray[np.float64],
    theirs: NDArray[np.float64],
    *,
    seed: int,
) -> Comparison:
    """Measure both on the same rows; with one class only the metrics of probabilities."""
    both, ones = 0 < churned.sum() < len(churned), np.ones(len(churned))
    names = [metric.name for metric in listed_in("compared") if both or metric.needs == "probability"]
    values, differences = {}, {}
    for name in names:
        champion_value, challenger_value = (measure_of_weights(name, churned, score)(ones) for score in (theirs, mine))
        values[name] = champion_value, challenger_value
        replicates = _SAMPLES_DECISIVE if name == DECISIVE else _SAMPLES
        differences[name] = paired_difference(churned, mine, theirs, account, name, replicates=replicates, seed=seed)
    accounts, left = len(np.unique(account)), len(np.unique(account[churned == 1]))
    return Comparison(
        challenger=challenger,
        champion=champion,
        cutoffs=tuple(int(cutoff) for cutoff in cutoffs),
        rows=len(churned),
        accounts=accounts,
        churned=int(churned.sum()),
        values=values,
        differences=differences,
        too_little=_too_little(accounts, left),
    )


def _too_little(accounts: int, churned: int) -> str:
    """Say what there is too little of for a decision; empty when there is enough."""
    if accounts < LEAST_ACCOUNTS:
        return f"only {plural(accounts, 'account')} to test on, at least {LEAST_ACCOUNTS} are needed"
    if churned < LEAST_CHURNED:
        return f"only {plural(churned, 'churned account')} to test on, at least {LEAST_CHURNED} are needed"
    return ""


def unfit_because(evaluation: Evaluation, *, churned_accounts: int, lacking: str = "") -> str:
    """Say why a model must not be promoted to first champion automatically; empty when it may."""
    tested = _too_little(evaluation.accounts, churned_accounts)
    for found in (lacking, f"its test has {tested}" if tested else ""):
        if found:
            return f"cannot be promoted automatically: {found}"
    auroc, ranking = METRICS["auroc"], evaluation.scorers[evaluation.model]["auroc"]
    if not ranking.bounded:
        return (
            f"cannot be promoted automatically: not tested against chance, {plural(evaluation.replicates, 'bootstrap sample')} "
            "give no intervals (`evaluation.bootstrap`, 20 or more are needed)"
        )
    if ranking.low <= 0.5:
        return f"cannot be promoted automatically: not significantly better than chance, AUROC {auroc.write_estimate(ranking)}"
    return ""
