"""Every row of the table fires: provoked on the real sandbox over TLS, by the runbook's own clients and sections."""

from __future__ import annotations

import pytest

from runbook.clients import retry
from runbook.clients.answers import Row, explain, look_up, table
from runbook.errors import RunbookError

from . import by_directory, by_matrix, by_network
from .conftest import Stage
from .provoke import PROVOKED, Cell, as_administrator, as_connector, graph_saying, signing_in, stackone_saying
from .said import ADMINISTRATOR, GRAPH, SIGN_IN, STACKONE

REGISTERING = (by_directory, by_matrix, by_network)
ROWS = {row.name: row for row in table().rows}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_every_row_is_met_in_the_words_of_the_table(row: Row, stage: Stage) -> None:
    """A row without a provocation fails here."""
    met = provoked(stage, row.name)
    if isinstance(met, RunbookError):
        found = explain(met)
        assert (met.meaning, met.who, met.next_step) == (found.cause, found.who, found.remedy)
        assert (retry.transient(met) is not None) == (row.then is not None)
        said = {
            "answer": found.answer,
            "cause": found.cause,
            "who": found.who,
            "remedy": found.remedy,
            "seen": str(met),
        }
    else:
        said = dict(met)
    assert said["answer"] == row.name
    assert said["who"] == table().people[row.who]
    assert all(part in said["seen"] for part in (said["cause"], said["who"], said["remedy"]))
    assert "{" not in said["cause"] + said["remedy"]


def provoked(stage: Stage, name: str) -> RunbookError | Cell:
    if name in SIGN_IN:
        return signing_in(stage, SIGN_IN[name], lambda: as_connector(stage))
    if name in ADMINISTRATOR:
        return signing_in(stage, ADMINISTRATOR[name], lambda: as_administrator(stage))
    if name in GRAPH:
        return graph_saying(stage, *GRAPH[name])
    if name in STACKONE:
        return stackone_saying(stage, *STACKONE[name])
    assert name in PROVOKED, f"nothing provokes the row {name}"
    return PROVOKED[name](stage)


def test_nothing_is_provoked_that_is_no_row() -> None:
    entered = [*PROVOKED, *SIGN_IN, *ADMINISTRATOR, *GRAPH, *STACKONE]
    assert set(entered) == set(ROWS)
    assert len(entered) == len(set(entered))


CODES = [(row.name, code) for row in ROWS.values() if not row.when.facts for code in row.when.code if "AADSTS" in code]


@pytest.mark.parametrize(("name", "code"), CODES, ids=[f"{name} {code}" for name, code in CODES])
def test_every_code_of_a_sign_in_leads_to_its_row_and_to_no_other(name: str, code: str, stage: Stage) -> None:
    found = look_up(signing_in(stage, int(code.removeprefix("AADSTS")), lambda: as_connector(stage)))
    assert found is not None
    assert found.name == name


def test_the_codes_that_people_meet_most_are_in_the_table() -> None:
    met = {
        *(50011, 50020, 50034, 50053, 50055, 50057, 50058, 50059, 50076, 50079, 50105, 50126, 50158, 50194, 50199),
        *(53000, 53001, 53003, 54005, 65001, 65004, 70011, 70016, 70022, 90002, 90072, 90094, 90099, 500011, 500113),
        *(650052, 650053, 650057, 700016, 700025, 700027, 900144, 1002012, 7000112, 7000215, 7000218, 7000222),
        *(7000229, 9002313),
    }
    assert {f"AADSTS{number}" for number in met} <= {code for row in ROWS.values() for code in row.when.code}
