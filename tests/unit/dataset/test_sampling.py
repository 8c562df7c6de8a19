"""Fewer accounts and fewer rows that stayed: which are taken, what is never touched, and what too small a sample is told."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from staypower import load_config
from staypower.cutoffs import DAY, instant_of, text_of
from staypower.dataset.building import build_dataset
from staypower.dataset.cutoff_plan import begin_of_history, count_rows, is_test_account, rolling_plans
from staypower.dataset.folds import build_folds
from staypower.dataset.sampling import Sampling
from staypower.dataset.settings import CutoffSettings, SamplingSettings
from staypower.errors import UsageError
from staypower.features.settings import FeatureSettings
from staypower.labels.churn import find_labels
from staypower.labels.settings import ContractualLabel, GivenLabel
from staypower.schemas import SCHEMAS
from staypower.tables import Table, Tables

TIME = pa.timestamp("us", "UTC")
START, UNTIL = instant_of("2023-01-01"), instant_of("2024-12-31")
N = 200
LABEL = ContractualLabel(horizon=60, grace=10)
FEATURES = FeatureSettings(windows=(28, 90), top_events=0)
HALF, FEW = Sampling(negatives=0.5), Sampling(accounts=0.5, negatives=0.25)


def times(days: list[float | None]) -> pa.Array:
    return pa.array([None if day is None else round(START + day * DAY) for day in days], pa.int64()).cast(TIME)


@pytest.fixture(scope="module")
def tables() -> Tables:
    """Two hundred accounts seen every four weeks until they leave; every third leaves on a day of its own."""
    ids = [f"a{n:03d}" for n in range(N)]
    left = [200 + 2.4 * n if n % 3 == 0 else None for n in range(N)]
    accounts = {"account_id": ids, "signed_up_at": times([0.0] * N), "left": [str(end is not None) for end in left]}
    contracts = {"account_id": ids, "started_at": times([0.0] * N), "ended_at": times(left)}
    uses = [(ids[n], day + n % 7) for n in range(N) for day in range(0, 720, 28) if left[n] is None or day < left[n]]
    usage = {"account_id": [account for account, _ in uses], "at": times([float(day) for _, day in uses])}
    return Tables(
        {
            "accounts": Table(SCHEMAS["accounts"], pa.table(accounts), fixed=frozenset({"left"})),
            "subscriptions": Table(SCHEMAS["subscriptions"], pa.table(contracts)),
            "usage": Table(SCHEMAS["usage"], pa.table(usage)),
        },
        UNTIL,
    )


def made(tables, sampling=None, label=LABEL, **options):
    given = {} if sampling is None else {"sampling": sampling}
    return build_dataset(tables, label=label, features=FEATURES, cutoffs=CutoffSettings(), **given, **options)


def keys(dataset, rows):
    return set(zip(dataset.matrix.accounts[rows], dataset.matrix.cutoffs[rows], strict=True))


@pytest.fixture(scope="module")
def full(tables):
    return made(tables)


def test_the_same_accounts_and_rows_are_drawn_by_any_version():
    """The numbers that stand here were drawn once: another hash would let a model know other accounts than its bundle says."""
    ids = np.array([f"a{n}" for n in range(12)], dtype=object)
    sampling = Sampling(0.5, 0.5, seed=3)
    assert "".join(str(int(kept)) for kept in sampling.holds(pa.chunked_array([ids.tolist()]))) == "100000100111"
    assert "".join(str(int(kept)) for kept in sampling.draws(ids, np.arange(12) * 30 * DAY)) == "110101010010"


@pytest.mark.parametrize("name", ["{}", "c{:08d}", "{:032x}"])
@pytest.mark.parametrize("share", [0.5, 0.1])
def test_ids_in_a_row_are_drawn_evenly_and_rows_apart_from_accounts(name, share):
    n = 40_000
    ids = np.array([name.format(number) for number in range(n)], dtype=object)
    sampling = Sampling(share, share)
    held = sampling.holds(pa.chunked_array([ids.tolist()]))
    first, second = (sampling.draws(ids, np.full(n, instant_of(day))) for day in ("2024-01-01", "2024-01-31"))

    def wide(mask, expected):
        return abs(mask.mean() - expected) < 4.5 * np.sqrt(expected * (1 - expected) / len(mask))

    assert all(wide(mask, share) for mask in (held, first, second, first[held], second[first], held[: n // 4]))
    assert wide(first & second, share**2)
    assert wide(held & Sampling(share, seed=1).holds(pa.chunked_array([ids.tolist()])), share**2)


def test_every_row_that_churned_is_kept_and_the_share_of_those_that_stayed(tables, full):
    half = made(tables, HALF)
    learned, before = half.rows("training", "calibration"), full.rows("training", "calibration")
    assert keys(half, learned & (half.y == 1)) == keys(full, before & (full.y == 1))
    assert keys(half, learned & (half.y == 0)) < keys(full, before & (full.y == 0))
    assert 0.4 < (learned & (half.y == 0)).sum() / (before & (full.y == 0)).sum() < 0.6
    assert half.labels.churned.tobytes() == full.labels.churned.tobytes(), (
        "who was in the population is still told of everybody"
    )


def test_the_test_keeps_every_row(tables, full):
    half = made(tables, HALF)
    assert keys(half, half.rows("test")) == keys(full, full.rows("test"))
    few = made(tables, FEW)
    held = FEW.holds(pa.chunked_array([full.matrix.accounts.tolist()]))
    assert keys(few, few.rows("test")) == keys(full, full.rows("test") & held)
    assert keys(few, few.rows("training") & (few.y == 1)) == keys(full, full.rows("training") & (full.y == 1) & held)


def test_rows_have_the_features_they_had(tables, full):
    half = made(tables, HALF)
    place = {key: row for row, key in enumerate(zip(full.matrix.accounts, full.matrix.cutoffs, strict=True))}
    rows = [place[key] for key in zip(half.matrix.accounts, half.matrix.cutoffs, strict=True)]
    assert list(half.X) == list(full.X)
    assert np.array_equal(half.X.to_numpy(), full.X.to_numpy()[rows], equal_nan=True)
    assert half.y.tolist() == full.y[rows].tolist()


def test_the_base_rate_is_that_of_all_rows(tables, full):
    half = made(tables, HALF)
    for parts in (("training",), ("calibration",), ("training", "calibration"), ("test",)):
        assert half.base_rate(*parts) == full.base_rate(*parts) == full.y[full.rows(*parts)].mean()
    learned = half.rows("training", "calibration")
    assert half.y[learned].mean() > 1.4 * half.base_rate("training", "calibration")


def test_weights_and_drawn_rows_stand_for_all_rows(tables, full):
    half = made(tables, HALF)
    learned, true = half.rows("training", "calibration"), full.base_rate("training", "calibration")
    assert full.weights is None
    assert full.drawn.all()
    assert set(half.weights[learned & (half.y == 1)]) == {0.5}
    assert set(half.weights[learned & (half.y == 0)]) | set(half.weights[half.rows("test")]) == {1.0}
    assert np.average(half.y[learned], weights=half.weights[learned]) == pytest.approx(true, rel=0.1)
    assert half.drawn[learned & (half.y == 0)].all(), "a row that stayed is there because it was drawn"
    assert half.y[learned & half.drawn].mean() == pytest.approx(true, rel=0.25)
    assert half.drawn[half.rows("test")].all()


def test_the_share_that_is_kept_is_counted(tables, full):
    half = made(tables, HALF)
    for parts in (("training",), ("calibration",), ("training", "calibration")):
        here, before = ((each.rows(*parts) & (each.y == 0)).sum() for each in (half, full))
        assert half.stayers_kept(*parts) == here / before != 0.5
        # odds times this share is the true odds
        churned = (half.rows(*parts) & (half.y == 1)).sum()
        true = full.base_rate(*parts)
        assert churned / here * half.stayers_kept(*parts) == pytest.approx(true / (1 - true))
    assert full.stayers_kept("training") == half.stayers_kept("test") == 1.0


def test_a_snapshot_tests_everybody_it_tested(tables):
    label = GivenLabel(flag="left", at=text_of(UNTIL - 10 * DAY))
    few = made(tables, Sampling(negatives=0.3), label)
    tested = [is_test_account(account) for account in few.matrix.accounts]
    assert few.rows("test").tolist() == tested
    assert sum(tested) == sum(is_test_account(f"a{n:03d}") for n in range(N))
    assert few.y[few.rows("training")].sum() == sum(not is_test_account(f"a{n:03d}") for n in range(0, N, 3))
    assert few.base_rate("training") == made(tables, None, label).y[~np.array(made(tables, None, label).rows("test"))].mean()


def test_folds_leave_out_the_same_rows(tables):
    first = begin_of_history(tables)
    plans = rolling_plans(CutoffSettings(), LABEL.outcome, first=first, observed_until=UNTIL, folds=2)
    options = {"label": LABEL, "features": FEATURES}
    for whole, few in zip(
        build_folds(tables, plans, **options), build_folds(tables, plans, **options, sampling=HALF), strict=True
    ):
        kept = whole.rows("test") | (whole.y == 1) | HALF.draws(whole.matrix.accounts, whole.matrix.cutoffs)
        assert keys(few, np.ones(len(few.y), dtype=bool)) == keys(whole, kept)
        assert few.base_rate("training", "calibration") == whole.base_rate("training", "calibration")
        assert np.array_equal(few.X[list(whole.X)].to_numpy(), whole.X.to_numpy()[kept], equal_nan=True)


def test_shares_follow_from_the_rows_wanted(tables, full):
    labels = find_labels(tables, LABEL, full.plan.all)
    churned, stayed, tested = count_rows(labels, full.plan)
    assert churned + stayed + tested == len(full.y)
    assert churned == full.y[full.rows("training", "calibration")].sum()
    assert tested == full.rows("test").sum()
    for rows, left_out in ((len(full.y), "nothing"), (2_100, "rows"), (600, "accounts")):
        sampling = Sampling.within(rows, churned=churned, stayed=stayed, tested=tested)
        few = made(tables, sampling)
        assert len(few.y) <= 1.1 * rows, (sampling, len(few.y))
        assert len(few.y) >= 0.8 * rows
        assert (sampling.negatives < 1, sampling.accounts < 1) == (left_out != "nothing", left_out == "accounts")


def test_rows_that_stayed_go_before_accounts_but_not_all_of_them():
    """500 churned, 9,000 stayed, 1,000 tested: 5,000 rows leave (5,000 - 1,500) / 9,000 of those that stayed."""
    some = Sampling.within(5_000, churned=500, stayed=9_000, tested=1_000)
    assert (some.accounts, some.negatives) == (1.0, 0.388)
    # 500 of 9,000 stay in any case; then 500 + 0.0555 x 9,000 + 1,000 rows are twice too many
    fewer = Sampling.within(1_000, churned=500, stayed=9_000, tested=1_000)
    assert (fewer.accounts, fewer.negatives) == (0.5, 0.0555)
    # where as many churn as stay, nothing is gained by leaving out one side
    even = Sampling.within(1_000, churned=900, stayed=900, tested=200)
    assert (even.accounts, even.negatives) == (0.5, 1.0)


@pytest.mark.parametrize(
    ("sampling", "value", "fix"),
    [
        (Sampling(negatives=0.001), "at `sampling.negatives` 0.001", "raise `sampling.negatives` to"),
        (Sampling(accounts=0.1), "churners and", "raise `sampling.accounts` or `sampling.rows`"),
    ],
)
def test_too_small_a_sample_is_refused_with_what_to_raise(tables, sampling, value, fix):
    with pytest.raises(UsageError) as refused:
        made(tables, sampling, need=("training",), least_churners=100)
    assert value in refused.value.problems[0].value
    assert fix in refused.value.problems[0].fix


def test_a_sample_is_not_blamed_for_what_was_never_there(tables):
    with pytest.raises(UsageError) as refused:
        made(tables, HALF, need=("training",), least_churners=10_000)
    assert "sampling" not in str(refused.value)


def test_rows_are_announced_before_they_are_built(tables, full):
    told = []

    def refuse(rows, features):
        told.append((rows, features))
        raise UsageError.of("too much", "rows", "take fewer")

    with pytest.raises(UsageError, match="too much"):
        made(tables, announce=refuse)
    assert told[0][0] == len(full.y)
    assert told[0][1] >= full.X.shape[1]


CONFIG = {"name": "acme", "tables": {"usage": {"source": "u.csv"}}, "label": {"kind": "non_contractual", "table": "usage"}}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"accounts": 0}, ("`sampling.accounts` = 0", "more than 0")),
        ({"accounts": 1.5}, ("`sampling.accounts` = 1.5", "1")),
        ({"negatives": -0.1}, ("`sampling.negatives` = -0.1", "more than 0")),
        ({"negatives": "half"}, ("`sampling.negatives` = 'half'", "number")),
        ({"rows": 10}, ("`sampling.rows` = 10", "1000")),
        ({"rows": 5000, "negatives": 0.5}, ("`rows` and `negatives` are both given", "give `rows` alone")),
        ({"negative": 0.5}, ("`sampling.negative`", "write `negatives`")),
    ],
)
def test_problems_of_the_settings_are_named_with_their_fix(given, said):
    with pytest.raises(UsageError) as refused:
        load_config({**CONFIG, "sampling": given})
    assert all(part in str(refused.value) for part in said), str(refused.value)


def test_everything_is_learned_from_by_default():
    assert load_config(CONFIG).sampling == SamplingSettings()
    assert not Sampling.of(SamplingSettings()).is_on
