"""Score every account at a cutoff, with reasons."""

from __future__ import annotations

from staypower.scoring.agreement import require_same_label, require_what_is_read
from staypower.scoring.bands import RiskBands
from staypower.scoring.beside import BesideSettings
from staypower.scoring.parts import ScoredParts
from staypower.scoring.score import Scorer, Scores, score_accounts
from staypower.scoring.settings import ScoringSettings

__all__ = [
    "BesideSettings",
    "RiskBands",
    "ScoredParts",
    "Scorer",
    "Scores",
    "ScoringSettings",
    "require_same_label",
    "require_what_is_read",
    "score_accounts",
]
