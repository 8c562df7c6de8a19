"""Labels: who was active at a cutoff, and who of them churned in the outcome."""

from __future__ import annotations

from staypower.labels.churn import ChurnKind, Labels, find_labels, last_labelled_cutoff
from staypower.labels.population import Population, Status, find_population
from staypower.labels.settings import ContractualLabel, GivenLabel, LabelSettings, NonContractualLabel
from staypower.labels.sufficiency import LEAST_CHURNERS, LEAST_STAYERS, require_active, require_enough
from staypower.labels.tier import SurveyState, TierLabels, TierRows, find_survey_state, find_tiers, last_tier_cutoff
from staypower.labels.tier_settings import TIERS, TierSettings

__all__ = [
    "LEAST_CHURNERS",
    "LEAST_STAYERS",
    "TIERS",
    "ChurnKind",
    "ContractualLabel",
    "GivenLabel",
    "LabelSettings",
    "Labels",
    "NonContractualLabel",
    "Population",
    "Status",
    "SurveyState",
    "TierLabels",
    "TierRows",
    "TierSettings",
    "find_labels",
    "find_population",
    "find_survey_state",
    "find_tiers",
    "last_labelled_cutoff",
    "last_tier_cutoff",
    "require_active",
    "require_enough",
]
