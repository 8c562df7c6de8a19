"""A playbook file: complete, strict, every problem at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command_line import run

from staypower.actions.playbook import MEASURES, default_playbook_text
from staypower.config.loading import load_config
from staypower.config.playbooks import load_playbook, read_playbook
from staypower.errors import UsageError
from staypower.features.definition import LEVERS
from staypower.portfolio.settings import QUADRANTS

ROOT = Path(__file__).parents[3]
BASE = {
    "name": "acme",
    "tables": {"usage": {"source": "usage.csv", "account_id": "acct", "at": "when"}},
    "label": {"kind": "non_contractual", "table": "usage"},
}

WRONG = """\
pause: soon
actoins: {}
actions:
  call:
    lever: [suport, billing]
    quadrant: angry
    step: Call.
    owner: sales
    cost: -1
    effect: 0.1
  Mail it:
    lever: []
    quadrant: any
    step: Mail.
    owner: sales
    cost: "5"
    efect: 0.1
    conditions: {mood: {at_least: 1}, satisfaction: {}, asked_unanswered: {at_least: 3, below: 2}}
  both: {lever: any, quadrant: any, step: Do., owner: sales, cost: 1, effect: 0.1, value: 5}
"""


def settings_with(tmp_path: Path, **more: Any):
    return load_config({**BASE, **more}, root=tmp_path)


def test_the_example_is_the_packaged_playbook_and_covers_every_lever_and_quadrant() -> None:
    assert (ROOT / "configs" / "playbooks.yaml").read_text(encoding="utf-8") == default_playbook_text()
    playbook = read_playbook(ROOT / "configs" / "playbooks.yaml")
    levers = {lever for action in playbook.actions.values() for lever in action.lever}
    quadrants = {quadrant for action in playbook.actions.values() for quadrant in action.quadrant}
    assert levers == set(LEVERS)
    assert quadrants == set(QUADRANTS)
    assert {"involuntary_share", "features_no_longer_used", "asked_unanswered", "satisfaction"} <= set(playbook.measures)
    assert any(action.value is not None and action.quadrant == ("loyal",) for action in playbook.actions.values())


def test_every_problem_is_said_at_once_with_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(WRONG)
    with pytest.raises(UsageError) as refused:
        read_playbook(tmp_path / "p.yaml")
    said = {problem.value: problem for problem in refused.value.problems}
    text = str(refused.value)
    lever = said["`actions.call.lever.0` = 'suport' (p.yaml, line 5)"]
    assert lever.problem == "unknown lever"
    assert lever.fix == "write `support`; known are " + ", ".join(f"`{name}`" for name in LEVERS)
    quadrant = said["`actions.call.quadrant` = 'angry' (p.yaml, line 6)"]
    assert quadrant.fix == "known are " + ", ".join(f"`{name}`" for name in QUADRANTS)
    key = said["`actions.Mail it.efect` (p.yaml, line 17)"]
    assert key.fix.startswith("write `effect`; known are `lever`, `quadrant`")
    measure = said["`actions.Mail it.conditions.mood` = 'mood' (p.yaml, line 18)"]
    assert measure.problem == "unknown measure"
    assert all(f"`{name}`" in measure.fix for name in MEASURES)
    for part in (
        "unknown key: `actoins`", "not a whole number: `pause` = 'soon'", "too small: `actions.call.cost` = -1",
        "use small letters, digits and `_`: `mail_it`", "neither `any` nor a list of names",
        "not a number: `actions.Mail it.cost`",
        "no bound: `actions.Mail it.conditions.satisfaction`", "no value lies between these bounds",
        "both `effect` and `value`: `actions.both`",
    ):  # fmt: skip
        assert part in text, text


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{lever: any, quadrant: any, step: Do., owner: sales, cost: 1}", "neither `effect` nor `value`"),
        ("{lever: any, quadrant: any, step: Do., owner: sales, effect: 0.1}", "missing key: `actions.act.cost`"),
        ("{lever: any, quadrant: any, step: Do., owner: sales, cost: 1, effect: 1.5}", "too large: `actions.act.effect`"),
        ("{lever: any, quadrant: any, step: Do., owner: sales, cost: 1, effect: 0}", "too small: `actions.act.effect`"),
        ("{lever: [any, support], quadrant: any, step: Do., owner: sales, cost: 1, effect: 0.1}", "neither `any` nor a list"),
        ("call", "not a mapping: `actions.act` = 'call'"),
        ("{lever: any, lever: value, quadrant: any, step: Do., owner: sales, cost: 1, effect: 0.1}", "lever"),
    ],
)
def test_half_an_action_is_refused(tmp_path: Path, entry: str, problem: str) -> None:
    (tmp_path / "p.yaml").write_text(f"actions:\n  act: {entry}\n")
    with pytest.raises(UsageError, match=problem.replace("[", r"\[").replace("(", r"\(")):
        read_playbook(tmp_path / "p.yaml")


def test_a_path_starts_at_the_config_and_default_means_the_packaged_one(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "actions:\n  call: {lever: any, quadrant: any, step: Call., owner: sales, cost: 1, effect: 0.1}\n"
    )
    assert list(load_playbook(settings_with(tmp_path, playbook="mine.yaml")).actions) == ["call"]
    packaged = load_playbook(settings_with(tmp_path))
    assert "onboarding_help" in packaged.actions
    assert load_playbook(settings_with(tmp_path, playbook="default")) == packaged
    with pytest.raises(UsageError, match=r"playbook not found: .*nowhere\.yaml"):
        load_playbook(settings_with(tmp_path, playbook="nowhere.yaml"))


def test_capacity_of_an_owner_who_owns_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        load_playbook(settings_with(tmp_path, actions={"capacity": {"suport": 3, "support": 3, "zoo": 1}}))
    assert [problem.value for problem in refused.value.problems] == ["`actions.capacity.suport`", "`actions.capacity.zoo`"]
    assert refused.value.problems[0].fix.startswith("write `support`; the playbook's are `billing`, `automatic`")


@pytest.mark.parametrize(
    "actions",
    [{"holdout": 0.9}, {"holdout": -0.1}, {"capacity": {"support": -1}}, {"capacity": {"support": 1.5}}, {"seed": -1}],
)
def test_impossible_settings_are_refused(tmp_path: Path, actions: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"actions\."):
        settings_with(tmp_path, actions=actions)


def test_the_command_exits_with_2_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(WRONG)
    (tmp_path / "staypower.yaml").write_text(
        "name: acme\ntables: {usage: {source: usage.csv, account_id: acct, at: when}}\n"
        "label: {kind: non_contractual, table: usage}\nplaybook: p.yaml\n"
    )
    code, out, err = run("actions", "-c", str(tmp_path / "staypower.yaml"))
    assert (code, out) == (2, "")
    assert "unknown lever" in err
    assert "unknown quadrant" in err
    assert "Traceback" not in err
