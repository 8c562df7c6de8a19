"""The pages about features say what the code does, and leave nothing out."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest
import write_docs
import yaml
from documentation.features import every_family
from drawn_tables import Case

from staypower.features.definition import Combination, Template, expand
from staypower.features.settings import FeatureSettings, OwnFeature

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "features.md").read_text(encoding="utf-8")


DRAWN = {family: write_docs.drawn_tables_of(family) for family in write_docs.FAMILIES}


def drawn_names(family: str) -> set[str]:
    return {one.feature for case in DRAWN[family].CASES for one in case.expected()}


def test_every_declared_feature_is_drawn():
    """At every default window; what is learned from the data by at least one of its kind."""
    drawn = {name for family in DRAWN for name in drawn_names(family)}
    learned = {"event_name", "event_name_per_seat", "days_since_event_name", "csat_at_name", "account_name"}
    declared = {
        definition.name
        for entries in every_family().values()
        for definition in expand(entries, FeatureSettings().windows)
        if re.sub(r"_\d+d\Z", "", definition.name) not in learned
    }
    assert declared - drawn == set(), "draw them in `tests/spec/test_features_<family>.py`"
    assert len(declared) > 220
    kinds = [
        r"event_\w+_28d",
        r"event_\w+_per_seat_28d",
        r"event_\w+_90d",
        r"days_since_event_\w+",
        r"csat_at_\w+_365d",
        r"account_\w+",
    ]
    assert [kind for kind in kinds if not any(re.fullmatch(kind, name) for name in drawn)] == []


def test_every_value_has_its_reason():
    for module in DRAWN.values():
        for case in module.CASES:
            assert all(len(one.because) > 1 for one in case.expected())


@pytest.mark.parametrize(
    ("family", "old", "new"), [("usage", "2/4/8/12 ", "2/4/8/13 "), ("support", "| 30/30/30 ", "| 30/30/- ")]
)
def test_a_wrong_value_is_noticed(family, old, new):
    case = DRAWN[family].CASES[0]
    assert old in case.drawn
    changed = Case(title=case.title, says="", drawn=case.drawn.replace(old, new, 1), mapping=case.mapping)
    assert len(changed.differences()) == 1


def test_a_feature_that_is_not_built_is_noticed():
    drawn = (
        "usage | at\n ann | 2025-06-30\n\n at 2025-07-01 | feature | value | because\n ann | active_users_28d | 0 | no column"
    )
    assert Case(title="x", says="", drawn=drawn).differences() == [
        "not built: active_users_28d: no usable column `usage.user_id`"
    ]


def test_the_catalogue_names_every_declaration():
    for entries in every_family().values():
        for entry in entries:
            name = f"{entry.definition.name}_<w>d" if isinstance(entry, Template) else entry.name
            assert f"| `{name}` |" in PAGE, "run `python scripts/write_docs.py`"


def test_every_declaration_says_itself_in_words():
    """Read aloud as `Support tickets opened in the last 28 days: 7`: no capital, no full stop, no window in the text."""
    for entries in every_family().values():
        for definition in expand(entries, FeatureSettings().windows):
            text = definition.description
            assert text, definition.name
            assert not text.endswith("."), definition.name
            assert text[0].islower() or text.split()[0].isupper(), definition.name
            if not isinstance(definition, Combination) and definition.window:
                assert f"{definition.window} days" not in text, definition.name


def test_the_python_example_prints_what_the_page_says():
    code, shown = re.search(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL).groups()
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "docs/features.md", "exec"), {})
    assert out.getvalue() == shown


def test_the_yaml_example_declares_features():
    drawn = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    own = [one for text in drawn for one in yaml.safe_load(text).get("features", {}).get("own", ())]
    names = [OwnFeature.model_validate(one).name for one in own]
    assert names[:3] == ["visits", "seats_in_the_great_hall", "inside_now"]
    assert names[3:] == ["use_of_limit", "tickets_per_visit_90d", "visits_below_commitment", "visits_change"]
