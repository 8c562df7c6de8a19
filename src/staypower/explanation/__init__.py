"""Why a score is what it is: exact contributions, said in words."""

from __future__ import annotations

from staypower.explanation.reasons import Explanation, Reason, explain_scores
from staypower.explanation.sentences import sentence, written_value
from staypower.explanation.usual import UsualValues, learn_usual_values

__all__ = ["Explanation", "Reason", "UsualValues", "explain_scores", "learn_usual_values", "sentence", "written_value"]
