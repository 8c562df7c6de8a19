import numpy as np
import pyarrow as pa
import pytest

from staypower.cutoffs import DAY, instant_of
from staypower.errors import UsageError
from staypower.labels.churn import find_horizon_labels, find_labels
from staypower.labels.settings import ContractualLabel, GivenLabel, NonContractualLabel
from staypower.schemas import SCHEMAS
from staypower.tables import Table, Tables

CUTOFF = instant_of("2025-01-01")
UNTIL = instant_of("2025-12-31")
LABEL = ContractualLabel(horizon=90, grace=30, involuntary=("payment",))
HORIZONS = (30, 90, 180)

# account: spells as (start, end, reason), in days from the cutoff; None is open
SPELLS = {
    "first_day": [(-100, 0, "price")],
    "day_29": [(-100, 29, "payment failed")],
    "day_30": [(-100, 30, "price")],
    "day_89": [(-100, 89, None)],
    "day_90": [(-100, 90, "price")],
    "day_179": [(-100, 179, "price")],
    "day_180": [(-100, 180, "price")],
    "back_in_time": [(-100, 10, "price"), (39, None, None)],
    "back_too_late": [(-100, 10, "price"), (41, None, None)],
    "stays": [(-100, None, None)],
    "gone_before": [(-100, -1, "price")],
}


def tables(until=UNTIL, spells=SPELLS):
    rows = [(name, *spell) for name, each in spells.items() for spell in each]
    at = [[None if row[n] is None else CUTOFF + row[n] * DAY for row in rows] for n in (1, 2)]
    subscriptions = pa.table(
        {
            "account_id": [row[0] for row in rows],
            "started_at": pa.array(at[0], pa.timestamp("us", "UTC")),
            "ended_at": pa.array(at[1], pa.timestamp("us", "UTC")),
            "end_reason": pa.array([row[3] for row in rows], pa.string()),
        }
    )
    accounts = pa.table({"account_id": list(spells)})
    named = {"accounts": accounts, "subscriptions": subscriptions}
    return Tables({name: Table(SCHEMAS[name], data) for name, data in named.items()}, until)


def found(label=LABEL, horizons=HORIZONS, cutoffs=(CUTOFF,), data=None, **given):
    return find_horizon_labels(data or tables(), label, np.array(cutoffs), horizons, **given)


def by_account(labels):
    return {name: labels.churned[:, n, 0].tolist() for n, name in enumerate(labels.population.accounts)}


def test_who_had_churned_within_each_horizon():
    assert by_account(found()) == {
        "first_day": [1, 1, 1],
        "day_29": [1, 1, 1],
        "day_30": [0, 1, 1],
        "day_89": [0, 1, 1],
        "day_90": [0, 0, 1],
        "day_179": [0, 0, 1],
        "day_180": [0, 0, 0],
        "back_in_time": [0, 0, 0],
        "back_too_late": [1, 1, 1],
        "stays": [0, 0, 0],
        "gone_before": [-1, -1, -1],
    }


def test_a_gap_moves_every_horizon():
    gapped = by_account(found(LABEL.model_copy(update={"gap": 30})))
    assert gapped["day_29"] == [-1, -1, -1]  # left inside the gap
    assert gapped["day_30"] == [1, 1, 1]
    assert gapped["day_89"] == [0, 1, 1]
    assert gapped["day_179"] == [0, 0, 1]
    assert gapped["day_180"] == [0, 0, 1]


def test_one_kind_alone():
    involuntary = by_account(found(LABEL.model_copy(update={"of": "involuntary"})))
    assert {name for name, labels in involuntary.items() if 1 in labels} == {"day_29"}


def test_each_horizon_is_what_its_own_label_would_be():
    for position, days in enumerate(HORIZONS):
        alone = find_labels(tables(), LABEL.model_copy(update={"horizon": days}), np.array([CUTOFF]))
        assert (found().churned[position] == alone.churned).all()
    assert (found().at(180) == found().churned[2]).all()
    assert found(horizons=[180, 30, 90, 30]).horizons == HORIZONS


def test_only_complete_outcomes_are_labelled():
    # 90 + 30 days of grace are complete to the microsecond, 180 + 30 are not
    until = CUTOFF + 120 * DAY
    labels = found(data=tables(until=until))
    assert by_account(labels)["day_30"] == [0, 1, -1]
    assert (found(data=tables(until=until - 1)).churned[1:] == -1).all()
    assert (found(known_until=until).churned == labels.churned).all()
    assert (found(data=tables(until=until), known_until=UNTIL).churned == labels.churned).all()


def test_each_cutoff_is_complete_on_its_own():
    later = CUTOFF + 30 * DAY
    labels = found(cutoffs=(CUTOFF, later), known_until=CUTOFF + 210 * DAY)
    row = labels.population.accounts.index("day_179")
    assert labels.churned[:, row].tolist() == [[0, 0], [0, 0], [1, -1]]
    row = labels.population.accounts.index("day_90")
    assert labels.churned[:, row].tolist() == [[0, 0], [0, 1], [1, -1]]


def test_nothing_that_happens_later_than_what_may_be_known_changes_a_label():
    until = CUTOFF + 120 * DAY
    cut = {
        name: [(start, None if end and end >= 120 else end, why) for start, end, why in each] for name, each in SPELLS.items()
    }
    assert (found(data=tables(spells=cut), known_until=until).churned == found(known_until=until).churned).all()


def test_who_churned_once_has_churned_ever_after():
    churned = found(horizons=range(1, 200, 7)).churned
    known = churned >= 0
    assert (np.diff(churned, axis=0)[known[1:] & known[:-1]] >= 0).all()


@pytest.mark.parametrize("label", [NonContractualLabel(), GivenLabel(flag="left")])
def test_labels_without_other_horizons_are_refused_with_the_reason(label):
    with pytest.raises(UsageError) as caught:
        found(label)
    assert label.no_other_horizons in str(caught.value)
    assert LABEL.no_other_horizons is None
    assert GivenLabel(dates="churn").no_other_horizons is None
