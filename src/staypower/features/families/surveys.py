"""What customers answered, on a common scale, and what they left unanswered."""

from __future__ import annotations

from staypower.features.catalogue import Catalogue
from staypower.features.definition import Combination, Definition, Feature, Filter, Template
from staypower.features.families.rows import TableFeatures

__all__ = ["SURVEYS", "instrument_features", "tells_answers", "touchpoint_feature"]

_ANSWERS = frozenset({"answer", "value", "detractor", "promoter"})

surveys = TableFeatures("surveys", lever="relationship")
invitations = TableFeatures("surveys", lever="relationship", time="sent_at")
answers = TableFeatures("surveys", lever="relationship", time="answered_at")
_CSAT_AFTER_SLOW_TICKET = (Filter("instrument", ("csat",)), Filter("after_slow_ticket", at_least=1.0))

SURVEYS = (
    invitations.every_window("surveys_sent", "count", shortest=90, says="survey invitations", unit="invitations", lever=None),
    invitations.every_window(
        "surveys_answered",
        "count",
        shortest=90,
        after="answered_at",
        says="survey invitations answered",
        unit="answers",
        direction=-1,
    ),
    Template(
        surveys.ratio(
            "survey_response_rate",
            "surveys_answered",
            "surveys_sent",
            says="share of survey invitations answered",
            unit="share",
            direction=-1,
        ),
        shortest=90,
    ),
    invitations.feature(
        "surveys_unanswered_in_a_row",
        "unanswered_in_a_row",
        "answered_at",
        says="survey invitations left unanswered in a row",
        unit="invitations",
        direction=1,
    ),
    answers.feature(
        "days_since_last_answer", "days_since_last", says="days since the last survey answer", unit="days", direction=1
    ),
    answers.feature(
        "survey_respondents_365d",
        "distinct",
        "respondent_id",
        window=365,
        says="different people who answered surveys",
        unit="people",
        direction=-1,
    ),
    answers.feature(
        "disagreement_365d", "spread", "answer", window=365, says="spread of the survey answers (0-1 scale)", direction=1
    ),
    answers.feature(
        "csat_after_slow_ticket_365d",
        "mean",
        "answer",
        window=365,
        where=_CSAT_AFTER_SLOW_TICKET,
        says="average satisfaction after slow tickets (0 worst, 1 best)",
        lever="support",
        direction=-1,
    ),
)

_WORDS = {
    "nps": ("NPS", "satisfaction"),
    "csat": ("satisfaction (CSAT)", "satisfaction"),
    "ces1": ("ease (CES 1.0)", "support"),
    "ces2": ("ease (CES 2.0)", "support"),
}


def instrument_features(instrument: str) -> tuple[Definition | Template, ...]:
    """Declare the features of one instrument; instruments are never pooled."""
    word, lever = _WORDS.get(instrument, (instrument, "satisfaction"))
    one = TableFeatures("surveys", lever=lever, time="answered_at", where=Filter("instrument", (instrument,)), direction=-1)
    made = (
        one.feature(f"{instrument}_last", "last", "answer", says=f"last {word} answer (0 worst, 1 best)"),
        one.feature(f"{instrument}_worst_365d", "minimum", "answer", window=365, says=f"worst {word} answer (0 worst, 1 best)"),
        one.every_window(f"{instrument}_mean", "mean", "answer", shortest=90, says=f"average {word} answer (0 worst, 1 best)"),
        one.feature(
            f"{instrument}_trend_365d",
            "trend",
            "answer",
            window=365,
            says=f"trend of the {word} answers (0-1 scale)",
            unit="per 30 days",
        ),
        one.feature(
            f"{instrument}_spread_365d",
            "spread",
            "answer",
            window=365,
            says=f"spread of the {word} answers (0-1 scale)",
            direction=1,
        ),
        one.feature(
            f"{instrument}_answers_365d", "count", window=365, says=f"{word} answers", unit="answers", lever="relationship"
        ),
        one.feature(
            f"days_since_{instrument}",
            "days_since_last",
            says=f"days since the last {word} answer",
            unit="days",
            lever="relationship",
            direction=1,
        ),
    )
    if instrument != "nps":
        return made
    return (
        *made,
        one.feature(
            "nps_detractor_last",
            "last",
            "detractor",
            says="last NPS answer was from a detractor (1) or not (0)",
            direction=1,
        ),
        one.feature("nps_promoter_last", "last", "promoter", says="last NPS answer was from a promoter (1) or not (0)"),
        one.feature(
            "nps_detractor_share_365d",
            "mean",
            "detractor",
            window=365,
            says="share of NPS answers from detractors",
            unit="share",
            direction=1,
        ),
    )


def touchpoint_feature(touchpoint: str, slug: str) -> Feature:
    """Declare the average satisfaction at one touchpoint (found in the data)."""
    there = (Filter("instrument", ("csat",)), Filter("touchpoint", (touchpoint,)))
    words = f"average satisfaction (CSAT) at the touchpoint {touchpoint} (0 worst, 1 best)"
    return answers.feature(f"csat_at_{slug}_365d", "mean", "answer", window=365, where=there, says=words, lever="satisfaction")


def tells_answers(catalogue: Catalogue) -> tuple[str, ...]:
    """Name the features that tell what was answered, not only whether."""
    found = {
        one.name
        for one in catalogue.everything
        if isinstance(one, Feature) and one.table == "surveys" and {one.column, *(each.column for each in one.where)} & _ANSWERS
    }
    for one in catalogue.everything:  # combinations stand after what they need
        if isinstance(one, Combination) and found.intersection(one.inputs):
            found.add(one.name)
    return tuple(name for name in catalogue.names if name in found)
