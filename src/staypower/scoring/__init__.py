"""Score every account at a cutoff, with reasons."""

from __future__ import annotations

from staypower.scoring.bands import RiskBands
from staypower.scoring.score import Scores, score_accounts

__all__ = ["RiskBands", "Scores", "score_accounts"]
