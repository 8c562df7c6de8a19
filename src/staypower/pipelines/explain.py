"""Explain accounts: score them now and at an earlier cutoff with one model, and show what changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from staypower.actions.choosing import choose_for, used_columns
from staypower.config.playbooks import load_action_options
from staypower.models.age import ModelAge
from staypower.models.bundle import read_bundle
from staypower.models.champion import find_bundle
from staypower.pipelines.arguments import (
    AccountIds,
    Moment,
    Previous,
    SettingsLike,
    TablesLike,
    accounts_from,
    holding,
    instant_from,
    model_from,
    opened,
    previous_from,
    progress_from,
    require_flags,
    settings_from,
    tables_from,
)
from staypower.pipelines.comparing import prepare_two_cutoffs
from staypower.progress import Progress
from staypower.reporting.explanations import WATCHED, Explanations

__all__ = ["explain"]


def explain(
    settings: SettingsLike,
    tables: TablesLike = None,
    *,
    accounts: AccountIds = None,
    cutoff: Moment = None,
    model: str | int | Path | None = None,
    previous: Previous = None,
    accept_data: bool = False,
    progress: Progress | None = None,
) -> Explanations:
    """Explain why accounts score as they do, or what changed the risk of the whole portfolio; as `staypower explain`.

    Both cutoffs are scored by the same model from the same tables, so the change of a score is the exact sum of its features'
    changes. Earlier scores that are given only determine the cutoff to compare with.

    Parameters
    ----------
    settings : Settings, str, Path or mapping
        From `load_config`, or what it takes.
    tables : Tables, or mapping of str to table, optional
        From `read_tables`, or pandas, polars or Arrow tables by the names that `source` gives; by default the sources are read.
    accounts : str or list of str, optional
        Accounts to explain; without any, the whole portfolio.
    cutoff : str, date or datetime, optional
        Instant of knowledge; by default the midnight UTC after everything that was observed.
    model : str, int or Path, optional
        A version or the folder of a bundle; the champion by default.
    previous : str, Path, ScoreResult or table, optional
        Scores of an earlier cutoff to compare with; by default accounts are scored one step earlier.
    accept_data : bool, default False
        Whether to explain although the data break a limit of the section `gate`; as `score` takes it.
    progress : Progress, optional
        Announces the steps; quiet by default.

    Returns
    -------
    Explanations
        Shows itself in a notebook; `.to_shap()` plugs into `shap.plots`.

    Raises
    ------
    UsageError
        When an account is unknown, or anything else cannot be used. A `RefusedData`, which names every breach, when the data
        are not like those of training and `accept_data` is not set.

    Examples
    --------
    >>> import staypower
    >>> account = staypower.score("demo/staypower.yaml").watch_list(1)["account_id"].iloc[0]
    >>> explained = staypower.explain("demo/staypower.yaml", accounts=account)
    >>> explained.levers().index.tolist() == [account]
    True
    """
    require_flags(accept_data=accept_data)
    settings, progress = settings_from(settings), progress_from(progress)
    asked, at, compared = accounts_from(accounts), instant_from("cutoff", cutoff), previous_from(previous)
    options = load_action_options(settings) if settings.playbook is not None else None
    place = find_bundle(settings.models_path, settings.name, model_from(model))
    bundle = read_bundle(place.folder, digest=place.digest)
    given = tables_from(settings, tables, progress)
    with opened(settings, given, name="explain", progress=progress) as found:
        holding(found.tables, asked)
        two = prepare_two_cutoffs(
            *(settings, bundle, place, found), cutoff=at, previous=compared, progress=progress, accept=accept_data
        )
        everyone = listed = None
        # actions are given under a capacity that all accounts share
        if not asked or options is not None:
            everyone = two.score_everyone(compare=not asked)
        if everyone is not None and options is not None:
            with progress.step("choosing actions"):
                rows = everyone.scores.frame(used_columns(settings.output.reasons))
                listed = choose_for(rows, found.tables, options, cutoff=two.now.cutoff, bundle=bundle).table
        shown = asked if everyone is None or asked else everyone.scores.watch_list(WATCHED)["account_id"].tolist()
        made = two.explain(shown, everyone, asked=asked, actions=listed)
    gate = two.gate.with_features(made.scores.lacking).found if everyone is None else everyone.gate
    return replace(made, model=ModelAge.of(bundle).said_at(two.now.cutoff), gate=gate)
