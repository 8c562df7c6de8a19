"""What a sealed model must agree with: its label, the columns that it reads, and a test that it was not trained on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from staypower.cutoffs import instant_of, text_of
from staypower.dataset.cutoff_plan import CutoffPlan, is_test_account
from staypower.dataset.sampling import Sampling
from staypower.errors import Problem, UsageError
from staypower.features.catalogue import Catalogue
from staypower.features.definition import Feature
from staypower.features.streams.making import make_stream, source_of
from staypower.labels.churn import find_labels
from staypower.labels.settings import LabelSettings
from staypower.models.age import TWIN, ModelAge
from staypower.models.bundle import Bundle, SealedModel
from staypower.tables import BucketedTables, Table, Tables

__all__ = ["GROWN_ON", "evaluated_by", "require_same_label", "require_what_is_read", "training_accounts"]

# What a probability is a probability of. Who is left out of the list (too new, notice given) may differ from training.
_MEANING = ("kind", "horizon", "gap", "grace", "of", "involuntary", "table", "key_events", "activity_window")

GROWN_ON = "grown_on"
"""In a bundle's metadata, where its trees grew on all labelled rows and not on the sample: how many, of how many accounts."""


def require_same_label(bundle: Bundle, label: LabelSettings) -> None:
    """Refuse a label other than the one the model was trained for."""
    trained: Mapping[str, object] = bundle.metadata.get("label", {})
    asked = label.model_dump(mode="json")
    problems = [
        Problem(
            "the model was trained for another label",
            f"label.{key}: the model {trained[key]}, the config {asked.get(key)}",
            "write what the model was trained for, or train again with `staypower train`",
        )
        for key in _MEANING
        if key in trained and trained[key] != asked.get(key)
    ]
    if problems:
        raise UsageError(problems)


def require_what_is_read(catalogue: Catalogue, tables: Tables) -> None:
    """Refuse tables that lack a table or column that the model's features read."""
    bare = tables.empty
    streams: dict[str, Table] = {}
    lost: dict[str, list[str]] = {}
    for feature in catalogue.everything:
        if not isinstance(feature, Feature):
            continue
        source = source_of(feature.table)
        if source not in tables:
            lost.setdefault(source, []).append(feature.name)
            continue
        if feature.table not in streams:
            streams[feature.table] = make_stream(feature.table, bare, catalogue.settings)
        for column in feature.columns:
            if not streams[feature.table].has(column):
                lost.setdefault(f"{source}.{column}", []).append(feature.name)
    if lost:
        raise UsageError([_lost(place, names) for place, names in lost.items()])


def _lost(place: str, features: list[str]) -> Problem:
    kind = "column" if "." in place else "table"
    more = f" and {len(features) - 1} more" if len(features) > 1 else ""
    fix = f"give the {kind} again under `tables` as it was in training, or train a model without it: `staypower train`"
    return Problem(f"the model reads a {kind} that is not there", f"{place}, for `{features[0]}`{more}", fix)


def evaluated_by(bundle: Bundle, plan: CutoffPlan, label: LabelSettings) -> SealedModel:
    """Return the model to evaluate at some test cutoffs: the one that scores where it has seen none of them, else its twin.

    Refused where the twin has seen them, too.
    """
    age, twin = ModelAge.of(bundle), bundle.secondary.get(TWIN)
    if plan.split == "snapshot":
        # its folds score each account by trees that never saw it; without them it was trained on no account of the test
        return bundle
    first = int(plan.test[0])
    if label.outcome.mature(np.array([age.trained_until]), first).all():
        return bundle
    if twin is None or not label.outcome.mature(np.array([age.evaluated_until]), first).all():
        where = f"test cutoffs {plan.to_dict()['test']}, model trained on data up to {text_of(age.evaluated_until)}"
        fix = f"set `cutoffs.test` at least {plan.embargo} days after the model's last training cutoff, or train again"
        raise UsageError.of("the model was trained on outcomes of the test", where, fix)
    return twin


def training_accounts(bundle: Bundle, evaluated: SealedModel, tables: BucketedTables, label: LabelSettings) -> set[str]:
    """Return the accounts that were in the population at a training cutoff of the model, or of its twin."""
    plan = bundle.metadata["cutoffs"]
    learned = ["training", "calibration"]
    if evaluated is bundle and ModelAge.of(bundle).has_twin:
        learned += ["between", "test"]
    cutoffs = np.unique([instant_of(text) for part in learned for text in plan[part]])
    # the sample of the model, whatever the settings say now; trees that grew on all rows know every account
    sampling = Sampling() if GROWN_ON in bundle.metadata else Sampling.from_dict(bundle.metadata.get("sampling"))
    labels = find_labels(tables, label, cutoffs)
    everywhere = np.ones(labels.churned.shape, dtype=np.bool_)
    kept = sampling.keeps(labels.churned, everywhere, labels.population.accounts, cutoffs)
    kept &= sampling.holds(pa.chunked_array([pa.array(labels.population.accounts, pa.string())]))[:, None]
    accounts = np.asarray(labels.population.accounts, dtype=object)[kept.any(axis=1)]
    snapshot = plan["split"] == "snapshot"
    return {account for account in accounts.tolist() if not (snapshot and is_test_account(account))}
