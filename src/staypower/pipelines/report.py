"""Write the report: everybody's risk, whom to call, why, what changed, and how far the model can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from staypower import __version__
from staypower.actions.action_list import ActionList
from staypower.actions.choosing import choose_for
from staypower.config.playbooks import load_action_options
from staypower.config.settings import Settings
from staypower.cutoffs import instant_of, text_of
from staypower.errors import UsageError
from staypower.features.builder import build_matrix
from staypower.features.catalogue import Catalogue
from staypower.labels.churn import find_population
from staypower.labels.population import Status
from staypower.models.bundle import Bundle, read_bundle
from staypower.models.champion import find_bundle
from staypower.monitoring import Drift, find_drift
from staypower.pipelines.account_pages import account_pages, moved_levers, moved_words
from staypower.pipelines.arguments import (
    Moment,
    Previous,
    SettingsLike,
    TablesLike,
    instant_from,
    model_from,
    output_from,
    previous_from,
    progress_from,
    read_tables,
    require_flags,
    require_number,
    settings_from,
)
from staypower.pipelines.audit import audit as run_audit
from staypower.pipelines.explain import explain_tables
from staypower.pipelines.explanations import Explanations
from staypower.portfolio.building import has_a_past, measure_portfolio
from staypower.portfolio.quadrants import movement, sizes_of
from staypower.portfolio.result import Portfolio
from staypower.progress import Progress
from staypower.reporting.page.contents import Report
from staypower.reporting.page.rendering import render_report
from staypower.reporting.page.watching import WATCH_COLUMNS
from staypower.scoring.scores import Scores
from staypower.tables import Tables
from staypower.writing import write_atomically

__all__ = ["MOST_LISTED", "ReportResult", "report"]

MOST_LISTED = 10_000


@dataclass(frozen=True)
class ReportResult:
    """The report and where it is.

    Parameters
    ----------
    report : Report
    path : Path
    size : int
        Bytes.
    """

    report: Report
    path: Path
    size: int

    def text(self) -> str:
        """Return what is in it and where it is."""
        counts = ", ".join(f"{n:,} {status}" for status, n in self.report.statuses.items())
        lines = [
            f"{self.report.name} at {self.report.cutoff}: {counts}",
            f"{len(self.report.watch):,} accounts listed, {len(self.report.accounts)} with a page of their own",
            *self.report.notes,
            f"report: {self.path} ({self.size / 1e6:.1f} MB, one file, opens offline)",
        ]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"ReportResult({str(self.path)!r}, {self.size:,} bytes)"

    def _repr_html_(self) -> str:
        lines = "".join(f"<p>{escape(line)}</p>" for line in self.text().splitlines()[:-1])
        return f'{lines}<p>report: <a href="{escape(self.path.absolute().as_uri())}">{escape(str(self.path))}</a></p>'

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "path": str(self.path),
            "bytes": self.size,
            "cutoff": self.report.cutoff,
            "statuses": dict(self.report.statuses),
            "listed": len(self.report.watch),
            "pages": [page.account for page in self.report.accounts],
            "drift": None if self.report.drift is None else self.report.drift.to_dict(),
            "notes": list(self.report.notes),
        }


def report(
    settings: SettingsLike,
    tables: TablesLike = None,
    *,
    cutoff: Moment = None,
    model: str | int | Path | None = None,
    previous: Previous = None,
    pages: int = 50,
    audit: bool = False,
    output: str | Path | None = None,
    progress: Progress | None = None,
) -> ReportResult:
    """Write one HTML file that opens offline: whom to call, why, with what, and how far to trust it; as `staypower report`.

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
    previous : str, Path, ScoreResult or table, optional
        Scores of an earlier cutoff to compare with; by default accounts are scored one step earlier.
    pages : int, default 50
        How many of the accounts of highest risk get a page of their own, from 0 to 1000.
    audit : bool, default False
        Whether to run the audit and show it.
    output : str or Path, optional
        A name that ends in `.html`; by default `report.html` in the output folder.
    progress : Progress, optional
        Announces the steps; quiet by default.

    Returns
    -------
    ReportResult
        `.path` is the file.
    """
    require_flags(audit=audit)
    require_number("pages", pages, least=0, most=1000)
    settings, progress = settings_from(settings), progress_from(progress)
    at, compared = instant_from("cutoff", cutoff), previous_from(previous)
    path = _html_path(output_from(output) or settings.output_folder / "report.html")
    place = find_bundle(settings.models_path, settings.name, model_from(model))
    bundle = read_bundle(place.folder, digest=place.digest)
    tables = read_tables(settings, tables, progress=progress)
    explained = explain_tables(settings, bundle, place, tables, cutoff=at, previous=compared, progress=progress)
    scores = explained.scores
    chosen = _actions(settings, bundle, scores, tables)
    watch = _watched(scores, chosen)
    watched = list(watch["account_id"].head(pages))
    contents = Report(
        name=settings.name,
        cutoff=text_of(scores.cutoff),
        facts=_facts(settings, bundle, place.version, scores),
        statuses=scores.counts(),
        watch=watch,
        quadrants=sizes_of(scores.table),
        portfolio=_portfolio(settings, tables, progress) if has_a_past(tables) else None,
        movement=_movement(explained),
        levers=moved_levers(explained.changes),
        lever_words=moved_words(explained),
        quality=bundle.metadata.get("quality"),
        drift=_drift(settings, bundle, scores, tables) if has_a_past(tables) else None,
        audit=run_audit(settings, tables, progress=progress).report if audit else None,
        accounts=account_pages(
            settings, explained, tables, watched, actions=_next_steps(chosen.frame()), without=_without(chosen)
        ),
        notes=_notes(scores, watch),
        version=__version__,
    )
    with progress.step("writing the report"):
        page = render_report(contents).encode()
        write_atomically(path, lambda place: place.write_bytes(page))
    return ReportResult(contents, path, len(page))


def _html_path(path: Path) -> Path:
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError.of("the report is one HTML file", str(path), "name a file that ends in `.html`")
    return path


def _portfolio(settings: Settings, tables: Tables, progress: Progress) -> Portfolio:
    with progress.step("measuring the portfolio"):
        return measure_portfolio(tables, settings.portfolio, label=settings.label, features=settings.features)


def _movement(explained: Explanations) -> pd.DataFrame | None:
    earlier = explained.earlier
    if earlier is None or not (earlier.has_tiers and explained.scores.has_tiers):
        return None
    return movement(earlier.table, explained.scores.table).frame()


def _actions(settings: Settings, bundle: Bundle, scores: Scores, tables: Tables) -> ActionList:
    """Return what to do next for each account that something is to be done for, and why nothing for the others."""
    return choose_for(scores.table, tables, load_action_options(settings), cutoff=scores.cutoff, bundle=bundle)


def _next_steps(chosen: pd.DataFrame) -> dict[str, str]:
    """Say the action of each account, and that nothing is to be done for those held back."""
    told = {}
    for row in chosen.to_dict("records"):
        worth = "" if pd.isna(row["expected_value"]) else f", expected value {row['expected_value']:,.0f}"
        said = f"{row['step']} ({row['owner']}{worth})"
        held = "Held back at random, to measure what acting changes: do nothing. Otherwise: " if row["holdout"] else ""
        told[str(row["account_id"])] = f"{held}{said}"
    return told


def _without(chosen: ActionList) -> dict[str, str]:
    """Return why nothing is to be done, by account."""
    return {str(account): str(why) for account, why in chosen.passed_over.items()}


def _watched(scores: Scores, chosen: ActionList) -> pd.DataFrame:
    scored = scores.table[scores.table["status"] == "scored"]
    listed = chosen.frame()
    worth = [name for name in ("value_at_risk",) if name in listed and name not in scored]
    names = listed["action"].str.replace("_", " ")
    beside = listed.assign(action=names.where(~listed["holdout"].astype(bool), "(held back)"))
    scored = scored.drop(columns=["action"], errors="ignore").merge(
        beside[["account_id", "action", *worth]], on="account_id", how="left"
    )
    why = scored["account_id"].map(chosen.passed_over.astype("str"))
    scored["action"] = scored["action"].fillna("(" + why.astype("str") + ")")
    ranked = scored.sort_values(["churn_probability", "account_id"], ascending=[False, True]).head(MOST_LISTED)
    return ranked[[column.key for column in WATCH_COLUMNS if column.key in ranked]].reset_index(drop=True)


def _facts(settings: Settings, bundle: Bundle, version: str, scores: Scores) -> list[tuple[str, str]]:
    scored = scores.table.loc[scores.table["status"] == "scored", "churn_probability"]
    expected = f"{scored.sum():,.0f} of {len(scored):,}" if len(scored) else "nobody scored"
    return [
        ("accounts expected to leave", f"{expected} within {settings.label.horizon} days"),
        ("high risk", f"{int((scores.table['churn_risk_band'] == 'high').sum()):,} accounts"),
        ("model", f"{bundle.metadata.get('name', settings.name)}{f', version {version}' if version else ''}"),
        ("learned until", str([*bundle.metadata["cutoffs"]["training"], *bundle.metadata["cutoffs"]["calibration"]][-1])),
    ]


def _notes(scores: Scores, watch: pd.DataFrame) -> list[str]:
    scored = scores.counts().get("scored", 0)
    if not scored:
        return ["No account has the status `scored`: nobody was active, so there is no probability to give."]
    if len(watch) < scored:
        return [
            f"The list holds the {len(watch):,} accounts of highest risk, of {scored:,} scored. `staypower score` lists all."
        ]
    return []


def _drift(settings: Settings, bundle: Bundle, scores: Scores, tables: Tables) -> Drift | None:
    """Compare the accounts scored now with those of the last cutoff that the model learned from."""
    plan = bundle.metadata["cutoffs"]
    then = instant_of([*plan["training"], *plan["calibration"]][-1])
    if not len(scores.explanation) or then == scores.cutoff:
        return None
    at = np.array([then], dtype=np.int64)
    population = find_population(tables, settings.label, at)
    status = population.status[:, 0]
    active = [account for account, each in zip(population.accounts, status, strict=True) if each == Status.SCORED]
    if not active:
        return None
    catalogue = Catalogue.from_dict(bundle.learned["catalogue"])
    matrix = build_matrix(tables, catalogue, accounts=active, cutoffs=at)
    features = matrix.features[list(bundle.feature_names)]
    now = scores.explanation.features
    return find_drift(
        features,
        now,
        bundle.predict(features),
        bundle.predict(now),
        then_words=text_of(then),
        now_words=text_of(scores.cutoff),
        categories=matrix.categories,
    )
