from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from staypower.cutoffs import Outcome
from staypower.labels.settings import ContractualLabel, GivenLabel, LabelSettings, NonContractualLabel, match_words

LABELS: TypeAdapter[Any] = TypeAdapter(LabelSettings)


def read(values: dict[str, Any]) -> Any:
    return LABELS.validate_json(json.dumps(values), strict=True)


def test_kind_chooses_the_class_and_its_outcome() -> None:
    assert read({"kind": "contractual"}).outcome == Outcome(horizon=90, gap=0, grace=30)
    assert read({"kind": "non_contractual", "horizon": 30, "gap": 7}).outcome == Outcome(horizon=30, gap=7, grace=0)
    assert read({"kind": "given"}).outcome == Outcome(horizon=90)


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "contractual", "involuntary": ["Payment", 5], "of": "voluntary"},
        {"kind": "non_contractual", "table": "usage", "key_events": ["export"]},
        {"kind": "given", "flag": "left", "positive": ["gone"], "at": "2025-06-01"},
        {"kind": "given", "dates": "ends", "time": "on"},
    ],
)
def test_settings_survive_being_written_and_read(values: dict[str, Any]) -> None:
    settings = read(values)

    assert LABELS.validate_json(LABELS.dump_json(settings), strict=True) == settings
    assert LABELS.validate_python(settings.model_dump()) == settings


def test_a_single_word_is_a_list_of_one() -> None:
    assert ContractualLabel(involuntary="payment").involuntary == ("payment",)  # type: ignore[arg-type]
    assert GivenLabel(flag="left", positive=True).positive == ("true",)  # type: ignore[arg-type]


def test_a_date_may_come_as_an_object() -> None:
    assert GivenLabel(flag="left", at=date(2025, 6, 1)).at == "2025-06-01"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"kind": "contractual", "horizon": 0}, "greater than or equal to 1"),
        ({"kind": "contractual", "horizon": 10**9}, "less than or equal to 36500"),
        ({"kind": "contractual", "horizon": True}, "valid integer"),
        ({"kind": "contractual", "graze": 3}, "Extra inputs"),
        ({"kind": "contractual", "of": "involuntary"}, r"add `involuntary: \[payment\]`"),
        ({"kind": "contractual", "involuntary": ["--"]}, "holds no word"),
        ({"kind": "non_contractual", "grace": 3}, "Extra inputs"),
        ({"kind": "non_contractual", "table": "accounts"}, "name a table of events"),
        ({"kind": "non_contractual", "key_events": []}, "`key_events` is empty"),
        ({"kind": "given", "flag": "a", "dates": "b"}, "both `dates` and `flag`"),
        ({"kind": "given", "at": "2025-06-01"}, "`at` belongs to a `flag`"),
        ({"kind": "given", "flag": "a", "at": "June"}, "not a date or time"),
        ({"kind": "given", "flag": "a", "positive": []}, "at least 1 item"),
        ({"kind": "inactivity"}, "'contractual', 'non_contractual', 'given'"),
    ],
)
def test_problems_are_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        read(values)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        NonContractualLabel().horizon = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("Non-payment", ("PAYMENT",), True),
        ("failed__payment", ("failed payment",), True),
        ("payment was failed", ("failed payment",), False),
        ("Zahlung überfällig", ("ÜBERFÄLLIG",), True),
        ("price", (), False),
    ],
)
def test_match_words(text: str, words: tuple[str, ...], expected: bool) -> None:
    assert match_words(text, words) is expected
