"""Write the report: the risk of every account, whom to call, why, what changed, and how far the model can be trusted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from staypower import __version__
from staypower.actions.action_list import ActionList
from staypower.actions.choosing import choose_for, used_columns
from staypower.config.playbooks import load_action_options
from staypower.cutoffs import text_of
from staypower.errors import UsageError
from staypower.explanation.reasons import Explanation
from staypower.gate.report import GateReport
from staypower.models.bundle import read_bundle
from staypower.models.champion import find_bundle
from staypower.monitoring.drift import drift_since_training
from staypower.monitoring.history import history_path, read_history
from staypower.pipelines.arguments import (
    Moment,
    Previous,
    SettingsLike,
    TablesLike,
    instant_from,
    model_from,
    opened,
    output_from,
    previous_from,
    progress_from,
    require_flags,
    require_number,
    settings_from,
    tables_from,
)
from staypower.pipelines.audit import audit as run_audit
from staypower.pipelines.comparing import AllScores, TwoCutoffs, prepare_two_cutoffs
from staypower.pipelines.preparing import log_written
from staypower.portfolio.building import has_a_past, measure_portfolio
from staypower.portfolio.quadrants import movement
from staypower.progress import Progress
from staypower.reporting.account_pages import account_pages, changed_levers, changed_words
from staypower.reporting.contents import STAKE_COLUMNS, AccountPage, Report, model_words, report_facts, report_notes, stakes_of
from staypower.reporting.drivers import find_drivers, sample_of
from staypower.reporting.explanations import Explanations
from staypower.reporting.page_files import PageFolder, draw_accounts, fitting
from staypower.reporting.rendering import render_report
from staypower.reporting.watch_list import MOST_LISTED, WATCH_COLUMNS, ranked_accounts
from staypower.results.numbers import count, decimal, plural
from staypower.results.result import Block, Result, Verbatim, as_html
from staypower.scoring.ranges import beyond_words
from staypower.scoring.scores import Scores
from staypower.writing import probe_place, write_atomically

__all__ = ["ReportResult", "report"]

_MOST_PAGES = 600  # within the report; fewer where they are long
_AT_ONCE = 2000


@dataclass(frozen=True)
class ReportResult(Result):
    """The report and where it is.

    Parameters
    ----------
    report : Report
    path : Path
    size : int
        Bytes.
    folder : Path or None
        Where the pages of the accounts are that have none in the report; None without such a folder.
    others : int
        How many pages are there.
    tracking : tuple of str, default ()
        What the tracking store lacked, or why nothing was logged, where that was asked for.
    gate : GateReport or None
        The data against those of training.
    """

    report: Report
    path: Path
    size: int
    folder: Path | None = None
    others: int = 0
    tracking: tuple[str, ...] = ()
    gate: GateReport | None = None

    def blocks(self) -> list[Block]:
        """Return what is in it and where it is."""
        counts = ", ".join(f"{count(number)} {status}" for status, number in self.report.statuses.items())
        pages = f"{plural(len(self.report.accounts), 'account')} with a page"
        return [
            f"{self.report.name} at {self.report.cutoff}: {counts}.",
            f"{plural(len(self.report.watch), 'account')} listed, {pages}.",
            *self.report.notes,
            *self.report.beyond,
            *(f"Tracking: {note}" for note in self.tracking),
            Verbatim(
                [
                    f"report: {self.path} ({decimal(self.size / 1e6, 1)} MB, opens offline)",
                    *([f"pages: {self.folder} ({plural(self.others, 'account')})"] if self.folder else []),
                ]
            ),
        ]

    def __repr__(self) -> str:
        return f"ReportResult({str(self.path)!r}, {self.size:,} bytes)"

    def _repr_html_(self) -> str:
        link = f'<a href="{escape(self.path.absolute().as_uri())}">{escape(str(self.path))}</a>'
        return f"{as_html(self.blocks()[:-1])}<p>report: {link}</p>"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "path": str(self.path),
            "bytes": self.size,
            "cutoff": self.report.cutoff,
            "data": None if self.gate is None else self.gate.to_dict(),
            "statuses": dict(self.report.statuses),
            "listed": len(self.report.watch),
            "pages": [page.account for page in self.report.accounts],
            "folder": None if self.folder is None else str(self.folder),
            "pages_in_folder": self.others,
            "drift": None if self.report.drift is None else self.report.drift.to_dict(),
            "notes": [*self.report.notes, *self.report.beyond],
        }


def report(
    settings: SettingsLike,
    tables: TablesLike = None,
    *,
    cutoff: Moment = None,
    model: str | int | Path | None = None,
    previous: Previous = None,
    pages: int | None = None,
    folder: str | Path | None = None,
    audit: bool = False,
    accept_data: bool = False,
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
    pages : int, optional
        How many of the first accounts of the list get a page within the report, from 0 to 1000; by default as many as keep it
        quick to open.
    folder : str or Path, optional
        A folder for the pages of all other accounts, and an index of them all; the report links to it.
    audit : bool, default False
        Whether to run the audit and show it.
    accept_data : bool, default False
        Whether to write the report although the data break a limit of the section `gate`; as `score` takes it.
    output : str or Path, optional
        A name that ends in `.html`; by default `report.html` in the output folder.
    progress : Progress, optional
        Announces the steps; quiet by default.

    Returns
    -------
    ReportResult
        `.path` is the file.

    Raises
    ------
    UsageError
        When anything cannot be used. A `RefusedData`, which names every breach, when the data are not like those of training
        and `accept_data` is not set.

    Examples
    --------
    >>> import staypower
    >>> staypower.report("demo/staypower.yaml", pages=5).path.name
    'report.html'
    """
    require_flags(audit=audit, accept_data=accept_data)
    require_number("pages", _MOST_PAGES if pages is None else pages, least=0, most=1000)
    settings, progress = settings_from(settings), progress_from(progress)
    at, compared = instant_from("cutoff", cutoff), previous_from(previous)
    path = _html_path(output_from(output) or settings.output_folder / "report.html")
    aside = None if folder is None else output_from(folder)
    for each in [path, *([] if aside is None else [aside / "index.html"])]:
        probe_place(each)
    options = load_action_options(settings)  # problems of the playbook are named before any work begins
    place = find_bundle(settings.models_path, settings.name, model_from(model))
    bundle = read_bundle(place.folder, digest=place.digest)
    given = tables_from(settings, tables, progress)
    with opened(settings, given, name="report", progress=progress) as found:
        two = prepare_two_cutoffs(
            *(settings, bundle, place, found), cutoff=at, previous=compared, progress=progress, accept=accept_data
        )
        everyone = two.score_everyone()
        scores, earlier, cutoff_now = everyone.scores, everyone.earlier, two.now.cutoff
        listed = [*(column.key for column in WATCH_COLUMNS), "days_to_renewal"]
        rows = scores.frame([*used_columns(settings.output.reasons), *listed])
        with progress.step("choosing actions"):
            chosen = choose_for(rows, found.tables, options, cutoff=cutoff_now, bundle=bundle)
        ranked = ranked_accounts(rows, chosen)
        watch, accounts = ranked.head(MOST_LISTED), ranked["account_id"].tolist()
        shown = accounts[: _MOST_PAGES if pages is None else pages]
        explained = two.explain(shown, everyone)
        with progress.step("writing account pages"):
            made: list[AccountPage] = []
            drawn = draw_accounts(_noted(account_pages(explained, found.tables, shown, chosen), made))
            articles = list(drawn) if pages is not None else fitting(drawn)
            others = None if aside is None else PageFolder(aside, path, settings.name, text_of(cutoff_now), __version__)
            sampled = _explained(sample_of(sorted(accounts)), two, everyone, explained)
            written = 0
            if others is not None:
                rest = _pages_of(accounts[len(articles) :], two, everyone, explained, chosen)
                written = others.write(rest, len(articles) + 1)
                others.write_index(ranked, len(articles), written + len(articles))
        tiered = earlier is not None and earlier.has_tiers and scores.has_tiers
        moved = movement(earlier.rows, scores.rows).frame() if earlier is not None and tiered else None
        before = None if earlier is None else earlier.frame(STAKE_COLUMNS)
        drift = portfolio = None
        if has_a_past(found.tables):
            with progress.step("measuring the portfolio"):
                portfolio = measure_portfolio(
                    found.tables, settings.portfolio, label=settings.label, features=settings.features
                )
            drift = drift_since_training(
                bundle,
                found.tables,
                settings.label,
                cutoff=cutoff_now,
                folder=(found.folder or Path()) / "drift",
                threads=settings.engine.threads,
            )
        contents = Report(
            name=settings.name,
            cutoff=text_of(cutoff_now),
            facts=report_facts(rows, settings.label.outcome_days),
            model=model_words(bundle, settings.name, place.version, cutoff=cutoff_now),
            statuses=scores.counts(),
            watch=watch,
            quadrants=scores.quadrants(),
            week=stakes_of(rows, before, chosen, settings.label.outcome_days),
            portfolio=portfolio,
            movement=moved,
            levers=changed_levers(explained.risk),
            lever_words=changed_words(explained),
            drivers=find_drivers(sampled, bundle.calibration.apply),
            quality=bundle.metadata.get("quality"),
            drift=drift,
            months=[month for month in read_history(history_path(settings.output_folder)) if month["version"] == place.version],
            audit=run_audit(settings, found.tables.whole, progress=progress).report if audit else None,
            accounts=made[: len(articles)],
            notes=[
                *report_notes(scores.counts(), len(watch), one_snapshot=scores.one_snapshot),
                *everyone.gate.said,
            ],
            beyond=beyond_words(scores.beyond),
            version=__version__,
        )
    with progress.step("writing the report"):
        page = render_report(contents, articles, folder="" if others is None else others.address).encode()
        write_atomically(path, lambda place: place.write_bytes(page))
    tracking = log_written(settings, "report", cutoff_now, place.version, path)
    return ReportResult(contents, path, len(page), aside, written, tracking, everyone.gate)


def _noted(pages: Iterable[AccountPage], made: list[AccountPage]) -> Iterator[AccountPage]:
    """Note each page that is asked for: one that does not fit any more asks for no others."""
    for page in pages:
        made.append(page)
        yield page


def _pages_of(
    accounts: Sequence[str], two: TwoCutoffs, everyone: AllScores, explained: Explanations, chosen: ActionList
) -> Iterator[AccountPage]:
    """Make the pages of many accounts, some at a time."""
    for start in range(0, len(accounts), _AT_ONCE):
        some = accounts[start : start + _AT_ONCE]
        yield from account_pages(_known(some, two, everyone, explained), two.found.tables, some, chosen)


def _known(accounts: Sequence[str], two: TwoCutoffs, everyone: AllScores, explained: Explanations) -> Explanations:
    """Explain some accounts; in memory all are explained already."""
    return explained if isinstance(everyone.scores, Scores) else two.explain(accounts, everyone)


def _explained(accounts: Sequence[str], two: TwoCutoffs, everyone: AllScores, explained: Explanations) -> Explanation:
    """Return the contributions of some accounts."""
    every = _known(accounts, two, everyone, explained).scores.explanation
    return every.take(np.flatnonzero(np.isin(every.accounts.astype(str), list(accounts))))


def _html_path(path: Path) -> Path:
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError.of("the report is one HTML file", str(path), "name a file that ends in `.html`")
    return path
