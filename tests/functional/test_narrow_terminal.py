"""What the commands print fits a terminal of 80 columns; only paths and commands, which are copied, may be longer."""

from __future__ import annotations

import re

import pytest

import staypower

CUT = re.compile(r"\d+\.\d+ [(\[]-?[\d.]+%? to *$", re.MULTILINE)  # an interval of which the rest stands on the next line


@pytest.fixture
def shown(company, request):
    jobs = {
        "demo": lambda: company.result,
        "check": lambda: staypower.check(company.config),
        "explain": lambda: staypower.explain(company.config),
        "monitor": lambda: staypower.monitor(company.config),
        "models list": lambda: staypower.list_models(company.config),
        "features": lambda: staypower.list_features(company.config),
    }
    return jobs[request.param]().text(80)


@pytest.mark.parametrize("shown", ["demo", "check", "explain", "monitor", "models list", "features"], indirect=True)
def test_lines_fit_and_intervals_stay_on_one_line(company, shown):
    assert [line for line in shown.splitlines() if len(line) > 80 and str(company.root) not in line] == []
    tables = "\n".join(line for line in shown.splitlines() if "  " in line.strip())
    assert CUT.findall(tables) == []
