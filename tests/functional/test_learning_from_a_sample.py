"""`staypower train` on a part of the accounts and of the rows that stayed: what it says, seals and corrects."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from command_line import run

from staypower.config.loading import load_config
from staypower.dataset import sampled_tables as pipeline
from staypower.dataset.building import build_dataset
from staypower.dataset.sampling import Sampling
from staypower.engines.opening import load_tables
from staypower.models.age import TWIN
from staypower.models.agreement import training_accounts
from staypower.models.bundle import read_bundle
from staypower.pipelines.preparing import open_to_train
from staypower.progress import Progress
from staypower.scoring.sealing import _reference

FAST = ("evaluation.bootstrap=20", "model.max_trees=60", "model.threads=1")
SAMPLE = ("sampling.accounts=0.7", "sampling.negatives=0.4", "sampling.seed=1", "capacity=40")
QUIET = Progress(quiet=True)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("sampled")


def words(place, *overrides):
    own = (f"tracking.folder={place}/mlruns", f"output.folder={place}/out", f"models_folder={place}/models")
    return [word for each in (*own, *FAST, *overrides) for word in ("--set", each)]


@pytest.fixture(scope="module")
def call(company, place):
    def command(name, *overrides, more=()):
        return run(name, "-c", str(company.config), "--quiet", "--json", *words(place, *overrides), *more)

    return command


@pytest.fixture(scope="module")
def settings(company, place):
    return load_config(company.config, [*words(place, *SAMPLE)[1::2]])


@pytest.fixture(scope="module")
def trained(call):
    code, out, err = call("train", *SAMPLE)
    assert code == 0, err
    return json.loads(out)


@pytest.fixture(scope="module")
def tables(settings):
    return load_tables(settings.sources, progress=QUIET)[0]


@pytest.fixture(scope="module")
def dataset(settings, tables):
    return build_dataset(
        tables,
        label=settings.label,
        features=settings.features,
        cutoffs=settings.cutoffs,
        sampling=Sampling.of(settings.sampling),
    )


@pytest.fixture(scope="module")
def bundle(trained):
    return read_bundle(Path(trained["bundle"]), digest=trained["digest"])


def test_the_sample_is_recorded_where_the_model_goes(trained, bundle, place):
    assert trained["sampling"] == {"accounts": 0.7, "negatives": 0.4, "seed": 1}
    assert bundle.metadata["sampling"] == trained["sampling"]
    assert bundle.metadata["risk_reference_share"] == 0.7
    assert "70.0% of the accounts; 40.0% of the rows of stayers, with the odds corrected; seed 1" in bundle.card
    notes = trained["evaluation"]["notes"]
    assert any("Tested on 70% of the accounts" in note for note in notes)
    assert any("Capacity: 28 of 40" in note for note in notes)
    recorded = [json.loads(path.read_text()) for path in (place / "mlruns").rglob("sampling.json")]
    assert trained["sampling"] in recorded


def test_base_rates_and_test_are_those_of_all_rows_of_the_accounts(trained, bundle, dataset, settings, tables):
    whole = build_dataset(
        Sampling(0.7, 1.0, 1).of_tables(tables),
        label=settings.label,
        features=settings.features,
        cutoffs=settings.cutoffs,
        between=True,
    )
    # the model that scores is trained on all labelled cutoffs, its level is that of the latest; the twin was evaluated
    assert bundle.metadata["base_rate"] == pytest.approx(whole.y.mean(), abs=1e-12)
    last = whole.where(whole.matrix.cutoffs == whole.plan.all[-1])
    said = bundle.predict(last.X[list(bundle.feature_names)], last.accounts).mean()
    assert bundle.metadata["calibrated_base_rate"] == pytest.approx(said, rel=0.25)
    assert bundle.secondary[TWIN].metadata["base_rate"] == whole.y[whole.rows("calibration")].mean()
    assert trained["evaluation"]["rows"] == whole.rows("test").sum()
    assert trained["evaluation"]["base_rate"]["value"] == pytest.approx(whole.y[whole.rows("test")].mean(), abs=1e-12)
    assert dataset.y[dataset.rows("training", "calibration")].mean() > 1.5 * bundle.metadata["base_rate"]


def test_the_sealed_probabilities_come_to_the_true_base_rate(bundle, settings, tables):
    """On all rows that stayed, those left out included; without the correction the odds would be 1 / 0.4 as high."""
    whole = build_dataset(tables, label=settings.label, features=settings.features, cutoffs=settings.cutoffs)
    rows = whole.rows("training", "calibration")
    X = whole.X.reindex(columns=list(bundle.feature_names))[rows]
    found = bundle.predict(X)
    assert found.mean() == pytest.approx(whole.y[rows].mean(), rel=0.15)
    odds = found / (1 - found) / 0.4
    assert (odds / (1 + odds)).mean() > 1.5 * whole.y[rows].mean()


def test_buckets_on_disk_give_the_same_model(call, trained, place):
    code, out, err = call("train", *SAMPLE, "engine.buckets=6")
    assert code == 0, err
    first, second = Path(trained["bundle"]), Path(json.loads(out)["bundle"])
    assert first != second
    names = {path.name for path in first.iterdir()} - {"card.md", "manifest.json", "metadata.json"}
    assert {"model.txt", "calibration.json", "learned.json", "companion_tier_above_0.txt"} <= names
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    assert not list((place / "out" / "cache").glob("learn-run-*")), "nothing unfinished is left"


def test_known_accounts_are_those_whose_rows_were_learned_from(call, trained, bundle, dataset, settings, tables):
    learned = dataset.rows("training", "calibration")
    twin = bundle.secondary[TWIN]
    assert training_accounts(bundle, twin, tables, settings.label) == set(dataset.matrix.accounts[learned])
    # a model of a sample can be evaluated on all accounts: most of the others it has never seen
    code, out, err = call("evaluate", "capacity=40", more=("--model", trained["version"]))
    assert code == 0, err
    found = json.loads(out)["evaluation"]
    groups = {group["name"]: group["accounts"] for group in found["groups"] if group["partition"] == "account"}
    whole = build_dataset(tables, label=settings.label, features=settings.features, cutoffs=settings.cutoffs)
    tested = set(whole.matrix.accounts[whole.rows("test")])
    assert found["accounts"] == len(tested) == sum(groups.values())
    assert len(tested & set(dataset.matrix.accounts[learned])) in groups.values()


def test_scores_use_the_corrected_odds_and_the_share_of_the_capacity(call, trained, bundle):
    code, out, err = call("score", "capacity=40", more=("--model", trained["version"]))
    assert code == 0, err
    scored = pd.read_parquet(json.loads(out)["path"])
    found = scored["churn_probability"].dropna()
    assert len(found) > 100
    assert found.mean() == pytest.approx(bundle.metadata["base_rate"], rel=0.6)
    bands = scored.loc[found.index, "churn_risk_band"]
    assert (bands == "high").tolist() == (found > 2 * bundle.metadata["base_rate"]).tolist()


def test_rows_are_kept_within_what_was_asked_for(company, place):
    for more in ((), ("engine.buckets=5",)):
        chosen = load_config(company.config, [*words(place, "sampling.rows=1500", *more)[1::2]])
        tables, sampling = open_to_train(chosen, progress=QUIET)
        made = build_dataset(tables, label=chosen.label, features=chosen.features, cutoffs=chosen.cutoffs, sampling=sampling)
        assert sampling.negatives < 1
        assert 1200 < len(made.y) <= 1600, sampling
        read = company_tables(chosen)
        assert sampling == pipeline.resolve_sampling(read, chosen.sampling, chosen.label, chosen.cutoffs)


def company_tables(chosen):
    return load_tables(chosen.sources, progress=QUIET)[0]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("sampling.accounts=0", "more than 0"),
        ("sampling.negatives=2", "`sampling.negatives` = 2"),
        ("sampling.negatives=0.001", "raise `sampling.negatives` to"),
        ("sampling.accounts=0.03", "raise `sampling.accounts` or `sampling.rows`"),
    ],
)
def test_a_sample_that_cannot_be_is_refused_without_a_traceback(call, override, said):
    code, _, err = call("train", override)
    assert code == 2, err
    assert said in err
    assert "Traceback" not in err


def test_the_reference_of_risk_is_made_of_rows_of_which_none_was_left_out():
    """Of a snapshot the test alone keeps every row: two of four labelled accounts, of half of all accounts."""
    made = SimpleNamespace(
        part=lambda *names: _Rows(np.array([0, 2]) if names == ("test",) else np.arange(3)),
        plan=SimpleNamespace(all=np.array([5]), split="snapshot"),
        sampling=Sampling(0.5, 0.25),
        labels=SimpleNamespace(churned=np.array([[1], [0], [0], [0], [-1]])),
    )
    scoring = SimpleNamespace(held_out=lambda rows: rows.numbers)
    rows, share = _reference(scoring, made, still_there=False)
    assert (rows.tolist(), share) == ([0, 2], 0.25)
    made.plan.split, made.labels.churned = "temporal", np.array([[1], [0], [0]])
    rows, share = _reference(scoring, made, still_there=False)
    assert (rows.tolist(), share) == ([0, 1, 2], 0.5)
    # accounts that trees of all rows left out: two where the sample, half of all, has three
    scoring.held_out = lambda _: np.array([0.1, 0.2])
    assert _reference(scoring, made, still_there=False)[1] == 0.5 * 2 / 3


class _Rows:
    """Rows of a data set at one cutoff, known by their numbers."""

    def __init__(self, numbers: np.ndarray) -> None:
        self.numbers, self.cutoffs = numbers, np.full(len(numbers), 5)

    def where(self, kept: np.ndarray) -> _Rows:
        return _Rows(self.numbers[kept])

    def __len__(self) -> int:
        return len(self.numbers)


def test_what_does_not_fit_is_refused_with_the_sample_that_would(company, place, monkeypatch, capsys):
    chosen = load_config(company.config, words(place)[1::2])
    monkeypatch.setattr(pipeline, "machine_memory", lambda: 16 * 10**9)
    monkeypatch.setattr(pipeline, "require_room", lambda *_: None)
    announce = pipeline.announcer(chosen.engine.memory_bytes, Progress(), Path("out"))
    announce(100_000, 200)
    assert capsys.readouterr().err == ""
    announce(1_000_000, 200)
    said = capsys.readouterr().err
    assert "`sampling: {rows: 410000}`" in said
    with pytest.raises(pipeline.UsageError) as refused:
        announce(50_000_000, 200)
    problem = refused.value.problems[0]
    assert "50,000,000 rows of 200 features: about 480.0GB; the machine has 16.0GB" in problem.value
    assert "`sampling: {rows: 410000}`" in problem.fix
    # whoever knows better may try
    more = load_config(company.config, [*words(place)[1::2], "engine.memory=600GB"])
    pipeline.announcer(more.engine.memory_bytes, Progress(), Path("out"))(50_000_000, 200)


def test_all_rows_to_grow_on_are_held_at_a_byte_a_number(monkeypatch, capsys):
    monkeypatch.setattr(pipeline, "machine_memory", lambda: 16 * 10**9)
    drawn = SimpleNamespace(
        labels=SimpleNamespace(churned=np.array([[0, 1, -1, 0]])),
        sampling=Sampling(3e-6),
        catalogue=SimpleNamespace(names=("x",) * 200),
        y=np.zeros(1000),
    )
    pipeline.require_held(drawn, 4 * 10**9, Progress())
    assert capsys.readouterr().err == ""
    drawn.sampling = Sampling(1e-7)
    pipeline.require_held(drawn, 4 * 10**9, Progress())
    said = capsys.readouterr().err
    assert "about 30,000,000 rows of 200 features, a byte for each number, beside the sample may take about 7.5GB" in said
    assert "`sampling: {grow_on: sample}` would keep within it" in said
    drawn.sampling = Sampling(1e-8)
    with pytest.raises(pipeline.UsageError, match=r"the machine has 16\.0GB"):
        pipeline.require_held(drawn, 4 * 10**9, Progress())


def test_every_file_that_is_not_there_is_named(call):
    code, _, err = call("train", "tables.usage.source=gone.csv", "tables.tickets.source=lost.csv", *SAMPLE)
    assert code == 2
    assert "gone.csv" in err
    assert "lost.csv" in err


def test_tables_that_do_not_fit_are_refused_before_they_are_read(company, place, monkeypatch):
    chosen = load_config(company.config, [*words(place)[1::2], "engine.memory=1GB"])
    monkeypatch.setattr(pipeline, "machine_memory", lambda: 16 * 10**9)
    monkeypatch.setattr(pipeline, "require_room", lambda *_: None)
    monkeypatch.setattr(pipeline, "load_of", lambda _: pipeline.Load(rows=10**9, accounts=50_000_000))
    monkeypatch.setattr(pipeline, "load_tables", lambda *_, **__: pytest.fail("they were read"))
    with pytest.raises(pipeline.UsageError) as refused:
        open_to_train(chosen, progress=QUIET)
    assert "about 80.0GB" in refused.value.problems[0].value
    assert "`sampling: {accounts: 0.01}`" in refused.value.problems[0].fix


def test_rows_left_out_weigh_again_where_tiers_are_learned(company, settings, dataset, tables, monkeypatch):
    """What a tier is learned from is weighed so that rows that stayed count as before; with no sample nothing is weighed."""
    from staypower.models import fitting
    from staypower.models.tier import LoyaltyTierClassifier

    given = {}

    def fit(self, X, y, *, cutoffs, accounts, sample_weight):
        given["weights"], given["keys"] = sample_weight, list(zip(accounts, cutoffs, strict=True))
        raise StopIteration

    monkeypatch.setattr(LoyaltyTierClassifier, "fit", fit)
    with pytest.raises(StopIteration):
        fitting._tier_to_fit(dataset, tables, settings.tier, settings.model)()
    place = {key: row for row, key in enumerate(zip(dataset.matrix.accounts, dataset.matrix.cutoffs, strict=True))}
    churned = np.array([dataset.y[place[key]] for key in given["keys"]]) == 1
    assert churned.any()
    assert given["weights"].tolist() == np.where(churned, 0.4, 1.0).tolist()
    whole = company.result.trained.dataset
    with pytest.raises(StopIteration):
        fitting._tier_to_fit(whole, tables, company.settings.tier, company.settings.model)()
    assert set(given["weights"]) == {1.0}
