"""Champion and challenger on the same later cutoffs: which one predicts better, and is that more than chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from staypower.config.settings import Settings
from staypower.cutoffs import DAY, cutoffs_between, instant_of, text_of
from staypower.dataset.cache import MatrixCache
from staypower.errors import UsageError
from staypower.evaluation.paired import paired_difference
from staypower.evaluation.result import Evaluation
from staypower.features.builder import build_matrix
from staypower.features.catalogue import Catalogue
from staypower.labels.churn import Labels, find_labels
from staypower.metrics.probability import calibration_error, log_loss
from staypower.metrics.ranking import auroc, average_precision
from staypower.models.agreement import require_same_label, require_what_is_read
from staypower.models.bundle import Bundle
from staypower.pipelines.comparison import DECISIVE, LABELS, Comparison, not_compared, problems_of
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LEAST_ACCOUNTS", "LEAST_CHURNED", "compare", "unfit_because"]

_MEASURES = {
    "log_loss": log_loss,
    "auroc": auroc,
    "average_precision": average_precision,
    "calibration_error": calibration_error,
}
_SAMPLES = {DECISIVE: 1000}
_SAMPLES_BESIDE = 200
LEAST_ACCOUNTS = 30
LEAST_CHURNED = 10


def compare(
    settings: Settings,
    tables: Tables,
    *,
    challenger: tuple[str, Bundle],
    champion: tuple[str, Bundle],
    cache: MatrixCache | None = None,
) -> Comparison:
    """Measure two versions on the cutoffs that are mature now and later than anything that either has learned from."""
    versions = challenger[0], champion[0]
    bundles = challenger[1], champion[1]
    if any(bundle.metadata["cutoffs"]["split"] == "snapshot" for bundle in bundles):
        return not_compared(*versions, "one of them was learned from one snapshot, so there is no common test in time")
    try:
        for bundle in bundles:
            require_same_label(bundle, settings.label)
            require_what_is_read(Catalogue.from_dict(bundle.learned["catalogue"]), tables)
    except UsageError as error:
        return not_compared(*versions, problems_of(error))
    learned = max(_learned_until(bundle) for bundle in bundles)
    cutoffs = _later_cutoffs(settings, learned, tables.observed_until)
    if not len(cutoffs):
        return not_compared(*versions, _wait(settings, learned, tables.observed_until))
    labels = find_labels(tables, settings.label, cutoffs)
    if not (labels.churned >= 0).any():
        return not_compared(*versions, f"nobody was active at the later cutoffs ({text_of(int(cutoffs[0]))} and after)")
    account, _, churned = labels.pairs()
    scores = [_predict(bundle, tables, labels, settings, cache) for bundle in bundles]
    return _measured(*versions, cutoffs, account, churned, scores[0], scores[1], seed=settings.model.seed)


def _learned_until(bundle: Bundle) -> int:
    """Return the last cutoff whose outcome a model knows."""
    plan = bundle.metadata["cutoffs"]
    return max(instant_of(text) for text in (*plan["training"], *plan["calibration"]))


def _later_cutoffs(settings: Settings, trained_until: int, observed_until: int) -> NDArray[np.int64]:
    """Step back from the last mature cutoff, as a test does, to the first that no outcome learned from reaches into."""
    outcome, chosen = settings.label.outcome, settings.cutoffs
    last = outcome.last_mature(observed_until)
    if chosen.test is not None:
        step = chosen.every * DAY
        last = instant_of(chosen.test) + (last - instant_of(chosen.test)) // step * step
    # the first cutoff may lie right at the end of the embargo
    earliest = trained_until + outcome.embargo * DAY - 1
    return cutoffs_between(last, every=chosen.every, count=chosen.count, first=earliest)


def _wait(settings: Settings, trained_until: int, observed_until: int) -> str:
    outcome = settings.label.outcome
    first = trained_until + outcome.embargo * DAY
    needed = first + outcome.embargo * DAY
    days = -(-(needed - observed_until) // DAY)
    more = f"{days:,} more day{'' if days == 1 else 's'} of data"
    return (
        f"no cutoff with a complete outcome is later than what they learned from (outcomes until {text_of(first)}); the first, "
        f"{text_of(first)}, is complete once the data reach {text_of(needed)}: wait for {more}"
    )


def _predict(
    bundle: Bundle, tables: Tables, labels: Labels, settings: Settings, cache: MatrixCache | None
) -> NDArray[np.float64]:
    """Return a model's probability for every labelled pair of account and cutoff."""
    catalogue, known = Catalogue.from_dict(bundle.learned["catalogue"]), labels.churned >= 0
    cutoffs = labels.population.cutoffs

    def build() -> Any:
        return build_matrix(
            tables,
            catalogue,
            accounts=list(labels.population.accounts),
            cutoffs=cutoffs,
            rows=known,
            threads=settings.model.threads or 2,
        )

    matrix = build() if cache is None else cache.get(catalogue, cutoffs, known, build)
    return bundle.predict(matrix.features[list(bundle.feature_names)])


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
    """Measure both on the same rows."""
    both = 0 < churned.sum() < len(churned)
    used = [name for name in LABELS if both or name in (DECISIVE, "calibration_error")]
    found = {
        name: paired_difference(churned, mine, theirs, account, name, replicates=_SAMPLES.get(name, _SAMPLES_BESIDE), seed=seed)
        for name in used
    }
    accounts, left = len(np.unique(account)), len(np.unique(account[churned == 1]))
    return Comparison(
        challenger=challenger,
        champion=champion,
        cutoffs=tuple(int(cutoff) for cutoff in cutoffs),
        rows=len(churned),
        accounts=accounts,
        churned=int(churned.sum()),
        values={name: (_MEASURES[name](churned, theirs), _MEASURES[name](churned, mine)) for name in used},
        differences=found,
        too_little=_too_little(accounts, left),
    )


def _too_little(accounts: int, churned: int) -> str:
    """Say what there is too little of for a judgement; empty when there is enough."""
    if accounts < LEAST_ACCOUNTS:
        return f"only {accounts} accounts to judge by, at least {LEAST_ACCOUNTS} are needed"
    if churned < LEAST_CHURNED:
        return f"only {churned} churned accounts to judge by, at least {LEAST_CHURNED} are needed"
    return ""


def unfit_because(evaluation: Evaluation, *, churned_accounts: int, lacking: str = "") -> str:
    """Say why a model must not become the first champion by itself; empty when it may."""
    tested = _too_little(evaluation.accounts, churned_accounts)
    for found in (lacking, f"its test has {tested}" if tested else ""):
        if found:
            return f"is not fit to be champion by itself: {found}"
    ranking = evaluation.scorers[evaluation.model]["auroc"]
    if not ranking.bounded or ranking.low <= 0.5:
        shown = f"AUROC {ranking.value:.3f}" + (f" ({ranking.low:.3f} to {ranking.high:.3f})" if ranking.bounded else "")
        return f"is not fit to be champion by itself: it is not shown to rank better than chance, {shown}"
    return ""
