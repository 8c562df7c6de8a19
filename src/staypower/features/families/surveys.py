"""What customers answered, on a common scale, and what they left unanswered."""

from __future__ import annotations

from staypower.features.definition import Combination, Feature, Filter, Template

SURVEYS = (
    Template(
        Feature(
            name="surveys_sent",
            table="surveys",
            aggregation="count",
            time="sent_at",
            unit="invitations",
            description="survey invitations",
            lever=None,
        ),
        shortest=90,
    ),
    Template(
        Feature(
            name="surveys_answered",
            table="surveys",
            aggregation="count",
            time="sent_at",
            after="answered_at",
            unit="answers",
            description="survey invitations that were answered",
            lever="relationship",
        ),
        shortest=90,
    ),
    Template(
        Combination(
            name="survey_response_rate",
            how="ratio",
            inputs=("surveys_answered", "surveys_sent"),
            unit="share",
            description="share of survey invitations answered",
            lever="relationship",
        ),
        shortest=90,
    ),
    Feature(
        name="surveys_unanswered_in_a_row",
        table="surveys",
        aggregation="unanswered_in_a_row",
        column="answered_at",
        time="sent_at",
        unit="invitations",
        description="latest survey invitations left unanswered in a row",
        lever="relationship",
    ),
    Feature(
        name="days_since_last_answer",
        table="surveys",
        aggregation="days_since_last",
        time="answered_at",
        unit="days",
        description="days since the last survey answer",
        lever="relationship",
    ),
    Feature(
        name="survey_respondents_365d",
        table="surveys",
        aggregation="distinct",
        column="respondent_id",
        time="answered_at",
        window=365,
        unit="people",
        description="different people who answered surveys",
        lever="relationship",
    ),
    Feature(
        name="disagreement_365d",
        table="surveys",
        aggregation="spread",
        column="answer",
        time="answered_at",
        window=365,
        unit="",
        description="spread of the survey answers (0-1 scale)",
        lever="relationship",
    ),
    Feature(
        name="csat_after_slow_ticket_365d",
        table="surveys",
        aggregation="mean",
        column="answer",
        time="answered_at",
        window=365,
        where=(Filter("instrument", ("csat",)), Filter("after_slow_ticket", at_least=1.0)),
        unit="",
        description="mean satisfaction after slow tickets (0 worst, 1 best)",
        lever="support",
    ),
)

_WORDS = {
    "nps": ("NPS", "satisfaction"),
    "csat": ("satisfaction (CSAT)", "satisfaction"),
    "ces1": ("ease (CES 1.0)", "support"),
    "ces2": ("ease (CES 2.0)", "support"),
}


def instrument_features(instrument: str) -> tuple[Feature | Template | Combination, ...]:
    """Declare the features of one instrument; instruments are never pooled.

    >>> instrument_features("csat")[0].name
    'csat_last'
    """
    word, lever = _WORDS.get(instrument, (instrument, "satisfaction"))
    only = (Filter("instrument", (instrument,)),)
    made: tuple[Feature | Template | Combination, ...] = (
        Feature(
            name=f"{instrument}_last",
            table="surveys",
            aggregation="last",
            column="answer",
            time="answered_at",
            where=only,
            unit="",
            description=f"last {word} answer (0 worst, 1 best)",
            lever=lever,
        ),
        Feature(
            name=f"{instrument}_worst_365d",
            table="surveys",
            aggregation="minimum",
            column="answer",
            time="answered_at",
            window=365,
            where=only,
            unit="",
            description=f"worst {word} answer (0 worst, 1 best)",
            lever=lever,
        ),
        Template(
            Feature(
                name=f"{instrument}_mean",
                table="surveys",
                aggregation="mean",
                column="answer",
                time="answered_at",
                where=only,
                unit="",
                description=f"mean {word} answer (0 worst, 1 best)",
                lever=lever,
            ),
            shortest=90,
        ),
        Feature(
            name=f"{instrument}_trend_365d",
            table="surveys",
            aggregation="trend",
            column="answer",
            time="answered_at",
            window=365,
            where=only,
            unit="per 30 days",
            description=f"trend of the {word} answers (0-1 scale)",
            lever=lever,
        ),
        Feature(
            name=f"{instrument}_spread_365d",
            table="surveys",
            aggregation="spread",
            column="answer",
            time="answered_at",
            window=365,
            where=only,
            unit="",
            description=f"spread of the {word} answers (0-1 scale)",
            lever=lever,
        ),
        Feature(
            name=f"{instrument}_answers_365d",
            table="surveys",
            aggregation="count",
            time="answered_at",
            window=365,
            where=only,
            unit="answers",
            description=f"{word} answers",
            lever="relationship",
        ),
        Feature(
            name=f"days_since_{instrument}",
            table="surveys",
            aggregation="days_since_last",
            time="answered_at",
            where=only,
            unit="days",
            description=f"days since the last {word} answer",
            lever="relationship",
        ),
    )
    if instrument != "nps":
        return made
    return (
        *made,
        Feature(
            name="nps_detractor_last",
            table="surveys",
            aggregation="last",
            column="detractor",
            time="answered_at",
            where=only,
            unit="",
            description="last NPS answer was a detractor's (1) or not (0)",
            lever="satisfaction",
        ),
        Feature(
            name="nps_promoter_last",
            table="surveys",
            aggregation="last",
            column="promoter",
            time="answered_at",
            where=only,
            unit="",
            description="last NPS answer was a promoter's (1) or not (0)",
            lever="satisfaction",
        ),
        Feature(
            name="nps_detractor_share_365d",
            table="surveys",
            aggregation="mean",
            column="detractor",
            time="answered_at",
            window=365,
            where=only,
            unit="share",
            description="share of NPS answers that were detractors'",
            lever="satisfaction",
        ),
    )


def touchpoint_feature(touchpoint: str, slug: str) -> Feature:
    """Declare the mean satisfaction at one touchpoint (learned from the data).

    >>> touchpoint_feature("Onboarding call", "onboarding_call").name
    'csat_at_onboarding_call_365d'
    """
    return Feature(
        name=f"csat_at_{slug}_365d",
        table="surveys",
        aggregation="mean",
        column="answer",
        time="answered_at",
        window=365,
        where=(Filter("instrument", ("csat",)), Filter("touchpoint", (touchpoint,))),
        unit="",
        description=f"mean satisfaction (CSAT) at the touchpoint {touchpoint} (0 worst, 1 best)",
        lever="satisfaction",
    )
