"""The main job on a simulated company: simulate, train, evaluate, score, and say whom to act on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from staypower.config.loading import load_config
from staypower.config.settings import Settings
from staypower.cutoffs import DAY
from staypower.dataset.building import Dataset
from staypower.metrics.ranking import auroc
from staypower.pipelines.actions import ActionsResult, actions
from staypower.pipelines.arguments import output_from, progress_from, read_tables, require_number
from staypower.pipelines.report import ReportResult, report
from staypower.pipelines.score import ScoreResult, score
from staypower.pipelines.train import TrainResult, train
from staypower.progress import Progress
from staypower.results.numbers import decimal
from staypower.results.result import Block, Heading, Result, Verbatim
from staypower.simulation.company import simulate_to

__all__ = ["DemoResult", "demo", "demo_config"]


@dataclass(frozen=True)
class DemoResult(Result):
    """What the demo made."""

    config: Path
    trained: TrainResult
    scored: ScoreResult
    acted: ActionsResult
    reported: ReportResult
    files: tuple[Path, ...]  # pictures of the evaluation
    ceiling: float  # AUROC that the true probabilities reach at the test cutoffs

    def blocks(self) -> list[Block]:
        """Return the summary and the paths of what was made."""
        reached = decimal(self.trained.evaluation.metrics()["auroc"])
        riskiest = self.scored.watch_list(1)["account_id"].iloc[0]
        return [
            *self.trained.blocks(),
            f"AUROC {reached}; the simulator's true probabilities reach {decimal(self.ceiling)} on the same rows.",
            *self.scored.blocks(),
            Verbatim(self.acted.brief().splitlines()),
            Verbatim(["Pictures:", *(f"  {path}" for path in self.files)]),
            Verbatim(
                [
                    f"config: {self.config}",
                    f"report: {self.reported.path}",
                ]
            ),
            "Open the report in a browser: whom to call, why, and with what.",
            Heading("Next"),
            Verbatim(
                [
                    f"  staypower check -c {self.config}",
                    f"  staypower explain -c {self.config} --account {riskiest}",
                    f"  staypower actions -c {self.config}",
                    f"  mlflow ui --backend-store-uri sqlite:///{Path('mlruns') / 'mlflow.db'}",
                ]
            ),
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "config": str(self.config),
            "ceiling_auroc": self.ceiling,
            "train": self.trained.to_dict(),
            "pictures": [str(path) for path in self.files],
            "score": self.scored.to_dict(),
            "actions": self.acted.to_dict(),
            "report": self.reported.to_dict(),
        }


def demo_config(data: str, out: str, mlruns: str, models: str) -> str:
    """Return the commented config of the demo for some folders.

    >>> demo_config("data", "out", "mlruns", "models").splitlines()[-1].strip()
    'folder: out'
    """
    text = files("staypower.pipelines").joinpath("demo.yaml").read_text(encoding="utf-8")
    for name, folder in (("DATA", data), ("OUT", out), ("MLRUNS", mlruns), ("MODELS", models)):
        text = text.replace(f"{{{name}}}", folder)
    return text


def demo(folder: str | Path = "demo", *, accounts: int = 3000, seed: int = 7, progress: Progress | None = None) -> DemoResult:
    """Simulate a company, then train, evaluate and score it, choose actions and write the report; as `staypower demo`.

    Parameters
    ----------
    folder : str or Path, default "demo"
        Where everything goes.
    accounts : int, default 3000
        How many accounts to simulate, at least 200.
    seed : int, default 7
        Seed of the simulation.
    progress : Progress, optional
        Announces the steps; quiet by default.

    Returns
    -------
    DemoResult

    Examples
    --------
    >>> import staypower
    >>> made = staypower.demo("demo", accounts=400)
    >>> made.config.as_posix()
    'demo/staypower.yaml'
    """
    require_number("accounts", accounts, least=200)
    require_number("seed", seed, least=0)
    folder, progress = output_from(folder) or Path("demo"), progress_from(progress)
    here = Path(os.path.relpath(Path.cwd(), folder.absolute())).as_posix()
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "staypower.yaml"
    config.write_text(demo_config("data", "out", f"{here}/mlruns", f"{here}/models"), encoding="utf-8")
    settings = load_config(config)
    with progress.step(f"simulating {accounts:,} accounts"):
        made = simulate_to(folder / "data", accounts=accounts, seed=seed, cutoffs=_test_cutoffs(settings))
    tables = read_tables(settings, progress=progress)
    trained = train(settings, tables, progress=progress)
    version = trained.registered.version
    drawn = trained.evaluation.write_pictures(settings.output_folder / "evaluation")
    scored = score(settings, tables, model=version, progress=progress)
    acted = actions(settings, tables, model=version, scores=scored, progress=progress)
    reported = report(settings, tables, model=version, progress=progress)
    ceiling = _ceiling(trained.dataset, pd.read_parquet(made["truth"]))
    return DemoResult(config, trained, scored, acted, reported, tuple(drawn), ceiling)


def _test_cutoffs(settings: Settings) -> list[int]:
    """Return the cutoffs that training will test at: there the simulator writes the true probabilities."""
    assert settings.observed_until is not None
    last, cutoffs = settings.label.outcome.last_mature(settings.observed_until), settings.cutoffs
    return [last - n * cutoffs.every * DAY for n in range(cutoffs.test_count)]


def _ceiling(dataset: Dataset, truth: pd.DataFrame) -> float:
    """Return the AUROC of the true probabilities on the test rows: no model can be expected to do better."""
    test = dataset.part("test")
    known = truth.assign(cutoff=truth["cutoff"].dt.as_unit("us"), account_id=truth["account_id"].astype(str))
    found = known.set_index(["account_id", "cutoff"])["churn_probability"].reindex(test.keys)
    return auroc(test.y, found.to_numpy(dtype=np.float64))
