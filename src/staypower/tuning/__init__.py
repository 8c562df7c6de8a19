"""Search for settings of the model that predict later months better than the defaults."""

from __future__ import annotations

from staypower.tuning.result import Trial, Tuning
from staypower.tuning.search import Budget, Search, search_settings
from staypower.tuning.space import TUNED, propose

__all__ = ["TUNED", "Budget", "Search", "Trial", "Tuning", "propose", "search_settings"]
