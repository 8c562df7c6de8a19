"""Every figure of the model card is one of the evaluation's."""

from __future__ import annotations

import re

import pytest

from staypower import __version__
from staypower.cutoffs import text_of
from staypower.evaluation.resampling import Estimate


@pytest.fixture(scope="module")
def card(company) -> str:
    return (company.root / "models" / "demo" / "1" / "card.md").read_text()


def table(card: str, head: str) -> list[list[str]]:
    """Return the rows of the table whose first line begins so."""
    lines = card[card.index(f"\n| {head} |") + 1 :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[:1] + lines[2:]]


def numbers(cell: str) -> list[float]:
    """Return value, low and high of a cell such as `0.818 (0.765 to 0.868)`."""
    return [float(word.replace(",", "").rstrip("%")) for word in re.findall(r"[+-]?[\d.,]+%?", cell)]


def rounded(found: Estimate, digits: int, scale: float = 1.0) -> list[float]:
    parts = [found.value, *([found.low, found.high] if found.bounded and found.low != found.high else [])]
    return [pytest.approx(round(scale * part, digits), abs=1e-9) for part in parts]


def test_every_score_with_its_intervals(company, card):
    evaluation = company.result.trained.evaluation
    head, *rows = table(card, "score")
    assert [row[0] for row in rows] == list(evaluation.scorers)
    known = {"AUROC": ("auroc", 3), "average precision": ("average_precision", 3), "log loss": ("log_loss", 3)}
    known |= {"Brier score": ("brier", 3), "calibration error": ("calibration_error", 3), "lift at 10%": ("lift_10", 2)}
    assert set(head[1:]) == set(known)
    for row in rows:
        for label, cell in zip(head[1:], row[1:], strict=True):
            metric, digits = known[label]
            found = evaluation.scorers[row[0]][metric]
            assert numbers(cell) == (rounded(found, digits) if found.known else []), (row[0], label)


def test_paired_differences(company, card):
    evaluation = company.result.trained.evaluation
    _, *rows = table(card, "model minus")
    assert [row[0] for row in rows] == list(evaluation.differences)
    for name, auroc, *_ in rows:
        assert numbers(auroc) == rounded(evaluation.differences[name]["auroc"], 3)


def test_reliability_and_slices(company, card):
    evaluation = company.result.trained.evaluation
    bins = [each for each in evaluation.reliability if each.scorer == "model"]
    _, *rows = table(card, "rows")
    assert [int(row[0].replace(",", "")) for row in rows] == [each.rows for each in bins]
    assert [numbers(row[1])[0] for row in rows] == [pytest.approx(100 * each.predicted, abs=0.051) for each in bins]
    assert [numbers(row[2])[0] for row in rows] == [pytest.approx(100 * each.observed.value, abs=0.051) for each in bins]
    _, *rows = table(card, "slice")
    groups = [group for group in evaluation.groups if group.partition != "account"]
    assert [row[0] for row in rows] == [f"{group.partition} {group.name}" for group in groups]
    for row, group in zip(rows, groups, strict=True):
        assert [int(cell.replace(",", "")) for cell in row[1:3]] == [group.accounts, group.churned]
        assert (row[5] == group.note) if group.note else (numbers(row[5]) == rounded(group.auroc, 3))
    if evaluation.worst_slice is not None:
        assert f"Worst slice: {evaluation.worst_slice.words}" in card


def test_what_it_was_learned_from_and_for_whom(company, card):
    trained, settings = company.result.trained, company.settings
    plan, dataset = trained.dataset.plan, trained.dataset
    learned, test = dataset.rows("training", "calibration"), dataset.rows("test")
    accounts = len(set(dataset.matrix.accounts[learned]))
    assert f"- **Period**: {text_of(int(plan.training[0]))} to {text_of(int(plan.calibration[-1]))}" in card
    assert f"- **Rows**: {learned.sum():,} of {accounts:,} accounts" in card
    assert f"- **Rows**: {test.sum():,} of {len(set(dataset.matrix.accounts[test])):,} accounts" in card
    assert f"- **Churned**: {dataset.y[learned].mean():.1%}" in card
    assert f"- **Churned**: {dataset.y[test].sum():,}: " in card
    assert trained.bundle.metadata["data_fingerprint"] in card
    assert f"ends within {settings.label.horizon} days after the cutoff" in card
    assert f"- **Data observed until**: {text_of(settings.observed_until)}" in card
    assert f"- **Made by**: staypower {__version__}" in card
    assert "not named: set `owner` in the config" in card


def test_tables_and_their_rows(company, card):
    import pandas as pd

    _, *rows = table(card, "table")
    listed = {row[0]: row for row in rows}
    assert set(listed) == set(company.settings.tables)
    usage = pd.read_parquet(company.root / "demo" / "data" / "usage.parquet")
    assert listed["usage"][1] == f"{len(usage):,}"
    assert listed["usage"][2:] == [str(usage["at"].min())[:10], str(usage["at"].max())[:10]]


def test_money_and_capacity(company, card):
    evaluation = company.result.trained.evaluation
    for plan in evaluation.contact_plans:
        assert f"- {plan.words}" in card
    model = evaluation.scorers["model"]
    line = next(line for line in card.splitlines() if line.startswith("- 50 accounts contacted at each cutoff"))
    precision, recall = line.split("precision ")[1].split(", recall ")
    assert numbers(precision) == rounded(model["precision_at_capacity"], 3)
    assert numbers(recall) == rounded(model["recall_at_capacity"], 3)


def test_notes_and_limits_are_there(company, card):
    for note in company.result.trained.evaluation.notes:
        assert note in card
    assert card.startswith("# Model card: demo\n")
    assert company.result.trained.evaluation.headline in card
    for title in ("Intended use", "Calibration", "Slices", "Money and capacity", "Limits", "Loyalty tier"):
        assert f"\n## {title}\n" in card


def test_label_and_population_in_words(company, card):
    assert "the account's last subscription ends within 90 days after the cutoff and no other begins within 30 days" in card
    assert "without those younger than 14 days and those that have given notice" in card
    active = company.result.trained.dataset.labels.frame()["active"]
    assert f"- **Customers at a cutoff**: {active.min():,} to {active.max():,}" in card


def test_costs_stand_beside_what_follows_from_them(company, card):
    assert "lifetime value of a retained account 6,000, incentive 300, contact 40; 30% of accounts about to churn" in card
    empc = company.result.trained.evaluation.scorers["model"]["empc"]
    line = next(line for line in card.splitlines() if line.startswith("- Expected maximum profit (EMPC)"))
    assert numbers(line.split("(EMPC) ")[1].split(" per account")[0]) == rounded(empc, 2)
    assert "at the costs above" in line


def test_what_was_not_looked_at_is_said(card):
    limits = card[card.index("\n## Limits\n") :]
    assert "No attribute is declared sensitive" in limits
    assert "they do not cover other training data" in limits
    assert "The test is not temporal" not in limits


def test_the_summary_of_training_begins_with_the_verdict_too(company):
    trained = company.result.trained
    assert " ".join(trained.text().split()).startswith(trained.evaluation.headline)
    assert trained.text().count(" ".join(trained.evaluation.headline.split()[:4])) == 1
