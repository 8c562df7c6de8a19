"""Jobs side by side: in order, with the same results on any number of threads, never more threads than cores."""

from __future__ import annotations

import threading
import warnings
from contextlib import nullcontext

import lightgbm
import numpy as np
import pytest
from threadpoolctl import threadpool_info

from staypower.models import side_by_side as module
from staypower.models import trees
from staypower.models.binned import BinnedFeatures
from staypower.models.churn import ChurnClassifier
from staypower.models.side_by_side import begun, one_blas_thread, side_by_side, stop_where_asked
from staypower.models.trees import raw_scores_of

PARAMETERS = {"objective": "binary", "seed": 0, "verbosity": -1, "feature_pre_filter": False, "min_data_in_leaf": 5}


def test_results_come_in_the_order_of_the_jobs():
    gate = threading.Barrier(2, timeout=10)
    jobs = [lambda number=number: (gate.wait() if number < 2 else None, number)[1] for number in range(6)]
    if module.cores() < 2:
        pytest.skip("one core: the first two jobs would wait for each other")
    assert side_by_side(jobs) == list(range(6))


def test_one_thread_takes_them_one_by_one():
    seen = []
    side_by_side([lambda number=number: seen.append((number, threading.get_ident())) for number in range(5)], threads=1)
    assert seen == [(number, threading.get_ident()) for number in range(5)]


def test_jobs_that_start_jobs_have_no_more_threads_than_cores(monkeypatch):
    monkeypatch.setattr(module, "cores", lambda: 3)
    monkeypatch.setattr(module, "_free", threading.Semaphore(2))
    running, most, lock = [0], [0], threading.Lock()

    def work() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        threading.Event().wait(0.02)
        with lock:
            running[0] -= 1

    side_by_side([lambda: side_by_side([work] * 4) for _ in range(4)])
    assert 1 < most[0] <= 3
    assert module._free.acquire(blocking=False)
    assert module._free.acquire(blocking=False)
    assert not module._free.acquire(blocking=False)


def test_the_first_error_is_raised_and_nothing_else_is_begun():
    begun = []

    def fail() -> None:
        raise ValueError("of the first")

    with pytest.raises(ValueError, match="of the first"):
        side_by_side([fail, lambda: begun.append(1), lambda: begun.append(2)], threads=1)
    assert not begun


def test_jobs_begin_beside_the_block_and_are_finished_with_it(monkeypatch):
    monkeypatch.setattr(module, "cores", lambda: 2)
    monkeypatch.setattr(module, "_free", threading.Semaphore(1))
    began, go, where = threading.Event(), threading.Event(), {}

    def job(number: int) -> int:
        where[number] = threading.get_ident()
        began.set()
        assert go.wait(10)
        return number

    with begun([lambda number=number: job(number) for number in range(3)]) as results:
        assert began.wait(10)
        assert where.keys() == {0}
        assert module.at_most(0) == module.at_most(2) == 1, "another job runs"
        go.set()
        assert results() == [0, 1, 2]
    assert where[0] != threading.get_ident()
    assert module.at_most(0) == module.at_most(2) == 2


@pytest.mark.parametrize("alone", [True, False])
def test_without_another_core_jobs_run_when_they_are_to_be_finished(monkeypatch, alone):
    monkeypatch.setattr(module, "_free", threading.Semaphore(5 if alone else 0))
    seen = []
    with begun([lambda: seen.append(threading.get_ident())] * 2, alone=alone) as results:
        threading.Event().wait(0.05)
        assert not seen
        results()
    assert seen == [threading.get_ident()] * 2


def test_a_block_that_fails_begins_no_more_jobs_and_waits_for_the_one_that_runs(monkeypatch):
    monkeypatch.setattr(module, "_free", threading.Semaphore(1))
    began, done = threading.Event(), []

    def slow() -> None:
        began.set()
        threading.Event().wait(0.1)
        done.append("slow")

    def fail() -> None:
        with begun([slow, lambda: done.append("next")]):
            assert began.wait(10)
            raise ValueError("of the block")

    with pytest.raises(ValueError, match="of the block"):
        fail()
    assert done == ["slow"]
    assert module._free.acquire(blocking=False)


def test_jobs_that_run_beside_one_that_fails_end_with_their_next_tree(monkeypatch):
    monkeypatch.setattr(module, "cores", lambda: 3)
    monkeypatch.setattr(module, "_free", threading.Semaphore(2))
    running, trees = threading.Barrier(3, timeout=10), []

    def grow() -> None:
        running.wait()
        while len(trees) < 1_000:
            stop_where_asked()
            trees.append(threading.Event().wait(0.02))

    def fail() -> None:
        running.wait()
        raise KeyboardInterrupt

    # what fails stands beside a job that has jobs of its own, and after the one that is stopped
    with pytest.raises(KeyboardInterrupt):
        side_by_side([lambda: side_by_side([grow, grow]), fail])
    assert len(trees) < 100
    stop_where_asked()


def test_a_model_is_not_grown_to_its_end_beside_a_block_that_fails(monkeypatch, make_history):
    monkeypatch.setattr(module, "_free", threading.Semaphore(1))
    history, began, grown = make_history(accounts=100, cutoffs=4), threading.Event(), []

    def fit() -> None:
        began.set()
        ChurnClassifier(n_jobs=1, split="grouped", max_trees=4_000, patience=4_000).fit(history.X, history.y)
        grown.append("to its end")

    def fail() -> None:
        with begun([fit]):
            assert began.wait(10)
            raise ValueError("of the block")

    with pytest.raises(ValueError, match="of the block"):
        fail()
    assert not grown


def test_the_error_of_a_job_that_was_begun_is_raised_where_it_is_finished(monkeypatch):
    monkeypatch.setattr(module, "_free", threading.Semaphore(1))

    def fail() -> None:
        raise ValueError("of the job")

    with begun([fail, fail]) as results, pytest.raises(ValueError, match="of the job"):
        results()


def test_warning_filters_are_put_back_whatever_jobs_do_to_them(monkeypatch):
    monkeypatch.setattr(module, "_free", threading.Semaphore(1))
    before = list(warnings.filters)
    with begun([lambda: warnings.simplefilter("error", ResourceWarning)]) as results:
        results()
    assert warnings.filters == before


def test_a_thread_that_waits_lends_its_core(monkeypatch):
    monkeypatch.setattr(module, "cores", lambda: 2)
    monkeypatch.setattr(module, "_free", threading.Semaphore(1))
    gate, began = threading.Barrier(2, timeout=10), threading.Event()

    def two_that_meet() -> None:
        began.set()
        threading.Event().wait(0.1)  # until the other thread waits for this one
        side_by_side([gate.wait, gate.wait])

    with begun([two_that_meet]) as results:
        assert began.wait(10)
        results()
    assert module._free.acquire(blocking=False)
    assert not module._free.acquire(blocking=False)


def test_lightgbm_is_told_one_number_of_threads_whatever_runs_beside(monkeypatch, make_history):
    """It keeps the number in one variable of the process, and sizes by it what it works in."""
    monkeypatch.setattr(module, "cores", lambda: 4)
    monkeypatch.setattr(module, "_free", threading.Semaphore(3))
    monkeypatch.setattr(trees, "_WORTH_SHARING", 0)
    history, told, written = make_history(accounts=200, cutoffs=4), set(), lightgbm.basic._param_dict_to_str

    def noted(parameters: dict | None) -> str:
        told.update((bool(module._helping), parameters[name]) for name in ("num_threads", "n_jobs") if name in parameters or {})
        return written(parameters)

    monkeypatch.setattr(lightgbm.basic, "_param_dict_to_str", noted)

    def fit(threads: int | None) -> np.ndarray:
        model = ChurnClassifier(n_jobs=threads, split="grouped", max_trees=20)
        model.fit(history.X, history.y)
        return raw_scores_of(model.booster_, history.X.to_numpy(dtype=np.float64), threads=threads)

    fit(None)
    with begun([lambda: fit(None), lambda: fit(3)]) as results:
        fit(2)
        results()
    fit(3)
    assert {number for beside, number in told if beside} == {1}
    # a number found while a job ran beside may be told just after it ended
    assert {3, 4} <= {number for beside, number in told if not beside} <= {1, 2, 3, 4}


def blas_threads() -> set[int]:
    return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}


@pytest.mark.parametrize("margin", [True, False])
def test_a_model_has_the_same_bytes_however_many_trainings_stand_side_by_side(make_history, margin):
    history = make_history(accounts=400, cutoffs=6)
    accounts, fitted, before = history.accounts, [], blas_threads()
    for threads in (1, 3, None):
        model = ChurnClassifier(n_jobs=threads, margin=margin, max_trees=60)
        fitted.append(model.fit(history.X, history.y, accounts=accounts, cutoffs=history.cutoffs).to_bundle().files())
    assert fitted[0] == fitted[1] == fitted[2]
    assert blas_threads() == before, "a training leaves the process as it was"


def test_taken_rows_have_the_bins_of_all_rows():
    rng = np.random.default_rng(0)
    values, labels = rng.normal(size=(400, 3)), (np.arange(400) % 2).astype(np.int8)
    values[:, 2], chosen = np.arange(400) % 5, np.arange(400) % 3 > 0
    whole = BinnedFeatures(values)
    part = whole.take(chosen).take(np.arange(100, dtype=np.int64))
    assert (part.matrix == values[chosen][:100]).all()
    assert part.size == 300
    made = part.dataset(labels[chosen][:100], None, None, categorical=(2,), parameters=PARAMETERS)
    again = whole.take(chosen).dataset(labels[chosen], None, None, categorical=(2,), parameters=PARAMETERS)
    assert made.num_data() == 100
    assert [made.feature_num_bin(at) for at in range(3)] == [again.feature_num_bin(at) for at in range(3)]
    assert (made.get_label() == labels[chosen][:100]).all()


def test_rows_out_of_order_are_refused():
    whole = BinnedFeatures(np.zeros((4, 1)))
    with pytest.raises(ValueError, match="in their order"):
        whole.take(np.array([2, 1])).dataset(np.zeros(2, dtype=np.int8), None, None, categorical=(), parameters=PARAMETERS)


def test_steps_that_are_larger_stand_for_more_trees(make_history):
    history = make_history(accounts=300, cutoffs=4)
    fitted = ChurnClassifier(n_jobs=1).fit(history.X, history.y, accounts=history.accounts, cutoffs=history.cutoffs)
    grower = fitted._grower
    quick = grower.hastened()
    assert quick.shape.learning_rate == pytest.approx(grower.haste * grower.shape.learning_rate)
    assert quick.max_trees == round(grower.max_trees / grower.haste)
    assert grower.trees_for(10, of=quick) == round(10 * grower.haste)
    assert quick.trees_for(grower.trees_for(10, of=quick), of=grower) == 10


@pytest.mark.parametrize("ends_first", ["the first", "the second"])
def test_a_job_that_ends_leaves_the_blas_limit_to_the_one_beside_it(ends_first):
    before = blas_threads()
    if before == {1}:
        pytest.skip("one core: there is no limit to lift")
    began, end, ended = threading.Event(), threading.Event(), threading.Event()

    def beside() -> None:
        with one_blas_thread():
            began.set()
            end.wait(10)
        ended.set()

    thread = threading.Thread(target=beside, daemon=True)
    with one_blas_thread() if ends_first == "the second" else nullcontext():
        thread.start()
        assert began.wait(10)
        with one_blas_thread() if ends_first == "the first" else nullcontext():
            assert blas_threads() == {1}
            end.set()
            assert ended.wait(10)
            assert blas_threads() == {1}
    thread.join(10)
    assert blas_threads() == before
