"""The commands. Each parses its options and calls one pipeline."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated

import typer

from staypower import __version__
from staypower.cli.options import ConfigOption, JsonOption, ModelOption, OutputOption, QuietOption, SetOption
from staypower.cli.running import Common, run_guarded, run_pipeline
from staypower.progress import Progress

__all__ = ["app"]

_CONFIG = Path("staypower.yaml")
_PLAIN = {"rich_markup_mode": None, "no_args_is_help": True, "add_completion": False, "pretty_exceptions_enable": False}

app = typer.Typer(help="Who stays, who leaves, why, and what to do about it.", **_PLAIN)  # type: ignore[arg-type]
models_app = typer.Typer(help="List the trained models, promote one, go back to the one before.", **_PLAIN)  # type: ignore[arg-type]
config_app = typer.Typer(help="Look at the settings.", **_PLAIN)  # type: ignore[arg-type]
app.add_typer(models_app, name="models")
app.add_typer(config_app, name="config")


def _common(config: Path, overrides: list[str] | None, as_json: bool, quiet: bool) -> Common:
    return Common(config, tuple(overrides or ()), as_json, quiet)


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


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--folder", metavar="FOLDER", help="Where everything goes.")] = Path("demo"),
    accounts: Annotated[int, typer.Option("--accounts", min=200, help="How many accounts to simulate.")] = 3000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the simulation.")] = 7,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Simulate a company, then train, evaluate and score it."""

    def call() -> object:
        pipeline = importlib.import_module("staypower.pipelines.demo")
        return pipeline.run_demo(folder=folder, accounts=accounts, seed=seed, progress=Progress(quiet=quiet))

    run_guarded(call, as_json=as_json)


@app.command()
def check(
    config: ConfigOption = _CONFIG, overrides: SetOption = None, as_json: JsonOption = False, quiet: QuietOption = False
) -> None:
    """Say what is wrong with the data and how to fix it."""
    run_pipeline(_common(config, overrides, as_json, quiet), "check", "run_check")


@app.command()
def features(
    build: Annotated[
        bool, typer.Option("--build/--list", help="Compute the features, or list what would be computed.")
    ] = False,
    output: OutputOption = None,
    config: ConfigOption = _CONFIG,
    overrides: SetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """List the features that the tables allow, or compute them."""
    run_pipeline(_common(config, overrides, as_json, quiet), "features", "run_features", build=build, output=output)


@app.command()
def train(
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="DATE", help="Set aside what arrived later than this day or time.")
    ] = None,
    config: ConfigOption = _CONFIG,
    overrides: SetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Learn a model, track the run and register the model."""
    run_pipeline(_common(config, overrides, as_json, quiet), "train", "run_train", as_of=as_of)


@app.command()
def tune(
    trials: Annotated[int | None, typer.Option("--trials", help="Stop after so many trials; 30 without any budget.")] = None,
    minutes: Annotated[float | None, typer.Option("--minutes", help="Stop after so many minutes.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a search of the same question.")] = False,
    config: ConfigOption = _CONFIG,
    overrides: SetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Search for better settings of the model on the past, and say whether they are better later."""
    common = _common(config, overrides, as_json, quiet)
    run_pipeline(common, "tune", "run_tune", trials=trials, minutes=minutes, resume=resume)


@app.command()
def evaluate(
    model: ModelOption = None,
    prior: Annotated[
        str | None,
        typer.Option("--prior", metavar="RATE", help="Judge the model moved to this base rate too: 0.16, or `estimate`."),
    ] = None,
    config: ConfigOption = _CONFIG,
    overrides: SetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure a model on later cutoffs, beside its baselines."""
    run_pipeline(_common(config, overrides, as_json, quiet), "evaluate", "run_evaluate", model=model, prior=prior)


@app.command()
def backtest(
    folds: Annotated[int, typer.Option("--folds", min=1, metavar="N", help="How many folds at most, the latest.")] = 6,
    config: ConfigOption = _CONFIG,
    overrides: SetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train on the past again and again, test each model on what came after, and watch it grow old."""
    run_pipeline(_common(config, overrides, as_json, quiet), "backtest", "run_backtest", folds=folds)


@app.command()
def score(
    cutoff: Annotated[
        str | None, typer.Option("--cutoff", metavar="DATE", help="The instant of knowledge; by default the end of the data.")
    ] = None,
    output: OutputOption = None,
    model: ModelOption = None,
    accounts: Annotated[
        list[str] | None, typer.Option("--account", metavar="ID", help="Score only this account. May be repeated.")
    ] = None,
    previous: Annotated[
        Path | None,
        typer.Option("--previous", metavar="FILE", help="Scores of an earlier cutoff: steady tiers, and who moved."),
    ] = None,
    prior: Annotated[
        str | None, typer.Option("--prior", metavar="RATE", help="Move all probabilities to this base rate, or `estimate` it.")
    ] = None,
    config: ConfigOption = _CONFIG,
    overrides: SetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Score every account, with reasons."""
    chosen = tuple(accounts or ())
    more = [] if prior is None else [f"scoring.prior={prior}"]
    common = _common(config, [*(overrides or ()), *more], as_json, quiet)
    run_pipeline(common, "score", "run_score", cutoff=cutoff, output=output, model=model, accounts=chosen, previous=previous)


@app.command()
def explain(
    accounts: Annotated[
        list[str] | None,
        typer.Option("--account", metavar="ID", help="Tell of this account; may be repeated. None: what moved them all."),
    ] = None,
    cutoff: Annotated[
        str | None, typer.Option("--cutoff", metavar="DATE", help="The instant of knowledge; by default the end of the data.")
    ] = None,
    model: ModelOption = None,
    previous: Annotated[
        Path | None,
        typer.Option("--previous", metavar="FILE", help="Scores of the cutoff to compare with; by default one step earlier."),
    ] = None,
    config: ConfigOption = _CONFIG,
    overrides: SetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Say why accounts score as they do, what changed, and what to do."""
    common, chosen = _common(config, overrides, as_json, quiet), tuple(accounts or ())
    run_pipeline(common, "explain", "run_explain", accounts=chosen, cutoff=cutoff, model=model, previous=previous)


@app.command()
def actions(
    cutoff: Annotated[
        str | None, typer.Option("--cutoff", metavar="DATE", help="The instant of knowledge; by default the end of the data.")
    ] = None,
    output: OutputOption = None,
    model: ModelOption = None,
    config: ConfigOption = _CONFIG,
    overrides: SetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """List whom to act on and how: best value first, under capacity, some held back at random."""
    common = _common(config, overrides, as_json, quiet)
    run_pipeline(common, "actions", "run_actions", cutoff=cutoff, output=output, model=model)


@app.command()
def audit(
    every_cutoff: Annotated[
        bool, typer.Option("--all", help="Travel to every cutoff instead of the first, the middle and the last.")
    ] = False,
    config: ConfigOption = _CONFIG,
    overrides: SetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Prove that no feature sees the future, and list what cannot be proven."""
    run_pipeline(_common(config, overrides, as_json, quiet), "audit", "run_audit", every_cutoff=every_cutoff)


@app.command()
def portfolio(
    config: ConfigOption = _CONFIG, overrides: SetOption = None, as_json: JsonOption = False, quiet: QuietOption = False
) -> None:
    """Measure NPS, CSAT, churn, revenue retention, cohorts, lifetime value and support, by period and segment."""
    run_pipeline(_common(config, overrides, as_json, quiet), "portfolio", "run_portfolio")


@app.command()
def report(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="By default `report.html` in the output folder.")
    ] = None,
    cutoff: Annotated[
        str | None, typer.Option("--cutoff", metavar="DATE", help="The instant of knowledge; by default the end of the data.")
    ] = None,
    model: ModelOption = None,
    previous: Annotated[
        Path | None, typer.Option("--previous", metavar="FILE", help="Scores of an earlier cutoff, to say who moved.")
    ] = None,
    pages: Annotated[int, typer.Option("--pages", min=0, max=1000, help="Accounts with a page of their own.")] = 50,
    audit: Annotated[bool, typer.Option("--audit", help="Run the audit, too, and put it in.")] = False,
    config: ConfigOption = _CONFIG,
    overrides: SetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write one HTML file that opens offline: whom to call, why, with what, and how far to trust it."""
    common = _common(config, overrides, as_json, quiet)
    options = {"cutoff": cutoff, "output": output, "model": model, "previous": previous, "pages": pages, "audit": audit}
    run_pipeline(common, "report", "run_report", **options)


@models_app.command("list")
def list_models(
    config: ConfigOption = _CONFIG, overrides: SetOption = None, as_json: JsonOption = False, quiet: QuietOption = False
) -> None:
    """List every trained version with its metrics, and which one is the champion."""
    run_pipeline(_common(config, overrides, as_json, quiet), "registry", "run_models_list")


@models_app.command()
def promote(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="The version that shall score from now on.")],
    force: Annotated[bool, typer.Option("--force", help="Promote whatever the comparison says; needs --reason.")] = False,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept with the version.")] = "",
    config: ConfigOption = _CONFIG,
    overrides: SetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make a version the champion when it wins on the same later cutoffs; exit code 1 when it does not."""
    common = _common(config, overrides, as_json, quiet)
    run_pipeline(common, "registry", "run_promote", version=version, force=force, reason=reason)


@models_app.command()
def rollback(
    config: ConfigOption = _CONFIG, overrides: SetOption = None, as_json: JsonOption = False, quiet: QuietOption = False
) -> None:
    """Make the champion before this one champion again."""
    run_pipeline(_common(config, overrides, as_json, quiet), "registry", "run_rollback")


@config_app.command()
def show(
    config: ConfigOption = _CONFIG, overrides: SetOption = None, as_json: JsonOption = False, quiet: QuietOption = False
) -> None:
    """Show the settings in force, defaults included, and where each came from."""

    def call() -> object:
        loading = importlib.import_module("staypower.config.loading")
        showing = importlib.import_module("staypower.config.showing")
        return showing.show_config(loading.load_config(config, tuple(overrides or ())))

    run_guarded(call, as_json=as_json)
