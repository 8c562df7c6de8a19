"""The page about inputs says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from staypower.schemas import ATTRIBUTES, SCHEMAS
from staypower.sources.expressions import compile_expression
from staypower.sources.rules import LATER_COLUMNS
from staypower.sources.settings import TableSource
from staypower.sources.values import Value, quoted_name

PAGE = (Path(__file__).parents[3] / "docs" / "inputs.md").read_text()


def test_every_table_and_attribute_is_named():
    for name in (*SCHEMAS, *ATTRIBUTES):
        assert f"`{name}`" in PAGE


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
def test_the_examples_are_mappings(block):
    given = yaml.safe_load(block)
    for name, listed in given.get("tables", given).items():
        for one in listed if isinstance(listed, list) else [listed]:
            source = TableSource.model_validate(one)
            known = SCHEMAS[name].names if name in SCHEMAS and name != "accounts" else tuple(source.mapping)
            # columns of one's own are declared; a foreign key is that of the table it points to
            own = {*source.columns, *(["person_id"] if source.key_via else [])}
            assert set(source.mapping) <= {*known, *own, "subscription_id"}


def test_the_written_expressions_compile():
    words = ["created", "reply_min", "day", "ts", "price", "score", "rating", "state", "InvoiceNo", "Quantity", "UnitPrice"]
    words += ["Kunde seit", "opened", "closed"]
    columns = {name: Value(quoted_name(name), "text") for name in words}
    table = PAGE.partition("| need | write |")[2].partition("\n## ")[0]
    written = re.findall(r'`\w+: "(.*?)"`', table)
    assert len(written) == 12
    for text in written:
        compile_expression(text.replace(r"\"", '"'), columns, "docs")


def test_later_columns_are_columns():
    for table, (start, ends) in LATER_COLUMNS.items():
        assert {start, *ends} <= set(SCHEMAS[table].names)
