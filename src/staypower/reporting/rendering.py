"""Write the report as one self-contained HTML file that opens offline.

Everything from data is escaped. The page's policy forbids every connection and every script but its own, known by its hash.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup

from staypower.evaluation.measures import ScoreMetric, listed_in
from staypower.evaluation.resampling import Estimate
from staypower.monitoring.drift import Drift
from staypower.portfolio.settings import QUADRANTS
from staypower.reporting.charts import MARKS, monitoring_charts, portfolio_charts, quality_charts
from staypower.reporting.contents import Report
from staypower.reporting.driver_charts import dependence_charts, survival_charts, swarm_chart
from staypower.reporting.page_files import draw_accounts, fitting
from staypower.reporting.templates import embedded, environment, file_stem, policy_of, read_files
from staypower.reporting.watch_list import PageLinks, lay_out
from staypower.results.numbers import count, decimal, money, percent, plural, short

__all__ = ["render_report"]

_TIER_UNKNOWN = "tier_unknown"
_MOST_DRIFT = 12
_MOST_MOVES = 12


def render_report(report: Report, articles: Sequence[Markup] | None = None, *, folder: str = "") -> str:
    """Write the report as HTML, with account pages that are drawn already and the folder that holds the others.

    >>> empty = Report("<acme>", "2025-07-01", (), {}, pd.DataFrame({"account_id": []}), pd.DataFrame())
    >>> page = render_report(empty)
    >>> "<acme>" in page, "&lt;acme&gt;" in page
    (False, True)
    """
    style, script = read_files()
    pages = fitting(draw_accounts(report.accounts)) if articles is None else articles
    links = PageLinks(len(pages), folder)
    watch = lay_out(report.watch, links)
    charts = portfolio_charts(report.portfolio) if report.portfolio else []
    survival = survival_charts(report.portfolio) if report.portfolio else []
    drivers = report.drivers if report.drivers is not None and report.drivers.drivers else None
    left_out = report.portfolio.left_out if report.portfolio else {}
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            parts=_parts(report, charts=bool(charts), drivers=bool(drivers or survival)),
            policy=policy_of(style, script),
            style=style,
            script=script,
            data=embedded(watch.data(links)),
            file_name=file_stem(report.name, report.cutoff),
            watch=watch,
            quadrants=_quadrants(report.quadrants),
            tiers_known=_tiers_known(report.quadrants),
            movement=_movement(report.movement),
            charts=charts,
            left_out=[f"{name}: {why}" for name, why in left_out.items()],
            swarm=swarm_chart(drivers) if drivers else None,
            dependences=dependence_charts(drivers) if drivers else [],
            survival=survival,
            quality=_quality(report.quality),
            drift=_drift(report.drift),
            months=monitoring_charts(report.months),
            audit=_audit(report),
            articles=pages,
            marks=MARKS,
            version=report.version,
        )
    )


def _parts(report: Report, *, charts: bool, drivers: bool) -> list[tuple[str, str]]:
    moved = bool(report.levers or report.lever_words)
    found = [
        ("watch", "Watch list", True),
        ("quadrants", "Loyalty and risk", True),
        ("moved", "What changed", moved),
        ("drivers", "What drives risk", drivers),
        ("portfolio", "Portfolio", charts),
        ("quality", "Model", True),
        ("trust", "Drift and audit", True),
    ]
    return [(name, title) for name, title, there in found if there]


def _quadrants(sizes: pd.DataFrame) -> list[dict[str, str]]:
    made = []
    for row in sizes.to_dict("records"):
        revenue = "" if pd.isna(row["mrr"]) else f", MRR {money(row['mrr'])}"
        made.append(
            {
                "quadrant": str(row["quadrant"]),
                "title": QUADRANTS.get(row["quadrant"], str(row["quadrant"])),
                "accounts": count(row["accounts"]),
                "detail": f"{percent(row['share'], 0)} of accounts{revenue}",
            }
        )
    return made


def _tiers_known(sizes: pd.DataFrame) -> bool:
    return not len(sizes) or bool(sizes.loc[sizes["quadrant"] != _TIER_UNKNOWN, "accounts"].sum())


def _movement(moves: pd.DataFrame | None) -> list[tuple[str, str, str]]:
    if moves is None:
        return []
    moved = moves[moves["before"] != moves["now"]].sort_values("accounts", ascending=False).head(_MOST_MOVES)
    return [
        (QUADRANTS.get(row["before"], row["before"]), QUADRANTS.get(row["now"], row["now"]), count(row["accounts"]))
        for row in moved.to_dict("records")
    ]


def _quality(quality: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not quality:
        return None
    there = [metric for metric in listed_in("page") if any(metric.name in row for row in quality["scorers"].values())]
    rows = [
        (name, *(_estimate(metric, row.get(metric.name), interval=name == quality["model"]) for metric in there))
        # a sealed model keeps no order
        for name, row in sorted(quality["scorers"].items(), key=lambda entry: (entry[0] != quality["model"], entry[0]))
    ]
    rows_words = f"{plural(quality['rows'], 'test row')} of {plural(quality['accounts'], 'account')}"
    words = f"{rows_words}, {count(quality['churned'])} churned."
    split = f"Split: {quality['split']}."
    words += "" if split in quality["headline"] else f" {split}"
    return {
        "headline": quality["headline"],
        "words": words,
        "heads": ("", *(metric.label for metric in there)),
        "rows": rows,
        "charts": quality_charts(quality),
        "notes": quality["notes"],
    }


def _estimate(metric: ScoreMetric, found: Mapping[str, Any] | None, *, interval: bool) -> str:
    if not found or found.get("value") is None:
        return ""
    # models sealed without intervals have none
    ends = [found.get(name) for name in ("low", "high")] if interval else []
    return metric.write_estimate(Estimate(found["value"], *(end for end in ends if end is not None)))


def _drift(drift: Drift | None) -> dict[str, Any] | None:
    if drift is None:
        return None
    words = (
        f"{plural(drift.accounts_then, 'account')} at {drift.then}, the last cutoff of the training data, compared with "
        f"{count(drift.accounts_now)} at {drift.now}. Population stability index (PSI): below 0.1 is stable, 0.25 or more "
        "is a shift, unless chance alone explains it, or the feature moves about as much in such a time anyway."
    )
    rows = []
    for row in drift.frame().head(_MOST_DRIFT).to_dict("records"):
        typical, missing = ((row[f"{what}_then"], row[f"{what}_now"]) for what in ("usual", "missing"))
        rows.append(
            (
                row["feature"],
                decimal(row["psi"]),
                decimal(row["by_chance"]),
                decimal(row["usual"]),
                *(short(value) for value in typical),
                _share(missing),
                row["verdict"],
            )
        )
    heads = ("feature", "PSI", "PSI by chance", "usual PSI", "typical then", "typical now", "missing then, now", "verdict")
    return {"headline": drift.headline, "words": words, "heads": heads, "rows": rows}


def _share(pair: Sequence[float]) -> str:
    return ", ".join("" if math.isnan(each) else percent(each, 0) for each in pair)


def _audit(report: Report) -> dict[str, Any] | None:
    if report.audit is None:
        return None
    rows = [(check.name, check.status, "; ".join(check.evidence)) for check in report.audit.checks]
    return {"headline": report.audit.headline, "rows": rows}
