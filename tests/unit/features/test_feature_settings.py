from __future__ import annotations

import pytest
from pydantic import ValidationError

from staypower.features.settings import FeatureSettings, FilterSettings, OwnFeature


def test_windows_are_sorted_and_different():
    assert FeatureSettings(windows=(90, 7, 90)).windows == (7, 90)
    for wrong in ((), (0,), (-7, 28)):
        with pytest.raises(ValidationError):
            FeatureSettings(windows=wrong)


@pytest.mark.parametrize("wrong", [{"sla_hours": 0}, {"top_events": -1}, {"rare": 0}, {"familes": "all"}])
def test_what_cannot_be_meant_is_refused(wrong):
    with pytest.raises(ValidationError):
        FeatureSettings.model_validate(wrong)


def test_the_defaults_are_those_of_the_documentation():
    plain = FeatureSettings()
    assert (plain.windows, plain.sla_hours, plain.outreach) == ((7, 28, 90, 365), 24.0, False)
    assert plain.key_events == ()


def test_one_filter_and_one_word_need_no_list():
    own = {"name": "x", "table": "usage", "aggregation": "count", "description": "x"}
    made = OwnFeature.model_validate({**own, "filter": {"column": "event", "is": "save"}})
    assert made.filter[0].values == ("save",)
    assert OwnFeature.model_validate({**own, "filter": [{"column": "n", "at_least": 1}]}).filter[0].at_least == 1.0
    with pytest.raises(ValidationError):
        FilterSettings.model_validate({"column": "x", "equals": 1})


def test_settings_survive_their_own_json():
    own = OwnFeature.model_validate(
        {"name": "x", "table": "t", "aggregation": "count", "description": "x", "filter": {"column": "e", "is": "s"}}
    )
    settings = FeatureSettings(own=(own,), key_events=("a",))
    assert FeatureSettings.model_validate(settings.model_dump(mode="json", by_alias=True)) == settings


def test_an_own_feature_reads_a_table_or_combines_two_features():
    made = OwnFeature.model_validate({"name": "x", "ratio": ["a", "b"], "says": "a by b", "direction": "lowers"})
    assert (made.combined, made.description, made.direction) == (("ratio", ("a", "b")), "a by b", "lowers")
    wrong = [
        {"name": "x", "says": "x"},
        {"name": "x", "table": "usage", "says": "x"},
        {"name": "x", "ratio": ["a", "b"], "change": ["a", "b"], "says": "x"},
        {"name": "x", "ratio": ["a", "b"], "table": "usage", "aggregation": "count", "says": "x"},
        {"name": "x", "ratio": ["a"], "says": "x"},
        {"name": "x", "ratio": ["a", "b"], "says": "x", "direction": -1},
    ]
    for one in wrong:
        with pytest.raises(ValidationError):
            OwnFeature.model_validate(one)


def test_combined_own_features_survive_their_own_json():
    own = OwnFeature.model_validate({"name": "x", "difference": ["a", "b"], "says": "a less b", "windows": [28]})
    settings = FeatureSettings(own=(own,))
    assert FeatureSettings.model_validate(settings.model_dump(mode="json", by_alias=True)) == settings
