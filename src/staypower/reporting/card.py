"""The model card: what a reader must know before relying on a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from staypower.cutoffs import ALWAYS, DAY, MISSING, text_of
from staypower.dataset.building import Dataset
from staypower.evaluation.measures import METRICS, listed_in
from staypower.evaluation.result import Evaluation
from staypower.evaluation.slices import ACCOUNTS, Slice
from staypower.evaluation.tier import TierEvaluation
from staypower.features.settings import FeatureSettings
from staypower.labels.settings import LabelSettings
from staypower.models.age import ModelAge
from staypower.results.numbers import count, percent, plural
from staypower.scoring.scores import ONE_SNAPSHOT
from staypower.tables import BucketedTables, Tables

__all__ = ["write_card"]

_NEVER = 2**63 - 1


def write_card(
    evaluation: Evaluation,
    dataset: Dataset,
    tables: BucketedTables,
    *,
    name: str,
    owner: str | None,
    label: LabelSettings,
    features: FeatureSettings,
    fit: str,
    age: ModelAge,
    data: str,
    version: str,
    tier: TierEvaluation | None = None,
    notes: Iterable[str] = (),
) -> str:
    """Write the model card in Markdown."""
    sections = (
        ("", _opening(evaluation, tables, owner, version)),
        ("Intended use", _intended_use(label)),
        ("Data", _data(tables, data)),
        ("What is predicted, and for whom", _target(label, dataset)),
        ("Training", _training(dataset, fit, age, notes)),
        ("Test", _test(dataset, evaluation)),
        ("Calibration", _calibration(evaluation)),
        ("Slices", _slices(evaluation, features)),
        ("Accounts known from training and new accounts", _accounts(evaluation)),
        ("Money and capacity", _money(evaluation)),
        ("Loyalty tier", _tier(tier)),
        ("Notes on the test", _listed_notes(evaluation)),
        ("Limits", _limits(evaluation, features)),
    )
    parts = [f"## {title}\n\n{body}" if title else body for title, body in sections if body]
    return "\n\n".join([f"# Model card: {_safe(name)}", *parts]) + "\n"


def _opening(evaluation: Evaluation, tables: BucketedTables, owner: str | None, version: str) -> str:
    facts = (
        ("Owner", owner or "not named: set `owner` in the config"),
        ("Made by", f"staypower {version}"),
        ("Data observed until", f"{text_of(tables.observed_until)} (exclusive)"),
    )
    return f"{_safe(evaluation.headline)}\n\n{_listed(facts)}"


def _intended_use(label: LabelSettings) -> str:
    snapshot = f"{ONE_SNAPSHOT}\n\n" if label.is_snapshot else ""
    return (
        f"{snapshot}To rank the accounts that are active today by how likely they are {label.outcome_in_words()},\n"
        "so that a team can decide whom to contact first, with reasons for each score. Do not use it for decisions about\n"
        "prices, credit or individuals, for accounts unlike those in training, or as proof of what causes churn."
    )


def _data(tables: BucketedTables, data: str) -> str:
    spans: dict[str, list[tuple[int, int, int]]] = {name: [] for name in tables.empty}
    for each in tables.each(_spans):
        for name, span in each.items():
            spans[name].append(span)
    rows = [["table", "rows", "first", "last"]]
    for name, found in spans.items():
        rows_of, first, last = (list(each) for each in zip(*found, strict=True))
        days = ("", "") if max(last) == MISSING else (_day(min(first)), _day(max(last)))
        rows.append([name, count(sum(rows_of)), *days])
    return f"Fingerprint of the tables: `{data}`\n\n{_table(rows)}"


def _spans(tables: Tables) -> dict[str, tuple[int, int, int]]:
    """Return the rows of each table, and the first and the last of its own times; where none is known, an empty span."""
    found = {}
    for name, table in tables.items():
        known = table.own_instants()
        known = known[known > ALWAYS]
        ends = (int(known.min()), int(known.max())) if len(known) else (_NEVER, MISSING)
        found[name] = (len(table), *ends)
    return found


def _day(instant: int) -> str:
    return text_of(instant // DAY * DAY)


def _target(label: LabelSettings, dataset: Dataset) -> str:
    counts = dataset.labels.frame()
    left_out = {name: int(counts[name].sum()) for name in ("notice_given", "too_new", "left", "left_in_gap", "unlabelled")}
    excluded = ", ".join(f"{count(number)} {name.replace('_', ' ')}" for name, number in left_out.items())
    active = counts["active"]
    facts = (
        ("Label", label.churn_in_words()),
        ("Population", label.population_in_words()),
        ("Customers at a cutoff", " to ".join(dict.fromkeys(count(int(number)) for number in (active.min(), active.max())))),
        ("Excluded rows (account and cutoff)", excluded),
    )
    return _listed(facts)


def _training(dataset: Dataset, fit: str, age: ModelAge, notes: Iterable[str]) -> str:
    plan, training = dataset.plan, dataset.part("training", "calibration")
    features = dataset.catalogue.frame()
    families = ", ".join(f"{number} from {_origin(str(table))}" for table, number in features["table"].value_counts().items())
    facts = (
        ("Split", plan.words),
        ("Period", f"{text_of(int(plan.all[0]))} to {text_of(plan.trained_until)}"),
        ("Cutoffs", f"{len(plan.training)} for training, {len(plan.calibration)} for calibration"),
        ("Rows", f"{count(len(training))} of {plural(training.distinct_accounts, 'account')}"),
        *((("Sample", f"{dataset.sampling}; seed {dataset.sampling.seed}"),) if dataset.sampling.is_on else ()),
        ("Churned", percent(dataset.base_rate("training", "calibration"))),
        ("Features", f"{len(features)}: {families}"),
        ("Fit", fit),
        ("Model that scores", "; ".join(part for part in (str(age), age.newest) if part)),
    )
    return "\n".join([_listed(facts), *(f"- {_safe(note)}" for note in notes)])


def _origin(table: str) -> str:
    return "several tables" if table == "(combined)" else table.replace("_", " ")


def _test(dataset: Dataset, evaluation: Evaluation) -> str:
    base = evaluation.base_rate
    facts = (
        ("Split", evaluation.split),
        ("Cutoffs", ", ".join(text_of(cutoff) for cutoff in evaluation.cutoffs)),
        *((("Embargo", f"{dataset.plan.embargo} days between training and test"),) if dataset.plan.split != "snapshot" else ()),
        ("Rows", f"{count(evaluation.rows)} of {plural(evaluation.accounts, 'account')}"),
        ("Churned", f"{count(evaluation.churned)}: {base.written(percent)}"),
        ("Intervals", f"95%, {evaluation.replicates} bootstrap samples of accounts" if base.bounded else "none, so no verdict"),
    )
    shown = [each for each in listed_in("card") if any(row[each.name].known for row in evaluation.scorers.values())]
    rows = [["score", *(each.label for each in shown)]]
    rows += [[name, *(each.write_estimate(row[each.name]) for each in shown)] for name, row in evaluation.scorers.items()]
    compared = listed_in("differences")
    apart = [["model minus", *(each.label for each in compared)]]
    apart += [
        [name, *(each.write_difference(row[each.name]) for each in compared)] for name, row in evaluation.differences.items()
    ]
    return "\n\n".join([_listed(facts), _table(rows), "Paired differences, on the same bootstrap samples:", _table(apart)])


def _calibration(evaluation: Evaluation) -> str:
    bins = [each for each in evaluation.reliability if each.scorer == evaluation.model]
    if not bins:
        return ""
    error, mean = (evaluation.scorers[evaluation.model][name] for name in ("calibration_error", "mean_score"))
    summary = (
        f"Calibration error {METRICS['calibration_error'].write_estimate(error)}; mean probability {percent(mean.value)}, "
        f"observed {evaluation.base_rate.written(percent)}."
    )
    rows = [["rows", "mean probability", "churned"]]
    rows += [[count(each.rows), percent(each.predicted), each.observed.written(percent)] for each in bins]
    return f"{summary}\n\n{_table(rows)}"


def _slices(evaluation: Evaluation, features: FeatureSettings) -> str:
    groups = [group for group in evaluation.groups if group.partition != ACCOUNTS]
    if not groups:
        return ""
    worst = _safe(evaluation.worst_slice.words) if evaluation.worst_slice else "no slice is large enough."
    rows = [["slice", "accounts", "churned rows", "observed", "predicted", "AUROC"]]
    rows += [_slice_row(group) for group in groups]
    fair = "\n".join(f"- {_safe(gap.words)}" for gap in evaluation.fairness)
    used = "are also features" if features.sensitive_as_features else "are not used as features"
    more = f"\n\nThe two groups that differ most, by column declared sensitive; these columns {used}:\n\n{fair}" if fair else ""
    return f"Worst slice: {worst}\n\n{_table(rows)}{more}"


def _slice_row(group: Slice) -> list[str]:
    measured = group.note or METRICS["auroc"].write_estimate(group.auroc)
    counts = [count(group.accounts), count(group.churned), percent(group.observed), percent(group.predicted)]
    return [f"{group.partition} {group.name}", *counts, measured]


def _accounts(evaluation: Evaluation) -> str:
    groups = [group for group in evaluation.groups if group.partition == ACCOUNTS]
    head = ["accounts in the test", "accounts", "churned rows", "observed", "predicted", "AUROC"]
    return _table([head, *([group.name, *_slice_row(group)[1:]] for group in groups)]) if groups else ""


def _money(evaluation: Evaluation) -> str:
    model, given = evaluation.scorers[evaluation.model], evaluation.costs.complete
    lines = [_costs(evaluation)] if given else []
    lines += [f"- {plan.words}" for plan in evaluation.contact_plans]
    if evaluation.capacity is not None:
        names = ("precision_at_capacity", "recall_at_capacity")
        precision, recall = (METRICS[name].write_estimate(model[name]) for name in names)
        contacted = plural(evaluation.capacity, "account")
        lines.append(f"- {contacted} contacted at each cutoff: precision {precision}, recall {recall}")
    amounts = "the costs above" if given else "published amounts; use it to compare models only, the amounts are not yours"
    lines.append(f"- Expected maximum profit (EMPC) {METRICS['empc'].write_estimate(model['empc'])} per account, at {amounts}")
    if not given:
        lines.append("- No profit threshold: give `clv`, `incentive` and `contact` under `costs`.")
    return "\n".join(lines)


def _costs(evaluation: Evaluation) -> str:
    costs = evaluation.costs
    clv, incentive, contact = costs.amounts
    return (
        f"- Costs, in the currency of the config: lifetime value of a retained account {clv:,.10g}, incentive "
        f"{incentive:,.10g}, contact {contact:,.10g}; {percent(costs.acceptance, 0)} of accounts about to churn accept the "
        "incentive"
    )


def _tier(tier: TierEvaluation | None) -> str:
    return "" if tier is None else f"```\n{tier.text().rstrip()}\n```"


def _listed_notes(evaluation: Evaluation) -> str:
    return "\n".join(f"- {_safe(note)}" for note in evaluation.notes)


def _limits(evaluation: Evaluation, features: FeatureSettings) -> str:
    lines = [
        "Probabilities hold for accounts like those in training; later changes in prices, product or market are not covered.",
        "Intervals reflect the sampling of test accounts; they do not cover other training data or later months.",
        "Reasons say what moved the score. They do not prove causes.",
        "Acting on a score changes the outcome it predicts: measure actions against a holdout.",
    ]
    if evaluation.split.startswith("snapshot"):
        lines.insert(0, "The test is not temporal: it does not show how the model performs in later months.")
    if not features.sensitive:
        lines.append("No attribute is declared sensitive (`features.sensitive`), so fairness between groups was not measured.")
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
