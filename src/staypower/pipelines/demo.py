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
from staypower.pipelines.actions import ActionsResult, run_actions
from staypower.pipelines.evaluate import EvaluateResult, run_evaluate
from staypower.pipelines.loading import load_tables, refuse_errors
from staypower.pipelines.report import ReportResult, run_report
from staypower.pipelines.score import ScoreResult, run_score
from staypower.pipelines.train import TrainResult, run_train
from staypower.progress import Progress
from staypower.scoring.scores import Scores
from staypower.simulation.company import simulate_to

__all__ = ["DemoResult", "demo_config", "run_demo"]


@dataclass(frozen=True)
class DemoResult:
    """What the demo made."""

    config: Path
    trained: TrainResult
    evaluated: EvaluateResult
    scored: ScoreResult
    acted: ActionsResult
    reported: ReportResult
    ceiling: float  # AUROC that the true probabilities reach at the test cutoffs

    def text(self) -> str:
        """Return the summary and the paths of what was made."""
        reached = self.trained.evaluation.metrics()["auroc"]
        lines = [
            self.trained.text(),
            "",
            f"AUROC {reached:.3f}; the simulator's true probabilities reach {self.ceiling:.3f} on the same rows",
            "",
            self.scored.text(),
            "",
            self.acted.brief(),
            "",
            "pictures:",
            *(f"  {path}" for path in self.evaluated.pictures),
            f"config: {self.config}",
            f"report: {self.reported.path} (open it in a browser: whom to call, why, and with what)",
            "",
            "next:",
            f"  staypower check -c {self.config}",
            f"  staypower explain -c {self.config} --account {self.scored.scores.watch_list(1)['account_id'].iloc[0]}",
            f"  staypower actions -c {self.config}",
            f"  mlflow ui --backend-store-uri sqlite:///{Path('mlruns') / 'mlflow.db'}",
        ]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "config": str(self.config),
            "ceiling_auroc": self.ceiling,
            "train": self.trained.to_dict(),
            "evaluate": self.evaluated.to_dict(),
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


def run_demo(*, folder: Path, accounts: int, seed: int, progress: Progress) -> DemoResult:
    """Simulate a company into a folder, then train, evaluate and score it, choose actions and write the report."""
    here = Path(os.path.relpath(Path.cwd(), folder.absolute())).as_posix()
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "staypower.yaml"
    config.write_text(demo_config("data", "out", f"{here}/mlruns", f"{here}/models"), encoding="utf-8")
    settings = load_config(config)
    with progress.step(f"simulating {accounts:,} accounts"):
        made = simulate_to(folder / "data", accounts=accounts, seed=seed, cutoffs=_test_cutoffs(settings))
    tables, findings = load_tables(settings, progress=progress)
    refuse_errors(findings)
    trained = run_train(settings, progress=progress, tables=tables)
    evaluated = run_evaluate(settings, progress=progress, model=trained.registered.version, tables=tables)
    scored = run_score(settings, progress=progress, model=trained.registered.version, tables=tables)
    version, scores = trained.registered.version, scored.scores
    made_before = scores if isinstance(scores, Scores) else None
    acted = run_actions(settings, progress=progress, model=version, tables=tables, scores=made_before)
    reported = run_report(settings, progress=progress, model=version, tables=tables)
    ceiling = _ceiling(trained.dataset, pd.read_parquet(made["truth"]))
    return DemoResult(config, trained, evaluated, scored, acted, reported, ceiling)


def _test_cutoffs(settings: Settings) -> list[int]:
    """Return the cutoffs that training will test at: there the simulator tells the truth."""
    assert settings.observed_until is not None
    last, cutoffs = settings.label.outcome.last_mature(settings.observed_until), settings.cutoffs
    return [last - n * cutoffs.every * DAY for n in range(cutoffs.test_count)]


def _ceiling(dataset: Dataset, truth: pd.DataFrame) -> float:
    """Return the AUROC of the true probabilities on the test rows: no model can be expected to do better."""
    test = dataset.rows("test")
    keys = pd.DataFrame({"account_id": dataset.matrix.accounts[test], "cutoff": dataset.matrix.cutoffs[test]})
    known = truth.assign(cutoff=truth["cutoff"].dt.as_unit("us").astype("int64"), account_id=truth["account_id"].astype(object))
    joined = keys.merge(known[["account_id", "cutoff", "churn_probability"]], how="left", on=["account_id", "cutoff"])
    return auroc(dataset.y[test], joined["churn_probability"].to_numpy(dtype=np.float64))
