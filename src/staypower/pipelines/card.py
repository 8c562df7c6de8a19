"""The model card: what a reader must know before relying on a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import numpy as np

from staypower import __version__
from staypower.config.settings import Settings
from staypower.cutoffs import ALWAYS, DAY, text_of
from staypower.dataset.building import Dataset
from staypower.evaluation.groups import Group
from staypower.evaluation.resampling import Estimate
from staypower.evaluation.result import Evaluation
from staypower.evaluation.tier import TierEvaluation
from staypower.tables import Table, Tables

__all__ = ["write_card"]

_METRICS = (
    ("auroc", "AUROC", 3),
    ("average_precision", "average precision", 3),
    ("log_loss", "log loss", 4),
    ("brier", "Brier", 4),
    ("calibration_error", "calibration error", 4),
    ("lift_10", "lift at 10 %", 2),
)


def write_card(
    settings: Settings,
    dataset: Dataset,
    tables: Tables,
    evaluation: Evaluation,
    *,
    fit: str,
    data: str,
    made_at: datetime,
    tier: TierEvaluation | None = None,
    notes: Iterable[str] = (),
) -> str:
    """Write the model card in Markdown."""
    sections = (
        ("", _opening(settings, tables, evaluation, made_at)),
        ("Intended use", _intended_use(settings)),
        ("Data", _data(tables, data)),
        ("What is predicted, and for whom", _target(settings, dataset)),
        ("How it was learned", _learning(dataset, fit, notes)),
        ("Test", _test(dataset, evaluation)),
        ("Calibration", _calibration(evaluation)),
        ("Slices", _slices(settings, evaluation)),
        ("Known accounts and accounts never seen", _accounts(evaluation)),
        ("Money and capacity", _money(settings, evaluation)),
        ("Loyalty tier", _tier(tier)),
        ("What the test showed besides", _listed_notes(evaluation)),
        ("Limits", _limits(settings, evaluation)),
    )
    parts = [f"## {title}\n\n{body}" if title else body for title, body in sections if body]
    return "\n\n".join([f"# Model card: {_safe(settings.name)}", *parts]) + "\n"


def _opening(settings: Settings, tables: Tables, evaluation: Evaluation, made_at: datetime) -> str:
    owner = settings.owner or "nobody is named: set `owner` in the config"
    facts = (
        ("Owner", owner),
        ("Made", f"{made_at:%Y-%m-%d %H:%M} UTC by staypower {__version__}"),
        ("Data observed until", f"{text_of(tables.observed_until)} (exclusive)"),
    )
    return f"{_safe(evaluation.headline)}\n\n{_listed(facts)}"


def _intended_use(settings: Settings) -> str:
    return (
        f"To rank the accounts that are active today by how likely they are {settings.label.outcome_in_words()},\n"
        "so that a team can decide whom to look at first, with the reasons beside each score. It is not made for decisions\n"
        "about prices, credit or persons, for accounts unlike those it learned from, or as proof of what causes churn."
    )


def _data(tables: Tables, data: str) -> str:
    rows = [["table", "rows", "first", "last"]]
    rows += [[name, f"{len(table):,}", *_span(table)] for name, table in tables.items()]
    return f"Fingerprint of the tables: `{data}`\n\n{_table(rows)}"


def _span(table: Table) -> tuple[str, str]:
    """Return the first and the last day of a table's own times."""
    known = table.own_instants()
    known = known[known > ALWAYS]
    return ("", "") if not len(known) else (_day(int(known.min())), _day(int(known.max())))


def _day(instant: int) -> str:
    return text_of(instant // DAY * DAY)


def _target(settings: Settings, dataset: Dataset) -> str:
    counts = dataset.labels.frame()
    left_out = {name: int(counts[name].sum()) for name in ("notice_given", "too_new", "left_in_gap", "unlabelled")}
    told = ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in left_out.items())
    active = counts["active"]
    facts = (
        ("Label", settings.label.churn_in_words()),
        ("Population", settings.label.population_in_words()),
        ("Customers at a cutoff", " to ".join(dict.fromkeys(f"{count:,}" for count in (int(active.min()), int(active.max()))))),
        ("Left out, accounts times cutoffs", told),
    )
    return _listed(facts)


def _learning(dataset: Dataset, fit: str, notes: Iterable[str]) -> str:
    plan, learned = dataset.plan, dataset.rows("training", "calibration")
    features = dataset.catalogue.frame()
    families = ", ".join(f"{count} from {_origin(str(table))}" for table, count in features["table"].value_counts().items())
    facts = (
        ("Split", plan.words),
        ("Period", f"{text_of(int(plan.all[0]))} to {text_of(plan.trained_until)}"),
        ("Cutoffs", f"{len(plan.training)} for training, {len(plan.calibration)} for calibration"),
        ("Rows", f"{int(learned.sum()):,} of {len(set(dataset.matrix.accounts[learned])):,} accounts"),
        *((("Sample", f"{dataset.sampling}; seed {dataset.sampling.seed}"),) if dataset.sampling.is_on else ()),
        ("Churned", f"{dataset.base_rate('training', 'calibration'):.1%}"),
        ("Features", f"{len(features)}: {families}"),
        ("Fit", fit),
    )
    return "\n".join([_listed(facts), *(f"- {_safe(note)}" for note in notes)])


def _origin(table: str) -> str:
    return "several tables together" if table == "(combined)" else table.replace("_", " ")


def _test(dataset: Dataset, evaluation: Evaluation) -> str:
    base = evaluation.base_rate
    facts = (
        ("Split", evaluation.split),
        ("Cutoffs", ", ".join(text_of(cutoff) for cutoff in evaluation.cutoffs)),
        ("Embargo", f"{dataset.plan.embargo} days between what was learned from and the test"),
        ("Rows", f"{evaluation.rows:,} of {evaluation.accounts:,} accounts"),
        ("Churned", f"{evaluation.churned:,}: {_percent(base)}"),
        ("Intervals", f"95 %, {evaluation.replicates} bootstrap samples of accounts"),
    )
    shown = [entry for entry in _METRICS if any(row[entry[0]].known for row in evaluation.scorers.values())]
    rows = [["score", *(label for _, label, _ in shown)]]
    rows += [[name, *(_shown(row[metric], digits) for metric, _, digits in shown)] for name, row in evaluation.scorers.items()]
    apart = [["model minus", *(label for _, label, _ in shown[:3])]]
    apart += [
        [name, *(_shown(row[metric], digits, sign="+") for metric, _, digits in shown[:3])]
        for name, row in evaluation.differences.items()
    ]
    return "\n\n".join([_listed(facts), _table(rows), "Paired differences, on the same samples:", _table(apart)])


def _calibration(evaluation: Evaluation) -> str:
    bins = [each for each in evaluation.reliability if each.scorer == evaluation.model]
    if not bins:
        return ""
    error, mean = (evaluation.scorers[evaluation.model][name] for name in ("calibration_error", "mean_score"))
    said = (
        f"Calibration error {_shown(error, 4)}; mean probability {mean.value:.1%}, observed {_percent(evaluation.base_rate)}."
    )
    rows = [["rows", "mean probability", "churned"]]
    rows += [[f"{each.rows:,}", f"{each.predicted:.1%}", _percent(each.observed)] for each in bins]
    return f"{said}\n\n{_table(rows)}"


def _slices(settings: Settings, evaluation: Evaluation) -> str:
    groups = [group for group in evaluation.groups if group.partition != "account"]
    if not groups:
        return ""
    worst = f"Worst slice: {_safe(evaluation.worst_slice.words)}" if evaluation.worst_slice else "No worst slice can be told."
    rows = [["slice", "accounts", "churned rows", "observed", "predicted", "AUROC"]]
    rows += [_group_row(group) for group in groups]
    fair = "\n".join(f"- {_safe(gap.words)}" for gap in evaluation.fairness)
    used = "are features too" if settings.features.sensitive_as_features else "are read by no feature"
    more = f"\n\nThe two groups farthest apart, of the columns declared sensitive, which {used}:\n\n{fair}" if fair else ""
    return f"{worst}\n\n{_table(rows)}{more}"


def _group_row(group: Group) -> list[str]:
    predicted = "" if np.isnan(group.predicted) else f"{group.predicted:.1%}"
    measured = group.note or _shown(group.auroc, 3)
    counts = [f"{group.accounts:,}", f"{group.churned:,}", f"{group.observed:.1%}"]
    return [f"{group.partition} {group.name}", *counts, predicted, measured]


def _accounts(evaluation: Evaluation) -> str:
    groups = [group for group in evaluation.groups if group.partition == "account"]
    parts = [evaluation.memory.words] if evaluation.memory else []
    if groups:
        head = ["accounts of the test", "accounts", "churned rows", "observed", "predicted", "AUROC"]
        rows = [[group.name, *_group_row(group)[1:]] for group in groups]
        parts.append(_table([head, *rows]))
    return "\n\n".join(parts)


def _money(settings: Settings, evaluation: Evaluation) -> str:
    model = evaluation.scorers[evaluation.model]
    lines = [_costs(settings)] if settings.costs.complete else []
    lines += [f"- {plan.words}" for plan in evaluation.contact_plans]
    if evaluation.capacity is not None:
        precision, recall = (_shown(model[name], 3) for name in ("precision_at_capacity", "recall_at_capacity"))
        lines.append(f"- {evaluation.capacity:,} accounts contacted at each cutoff: precision {precision}, recall {recall}")
    amounts = "the costs above" if settings.costs.complete else "published amounts, which compare scores and are nobody's money"
    lines.append(f"- Expected maximum profit (EMPC) {_shown(model['empc'], 2)} per account, at {amounts}")
    if not settings.costs.complete:
        lines.append("- No threshold in money: `costs` does not give clv, incentive and contact.")
    return "\n".join(lines)


def _costs(settings: Settings) -> str:
    costs = settings.costs
    clv, incentive, contact = costs.amounts
    return (
        f"- Costs, in the currency of the config: an account kept is worth {clv:,.10g}, the incentive {incentive:,.10g}, a "
        f"contact {contact:,.10g}; {costs.acceptance:.0%} of would-be leavers take the incentive"
    )


def _tier(tier: TierEvaluation | None) -> str:
    return "" if tier is None else f"```\n{tier.text().rstrip()}\n```"


def _listed_notes(evaluation: Evaluation) -> str:
    return "\n".join(f"- {_safe(note)}" for note in evaluation.notes)


def _limits(settings: Settings, evaluation: Evaluation) -> str:
    lines = [
        "Probabilities hold for accounts like those in training; a later change of prices, product or market is not seen.",
        "Intervals tell the luck of which accounts were tested, not of which were learned from, nor of the months to come.",
        "Reasons say what moved the score. They are no proof of cause.",
        "Acting on a score changes the outcome that it foretold: measure actions against a holdout.",
    ]
    if evaluation.split.startswith("snapshot"):
        lines.insert(0, "There was no test in time: nothing shows how the model does on later months.")
    if not settings.features.sensitive:
        lines.append(
            "No attribute is declared sensitive (`features.sensitive`): whether groups are treated alike was not looked at."
        )
    return "\n".join(f"- {line}" for line in lines)


def _listed(facts: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"- **{name}**: {_safe(value)}" for name, value in facts)


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table; what comes from the data can neither end a cell nor be taken for HTML."""
    head, *body = [[_safe(cell).replace("|", "\\|") for cell in row] for row in rows]
    ruler = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ruler, *body))


def _safe(text: str) -> str:
    """Keep texts of the data and the config from being read as markup."""
    plain = " ".join(text.split())
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _shown(estimate: Estimate, digits: int, *, sign: str = "") -> str:
    if not estimate.known:
        return ""
    value = f"{estimate.value:{sign},.{digits}f}"
    if not estimate.bounded or estimate.low == estimate.high:
        return value
    return f"{value} ({estimate.low:{sign},.{digits}f} to {estimate.high:{sign},.{digits}f})"


def _percent(estimate: Estimate) -> str:
    interval = f" ({estimate.low:.1%} to {estimate.high:.1%})" if estimate.bounded else ""
    return f"{estimate.value:.1%}{interval}"
