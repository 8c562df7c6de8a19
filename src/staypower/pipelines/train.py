"""Train a model: load, check, build, fit, evaluate, seal, log."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from staypower.clock import now_milliseconds
from staypower.cutoffs import text_of
from staypower.dataset.building import SAME_FOR_ALL, Dataset
from staypower.errors import UsageError
from staypower.evaluation import wording
from staypower.evaluation.comparison import Comparison, unfit_because
from staypower.evaluation.result import Evaluation
from staypower.evaluation.tier import TierEvaluation
from staypower.models.age import ModelAge
from staypower.models.bundle import Bundle, write_bundle
from staypower.models.versions import ModelVersion, ModelVersions
from staypower.pipelines.arguments import (
    Moment,
    SettingsLike,
    TablesLike,
    instant_from,
    progress_from,
    settings_from,
)
from staypower.pipelines.fitting import Fitted, fit_model
from staypower.pipelines.models import compare_versions, said_of_tracking
from staypower.pipelines.preparing import drawing_to_train, require_places, scoring_options, tracker_of
from staypower.progress import Progress
from staypower.results.numbers import plural
from staypower.results.result import Block, Heading, Items, Result, Verbatim
from staypower.scoring.ranges import RANGES, Beyond, beyond_to_plain, beyond_training, beyond_words, find_ranges
from staypower.tracking.contents import log_comparison, log_data, log_evaluation, log_tier
from staypower.tracking.runs import finite_metrics
from staypower.tracking.waiting import WrittenRun

if TYPE_CHECKING:
    from staypower.config.settings import Settings
    from staypower.dataset.sampled_tables import Drawn
    from staypower.results.pictures import Picture

__all__ = ["TrainResult", "train"]


@dataclass(frozen=True)
class TrainResult(Result):
    """A trained model with its evaluation, and where both are.

    Parameters
    ----------
    evaluation : Evaluation
        On the test rows.
    dataset : Dataset
    bundle : Bundle
    registered : ModelVersion
        Version, whether it became the champion, and the folder of the sealed bundle.
    run_id : str
        Of the tracking store; empty while the version waits to be logged.
    how : str
        How tree count and calibration were found.
    warnings : tuple of str
        What a reader should know first.
    tier : TierEvaluation or None
        The loyalty tier on the test rows that answered.
    comparison : Comparison or None
        With the champion on the same later cutoffs, when another version is champion.
    suspicions : tuple of str
        Signs of a leak: what `check` suspects, or a ranking too good to be true. Said before anything else.
    tracking : tuple of str
        What the tracking store lacked and was given, or why the version waits to be logged.
    grown_on : str
        How many rows of how many accounts the trees that score grew on, with `sampling.grow_on: all`; else empty.
    """

    evaluation: Evaluation
    dataset: Dataset
    bundle: Bundle
    registered: ModelVersion
    run_id: str
    how: str
    warnings: tuple[str, ...]
    tier: TierEvaluation | None = None
    comparison: Comparison | None = None
    suspicions: tuple[str, ...] = ()
    tracking: tuple[str, ...] = ()
    grown_on: str = ""

    def blocks(self) -> list[Block]:
        """Return the evaluation, what the model was trained on, and where it is."""
        # what the model is not better than comes before anything else
        headline, *tables = wording.blocks(self.evaluation, slices=False)
        suspected: list[Block] = [Items(self.suspicions)] if self.suspicions else []
        shown = [*suspected, headline, Items([*self.warnings, *self._facts()]), *tables]
        if self.tier is not None:
            shown += [Heading("Loyalty tier"), *self.tier.blocks()]
        champion = "the champion: `staypower score` uses it" if self.registered.champion else self.registered.note
        shown.append(f"Model {self.bundle.metadata['name']}, version {self.registered.version}: {champion}")
        if self.comparison is not None:
            shown += [*self.comparison.blocks(), self.comparison.outlook]
        where = [f"bundle: {self.registered.folder}", f"run: {self.run_id or 'waits for the tracking store'}"]
        return [*shown, *said_of_tracking(self.tracking), Verbatim(where)]

    def _facts(self) -> list[str]:
        """Say how rows were split, and what the model was trained on and what not."""
        plan, rows = self.dataset.plan, self.dataset.part("training", "calibration")
        first, last = text_of(int(plan.all[0])), text_of(plan.trained_until)
        when = f"at {first}" if first == last else f"{first} to {last}"
        size = f"{plural(len(rows), 'row')} of {plural(rows.distinct_accounts, 'account')}"
        age = ModelAge.of(self.bundle)
        unused = [name for name, why in self.dataset.catalogue.left_out.items() if why == SAME_FOR_ALL]
        more = f" and {len(unused) - 3} more" if len(unused) > 3 else ""
        return [
            f"Split: {plan.words}",
            f"Trained on {size}, {when}, {plural(len(self.dataset.catalogue.names), 'feature')}",
            *([f"Sample: {self.dataset.sampling}"] if self.dataset.sampling.is_on else []),
            *([f"Trees grown on all rows: {self.grown_on}"] if self.grown_on else []),
            *([f"Not used: {', '.join(unused[:3])}{more} ({SAME_FOR_ALL})"] if unused else []),
            f"Fit: {self.how}",
            "; ".join(part for part in (f"The model that scores: {age}", age.newest) if part),
            *(f"At the test, {words}" for words in beyond_words(self._beyond())),
        ]

    def _beyond(self) -> tuple[Beyond, ...]:
        """Count the test rows beyond the range of the training rows."""
        trained = find_ranges(self.dataset.part("training", "calibration"), self.evaluation.importance)
        return beyond_training({RANGES: trained}, self.dataset.part("test").X)

    def frame(self) -> pd.DataFrame:
        """Return the metrics of the model and its baselines on the test rows."""
        return self.evaluation.frame()

    def pictures(self) -> Mapping[str, Callable[[], Picture]]:
        """Return the pictures of the evaluation."""
        return self.evaluation.pictures()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "model": self.bundle.metadata["name"],
            "version": self.registered.version,
            "champion": self.registered.champion,
            "bundle": str(self.registered.folder),
            "digest": self.bundle.digest,
            "trained": ModelAge.of(self.bundle).to_dict(),
            "run_id": self.run_id or None,
            "tracking": list(self.tracking),
            "split": self.dataset.plan.to_dict(),
            "sampling": self.dataset.sampling.to_dict(),
            "grown_on": self.grown_on or None,
            "population": self.dataset.labels.frame().to_dict("records"),
            "features": list(self.dataset.catalogue.names),
            "left_out": dict(self.dataset.catalogue.left_out),
            "suspicions": list(self.suspicions),
            "warnings": list(self.warnings),
            "beyond_training": beyond_to_plain(self._beyond()),
            "evaluation": self.evaluation.to_dict(),
            "tier": None if self.tier is None else self.tier.to_dict(),
            "comparison": None if self.comparison is None else self.comparison.to_dict(),
        }


def train(
    settings: SettingsLike, tables: TablesLike = None, *, as_of: Moment = None, progress: Progress | None = None
) -> TrainResult:
    """Train, evaluate, track and register a model; as `staypower train`.

    Parameters
    ----------
    settings : Settings, str, Path or mapping
        From `load_config`, or what it takes.
    tables : Tables, or mapping of str to table, optional
        From `read_tables`, or pandas, polars or Arrow tables by the names that `source` gives; by default the sources are read.
    as_of : str, date or datetime, optional
        Rows that arrived later than this day or time are set aside.
    progress : Progress, optional
        Announces the steps; quiet by default.

    Returns
    -------
    TrainResult

    Raises
    ------
    UsageError
        When the settings or tables cannot be used; every problem at once.

    Examples
    --------
    >>> import staypower
    >>> trained = staypower.train("demo/staypower.yaml")
    >>> trained.evaluation.baselines[-1]
    'LightGBM defaults'
    >>> trained.registered.version  # the demo made the first
    '2'
    """
    settings, progress, began = settings_from(settings), progress_from(progress), now_milliseconds()
    until = instant_from("as_of", as_of, end=True)
    require_places(settings, models=True)
    with drawing_to_train(settings, progress=progress, as_of=until, tables=tables) as drawn:
        return _trained(settings, drawn, progress=progress, began=began)


def _trained(settings: Settings, drawn: Drawn, *, progress: Progress, began: int) -> TrainResult:
    """Fit, evaluate, seal and log a model."""
    tracker, against = tracker_of(settings), None
    try:
        tracker.probe()
    except UsageError as error:  # the model does not depend on it
        progress.say(f"  the run will wait to be logged: {error.problems[0]}")
    fitted = fit_model(settings, drawn, cache=settings.output_folder / "cache", progress=progress)
    bundle, dataset, evaluation = fitted.bundle, fitted.dataset, fitted.evaluation
    versions = tracker.versions
    # nothing that follows is lost when the tracking store cannot be reached: the model is sealed first, and logged at last
    with tempfile.TemporaryDirectory() as scratch:
        name = f"train {text_of(fitted.learned_from.plan.trained_until)}"
        run = WrittenRun(Path(scratch) / "run", {"split": dataset.plan.split}, name=name, began=began)
        with progress.step("sealing the model"):
            log_data(run, settings.to_dict(), dataset, chosen=settings.chosen(), data=fitted.data)
            log_evaluation(run, evaluation, scratch=Path(scratch))
            log_tier(run, fitted.tier)
            folder = Path(scratch) / "bundle"
            digest = write_bundle(bundle, folder)
            served = _choices(settings, bundle)
            now = versions.champion()
            registered = _register(versions, folder, digest, served, fitted)
            tracker.keep(registered.version, run)
        if now is not None:
            with progress.step("comparing with the champion"):
                against = compare_versions(settings, drawn.tables, registered.version, now.version, data=fitted.data)
            log_comparison(run, against)
            tracker.keep(registered.version, run)
    with progress.step("logging the run and the model"):
        tracking = tracker.mirrored()
    run_id = versions.records()[registered.version].run_id
    return TrainResult(
        *(evaluation, dataset, bundle, registered, run_id, fitted.twin.split_, fitted.notes, fitted.tier, against),
        suspicions=fitted.suspicions,
        tracking=tracking,
        grown_on=fitted.grown_on,
    )


def _choices(settings: Settings, bundle: Bundle) -> dict[str, Any]:
    """Return what a served model needs of the settings; it is given features, and no prior of a scoring run."""
    unshifted = replace(scoring_options(settings, bundle), prior=None)
    return {
        "reasons": settings.output.reasons,
        "told": settings.tier.told,
        "abstain_below": settings.tier.abstain_below,
        "high_above": unshifted.high_above(bundle),
    }


def _register(
    versions: ModelVersions,
    folder: Path,
    digest: str,
    served: Mapping[str, Any],
    fitted: Fitted,
) -> ModelVersion:
    """Add the sealed model with what it and its twin were trained on, and whether it can be promoted automatically."""
    training, test, plan = fitted.learned_from.part("training", "calibration"), fitted.dataset.part("test"), fitted.dataset.plan
    age = ModelAge.of(fitted.bundle)
    facts = {
        "learned_from": f"{text_of(int(plan.all[0]))} to {text_of(fitted.learned_from.plan.trained_until)}",
        **({"twin": str(age)} if age.has_twin else {}),
        "learned_rows": f"{plural(len(training), 'row')} of {plural(training.distinct_accounts, 'account')}",
        **({"grown_on": fitted.grown_on} if fitted.grown_on else {}),
        "tested_at": " to ".join(dict.fromkeys(text_of(int(plan.test[at])) for at in (0, -1))),
        "tested_rows": f"{plural(len(test), 'row')} of {plural(test.distinct_accounts, 'account')}",
    }
    unfit = unfit_because(fitted.evaluation, churned_accounts=test.churned.distinct_accounts, lacking=fitted.twin.lacking_)
    metrics = finite_metrics(dict(fitted.evaluation.metrics()))
    return versions.add(folder, digest, metrics, split=plan.split, facts=facts, unfit=unfit, served=served)
