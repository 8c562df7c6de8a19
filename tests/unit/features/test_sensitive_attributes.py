"""Attributes declared sensitive reach no feature, by whatever way, unless the settings say so."""

import pyarrow as pa
import pytest
from pydantic import ValidationError

from staypower.cutoffs import DAY, instant_of
from staypower.errors import UsageError
from staypower.features.declaring import declare
from staypower.features.definition import Feature
from staypower.features.settings import FeatureSettings
from staypower.schemas import SCHEMAS
from staypower.tables import Table, Tables

AT = instant_of("2025-01-01")
TIME = pa.timestamp("us", "UTC")


@pytest.fixture(scope="module")
def tables():
    ids = [f"a{number}" for number in range(40)]
    accounts = pa.table(
        {
            "account_id": ids,
            "signed_up_at": pa.array([AT - 400 * DAY] * 40).cast(TIME),
            "valid_from": pa.array([AT - 400 * DAY] * 40).cast(TIME),
            "sex": ["f", "m"] * 20,
            "age": [float(20 + number) for number in range(40)],
            "region": ["north", "south"] * 20,
            "owner": ["ann", "bob"] * 20,
        }
    )
    return Tables({"accounts": Table(SCHEMAS["accounts"], accounts)}, AT)


def read(catalogue):
    return {definition.column for definition in catalogue.everything if isinstance(definition, Feature)}


def names(tables, **settings):
    return declare(tables, FeatureSettings(**settings), cutoff=AT)


def test_without_declaration_they_are_features(tables):
    assert {"account_sex", "account_age", "owner_changes_ever"} & set(names(tables).names) >= {"account_sex", "account_age"}


def test_no_feature_reads_what_is_sensitive(tables):
    open_, closed = names(tables), names(tables, sensitive=("sex", "age"))
    assert set(open_.names) - set(closed.names) == {"account_sex", "account_age"}
    assert not {"sex", "age"} & read(closed)


def test_features_made_of_a_sensitive_attribute_are_left_out_too(tables):
    built = names(tables)
    from_owner = {
        d.name for d in built.everything if (isinstance(d, Feature) and d.column == "owner_changed") or "owner" in d.name
    }
    assert from_owner
    closed = names(tables, sensitive="owner")
    assert not from_owner & set(closed.names)
    assert any("reads the sensitive" in why for why in closed.left_out.values())


def test_an_own_feature_over_one_is_refused(tables):
    own = {"name": "how_old", "table": "accounts", "aggregation": "last", "column": "age", "description": "age"}
    with pytest.raises(UsageError, match=r"a feature reads a sensitive attribute: features\.own\.how_old: `age`"):
        names(tables, sensitive=("age",), own=(own,))
    hidden_in_a_filter = {
        "name": "women",
        "table": "accounts",
        "aggregation": "count",
        "filter": {"column": "sex", "is": "f"},
        "description": "women",
    }
    with pytest.raises(UsageError, match=r"features\.own\.women: `sex`"):
        names(tables, sensitive=("sex",), own=(hidden_in_a_filter,))


def test_they_may_be_allowed_in_so_many_words(tables):
    allowed = names(tables, sensitive=("sex", "age"), sensitive_as_features=True)
    assert allowed.names == names(tables).names


def test_a_misspelt_attribute_is_refused_not_ignored(tables):
    with pytest.raises(UsageError, match=r"features\.sensitive: sexx.*write `sex`"):
        names(tables, sensitive=("sexx",))


def test_scoring_keeps_the_declaration(tables):
    closed = names(tables, sensitive=("sex",))
    assert type(closed).from_dict(closed.to_dict()).settings.sensitive == ("sex",)


def test_one_word_is_a_list_of_one_and_numbers_are_no_names():
    assert FeatureSettings(sensitive="sex").sensitive == ("sex",)
    with pytest.raises(ValidationError):
        FeatureSettings(sensitive=(1,))
