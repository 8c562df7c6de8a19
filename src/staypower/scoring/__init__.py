"""Score every account at a cutoff, with reasons."""

from __future__ import annotations

from staypower.scoring.agreement import require_same_label, require_what_is_read
from staypower.scoring.bands import RiskBands
from staypower.scoring.beside import BesideSettings
from staypower.scoring.score import Scores, score_accounts

__all__ = ["BesideSettings", "RiskBands", "Scores", "require_same_label", "require_what_is_read", "score_accounts"]
