"""The numbers of the docs page are those of the program."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from staypower.simulation.company import Simulation
from staypower.simulation.world import parameter_table

_PAGE = Path(__file__).parents[3] / "docs" / "simulator.md"


@pytest.fixture(scope="module")
def page() -> str:
    return _PAGE.read_text(encoding="utf-8")


def test_the_parameters_are_those_that_run(page: str) -> None:
    assert parameter_table() in page


def test_the_ceiling_is_what_the_command_prints(page: str, company: Simulation) -> None:
    shown = re.search(r"```text\n accounts  base_rate.*?\n(.*?)```", page, re.DOTALL)
    assert shown is not None
    printed = company.ceiling().frame().round(3).iloc[0].tolist()
    assert [float(number) for number in shown[1].split()] == pytest.approx(printed, abs=0.0005)
