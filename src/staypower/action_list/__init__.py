"""The action list: whom to act on, how, and what it was worth before."""

from __future__ import annotations

from staypower.action_list.choosing import choose_actions
from staypower.action_list.effects import (
    LEAST_ACCOUNTS,
    LEAST_CHURNERS,
    Effect,
    Effects,
    measure_effects,
    relative_cut,
)
from staypower.action_list.holdout import held_back
from staypower.action_list.outcomes import Outcomes, find_outcomes
from staypower.action_list.outreach import Outreach, read_outreach
from staypower.action_list.owners import owners_of
from staypower.action_list.result import ActionList
from staypower.action_list.settings import ActionSettings

__all__ = [
    "LEAST_ACCOUNTS",
    "LEAST_CHURNERS",
    "ActionList",
    "ActionSettings",
    "Effect",
    "Effects",
    "Outcomes",
    "Outreach",
    "choose_actions",
    "find_outcomes",
    "held_back",
    "measure_effects",
    "owners_of",
    "read_outreach",
    "relative_cut",
]
