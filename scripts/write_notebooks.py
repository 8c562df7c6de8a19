"""Write the notebooks from the cells below, without outputs, so that a change to one reads as text.

Run `python scripts/write_notebooks.py`; the tests execute what is written.
"""

from __future__ import annotations

from pathlib import Path

import nbformat

FIRST_LOOK = [
    """# A first look: who stays, who leaves, and why?

**Question.** A software company has the usual tables: usage, tickets, surveys, contracts, payments. Whom should it call this
month, and about what?

The company is simulated, so that we can compare with the truth at the end. Nothing is downloaded.""",
    """import tempfile

import pandas as pd

import staypower

company = staypower.simulate(600, seed=11)
{name: table.num_rows for name, table in company.tables.items()}""",
    """## Say what the tables are

A config names the tables and what counts as churn. Here the tables are objects in memory; a path would do as well. Only what is
declared `static` or carries `valid_from` may be used as an attribute: anything else would show the export's day, not the
cutoff's.""",
    """settings = staypower.load_config(
    {
        "name": "first-look",
        "observed_until": "2025-06-30",
        "tables": {
            "accounts": {"source": "accounts"},
            "usage": {"source": "usage"},
            "tickets": {"source": "tickets", "fixed": ["priority", "category"]},
            "surveys": {"source": "surveys"},
            "subscriptions": {"source": "subscriptions"},
            "payments": {"source": "payments"},
        },
        "label": {"kind": "contractual", "horizon": 90, "grace": 30, "involuntary": ["payment", "card"]},
        "capacity": 20,
    },
    root=tempfile.mkdtemp(),
)
staypower.check(settings, **company.tables).population()""",
    """## Train, and look at the test before anything else

Trees, calibration and test each use later cutoffs than the one before, with a gap as long as the outcome between them.""",
    """tables = staypower.read_tables(settings, **company.tables)
trained = staypower.train(settings, tables)
trained.evaluation""",
    """shown = ["scorer", "auroc", "average_precision", "log_loss", "calibration_error"]
trained.evaluation.frame("scorers")[shown].round(3)""",
    """## Score everybody

One row an account, none missing; an account that is not scored says why.""",
    """scores = staypower.score(settings, tables)
scores.counts()""",
    """scores.watch_list(8)[["account_id", "churn_probability", "churn_risk_band", "reason_1", "lever_1"]]""",
    """## Why?

Contributions add up, in log-odds, to the score of the account. Summed by lever they say what kind of trouble it is.""",
    """riskiest = scores.watch_list(1)["account_id"].iloc[0]
explanation = staypower.explain(settings, tables, accounts=(riskiest,))
pd.DataFrame([vars(reason) for reason in explanation.reasons(0)])[["sentence", "contribution", "lever"]]""",
    """title = f"What moves the risk of {riskiest} (log-odds)"
axes = explanation.levers().loc[riskiest].sort_values().plot.barh(title=title)""",
    """## Was it right?

The simulator knows the probability of leaving that each account really had, given everything that drives it, seen or unseen. No
model can be expected to rank better than that.""",
    """truth = company.truth.assign(cutoff=lambda frame: frame["cutoff"].dt.strftime("%Y-%m-%d"))
joined = scores.frame().merge(truth, on=["account_id", "cutoff"], suffixes=("", "_true"))
joined = joined[joined["status"] == "scored"]
joined[["churn_probability", "churn_probability_true"]].corr(method="spearman").iloc[0, 1].round(2)""",
    """**Answer.** Call the accounts at the top of the watch list, about the lever that each first reason names. The
correlation above says how near the ranking comes to the truth that no table shows.""",
]


def write(cells: list[str], path: Path) -> None:
    """Write one notebook; a text that begins like prose becomes Markdown."""
    notebook = nbformat.v4.new_notebook()
    for number, text in enumerate(cells):
        prose = text.startswith(("#", "**"))
        make = nbformat.v4.new_markdown_cell if prose else nbformat.v4.new_code_cell
        notebook.cells.append(make(text, id=f"cell-{number}"))
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nbformat.write(notebook, path)


if __name__ == "__main__":
    folder = Path(__file__).parents[1] / "notebooks"
    write(FIRST_LOOK, folder / "01_first_look.ipynb")
