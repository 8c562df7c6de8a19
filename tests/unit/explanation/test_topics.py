"""Every feature is in one topic, and topics join what reads as one thing."""

from __future__ import annotations

import re

from documentation.features import every_family

from staypower.explanation.topics import TOPICS, topics_of
from staypower.features.catalogue import Catalogue
from staypower.features.definition import Feature, expand
from staypower.features.settings import FeatureSettings


def everything() -> Catalogue:
    settings = FeatureSettings()
    made = {one.name: one for entries in every_family().values() for one in expand(entries, settings.windows)}
    return Catalogue(settings, tuple(made.values()))


def titles(names: list[str]) -> set[str]:
    catalogue = everything()
    return {topic.title for topic in topics_of(catalogue, names)}


def test_every_feature_of_the_catalogue_is_in_exactly_one_topic_with_its_lever():
    catalogue = everything()
    names = list(catalogue.names)
    topics = topics_of(catalogue, names)
    assert sorted(column for topic in topics for column in topic.columns) == list(range(len(names)))
    assert all(catalogue[names[column]].lever == topic.lever for topic in topics for column in topic.columns)
    assert len({topic.name for topic in topics}) == len(topics)


def test_only_the_plan_and_attributes_have_no_topic_that_is_declared():
    named = {name for name in everything().names for stem in [re.sub(r"_\d+d\Z", "", name)]
             if all(pattern.matched(stem) is None for pattern in TOPICS)}  # fmt: skip
    assert named == {"plan_now", "account_name"}, "give the others a topic in TOPICS"


def test_windows_counts_days_and_recency_of_one_event_are_one_topic():
    assert titles(["event_name_28d", "event_name_90d", "days_since_event_name"]) == {"use of name"}
    assert titles(["usage_events_7d", "usage_events_90d", "active_days_28d"]) == {"amount of usage"}
    assert len(titles(["usage_events_28d", "usage_trend_28d", "days_since_last_use"])) == 3
    assert len(titles(["nps_last", "csat_last", "ces2_last", "days_since_nps"])) == 4


def test_features_of_ones_own_are_a_topic_with_their_windows():
    made = [
        Feature(name=f"exports_{w}d", table="usage", aggregation="count", window=w, unit="events", description="exports",
                lever="adoption") for w in (28, 90)
    ]  # fmt: skip
    (topic,) = topics_of(Catalogue(FeatureSettings(), tuple(made)), ["exports_28d", "exports_90d"])
    assert (topic.title, topic.lever, topic.columns) == ("exports", "adoption", (0, 1))


def test_a_topic_with_two_levers_is_told_apart_under_two_names():
    catalogue = everything()
    names = ["tickets_28d", "days_since_last_ticket"]
    assert [(topic.lever, topic.name) for topic in topics_of(catalogue, names)] == [
        ("support", "number_of_tickets"),
        (None, "number_of_tickets_else"),
    ]
