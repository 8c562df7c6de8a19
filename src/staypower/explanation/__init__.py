"""Why a score is what it is: exact contributions, said in words, and what changed since an earlier cutoff."""

from __future__ import annotations

from staypower.explanation.changes import Changes, compare_explanations
from staypower.explanation.leavers import LeaverWords, learn_leaver_words
from staypower.explanation.manner import Manner
from staypower.explanation.reason import NO_LEVER, Change, Reason
from staypower.explanation.reasons import Explanation, explain_scores
from staypower.explanation.sentences import sentence
from staypower.explanation.settings import ExplanationSettings
from staypower.explanation.topics import Topic, topics_of
from staypower.explanation.usual import UsualValues, learn_usual_values
from staypower.explanation.wording import written_value

__all__ = [
    "NO_LEVER",
    "Change",
    "Changes",
    "Explanation",
    "ExplanationSettings",
    "LeaverWords",
    "Manner",
    "Reason",
    "Topic",
    "UsualValues",
    "compare_explanations",
    "explain_scores",
    "learn_leaver_words",
    "learn_usual_values",
    "sentence",
    "topics_of",
    "written_value",
]
