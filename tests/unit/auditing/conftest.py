"""A small simulated company."""

import pytest
from audited_tables import arriving_late, case_of

from staypower.simulation.company import simulate
from staypower.sources.reading import read_tables
from staypower.sources.settings import TableSource


@pytest.fixture(scope="session")
def tables(tmp_path_factory):
    made = simulate(220, months=18, seed=3, cutoffs=())
    sources = {name: [TableSource.model_validate({"source": name})] for name in made.tables}
    sources["tickets"] = [TableSource.model_validate({"source": "tickets", "fixed": ["priority"]})]
    read, _ = read_tables(
        sources, folder=tmp_path_factory.mktemp("none"), observed_until=made.observed_until, objects=made.tables
    )
    return read


@pytest.fixture(scope="session")
def case(tables):
    return case_of(tables)


@pytest.fixture(scope="session")
def late_case(tables):
    return case_of(arriving_late(tables))
