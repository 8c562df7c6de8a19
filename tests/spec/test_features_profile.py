"""The profile features, drawn: what goes in, and what must come out, worked out by hand."""

from __future__ import annotations

import pytest
from drawn_tables import Case

TITLE = "Profile"
INTRODUCTION = """\
What the account is, as of the cutoff. Texts become codes, learned in training and stored with the model."""

CASES = [
    Case(
        title="Attributes that never change",
        says="Declared `static`, an attribute is known at every cutoff.",
        mapping={
            "accounts": {"segment": "segment", "seats": "seats", "columns": {"seats": "number"}, "static": ["segment", "seats"]}
        },
        drawn="""
        accounts | segment    | seats
        ann      | enterprise | 40
        bob      | small      | -
        cal      | -          | 3

        at 2020-01-01 | feature         | value      | because
        ann           | account_segment | enterprise | known for ever

        at 2025-07-01 | feature         | value      | because
        ann           | account_segment | enterprise | the text itself, stored as a code
        ann           | account_seats   | 40         | a number is used as it is
        bob           | account_segment | small      | another code
        bob           | account_seats   | -          | blank is missing
        cal           | account_segment | -          | blank is missing, not `other`
        """,
    ),
    Case(
        title="Attributes with versions, and texts never seen in training",
        says="With `valid_from` an attribute is that of the last version before the cutoff. The codes here were learned at "
        "2025-07-01; a text that came later is `other`, code 0.",
        drawn="""
        accounts | valid_from       | plan
        dan      | 2025-01-01T00:00 | basic
        dan      | 2025-07-01T00:00 | pro
        dan      | 2025-08-01T00:00 | galactic
        eve      | 2025-01-01T00:00 | pro

        at 2025-07-01 | feature      | value | because
        dan           | account_plan | basic | the second version begins at the cutoff
        eve           | account_plan | pro   | since January

        at 2025-07-02 | feature      | value | because
        dan           | account_plan | pro   | known now

        at 2025-09-01 | feature      | value | because
        dan           | account_plan | other | nobody had this plan when the codes were learned

        at 2024-12-31 | feature      | value | because
        dan           | account_plan | -     | before the first version nothing is known
        """,
    ),
    Case(
        title="Rare texts",
        says="A text seen on fewer rows than `rare` is `other` from the start (with few accounts: on fewer than two).",
        settings={"rare": 20},
        mapping={"accounts": {"region": "region", "static": ["region"]}},
        drawn="""
        accounts | region
        fay      | north
        gus      | north
        hal      | atlantis

        at 2025-07-01 | feature        | value | because
        fay           | account_region | north | seen twice
        hal           | account_region | other | seen once
        """,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_features_are_as_drawn(case: Case) -> None:
    assert case.differences() == []
