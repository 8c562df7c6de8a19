"""The commands: each declares its options and its help; `command` adds the common options and calls the job of that name."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Annotated

import typer
from typer._completion_classes import completion_init

from staypower import __version__
from staypower.cli.running import command

_LOOK = {
    "rich_markup_mode": None,
    "no_args_is_help": True,
    "add_completion": False,
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}

_COMPLETION = """\b
Begin:
  staypower init exports/
  staypower check
  staypower train
  staypower score
\b
Completion of commands and options:
  bash  eval "$(_STAYPOWER_COMPLETE=source_bash staypower)"
  zsh   eval "$(_STAYPOWER_COMPLETE=source_zsh staypower)"
  fish  _STAYPOWER_COMPLETE=source_fish staypower | source
"""

# threads that wait sleep at once: spinning beside a busy neighbour, they took twice the processor time of a training
_WAITING = {"OMP_WAIT_POLICY": "passive", "OPENBLAS_THREAD_TIMEOUT": "4"}

app = typer.Typer(help="Who stays, who leaves, why, and what to do about it.", epilog=_COMPLETION, **_LOOK)  # type: ignore[arg-type]
models_app = typer.Typer(help="List the trained models; compare, promote, roll back, verify or log them.", **_LOOK)  # type: ignore[arg-type]
config_app = typer.Typer(help="Look at the settings.", **_LOOK)  # type: ignore[arg-type]
app.add_typer(models_app, name="models")
app.add_typer(config_app, name="config")

# the options that several commands share
Model = Annotated[
    str | None, typer.Option("--model", metavar="VERSION", help="A model version or bundle folder; by default the champion.")
]
Output = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="PLACE", help="Write the rows to this file or table of a database (`...#table`)."),
]
Cutoff = Annotated[
    str | None,
    typer.Option("--cutoff", metavar="DATE", help="Use what was known then; by default at the end of the data."),
]
AcceptData = Annotated[bool, typer.Option("--accept-data", help="Go on although the data are not like those of training.")]


def main() -> None:
    """Run the command line with the arguments of this process."""
    if "_STAYPOWER_COMPLETE" in os.environ:  # a shell asks for completions
        completion_init()
    # a command makes few circles of objects and many objects: looking for garbage less often saves a tenth of a short one
    gc.set_threshold(100_000, 50, 50)
    # read when the libraries are loaded, which no command has done yet
    for name, value in _WAITING.items():
        os.environ.setdefault(name, value)
    app(prog_name="staypower")


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"staypower {__version__}")
        raise typer.Exit


@app.callback()
def start(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Who stays, who leaves, why, and what to do about it."""


@command(app, config=False, examples=["staypower demo", "staypower demo --accounts 1000 --folder trial"])
def demo(
    folder: Annotated[Path, typer.Option("--folder", metavar="FOLDER", help="Where everything goes.")] = Path("demo"),
    accounts: Annotated[int, typer.Option("--accounts", min=200, help="How many accounts to simulate.")] = 3000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the simulation.")] = 7,
) -> None:
    """Simulate a company, then train, evaluate and score it."""


@command(
    app,
    job="pipelines.init.propose",
    config=False,
    examples=[
        "staypower init exports/",
        "staypower init customers.csv orders.parquet -o shop.yaml",
        "staypower init postgresql://host/db --json",
    ],
)
def init(
    places: Annotated[
        list[str] | None, typer.Argument(metavar="[FOLDER | FILES | ADDRESS]...", help="Where the exports are.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The config to write.")] = Path(
        "staypower.yaml"
    ),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the config if it is there.")] = False,
) -> None:
    """Look at files or a database and propose a config for them."""


@command(app, examples=["staypower check", "staypower check -c acme.yaml --all", "staypower check --set label.horizon=60"])
def check(
    every_note: Annotated[
        bool, typer.Option("--all", help="Show each note with its fix; by default they are grouped.")
    ] = False,
) -> None:
    """Report what is wrong with the data and how to fix it."""


@command(
    app, job="pipelines.features.list_features", examples=["staypower features", "staypower features --build -o matrix.parquet"]
)
def features(
    build: Annotated[
        bool, typer.Option("--build/--list", help="Compute the features, or list what would be computed.")
    ] = False,
    output: Output = None,
) -> None:
    """List the features that the tables allow, or compute them."""


@command(
    app,
    examples=[
        "staypower train",
        "staypower train -c acme.yaml --as-of 2025-07-01",
        "staypower train --set model.seed=7 --log-format json",
    ],
)
def train(
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="DATE", help="Ignore rows that arrived after this day or time.")
    ] = None,
) -> None:
    """Train a model, track the run and register the model."""


@command(app, examples=["staypower tune --trials 50", "staypower tune --minutes 30 --resume"])
def tune(
    trials: Annotated[int | None, typer.Option("--trials", help="Stop after this many trials; 30 without any budget.")] = None,
    minutes: Annotated[float | None, typer.Option("--minutes", help="Stop after this many minutes.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an earlier search of the same settings and data.")] = False,
) -> None:
    """Search for better settings of the model on the past, and test whether they are better later."""


@command(app, examples=["staypower evaluate", "staypower evaluate --model 3 --prior 0.16"])
def evaluate(
    model: Model = None,
    prior: Annotated[
        str | None,
        typer.Option("--prior", metavar="RATE", help="Evaluate the model at this base rate too: 0.16, or `estimate`."),
    ] = None,
) -> None:
    """Evaluate a model on later cutoffs, next to its baselines."""


@command(app, examples=["staypower backtest", "staypower backtest --folds 3 --health-score health.score"])
def backtest(
    folds: Annotated[int, typer.Option("--folds", min=1, metavar="N", help="How many folds at most, the latest.")] = 6,
    health_score: Annotated[
        str | None,
        typer.Option(
            "--health-score",
            metavar="COLUMN",
            help="The score in use, higher is healthier: what it would have caught.",
        ),
    ] = None,
) -> None:
    """Train at several points in the past, test each model on what came after, and see how models age."""


@command(
    app,
    examples=[
        "staypower score",
        "staypower score --cutoff 2025-07-01 -o scores.csv",
        "staypower score --account 0017 --account 0042",
    ],
)
def score(
    cutoff: Cutoff = None,
    output: Output = None,
    model: Model = None,
    accounts: Annotated[
        list[str] | None, typer.Option("--account", metavar="ID", help="Score only this account. May be repeated.")
    ] = None,
    previous: Annotated[
        Path | None,
        typer.Option("--previous", metavar="FILE", help="Scores of an earlier cutoff: steady tiers, and who moved."),
    ] = None,
    prior: Annotated[
        str | None,
        typer.Option("--prior", metavar="RATE", help="Rescale probabilities to this base rate, or `estimate` it."),
    ] = None,
    accept_data: AcceptData = False,
) -> None:
    """Score every account, with reasons."""


@command(app, examples=["staypower explain", "staypower explain --account 0017 --cutoff 2025-07-01"])
def explain(
    accounts: Annotated[
        list[str] | None,
        typer.Option(
            "--account", metavar="ID", help="Explain this account; may be repeated. Default: what drives all accounts."
        ),
    ] = None,
    cutoff: Cutoff = None,
    model: Model = None,
    previous: Annotated[
        Path | None,
        typer.Option("--previous", metavar="FILE", help="Scores of the cutoff to compare with; by default one step earlier."),
    ] = None,
    accept_data: AcceptData = False,
) -> None:
    """Say why accounts score as they do, what changed, and what to do."""


@command(app, examples=["staypower actions", "staypower actions -o calls.csv --set capacity=50"])
def actions(cutoff: Cutoff = None, output: Output = None, model: Model = None, accept_data: AcceptData = False) -> None:
    """List the accounts to act on and how: highest value first, within capacity, with a random holdout."""


@command(app, examples=["staypower monitor", "staypower monitor --cutoff 2025-06-01"])
def monitor(cutoff: Cutoff = None, model: Model = None) -> None:
    """Say whether the model still fits and whether to train again; exit code 1 when something is wrong."""


@command(app, examples=["staypower audit", "staypower audit --all"])
def audit(
    every_cutoff: Annotated[
        bool, typer.Option("--all", help="Travel to every cutoff instead of the first, the middle and the last.")
    ] = False,
) -> None:
    """Prove that no feature sees the future, and list what cannot be proven."""


@command(app, examples=["staypower portfolio", "staypower portfolio --json"])
def portfolio() -> None:
    """Measure NPS, CSAT, churn, revenue retention, cohorts, lifetime value and support, by period and segment."""


@command(app, examples=["staypower report", "staypower report -o monday.html --folder pages --previous last_week.parquet"])
def report(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="By default `report.html` in the output folder.")
    ] = None,
    cutoff: Cutoff = None,
    model: Model = None,
    previous: Annotated[
        Path | None, typer.Option("--previous", metavar="FILE", help="Scores of an earlier cutoff, to list who moved.")
    ] = None,
    pages: Annotated[
        int | None,
        typer.Option("--pages", min=0, max=1000, help="Accounts with a page in the file; by default as many as open quickly."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--folder", metavar="FOLDER", help="Write the pages of all other accounts here.")
    ] = None,
    audit: Annotated[bool, typer.Option("--audit", help="Run the audit, too, and put it in.")] = False,
    accept_data: AcceptData = False,
) -> None:
    """Write one HTML file that opens offline: whom to call, why, with what, and how far to trust it."""


@command(
    models_app,
    name="list",
    job="pipelines.list_models.list_models",
    examples=["staypower models list", "staypower models list --json"],
)
def list_models() -> None:
    """List every trained version with its metrics, and which one is the champion."""


@command(
    models_app,
    job="pipelines.compare.compare",
    examples=["staypower models compare 1 2", "staypower models compare 1 2 --cutoff 2025-07-01 --json"],
)
def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="A version.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another one; differences are B minus A.")],
    cutoff: Cutoff = None,
) -> None:
    """Compare two versions: metrics on the same later rows, levers, and whose risk band and first reason differ."""


@command(
    models_app,
    job="pipelines.models.promote",
    examples=["staypower models promote 3", 'staypower models promote 3 --force --reason "the champion knows no weekends"'],
)
def promote(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="The version that is to score from now on.")],
    force: Annotated[bool, typer.Option("--force", help="Promote whatever the comparison finds; needs --reason.")] = False,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept with the version.")] = "",
) -> None:
    """Make a version the champion when it wins on the same later cutoffs; exit code 1 when it does not."""


@command(models_app, job="pipelines.models.rollback", examples=["staypower models rollback"])
def rollback() -> None:
    """Make the previous champion the champion again."""


@command(models_app, job="pipelines.verify.verify", examples=["staypower models verify 3"])
def verify(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="The version to make again.")],
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="DATE", help="What `train` was given, if it was given any.")
    ] = None,
) -> None:
    """Make a version again from the data and the settings, and compare every byte; exit code 1 when anything differs."""


@command(models_app, name="log", job="pipelines.models.log_models", examples=["staypower models log"])
def log_models() -> None:
    """Log the versions that the tracking store did not get, and mirror the champion there."""


@command(
    config_app,
    name="show",
    job="config.showing.show_config",
    examples=["staypower config show", "staypower config show --set capacity=50"],
)
def show() -> None:
    """Show the settings in force, defaults included, and where each came from."""


@command(
    config_app,
    name="schema",
    job="config.schema.show_schema",
    config=False,
    examples=["staypower config schema > staypower.schema.json"],
)
def schema() -> None:
    """Print the JSON Schema of the config, for editors."""
