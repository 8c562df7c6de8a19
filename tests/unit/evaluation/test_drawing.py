import sys
from dataclasses import replace

import numpy as np
import pytest

from staypower.evaluation import drawing
from staypower.evaluation.assessment import evaluate
from staypower.evaluation.settings import CostSettings
from staypower.results.pictures import Picture

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def evaluation():
    rng = np.random.default_rng(2)
    p = rng.random(300) ** 2
    y = (rng.random(300) < p).astype(int)
    return evaluate(
        y,
        {"model": p, "_rule $x$": np.round(p * 5)},
        accounts=np.arange(300),
        cutoffs=np.zeros(300, dtype=int),
        split="snapshot",
        probability={"model"},
        costs=CostSettings(clv=1200, incentive=60, contact=10),
        bootstrap=30,
    )


def texts(figure):
    found = [figure._suptitle.get_text()]
    for axes in figure.axes:
        found += [axes.get_xlabel(), axes.get_ylabel(), *(label.get_text() for label in axes.get_yticklabels())]
        found += [text.get_text() for text in (axes.get_legend().get_texts() if axes.get_legend() else [])]
    return found


def test_every_picture_is_written_and_nothing_else(evaluation, tmp_path):
    paths = replace(evaluation, importance={"days_since_use": 2.0, "静か": 1.0}).write_pictures(tmp_path / "new" / "plots")
    names = ["lift_and_gain", "precision_recall", "roc", "reliability", "profit", "importance"]
    assert [path.name for path in paths] == [f"{name}.png" for name in names]
    assert all(path.read_bytes().startswith(PNG) for path in paths)
    assert sorted((tmp_path / "new" / "plots").iterdir()) == sorted(paths)


def test_same_evaluation_same_bytes(evaluation, tmp_path):
    first, again = (replace(evaluation).write_pictures(tmp_path / name) for name in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]


def test_pictures_are_drawn_once_however_often_they_are_written(evaluation, tmp_path, monkeypatch):
    fresh = replace(evaluation)
    first = fresh.write_pictures(tmp_path / "a")
    monkeypatch.setattr(Picture, "savefig", lambda *_, **__: pytest.fail("drawn again"))
    again = fresh.write_pictures(tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]


def test_no_global_state_is_touched(evaluation, tmp_path):
    evaluation.write_pictures(tmp_path)
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


@pytest.mark.parametrize(
    "draw", [drawing._precision_recall, drawing._roc, drawing._lift_and_gain, drawing._reliability, drawing._profit]
)
def test_titles_name_the_split_and_axes_are_labelled(evaluation, draw):
    figure = draw(evaluation)
    assert "snapshot (not a temporal test)" in figure._suptitle.get_text()
    assert all(axes.get_xlabel() and axes.get_ylabel() for axes in figure.axes)


def test_legends_give_each_score_its_figure(evaluation):
    shown = " ".join(texts(drawing._roc(evaluation)))
    for name in ("model", "_rule $x$"):
        assert f"{name.lstrip('_')} ({evaluation.scorers[name]['auroc'].value:.3f})" in shown


def test_curves_end_where_everybody_is_contacted(evaluation):
    for draw in (drawing._roc, drawing._lift_and_gain):
        line = draw(evaluation).axes[0].lines[0]
        assert (line.get_xdata()[0], line.get_ydata()[0]) == (0, 0)
        assert (line.get_xdata()[-1], line.get_ydata()[-1]) == (1, 1)
    lift = drawing._lift_and_gain(evaluation).axes[1].lines[0]
    at = int(np.argmin(np.abs(lift.get_xdata() - 0.1)))
    assert lift.get_ydata()[at] == pytest.approx(evaluation.metrics()["lift_10"], rel=0.05)


def test_importance_shows_the_largest_first_and_cuts_long_names(evaluation):
    given = {f"feature_{at}": float(at) for at in range(30)} | {"x" * 400: 99.0}
    figure = drawing._importance(replace(evaluation, importance=given))
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert len(labels) == 20
    assert labels[-1].startswith("xxx")
    assert labels[-2] == "feature_29"
    assert max(map(len, labels)) < 50
    assert "largest 20 of 31" in figure.axes[0].get_xlabel()


def test_one_class_leaves_out_what_cannot_be_drawn(tmp_path):
    risk = {"model": np.linspace(0, 0.4, 40)}
    found = evaluate(
        np.zeros(40), risk, accounts=range(40), cutoffs=[0] * 40, split="temporal", probability={"model"}, bootstrap=0
    )
    assert [path.name for path in found.write_pictures(tmp_path)] == ["reliability.png", "profit.png"]


def test_groups_are_drawn_when_there_are_any_the_worst_slice_apart(tmp_path):
    rng = np.random.default_rng(4)
    p = rng.random(400)
    y = (rng.random(400) < p).astype(int)
    plan = np.array(["basic", "legacy"], dtype=object)[np.arange(400) % 2]
    score = np.where(plan == "legacy", rng.random(400), p)
    found = evaluate(
        y, {"model": score}, accounts=np.arange(400), cutoffs=np.zeros(400, dtype=int), split="temporal",
        segments={"plan": plan}, bootstrap=30,
    )  # fmt: skip
    assert "slices.png" in [path.name for path in found.write_pictures(tmp_path)]
    axes = drawing._slices(found).axes[0]
    marks = {label.get_text(): line.get_marker() for label, line in zip(axes.get_yticklabels(), axes.get_lines(), strict=False)}
    assert marks == {"plan legacy (200)": "D", "plan basic (200)": "o"}
