"""Playbooks: which action answers which lever in which quadrant, whose it is, what it costs and what it is hoped to do."""

from __future__ import annotations

from staypower.playbook.matching import Fit, fit_actions, lever_shares
from staypower.playbook.measures import FEATURE_MEASURES, MEASURES
from staypower.playbook.settings import ACCOUNT_OWNER, AUTOMATIC, Action, Limits, Playbook, default_playbook_text

__all__ = [
    "ACCOUNT_OWNER",
    "AUTOMATIC",
    "FEATURE_MEASURES",
    "MEASURES",
    "Action",
    "Fit",
    "Limits",
    "Playbook",
    "default_playbook_text",
    "fit_actions",
    "lever_shares",
]
