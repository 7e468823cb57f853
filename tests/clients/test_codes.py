"""The tables of what answers mean: every row can be reached, and none hides another."""

from __future__ import annotations

import pytest

from runbook.clients import explain
from runbook.clients.explain import Code, graph_next_step, stackone_next_step

ROWS = explain.codes()


def example_path(row: Code) -> str:
    return row.path or "/things/1"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.service} {row.status} {row.code} {row.message}".strip())
def test_every_row_is_found_by_what_it_describes(row: Code) -> None:
    if row.service == "graph":
        found = graph_next_step(row.status, row.code, row.message, example_path(row))
    else:
        found = stackone_next_step(row.status, row.message, example_path(row))
    assert found == (row.meaning, row.remedy)


def test_an_answer_that_nobody_described_has_no_meaning() -> None:
    assert graph_next_step(418, "Teapot", "short and stout", "/things") == ("", "")
    assert stackone_next_step(418, "short and stout", "/things") == ("", "")


def test_a_conditional_access_refusal_is_told_from_a_missing_licence() -> None:
    path = "/identity/conditionalAccess/policies"
    licence, _ = graph_next_step(403, "AccessDenied", "Your tenant is not licensed for this feature.", path)
    scopes, _ = graph_next_step(403, "AccessDenied", "You cannot perform the requested operation, …", path)
    assert "licence" in licence
    assert "permission" in scopes
