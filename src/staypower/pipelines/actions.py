"""Decide whom to act on and how: score, value, match with the playbook, rank under capacity, hold some back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from staypower.actions.action_list import ActionList
from staypower.actions.choosing import choose_for, used_columns
from staypower.actions.wording import brief_blocks
from staypower.config.playbooks import load_action_options
from staypower.cutoffs import text_of
from staypower.errors import UsageError
from staypower.gate.report import GateReport
from staypower.models.age import ModelAge
from staypower.models.bundle import read_bundle
from staypower.models.champion import find_bundle
from staypower.outputs.kinds import probed_place
from staypower.outputs.place import Rows
from staypower.pipelines.arguments import (
    Moment,
    SettingsLike,
    TablesLike,
    instant_from,
    model_from,
    opened,
    place_from,
    progress_from,
    require_flags,
    settings_from,
    tables_from,
)
from staypower.pipelines.gating import pass_tables
from staypower.pipelines.preparing import score_opened
from staypower.pipelines.score import ScoreResult
from staypower.progress import Progress
from staypower.results.result import Block, Result, Verbatim, as_text
from staypower.scoring.scores import Scores

if TYPE_CHECKING:
    from staypower.results.pictures import Picture

__all__ = ["ActionsResult", "actions"]


@dataclass(frozen=True)
class ActionsResult(Result):
    """The list, and where it was written."""

    actions: ActionList
    path: Path | str  # of a table its address
    model: str = ""  # what it was trained on, and how old that is
    gate: GateReport | None = None  # the data against those of training

    def frame(self) -> pd.DataFrame:
        """Return one row per account on the list."""
        return self.actions.frame()

    def blocks(self) -> list[Block]:
        """Return the summary of the list and its path."""
        data = [] if self.gate is None else self.gate.blocks()
        return [*data, *self.actions.blocks(), f"{self.model}.", Verbatim([f"list: {self.path}"])]

    def pictures(self) -> Mapping[str, Callable[[], Picture]]:
        """Return the pictures of the list."""
        return self.actions.pictures()

    def brief(self) -> str:
        """Return a few lines: how many actions, their expected value, the first three, and the path."""
        return as_text([*brief_blocks(self.actions), Verbatim([f"list: {self.path}"])])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        data = None if self.gate is None else self.gate.to_dict()
        return {"path": str(self.path), "model": self.model, "data": data, **self.actions.to_dict()}


def actions(
    settings: SettingsLike,
    tables: TablesLike = None,
    *,
    cutoff: Moment = None,
    model: str | int | Path | None = None,
    scores: Scores | ScoreResult | None = None,
    output: str | Path | None = None,
    accept_data: bool = False,
    progress: Progress | None = None,
) -> ActionsResult:
    """Choose whom to act on and how, and write the list; as `staypower actions`.

    Parameters
    ----------
    settings : Settings, str, Path or mapping
        From `load_config`, or what it takes.
    tables : Tables, or mapping of str to table, optional
        From `read_tables`, or pandas, polars or Arrow tables by the names that `source` gives; by default the sources are read.
    cutoff : str, date or datetime, optional
        Instant of knowledge; by default the midnight UTC after everything that was observed.
    model : str, int or Path, optional
        A version or the folder of a bundle; the champion by default.
    scores : ScoreResult or Scores, optional
        From `score`, with the same tables and model; by default every account is scored.
    output : str or Path, optional
        A name that ends in `.parquet`, `.csv` or `.xlsx` (a sheet per owner), or a table of a database
        (`postgresql://host/db#schema.table`, `sqlite:///file#table`), where rows of the same cutoff and model are replaced; by
        default `actions.parquet` in the output folder.
    accept_data : bool, default False
        Whether to choose actions although the data break a limit of the section `gate`; as `score` takes it. What was found is
        written beside the list, as `actions-breaches.json`.
    progress : Progress, optional
        Announces the steps; quiet by default.

    Returns
    -------
    ActionsResult
        One row per account on the list in `.frame()`; `.actions` holds the list with what was measured of past actions.

    Raises
    ------
    UsageError
        When anything cannot be used. A `RefusedData`, which names every breach, when the data are not like those of training
        and `accept_data` is not set.

    Examples
    --------
    >>> import staypower
    >>> chosen = staypower.actions("demo/staypower.yaml")
    >>> chosen.path.name
    'actions.parquet'
    >>> {"account_id", "name", "owner", "action", "expected_value"} <= set(chosen.frame())
    True
    """
    require_flags(accept_data=accept_data)
    settings, progress, at = settings_from(settings), progress_from(progress), instant_from("cutoff", cutoff)
    options = load_action_options(settings)  # problems of the playbook and the output are named before any work begins
    default = settings.output_folder / f"actions.{settings.output.format}"
    goal = probed_place(place_from(output) or default)
    beside = default if goal.table else Path(goal.shown)
    given_scores = _scores_from(scores)
    place = find_bundle(settings.models_path, settings.name, model_from(model))
    bundle = read_bundle(place.folder, digest=place.digest)
    given = tables_from(settings, tables, progress)
    with opened(settings, given, name="actions", progress=progress) as found:
        if given_scores is None:
            there, gate = score_opened(
                *(settings, bundle, place, found), progress=progress, accept=accept_data, cutoff=at, beside=beside
            )
        else:
            there = given_scores
            gate = pass_tables(
                *(settings, bundle, found.tables), cutoff=there.cutoff, accept=accept_data, beside=beside, progress=progress
            ).with_features(there.lacking)
        with progress.step("choosing actions"):
            rows = there.frame(used_columns(settings.output.reasons))
            chosen = choose_for(rows, found.tables, options, cutoff=there.cutoff, bundle=bundle)
    rows = pa.Table.from_pandas(chosen.table, preserve_index=False)
    replaces = {"cutoff": [text_of(there.cutoff)], "model_name": [str(bundle.metadata.get("name", ""))]}
    goal.write(Rows([rows], rows.schema, "Actions", replaces))
    gate.keep()
    return ActionsResult(chosen, goal.shown, ModelAge.of(bundle).said_at(there.cutoff), gate.found)


def _scores_from(scores: Scores | ScoreResult | None) -> Scores | None:
    held = scores.scores if isinstance(scores, ScoreResult) else scores
    if held is None or isinstance(held, Scores):
        return held
    fix = (
        "leave them out: accounts are then scored in memory"
        if isinstance(scores, ScoreResult)
        else "give what `score` returned"
    )
    raise UsageError.of("`scores` cannot be used", f"a {type(held).__name__}", fix)
