"""Who does not answer: by attitude, or only by what the tables show."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from staypower.simulation.company import Simulation, simulate

_CUTOFFS = [f"2024-{month:02d}-01" for month in range(1, 7)]
_START = pd.Timestamp("2023-01-01", tz="UTC")


def _invitations(company: Simulation) -> pd.DataFrame:
    """NPS invitations of the ten days after each cutoff, with the true attitude there and what usage showed."""
    surveys = company.tables["surveys"].to_pandas().query("instrument == 'nps'")
    usage = company.tables["usage"].select(["account_id", "at"]).to_pandas()
    usage["week"] = (usage["at"] - _START).dt.days // 7
    rows = usage.pivot_table(index="account_id", columns="week", values="at", aggfunc="size", fill_value=0)
    rows = rows.reindex(columns=range(80), fill_value=0).cumsum(axis=1)
    parts = []
    for cutoff in _CUTOFFS:
        moment = pd.Timestamp(cutoff, tz="UTC")
        truth = company.truth[company.truth["cutoff"] == moment].set_index("account_id")["attitude"]
        sent = surveys[surveys["sent_at"].between(moment, moment + pd.Timedelta(days=10))]
        part = sent.merge(truth, left_on="account_id", right_index=True)
        week = ((part["sent_at"] - _START).dt.days // 7).to_numpy()
        own = rows.reindex(part["account_id"]).fillna(0).to_numpy()
        at = np.arange(len(part))
        part["recent"] = own[at, week - 1] - own[at, week - 5]
        part["usual"] = (own[at, week - 1] - own[at, week - 27]) * 4 / 26
        parts.append(part)
    found = pd.concat(parts, ignore_index=True)
    found["answers"] = found["answered_at"].notna()
    return found


def _shown(rows: pd.DataFrame) -> pd.Series:
    change = np.clip(np.log((rows["recent"] + 2) / (rows["usual"] + 2)) / 0.5, -2, 1)
    return change + np.clip((np.log1p(rows["recent"]) - 3.0) / 1.2, -2, 1.5) / 2


def _difference(rows: pd.DataFrame, column: str) -> tuple[float, float]:
    """Return the mean of those who answer less that of those who do not, and its standard error."""
    yes, no = rows.loc[rows["answers"], column], rows.loc[~rows["answers"], column]
    return yes.mean() - no.mean(), float(np.sqrt(yes.var() / len(yes) + no.var() / len(no)))


def _unexplained(rows: pd.DataFrame) -> pd.Series:
    """Return the attitude less its mean among the invitations that usage shows alike."""
    alike = pd.qcut(_shown(rows).rank(method="first"), 25, labels=False)
    return rows["attitude"] - rows.groupby(alike)["attitude"].transform("mean")


@pytest.fixture(scope="module", params=["attitude", "features"])
def invitations(request: pytest.FixtureRequest) -> tuple[str, pd.DataFrame]:
    company = simulate(1792, months=20, seed=8, cutoffs=_CUTOFFS, copies=2, horizon=1, siblings=(), silence=request.param)
    return request.param, _invitations(company)


def test_the_unhappy_answer_less(invitations: tuple[str, pd.DataFrame]) -> None:
    _, rows = invitations
    assert 0.25 < rows["answers"].mean() < 0.55
    difference, error = _difference(rows, "attitude")
    assert difference > 4 * error


def test_given_what_usage_shows_only_attitude_silence_tells_more(invitations: tuple[str, pd.DataFrame]) -> None:
    silence, rows = invitations
    difference, error = _difference(rows.assign(left=_unexplained(rows)), "left")
    if silence == "attitude":
        assert difference > 8 * error
    else:
        assert abs(difference) < 3 * error


def test_answers_follow_the_attitude(invitations: tuple[str, pd.DataFrame]) -> None:
    _, rows = invitations
    answered = rows[rows["answers"]]
    assert answered["value"].between(0, 10).all()
    assert rows.loc[~rows["answers"], "value"].isna().all()
    assert answered["value"].corr(answered["attitude"]) > 0.75
