"""Decide whom to act on and how: score, value, match with the playbook, rank under capacity, hold some back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from staypower.actions.result import ActionList
from staypower.actions.wording import brief_of_list
from staypower.config.playbooks import load_playbook
from staypower.config.settings import Settings
from staypower.models.bundle import read_bundle
from staypower.models.champion import find_bundle
from staypower.pipelines.choosing import choose_for
from staypower.pipelines.loading import load_tables, refuse_errors
from staypower.pipelines.score import scores_of
from staypower.progress import Progress
from staypower.scoring.scores import Scores
from staypower.tables import Tables
from staypower.writing import require_table_path, write_table

__all__ = ["ActionsResult", "actions_of", "run_actions"]


@dataclass(frozen=True)
class ActionsResult:
    """The list, and where it was written."""

    actions: ActionList
    path: Path

    def text(self) -> str:
        """Return the summary and the path."""
        return f"{self.actions.text()}\n\nlist: {self.path}"

    def brief(self) -> str:
        """Return a few lines: how many, what is expected, the first three, and the path."""
        return f"{brief_of_list(self.actions)}\nlist: {self.path}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"path": str(self.path), **self.actions.to_dict()}


def run_actions(
    settings: Settings,
    *,
    progress: Progress,
    cutoff: str | None = None,
    output: Path | None = None,
    model: str | None = None,
    tables: Tables | None = None,
    scores: Scores | None = None,
) -> ActionsResult:
    """Choose actions and write the list."""
    path = require_table_path(output or settings.output_folder / f"actions.{settings.output.format}")
    chosen = actions_of(settings, progress=progress, cutoff=cutoff, model=model, tables=tables, scores=scores)
    return ActionsResult(chosen, write_table(chosen.table, path))


def actions_of(
    settings: Settings,
    *,
    progress: Progress,
    cutoff: str | None = None,
    model: str | None = None,
    tables: Tables | None = None,
    scores: Scores | None = None,
) -> ActionList:
    """Choose actions without writing; parameters as in `run_actions`."""
    playbook = load_playbook(settings)  # its problems are said before any work begins
    if tables is None:
        tables, findings = load_tables(settings, progress=progress)
        refuse_errors(findings)
    if scores is None:
        scores = scores_of(settings, progress=progress, cutoff=cutoff, model=model, tables=tables)
    place = find_bundle(settings.models_path, settings.name, model)
    bundle = read_bundle(place.folder, digest=place.digest)
    with progress.step("choosing actions"):
        return choose_for(settings, scores.table, tables, playbook=playbook, cutoff=scores.cutoff, bundle=bundle)
